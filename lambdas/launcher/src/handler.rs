//! From a queue message to a build of a registered project, or to the reason why not. Read this file to know what a holder
//! of the CI credential can reach.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{Outcome, ProjectName, Report, Seen, Trigger};
use futures::future::join_all;
use iwomp_aws::error::AwsError;
use tokio::time::{Instant, timeout, timeout_at};

use crate::aws::Aws;
use crate::builds::{self, HOUR, History};
use crate::delivery::{self, Delivery};
use crate::environment::{Environment, Limits};
use crate::fate::{self, Busy, Fate, Place, Stop};
use crate::memory::{LATENESS, Memory, Waiting};
use crate::queue::{self, Postponed};
use crate::turn::{self, Standing, Turn};
use crate::{register, report};

/// Longest time for a batch's triggers, all calls together. With [`SETTLE_TIMEOUT`] less than the function's timeout of 15 s,
/// so that a slow AWS costs the triggers one try and not the whole batch its answer.
const BATCH_TIMEOUT: Duration = Duration::from_secs(9);
/// Longest time to say to the queue what becomes of the messages.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A launcher that starts builds of a project no faster than this part of its hourly cap does not look how many there were. A look
/// each time would be two calls more for every trigger; none would let a flood of single triggers through.
const UNWATCHED_PART_OF_CAP: u32 = 4;

/// This part of a project's hourly cap is kept for builds of the head. They answer all that waits for the branch, so that few are
/// enough; of commits to pin there is no end, and a cap that they alone can fill would keep the head waiting for ever.
const PART_OF_CAP_FOR_HEAD: usize = 4;

const NOT_AHEAD: &str = "a build has fetched the branch since, and there the commit is not newer than what is live, or not on the \
     branch at all: nothing is to be run";

pub struct Launcher {
    environment: Environment,
    aws: Aws,
    /// The time of day; the tests have their own.
    now: fn() -> SystemTime,
    memory: Memory,
}

/// What came of one message, on its way to the queue's answer.
struct Verdict<'a> {
    record: &'a SqsMessage,
    report: Report,
    fate: Fate,
    place: Place,
}

impl Launcher {
    #[must_use]
    pub fn new(environment: Environment, aws: Aws, now: fn() -> SystemTime) -> Self {
        Self { environment, aws, now, memory: Memory::default() }
    }

