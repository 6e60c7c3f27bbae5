//! `iwomp logs`: the log of the build that was asked for, never of another. It ends with the build's own result.

use aws_sdk_codebuild::types::Build;
use contract::{Fate, variable};
use iwomp_aws::builds as of_aws;
use jiff::Timestamp;
use tokio::signal;

use crate::arguments::LogsArguments;
use crate::builds::{self, Log};
use crate::exit::{Exit, Failure};
use crate::follow::{self, Deadline, Which};
use crate::launcher_log::{self, Lines};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::Terminal;
use crate::when;

pub async fn run(pipeline: &Pipeline, arguments: &LogsArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let project = &arguments.project;
    let build = choose(pipeline, arguments, terminal).await?;
    let id = build.id().unwrap_or_default().to_owned();
    let branch = of_aws::variable_of(&build, variable::BRANCH).unwrap_or("?");
    let started = build.start_time().and_then(when::of_aws);
    let started = started.map(|time| format!(", started {}", when::ago(time, Timestamp::now()))).unwrap_or_default();
    terminal.note(&format!("build {id} of {project} {branch}{started}"));
    let build = if arguments.follow {
        tokio::select! {
            followed = follow::build(pipeline, &id, Deadline::within(arguments.timeout.0), terminal) => followed?,
            _ = signal::ctrl_c() => {
                terminal.note(&format!("the deployment goes on: iwomp logs {project} --build {id} --follow"));
                return Ok(Exit::Interrupted);
            }
        }
    } else {
        let lines = Log::default().more(pipeline, &build).await;
        for line in lines.map_err(|error| Failure::new(Exit::Unknown, error.reason))? {
            terminal.line([line.text.into()]);
        }
        build
    };
    follow::result(pipeline, project, &build, terminal).await
}

async fn choose(pipeline: &Pipeline, arguments: &LogsArguments, terminal: &mut Terminal) -> Result<Build, Failure> {
    let project = &arguments.project;
    if let Some(id) = &arguments.build {
        return builds::named(pipeline, project, id).await;
    }
    if let Some(build) = builds::newest(pipeline, project, arguments.trigger.as_deref()).await? {
        if arguments.trigger.is_none() {
            warn_of_newer(pipeline, arguments, &build, terminal).await?;
        }
        return Ok(build);
    }
    register::entry(pipeline, project).await?;
    match &arguments.trigger {
        Some(trigger) => Err(without_build(pipeline, trigger).await?),
        None => Err(Failure::new(Exit::NotThere, format!("{project} has not been built yet"))
            .advise(format!("iwomp status {project} says what waits and what was refused"))),
    }
}

/// Why a trigger has no build of its own.
async fn without_build(pipeline: &Pipeline, trigger: &str) -> Result<Failure, Failure> {
    let Some(said) = follow::last_word(pipeline, Which::Trigger(trigger)).await? else {
        let what = format!("the launcher has not seen the trigger {trigger}");
        return Ok(
            Failure::new(Exit::NotThere, what).advise("the topic's dead-letter queue has what SNS could not deliver")
        );
    };
    let (fate, outcome) = (said.fate(), said.line.outcome.as_str());
    let reason = said.line.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let (exit, advice) = match (fate, &said.line.build) {
        (_, Some(build)) => (Exit::Done, format!("it was answered by another build: --build {build}")),
        (Fate::Waits, _) => (Exit::Waiting, format!("iwomp wait {trigger}")),
        _ if outcome == "refused" => {
            (Exit::Refused, "correct the message or the register, and trigger again".to_owned())
        }
        _ => (Exit::Failed, "mend the cause, then iwomp redrive".to_owned()),
    };
    Ok(Failure::new(exit, format!("the trigger {trigger} has no build of its own: {outcome}{reason}")).advise(advice))
}

