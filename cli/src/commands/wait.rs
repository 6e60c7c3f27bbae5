//! `iwomp wait`: follows a trigger from the queue to the end of its build, and ends as that does.

use contract::Outcome;

use crate::arguments::{Output, WaitArguments};
use crate::commands::show;
use crate::end::End;
use crate::exit::{Exit, Failure};
use crate::follow::{self, Deadline, LogAs, Which};
use crate::interrupt::unless_interrupted;
use crate::pipeline::Pipeline;
use crate::terminal::Terminal;

pub async fn run(pipeline: &Pipeline, arguments: &WaitArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let WaitArguments { trigger, project, commit, timeout, output } = arguments;
    let deadline = Deadline::within(timeout.0);
    match (trigger, project, commit) {
        (Some(trigger), ..) => until_done(pipeline, Which::Trigger(trigger), deadline, output, terminal).await,
        (None, Some(project), Some(commit)) => {
            until_done(pipeline, Which::Commit(project, commit), deadline, output, terminal).await
        }
        _ => Err(Failure::new(Exit::Usage, "which trigger is meant?")
            .advise("iwomp wait TRIGGER, or --project and --commit")),
    }
}

/// Until the trigger is done with, or Ctrl-C.
pub async fn until_done(
    pipeline: &Pipeline,
    which: Which<'_>,
    deadline: Deadline,
    output: &Output,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    // The one document is the answer then, and the log is what is said beside it.
    let log_as = if output.json { LogAs::Notes } else { LogAs::Text };
    if let Some(ended) = unless_interrupted(follow(pipeline, which, deadline, log_as, terminal)).await {
        let (exit, end) = ended?;
        // People have been told already.
        show(&end, output, terminal, |_, _| ())?;
        return Ok(exit);
    }
    terminal.note(&format!("what {which} asks for goes on; iwomp wait follows it again"));
    Ok(Exit::Interrupted)
}

