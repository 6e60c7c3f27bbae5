//! Starts builds, and reads the recent ones where a trigger may have been answered already.

use std::time::{Duration, SystemTime};

use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::operation::start_build::StartBuildError;
use aws_sdk_codebuild::types::{Build, EnvironmentVariable, EnvironmentVariableType, StatusType};
use contract::{Branch, CommitId, ConfigPath, ProjectName, Trigger, parameter, variable, write_waiting};
use iwomp_aws::builds::{self, variable_of};
use iwomp_aws::error::{self, Effect, Kind};

use crate::delivery::Delivery;
use crate::fate::{Busy, Stop};

/// How far the clocks of SNS and CodeBuild may differ before a build that seems to have begun after a trigger was published
/// began before. Too much costs one build that finds nothing new; too little would lose a commit.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// How many builds of what a trigger asks for may fail before it is believed that another one would, too. A passing fault of
/// the Git host or of AWS costs one or two; without an end, a flood of triggers would run a broken commit once for each.
const ENOUGH_FAILURES: usize = 3;

/// Most pages of 100 builds that are read for one trigger: more builds than a project can have begun while a message lives.
const MAX_PAGES: usize = 120;

/// The first in line looks at the running build when one of so many would have ended that take longer than it has run. More
/// often is more calls, less often lets the project idle for longer before its next build.
const LOOK: usize = 10;

/// Between two looks at a running build lies this at least.
pub const SHORTEST_LOOK: Duration = Duration::from_secs(12);

/// What `builds_per_hour` counts in, and for which the builds before a trigger matter.
pub const HOUR: Duration = Duration::from_secs(3600);

/// The build that StartBuild answered with.
#[derive(Debug)]
pub struct Started {
    pub id: String,
    /// A request with the same token had started it before, and it is over.
    pub has_ended: bool,
}

/// Starts the project's build with nothing but the launcher's variables of the contract; `waiting` are commits of the same
/// branch that it may answer as well.
///
/// # Errors
/// If CodeBuild did not start it, or did not say so.
pub async fn start(
    codebuild: &Client,
    config_path: &ConfigPath,
    trigger: &Trigger,
    trigger_id: &str,
    waiting: &[CommitId],
) -> Result<Started, Stop> {
    let build_project = parameter::build_project(config_path, &trigger.project);
    let action = format!("starting {build_project}");
    let answer = codebuild
        .start_build()
        .project_name(&build_project)
        .idempotency_token(trigger_id)
        .set_environment_variables_override(Some(variables(trigger, trigger_id, waiting)))
        .send()
        .await;
    match answer {
        Ok(output) => match output.build_value().and_then(|build| Some((build.id()?, build))) {
            Some((id, build)) => Ok(Started { id: id.to_owned(), has_ended: builds::has_ended(build) }),
            None => Err(Stop::Failed {
                kind: Kind::UnknownOutcome,
                reason: format!("{action}: CodeBuild answered without a build id"),
            }),
        },
        Err(error) => match error.as_service_error() {
            Some(StartBuildError::AccountLimitExceededException(limit)) => {
                Err(over_limit(&build_project, limit.message().unwrap_or("no reason given")))
            }
            // Its own start came through, and other commits wait by now.
            Some(StartBuildError::InvalidInputException(cause)) if is_about_a_token(cause.message()) => {
                let reason = format!("{action}: a build for this very trigger may have been started just now");
                Err(Stop::Failed { kind: Kind::UnknownOutcome, reason })
            }
            _ => Err(error::explain(&action, Effect::Some, error).into()),
        },
    }
}

/// CodeBuild has one error for a project that builds already and for an account that has no build to spare; only its text tells
/// them apart. The account's has two forms, "Cannot have more than 0 builds in queue for the account" and, in the user guide,
/// "Cannot have more than X active builds for the account". What it says of a project is documented nowhere.
fn over_limit(build_project: &str, said: &str) -> Stop {
    if said.to_ascii_lowercase().contains("for the account") {
        let reason = format!(
            "the account has no build to spare for {build_project} ({said}): the trigger waits; \"Concurrently running builds\" of \
             CodeBuild in Service Quotas is the limit"
        );
        return Stop::Busy { class: Busy::AccountLimit, reason };
    }
    let reason = format!("{build_project} cannot start a build now ({said}): the trigger waits");
    Stop::Busy { class: Busy::Building, reason }
}

