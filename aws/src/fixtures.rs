//! An AWS for tests: builds as CodeBuild describes them, and answers of CodeBuild and SSM that hold what a test puts in.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::must_use_candidate)]

use aws_sdk_codebuild::operation::batch_get_builds::BatchGetBuildsOutput;
use aws_sdk_codebuild::operation::list_builds_for_project::{ListBuildsForProjectError, ListBuildsForProjectOutput};
use aws_sdk_codebuild::primitives::DateTime;
use aws_sdk_codebuild::types::error::ResourceNotFoundException;
use aws_sdk_codebuild::types::{
    Build, BuildPhase, BuildPhaseType, EnvironmentVariable, LogsLocation, PhaseContext, ProjectEnvironment, StatusType,
};
use aws_sdk_ssm::operation::get_parameter::{GetParameterError, GetParameterOutput};
use aws_sdk_ssm::operation::get_parameter_history::{GetParameterHistoryError, GetParameterHistoryOutput};
use aws_sdk_ssm::operation::get_parameters_by_path::GetParametersByPathOutput;
use aws_sdk_ssm::types::error::ParameterNotFound;
use aws_sdk_ssm::types::{Parameter, ParameterHistory, ParameterType};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use contract::{CommitId, ConfigPath, Deployed, ProjectName, printable};
use serde_json::Value;

pub const BUILD: &str = "iwomp-in-aws--demo:7";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const TRIGGER_ID: &str = "95df01b4-ee98-5cb9-9903-4c221d41eb5e";
/// The build with the number n ended n minutes later.
pub const EPOCH_SECONDS: i64 = 1_795_413_600; // 2026-11-23T06:00:00Z

pub fn config_path() -> ConfigPath {
    ConfigPath::parse("iwomp-in-aws").unwrap()
}

pub fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

/// Whether nothing in it can move a cursor, reorder a line or hide.
pub fn is_harmless(value: &Value) -> bool {
    match value {
        Value::String(text) => printable(text, usize::MAX) == *text,
        Value::Array(values) => values.iter().all(is_harmless),
        Value::Object(map) => map.iter().all(|(key, value)| printable(key, usize::MAX) == *key && is_harmless(value)),
        _ => true,
    }
}

const ASKED: &[(&str, &str)] =
    &[("CONFIGPATH", "iwomp-in-aws"), ("PROJECTNAME", "demo"), ("GITBRANCH", "main"), ("TRIGGERID", TRIGGER_ID)];

fn new_build(build_project: &str, number: i64, status: StatusType, variables: &[(&str, &str)], message: &str) -> Build {
    let mut environment = ProjectEnvironment::builder()
        .r#type("LINUX_CONTAINER".into())
        .image("image")
        .compute_type("BUILD_GENERAL1_SMALL".into());
    for (name, value) in variables {
        environment = environment
            .environment_variables(EnvironmentVariable::builder().name(*name).value(*value).build().unwrap());
    }
    let phase = |kind, status: StatusType, message: &str| {
        let context = PhaseContext::builder().status_code("").message(message).build();
        BuildPhase::builder().phase_type(kind).phase_status(status).contexts(context).build()
    };
    let end = (status != StatusType::InProgress).then(|| DateTime::from_secs(EPOCH_SECONDS + 60 * number));
    Build::builder()
        .id(format!("{build_project}:{number}"))
        .build_number(number)
        .project_name(build_project)
        .set_end_time(end)
        .phases(phase(BuildPhaseType::Submitted, StatusType::Succeeded, ""))
        .phases(phase(BuildPhaseType::Build, status.clone(), message))
        .build_status(status)
        .environment(environment.build().unwrap())
        .logs(
            LogsLocation::builder()
                .group_name(format!("/aws/codebuild/{build_project}"))
                .stream_name(number.to_string())
                .build(),
        )
        .build()
}

pub fn build(number: i64, status: StatusType) -> Build {
    new_build("iwomp-in-aws--demo", number, status, ASKED, "")
}

pub fn build_of(project: &str, number: i64, status: StatusType) -> Build {
    new_build(&format!("iwomp-in-aws--{project}"), number, status, ASKED, "")
}

pub fn failed_with(status: StatusType, message: &str) -> Build {
    new_build("iwomp-in-aws--demo", 7, status, ASKED, message)
}

pub fn with_variables(variables: &[(&str, &str)]) -> Build {
    new_build("iwomp-in-aws--demo", 7, StatusType::Failed, variables, "")
}

/// What the worker of a build wrote of what is live.
pub fn record(build: &str) -> Deployed {
    Deployed {
        commit: CommitId::parse(COMMIT).unwrap(),
        time: "2026-11-23T06:06:50Z".to_owned(),
        build: Some(build.to_owned()),
        trigger: Some(TRIGGER_ID.to_owned()),
        held: None,
        rollback: None,
        release: None,
    }
}

/// A CodeBuild that knows the projects of these builds, oldest first, and lists so many at once.
pub fn codebuild(builds: Vec<Build>, page: usize) -> aws_sdk_codebuild::Client {
    mock_client!(aws_sdk_codebuild, RuleMode::MatchAny, &codebuild_rules(builds, page))
}

