//! `iwomp history`: what was live when, by which build and trigger, and who went back. SSM keeps a hundred versions of each record;
//! what is no record among them was not written by a worker, and is said to be none. What was live before is known from the
//! notifier's reports: it judges each build by CodeBuild and the record, and nobody else writes into its log.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context;
use aws_sdk_ssm::types::ParameterHistory;
use contract::{Branch, CommitId, Deployed, Outcome, ProjectName, parameter};
use iwomp_aws::aws_error;
use iwomp_aws::record;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::HistoryArguments;
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::log_group;
use crate::parallel::each;
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::{Meaning, Piece, Terminal};
use crate::when::ago;

/// SSM's own bound, and how many versions it keeps.
const PAGE: i32 = 50;
const MAX_PAGES: usize = 3;
const KEPT: usize = 100;
/// How much later than a build's end its report may come: sweeps find it, four times an hour, once they run again.
const LATE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    #[schemars(with = "String")]
    project: ProjectName,
    /// When it was looked at.
    #[schemars(with = "String")]
    at: Timestamp,
    /// Newest first.
    records: Vec<Was>,
    /// What was live before, of branches of which SSM keeps no more versions: by the notifier's log, as long as that is kept.
    /// Newest first.
    reported: Vec<Reported>,
    /// The notifier has said more than is read: what it said last of that time is missing.
    log_is_cut: bool,
}

/// A deployment that the notifier has reported.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Reported {
    #[schemars(with = "String")]
    branch: Branch,
    /// When the report was made, which is soon after the end of the build.
    #[schemars(with = "String")]
    at: Timestamp,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    build: String,
    trigger: Option<String>,
    /// Who went back with it.
    rolled_back_by: Option<String>,
}

/// A version of the record of a branch.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Was {
    #[schemars(with = "String")]
    branch: Branch,
    version: i64,
    /// When SSM took it.
    #[schemars(with = "Option<String>")]
    written: Option<Timestamp>,
    /// Who wrote it, in SSM's words.
    written_by: Option<String>,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    build: Option<String>,
    trigger: Option<String>,
    rollback: Option<WentBack>,
    release: Option<LetGo>,
    /// Why it is no record.
    fault: Option<String>,
}

/// An operator's rollback.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct WentBack {
    #[schemars(with = "Option<String>")]
    from: Option<CommitId>,
    by: Option<String>,
}

/// An operator's release of what was held.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct LetGo {
    #[schemars(with = "String")]
    held: CommitId,
    by: Option<String>,
}

impl Shape for History {
    const NAME: &'static str = "history";
    const VERSION: u32 = 1;
}

pub async fn run(pipeline: &Pipeline, arguments: &HistoryArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let HistoryArguments { project, branch, output } = arguments;
    let spinner = terminal.spinner(&format!("reading what was live of {project}"));
    let looking = history(pipeline, project, branch.as_ref());
    let Some(history) = spinner.during(looking).await.transpose()? else { return Ok(Exit::Interrupted) };
    show(&history, output, terminal, view)?;
    Ok(Exit::Done)
}

async fn history(pipeline: &Pipeline, project: &ProjectName, branch: Option<&Branch>) -> Result<History, Failure> {
    let branches = match branch {
        Some(branch) => vec![branch.clone()],
        None => {
            let found = record::live(&pipeline.ssm, &pipeline.config_path, project).await?;
            found.into_iter().filter_map(|found| found.branch).collect()
        }
    };
    let by_branch = each(branches, |branch| versions(pipeline, project, branch)).await?;
    if by_branch.iter().all(Vec::is_empty) {
        // A wrong name has no history either.
        register::entry(pipeline, project).await?;
    }
    let full: Vec<_> = by_branch.iter().filter(|records| records.len() >= KEPT).map(Vec::as_slice).collect();
    let (reported, log_is_cut) = reported(pipeline, project, &full).await?;
    let mut records: Vec<_> = by_branch.into_iter().flatten().collect();
    records.sort_by_key(|was| std::cmp::Reverse((was.written, was.version)));
    Ok(History { project: project.clone(), at: Timestamp::now(), records, reported, log_is_cut })
}

/// What the notifier has reported as deployed before the oldest versions of these branches.
async fn reported(
    pipeline: &Pipeline,
    project: &ProjectName,
    full: &[&[Was]],
) -> Result<(Vec<Reported>, bool), Failure> {
    let oldest = |records: &&[Was]| records.iter().filter_map(|was| was.written).min();
    let Some(end) = full.iter().filter_map(oldest).max() else { return Ok((Vec::new(), false)) };
    let end = end.checked_add(LATE).unwrap_or(Timestamp::MAX);
    let pattern = format!("{{ ($.project = \"{project}\") && ($.outcome = \"{}\") }}", Outcome::Deployed);
    let group = &pipeline.description.notifier.log_group;
    let read = log_group::between(pipeline, group, Timestamp::UNIX_EPOCH..end, &pattern).await?;
    // A report may be made twice.
    let mut known: HashSet<_> = full.iter().copied().flatten().filter_map(|was| was.build.clone()).collect();
    let told = read.lines.into_iter().filter_map(|(at, line)| Reported::read(project, at, &line));
    let mut told: Vec<_> = told
        .filter(|report| full.iter().any(|records| records.iter().any(|was| was.branch == report.branch)))
        .filter(|report| known.insert(report.build.clone()))
        .collect();
    told.reverse();
    Ok((told, read.is_cut))
}

