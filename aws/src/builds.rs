//! The builds of a project as CodeBuild knows them, newest first, and what a build was asked to do.

use anyhow::{Context, Result};
use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::error::SdkError;
use aws_sdk_codebuild::operation::batch_get_builds::BatchGetBuildsError;
use aws_sdk_codebuild::operation::list_builds_for_project::{ListBuildsForProjectError, ListBuildsForProjectOutput};
use aws_sdk_codebuild::types::{Build, EnvironmentVariable, StatusType};
use contract::{Branch, ConfigPath, ProjectName, parameter, variable};

use crate::error::aws_error;

/// The ids of up to 100 builds, newest first, and where the next page begins.
///
/// # Errors
/// As CodeBuild says; `ResourceNotFoundException` where there is no such project.
pub async fn page(
    codebuild: &Client,
    build_project: &str,
    token: Option<String>,
) -> Result<ListBuildsForProjectOutput, SdkError<ListBuildsForProjectError>> {
    // Newest first, which is what CodeBuild does unless told otherwise. Told so, it answers an error, says its documentation,
    // where a project has more than 100 builds.
    codebuild.list_builds_for_project().project_name(build_project).set_next_token(token).send().await
}

/// The builds with these ids, 100 at most, in their order. CodeBuild gives no promise of one.
///
/// # Errors
/// As CodeBuild says.
pub async fn get(codebuild: &Client, ids: Vec<String>) -> Result<Vec<Build>, SdkError<BatchGetBuildsError>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let answer = codebuild.batch_get_builds().set_ids(Some(ids.clone())).send().await?;
    let mut builds = answer.builds.unwrap_or_default();
    builds.sort_by_key(|build| ids.iter().position(|id| build.id() == Some(id)));
    Ok(builds)
}

/// The newest builds of a project, newest first and at most so many; one call for each 100, and another one. `None`: CodeBuild
/// knows no such project.
///
/// # Errors
/// If CodeBuild fails.
pub async fn newest(
    codebuild: &Client,
    config_path: &ConfigPath,
    project: &ProjectName,
    most: usize,
) -> Result<Option<Vec<Build>>> {
    let build_project = parameter::build_project(config_path, project);
    let reading = || format!("reading the builds of {build_project}");
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let page = match page(codebuild, &build_project, token).await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            page => page.map_err(aws_error).with_context(reading)?,
        };
        let mut ids = page.ids.unwrap_or_default();
        let wanted = most.saturating_sub(found.len());
        let is_enough = ids.len() >= wanted;
        ids.truncate(wanted);
        let builds = get(codebuild, ids).await.map_err(aws_error).with_context(reading)?;
        found.extend(builds.into_iter().filter(|build| is_of(build, config_path)));
        token = page.next_token;
        if is_enough || token.is_none() {
            return Ok(Some(found));
        }
    }
}

/// Counts a project's builds. A project that was made anew counts from one again.
#[must_use]
pub fn number(build: &Build) -> i64 {
    build.build_number().unwrap_or_default()
}

#[must_use]
pub fn has_ended(build: &Build) -> bool {
    build.build_status().is_some_and(|status| *status != StatusType::InProgress)
}

#[must_use]
pub fn succeeded(build: &Build) -> bool {
    build.build_status() == Some(&StatusType::Succeeded)
}

/// Whether it is this pipeline's own: a variable of it tells, whatever its project is called.
#[must_use]
pub fn is_of(build: &Build, config_path: &ConfigPath) -> bool {
    variable_of(build, variable::CONFIG_PATH).is_none_or(|it| it == config_path.as_str())
}

/// Whether it deploys nothing, but was started by an operator to ask something, see [`variable::QUESTION`]. One that names a
/// branch is none: a worker of ours refuses it, and one that does not know questions would deploy.
#[must_use]
pub fn is_question(build: &Build) -> bool {
    variable_of(build, variable::QUESTION).is_some() && variable_of(build, variable::BRANCH).is_none()
}

/// The branch that a build was asked to deploy, if it is one.
#[must_use]
pub fn branch(build: &Build) -> Option<Branch> {
    variable_of(build, variable::BRANCH).and_then(|text| Branch::parse(text).ok())
}

/// A variable that the build was started with, see [`contract::variable`]. Whoever may start a build may have written it.
#[must_use]
pub fn variable_of<'a>(build: &'a Build, name: &str) -> Option<&'a str> {
    let variables = build.environment()?.environment_variables();
    variables.iter().find(|variable| variable.name() == name).map(EnvironmentVariable::value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{build, codebuild, config_path, project, with_variables};

    async fn numbers(builds: Vec<Build>, page: usize, most: usize) -> Vec<i64> {
        let codebuild = codebuild(builds, page);
        let found = newest(&codebuild, &config_path(), &project("demo"), most).await.unwrap().unwrap();
        found.iter().map(number).collect()
    }

    #[tokio::test]
    async fn builds_come_newest_first_over_all_pages_and_no_more_than_asked_for() {
        let builds: Vec<_> = (1..=7).map(|number| build(number, StatusType::Succeeded)).collect();
        assert_eq!(numbers(builds.clone(), 3, 100).await, [7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(numbers(builds.clone(), 3, 4).await, [7, 6, 5, 4]);
        assert!(numbers(builds, 3, 0).await.is_empty());
        assert!(numbers(Vec::new(), 3, 4).await.is_empty());
    }

    #[tokio::test]
    async fn builds_of_another_pipeline_are_left_out() {
        let foreign = with_variables(&[("CONFIGPATH", "iwomp-in-aws--demo"), ("GITBRANCH", "main")]);
        assert_eq!(numbers(vec![build(6, StatusType::Succeeded), foreign], 100, 9).await, [6]);
    }

    #[test]
    fn a_question_names_no_branch() {
        let asks = |variables| is_question(&with_variables(variables));
        assert!(asks(&[("QUESTION", "git-host")]));
        assert!(!asks(&[("QUESTION", "git-host"), ("GITBRANCH", "main")]));
        assert!(!asks(&[]));
    }

    #[tokio::test]
    async fn a_project_that_codebuild_does_not_know_has_none() {
        let codebuild = codebuild(Vec::new(), 100);
        let found = newest(&codebuild, &config_path(), &project("nowhere"), 1).await;
        assert!(found.unwrap().is_none());
    }
}