async fn follow(
    pipeline: &Pipeline,
    which: Which<'_>,
    deadline: Deadline,
    log_as: LogAs,
    terminal: &mut Terminal,
) -> Result<(Exit, End), Failure> {
    let said = follow::trigger(pipeline, which, deadline, terminal).await?;
    let started = said.line.build.clone().filter(|_| said.line.outcome == Outcome::Started.as_str());
    let (Some(id), Some(project)) = (started, said.project()) else {
        return Ok(follow::answered(&said, which, terminal));
    };
    terminal.note(&format!("build {id} of {project} has started"));
    let build = follow::build(pipeline, &id, log_as, deadline, terminal).await?;
    match follow::result(pipeline, &project, &build, terminal).await? {
        Some((exit, mut end)) => {
            end.received = Some(said.waits_since());
            Ok((exit, end))
        }
        None => Err(Failure::new(Exit::Waiting, format!("build {id} is over, and CodeBuild says that it runs"))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anstream::ColorChoice;
    use aws_sdk_codebuild::primitives::DateTime;
    use aws_sdk_codebuild::types::{Build, StatusType};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{
        Aws, BUILD, COMMIT, Kept, TRIGGER_ID, build, commit, failed_with, project, record, terminal,
        terminal_with_notes,
    };

    const TEXT: Output = Output { json: false };

    /// How it ended, and what came of the log.
    async fn waited(line: Value, build: Build, which: Which<'_>, seconds: u64) -> (Result<Exit, Failure>, String) {
        let mut line = line;
        line["trigger"] = json!(TRIGGER_ID);
        line["project"] = json!("demo");
        let lines = vec![(Timestamp::now().as_second(), line)];
        let aws = Aws {
            lines,
            builds: vec![build],
            live: vec![record(BUILD).to_json()],
            log: vec!["said"],
            ..Aws::default()
        };
        let (pipeline, _) = aws.pipeline();
        let (mut terminal, out) = terminal();
        let deadline = Deadline::within(Duration::from_secs(seconds));
        let ended = until_done(&pipeline, which, deadline, &TEXT, &mut terminal).await;
        (ended, out.text())
    }

    #[tokio::test]
    async fn a_trigger_is_followed_into_its_build_and_ends_as_that_does() {
        let started = || json!({"outcome":"started","build":BUILD,"commit":COMMIT});
        let demo = project("demo");
        for (build, exit) in [
            (build(7, StatusType::Succeeded), Exit::Done),
            (failed_with(StatusType::Failed, "exit status 1"), Exit::Failed),
            (failed_with(StatusType::Failed, "exit status 77"), Exit::Refused),
        ] {
            for which in [Which::Trigger(TRIGGER_ID), Which::Commit(&demo, &commit())] {
                let (ended, text) = waited(started(), build.clone(), which, 60).await;
                assert_eq!((ended.unwrap(), text.as_str()), (exit, "said\n"));
            }
        }
    }

    #[tokio::test]
    async fn a_trigger_without_a_build_ends_as_the_launcher_says() {
        for (line, exit) in [
            (json!({"outcome":"refused","reason":"no"}), Exit::Refused),
            (json!({"outcome":"covered","build":BUILD}), Exit::Done),
            (json!({"outcome":"superseded","class":"not_ahead","fate":"answered"}), Exit::Done),
            (json!({"outcome":"failed","class":"keeps_failing","fate":"answered"}), Exit::Failed),
            (json!({"outcome":"failed","class":"misconfigured","fate":"given_up"}), Exit::Failed),
            (json!({"outcome":"expired","fate":"given_up"}), Exit::Failed),
        ] {
            let (ended, text) =
                waited(line.clone(), build(7, StatusType::Succeeded), Which::Trigger(TRIGGER_ID), 60).await;
            assert_eq!((ended.unwrap(), text.as_str()), (exit, ""), "{line}");
        }
    }

    #[tokio::test]
    async fn a_right_that_is_missing_ends_it_at_once() {
        for (code, exit) in [("AccessDeniedException", Exit::Unknown), ("ThrottlingException", Exit::Waiting)] {
            let (pipeline, _) = Aws { lines_fault: Some(code), ..Aws::default() }.pipeline();
            let (mut terminal, _) = terminal();
            let deadline = Deadline::within(Duration::from_secs(1));
            let failure =
                until_done(&pipeline, Which::Trigger(TRIGGER_ID), deadline, &TEXT, &mut terminal).await.unwrap_err();
            assert_eq!(failure.exit, exit, "{failure}");
        }
    }

    #[tokio::test]
    async fn who_waits_on_a_log_that_is_longer_than_what_is_read_is_told_so() {
        let (pipeline, _) = Aws { is_endless: true, ..Aws::default() }.pipeline();
        let (mut terminal, said) = terminal_with_notes();
        let deadline = Deadline::within(Duration::from_secs(1));
        let ended = until_done(&pipeline, Which::Trigger(TRIGGER_ID), deadline, &TEXT, &mut terminal).await;
        assert_eq!(ended.unwrap_err().exit, Exit::Waiting);
        assert!(
            said.text().contains("the launcher has said more than is read here: its last words"),
            "{}",
            said.text()
        );
    }

    #[tokio::test]
    async fn time_that_runs_out_is_neither_a_success_nor_a_failure() {
        let running = build(7, StatusType::InProgress);
        for line in [json!({"outcome":"busy","reason":"it builds"}), json!({"outcome":"started","build":BUILD})] {
            let (ended, _) = waited(line, running.clone(), Which::Trigger(TRIGGER_ID), 1).await;
            let failure = ended.unwrap_err();
            assert_eq!(failure.exit, Exit::Waiting);
            assert!(failure.what.ends_with("it goes on"), "{failure}");
        }
    }

    #[tokio::test]
    async fn the_last_word_is_one_document_and_the_log_is_beside_it() {
        let now = Timestamp::now().as_second();
        let line = |more: Value| {
            let mut line = json!({"trigger": TRIGGER_ID, "project": "demo", "branch": "main", "WaitSeconds": 10});
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            vec![(now, line)]
        };
        let started = line(json!({"outcome": "started", "build": BUILD}));
        let given_up = line(json!({"outcome": "failed", "class": "misconfigured", "reason": "no", "fate": "given_up"}));
        let (received, ended) =
            (json!(Timestamp::from_second(now - 10).unwrap()), json!(Timestamp::from_second(now).unwrap()));
        for (lines, exit, told) in [
            (
                started,
                Exit::Done,
                json!({
                    "shape": "wait", "version": 1, "trigger": TRIGGER_ID, "project": "demo", "branch": "main", "commit": COMMIT,
                    "build": BUILD, "outcome": "deployed", "class": null, "reason": null, "fate": "answered", "exit_status": 0,
                    "received": received, "started": Timestamp::from_second(now - 8).unwrap(), "ended": ended,
                }),
            ),
            (
                given_up,
                Exit::Failed,
                json!({
                    "shape": "wait", "version": 1, "trigger": TRIGGER_ID, "project": "demo", "branch": "main", "commit": null,
                    "build": null, "outcome": "failed", "class": "misconfigured", "reason": "no", "fate": "given_up",
                    "exit_status": 1, "received": received, "started": null, "ended": ended,
                }),
            ),
        ] {
            let live = vec![record(BUILD).to_json()];
            let mut of_trigger = build(7, StatusType::Succeeded);
            of_trigger.start_time = Some(DateTime::from_secs(now - 8));
            of_trigger.end_time = Some(DateTime::from_secs(now));
            let aws = Aws { lines, live, log: vec!["said"], builds: vec![of_trigger], ..Aws::default() };
            let (pipeline, _) = aws.pipeline();
            let (out, err) = (Kept::default(), Kept::default());
            let mut terminal = Terminal::to(out.clone(), err.clone(), None, ColorChoice::Never);
            let deadline = Deadline::within(Duration::from_secs(60));
            let output = Output { json: true };
            let ended = until_done(&pipeline, Which::Trigger(TRIGGER_ID), deadline, &output, &mut terminal).await;
            assert_eq!(ended.unwrap(), exit);
            assert_eq!(serde_json::from_str::<Value>(&out.text()).unwrap(), told);
            assert_eq!(err.text().contains("\nsaid\n"), exit == Exit::Done, "{}", err.text());
        }
    }

    #[tokio::test]
    async fn without_an_end_there_is_no_document() {
        let (pipeline, _) = Aws::default().pipeline();
        let (mut terminal, out) = terminal();
        let deadline = Deadline::within(Duration::ZERO);
        let output = Output { json: true };
        let ended = until_done(&pipeline, Which::Trigger(TRIGGER_ID), deadline, &output, &mut terminal).await;
        assert_eq!((ended.unwrap_err().exit, out.text().as_str()), (Exit::Waiting, ""));
    }
}