impl Reported {
    /// None: it is no report of a deployment of the project.
    fn read(project: &ProjectName, at: Timestamp, line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        let is_ours = line["project"] == project.as_str() && line["outcome"] == Outcome::Deployed.as_str();
        Some(Self {
            branch: Branch::parse(line["branch"].as_str()?).ok().filter(|_| is_ours)?,
            at,
            commit: line["commit"].as_str().and_then(|commit| CommitId::parse(commit).ok()),
            build: text("build")?,
            trigger: text("trigger"),
            rolled_back_by: text("rolled_back_by"),
        })
    }

    fn how(&self) -> Piece {
        let build = own_name(&self.build);
        match &self.rolled_back_by {
            Some(by) => Meaning::Pending.of(format!("rolled back by {by}, {build}; by the notifier's log")),
            None => Meaning::Quiet.of(format!("{build}, by the notifier's log")),
        }
    }
}

async fn versions(pipeline: &Pipeline, project: &ProjectName, branch: Branch) -> anyhow::Result<Vec<Was>> {
    let name = parameter::deployed(&pipeline.config_path, project, &branch);
    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let call = pipeline.ssm.get_parameter_history().name(&name).with_decryption(false).max_results(PAGE);
        let page = match call.set_next_token(token).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => break,
            page => page.map_err(aws_error).with_context(|| format!("reading the history of {name}"))?,
        };
        found.extend(page.parameters().iter().map(|version| Was::read(&branch, version)));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(found)
}

impl Was {
    fn read(branch: &Branch, version: &ParameterHistory) -> Self {
        let written = version.last_modified_date().and_then(|date| Timestamp::from_second(date.secs()).ok());
        let bare = Self {
            branch: branch.clone(),
            version: version.version(),
            written,
            written_by: version.last_modified_user().map(str::to_owned),
            commit: None,
            build: None,
            trigger: None,
            rollback: None,
            release: None,
            fault: None,
        };
        match Deployed::parse(version.value().unwrap_or_default()) {
            Ok(record) => Self {
                commit: Some(record.commit),
                build: record.build,
                trigger: record.trigger,
                rollback: record.rollback.map(|rollback| WentBack { from: rollback.from, by: rollback.by }),
                release: record.release.map(|release| LetGo { held: release.held, by: release.by }),
                ..bare
            },
            Err(error) => Self { fault: Some(format!("it {error}")), ..bare },
        }
    }

    fn how(&self) -> Piece {
        let by = |by: &Option<String>| by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        match (&self.fault, &self.release, &self.rollback) {
            (Some(fault), ..) => Meaning::Bad.of(format!("no record: {fault}; written by {}", self.writer())),
            (_, Some(release), _) => {
                Meaning::Pending.of(format!("{} released{}", release.held.short(), by(&release.by)))
            }
            (_, _, Some(rollback)) => {
                let from = rollback.from.as_ref().map_or("nothing", CommitId::short);
                Meaning::Pending.of(format!("rolled back from {from}{}", by(&rollback.by)))
            }
            // Whose build it is, is known; and whole it would be broken up on a narrow terminal.
            _ => self.build.as_deref().map_or_else(|| "without a build".to_owned(), own_name).into(),
        }
    }

    fn writer(&self) -> &str {
        self.written_by.as_deref().unwrap_or("somebody")
    }
}

/// What tells a build from others of its project; `iwomp logs PROJECT --build` takes it.
fn own_name(build: &str) -> String {
    format!("build {}", build.split_once(':').map_or(build, |(_, own)| own))
}