/// "If you repeat the StartBuild request with the same token, but change a parameter, CodeBuild returns a parameter mismatch
/// error", says the API reference, and no more.
fn is_about_a_token(said: Option<&str>) -> bool {
    let said = said.unwrap_or_default().to_ascii_lowercase();
    said.contains("token") || said.contains("mismatch")
}

fn variables(trigger: &Trigger, trigger_id: &str, waiting: &[CommitId]) -> Vec<EnvironmentVariable> {
    let waiting = write_waiting(waiting);
    let pairs = [
        (variable::PROJECT, Some(trigger.project.as_str())),
        (variable::BRANCH, Some(trigger.branch.as_str())),
        (variable::COMMIT, trigger.commit.as_ref().map(|commit| commit.as_str())),
        (variable::TRIGGER, Some(trigger_id)),
        (variable::WAITING, waiting.as_deref()),
    ];
    pairs
        .into_iter()
        .filter_map(|(name, value)| {
            // Spelled out: PARAMETER_STORE and SECRETS_MANAGER would make CodeBuild read what a message names.
            let kind = EnvironmentVariableType::Plaintext;
            EnvironmentVariable::builder().name(name).value(value?).r#type(kind).build().ok()
        })
        .collect()
}

/// The latest builds of a project, newest first.
#[derive(Default)]
pub struct History {
    builds: Vec<PastBuild>,
    /// Whether there are older builds than these.
    goes_on: bool,
}

#[derive(Clone)]
struct PastBuild {
    id: String,
    trigger: Option<String>,
    branch: Option<String>,
    commit: Option<String>,
    /// The commits that waited with it.
    waiting: Vec<String>,
    /// It was an operator's, and answers no trigger.
    is_rollback: bool,
    status: Option<StatusType>,
    began: SystemTime,
    ended: Option<SystemTime>,
}

/// Reads the builds that began after `back_to`, and of the older ones what comes with them: a page of 100 at least.
///
/// # Errors
/// If CodeBuild fails, or if there are more builds than any honest project has.
pub async fn read(
    codebuild: &Client,
    config_path: &ConfigPath,
    project: &ProjectName,
    back_to: SystemTime,
) -> Result<History, Stop> {
    let build_project = parameter::build_project(config_path, project);
    let action = format!("reading the builds of {build_project}");
    let mut history = History::default();
    let mut next_token = None;
    for _ in 0..MAX_PAGES {
        let page = builds::page(codebuild, &build_project, next_token)
            .await
            .map_err(|error| error::explain(&action, Effect::None, error))?;
        let builds = builds::get(codebuild, page.ids.unwrap_or_default())
            .await
            .map_err(|error| error::explain(&action, Effect::None, error))?;
        history.builds.extend(builds.iter().filter_map(PastBuild::of));
        next_token = page.next_token;
        history.goes_on = next_token.is_some();
        if !history.goes_on || history.reaches(back_to) {
            return Ok(history);
        }
    }
    let reason = format!("{action}: there are more than {MAX_PAGES} pages of them since the trigger was published");
    Err(Stop::Failed { kind: Kind::Misconfigured, reason })
}

/// Whether that build still runs.
///
/// # Errors
/// If CodeBuild fails.
pub async fn runs(codebuild: &Client, id: &str) -> Result<bool, Stop> {
    let builds = builds::get(codebuild, vec![id.to_owned()]).await;
    let builds = builds.map_err(|error| error::explain(&format!("reading {id}"), Effect::None, error))?;
    Ok(builds.iter().any(|build| !builds::has_ended(build)))
}

impl PastBuild {
    fn of(build: &Build) -> Option<Self> {
        let asked = |name| variable_of(build, name).map(str::to_owned);
        Some(Self {
            id: build.id()?.to_owned(),
            trigger: asked(variable::TRIGGER),
            branch: asked(variable::BRANCH),
            commit: asked(variable::COMMIT),
            waiting: variable_of(build, variable::WAITING)
                .map(|waiting| waiting.split(' ').map(str::to_owned).collect())
                .unwrap_or_default(),
            is_rollback: variable_of(build, variable::ROLLBACK).is_some(),
            status: build.build_status().cloned(),
            ended: build.end_time().copied().and_then(|ended| ended.try_into().ok()),
            began: build.start_time().copied()?.try_into().ok()?,
        })
    }

    /// Whether it began for what is asked, as far as branch and time tell: after the trigger was published.
    fn concerns(&self, trigger: &Trigger, delivery: &Delivery) -> bool {
        self.branch.as_deref() == Some(trigger.branch.as_str()) && self.began > delivery.published + CLOCK_SKEW
    }

