//! Asks for the facts of `status`: what concerns all projects once for all of them, the rest side by side.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_codebuild::types::Build;
use contract::{CommitId, Fate, Outcome, ProjectName, Report, parameter, variable};
use iwomp_aws::ending::Ending;
use iwomp_aws::parameters::{Depth, Register, below};
use iwomp_aws::{aws_error, builds};
use jiff::Timestamp;

use super::{Ended, Live, ProjectStatus, Queue, Running, Status, Waiting, Where, Word};
use crate::launcher_log::{self, Heard, Lines, Said};
use crate::parallel::each;
use crate::pipeline::Pipeline;
use crate::queue;
use crate::records::{self, MAX_PAGES, Record};
use crate::register::{self, Pause};
use crate::when;

/// Of a project. One builds at a time, so that the newest that has ended is among them.
const BUILDS: usize = 3;
/// What CodeBuild describes in one call.
const BUILDS_IN_A_CALL: usize = 100;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// As long as SQS keeps a dead letter.
const DEAD_LETTERS_KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Of all projects, or of one. None is in it if that one is not registered.
pub async fn status(pipeline: &Pipeline, only: Option<&ProjectName>, now: Timestamp) -> Result<Status> {
    let register = async {
        let register = Register::read(&pipeline.ssm, &pipeline.config_path).await?;
        let mut projects = register.projects();
        projects.retain(|project| only.is_none_or(|only| only == project));
        let builds = builds_of(pipeline, &projects).await?;
        Ok((register, projects, builds))
    };
    let pauses = format!("/{}-paused", pipeline.config_path);
    let (register, paused, records, said, (queue, ends)) = tokio::try_join!(
        register,
        below(&pipeline.ssm, &pauses, Depth::Children, MAX_PAGES),
        records::of(pipeline, only),
        async { Ok(launcher_log::since(pipeline, launcher_log::horizon(pipeline, now), Lines::All).await?) },
        queue_and_ends(pipeline, now),
    )?;
    let (register, projects, builds) = register;
    let last = last_ends(pipeline, &projects, &builds, &records).await?;
    let log_is_cut = said.is_cut || ends.is_cut;
    let mut words = Words::sort(said.said, ends.said, before(now, DAY));
    let mut found = Vec::new();
    for ((project, builds), last) in projects.into_iter().zip(builds).zip(last) {
        let name = parameter::paused(&pipeline.config_path, &project);
        found.push(ProjectStatus {
            fault: fault(pipeline, &register, &project),
            applied: builds.is_some(),
            paused: paused.iter().find(|parameter| parameter.name() == Some(&name)).map(Pause::of),
            live: records.iter().filter(|record| record.project == project.as_str()).map(live).collect(),
            running: builds.iter().flatten().filter(|build| !builds::has_ended(build)).map(running).collect(),
            last,
            waiting: words.waiting.remove(&project).unwrap_or_default(),
            refused: words.refused.remove(&project).unwrap_or_default(),
            given_up: words.given_up.remove(&project).unwrap_or_default(),
            project,
        });
    }
    let description = &pipeline.description;
    Ok(Status {
        pipeline: Where {
            config_path: description.config_path.clone(),
            account: description.account.clone(),
            region: description.region.clone(),
            iwomp: description.iwomp.clone(),
        },
        at: now,
        projects: found,
        elsewhere: if only.is_none() { words.elsewhere() } else { Vec::new() },
        queue,
        log_is_cut,
    })
}

fn fault(pipeline: &Pipeline, register: &Register, project: &ProjectName) -> Option<String> {
    let entry = register.find(&parameter::register(&pipeline.config_path, project))?;
    let default = register.find(&parameter::default(&pipeline.config_path));
    register::read(entry, default)?.err().map(|error| error.to_string())
}

