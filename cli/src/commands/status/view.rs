//! How `status` looks: one table of all projects, or one project with all that is known of it.

use contract::{CommitId, Outcome};
use jiff::Timestamp;

use super::{Ended, Live, ProjectStatus, Running, Status, Word};
use crate::launcher_log::IS_CUT;
use crate::terminal::{Meaning, Piece, Terminal};
use crate::when::{ago, lasted};

/// Refusals and dead letters that are shown of each project; JSON has all of them.
const WORDS_SHOWN: usize = 5;

pub fn all(status: &Status, terminal: &mut Terminal) {
    if status.projects.is_empty() {
        terminal.line(["no project is registered yet".into()]);
    } else {
        let rows = status.projects.iter().flat_map(|project| rows(project, status.at)).collect();
        terminal.table(["PROJECT", "BRANCH", "LIVE", "FOR", "LAST BUILD", "NOW"], rows);
    }
    let concerns: Vec<_> = status.projects.iter().flat_map(|project| concerns(project, status.at)).collect();
    let concerns: Vec<_> = concerns.into_iter().chain(elsewhere(status)).collect();
    if !concerns.is_empty() {
        terminal.line([]);
        concerns.into_iter().for_each(|line| terminal.line(line));
    }
    terminal.line([]);
    totals(status, terminal);
}

pub fn one(status: &Status, terminal: &mut Terminal) {
    for project in &status.projects {
        let at = status.at;
        terminal.line([Meaning::Subject.of(project.project.as_str())]);
        if project.live.is_empty() {
            terminal.line(["  live     ".into(), Meaning::Quiet.of("nothing yet")]);
        }
        for live in &project.live {
            let mut line = vec!["  live     ".into(), Piece::from(format!("{}  ", live.branch)), commit(live)];
            line.push(Meaning::Quiet.of(since(live, at).map(|since| format!("  {since}")).unwrap_or_default()));
            terminal.line(line);
        }
        for running in &project.running {
            let started = running.started.map(|started| ago(started, at)).unwrap_or_default();
            let phase = running.phase.as_deref().unwrap_or("QUEUED");
            let subject = match &running.question {
                Some(question) => format!("asks the {question}"),
                None => format!("{} {}", branch_of(running), short(running.commit.as_ref())),
            };
            let what = format!("  {subject}, started {started}: {}", running.build);
            terminal.line(["  running  ".into(), Meaning::Pending.of(phase), what.into()]);
        }
        if !project.waiting.is_empty() {
            let rows = project.waiting.iter().map(|waiting| {
                let branch = waiting.branch.as_ref().map_or("?", |branch| branch.as_str());
                [
                    format!("  waiting  {}", waiting.place).into(),
                    branch.into(),
                    short(waiting.commit.as_ref()).into(),
                    ago(waiting.since, at).into(),
                    waiting.tries.to_string().into(),
                    Meaning::Pending.of(waiting.class.clone().unwrap_or_default()),
                    Meaning::Quiet.of(waiting.trigger.clone()),
                ]
            });
            terminal.table(["  waiting", "BRANCH", "COMMIT", "SINCE", "TRIES", "FOR", "TRIGGER"], rows.collect());
        }
        if let Some(ended) = &project.last {
            let branch = ended.branch.as_ref().map_or("?", |branch| branch.as_str());
            let what = format!("  {branch} {}{}: {}", short(ended.commit.as_ref()), when_ended(ended, at), ended.build);
            terminal.line(["  last     ".into(), meaning(ended.outcome).of(ended.outcome.as_str()), what.into()]);
        }
        concerns(project, at).into_iter().for_each(|line| terminal.line(line));
    }
    totals(status, terminal);
}

fn totals(status: &Status, terminal: &mut Terminal) {
    terminal.line([queue(status)]);
    if status.log_is_cut {
        let text = format!("{IS_CUT}: of what waits, was refused or given up, some may be missing");
        terminal.line([Meaning::Pending.of(text)]);
    }
}

/// A row for each branch, the project's own affairs in the first.
fn rows(project: &ProjectStatus, at: Timestamp) -> Vec<[Piece; 6]> {
    let name = Meaning::Subject.of(project.project.as_str());
    let last = project.last.as_ref().map_or_else(
        || Meaning::Quiet.of("none"),
        |ended| meaning(ended.outcome).of(format!("{}{}", ended.outcome, when_ended(ended, at))),
    );
    let Some((first, others)) = project.live.split_first() else {
        return vec![[
            name,
            Meaning::Quiet.of("-"),
            Meaning::Quiet.of("nothing yet"),
            "".into(),
            last,
            now(project, at),
        ]];
    };
    let mut rows =
        vec![[name, first.branch.as_str().into(), commit(first), live_for(first, at).into(), last, now(project, at)]];
    rows.extend(others.iter().map(|live| {
        ["".into(), live.branch.as_str().into(), commit(live), live_for(live, at).into(), "".into(), "".into()]
    }));
    rows
}

fn branch_of(running: &Running) -> &str {
    running.branch.as_ref().map_or("?", |branch| branch.as_str())
}

