//! How a build ended, in the words of the contract: from its status, the contexts of its phases, and whether what is live
//! names it. What a build prints decides nothing: a command can print any line.

use anyhow::Result;
use aws_sdk_codebuild::primitives::DateTimeFormat;
use aws_sdk_codebuild::types::{Build, BuildPhase, StatusType};
use aws_sdk_ssm::Client;
use contract::failure::exit_status;
use contract::{
    Class, CommitId, ConfigPath, Deployed, Outcome, ProjectName, Report, is_trigger_id, printable, variable,
};
use serde_json::{Value, json};

use crate::builds::{branch, has_ended, is_question, succeeded, variable_of};
use crate::record::{Recorded, deployed_by};

/// Longest text of CodeBuild that is repeated, in characters.
const MAX_CONTEXT_CHARS: usize = 500;
/// Longest name that CodeBuild gives, in characters: a log group's may have 512.
const MAX_NAME_CHARS: usize = 512;

/// How a build ended. This is the only code that judges it, for the reports of the notifier and for whoever asks later.
pub struct Ending<'a> {
    pub report: Report,
    build: &'a Build,
}

impl<'a> Ending<'a> {
    /// How the build ended. Of one that succeeded the record of what is live is read, for CodeBuild does not know whether it
    /// has deployed anything. None: it still runs.
    ///
    /// # Errors
    /// If SSM fails.
    pub async fn of(
        build: &'a Build,
        project: &ProjectName,
        ssm: &Client,
        config_path: &ConfigPath,
    ) -> Result<Option<Self>> {
        if !has_ended(build) {
            return Ok(None);
        }
        let record = match (branch(build), build.id()) {
            (Some(branch), Some(id)) if succeeded(build) => {
                deployed_by(ssm, config_path, project, &branch, id, build.end_time()).await?
            }
            _ => Recorded::default(),
        };
        Ok(Some(Self::read(build, project, record)))
    }

    /// The same, for who has read what is live of the build's branch: where the build itself wrote that, nobody is asked.
    ///
    /// # Errors
    /// If SSM fails.
    pub async fn of_live(
        build: &'a Build,
        project: &ProjectName,
        live: Option<&Deployed>,
        ssm: &Client,
        config_path: &ConfigPath,
    ) -> Result<Option<Self>> {
        match live {
            Some(live) if succeeded(build) && live.build.is_some() && live.build.as_deref() == build.id() => {
                Ok(Some(Self::read(build, project, Some(live.clone()))))
            }
            _ => Self::of(build, project, ssm, config_path).await,
        }
    }

    /// `record` is what the build wrote when its command had succeeded.
    fn read(build: &'a Build, project: &ProjectName, record: impl Into<Recorded>) -> Self {
        let recorded = record.into();
        let begun = begun(build, project);
        let (outcome, class) = classify(build, &recorded, begun.commit.as_ref());
        let report = Report {
            outcome,
            class,
            reason: reason(outcome, class, build),
            commit: recorded.by_build.map(|record| record.commit).or(begun.commit),
            ..begun
        };
        Self { report, build }
    }

    /// The report, and where to read on.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut json = json!(self.report);
        let logs = self.build.logs();
        let rolls_back = variable_of(self.build, variable::ROLLBACK).is_some();
        let more = [
            ("build_status", self.build.build_status().map(|status| name(status.as_str()))),
            ("ended", self.build.end_time().and_then(|end| end.fmt(DateTimeFormat::DateTime).ok())),
            ("rolled_back_by", self.build.initiator().filter(|_| rolls_back).map(name)),
            ("log_group", logs.and_then(|logs| logs.group_name()).map(name)),
            ("log_stream", logs.and_then(|logs| logs.stream_name()).map(name)),
        ];
        for (key, value) in more {
            if let Some(value) = value {
                json[key] = json!(value);
            }
        }
        if let Some(number) = self.build.build_number() {
            json["build_number"] = json!(number);
        }
        if let Some((start, end)) = self.build.start_time().zip(self.build.end_time()) {
            json["took_seconds"] = json!(end.secs().saturating_sub(start.secs()).max(0));
        }
        json
    }
}

