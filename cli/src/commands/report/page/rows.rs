//! The rows of the page's tables.

use contract::{Branch, CommitId};
use jiff::Timestamp;

use super::{Said, Told, When};
use crate::commands::report::four::Four;
use crate::commands::report::{Ended, OfProject, Report};
use crate::commands::status::{Live, ProjectStatus, Running, Waiting, view};
use crate::terminal::Meaning;
use crate::when::lasted_finely;

/// Of a project, those that were deployed last.
const BRANCHES_SHOWN: usize = 10;

/// A build that runs, or a trigger that waits.
pub struct Job {
    pub project: Said,
    pub branch: Said,
    pub commit: Said,
    pub state: String,
    pub since: Option<When>,
    pub why: Said,
}

/// A branch, and in the first row of a project what is of all of it.
pub struct Row {
    pub project: Said,
    pub branch: Said,
    pub live: Told,
    pub since: Option<When>,
    pub of_project: Option<RowOfProject>,
}

pub struct RowOfProject {
    pub last: Told,
    pub now: Told,
    pub deployed: usize,
    pub failed: String,
    pub lead: String,
}

pub struct Build {
    pub project: Said,
    pub branch: Said,
    pub commit: Said,
    pub ended: When,
    pub outcome: &'static str,
    pub lead: String,
    pub more: Said,
    pub build: Said,
}

/// The rows of a project, of which the first has what is of all of it.
pub fn of(now: &ProjectStatus, of: &OfProject, report: &Report) -> Vec<Row> {
    let mut live: Vec<_> = now.live.iter().collect();
    live.sort_by_key(|live| (live.since.is_some(), std::cmp::Reverse(live.since)));
    let left_out = live.len().saturating_sub(BRANCHES_SHOWN);
    let bare = |branch: &str, live| Row {
        project: Said::of(now.project.as_str()),
        branch: Said::of(branch),
        live: Told::of(live),
        since: None,
        of_project: None,
    };
    let row = |live: &Live| Row { since: live.since.map(When::of), ..bare(&live.branch, view::commit(live)) };
    let mut rows: Vec<_> = live.into_iter().take(BRANCHES_SHOWN).map(row).collect();
    if rows.is_empty() {
        rows.push(bare("", Meaning::Quiet.of("nothing yet")));
    }
    if left_out > 0 {
        rows.push(bare(&format!("and {left_out} more"), Meaning::Quiet.of("iwomp status")));
    }
    rows[0].of_project = Some(RowOfProject::of(now, &of.four, report.now.at));
    rows
}

impl Job {
    pub fn runs(project: &ProjectStatus, running: &Running) -> Self {
        let what = running.question.as_ref().map(|question| format!("asks the {question}, ")).unwrap_or_default();
        Self {
            project: Said::of(project.project.as_str()),
            branch: Said::of(running.branch.as_ref().map_or("", Branch::as_str)),
            commit: commit(running.commit.as_ref()),
            state: "runs".to_owned(),
            since: running.started.map(When::of),
            why: Said::of(&format!("{what}{} {}", running.phase.as_deref().unwrap_or("QUEUED"), running.build)),
        }
    }

    pub fn waits(project: &ProjectStatus, waiting: &Waiting) -> Self {
        let why = [waiting.class.as_deref(), waiting.reason.as_deref()];
        Self {
            project: Said::of(project.project.as_str()),
            branch: Said::of(waiting.branch.as_ref().map_or("", Branch::as_str)),
            commit: commit(waiting.commit.as_ref()),
            state: format!("waits, place {}", waiting.place),
            since: Some(When::of(waiting.since)),
            why: Said::of(&why.into_iter().flatten().collect::<Vec<_>>().join(": ")),
        }
    }
}

/// Without one, it is the branch's newest when it is its turn.
fn commit(commit: Option<&CommitId>) -> Said {
    Said::of(commit.map_or("head", CommitId::short))
}

impl RowOfProject {
    fn of(now: &ProjectStatus, four: &Four, at: Timestamp) -> Self {
        let last = now.last.as_ref().map_or_else(
            || Meaning::Quiet.of("none"),
            |last| {
                let when = last.ended.map(|ended| format!(" {}", When::of(ended))).unwrap_or_default();
                view::meaning(last.outcome).of(format!("{}{when}", last.outcome))
            },
        );
        Self {
            last: Told::of(last),
            now: Told::of(view::now(now, at)),
            deployed: four.deployments,
            failed: match four.change_failure_rate {
                Some(rate) if four.failed_changes > 0 => format!("{} ({:.0} %)", four.failed_changes, 100.0 * rate),
                _ => four.failed_changes.to_string(),
            },
            lead: four.lead_seconds.map(|it| lasted_finely(it.median)).unwrap_or_default(),
        }
    }
}

impl Build {
    pub fn failed(build: &Ended) -> Self {
        Self::of(build, build.reason.as_deref().unwrap_or("the notifier gave no reason"))
    }

    pub fn deployed(build: &Ended) -> Self {
        let by = build.rolled_back_by.as_ref().map(|by| format!("rolled back by {by}")).unwrap_or_default();
        Self::of(build, &by)
    }

    fn of(build: &Ended, more: &str) -> Self {
        let lead = build.published.map(|published| build.ended.as_second() - published.as_second());
        Self {
            project: Said::of(build.project.as_str()),
            branch: Said::of(build.branch.as_ref().map_or("", Branch::as_str)),
            commit: commit(build.commit.as_ref()),
            ended: When::of(build.ended),
            outcome: build.outcome.as_str(),
            lead: lead.map(lasted_finely).unwrap_or_default(),
            more: Said::of(more),
            // Whose it is, is known; `iwomp logs PROJECT --build` takes it.
            build: Said::of(build.build.split_once(':').map_or(build.build.as_str(), |(_, own)| own)),
        }
    }
}
