//! One build: which one is meant, what its log says, and how it ended.

use anyhow::Context;
use aws_sdk_codebuild::types::Build;
use contract::{Outcome, ProjectName, Report, parameter, variable};
use iwomp_aws::ending::Ending;
use iwomp_aws::error::{AwsError, Effect, Kind, explain};
use iwomp_aws::{aws_error, builds};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::pipeline::Pipeline;

/// Of a project, in which the build of a trigger is looked for.
const BUILDS: usize = 100;
/// Among them is the newest deployment: what was started after it may have been a question, or refused before it ran.
const NEWEST: usize = 10;

/// The build with this id, or with this end of one.
///
/// # Errors
/// If it is none of the pipeline's, or of another project than `project`.
pub async fn named(pipeline: &Pipeline, project: &ProjectName, id: &str) -> Result<Build, Failure> {
    let not_there = || Failure::new(Exit::NotThere, format!("{id} is no build of {project}"));
    // Of a foreign id CodeBuild may say that we have no right, which would help nobody.
    let id = match id.split_once(':') {
        Some(_) => id.to_owned(),
        None => format!("{}:{id}", pipeline.build_project(project)),
    };
    let (build_project, own) = id.split_once(':').ok_or_else(not_there)?;
    let is_ours = parameter::project_of_build(&pipeline.config_path, build_project).as_ref() == Some(project);
    if !is_ours || own.is_empty() {
        return Err(not_there());
    }
    let found = builds::get(&pipeline.codebuild, vec![id.clone()]).await;
    let found = found.map_err(aws_error).with_context(|| format!("reading the build {id}"))?;
    found.into_iter().next().ok_or_else(not_there)
}

/// The newest build of a project, or the one that was started for `trigger`; none if there is none.
///
/// # Errors
/// If CodeBuild fails.
pub async fn newest(
    pipeline: &Pipeline,
    project: &ProjectName,
    trigger: Option<&str>,
) -> Result<Option<Build>, Failure> {
    let most = if trigger.is_some() { BUILDS } else { NEWEST };
    let found = builds::newest(&pipeline.codebuild, &pipeline.config_path, project, most).await?.unwrap_or_default();
    let is_of = |build: &Build| trigger.is_none_or(|it| builds::variable_of(build, variable::TRIGGER) == Some(it));
    Ok(found.into_iter().find(|build| is_of(build) && !builds::is_question(build)))
}

/// The build of a project that runs: there is one at most.
///
/// # Errors
/// If CodeBuild fails.
pub async fn running(pipeline: &Pipeline, project: &ProjectName) -> Result<Option<Build>, Failure> {
    let found = builds::newest(&pipeline.codebuild, &pipeline.config_path, project, NEWEST).await?.unwrap_or_default();
    Ok(found.into_iter().find(|build| !builds::has_ended(build)))
}

/// How a build ended; none if it still runs.
///
/// # Errors
/// If SSM fails.
pub async fn ending(pipeline: &Pipeline, project: &ProjectName, build: &Build) -> Result<Option<Report>, AwsError> {
    let ending = Ending::of(build, project, &pipeline.ssm, &pipeline.config_path).await;
    // What is not of AWS does not change by asking again.
    let ending = ending.map_err(|error| {
        error
            .downcast::<AwsError>()
            .unwrap_or_else(|error| AwsError { kind: Kind::Misconfigured, reason: format!("{error:#}") })
    });
    Ok(ending?.map(|ending| ending.report))
}

/// The exit status that a result has, a build's or the launcher's.
#[must_use]
pub fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Deployed | Outcome::Superseded | Outcome::Unchanged | Outcome::Held | Outcome::Covered => Exit::Done,
        Outcome::Refused => Exit::Refused,
        Outcome::Failed | Outcome::Expired => Exit::Failed,
        Outcome::Started | Outcome::Busy => Exit::Waiting,
    }
}

/// A line of a build's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Line {
    /// When CloudWatch says that it was said.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Anybody's words, as they were: the worker's, or the command's.
    pub text: String,
}

impl Shape for Line {
    const NAME: &'static str = "logs";
    const VERSION: u32 = 1;
}

/// A log that is read from its beginning, and then for what has come since.
#[derive(Default)]
pub struct Log {
    token: Option<String>,
}

impl Log {
    /// What is there and was not read yet. CodeBuild names the log only once the build's container runs.
    ///
    /// # Errors
    /// If CloudWatch fails.
    pub async fn more(&mut self, pipeline: &Pipeline, build: &Build) -> Result<Vec<Line>, AwsError> {
        let place = build.logs().and_then(|logs| logs.group_name().zip(logs.stream_name()));
        let Some((group, stream)) = place else { return Ok(Vec::new()) };
        let mut lines = Vec::new();
        loop {
            let call =
                pipeline.logs.get_log_events().log_group_name(group).log_stream_name(stream).start_from_head(true);
            let page = match call.set_next_token(self.token.clone()).send().await {
                // The build has said nothing yet.
                Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                    return Ok(lines);
                }
                page => {
                    page.map_err(|error| explain(&format!("reading the log {group} {stream}"), Effect::None, error))?
                }
            };
            lines.extend(page.events().iter().map(|event| Line {
                at: event.timestamp().and_then(|time| Timestamp::from_millisecond(time).ok()),
                text: event.message().unwrap_or_default().trim_end_matches(['\r', '\n']).to_owned(),
            }));
            // The end, and its only sign: a page may be empty before it.
            if page.next_forward_token.is_none() || page.next_forward_token == self.token {
                return Ok(lines);
            }
            self.token = page.next_forward_token;
        }
    }
}