    /// Answers a batch: reports each trigger's outcome and gives those that must wait back to the queue.
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut verdicts = self.launch_all(&event.records).await;
        self.settle(&mut verdicts).await;
        let mut response = SqsBatchResponse::default();
        for Verdict { record, report, fate, .. } in verdicts {
            let now = (self.now)();
            report::print(&report, fate.told(), delivery::tries(record), delivery::waited(record, now), now);
            if !fate.is_settled() {
                response.add_failure(record.message_id.clone().unwrap_or_default());
            }
        }
        response
    }

    /// Takes all messages as far as they get: projects side by side, the triggers of one after another, so that one build
    /// answers for them all.
    async fn launch_all<'a>(&self, records: &'a [SqsMessage]) -> Vec<Verdict<'a>> {
        let deadline = Instant::now() + BATCH_TIMEOUT;
        let mut verdicts = Vec::new();
        let mut by_project = BTreeMap::<ProjectName, Vec<_>>::new();
        for record in records {
            let mut report = Report::new(Outcome::Started);
            match self.open(record, &mut report) {
                Ok((delivery, trigger)) => {
                    by_project.entry(trigger.project.clone()).or_default().push((record, report, delivery, trigger));
                }
                Err(stop) => verdicts.push(self.judge(record, report, stop, Place::Behind)),
            }
        }
        let projects = by_project.into_iter().map(|(project, mut triggers)| async move {
            triggers.sort_by_key(|(_, _, delivery, _)| delivery.published);
            // What came together can be answered together, once it is known that there is such a project.
            if triggers.len() > 1 && matches!(timeout_at(deadline, self.entry(&project)).await, Ok(Ok(_))) {
                for (_, _, delivery, trigger) in &triggers {
                    self.memory.note_pin(trigger, &delivery.trigger_id, delivery.published, (self.now)());
                }
            }
            let mut verdicts = Vec::new();
            for (record, report, delivery, trigger) in triggers {
                verdicts.push(self.launch(record, report, &delivery, &trigger, deadline).await);
            }
            verdicts
        });
        verdicts.extend(join_all(projects).await.into_iter().flatten());
        verdicts
    }

    /// What a message asks for. Notes in `report` what is known of it so far.
    fn open(&self, record: &SqsMessage, report: &mut Report) -> Result<(Delivery, Trigger), Stop> {
        let delivery = Delivery::open(record, &self.environment.queue_arn, &self.environment.topic_arn)?;
        report.trigger = Some(delivery.trigger_id.clone());
        report.project = delivery.project().cloned();
        let trigger = delivery.trigger()?;
        report.project = Some(trigger.project.clone());
        report.branch = Some(trigger.branch.clone());
        report.commit.clone_from(&trigger.commit);
        Ok((delivery, trigger))
    }

    /// Takes one trigger as far as it gets.
    async fn launch<'a>(
        &self,
        record: &'a SqsMessage,
        report: Report,
        delivery: &Delivery,
        trigger: &Trigger,
        deadline: Instant,
    ) -> Verdict<'a> {
        let mut standing = Standing::default();
        let stop = match timeout_at(deadline, self.try_launch(delivery, trigger, &mut standing)).await {
            Ok(Ok(build)) => {
                self.memory.leave_line(&trigger.project, &delivery.trigger_id);
                let report = Report { build: Some(build), ..report };
                return Verdict { record, report, fate: Fate::Leave, place: Place::First };
            }
            Ok(Err(stop)) => stop,
            Err(_) => {
                let reason = format!("AWS did not answer within {} s: will be tried again", BATCH_TIMEOUT.as_secs());
                Stop::TimedOut { reason }
            }
        };
        let place = self.place(&stop, delivery, trigger, standing);
        self.judge(record, report, stop, place)
    }

    /// The way of a trigger to the id of its build. Notes in `standing` what the history says of its place.
    async fn try_launch(
        &self,
        delivery: &Delivery,
        trigger: &Trigger,
        standing: &mut Standing,
    ) -> Result<String, Stop> {
        let project = &trigger.project;
        let (entry_read, mut entry) = self.entry(project).await?;
        entry.check(trigger)?;

        let limits = &self.environment.limits;
        let now = (self.now)();
        if delivery.is_fresh(now) && !turn::is_after_others(entry.seen.as_ref(), trigger, now) {
            self.check_busy(project)?;
            if self.memory.started_since(project, now - self.unwatched_pause()) {
                let (_, history) = self.history(project, now).await?;
                self.check_cap(trigger, &history, standing.turn)?;
            }
        } else {
            let (read, history) = self.history(project, delivery.published).await?;
            // A build that ended since has left a note that an older reading of the register lacks.
            if trigger.commit.is_some() && entry_read < read && history.has_pinned_end_since(entry_read) {
                entry = self.read_entry(project).await?;
                entry.check(trigger)?;
            }
            let seen = entry.seen.as_ref();
            if let Some(build) = history.build_of(delivery) {
                return Ok(build.to_owned());
            }
            if let Some(stop) = history.answer(trigger, delivery).or_else(|| turn::answer(seen, trigger, delivery, now))
            {
                return Err(stop);
            }
            *standing = Standing::of(seen, &history, trigger, delivery, now);
            self.check_cap(trigger, &history, standing.turn)?;
            if turn::lets_others_pass(standing.turn, seen, &history, trigger, (self.now)(), limits) {
                let reason = "others go first that the last build passed over, if there are any".to_owned();
                return Err(Stop::Busy { class: Busy::InLine, reason });
            }
            // It may have ended since: then it is another's turn, which a newer history shows.
            if standing.turn == Turn::Later && trigger.commit.is_some() && history.runs_since().is_some() {
                let reason = format!("a build of {project} runs");
                return Err(Stop::Busy { class: Busy::Building, reason });
            }
            self.check_busy(project)?;
        }
        if standing.turn == Turn::Later && self.memory.is_behind(project, &waiting(delivery, trigger), (self.now)()) {
            let reason = "another trigger of the project goes first".to_owned();
            return Err(Stop::Busy { class: Busy::InLine, reason });
        }
        self.start(delivery, trigger, entry.seen.as_ref()).await
    }

    /// Whether the project cannot start a build, as was seen just now.
    fn check_busy(&self, project: &ProjectName) -> Result<(), Stop> {
        match self.memory.busy(project, (self.now)()) {
            Some((class, reason)) => Err(Stop::Busy { class, reason }),
            None => Ok(()),
        }
    }

    async fn start(&self, delivery: &Delivery, trigger: &Trigger, seen: Option<&Seen>) -> Result<String, Stop> {
        let Environment { config_path, limits, .. } = &self.environment;
        let waiting = match trigger.commit {
            Some(_) => self.memory.commits_beside(trigger, seen, (self.now)(), limits.retry),
            None => Vec::new(),
        };
        let started = builds::start(&self.aws.codebuild, config_path, trigger, &delivery.trigger_id, &waiting).await;
        let now = (self.now)();
        match &started {
            Ok(build) => self.memory.started(&trigger.project, now, build),
            Err(Stop::Busy { class, reason }) => {
                self.memory.keep_busy(&trigger.project, now, *class, reason.clone());
            }
            Err(_) => {}
        }
        started
    }

    /// The register entry, and when it was read.
    async fn entry(&self, project: &ProjectName) -> Result<(SystemTime, Arc<register::Entry>), Stop> {
        let now = (self.now)();
        match self.memory.entry(project, now) {
            Some(kept) => Ok(kept),
            None => Ok((now, self.read_entry(project).await?)),
        }
    }

    async fn read_entry(&self, project: &ProjectName) -> Result<Arc<register::Entry>, Stop> {
        let asked = (self.now)();
        let entry = Arc::new(register::read(&self.aws.ssm, &self.environment.config_path, project).await?);
        self.memory.keep_entry(project, asked, entry.clone());
        Ok(entry)
    }

    /// The project's builds, all that began after `back_to` among them, and when they were read.
    async fn history(&self, project: &ProjectName, back_to: SystemTime) -> Result<(SystemTime, Arc<History>), Stop> {
        let asked = (self.now)();
        if let Some(kept) = self.memory.history(project, asked).filter(|(_, history)| history.reaches(back_to)) {
            return Ok(kept);
        }
        let read = builds::read(&self.aws.codebuild, &self.environment.config_path, project, back_to).await?;
        let history = Arc::new(read);
        self.memory.keep_history(project, asked, history.clone());
        Ok((asked, history))
    }

    /// Whether the project may have a build now. Pinned commits get a part of the cap, and of that the second half at a pace, so
    /// that whoever fills it leaves no hole of most of an hour in which nothing tells a real commit from a foreign one. What a
    /// build has passed over is real, as far as that build could see: it may use half of the head's part, too.
    fn check_cap(&self, trigger: &Trigger, history: &History, turn: Turn) -> Result<(), Stop> {
        let now = (self.now)();
        let Limits { builds_per_hour, retry, .. } = self.environment.limits;
        let for_head = builds_per_hour / PART_OF_CAP_FOR_HEAD;
        let for_pinned = builds_per_hour - for_head;
        let is_paced = trigger.commit.is_some() && turn == Turn::Later;
        let cap = match (&trigger.commit, turn) {
            (None, _) => builds_per_hour,
            (Some(_), Turn::PassedOver) => builds_per_hour - for_head / 2,
            (Some(_), Turn::Later) => for_pinned,
        };
        let builds = history.builds_in_last_hour(now);
        if is_paced && builds < cap && builds >= for_pinned.div_ceil(2) {
            let pace = HOUR / u32::try_from(for_pinned / 2).unwrap_or(u32::MAX).max(1);
            // Who waits for the cap looks no more often than this, and is to come back before the next but one begins.
            let pace = pace.max(retry + LATENESS);
            if history.has_begun_within(pace, now) {
                let reason = format!(
                    "{} had {builds} builds within an hour: those of pinned commits begin {} s apart now",
                    trigger.project,
                    pace.as_secs()
                );
                return Err(Stop::Busy { class: Busy::InLine, reason });
            }
        }
        if builds < cap {
            return Ok(());
        }
        let project = &trigger.project;
        let reason = format!(
            "{project} had {builds} builds within an hour, and builds_per_hour is {builds_per_hour}, of which pinned commits get \
             {for_pinned}: see who publishes so often, or raise it"
        );
        Err(Stop::Busy { class: Busy::HourlyCap, reason })
    }

    fn unwatched_pause(&self) -> Duration {
        let builds_per_hour = u32::try_from(self.environment.limits.builds_per_hour).unwrap_or(u32::MAX);
        (HOUR * UNWATCHED_PART_OF_CAP / builds_per_hour).min(HOUR)
    }

    /// Where a trigger that stopped stands in the line of its project.
    fn place(&self, stop: &Stop, delivery: &Delivery, trigger: &Trigger, standing: Standing) -> Place {
        match stop {
            Stop::Busy { class: Busy::Paused, .. } => Place::Paused,
            Stop::Busy {
                class: class @ (Busy::Building | Busy::AccountLimit | Busy::InLine | Busy::HourlyCap),
                ..
            } => {
                let latest = fate::delay(Place::First, delivery.tries, 0.0, &self.environment.limits);
                let now = (self.now)();
                self.memory.note_pin(trigger, &delivery.trigger_id, delivery.published, now);
                let place = self.memory.line_up(&trigger.project, waiting(delivery, trigger), now, latest);
                match standing {
                    Standing { turn: Turn::PassedOver, .. } => Place::First,
                    Standing { ran: Some(ran), .. } if place == Place::Behind && *class != Busy::HourlyCap => {
                        Place::After(ran)
                    }
                    _ => place,
                }
            }
            _ => {
                self.memory.leave_line(&trigger.project, &delivery.trigger_id);
                Place::Behind
            }
        }
    }

    /// What becomes of a message that `stop` stopped, and how that is reported.
    fn judge<'a>(&self, record: &'a SqsMessage, report: Report, stop: Stop, place: Place) -> Verdict<'a> {
        let (tries, waited) = (delivery::tries(record), delivery::waited(record, (self.now)()));
        let fate = fate::fate(&stop, tries, waited, &self.environment.limits);
        let (outcome, class) = stop.outcome();
        let (build, reason) = match stop {
            Stop::Covered { build } => (Some(build), None),
            Stop::NotAhead { build } => (build, Some(NOT_AHEAD.to_owned())),
            Stop::KeepsFailing { build, reason } => (Some(build), Some(reason)),
            Stop::Refused { reason, .. }
            | Stop::Busy { reason, .. }
            | Stop::Failed { reason, .. }
            | Stop::TimedOut { reason } => (None, Some(reason)),
        };
        Verdict { record, report: Report { outcome, class, build, reason, ..report }, fate, place }
    }

    /// Tells the queue what becomes of the messages that do not leave it by themselves.
    async fn settle(&self, verdicts: &mut [Verdict<'_>]) {
        let settled = timeout(SETTLE_TIMEOUT, async {
            join_all(verdicts.iter_mut().map(|verdict| self.give_up(verdict))).await;
            let waiting = verdicts.iter().filter(|verdict| verdict.fate == Fate::Wait);
            let postponed: Vec<_> = waiting.filter_map(|verdict| self.postponed(verdict)).collect();
            queue::postpone(&self.aws.sqs, &self.environment.queue_url, &postponed).await;
        });
        if settled.await.is_err() {
            tracing::warn!("SQS did not answer: the visibility timeout serves");
        }
    }

    /// Makes a message that is to be given up a dead letter. What was wrong stays in its report.
    async fn give_up(&self, verdict: &mut Verdict<'_>) {
        let Fate::GiveUp(outcome) = verdict.fate else { return };
        let body = verdict.record.body.as_deref().unwrap_or_default();
        match queue::give_up(&self.aws.sqs, &self.environment.dead_letter_queue_url, body).await {
            Ok(()) => {
                verdict.fate = Fate::GivenUp;
                verdict.report.outcome = outcome;
            }
            Err(AwsError { reason, .. }) => {
                tracing::warn!(reason, "a trigger that was to be given up waits on");
                verdict.fate = Fate::Wait;
            }
        }
    }

    fn postponed(&self, verdict: &Verdict<'_>) -> Option<Postponed> {
        let tries = delivery::tries(verdict.record);
        let delay = fate::delay(verdict.place, tries, fastrand::f64(), &self.environment.limits);
        Some(Postponed { receipt_handle: verdict.record.receipt_handle.clone()?, delay })
    }
}

fn waiting(delivery: &Delivery, trigger: &Trigger) -> Waiting {
    let is_pinned = trigger.commit.is_some();
    Waiting { is_pinned, published: delivery.published, trigger_id: delivery.trigger_id.clone() }
}

#[cfg(test)]
pub(crate) mod tests;