/// Who asked for a deployment and looks at its log shall not take the build before it for it.
async fn warn_of_newer(
    pipeline: &Pipeline,
    arguments: &LogsArguments,
    build: &Build,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let Some(started) = build.start_time().and_then(when::of_aws) else { return Ok(()) };
    let said = launcher_log::since(pipeline, started, Lines::All).await?.said;
    let of_project = said.into_iter().filter(|said| said.line.project.as_deref() == Some(arguments.project.as_str()));
    let newest = launcher_log::last_words(of_project.collect()).pop();
    if let Some(said) = newest.filter(|said| said.line.build.is_none()) {
        let (trigger, reason) = (said.line.trigger.unwrap_or_default(), said.line.reason.unwrap_or_default());
        let (outcome, when) = (said.line.outcome, when::ago(said.at, Timestamp::now()));
        terminal.note(&format!("this is not of the newest trigger: {trigger} was {outcome} {when}: {reason}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_codebuild::types::StatusType;
    use serde_json::json;

    use super::*;
    use crate::arguments::Patience;
    use crate::fixtures::{Aws, BUILD, TRIGGER_ID, build, entry, failed_with, project, record, terminal};

    const OTHER: &str = "00000000-0000-4000-8000-000000000001";

    fn arguments() -> LogsArguments {
        let timeout = Patience(Duration::from_secs(60));
        LogsArguments { project: project("demo"), trigger: None, build: None, follow: false, timeout }
    }

    async fn logs(aws: Aws, arguments: LogsArguments) -> (Result<Exit, Failure>, String) {
        let (pipeline, _) = aws.pipeline();
        let (mut terminal, out) = terminal();
        let ended = run(&pipeline, &arguments, &mut terminal).await;
        (ended, out.text())
    }

    fn deployed() -> Aws {
        let log = vec!["one", "two\x1b[31m", "three", "four\x1b[2J", "five"];
        let live = vec![record(BUILD).to_json()];
        Aws { builds: vec![build(7, StatusType::Succeeded)], live, log, ..Aws::with([entry("demo", "{}")]) }
    }

    #[tokio::test]
    async fn the_whole_log_is_printed_and_the_exit_status_is_the_builds() {
        let named = LogsArguments { build: Some(BUILD.to_owned()), ..arguments() };
        let triggered = LogsArguments { trigger: Some(TRIGGER_ID.to_owned()), ..arguments() };
        let followed = LogsArguments { follow: true, ..arguments() };
        let by_its_end = LogsArguments { build: Some("7".to_owned()), ..arguments() };
        for arguments in [arguments(), named, by_its_end, triggered, followed] {
            let (ended, text) = logs(deployed(), arguments).await;
            assert_eq!((ended.unwrap(), text.as_str()), (Exit::Done, "one\ntwo\nthree\nfour\nfive\n"));
        }
        for (status, message, exit) in [
            (StatusType::Failed, "exit status 1", Exit::Failed),
            (StatusType::Failed, "exit status 77", Exit::Refused),
            (StatusType::Stopped, "", Exit::Failed),
            (StatusType::InProgress, "", Exit::Waiting),
        ] {
            let aws = Aws { builds: vec![failed_with(status, message)], ..deployed() };
            assert_eq!(logs(aws, arguments()).await.0.unwrap(), exit, "{message}");
        }
    }

    #[tokio::test]
    async fn another_build_than_the_one_asked_for_is_never_shown() {
        let of_other = |build: &str| LogsArguments { build: Some(build.to_owned()), ..arguments() };
        for id in ["iwomp-in-aws--shop:7", "iwomp-in-aws--demo:8", "other--demo:7", "garbage"] {
            let (ended, text) = logs(deployed(), of_other(id)).await;
            assert_eq!((ended.unwrap_err().exit, text.as_str()), (Exit::NotThere, ""), "{id}");
        }
    }

    #[tokio::test]
    async fn a_trigger_without_a_build_of_its_own_says_why() {
        let now = Timestamp::now().as_second();
        for (line, exit, told) in [
            (json!({"outcome":"refused","reason":"no such branch"}), Exit::Refused, "refused: no such branch"),
            (json!({"outcome":"busy","reason":"it builds"}), Exit::Waiting, "busy: it builds"),
            (json!({"outcome":"covered","build":BUILD}), Exit::Done, "covered"),
            (json!({"outcome":"expired","fate":"given_up","reason":"too long"}), Exit::Failed, "expired: too long"),
        ] {
            let mut line = line;
            line["trigger"] = json!(OTHER);
            let aws = Aws { lines: vec![(now, line)], ..deployed() };
            let (ended, text) = logs(aws, LogsArguments { trigger: Some(OTHER.to_owned()), ..arguments() }).await;
            let failure = ended.unwrap_err();
            assert_eq!((failure.exit, text.as_str()), (exit, ""), "{failure}");
            assert!(failure.what.contains(told), "{failure}");
        }
        let (ended, _) = logs(deployed(), LogsArguments { trigger: Some(OTHER.to_owned()), ..arguments() }).await;
        assert_eq!(ended.unwrap_err().exit, Exit::NotThere);
    }

    #[tokio::test]
    async fn what_was_never_built_or_is_not_registered_is_told_apart() {
        let never = logs(Aws::with([entry("demo", "{}")]), arguments()).await.0.unwrap_err();
        assert!(never.what.contains("has not been built yet"), "{never}");
        let nobody = logs(Aws::with([entry("shop", "{}")]), arguments()).await.0.unwrap_err();
        assert!(nobody.what.contains("is not a registered project"), "{nobody}");
        assert_eq!((never.exit, nobody.exit), (Exit::NotThere, Exit::NotThere));
    }
}
