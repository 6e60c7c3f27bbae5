//! Asks something from inside a build of a project, by the caller's own right to start builds: whether the Git host takes the
//! project's credentials, or all that a deployment needs of its image. The worker deploys and writes nothing then, and who can
//! publish triggers cannot ask.

use std::time::Duration;

use anyhow::Context;
use aws_sdk_codebuild::types::{Build, EnvironmentVariable, EnvironmentVariableType};
use contract::finding::{Finding, Findings};
use contract::{ProjectName, variable};
use iwomp_aws::{aws_error, builds, ending};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::builds::Log;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;

const LOOK: Duration = Duration::from_secs(2);
/// CodeBuild takes up to a minute to begin; the host, if it does not answer, is asked again for some minutes.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// CloudWatch shows the last line some seconds after it was written.
const LAST_LINE: Duration = Duration::from_secs(2);
const LOOKS_FOR_LAST_LINE: usize = 5;

/// What the build said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answer {
    pub build: String,
    /// By how the build ended, as CodeBuild tells. A host that anybody may read from takes whatever there is, and asks for none:
    /// `reason` says so.
    pub is_taken: bool,
    /// In the words of the worker, which alone writes into the log of such a build.
    pub reason: String,
}

/// What a build said of itself.
#[derive(Debug)]
pub struct Examined {
    pub answer: Answer,
    /// In the words of the image, which may be anybody's.
    pub findings: Vec<Finding>,
}

/// Whether the Git host takes the credentials of the project.
///
/// # Errors
/// If no build can be started now, or if AWS does not tell how it ended.
pub async fn ask_git_host(pipeline: &Pipeline, project: &ProjectName) -> Result<Answer, Failure> {
    let build = ask(pipeline, project, variable::GIT_HOST).await?;
    let said = last_words(pipeline, &build).await?;
    answer(build, &said)
}

/// Whether the project can be deployed in its image, as its role, from its Git host.
///
/// # Errors
/// Like [`ask_git_host`].
pub async fn examine_image(pipeline: &Pipeline, project: &ProjectName) -> Result<Examined, Failure> {
    let build = ask(pipeline, project, variable::IMAGE).await?;
    let said = last_words(pipeline, &build).await?;
    let found = Findings::find(&said.concat(), project);
    Ok(Examined { answer: answer(build, &said)?, findings: found.map_or_else(Vec::new, |found| found.findings) })
}

/// The build that was asked, which is over.
async fn ask(pipeline: &Pipeline, project: &ProjectName, question: &str) -> Result<Build, Failure> {
    let id = start(pipeline, project, question).await?;
    let mut looks = LONGEST.as_secs() / LOOK.as_secs();
    loop {
        let found = builds::get(&pipeline.codebuild, vec![id.clone()]).await;
        let found = found.map_err(aws_error).with_context(|| format!("reading the build {id}"))?;
        match found.into_iter().next().filter(builds::has_ended) {
            Some(build) => return Ok(build),
            None if looks == 0 => {
                let what = format!("build {id}, which asks the {question}, does not end");
                return Err(Failure::new(Exit::Waiting, what).advise(format!("iwomp logs {project} --build {id}")));
            }
            None => sleep(LOOK).await,
        }
        looks -= 1;
    }
}

fn answer(build: Build, said: &[String]) -> Result<Answer, Failure> {
    let reason = said.iter().rev().find_map(|line| reason(line)).unwrap_or_else(|| ending::said(&build));
    let is_taken = builds::succeeded(&build);
    Ok(Answer { build: build.id.context("CodeBuild did not say which build that was")?, is_taken, reason })
}

/// For who does not wait for the answer.
#[must_use]
pub fn goes_on(project: Option<&ProjectName>) -> String {
    let whose = project.map(|project| format!(" {project}")).unwrap_or_default();
    format!("the build that asks goes on if it was started, and deploys nothing: iwomp status{whose}")
}