/// What is known of a build when it begins: what it was asked for. Of several commits that wait, the worker takes the newest that is
/// on the branch: which one that is nobody but the worker knows.
#[must_use]
pub fn begun(build: &Build, project: &ProjectName) -> Report {
    let is_one_of_several = variable_of(build, variable::WAITING).is_some_and(|waiting| !waiting.is_empty());
    let asked = variable_of(build, variable::COMMIT).filter(|_| !is_one_of_several);
    let asked = asked.or_else(|| variable_of(build, variable::ROLLBACK));
    let trigger = variable_of(build, variable::TRIGGER).filter(|text| is_trigger_id(text));
    Report {
        project: Some(project.clone()),
        branch: branch(build),
        commit: asked.and_then(|text| CommitId::parse(text).ok()),
        trigger: trigger.map(str::to_owned),
        build: build.id().map(name),
        ..Report::new(Outcome::Started)
    }
}

fn classify(build: &Build, recorded: &Recorded, asked: Option<&CommitId>) -> (Outcome, Option<Class>) {
    match build.build_status() {
        Some(StatusType::Succeeded) if is_question(build) => (Outcome::Unchanged, None),
        Some(StatusType::Succeeded) if recorded.by_build.is_some() => (Outcome::Deployed, None),
        Some(StatusType::Succeeded) if recorded.holds => (Outcome::Held, Some(Class::NothingRun)),
        Some(StatusType::Succeeded) if asked.is_some() && asked == recorded.live.as_ref() => {
            (Outcome::Unchanged, Some(Class::NothingRun))
        }
        Some(StatusType::Succeeded) => (Outcome::Superseded, Some(Class::NothingRun)),
        Some(StatusType::Failed) if is_refusal(build) => (Outcome::Refused, None),
        Some(StatusType::Stopped) => (Outcome::Failed, Some(Class::Stopped)),
        Some(StatusType::TimedOut) => (Outcome::Failed, Some(Class::TimedOut)),
        Some(StatusType::Fault) => (Outcome::Failed, Some(Class::Fault)),
        _ => (Outcome::Failed, Some(Class::Failed)),
    }
}

/// Whether a rule of the worker said no: CodeBuild's context of a phase ends with the exit status.
fn is_refusal(build: &Build) -> bool {
    let refused = format!("exit status {}", exit_status::REFUSED);
    let contexts = build.phases().iter().flat_map(BuildPhase::contexts);
    contexts.filter_map(|context| context.message()).any(|message| message.trim_end().ends_with(&refused))
}

fn reason(outcome: Outcome, class: Option<Class>, build: &Build) -> Option<String> {
    let said = said(build);
    match (outcome, class) {
        (Outcome::Superseded, _) => Some(
            "nothing was run: a newer commit of the branch was live already, or the same one, or the register wants \
                 the head and the branch had gone on"
                .to_owned(),
        ),
        (Outcome::Unchanged, Some(_)) => Some("nothing was run: this commit is live".to_owned()),
        (Outcome::Held, _) => Some(
            "nothing was run: an operator has rolled back, and this is not newer than what was rolled back from. To do: push a \
             commit that mends it, or iwomp release"
                .to_owned(),
        ),
        (Outcome::Refused, _) => Some(format!(
            "the worker refused it before the command ran ({said}). To do: the end of the build's log names the rule"
        )),
        (Outcome::Failed, Some(Class::Stopped)) => Some(format!(
            "the build was stopped by somebody ({said}). To do: see in its log what was half done, then trigger again"
        )),
        (Outcome::Failed, Some(Class::TimedOut)) => Some(format!(
            "the build reached its time limit ({said}). To do: find in its log what took so long, or raise timeout_minutes \
             of the project; then trigger again"
        )),
        (Outcome::Failed, Some(Class::Fault)) => Some(format!(
            "CodeBuild itself failed ({said}). To do: see in the build's log what was half done, then trigger again"
        )),
        (Outcome::Failed, _) => Some(format!(
            "the build failed ({said}). To do: read the end of its log, mend what it names, then trigger again"
        )),
        _ => None,
    }
}

/// What CodeBuild says of the first phase that went wrong.
#[must_use]
pub fn said(build: &Build) -> String {
    let of_phase = |phase: &BuildPhase| {
        let message =
            phase.contexts().iter().filter_map(|context| context.message()).find(|it| !it.trim().is_empty())?;
        let phase = phase.phase_type().map_or("a phase", |phase| phase.as_str());
        Some(printable(&format!("{phase}: {}", message.trim()), MAX_CONTEXT_CHARS))
    };
    build.phases().iter().find_map(of_phase).unwrap_or_else(|| "CodeBuild gives no cause".to_owned())
}