pub fn now(project: &ProjectStatus, at: Timestamp) -> Piece {
    let mut words = Vec::new();
    for running in &project.running {
        let since = running.started.map(|started| lasted(at.as_second() - started.as_second())).unwrap_or_default();
        words.push(match &running.question {
            Some(question) => format!("asks the {question} for {since}"),
            None => format!("builds {} for {since}", branch_of(running)),
        });
    }
    if project.paused.is_some() {
        words.push("paused".to_owned());
    }
    for (count, what) in [(project.waiting.len(), "waiting"), (project.given_up.len(), "given up")] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    if !project.applied {
        words.push("not applied".to_owned());
    }
    let is_bad = !project.given_up.is_empty() || !project.applied || project.fault.is_some();
    if is_bad { Meaning::Bad.of(words.join(", ")) } else { Meaning::Pending.of(words.join(", ")) }
}

/// What somebody should know or do about a project, a line each.
fn concerns(project: &ProjectStatus, at: Timestamp) -> Vec<Vec<Piece>> {
    let mut lines = standing(project, at);
    if let Some((ended, reason)) = project.last.as_ref().and_then(|ended| Some((ended, ended.reason.as_ref()?))) {
        lines.push(about(project, meaning(ended.outcome), ended.outcome.as_str(), reason));
    }
    lines.extend(given_up_or_refused(project, at));
    lines
}

fn about(project: &ProjectStatus, meaning: Meaning, word: &str, text: &str) -> Vec<Piece> {
    vec![Meaning::Subject.of(project.project.as_str()), " ".into(), meaning.of(word), format!(": {text}").into()]
}

/// What of it lasts until somebody does something.
pub fn standing(project: &ProjectStatus, at: Timestamp) -> Vec<Vec<Piece>> {
    let name = project.project.as_str();
    let about = |meaning, word, text: String| about(project, meaning, word, &text);
    let mut lines = Vec::new();
    if let Some(fault) = &project.fault {
        lines.push(about(Meaning::Bad, "register", format!("its entry {fault}; every trigger is refused")));
    }
    if !project.applied {
        lines.push(about(Meaning::Bad, "not applied", "CodeBuild has no project for it: terraform apply".to_owned()));
    }
    if let Some(pause) = &project.paused {
        let since = pause.since.map(|since| format!("{}, ", ago(since, at))).unwrap_or_default();
        lines.push(about(Meaning::Pending, "paused", format!("{since}{}; iwomp resume {name}", pause.reason)));
    }
    for live in &project.live {
        if let Some(fault) = &live.fault {
            let text = format!("{} is no record of what is live: {fault}; see docs/operations.md", live.branch);
            lines.push(about(Meaning::Bad, "record", text));
        }
        if let Some(held) = &live.held {
            let text = format!(
                "{} of {}, since a rollback: push what mends it, or iwomp release {name} {}",
                held.short(),
                live.branch,
                live.branch
            );
            lines.push(about(Meaning::Pending, "held", text));
        }
    }
    lines
}

pub fn given_up_or_refused(project: &ProjectStatus, at: Timestamp) -> impl Iterator<Item = Vec<Piece>> {
    let words = shown(&project.given_up).chain(shown(&project.refused));
    words.map(move |word| said(project.project.as_str(), word, at))
}

/// The same, of no registered project.
pub fn elsewhere(status: &Status) -> impl Iterator<Item = Vec<Piece>> {
    shown(&status.elsewhere).map(|word| said(word.project.as_deref().unwrap_or("?"), word, status.at))
}

fn said(project: &str, word: &Word, at: Timestamp) -> Vec<Piece> {
    let branch = word.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
    let reason = word.reason.as_deref().unwrap_or("the launcher gave no reason");
    let (trigger, when) = (word.trigger.as_deref().unwrap_or("?"), ago(word.at, at));
    vec![
        Meaning::Subject.of(project),
        " ".into(),
        Meaning::Bad.of(word.outcome.as_str()),
        format!("{branch} {when}: {reason}").into(),
        Meaning::Quiet.of(format!(" (trigger {trigger})")),
    ]
}

/// The newest ones.
fn shown(words: &[Word]) -> impl Iterator<Item = &Word> {
    words.iter().skip(words.len().saturating_sub(WORDS_SHOWN))
}

pub fn queue(status: &Status) -> Piece {
    let (waiting, given_up) = (status.queue.waiting, status.queue.given_up);
    let advice = if given_up > 0 { ": mend what they died of, then iwomp redrive" } else { "" };
    let text = format!("{waiting} waiting, {given_up} given up, of all projects together{advice}");
    if given_up > 0 { Meaning::Bad.of(text) } else { Meaning::Quiet.of(text) }
}

pub fn commit(live: &Live) -> Piece {
    match (&live.commit, &live.held) {
        (None, _) => Meaning::Bad.of("unreadable"),
        (Some(commit), Some(_)) => Meaning::Pending.of(format!("{} held", commit.short())),
        (Some(commit), None) => commit.short().into(),
    }
}

/// Short, for a table that is to fit 80 columns.
fn live_for(live: &Live, at: Timestamp) -> String {
    live.since.map(|since| lasted(at.as_second() - since.as_second())).unwrap_or_default()
}

fn since(live: &Live, at: Timestamp) -> Option<String> {
    live.since.map(|since| ago(since, at))
}

fn when_ended(ended: &Ended, at: Timestamp) -> String {
    ended.ended.map(|ended| format!(" {}", ago(ended, at))).unwrap_or_default()
}

fn short(commit: Option<&CommitId>) -> &str {
    commit.map_or("head", CommitId::short)
}

pub fn meaning(outcome: Outcome) -> Meaning {
    match outcome {
        Outcome::Deployed | Outcome::Unchanged => Meaning::Good,
        Outcome::Failed | Outcome::Refused | Outcome::Expired => Meaning::Bad,
        _ => Meaning::Quiet,
    }
}