/// The same, for a client that answers more.
pub fn codebuild_rules(builds: Vec<Build>, page: usize) -> [Rule; 3] {
    use aws_sdk_codebuild::Client;
    let unknown = mock!(Client::list_builds_for_project)
        .match_requests(|input| input.project_name() != Some("iwomp-in-aws--demo"))
        .then_error(|| {
            let cause = ResourceNotFoundException::builder().message("cannot be found").build();
            ListBuildsForProjectError::ResourceNotFoundException(cause)
        });
    let [list, get] = build_rules(builds, page);
    [unknown, list, get]
}

/// Lists builds, given oldest first, and describes them.
pub fn build_rules(builds: Vec<Build>, page: usize) -> [Rule; 2] {
    use aws_sdk_codebuild::Client;
    let known = builds.clone();
    let list = mock!(Client::list_builds_for_project)
        .match_requests(|input| input.sort_order().is_none())
        .then_compute_output(move |input| {
            let newest_first = builds.iter().rev().filter(|build| build.project_name() == input.project_name());
            let ids: Vec<_> = newest_first.filter_map(|build| build.id().map(str::to_owned)).collect();
            let start: usize = input.next_token().map_or(0, |token| token.parse().unwrap());
            let end = ids.len().min(start + page);
            let token = (end < ids.len()).then(|| end.to_string());
            ListBuildsForProjectOutput::builder().set_ids(Some(ids[start..end].to_vec())).set_next_token(token).build()
        });
    let get = mock!(Client::batch_get_builds).then_compute_output(move |input| {
        let asked = known.iter().filter(|build| input.ids().iter().any(|id| build.id() == Some(id)));
        BatchGetBuildsOutput::builder().set_builds(Some(asked.cloned().collect())).build()
    });
    [list, get]
}

/// An SSM that holds these parameters, and these versions of what is live of demo's main.
pub fn ssm(parameters: Vec<Parameter>, live: Vec<String>) -> aws_sdk_ssm::Client {
    use aws_sdk_ssm::Client;
    let found = parameters.clone();
    let find = move |name: Option<&str>| found.iter().find(|parameter| parameter.name() == name).cloned();
    let is_there = find.clone();
    let get = mock!(Client::get_parameter)
        .match_requests(move |input| is_there(input.name()).is_some() && input.with_decryption() == Some(false))
        .then_compute_output(move |input| GetParameterOutput::builder().set_parameter(find(input.name())).build());
    let not_found = mock!(Client::get_parameter)
        .then_error(|| GetParameterError::ParameterNotFound(ParameterNotFound::builder().build()));
    let by_path = parameters_rule(parameters);
    let [history, no_history] = history_rules(live);
    mock_client!(aws_sdk_ssm, RuleMode::MatchAny, [&get, &not_found, &by_path, &history, &no_history])
}

pub fn parameter(name: &str, value: &str) -> Parameter {
    Parameter::builder().name(name).value(value).r#type(ParameterType::String).build()
}

/// Gives the versions of what is live of demo's main, oldest first; of no other branch anything was ever live.
pub fn history_rules(live: Vec<String>) -> [Rule; 2] {
    use aws_sdk_ssm::Client;
    let history = mock!(Client::get_parameter_history)
        .match_requests(|input| {
            input.name() == Some("/iwomp-in-aws-deployed/demo/main") && input.with_decryption() == Some(false)
        })
        .then_compute_output(move |input| {
            let start: usize = input.next_token().map_or(0, |token| token.parse().unwrap());
            let end = live.len().min(start + usize::try_from(input.max_results().unwrap()).unwrap());
            let written = DateTime::from_secs(EPOCH_SECONDS);
            let version = |value| ParameterHistory::builder().value(value).last_modified_date(written).build();
            let versions = live[start..end].iter().map(version);
            let token = (end < live.len()).then(|| end.to_string());
            GetParameterHistoryOutput::builder().set_parameters(Some(versions.collect())).set_next_token(token).build()
        });
    let no_history = mock!(Client::get_parameter_history)
        .then_error(|| GetParameterHistoryError::ParameterNotFound(ParameterNotFound::builder().build()));
    [history, no_history]
}

/// Gives what lies below a path, ten at once.
pub fn parameters_rule(parameters: Vec<Parameter>) -> Rule {
    use aws_sdk_ssm::Client;
    mock!(Client::get_parameters_by_path)
        .match_requests(|input| input.with_decryption() == Some(false))
        .then_compute_output(move |input| {
            let (path, recursive) = (input.path().unwrap(), input.recursive().unwrap_or_default());
            let is_below = |parameter: &&Parameter| {
                let rest = parameter.name().unwrap().strip_prefix(path).and_then(|rest| rest.strip_prefix('/'));
                rest.is_some_and(|rest| recursive || !rest.contains('/'))
            };
            let below: Vec<_> = parameters.iter().filter(is_below).cloned().collect();
            let start: usize = input.next_token().map_or(0, |token| token.parse().unwrap());
            let end = below.len().min(start + 10);
            let token = (end < below.len()).then(|| end.to_string());
            GetParametersByPathOutput::builder()
                .set_parameters(Some(below[start..end].to_vec()))
                .set_next_token(token)
                .build()
        })
}
