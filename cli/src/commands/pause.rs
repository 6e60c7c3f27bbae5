//! `iwomp pause` and `iwomp resume`: a parameter that the launcher looks for. While it is there, the project's triggers wait.

use anyhow::Context;
use aws_sdk_ssm::types::ParameterType;
use contract::parameter;
use iwomp_aws::aws_error;

use crate::arguments::{PauseArguments, ProjectArguments};
use crate::builds;
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::Terminal;
use crate::when;

/// Between two looks at a trigger whose project is paused, in steps of the retry delay: the launcher's longest.
const LONGEST_DELAYS: u64 = 5;

pub async fn pause(pipeline: &Pipeline, arguments: &PauseArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let PauseArguments { project, reason, change } = arguments;
    if let Some(pause) = register::entry(pipeline, project).await?.paused {
        terminal.note(&format!("{project} is paused already: {}", pause.reason));
    }
    let reason = match reason {
        Some(reason) => reason.clone(),
        None => format!("by {}", pipeline.caller().await?),
    };
    let name = parameter::paused(&pipeline.config_path, project);
    if !is_wanted(&format!("Pause {project}?"), &format!("write {name}: {reason}"), change, terminal)? {
        return Ok(Exit::Done);
    }
    let call = pipeline.ssm.put_parameter().name(&name).value(reason).r#type(ParameterType::String).overwrite(true);
    call.send().await.map_err(aws_error).with_context(|| format!("writing {name}"))?;
    terminal.line([format!("{project} is paused: its triggers wait, for {} at most", longest_wait(pipeline)).into()]);
    terminal.note("those that have waited longer become dead letters, which iwomp redrive brings back");
    if builds::running(pipeline, project).await?.is_some() {
        terminal.note(&format!("a build of it runs; to end it, too: iwomp stop {project}"));
    }
    terminal.note(&format!("when it may deploy again: iwomp resume {project}"));
    Ok(Exit::Done)
}

pub async fn resume(
    pipeline: &Pipeline,
    arguments: &ProjectArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let ProjectArguments { project, change } = arguments;
    if register::entry(pipeline, project).await?.paused.is_none() {
        terminal.line([format!("{project} is not paused").into()]);
        return Ok(Exit::Done);
    }
    let name = parameter::paused(&pipeline.config_path, project);
    if !is_wanted(&format!("Resume {project}?"), &format!("delete {name}"), change, terminal)? {
        return Ok(Exit::Done);
    }
    match pipeline.ssm.delete_parameter().name(&name).send().await {
        // Somebody else was faster.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => (),
        answer => drop(answer.map_err(aws_error).with_context(|| format!("deleting {name}"))?),
    }
    let seconds = i64::try_from(LONGEST_DELAYS * pipeline.description.retry_seconds).unwrap_or(i64::MAX);
    let line = format!("{project} deploys again: what waits comes back by itself, within {}", when::lasted(seconds));
    terminal.line([line.into()]);
    Ok(Exit::Done)
}

fn longest_wait(pipeline: &Pipeline) -> String {
    when::lasted(i64::try_from(pipeline.description.max_wait_seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::StatusType;

    use super::*;
    use crate::fixtures::{
        Aws, CALLER, Done, build, change, dry_run, entry, parameter, project, terminal, terminal_with_notes,
    };

    const NAME: &str = "/iwomp-in-aws-paused/demo";

    async fn pause_it(aws: Aws, reason: Option<&str>) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal_with_notes();
        let reason = reason.map(str::to_owned);
        let arguments = PauseArguments { project: project("demo"), reason, change: change() };
        let ended = pause(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    async fn resume_it(aws: Aws, change: crate::arguments::Change) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let arguments = ProjectArguments { project: project("demo"), change };
        let ended = resume(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn a_pause_is_kept_with_its_reason_or_with_who_made_it() {
        for (reason, written) in [(Some("we repair"), "we repair".to_owned()), (None, format!("by {CALLER}"))] {
            let (ended, done, said) = pause_it(Aws::with([entry("demo", "{}")]), reason).await;
            assert_eq!((ended.unwrap(), done.written), (Exit::Done, vec![(NAME.to_owned(), written)]));
            assert!(said.contains("demo is paused: its triggers wait, for"), "{said}");
            assert!(!said.contains("iwomp stop demo"), "{said}");
        }
        let building = Aws { builds: vec![build(1, StatusType::InProgress)], ..Aws::with([entry("demo", "{}")]) };
        assert!(pause_it(building, None).await.2.contains("to end it, too: iwomp stop demo"));
    }

    #[tokio::test]
    async fn a_project_that_is_not_there_is_not_paused() {
        let (ended, done, _) = pause_it(Aws::with([entry("other", "{}")]), None).await;
        assert_eq!((ended.unwrap_err().exit, done.written.len()), (Exit::NotThere, 0));
    }

    #[tokio::test]
    async fn a_resumed_project_is_told_when_its_triggers_come_back() {
        let paused = || Aws::with([entry("demo", "{}"), parameter(NAME, "we repair")]);
        let (ended, done, said) = resume_it(paused(), change()).await;
        assert_eq!((ended.unwrap(), done.deleted), (Exit::Done, vec![NAME.to_owned()]));
        assert!(said.contains("demo deploys again: what waits comes back by itself, within"), "{said}");

        let (_, done, said) = resume_it(paused(), dry_run()).await;
        assert_eq!((done.deleted.len(), said), (0, format!("would delete {NAME}\n")));
        let (ended, done, said) = resume_it(Aws::with([entry("demo", "{}")]), change()).await;
        assert_eq!((ended.unwrap(), done.deleted.len(), said.as_str()), (Exit::Done, 0, "demo is not paused\n"));
    }
}