async fn start(pipeline: &Pipeline, project: &ProjectName, question: &str) -> Result<String, Failure> {
    let build_project = pipeline.build_project(project);
    let mut call = pipeline.codebuild.start_build().project_name(&build_project);
    for (name, value) in [(variable::PROJECT, project.as_str()), (variable::QUESTION, question)] {
        let variable =
            EnvironmentVariable::builder().name(name).value(value).r#type(EnvironmentVariableType::Plaintext);
        call = call.environment_variables_override(variable.build().context("naming a variable of the build")?);
    }
    match call.send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_account_limit_exceeded_exception()) => {
            let what =
                format!("a build of {project} runs, or the account has none to spare: the {question} was not asked");
            Err(Failure::new(Exit::Waiting, what).advise("ask again when it is over: iwomp status"))
        }
        answer => {
            let answer = answer.map_err(aws_error).with_context(|| format!("starting a build of {build_project}"))?;
            let id = answer.build_value.and_then(|build| build.id);
            Ok(id.context("CodeBuild did not say which build it started: see iwomp status")?)
        }
    }
}

/// The lines of its log, with the worker's last one, if that comes.
async fn last_words(pipeline: &Pipeline, build: &Build) -> Result<Vec<String>, Failure> {
    let (mut log, mut said) = (Log::default(), Vec::new());
    for look in 0..LOOKS_FOR_LAST_LINE {
        if look > 0 {
            sleep(LAST_LINE).await;
        }
        said.extend(log.more(pipeline, build).await?.into_iter().map(|line| line.text));
        if said.iter().any(|line| reason(line).is_some()) {
            break;
        }
    }
    Ok(said)
}

/// What the worker's last line gives as one.
fn reason(line: &str) -> Option<String> {
    let said: Value = serde_json::from_str(line).ok()?;
    said["reason"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::StatusType;
    use contract::finding::About;

    use super::*;
    use crate::fixtures::{Aws, build, entry, failed_with, project};

    /// The build that is started is the eighth.
    async fn ask(mut build: Build, log: &'static str) -> (Answer, Vec<(String, String)>) {
        build.id = Some("iwomp-in-aws--demo:8".to_owned());
        let aws = Aws { builds: vec![build], log: vec!["iwomp: asking", log], ..Aws::with([entry("demo", "{}")]) };
        let (pipeline, done) = aws.pipeline();
        let answer = ask_git_host(&pipeline, &project("demo")).await.unwrap();
        let (_, variables) = done.lock().unwrap().started.remove(0);
        (answer, variables)
    }

    #[tokio::test]
    async fn the_answer_is_how_the_build_ended_in_the_workers_words() {
        const TAKEN: &str = r#"{"outcome":"unchanged","reason":"the Git host takes them"}"#;
        let (answer, variables) = ask(build(8, StatusType::Succeeded), TAKEN).await;
        assert_eq!((answer.is_taken, answer.reason.as_str()), (true, "the Git host takes them"));
        let named = [("PROJECTNAME", "demo"), ("QUESTION", "git-host")];
        assert_eq!(variables, named.map(|(name, value)| (name.to_owned(), value.to_owned())), "and no branch");
        // What a log says does not count against CodeBuild's word.
        let (answer, _) = ask(failed_with(StatusType::Failed, "exit status 69"), TAKEN).await;
        assert!(!answer.is_taken);
    }

    #[tokio::test]
    async fn what_a_build_found_in_its_image_is_read_from_its_log_and_is_of_its_project() {
        const FOUND: &str =
            r#"{"findings":[{"grade":"problem","check":"git","project":"x","saw":"old","to_do":"renew"}]}"#;
        let mut build = failed_with(StatusType::Failed, "exit status 69");
        build.id = Some("iwomp-in-aws--demo:8".to_owned());
        let log = vec!["iwomp: asking", FOUND, r#"{"outcome":"failed","reason":"in its way: git"}"#];
        let aws = Aws { builds: vec![build], log, ..Aws::with([entry("demo", "{}")]) };
        let (pipeline, done) = aws.pipeline();
        let examined = examine_image(&pipeline, &project("demo")).await.unwrap();
        assert_eq!(examined.findings, [About::of(&project("demo"), "in-build git").problem("old", "renew")]);
        assert_eq!((examined.answer.is_taken, examined.answer.reason.as_str()), (false, "in its way: git"));
        assert_eq!(done.lock().unwrap().started[0].1[1], ("QUESTION".to_owned(), "image".to_owned()));
    }

    #[tokio::test]
    async fn where_another_build_runs_nothing_is_asked() {
        let (pipeline, _) = Aws { is_busy: true, ..Aws::with([entry("demo", "{}")]) }.pipeline();
        assert_eq!(ask_git_host(&pipeline, &project("demo")).await.unwrap_err().exit, Exit::Waiting);
    }
}
