//! Asks for the facts of `report`: those of `status`, and the logs of notifier and launcher, in pieces side by side.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, Result};
use contract::{Branch, Class, CommitId, Outcome, ProjectName};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Day, Ended, Four, OfProject, Report};
use crate::commands::status;
use crate::launcher_log::{self, Said};
use crate::log_group;
use crate::parallel::{AT_ONCE, each};
use crate::pipeline::Pipeline;

/// Of builds that have ended, each once or twice.
const REPORTS: &str = "{ $.build_status = \"*\" }";
const STARTS: &str = "{ $.outcome = \"started\" }";
/// How long before its end a build may have been started: more than CodeBuild lets any run and wait.
const LONGEST_BUILD: Duration = Duration::from_secs(24 * 60 * 60);

/// Of `days` days of UTC, of which today is the last.
pub async fn report(pipeline: &Pipeline, days: u16, at: Timestamp) -> Result<Report> {
    let dates = dates(at, days)?;
    let since = dates[0].to_datetime(Time::midnight()).to_zoned(TimeZone::UTC).context("a day of UTC")?.timestamp();
    // On the heap, for it is large, and this one is moved about.
    let now = Box::pin(status::gather::status(pipeline, None, at)).await?;
    let launcher = &pipeline.description.launcher.log_group;
    let started = since.checked_sub(LONGEST_BUILD).unwrap_or(Timestamp::UNIX_EPOCH);
    let (starts, starts_are_cut) = lines(pipeline, launcher, started, at, STARTS).await?;
    // At once, for the lines are many times as large.
    let published = published(starts);
    let notifier = &pipeline.description.notifier.log_group;
    let (reports, reports_are_cut) = lines(pipeline, notifier, since, at, REPORTS).await?;
    let builds = builds(reports, &published, since);
    Ok(Report {
        since,
        days,
        four: Four::of(builds.iter(), days),
        projects: of_projects(&now, &builds, days),
        by_day: by_day(dates, &builds),
        builds,
        log_is_cut: starts_are_cut || reports_are_cut,
        now,
    })
}

/// The days, oldest first.
pub fn dates(at: Timestamp, days: u16) -> Result<Vec<Date>> {
    let today = at.to_zoned(TimeZone::UTC).date();
    let back = |back: u16| today.checked_sub(jiff::Span::new().days(back)).context("counting days back");
    (0..days.max(1)).rev().map(back).collect()
}

/// The lines of a log between two times, oldest first, and whether there are more.
async fn lines(
    pipeline: &Pipeline,
    group: &str,
    since: Timestamp,
    until: Timestamp,
    pattern: &str,
) -> Result<(Vec<(Timestamp, String)>, bool)> {
    // A page of CloudWatch holds a megabyte and takes its time, and the next one is not known before.
    let (from, to) = (since.as_millisecond(), until.as_millisecond());
    let pieces = i64::try_from(AT_ONCE)?;
    let bound = |piece: i64| Timestamp::from_millisecond(from + (to - from) * piece / pieces);
    let read = each(0..pieces, |piece| async move {
        Ok(log_group::between(pipeline, group, bound(piece)?..bound(piece + 1)?, pattern).await?)
    })
    .await?;
    let is_cut = read.iter().any(|read| read.is_cut);
    Ok((read.into_iter().flat_map(|read| read.lines).collect(), is_cut))
}

/// When each trigger was published that has started a build.
fn published(starts: Vec<(Timestamp, String)>) -> HashMap<String, Timestamp> {
    let told = |(at, text): (Timestamp, String)| {
        let said = Said { at, line: serde_json::from_str::<launcher_log::Line>(&text).ok()? };
        let trigger = said.line.trigger.clone().filter(|_| said.outcome() == Outcome::Started)?;
        Some((trigger, said.waits_since()))
    };
    starts.into_iter().filter_map(told).collect()
}

/// What the notifier says of a build.
#[derive(Deserialize)]
struct Line {
    outcome: String,
    class: Option<String>,
    reason: Option<String>,
    project: String,
    branch: Option<String>,
    commit: Option<String>,
    trigger: Option<String>,
    build: String,
    rolled_back_by: Option<String>,
    ended: Option<Timestamp>,
    took_seconds: Option<u64>,
}

/// Newest first, each once.
fn builds(reports: Vec<(Timestamp, String)>, published: &HashMap<String, Timestamp>, since: Timestamp) -> Vec<Ended> {
    let mut known = HashSet::new();
    let told = reports.into_iter().filter_map(|(at, text)| Ended::read(at, &text, published));
    let mut told: Vec<_> =
        told.filter(|ended| ended.ended >= since).filter(|ended| known.insert(ended.build.clone())).collect();
    told.sort_by(|one, other| (other.ended, &other.build).cmp(&(one.ended, &one.build)));
    told
}

impl Ended {
    /// None: it is no report of a build.
    fn read(at: Timestamp, text: &str, published: &HashMap<String, Timestamp>) -> Option<Self> {
        let line: Line = serde_json::from_str(text).ok()?;
        Some(Self {
            project: ProjectName::parse(&line.project).ok()?,
            branch: line.branch.and_then(|branch| Branch::parse(&branch).ok()),
            outcome: Outcome::ALL.iter().copied().find(|outcome| outcome.as_str() == line.outcome)?,
            class: line.class.and_then(|told| Class::ALL.iter().copied().find(|class| class.as_str() == told)),
            reason: line.reason,
            commit: line.commit.and_then(|commit| CommitId::parse(&commit).ok()),
            build: line.build,
            published: line.trigger.as_ref().and_then(|trigger| published.get(trigger)).copied(),
            trigger: line.trigger,
            rolled_back_by: line.rolled_back_by,
            // Soon after it the report was made.
            ended: line.ended.unwrap_or(at),
            took_seconds: line.took_seconds,
        })
    }
}

fn of_projects(now: &status::Status, builds: &[Ended], days: u16) -> Vec<OfProject> {
    let mut by_project: HashMap<&ProjectName, Vec<&Ended>> = HashMap::new();
    for build in builds {
        by_project.entry(&build.project).or_default().push(build);
    }
    let of = |project: &ProjectName| by_project.get(project).map(Vec::as_slice).unwrap_or_default();
    let projects = now.projects.iter().map(|status| &status.project);
    projects
        .map(|project| OfProject { project: project.clone(), four: Four::of(of(project).iter().copied(), days) })
        .collect()
}

pub fn by_day(dates: Vec<Date>, builds: &[Ended]) -> Vec<Day> {
    let empty = |date: Date| Day { day: date.to_string(), deployed: 0, failed: 0, refused: 0, nothing_run: 0 };
    let mut days: Vec<_> = dates.iter().copied().map(empty).collect();
    for build in builds {
        let date = build.ended.to_zoned(TimeZone::UTC).date();
        // A clock that is a little behind may have one end tomorrow.
        let Ok(place) = dates.binary_search(&date) else { continue };
        let day = &mut days[place];
        let count = match build.outcome {
            Outcome::Deployed => &mut day.deployed,
            Outcome::Failed => &mut day.failed,
            Outcome::Refused => &mut day.refused,
            _ => &mut day.nothing_run,
        };
        *count += 1;
    }
    days
}
