//! How the report looks: the facts in words, for `templates/report.html`. Foreign text comes into the page as [`Said`] only, which
//! is harmless; the template escapes all that it is given.

mod rows;

use std::fmt;

use anyhow::{Context, Result};
use askama::Template;
use aws_smithy_types::base64;
use contract::Outcome;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use self::rows::{Build, Job, Row};
use super::four::{Four, Spread};
use super::{Day, Ended, Report};
use crate::commands::status::{ProjectStatus, Status, view};
use crate::terminal::{Meaning, Piece, harmless};
use crate::when::lasted_finely;

/// Of what is told one by one: more is nobody's reading, and a page is to be small enough for a mail.
const SHOWN: usize = 100;
const STYLE: &str = include_str!("../../../templates/report.css");

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    policy: String,
    style: &'static str,
    name: Said,
    account: Said,
    region: Said,
    version: Said,
    at: When,
    since: When,
    days: u16,
    is_cut: bool,
    counts: Vec<Count>,
    concerns: Vec<Vec<Told>>,
    more_concerns: usize,
    jobs: Vec<Job>,
    more_jobs: usize,
    measures: [Measure; 4],
    chart: Chart,
    projects: Vec<Row>,
    failures: Vec<Build>,
    more_failures: usize,
    deployments: Vec<Build>,
    more_deployments: usize,
}

/// Anybody's text, as it may be shown.
struct Said(String);

/// A text with a meaning, which is a class of the style sheet.
struct Told {
    class: &'static str,
    text: Said,
}

/// A time, for people and for programs.
struct When {
    exact: String,
    text: String,
}

struct Count {
    number: usize,
    what: &'static str,
    class: &'static str,
}

struct Measure {
    name: &'static str,
    value: String,
    more: String,
    meaning: &'static str,
}

struct Chart {
    bars: Vec<Bar>,
    most_deployed: usize,
    most_failed: usize,
    /// Where the bars begin, counted from above; 1 at least, so that there is something to draw on.
    ground: usize,
    height: usize,
    first: String,
    last: String,
}

struct Bar {
    day: Day,
    left: String,
    top: usize,
}

/// The page, whole.
///
/// # Errors
/// If the template cannot be filled, which no fact should make happen.
pub fn html(report: &Report) -> Result<String> {
    let now = &report.now;
    let is_failure = |build: &&Ended| matches!(build.outcome, Outcome::Failed | Outcome::Refused);
    let (failures, more_failures) = shown(report.builds.iter().filter(is_failure), Build::failed);
    let is_deployment = |build: &&Ended| build.outcome == Outcome::Deployed;
    let (deployments, more_deployments) = shown(report.builds.iter().filter(is_deployment), Build::deployed);
    let (concerns, more_concerns) = shown(concerns(now), |pieces| pieces.into_iter().map(Told::of).collect());
    let (jobs, more_jobs) = shown(jobs(now), |job| job);
    let page = Page {
        policy: format!(
            "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
            base64::encode(Sha256::digest(STYLE))
        ),
        style: STYLE,
        name: Said::of(&now.pipeline.config_path),
        account: Said::of(&now.pipeline.account),
        region: Said::of(&now.pipeline.region),
        version: Said::of(&now.pipeline.iwomp),
        at: When::of(now.at),
        since: When::of(report.since),
        days: report.days,
        is_cut: report.log_is_cut || now.log_is_cut,
        counts: counts(report),
        concerns,
        more_concerns,
        jobs,
        more_jobs,
        measures: measures(&report.four),
        chart: Chart::of(&report.by_day),
        projects: now.projects.iter().zip(&report.projects).flat_map(|(now, of)| rows::of(now, of, report)).collect(),
        failures,
        more_failures,
        deployments,
        more_deployments,
    };
    page.render().context("filling the page")
}

/// The first of them, as they are shown, and how many are left out.
fn shown<T, S>(facts: impl Iterator<Item = T>, show: impl Fn(T) -> S) -> (Vec<S>, usize) {
    let mut facts = facts;
    let first = facts.by_ref().take(SHOWN).map(show).collect();
    (first, facts.count())
}

