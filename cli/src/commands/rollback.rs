//! `iwomp rollback`: starts the build that goes back, by the caller's own right to start builds, past topic, queue and pause. The
//! worker checks the commit, runs it, and holds what was left.

use std::time::Duration;

use anyhow::Context;
use aws_sdk_codebuild::types::{EnvironmentVariable, EnvironmentVariableType};
use contract::{Trigger, variable};
use iwomp_aws::aws_error;
use tokio::time::{Instant, sleep};

use crate::arguments::RollbackArguments;
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::{Meaning, Terminal};

const LOOK: Duration = Duration::from_secs(5);

pub async fn run(pipeline: &Pipeline, arguments: &RollbackArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let RollbackArguments { project, branch, commit, wait, change } = arguments;
    let entry = register::entry(pipeline, project).await?;
    entry.check(&Trigger { project: project.clone(), branch: branch.clone(), commit: Some(commit.clone()) })?;
    let short = commit.short();
    let question = format!("Go back to {short} of {project} {branch}, and hold what is newer?");
    let would = format!("start a build of {} that goes back to {commit}", pipeline.build_project(project));
    if !is_wanted(&question, &would, change, terminal)? {
        return Ok(Exit::Done);
    }
    let deadline = Instant::now() + wait.map_or(Duration::ZERO, |wait| wait.0);
    let spinner = terminal.spinner(&format!("waiting until no build of {project} runs"));
    let started = unless_interrupted(start_by(deadline, pipeline, arguments)).await;
    drop(spinner);
    let Some(build) = started.transpose()? else {
        terminal.note(&format!("nothing was started, unless it was in that very moment: iwomp status {project}"));
        return Ok(Exit::Interrupted);
    };
    terminal.line([Meaning::Subject.of(&build), format!(" checks {short} and runs it").into()]);
    terminal.note(&format!("how it goes: iwomp logs {project} --build {build} --follow"));
    terminal.note(&format!(
        "what was left is held once it has succeeded: a newer commit is deployed again, or iwomp release {project} {branch}"
    ));
    Ok(Exit::Done)
}

/// The id of the build, once no other one runs.
async fn start_by(deadline: Instant, pipeline: &Pipeline, arguments: &RollbackArguments) -> Result<String, Failure> {
    let project = &arguments.project;
    loop {
        match start(pipeline, arguments).await? {
            Some(build) => return Ok(build),
            None if Instant::now() < deadline => sleep(LOOK).await,
            None => {
                let what = format!("a build of {project} runs, or the account has none to spare: nothing was started");
                let advice = format!("wait for it with --wait 30m, or end it: iwomp stop {project}");
                return Err(Failure::new(Exit::Waiting, what).advise(advice));
            }
        }
    }
}

/// The id of the build. None: CodeBuild runs one of the project already, or as many as the account may.
async fn start(pipeline: &Pipeline, arguments: &RollbackArguments) -> Result<Option<String>, Failure> {
    let build_project = pipeline.build_project(&arguments.project);
    let mut call = pipeline.codebuild.start_build().project_name(&build_project);
    for (name, value) in [
        (variable::PROJECT, arguments.project.as_str()),
        (variable::BRANCH, arguments.branch.as_str()),
        (variable::ROLLBACK, arguments.commit.as_str()),
    ] {
        let variable =
            EnvironmentVariable::builder().name(name).value(value).r#type(EnvironmentVariableType::Plaintext);
        call = call.environment_variables_override(variable.build().context("naming a variable of the build")?);
    }
    match call.send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_account_limit_exceeded_exception()) => {
            Ok(None)
        }
        answer => {
            let answer = answer.map_err(aws_error).with_context(|| format!("starting a build of {build_project}"))?;
            let id = answer.build_value.and_then(|build| build.id);
            Ok(Some(id.context("CodeBuild did not say which build it started: see iwomp status")?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Change;
    use crate::fixtures::{Aws, COMMIT, Done, branch, change, commit, dry_run, entry, project, terminal};

    async fn roll_back(aws: Aws, change: Change) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let arguments = RollbackArguments {
            project: project("demo"),
            branch: branch("main"),
            commit: commit(),
            wait: None,
            change,
        };
        let ended = run(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn a_rollback_is_a_build_of_its_own() {
        let (ended, done, said) = roll_back(Aws::with([entry("demo", "{}")]), change()).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        let variables = [("PROJECTNAME", "demo"), ("GITBRANCH", "main"), ("ROLLBACKTO", COMMIT)];
        let started = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(done.started, [("iwomp-in-aws--demo".to_owned(), started)]);
        assert!(said.starts_with("iwomp-in-aws--demo:8 checks "), "{said}");
    }

    #[tokio::test]
    async fn what_cannot_be_gone_back_to_starts_nothing() {
        let busy = Aws { is_busy: true, ..Aws::with([entry("demo", "{}")]) };
        for (aws, change, exit) in [
            (Aws::default(), change(), Some(Exit::NotThere)),
            (Aws::with([entry("demo", r#"{"branches":["release/*"]}"#)]), change(), Some(Exit::Refused)),
            (busy, change(), Some(Exit::Waiting)),
            (Aws::with([entry("demo", "{}")]), dry_run(), None),
        ] {
            let (ended, done, _) = roll_back(aws, change).await;
            assert_eq!((ended.err().map(|failure| failure.exit), done.started.len()), (exit, 0));
        }
    }
}
