//! What an operator asks from inside a build: whether the Git host takes the project's credentials. The register and one question
//! to the host; nothing is fetched, run or written.

use contract::{Credentials, Outcome, Project, Report};
use iwomp_aws::client::SdkConfig;

use crate::app_token::AppToken;
use crate::bounds::Bounds;
use crate::deploy::{hide_secrets, private_directory};
use crate::failure::Failure;
use crate::git::{Repository, Told, Tries};
use crate::narration::Narration;
use crate::parameters::Parameters;
use crate::variables::Question;

/// Asks the host of the registered repository as a deployment would, with what a deployment would send.
///
/// # Errors
/// Whatever would end a deployment by then.
pub async fn ask_git_host(
    question: &Question,
    aws: &SdkConfig,
    bounds: &Bounds,
    narration: &mut Narration,
    report: &mut Report,
) -> Result<Outcome, Failure> {
    announce(question, "does its Git host take its credentials?", narration);
    let parameters = Parameters::new(aws_sdk_ssm::Client::new(aws), &question.config_path, &question.project);
    let mut project = bounds.or_stop("reading the register", parameters.read_project()).await?;
    hide_secrets(&project, narration);
    let own = (&question.config_path, &question.project);
    let token = AppToken::take(&mut project, aws, own, bounds, narration).await?;
    let told = ask(&project, question, bounds, narration).await;
    if let Some(token) = token {
        token.revoke(narration).await;
    }
    let answer = said(told?, project.credentials.as_ref());
    report.reason = Some(format!("{answer}; nothing was fetched or run"));
    Ok(Outcome::Unchanged)
}

/// Says what is asked, and by whom.
pub(crate) fn announce(question: &Question, asked: &str, narration: &Narration) {
    let by = question.initiator.as_deref().unwrap_or("somebody");
    narration.say("project", question.project.as_str());
    narration.say("question", &format!("{asked} asks {by}"));
}

async fn ask(project: &Project, question: &Question, bounds: &Bounds, narration: &Narration) -> Result<Told, Failure> {
    let scratch = private_directory()?;
    let repository = Repository::create(scratch.path(), &question.environment, bounds, narration).await?;
    narration.say("asking", project.git_url.as_str());
    repository.ask_host(project, Tries::AsLongAsItHelps).await
}

/// What a host means that answers.
#[must_use]
pub fn said(told: Told, credentials: Option<&Credentials>) -> &'static str {
    match (told, credentials) {
        (Told::Credentials, _) => "the Git host takes the project's credentials",
        (Told::Nothing, None) => "the Git host asks for no credentials",
        (Told::Nothing, Some(_)) => {
            "the Git host asks for no credentials, so that the project's were not tried: anybody who reaches it can read the \
             repository"
        }
    }
}
