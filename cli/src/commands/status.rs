//! `iwomp status`: what is live, what runs, what waits, how it ended, and what was refused or given up. From CodeBuild, the
//! records, the queues and the launcher's log: nothing that a build has printed counts.

mod gather;
mod view;

use contract::{Branch, Class, CommitId, Outcome, ProjectName};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::StatusArguments;
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::pipeline::Pipeline;
use crate::register::{self, Pause};
use crate::terminal::Terminal;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    pipeline: Where,
    /// When it was looked at.
    #[schemars(with = "String")]
    at: Timestamp,
    projects: Vec<ProjectStatus>,
    /// What the launcher refused or gave up, of no registered project.
    elsewhere: Vec<Word>,
    queue: Queue,
    /// The launcher has said more than is read: of what it said last some may be missing.
    log_is_cut: bool,
}

/// Which pipeline it is.
#[derive(Debug, Serialize, JsonSchema)]
struct Where {
    config_path: String,
    account: String,
    region: String,
    /// The version of iwomp that was applied.
    iwomp: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ProjectStatus {
    #[schemars(with = "String")]
    project: ProjectName,
    /// What is wrong with its register entry, so that every trigger is refused.
    fault: Option<String>,
    /// Whether CodeBuild has a project for it.
    applied: bool,
    paused: Option<Pause>,
    live: Vec<Live>,
    running: Vec<Running>,
    last: Option<Ended>,
    /// Those that the launcher has looked at, the next one first.
    waiting: Vec<Waiting>,
    /// Of the last day.
    refused: Vec<Word>,
    /// What may lie in the dead-letter queue.
    given_up: Vec<Word>,
}

/// What is live of a branch, by its record.
#[derive(Debug, Serialize, JsonSchema)]
struct Live {
    /// As it stands in the parameter's name, where that is no branch.
    branch: String,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    #[schemars(with = "Option<String>")]
    since: Option<Timestamp>,
    build: Option<String>,
    trigger: Option<String>,
    /// The head that an operator rolled back from.
    #[schemars(with = "Option<String>")]
    held: Option<CommitId>,
    /// Why the record cannot be read; the worker deploys nothing as long as it cannot.
    fault: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Running {
    build: String,
    #[schemars(with = "Option<String>")]
    branch: Option<Branch>,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    trigger: Option<String>,
    #[schemars(with = "Option<String>")]
    started: Option<Timestamp>,
    /// CodeBuild's word for where it is.
    phase: Option<String>,
    /// An operator's, where it deploys nothing.
    question: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Ended {
    build: String,
    #[schemars(with = "String")]
    outcome: Outcome,
    #[schemars(with = "Option<String>")]
    class: Option<Class>,
    reason: Option<String>,
    #[schemars(with = "Option<String>")]
    branch: Option<Branch>,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    trigger: Option<String>,
    #[schemars(with = "Option<String>")]
    ended: Option<Timestamp>,
}

/// A trigger in the queue.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Waiting {
    trigger: String,
    #[schemars(with = "Option<String>")]
    branch: Option<Branch>,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    /// Since when it is in the queue.
    #[schemars(with = "String")]
    since: Timestamp,
    /// Why it waits.
    class: Option<String>,
    reason: Option<String>,
    tries: u32,
    /// In the line of its project, from 1: those without a commit go first, then the older ones.
    place: usize,
}

/// The launcher's last word on a trigger.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Word {
    trigger: Option<String>,
    /// Known by its topic, or as the message named it.
    project: Option<String>,
    #[schemars(with = "Option<String>")]
    branch: Option<Branch>,
    #[schemars(with = "String")]
    at: Timestamp,
    outcome: String,
    class: Option<String>,
    reason: Option<String>,
}

/// How many messages SQS counts, of all projects together.
#[derive(Debug, Serialize, JsonSchema)]
struct Queue {
    waiting: u64,
    given_up: u64,
}

impl Shape for Status {
    const NAME: &'static str = "status";
    const VERSION: u32 = 1;
}

pub async fn run(pipeline: &Pipeline, arguments: &StatusArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let looking = gather::status(pipeline, arguments.project.as_ref(), Timestamp::now());
    let status = terminal.spinner("looking at the pipeline").during(looking).await;
    let Some(status) = status.transpose()? else { return Ok(Exit::Interrupted) };
    match &arguments.project {
        Some(project) if status.projects.is_empty() => return Err(register::unknown(pipeline, project).await),
        Some(_) => show(&status, &arguments.output, terminal, view::one)?,
        None => show(&status, &arguments.output, terminal, view::all)?,
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
