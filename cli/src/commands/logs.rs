//! `iwomp logs`: the log of the build that was asked for, never of another. It ends with the build's own result.

use aws_sdk_codebuild::types::Build;
use contract::{Outcome, ProjectName, variable};
use iwomp_aws::builds as of_aws;
use jiff::Timestamp;

use crate::arguments::{LogsArguments, Output};
use crate::builds::{self, Log};
use crate::end::End;
use crate::exit::{Exit, Failure};
use crate::follow::{self, Deadline, LastWord, LogAs, Which};
use crate::interrupt::unless_interrupted;
use crate::json;
use crate::launcher_log::{self, IS_CUT, Lines, Said};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::Terminal;
use crate::when;

pub async fn run(pipeline: &Pipeline, arguments: &LogsArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let project = &arguments.project;
    let spinner = terminal.spinner(&format!("looking for the build of {project}"));
    let Some(chosen) = spinner.during(choose(pipeline, arguments, terminal)).await.transpose()? else {
        return Ok(Exit::Interrupted);
    };
    let build = match chosen {
        Chosen::Build(build) => build,
        Chosen::Word(trigger, said) => {
            return end(follow::answered(&said, Which::Trigger(trigger), terminal), &arguments.output, terminal);
        }
    };
    let id = build.id().unwrap_or_default().to_owned();
    let branch = of_aws::variable_of(&build, variable::BRANCH).unwrap_or("?");
    let started = build.start_time().and_then(when::of_aws);
    let started = started.map(|time| format!(", started {}", when::ago(time, Timestamp::now()))).unwrap_or_default();
    terminal.note(&format!("build {id} of {project} {branch}{started}"));
    if let Some(ended) = unless_interrupted(tell(pipeline, arguments, *build, terminal)).await {
        return ended;
    }
    terminal.note(&format!("what the build does goes on: iwomp logs {project} --build {id} --follow"));
    Ok(Exit::Interrupted)
}

async fn tell(
    pipeline: &Pipeline,
    arguments: &LogsArguments,
    build: Build,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let LogsArguments { project, follow, timeout, output, .. } = arguments;
    let log_as = if output.json { LogAs::Json } else { LogAs::Text };
    let build = if *follow {
        let id = build.id().unwrap_or_default();
        follow::build(pipeline, id, log_as, Deadline::within(timeout.0), terminal).await?
    } else {
        let _spinner = terminal.spinner("reading the log");
        follow::show(Log::default().more(pipeline, &build).await?, log_as, terminal)?;
        build
    };
    match follow::result(pipeline, project, &build, terminal).await? {
        Some(ended) => end(ended, output, terminal),
        None => {
            terminal.note(&format!("build {} runs on: --follow stays with it", build.id().unwrap_or_default()));
            Ok(Exit::Waiting)
        }
    }
}

/// The last line, where each is a document; people have been told already.
fn end((exit, end): (Exit, End), output: &Output, terminal: &mut Terminal) -> Result<Exit, Failure> {
    if output.json {
        terminal.json_line(&json::document(&end)?);
    }
    Ok(exit)
}

/// What there is to tell of.
enum Chosen<'a> {
    Build(Box<Build>),
    /// The launcher's last word on a trigger that has no build of its own.
    Word(&'a str, Box<Said>),
}

async fn choose<'a>(
    pipeline: &Pipeline,
    arguments: &'a LogsArguments,
    terminal: &mut Terminal,
) -> Result<Chosen<'a>, Failure> {
    let project = &arguments.project;
    let build = match &arguments.build {
        Some(id) => Some(builds::named(pipeline, project, id).await?),
        None => builds::newest(pipeline, project, arguments.trigger.as_deref()).await?,
    };
    if let Some(build) = build {
        if arguments.build.is_none() && arguments.trigger.is_none() {
            warn_of_newer(pipeline, project, &build, terminal).await?;
        }
        return Ok(Chosen::Build(Box::new(build)));
    }
    register::entry(pipeline, project).await?;
    match &arguments.trigger {
        Some(trigger) => without_build(pipeline, project, trigger).await,
        None => Err(Failure::new(Exit::NotThere, format!("{project} has not been built yet"))
            .advise(format!("iwomp status {project} says what waits and what was refused"))),
    }
}