fn view(history: &History, terminal: &mut Terminal) {
    if history.records.is_empty() {
        terminal.line([format!("nothing was ever live of {}, as far as SSM remembers", history.project).into()]);
        return;
    }
    let records = history.records.iter().map(|was| {
        let commit = was.commit.as_ref().map_or(Meaning::Bad.of("unreadable"), |commit| commit.short().into());
        let since = was.written.map(|written| ago(written, history.at)).unwrap_or_default();
        [was.branch.as_str().into(), since.into(), commit, was.how()]
    });
    let reported = history.reported.iter().map(|report| {
        let commit = report.commit.as_ref().map(CommitId::short).unwrap_or_default();
        [report.branch.as_str().into(), ago(report.at, history.at).into(), commit.into(), report.how()]
    });
    terminal.table(["BRANCH", "SINCE", "LIVE", "BY"], records.chain(reported).collect());
    if history.log_is_cut {
        terminal.line([Meaning::Pending.of("the notifier has said more than is read here: some of it is missing")]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arguments::Output;
    use crate::fixtures::{
        Aws, BUILD, COMMIT, EPOCH_SECONDS, TRIGGER_ID, branch, commit, entry, parameter, project, record, terminal,
    };

    async fn said(aws: Aws, branch: Option<Branch>, output: Output) -> (Result<Exit, Failure>, String) {
        let (pipeline, _) = aws.pipeline();
        let (mut terminal, out) = terminal();
        let arguments = HistoryArguments { project: project("demo"), branch, output };
        let ended = run(&pipeline, &arguments, &mut terminal).await;
        (ended, out.text())
    }

    fn versions() -> Vec<String> {
        let by = Some("ada\u{1b}[2J".to_owned());
        let rollback = contract::Rollback { from: Some(commit()), by: by.clone() };
        let release = contract::Release { held: commit(), by, time: String::new() };
        vec![
            record(BUILD).to_json(),
            "garbage".to_owned(),
            Deployed { rollback: Some(rollback), ..record(BUILD) }.to_json(),
            Deployed { release: Some(release), ..record(BUILD) }.to_json(),
        ]
    }

    #[tokio::test]
    async fn each_version_is_told_with_what_made_it_and_who_went_back() {
        let live = parameter("/iwomp-in-aws-deployed/demo/main", &record(BUILD).to_json());
        for of in [None, Some(branch("main"))] {
            let aws = Aws { live: versions(), ..Aws::with([entry("demo", "{}"), live.clone()]) };
            let (ended, text) = said(aws, of, Output { json: false }).await;
            assert_eq!(ended.unwrap(), Exit::Done);
            for told in [
                "rolled back from 0123456789ab by ada",
                "0123456789ab released by ada",
                "build 7",
                "no record: it is not",
            ] {
                assert!(text.contains(told), "{told}: {text}");
            }
            assert!(!text.contains('\x1b'), "{text:?}");
        }
    }

    #[tokio::test]
    async fn json_has_every_version() {
        let aws = Aws { live: versions(), ..Aws::with([entry("demo", "{}")]) };
        let (_, text) = said(aws, Some(branch("main")), Output { json: true }).await;
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&document["shape"], document["records"].as_array().unwrap().len()), (&json!("history"), 4));
    }

    #[tokio::test]
    async fn what_was_never_live_is_told_from_what_is_not_there() {
        let (ended, text) = said(Aws::with([entry("demo", "{}")]), None, Output { json: false }).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        assert_eq!(text, "nothing was ever live of demo, as far as SSM remembers\n");
        let (ended, _) = said(Aws::default(), None, Output { json: false }).await;
        assert_eq!(ended.unwrap_err().exit, Exit::NotThere);
    }

    /// What the notifier says of the end of a build, some seconds after the epoch.
    fn report(seconds: i64, build: usize, more: serde_json::Value) -> (i64, serde_json::Value) {
        let mut line = json!({
            "outcome": "deployed", "project": "demo", "branch": "main", "commit": COMMIT, "build": format!("iwomp-in-aws--demo:{build}"),
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (seconds, line)
    }

    /// So many versions of demo's main, of the builds from 1000 on.
    fn full(count: usize) -> Vec<String> {
        (0..count).map(|number| record(&format!("iwomp-in-aws--demo:{}", 1000 + number)).to_json()).collect()
    }

    #[tokio::test]
    async fn what_ssm_keeps_no_more_is_known_from_the_notifiers_log() {
        let reports = vec![
            report(10, 1, json!({"trigger": TRIGGER_ID})),
            report(20, 2, json!({"rolled_back_by": "operators/ada"})),
            report(21, 2, json!({"rolled_back_by": "operators/ada"})),
            report(30, 3, json!({"project": "shop"})),
            report(40, 4, json!({"outcome": "superseded"})),
            report(50, 5, json!({"branch": "fix/1"})),
            report(60, 1000, json!({})),
            report(EPOCH_SECONDS + 2 * 86_400, 6, json!({})),
        ];
        for (count, builds) in [(KEPT, vec!["iwomp-in-aws--demo:2", "iwomp-in-aws--demo:1"]), (KEPT - 1, vec![])] {
            let aws = || Aws { live: full(count), reports: reports.clone(), ..Aws::with([entry("demo", "{}")]) };
            let (ended, text) = said(aws(), Some(branch("main")), Output { json: true }).await;
            assert_eq!(ended.unwrap(), Exit::Done);
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            let told = document["reported"].as_array().unwrap();
            assert_eq!(told.iter().map(|report| report["build"].as_str().unwrap()).collect::<Vec<_>>(), builds);
            assert_eq!(document["records"].as_array().unwrap().len(), count);
            let (_, text) = said(aws(), Some(branch("main")), Output { json: false }).await;
            let last: Vec<_> = text.lines().rev().take(2).collect();
            assert_eq!(last[0].ends_with("build 1, by the notifier's log"), count == KEPT, "{last:?}");
            assert_eq!(last[1].contains("rolled back by operators/ada, build 2; by the"), count == KEPT, "{last:?}");
        }
    }
}
