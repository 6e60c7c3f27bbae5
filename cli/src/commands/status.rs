//! `iwomp status`: what is live, what runs, what waits, how it ended, and what was refused or given up. From CodeBuild, the
//! records, the queues and the launcher's log: nothing that a build has printed counts.

pub mod gather;
pub mod view;

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
    pub pipeline: Where,
    /// When it was looked at.
    #[schemars(with = "String")]
    pub at: Timestamp,
    pub projects: Vec<ProjectStatus>,
    /// What the launcher refused or gave up, of no registered project.
    pub elsewhere: Vec<Word>,
    pub queue: Queue,
    /// The launcher has said more than is read: of what it said last some may be missing.
    pub log_is_cut: bool,
}

/// Which pipeline it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Where {
    pub config_path: String,
    pub account: String,
    pub region: String,
    /// The version of iwomp that was applied.
    pub iwomp: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectStatus {
    #[schemars(with = "String")]
    pub project: ProjectName,
    /// What is wrong with its register entry, so that every trigger is refused.
    pub fault: Option<String>,
    /// Whether CodeBuild has a project for it.
    pub applied: bool,
    pub paused: Option<Pause>,
    pub live: Vec<Live>,
    pub running: Vec<Running>,
    pub last: Option<Ended>,
    /// Those that the launcher has looked at, the next one first.
    pub waiting: Vec<Waiting>,
    /// Of the last day.
    pub refused: Vec<Word>,
    /// What may lie in the dead-letter queue.
    pub given_up: Vec<Word>,
}

/// What is live of a branch, by its record.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Live {
    /// As it stands in the parameter's name, where that is no branch.
    pub branch: String,
    #[schemars(with = "Option<String>")]
    pub commit: Option<CommitId>,
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    pub build: Option<String>,
    pub trigger: Option<String>,
    /// The head that an operator rolled back from.
    #[schemars(with = "Option<String>")]
    pub held: Option<CommitId>,
    /// Why the record cannot be read; the worker deploys nothing as long as it cannot.
    pub fault: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Running {
    pub build: String,
    #[schemars(with = "Option<String>")]
    pub branch: Option<Branch>,
    #[schemars(with = "Option<String>")]
    pub commit: Option<CommitId>,
    pub trigger: Option<String>,
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// CodeBuild's word for where it is.
    pub phase: Option<String>,
    /// An operator's, where it deploys nothing.
    pub question: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Ended {
    pub build: String,
    #[schemars(with = "String")]
    pub outcome: Outcome,
    #[schemars(with = "Option<String>")]
    pub class: Option<Class>,
    pub reason: Option<String>,
    #[schemars(with = "Option<String>")]
    pub branch: Option<Branch>,
    #[schemars(with = "Option<String>")]
    pub commit: Option<CommitId>,
    pub trigger: Option<String>,
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
}

/// A trigger in the queue.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Waiting {
    pub trigger: String,
    #[schemars(with = "Option<String>")]
    pub branch: Option<Branch>,
    #[schemars(with = "Option<String>")]
    pub commit: Option<CommitId>,
    /// Since when it is in the queue.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// Why it waits.
    pub class: Option<String>,
    pub reason: Option<String>,
    pub tries: u32,
    /// In the line of its project, from 1: those without a commit go first, then the older ones.
    pub place: usize,
}

/// The launcher's last word on a trigger.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Word {
    pub trigger: Option<String>,
    /// Known by its topic, or as the message named it.
    pub project: Option<String>,
    #[schemars(with = "Option<String>")]
    pub branch: Option<Branch>,
    #[schemars(with = "String")]
    pub at: Timestamp,
    pub outcome: String,
    pub class: Option<String>,
    pub reason: Option<String>,
}

/// How many messages SQS counts, of all projects together.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Queue {
    pub waiting: u64,
    pub given_up: u64,
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