/// The newest builds of each project, newest first. None: CodeBuild knows no such project.
async fn builds_of(pipeline: &Pipeline, projects: &[ProjectName]) -> Result<Vec<Option<Vec<Build>>>> {
    let ids = each(projects, |project| async move {
        let build_project = pipeline.build_project(project);
        match builds::page(&pipeline.codebuild, &build_project, None).await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                Ok(None)
            }
            page => {
                let page = page.map_err(aws_error).with_context(|| format!("reading the builds of {build_project}"))?;
                Ok(Some(page.ids.unwrap_or_default().into_iter().take(BUILDS).collect::<Vec<_>>()))
            }
        }
    })
    .await?;
    let all: Vec<String> = ids.iter().flatten().flatten().cloned().collect();
    let described = each(all.chunks(BUILDS_IN_A_CALL), |ids| async move {
        let builds = builds::get(&pipeline.codebuild, ids.to_vec()).await;
        builds.map_err(aws_error).context("reading what CodeBuild knows of the newest builds")
    })
    .await?;
    let mut described: HashMap<_, _> =
        described.into_iter().flatten().filter_map(|build| Some((build.id()?.to_owned(), build))).collect();
    let mut of = |ids: Vec<String>| ids.iter().filter_map(|id| described.remove(id)).collect();
    let ours =
        |builds: Vec<Build>| builds.into_iter().filter(|build| builds::is_of(build, &pipeline.config_path)).collect();
    Ok(ids.into_iter().map(|ids| ids.map(&mut of).map(ours)).collect())
}

fn is_over(build: &&Build) -> bool {
    builds::has_ended(build) && !builds::is_question(build)
}

fn running(build: &Build) -> Running {
    Running {
        build: build.id().unwrap_or_default().to_owned(),
        branch: builds::branch(build),
        commit: asked(build),
        trigger: variable_of(build, variable::TRIGGER),
        started: build.start_time().and_then(when::of_aws),
        phase: build.current_phase().map(str::to_owned),
        question: builds::is_question(build).then(|| variable_of(build, variable::QUESTION)).flatten(),
    }
}

fn variable_of(build: &Build, name: &str) -> Option<String> {
    builds::variable_of(build, name).map(str::to_owned)
}

/// The commit that a build was told to deploy or to go back to, if one was named.
fn asked(build: &Build) -> Option<CommitId> {
    let named = builds::variable_of(build, variable::COMMIT).or_else(|| builds::variable_of(build, variable::ROLLBACK));
    named.and_then(|text| CommitId::parse(text).ok())
}

/// How the newest build that is over ended, of each project. Of most it wrote what is live, so that nothing more is asked.
async fn last_ends(
    pipeline: &Pipeline,
    projects: &[ProjectName],
    builds: &[Option<Vec<Build>>],
    records: &[Record],
) -> Result<Vec<Option<Ended>>> {
    each(projects.iter().zip(builds), |(project, builds)| async move {
        let Some(build) = builds.iter().flatten().find(is_over) else { return Ok(None) };
        let branch = builds::branch(build);
        let of_branch =
            |record: &&Record| branch.is_some() && record.branch == branch && record.project == project.as_str();
        let live = records.iter().find(of_branch).and_then(|record| record.deployed.as_ref().ok());
        let ending = Ending::of_live(build, project, live, &pipeline.ssm, &pipeline.config_path).await?;
        Ok(ending.map(|ending| Ended::of(ending.report, build)))
    })
    .await
}

impl Ended {
    fn of(report: Report, build: &Build) -> Self {
        Self {
            build: report.build.unwrap_or_default(),
            outcome: report.outcome,
            class: report.class,
            reason: report.reason,
            branch: report.branch,
            commit: report.commit,
            trigger: report.trigger,
            ended: build.end_time().and_then(when::of_aws),
        }
    }
}

fn live(record: &Record) -> Live {
    let branch = record.branch.as_ref().map_or_else(|| record.encoded.clone(), ToString::to_string);
    match &record.deployed {
        Ok(deployed) => Live {
            branch,
            commit: Some(deployed.commit.clone()),
            since: deployed.time.parse().ok(),
            build: deployed.build.clone(),
            trigger: deployed.trigger.clone(),
            held: deployed.held.clone(),
            fault: record.branch.is_none().then(|| "it has no branch's name".to_owned()),
        },
        Err(error) => Live {
            branch,
            commit: None,
            since: None,
            build: None,
            trigger: None,
            held: None,
            fault: Some(format!("it {error}")),
        },
    }
}

