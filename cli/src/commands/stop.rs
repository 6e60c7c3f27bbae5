//! `iwomp stop`: ends what a project runs just now. Triggers that wait stay.

use anyhow::Context;
use iwomp_aws::aws_error;

use crate::arguments::ProjectArguments;
use crate::builds;
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::Terminal;

pub async fn run(pipeline: &Pipeline, arguments: &ProjectArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let ProjectArguments { project, change } = arguments;
    let entry = register::entry(pipeline, project).await?;
    let Some(build) = builds::running(pipeline, project).await? else {
        terminal.line([format!("no build of {project} runs").into()]);
        return Ok(Exit::Done);
    };
    let id = build.id().context("CodeBuild described a build without its id")?;
    let question = format!("Stop {id}? Its command gets SIGTERM and some time, and what it has changed stays.");
    if !is_wanted(&question, &format!("stop {id}"), change, terminal)? {
        return Ok(Exit::Done);
    }
    let stopping = pipeline.codebuild.stop_build().id(id).send().await;
    stopping.map_err(aws_error).with_context(|| format!("stopping {id}"))?;
    terminal.line([format!("{id} is asked to end").into()]);
    terminal.note(&format!("how it ends: iwomp logs {project} --build {id} --follow"));
    if entry.paused.is_none() {
        terminal.note(&format!("the next trigger starts another; to keep it from that: iwomp pause {project}"));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::StatusType;

    use super::*;
    use crate::arguments::Change;
    use crate::fixtures::{Aws, Done, build, change, dry_run, entry, project, terminal};

    async fn stop(status: StatusType, change: Change) -> (Result<Exit, Failure>, Done, String) {
        let aws = Aws { builds: vec![build(7, status)], ..Aws::with([entry("demo", "{}")]) };
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let arguments = ProjectArguments { project: project("demo"), change };
        let ended = run(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn the_build_that_runs_is_stopped_and_no_other() {
        let (ended, done, said) = stop(StatusType::InProgress, change()).await;
        assert_eq!((ended.unwrap(), done.stopped), (Exit::Done, vec!["iwomp-in-aws--demo:7".to_owned()]));
        assert!(said.starts_with("iwomp-in-aws--demo:7 is asked to end"), "{said}");

        let (ended, done, said) = stop(StatusType::Succeeded, change()).await;
        assert_eq!((ended.unwrap(), done.stopped.len(), said.as_str()), (Exit::Done, 0, "no build of demo runs\n"));
        let (_, done, said) = stop(StatusType::InProgress, dry_run()).await;
        assert_eq!((done.stopped.len(), said.as_str()), (0, "would stop iwomp-in-aws--demo:7\n"));
    }
}