impl Said {
    fn of(text: &str) -> Self {
        Self(harmless(text))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Told {
    fn of(piece: Piece) -> Self {
        let class = match piece.meaning {
            Meaning::Plain => "plain",
            Meaning::Good => "good",
            Meaning::Bad => "bad",
            Meaning::Pending => "pending",
            Meaning::Quiet => "quiet",
            Meaning::Subject => "subject",
        };
        Self { class, text: Said::of(&piece.text) }
    }
}

impl When {
    fn of(at: Timestamp) -> Self {
        Self { exact: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), text: at.strftime("%Y-%m-%d %H:%M").to_string() }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn counts(report: &Report) -> Vec<Count> {
    let now = &report.now;
    let of = |count: fn(&ProjectStatus) -> usize| now.projects.iter().map(count).sum::<usize>();
    let some = |number, what, class| Count { number, what, class: if number > 0 { class } else { "" } };
    let all = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    vec![
        some(now.projects.len(), "projects", ""),
        some(of(|project| project.running.len()), "running", ""),
        some(all(now.queue.waiting), "waiting", "pending"),
        some(of(|project| usize::from(project.paused.is_some())), "paused", "pending"),
        some(of(|project| project.live.iter().filter(|live| live.held.is_some()).count()), "held", "pending"),
        // Of those that are registered: what is gone will not be mended.
        some(report.projects.iter().map(|project| project.four.not_recovered).sum(), "failing", "bad"),
        some(all(now.queue.given_up), "given up", "bad"),
    ]
}

/// What lasts comes first: refusals are yesterday's affair tomorrow.
fn concerns(now: &Status) -> impl Iterator<Item = Vec<Piece>> {
    let projects = || now.projects.iter();
    let standing = projects().flat_map(|project| view::standing(project, now.at));
    standing
        .chain(projects().flat_map(|project| view::given_up_or_refused(project, now.at)))
        .chain(view::elsewhere(now))
}

fn jobs(now: &Status) -> impl Iterator<Item = Job> {
    let running =
        |project: &'_ ProjectStatus| project.running.iter().map(|it| Job::runs(project, it)).collect::<Vec<_>>();
    let waiting =
        |project: &'_ ProjectStatus| project.waiting.iter().map(|it| Job::waits(project, it)).collect::<Vec<_>>();
    now.projects.iter().flat_map(running).chain(now.projects.iter().flat_map(waiting))
}

fn measures(four: &Four) -> [Measure; 4] {
    let frequency = match four.deployments_a_day {
        0.0 => "none".to_owned(),
        often if often >= 1.0 => format!("{often:.1} a day"),
        seldom => format!("{:.1} a week", 7.0 * seldom),
    };
    let median = |spread: Option<Spread>| spread.map_or_else(|| "none".to_owned(), |it| lasted_finely(it.median));
    let more = |spread: Option<Spread>| {
        spread.map(|it| format!("median of {}; nine of ten within {}", it.count, lasted_finely(it.ninth_decile)))
    };
    let rate = four.change_failure_rate.map_or_else(|| "none".to_owned(), |rate| format!("{:.0} %", 100.0 * rate));
    let failing = format!("{} still failing", four.not_recovered);
    [
        Measure {
            name: "Deployment frequency",
            value: frequency,
            more: format!("{} deployments", four.deployments),
            meaning: "Builds that deployed, rollbacks among them.",
        },
        Measure {
            name: "Lead time",
            value: median(four.lead_seconds),
            more: more(four.lead_seconds).unwrap_or_default(),
            meaning: "From the time at which SNS took the trigger to the end of the build that it started and that deployed. \
                      When the commit was made is not known here.",
        },
        Measure {
            name: "Change failure rate",
            value: rate,
            more: format!("{} of {} changes", four.failed_changes, four.changes),
            meaning: "Of the builds that deployed or failed, those that failed or were rolled back from.",
        },
        Measure {
            name: "Time to recover",
            value: median(four.recovery_seconds),
            more: more(four.recovery_seconds).into_iter().chain([failing]).collect::<Vec<_>>().join("; "),
            meaning: "From a failed build, or from when a change was live that was rolled back from, to the next deployment \
                      of the branch.",
        },
    ]
}

impl Chart {
    fn of(days: &[Day]) -> Self {
        let most = |of: fn(&Day) -> usize| days.iter().map(of).max().unwrap_or_default();
        let (deployed, failed) = (most(|day| day.deployed), most(|day| day.failed));
        let ground = deployed.max(1);
        let bar = |(place, day): (usize, &Day)| Bar {
            left: format!("{place}.1"),
            top: ground - day.deployed,
            day: day.clone(),
        };
        let end = |day: Option<&Day>| day.map(|day| day.day.clone()).unwrap_or_default();
        Self {
            bars: days.iter().enumerate().map(bar).collect(),
            most_deployed: deployed,
            most_failed: failed,
            ground,
            height: ground + failed,
            first: end(days.first()),
            last: end(days.last()),
        }
    }
}