fn name(text: &str) -> String {
    printable(text, MAX_NAME_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{
        BUILD, COMMIT, TRIGGER_ID, build, config_path, failed_with, is_harmless, record, ssm, with_variables,
    };
    use aws_sdk_codebuild::primitives::DateTime;

    fn ending(build: &Build, record: Option<Deployed>) -> Ending<'_> {
        Ending::read(build, &ProjectName::parse("demo").unwrap(), record)
    }

    #[test]
    fn a_build_that_wrote_what_is_live_has_deployed_it() {
        let build = build(7, StatusType::Succeeded);
        let ending = ending(&build, Some(record(BUILD)));
        let report = &ending.report;
        assert_eq!((report.outcome, report.class, &report.reason), (Outcome::Deployed, None, &None));
        assert_eq!(report.commit.as_ref().unwrap().as_str(), COMMIT);
        let json = ending.json();
        assert_eq!((&json["branch"], &json["trigger"]), (&json!("main"), &json!(TRIGGER_ID)));
        assert_eq!(
            (&json["log_group"], &json["log_stream"]),
            (&json!("/aws/codebuild/iwomp-in-aws--demo"), &json!("7"))
        );
        assert_eq!((&json["ended"], &json["build_number"]), (&json!("2026-11-23T06:07:00Z"), &json!(7)));
    }

    #[test]
    fn a_build_that_wrote_nothing_was_superseded() {
        let build = build(7, StatusType::Succeeded);
        let report = ending(&build, None).report;
        assert_eq!((report.outcome, report.class), (Outcome::Superseded, Some(Class::NothingRun)));
        assert!(report.reason.unwrap().starts_with("nothing was run"));
    }

    #[test]
    fn a_build_that_wrote_nothing_because_its_commit_is_live_left_it_unchanged() {
        let project = ProjectName::parse("demo").unwrap();
        let live = |text: &str| Recorded { live: Some(CommitId::parse(text).unwrap()), ..Recorded::default() };
        let pinned = |commit| {
            let mut build = with_variables(&[("GITBRANCH", "main"), ("GITCOMMIT", commit)]);
            build.build_status = Some(StatusType::Succeeded);
            build
        };
        let (build, other) = (pinned(COMMIT), "b".repeat(40));
        let report = Ending::read(&build, &project, live(COMMIT)).report;
        assert_eq!((report.outcome, report.class), (Outcome::Unchanged, Some(Class::NothingRun)));
        assert_eq!(Ending::read(&build, &project, live(&other)).report.outcome, Outcome::Superseded);
        let held = Recorded { holds: true, ..live(COMMIT) };
        assert_eq!(Ending::read(&build, &project, held).report.outcome, Outcome::Held);
        let head = with_variables(&[("GITBRANCH", "main")]);
        assert_ne!(Ending::read(&head, &project, live(COMMIT)).report.outcome, Outcome::Unchanged);
    }

    #[test]
    fn of_several_commits_that_waited_only_the_record_tells_which_was_taken() {
        let asked = [("GITBRANCH", "main"), ("GITCOMMIT", COMMIT), ("WAITINGCOMMITS", "b")];
        let (several, one) = (with_variables(&asked), with_variables(&asked[..2]));
        let commit = |build: &Build, record| ending(build, record).report.commit.map(|commit| commit.to_string());
        assert_eq!((commit(&several, None), commit(&one, None)), (None, Some(COMMIT.to_owned())));
        assert_eq!(commit(&several, Some(record(BUILD))), Some(COMMIT.to_owned()));
    }

    #[test]
    fn a_build_that_wrote_nothing_while_a_commit_is_held_was_held() {
        let build = build(7, StatusType::Succeeded);
        let project = ProjectName::parse("demo").unwrap();
        let report = Ending::read(&build, &project, Recorded { holds: true, ..Recorded::default() }).report;
        assert_eq!((report.outcome, report.class), (Outcome::Held, Some(Class::NothingRun)));
        assert!(report.reason.unwrap().contains("iwomp release"));
        let deployed =
            Ending::read(&build, &project, Recorded { by_build: Some(record(BUILD)), holds: true, live: None });
        assert_eq!(deployed.report.outcome, Outcome::Deployed, "the rollback itself");
    }

    #[test]
    fn how_long_it_took_is_told_where_codebuild_knows_when_it_began() {
        let mut build = build(7, StatusType::Succeeded);
        assert!(ending(&build, None).json().get("took_seconds").is_none());
        build.start_time = build.end_time().map(|end| DateTime::from_secs(end.secs() - 90));
        assert_eq!(ending(&build, None).json()["took_seconds"], 90);
    }

    #[test]
    fn a_rollback_names_who_did_it_and_its_commit() {
        let mut build = with_variables(&[("GITBRANCH", "main"), ("ROLLBACKTO", COMMIT)]);
        build.initiator = Some("operators/ada".to_owned());
        let ending = ending(&build, None);
        assert_eq!(ending.json()["rolled_back_by"], json!("operators/ada"));
        assert_eq!(ending.report.commit.as_ref().unwrap().as_str(), COMMIT);
        let mut build = with_variables(&[("GITBRANCH", "main"), ("GITCOMMIT", COMMIT)]);
        build.initiator = Some("iwomp-in-aws--launcher/launcher".to_owned());
        assert!(
            Ending::read(&build, &ProjectName::parse("demo").unwrap(), None).json().get("rolled_back_by").is_none()
        );
    }

    #[test]
    fn the_workers_exit_status_tells_a_refusal_from_a_failure() {
        let command = "Error while executing command: iwomp-worker. Reason: exit status";
        for (message, outcome) in [
            (format!("{command} 77"), Outcome::Refused),
            (format!("{command} 77\n"), Outcome::Refused),
            (format!("{command} 1"), Outcome::Failed),
            (format!("{command} 770"), Outcome::Failed),
            ("exit status 77 is what a command prints. Reason: exit status 2".to_owned(), Outcome::Failed),
            (String::new(), Outcome::Failed),
        ] {
            let build = failed_with(StatusType::Failed, &message);
            assert_eq!(ending(&build, None).report.outcome, outcome, "{message}");
        }
    }

    #[test]
    fn every_failure_has_a_class_and_says_what_to_do() {
        for (status, class, said) in [
            (StatusType::Failed, Class::Failed, "the build failed (BUILD: broken). To do: read the end of its log"),
            (
                StatusType::Stopped,
                Class::Stopped,
                "the build was stopped by somebody (BUILD: broken). To do: see in its log",
            ),
            (StatusType::TimedOut, Class::TimedOut, "the build reached its time limit (BUILD: broken). To do: find"),
            (StatusType::Fault, Class::Fault, "CodeBuild itself failed (BUILD: broken). To do: see"),
            ("NEW_WORD".into(), Class::Failed, "the build failed (BUILD: broken)"),
        ] {
            let build = failed_with(status, "broken");
            let report = ending(&build, None).report;
            assert_eq!((report.outcome, report.class), (Outcome::Failed, Some(class)));
            assert!(report.reason.as_ref().unwrap().starts_with(said), "{report:?}");
        }
        let silent = build(7, StatusType::Fault);
        assert!(ending(&silent, None).report.reason.unwrap().contains("CodeBuild gives no cause"));
    }

    #[test]
    fn variables_of_a_build_are_told_only_if_they_are_what_they_should_be() {
        let build = with_variables(&[
            ("GITBRANCH", "main\x1b[31m"),
            ("GITCOMMIT", "HEAD"),
            ("TRIGGERID", "x"),
            ("SECRET", "canary-8"),
        ]);
        let ending = ending(&build, None);
        let report = &ending.report;
        assert_eq!((&report.branch, &report.commit, &report.trigger), (&None, &None, &None));
        assert!(!ending.json().to_string().contains("canary-8"));
    }

    #[test]
    fn nothing_that_a_build_says_reaches_a_screen_unescaped() {
        let build = failed_with(StatusType::Failed, "a\u{1b}]0;x\u{7}\r\n\u{202e}b\u{2028}c");
        let ending = ending(&build, None);
        let json = ending.json();
        assert!(is_harmless(&json) && json["reason"].as_str().unwrap().contains("a\\u{1b}]0;x"), "{json}");
        let long = failed_with(StatusType::Failed, &"x".repeat(100_000));
        assert!(Ending::read(&long, &ProjectName::parse("demo").unwrap(), None).json().to_string().len() < 2000);
    }

    #[tokio::test]
    async fn the_record_is_asked_only_where_success_alone_does_not_tell() {
        let ended = async |build: Build, versions: Vec<String>| {
            let project = ProjectName::parse("demo").unwrap();
            let ending = Ending::of(&build, &project, &ssm(Vec::new(), versions), &config_path()).await.unwrap();
            ending.map(|ending| ending.report.outcome)
        };
        let written = || vec![record(BUILD).to_json()];
        assert_eq!(ended(build(7, StatusType::Succeeded), written()).await, Some(Outcome::Deployed));
        assert_eq!(ended(build(8, StatusType::Succeeded), written()).await, Some(Outcome::Superseded));
        assert_eq!(ended(build(7, StatusType::Failed), written()).await, Some(Outcome::Failed));
        assert_eq!(ended(build(7, StatusType::InProgress), written()).await, None);
    }
}