    /// Whether its success serves the trigger. A build of the head does: a pinned commit is then live, or older than what
    /// is. A build of a pinned commit serves that commit and those that were handed over with it, of which it has taken the
    /// newest that may run. It serves no other: it may be an old one, and whoever can pin one could otherwise starve real
    /// deployments. An operator's build serves none.
    fn serves(&self, trigger: &Trigger) -> bool {
        let is_handed_over =
            || trigger.commit.as_ref().is_some_and(|commit| self.waiting.iter().any(|known| known == commit.as_str()));
        !self.is_rollback && (self.commit.is_none() || self.is_of_same(trigger) || is_handed_over())
    }

    /// Whether it was of the same commit, or both of the head.
    fn is_of_same(&self, trigger: &Trigger) -> bool {
        !self.is_rollback && self.commit.as_deref() == trigger.commit.as_ref().map(|commit| commit.as_str())
    }

    fn failed(&self) -> bool {
        // Not what somebody stopped, nor a fault of CodeBuild's own: neither says anything of the commit.
        matches!(self.status, Some(StatusType::Failed | StatusType::TimedOut))
    }
}

impl History {
    /// What is known once a build was started: that it runs, and what was known before. Others may be missing, but none starts
    /// one by this, for it runs.
    #[must_use]
    pub fn with_started(
        &self,
        id: &str,
        trigger: &Trigger,
        trigger_id: &str,
        waiting: &[CommitId],
        now: SystemTime,
    ) -> Self {
        let started = PastBuild {
            id: id.to_owned(),
            trigger: Some(trigger_id.to_owned()),
            branch: Some(trigger.branch.to_string()),
            commit: trigger.commit.as_ref().map(ToString::to_string),
            waiting: waiting.iter().map(ToString::to_string).collect(),
            is_rollback: false,
            status: Some(StatusType::InProgress),
            began: now,
            ended: None,
        };
        Self {
            builds: std::iter::once(started)
                .chain(self.builds.iter().filter(|build| build.ended.is_some()).cloned())
                .collect(),
            goes_on: true,
        }
    }

    /// Whether no build that began after `time` is missing, by whose clock ever.
    #[must_use]
    pub fn reaches(&self, time: SystemTime) -> bool {
        !self.goes_on || self.builds.iter().any(|build| build.began + CLOCK_SKEW < time)
    }

    /// How many builds began within the hour before `now`.
    #[must_use]
    pub fn builds_in_last_hour(&self, now: SystemTime) -> usize {
        self.builds.iter().filter(|build| build.began + HOUR > now).count()
    }

    /// Whether a build of a pinned commit has begun since then, of whichever branch.
    #[must_use]
    pub fn has_begun_since(&self, published: SystemTime) -> bool {
        self.pinned_since(published).next().is_some()
    }

    /// Whether one of this branch has begun since then, and is over.
    #[must_use]
    pub fn has_tried_since(&self, published: SystemTime, branch: &Branch) -> bool {
        let is_of = |build: &PastBuild| build.branch.as_deref() == Some(branch.as_str());
        self.pinned_since(published).any(|build| is_of(build) && build.ended.is_some())
    }

    fn pinned_since(&self, published: SystemTime) -> impl Iterator<Item = &PastBuild> {
        self.builds.iter().filter(move |build| build.commit.is_some() && build.began > published + CLOCK_SKEW)
    }

    /// Whether a build was for this commit, or had it handed over.
    #[must_use]
    pub fn has_tried(&self, commit: &CommitId) -> bool {
        let is_it = |known: &str| known == commit.as_str();
        self.builds
            .iter()
            .any(|build| build.commit.as_deref().is_some_and(is_it) || build.waiting.iter().any(|known| is_it(known)))
    }

    /// Of the latest build that has ended, if one of a pinned commit has within the hour before: how long it took with the one
    /// before it, and when it ended.
    #[must_use]
    pub fn last_end_among_pins(&self) -> Option<(Duration, SystemTime)> {
        let mut ended: Vec<_> = self.builds.iter().filter_map(|build| Some((build.ended?, build))).collect();
        ended.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let &(at, _) = ended.first()?;
        ended.iter().find(|(ended, build)| build.commit.is_some() && *ended + HOUR > at)?;
        let began = ended.iter().take(2).map(|(_, build)| build.began).min()?;
        Some((at.duration_since(began).unwrap_or_default(), at))
    }

