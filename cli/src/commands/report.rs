//! `iwomp report`: one page of all projects, as a single file that needs nothing else. What is so now is told as `status` tells it;
//! how builds ended, and when their triggers were published, by the logs of notifier and launcher, into which nobody else writes.

mod four;
mod gather;
mod page;

use std::path::Path;

use anyhow::Context;
use contract::{Branch, Class, CommitId, Outcome, ProjectName};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use self::four::Four;
use crate::arguments::ReportArguments;
use crate::commands::show;
use crate::commands::status::Status;
use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::pipeline::Pipeline;
use crate::terminal::Terminal;

#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// What is so now, in the shape of `iwomp status`.
    now: Status,
    /// Midnight in UTC, with which the first of the days begins that are looked at.
    #[schemars(with = "String")]
    since: Timestamp,
    /// Today is the last of them.
    days: u16,
    /// The four measures, of all projects together.
    four: Four,
    /// Of each registered project.
    projects: Vec<OfProject>,
    by_day: Vec<Day>,
    /// The builds that have ended since then, of projects that are registered no more, too. Newest first.
    builds: Vec<Ended>,
    /// Notifier or launcher have said more than is read: some builds may be missing.
    log_is_cut: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct OfProject {
    #[schemars(with = "String")]
    project: ProjectName,
    four: Four,
}

/// How many builds ended so on a day of UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Day {
    day: String,
    deployed: usize,
    failed: usize,
    refused: usize,
    /// Superseded, or held.
    nothing_run: usize,
}

/// A build that has ended, as the notifier has judged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct Ended {
    #[schemars(with = "String")]
    project: ProjectName,
    #[schemars(with = "Option<String>")]
    branch: Option<Branch>,
    #[schemars(with = "String")]
    outcome: Outcome,
    #[schemars(with = "Option<String>")]
    class: Option<Class>,
    reason: Option<String>,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    build: String,
    trigger: Option<String>,
    /// Who went back with it.
    rolled_back_by: Option<String>,
    /// When SNS got the trigger that started it.
    #[schemars(with = "Option<String>")]
    published: Option<Timestamp>,
    #[schemars(with = "String")]
    ended: Timestamp,
    took_seconds: Option<u64>,
}

impl Shape for Report {
    const NAME: &'static str = "report";
    const VERSION: u32 = 1;
}

pub async fn run(pipeline: &Pipeline, arguments: &ReportArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let ReportArguments { out, days, output } = arguments;
    let looking = gather::report(pipeline, *days, Timestamp::now());
    let report = terminal.spinner(&format!("reading what became of the builds of {days} days")).during(looking).await;
    let Some(report) = report.transpose()? else { return Ok(Exit::Interrupted) };
    // Before anything is said: a page that cannot be made is no page.
    let page = page::html(&report)?;
    match out {
        Some(file) => write(file, &page)?,
        None => show(&report, output, terminal, |_, terminal| terminal.document(&page))?,
    }
    Ok(Exit::Done)
}

fn write(file: &Path, page: &str) -> Result<(), Failure> {
    let written = std::fs::write(file, page).with_context(|| format!("writing the report to {}", file.display()));
    written.map_err(|error| Failure::new(Exit::Failed, format!("{error:#}")))
}

#[cfg(test)]
mod tests;