fn before(now: Timestamp, time: Duration) -> Timestamp {
    now.checked_sub(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// With how the launcher is done with triggers: refusals of the last day, and where dead letters lie, all since the oldest of them
/// may have died. One reading for both: the log is long, and CloudWatch slow.
async fn queue_and_ends(pipeline: &Pipeline, now: Timestamp) -> Result<(Queue, Heard)> {
    let queue = queue(pipeline).await?;
    let ends = match queue.given_up {
        0 => launcher_log::since(pipeline, before(now, DAY), Lines::Refused).await?,
        _ => launcher_log::since(pipeline, before(now, DEAD_LETTERS_KEPT), Lines::Ends).await?,
    };
    Ok((queue, ends))
}

async fn queue(pipeline: &Pipeline) -> Result<Queue> {
    let (waiting, given_up) = tokio::try_join!(
        queue::depth(pipeline, &pipeline.description.queue_url),
        queue::depth(pipeline, &pipeline.description.dead_letter_queue_url)
    )?;
    Ok(Queue { waiting, given_up })
}

/// What the launcher has said, by project.
pub struct Words {
    pub waiting: HashMap<ProjectName, Vec<Waiting>>,
    refused: HashMap<ProjectName, Vec<Word>>,
    given_up: HashMap<ProjectName, Vec<Word>>,
    nameless: Vec<Word>,
}

impl Words {
    /// `said` is all of the last minutes, `ends` reach further back; refusals are told since `recent`.
    pub fn sort(said: Vec<Said>, ends: Vec<Said>, recent: Timestamp) -> Self {
        let mut words =
            Self { waiting: HashMap::new(), refused: HashMap::new(), given_up: HashMap::new(), nameless: Vec::new() };
        let mut waiting: HashMap<_, Vec<_>> = HashMap::new();
        for said in launcher_log::in_line(said) {
            if let Some(project) = said.project() {
                waiting.entry(project).or_default().push(said);
            }
        }
        words.waiting = waiting.into_iter().map(|(project, said)| (project, in_places(said))).collect();
        let refused = ends.iter().filter(|said| said.outcome() == Outcome::Refused && said.at >= recent).cloned();
        let refused: Vec<_> = refused.collect();
        for said in launcher_log::last_words(ends).into_iter().filter(|said| said.fate() == Fate::GivenUp) {
            words.put(said, |words| &mut words.given_up);
        }
        for said in refused {
            words.put(said, |words| &mut words.refused);
        }
        words
    }

    fn put(&mut self, said: Said, place: impl Fn(&mut Self) -> &mut HashMap<ProjectName, Vec<Word>>) {
        let project = said.project();
        let word = Word {
            project: said.line.project.clone(),
            branch: said.branch(),
            at: said.at,
            trigger: said.line.trigger,
            outcome: said.line.outcome,
            class: said.line.class,
            reason: said.line.reason,
        };
        match project {
            Some(project) => place(self).entry(project).or_default().push(word),
            None => self.nameless.push(word),
        }
    }

    /// What is left when the registered projects have taken theirs.
    fn elsewhere(self) -> Vec<Word> {
        let others = self.refused.into_values().chain(self.given_up.into_values()).flatten();
        let mut words: Vec<_> = self.nameless.into_iter().chain(others).collect();
        words.sort_by_key(|word| word.at);
        words
    }
}

fn in_places(said: Vec<Said>) -> Vec<Waiting> {
    let waiting = said.into_iter().zip(1..).map(|(said, place)| Waiting {
        branch: said.branch(),
        commit: said.commit(),
        since: said.waits_since(),
        trigger: said.line.trigger.unwrap_or_default(),
        class: said.line.class,
        reason: said.line.reason,
        tries: said.line.tries,
        place,
    });
    waiting.collect()
}
