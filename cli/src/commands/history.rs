//! `iwomp history`: what was live when, by which build and trigger, and who went back. SSM keeps a hundred versions of each record;
//! what is no record among them was not written by a worker, and is said to be none.

use anyhow::Context;
use aws_sdk_ssm::types::ParameterHistory;
use contract::{Branch, CommitId, Deployed, ProjectName, parameter};
use iwomp_aws::aws_error;
use iwomp_aws::record;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::HistoryArguments;
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::parallel::each;
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::{Meaning, Piece, Terminal};
use crate::when::ago;

/// SSM's own bound, and how many versions it keeps.
const PAGE: i32 = 50;
const MAX_PAGES: usize = 3;

#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    #[schemars(with = "String")]
    project: ProjectName,
    /// When it was looked at.
    #[schemars(with = "String")]
    at: Timestamp,
    /// Newest first.
    records: Vec<Was>,
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
    let branches = match branch {
        Some(branch) => vec![branch.clone()],
        None => {
            let found = record::live(&pipeline.ssm, &pipeline.config_path, project).await?;
            found.into_iter().filter_map(|found| found.branch).collect()
        }
    };
    let records = each(branches, |branch| versions(pipeline, project, branch)).await?;
    let mut records: Vec<_> = records.into_iter().flatten().collect();
    if records.is_empty() {
        // A wrong name has no history either.
        register::entry(pipeline, project).await?;
    }
    records.sort_by_key(|was| std::cmp::Reverse((was.written, was.version)));
    show(&History { project: project.clone(), at: Timestamp::now(), records }, output, terminal, view)?;
    Ok(Exit::Done)
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
    let rows = history.records.iter().map(|was| {
        let commit = was.commit.as_ref().map_or(Meaning::Bad.of("unreadable"), |commit| commit.short().into());
        let since = was.written.map(|written| ago(written, history.at)).unwrap_or_default();
        [was.branch.as_str().into(), since.into(), commit, was.how()]
    });
    terminal.table(["BRANCH", "SINCE", "LIVE", "BY"], rows.collect());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arguments::Output;
    use crate::fixtures::{Aws, BUILD, branch, commit, entry, parameter, project, record, terminal};

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
}
