//! Starts builds, and reads the recent ones where a trigger may have been answered already.

use std::time::{Duration, SystemTime};

use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::error::ProvideErrorMetadata;
use aws_sdk_codebuild::types::{Build, EnvironmentVariable, EnvironmentVariableType, SortOrderType, StatusType};
use contract::{ConfigPath, Trigger, parameter, variable};

use crate::delivery::Delivery;
use crate::verdict::Stop;

/// How far the clocks of SNS and CodeBuild may differ before a build that seems to have begun after a trigger was published
/// began before. Too much costs one build that finds nothing new; too little would lose a commit.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// What the recent builds say of a waiting trigger.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// This very trigger has been started: the answer of an earlier StartBuild was lost.
    Started(String),
    /// A build that began after the trigger was published has deployed what it asks for.
    Covered(String),
}

/// Starts the project's build with nothing but the four variables of the contract.
pub async fn start(
    codebuild: &Client,
    config_path: &ConfigPath,
    trigger: &Trigger,
    trigger_id: &str,
) -> Result<String, Stop> {
    let build_project = parameter::build_project(config_path, &trigger.project);
    let answer = codebuild
        .start_build()
        .project_name(&build_project)
        .idempotency_token(trigger_id)
        .set_environment_variables_override(Some(variables(trigger, trigger_id)))
        .send()
        .await;
    match answer {
        Ok(output) => match output.build_value().and_then(Build::id) {
            Some(id) => Ok(id.to_owned()),
            None => Err(Stop::Failed {
                class: "aws_error",
                reason: format!("starting {build_project}: CodeBuild answered without a build id"),
            }),
        },
        Err(error) if error.as_service_error().is_some_and(|error| error.is_account_limit_exceeded_exception()) => {
            // CodeBuild says the same word for the project's limit of one and for the account's own limits.
            let said = error.message().unwrap_or("no reason given").to_owned();
            Err(Stop::Busy { reason: format!("{build_project} cannot start a build now ({said}): the trigger waits") })
        }
        Err(error) => Err(Stop::failed(&format!("starting {build_project}"), error)),
    }
}

fn variables(trigger: &Trigger, trigger_id: &str) -> Vec<EnvironmentVariable> {
    let pairs = [
        (variable::PROJECT, Some(trigger.project.as_str())),
        (variable::BRANCH, Some(trigger.branch.as_str())),
        (variable::COMMIT, trigger.commit.as_ref().map(|commit| commit.as_str())),
        (variable::TRIGGER, Some(trigger_id)),
    ];
    pairs
        .into_iter()
        .filter_map(|(name, value)| {
            // Spelled out: PARAMETER_STORE and SECRETS_MANAGER would make CodeBuild read what a message names.
            let kind = EnvironmentVariableType::Plaintext;
            EnvironmentVariable::builder().name(name).value(value?).r#type(kind).build().ok()
        })
        .collect()
}

/// Looks whether one of the project's latest builds (one page, 100 at most) has answered the trigger.
pub async fn find_answer(
    codebuild: &Client,
    config_path: &ConfigPath,
    trigger: &Trigger,
    delivery: &Delivery,
) -> Result<Option<Answer>, Stop> {
    let build_project = parameter::build_project(config_path, &trigger.project);
    let failed = |error| Stop::failed(&format!("reading the builds of {build_project}"), error);
    let ids = codebuild
        .list_builds_for_project()
        .project_name(&build_project)
        .sort_order(SortOrderType::Descending)
        .send()
        .await
        .map_err(|error| failed(error.into()))?
        .ids
        .unwrap_or_default();
    if ids.is_empty() {
        return Ok(None);
    }
    let builds = codebuild
        .batch_get_builds()
        .set_ids(Some(ids))
        .send()
        .await
        .map_err(|error| failed(aws_sdk_codebuild::Error::from(error)))?
        .builds
        .unwrap_or_default();
    Ok(builds.iter().find_map(|build| answer(build, trigger, delivery)))
}

fn answer(build: &Build, trigger: &Trigger, delivery: &Delivery) -> Option<Answer> {
    let id = build.id()?.to_owned();
    if variable_of(build, variable::TRIGGER) == Some(&delivery.trigger_id) {
        return Some(Answer::Started(id));
    }
    // The same commit, or both the head. A pinned build covers no unpinned trigger: it may have deployed an old commit, and
    // whoever could pin one could otherwise starve real deployments.
    let covers = variable_of(build, variable::COMMIT) == trigger.commit.as_ref().map(|commit| commit.as_str())
        && variable_of(build, variable::BRANCH) == Some(trigger.branch.as_str())
        && build.build_status() == Some(&StatusType::Succeeded)
        && started(build).is_some_and(|started| started > delivery.published + CLOCK_SKEW);
    covers.then_some(Answer::Covered(id))
}

fn variable_of<'a>(build: &'a Build, name: &str) -> Option<&'a str> {
    let variables = build.environment()?.environment_variables();
    variables.iter().find(|variable| variable.name() == name).map(EnvironmentVariable::value)
}

fn started(build: &Build) -> Option<SystemTime> {
    build.start_time().copied()?.try_into().ok()
}