/// What the launcher has said of a trigger of which no recent build is.
async fn without_build<'a>(
    pipeline: &Pipeline,
    project: &ProjectName,
    trigger: &'a str,
) -> Result<Chosen<'a>, Failure> {
    let LastWord { said, is_cut } = follow::last_word(pipeline, Which::Trigger(trigger)).await?;
    match (said, is_cut) {
        (Some(said), _) => match &said.line.build {
            // Its own, and older than the builds that were looked at.
            Some(build) if said.outcome() == Outcome::Started => {
                Ok(Chosen::Build(Box::new(builds::named(pipeline, project, build).await?)))
            }
            _ => Ok(Chosen::Word(trigger, Box::new(said))),
        },
        (None, true) => {
            let what = format!("{IS_CUT}: whether it has seen the trigger {trigger} is not known");
            Err(Failure::new(Exit::Unknown, what))
        }
        (None, false) => {
            let what = format!("the launcher has not seen the trigger {trigger}");
            Err(Failure::new(Exit::NotThere, what)
                .advise("the topic's dead-letter queue has what SNS could not deliver"))
        }
    }
}

/// Who asked for a deployment and looks at its log shall not take the build before it for it.
async fn warn_of_newer(
    pipeline: &Pipeline,
    project: &ProjectName,
    build: &Build,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let Some(started) = build.start_time().and_then(when::of_aws) else { return Ok(()) };
    let heard = launcher_log::since(pipeline, started, Lines::OfProject(project)).await?;
    if heard.is_cut {
        terminal.note(&format!("{IS_CUT}: whether this is of the newest trigger is not known"));
    }
    let newest = launcher_log::last_words(heard.said).pop();
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

    use aws_sdk_codebuild::primitives::DateTime;
    use aws_sdk_codebuild::types::StatusType;
    use serde_json::{Value, json};

    use super::*;
    use crate::arguments::Patience;
    use crate::commands::wait::until_done;
    use crate::fixtures::{
        Aws, BUILD, EPOCH_SECONDS, TRIGGER_ID, build, entry, failed_with, project, record, terminal,
        terminal_with_notes,
    };

    const OTHER: &str = "00000000-0000-4000-8000-000000000001";

    const TEXT: Output = Output { json: false };

    fn arguments() -> LogsArguments {
        let timeout = Patience(Duration::from_secs(60));
        LogsArguments { project: project("demo"), trigger: None, build: None, follow: false, timeout, output: TEXT }
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
    async fn json_has_a_document_a_line_and_last_how_it_ended() {
        let output = Output { json: true };
        let documents =
            |text: String| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
        for follow in [false, true] {
            let (ended, text) = logs(deployed(), LogsArguments { output, follow, ..arguments() }).await;
            assert_eq!(ended.unwrap(), Exit::Done);
            assert!(!text.contains('\x1b'), "{text:?}");
            let documents = documents(text);
            let said: Vec<_> = documents.iter().filter(|document| document["shape"] == "logs").collect();
            assert_eq!((said.len(), &said[1]["text"]), (5, &json!("two\x1b[31m")));
            assert_eq!(said[1]["at"], json!(Timestamp::from_second(EPOCH_SECONDS).unwrap()));
            assert_eq!((&documents[5]["shape"], &documents[5]["outcome"]), (&json!("wait"), &json!("deployed")));
        }
        let running = Aws { builds: vec![build(7, StatusType::InProgress)], ..deployed() };
        let (ended, text) = logs(running, LogsArguments { output, ..arguments() }).await;
        assert_eq!((ended.unwrap(), documents(text).len()), (Exit::Waiting, 5), "it is not over");
        let refused = json!({"outcome":"refused","reason":"no","trigger":OTHER,"project":"demo"});
        let aws = Aws { lines: vec![(Timestamp::now().as_second(), refused)], ..deployed() };
        let (ended, text) = logs(aws, LogsArguments { output, trigger: Some(OTHER.to_owned()), ..arguments() }).await;
        assert_eq!(ended.unwrap(), Exit::Refused);
        assert_eq!(documents(text)[0]["outcome"], "refused");
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
    async fn a_trigger_without_a_build_of_its_own_says_why_and_ends_as_wait_does() {
        let now = Timestamp::now().as_second();
        let redrive = "mend the cause, then iwomp redrive";
        for (line, exit, told) in [
            (json!({"outcome":"refused","reason":"no such branch"}), Exit::Refused, "of demo: no such branch; correct"),
            (json!({"outcome":"busy","reason":"it builds"}), Exit::Waiting, "it builds; iwomp wait stays with it"),
            (json!({"outcome":"covered","build":BUILD}), Exit::Done, "; the build that answered it: iwomp logs demo"),
            (
                json!({"outcome":"failed","class":"keeps_failing","build":BUILD}),
                Exit::Failed,
                "iwomp logs demo --build",
            ),
            (json!({"outcome":"superseded","class":"not_ahead","reason":"it is older"}), Exit::Done, "it is older\n"),
            (json!({"outcome":"failed","class":"misconfigured","fate":"given_up"}), Exit::Failed, redrive),
            (json!({"outcome":"expired","fate":"given_up","reason":"too long"}), Exit::Failed, redrive),
        ] {
            let mut line = line;
            line["trigger"] = json!(OTHER);
            line["project"] = json!("demo");
            if line["class"] == "keeps_failing" {
                line["fate"] = json!("answered");
            }
            let (pipeline, _) = Aws { lines: vec![(now, line.clone())], ..deployed() }.pipeline();
            let (mut terminal, said) = terminal_with_notes();
            let arguments = LogsArguments { trigger: Some(OTHER.to_owned()), ..arguments() };
            assert_eq!(run(&pipeline, &arguments, &mut terminal).await.unwrap(), exit, "{line}");
            let text = said.text();
            assert!(text.contains(told) && !text.contains("error: "), "{text}");
            assert_eq!(text.contains("redrive"), told == redrive, "{text}");
            let deadline = Deadline::within(Duration::ZERO);
            let waited = until_done(&pipeline, Which::Trigger(OTHER), deadline, &TEXT, &mut terminal).await;
            assert_eq!(waited.unwrap_or_else(|failure| failure.exit), exit, "{line}");
        }
        for (is_endless, exit) in [(false, Exit::NotThere), (true, Exit::Unknown)] {
            let arguments = LogsArguments { trigger: Some(OTHER.to_owned()), ..arguments() };
            let (ended, _) = logs(Aws { is_endless, ..deployed() }, arguments).await;
            assert_eq!(ended.unwrap_err().exit, exit);
        }
    }

    #[tokio::test]
    async fn a_build_that_a_trigger_started_is_found_however_old_it_is() {
        let line = json!({"outcome":"started","trigger":OTHER,"project":"demo","build":BUILD});
        let aws = Aws { lines: vec![(Timestamp::now().as_second(), line)], ..deployed() };
        let (ended, text) = logs(aws, LogsArguments { trigger: Some(OTHER.to_owned()), ..arguments() }).await;
        assert_eq!((ended.unwrap(), text.lines().count()), (Exit::Done, 5));
    }

    #[tokio::test]
    async fn who_sees_an_older_build_than_that_of_the_newest_trigger_is_told_so() {
        let of = |project: &str| {
            (Timestamp::now().as_second(), json!({"outcome":"refused","trigger":OTHER,"project":project}))
        };
        let told = format!("this is not of the newest trigger: {OTHER} was refused");
        for (lines, is_endless, is_told) in
            [(vec![of("demo")], false, true), (vec![of("shop")], false, false), (vec![], true, false)]
        {
            let started = Some(DateTime::from_secs(Timestamp::now().as_second() - 60));
            let mut aws = Aws { lines, is_endless, ..deployed() };
            aws.builds[0].start_time = started;
            let (pipeline, done) = aws.pipeline();
            let (mut terminal, said) = terminal_with_notes();
            assert_eq!(run(&pipeline, &arguments(), &mut terminal).await.unwrap(), Exit::Done);
            assert_eq!(said.text().contains(&told), is_told, "{}", said.text());
            assert_eq!(said.text().contains(IS_CUT), is_endless, "{}", said.text());
            // Of a busy launcher nobody reads what it says of others.
            assert!(done.lock().unwrap().patterns.iter().all(|pattern| pattern == "{ $.project = \"demo\" }"));
        }
    }

    #[tokio::test]
    async fn a_passing_fault_at_the_very_end_does_not_cost_the_result() {
        let (pipeline, _) = Aws { history_faults: 1, ..deployed() }.pipeline();
        let (mut terminal, said) = terminal_with_notes();
        assert_eq!(run(&pipeline, &arguments(), &mut terminal).await.unwrap(), Exit::Done);
        assert!(said.text().contains("looking again"), "{}", said.text());
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