    /// When each build began and ended that has.
    pub fn spans(&self) -> impl Iterator<Item = (SystemTime, SystemTime)> {
        self.builds.iter().filter_map(|build| Some((build.began, build.ended?)))
    }

    /// The project's build that runs, if one does, and since when.
    #[must_use]
    pub fn running(&self) -> Option<(&str, SystemTime)> {
        let runs = |build: &&PastBuild| build.status == Some(StatusType::InProgress);
        self.builds.iter().filter(runs).map(|build| (build.id.as_str(), build.began)).min_by_key(|(_, began)| *began)
    }

    /// How long after `now` a look is due whether the running build has ended, if one runs: as long as it would take for a
    /// part of those past builds to end that took longer than it has run.
    #[must_use]
    pub fn next_look(&self, now: SystemTime) -> Option<Duration> {
        let (_, began) = self.running()?;
        let ran = now.duration_since(began).unwrap_or_default();
        let mut left: Vec<_> = self.lengths().filter_map(|length| length.checked_sub(ran)).collect();
        left.sort_unstable();
        let look = left.get(left.len() / LOOK).copied().unwrap_or(ran / 4);
        let longest = self.usual_length().unwrap_or_default() / 4;
        Some(look.min(longest).max(SHORTEST_LOOK))
    }

    /// Whether the build that runs will answer the trigger, if it succeeds.
    #[must_use]
    pub fn is_about_to_serve(&self, trigger: &Trigger, delivery: &Delivery) -> bool {
        let running = self.builds.iter().find(|build| build.status == Some(StatusType::InProgress));
        running.is_some_and(|build| build.concerns(trigger, delivery) && build.serves(trigger))
    }

    /// How long the project's builds take, as a rule.
    #[must_use]
    pub fn usual_length(&self) -> Option<Duration> {
        let mut lengths: Vec<_> = self.lengths().collect();
        lengths.sort_unstable();
        lengths.get(lengths.len() / 2).copied()
    }

    /// Whether a build that ran when this was read is not older than the project's builds become as a rule.
    #[must_use]
    pub fn probably_runs(&self, now: SystemTime) -> bool {
        let usual = self.usual_length().unwrap_or_default();
        self.running().is_some_and(|(_, began)| now < began + usual)
    }

    fn lengths(&self) -> impl Iterator<Item = Duration> {
        self.spans().map(|(began, ended)| ended.duration_since(began).unwrap_or_default())
    }

    /// Whether a build of a pinned commit may have ended after `time`.
    #[must_use]
    pub fn has_pinned_end_since(&self, time: SystemTime) -> bool {
        let may_be_since = |ended: SystemTime| ended + CLOCK_SKEW > time;
        self.builds.iter().any(|build| build.commit.is_some() && build.ended.is_some_and(may_be_since))
    }

    /// Whether a build began within that time before `now`.
    #[must_use]
    pub fn has_begun_within(&self, time: Duration, now: SystemTime) -> bool {
        self.builds.iter().any(|build| build.began + time > now)
    }

    /// The build that was started for this very trigger: the answer of an earlier StartBuild was lost, or the message came
    /// again.
    #[must_use]
    pub fn build_of(&self, delivery: &Delivery) -> Option<&str> {
        let own = |build: &&PastBuild| build.trigger.as_deref() == Some(&delivery.trigger_id);
        self.builds.iter().find(own).map(|build| build.id.as_str())
    }

    #[must_use]
    pub fn has_build_of(&self, trigger_id: &str) -> bool {
        self.builds.iter().any(|build| build.trigger.as_deref() == Some(trigger_id))
    }

    /// What makes a build for this trigger needless, if anything does.
    #[must_use]
    pub fn answer(&self, trigger: &Trigger, delivery: &Delivery) -> Option<Stop> {
        let concerning = || self.builds.iter().filter(|build| build.concerns(trigger, delivery));
        let succeeded = |build: &&PastBuild| build.status == Some(StatusType::Succeeded) && build.serves(trigger);
        if let Some(build) = concerning().find(succeeded) {
            return Some(Stop::Covered { build: build.id.clone() });
        }
        let build =
            concerning().filter(|build| build.failed() && build.is_of_same(trigger)).nth(ENOUGH_FAILURES - 1)?;
        let reason = format!(
            "{ENOUGH_FAILURES} builds of it failed since it was published, the first of them {}: mend it, push, and trigger again",
            build.id
        );
        Some(Stop::KeepsFailing { build: build.id.clone(), reason })
    }
}

#[cfg(test)]
pub(crate) mod tests;
