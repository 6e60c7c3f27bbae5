//! What a build of the project finds: AWS, the role that it has there, the register entry, the deploy role, the Git host.

use std::time::Duration;

use aws_sdk_sts::Client;
use contract::Project;
use contract::finding::{About, Finding};
use iwomp_aws::aws_error;
use iwomp_aws::client::{self, SdkConfig};

use crate::app_token::AppToken;
use crate::aws;
use crate::bounds::Bounds;
use crate::deploy::private_directory;
use crate::failure::{Failure, Kind};
use crate::git::{Repository, Told, Tries};
use crate::narration::Narration;
use crate::parameters::Parameters;
use crate::question;
use crate::session;
use crate::variables::Question;

/// Who asks can ask again: a disturbance is not sat out.
const BOUNDS: client::Bounds = client::Bounds {
    connect: Duration::from_secs(5),
    attempt: Duration::from_secs(10),
    call: Duration::from_secs(20),
    attempts: 2,
};
/// A host that says nothing for as long is not reached.
const HOST_TIME_LIMIT: Duration = Duration::from_secs(60);
/// How CodeBuild calls the session of a build's role, with an id behind it.
const SESSION_OF_A_BUILD: &str = "/AWSCodeBuild-";

pub(super) struct Account<'a> {
    question: &'a Question,
    bounds: &'a Bounds,
    aws: SdkConfig,
}

impl<'a> Account<'a> {
    pub(super) async fn new(question: &'a Question, bounds: &'a Bounds) -> Self {
        Self { question, bounds, aws: client::config(&BOUNDS).await }
    }

    /// The project as registered, with its credentials, if it can be read; and what is to be said of that.
    pub(super) async fn read(&self) -> Result<(Vec<Finding>, Option<Project>), Failure> {
        let parameters =
            Parameters::new(aws_sdk_ssm::Client::new(&self.aws), &self.question.config_path, &self.question.project);
        let reading = async {
            let (entry, role) = tokio::join!(parameters.read_project(), self.role());
            Ok((entry, role))
        };
        let (entry, role) = self.bounds.or_stop("asking AWS", reading).await?;
        Ok(match entry {
            Ok(project) => (vec![role, About::the("register").good("its entry can be read")], Some(project)),
            // One fault is enough, where there is no way out at all.
            Err(failure) if failure.advice == aws::UNREACHABLE => (vec![of("aws", failure)], None),
            Err(failure) if failure.kind == Kind::Aws => (vec![role, of("aws", failure)], None),
            Err(failure) => (vec![role, of("register", failure)], None),
        })
    }

    /// As whom we are known there.
    async fn role(&self) -> Finding {
        let about = About::the("role");
        let caller = match Client::new(&self.aws).get_caller_identity().send().await {
            Ok(caller) => caller.arn.unwrap_or_default(),
            Err(error) => {
                let advice = aws::advice(&error, "see what is special about the credentials of the build");
                return about.unknown(format!("asking STS whose role it is: {:#}", aws_error(error)), advice);
            }
        };
        if self.question.build.is_some() && !caller.contains(SESSION_OF_A_BUILD) {
            return about.problem(
                format!("the build is {caller}, and not the project's role"),
                "take credentials and profiles of AWS out of the image: they go before the build's own",
            );
        }
        about.good(caller)
    }

    /// Whether the command's role can be taken. The session that shows it is not used.
    pub(super) async fn deploy_role(&self, project: &Project) -> Result<Option<Finding>, Failure> {
        let Some(role) = &project.deploy_role else { return Ok(None) };
        let client = Client::new(&self.aws);
        let branch = project.branches.named();
        let trying = async { Ok(session::try_to_take(&client, role, self.question, branch).await) };
        Ok(Some(match self.bounds.or_stop("taking the deploy role", trying).await? {
            Ok(()) => About::the("deploy role").good(format!("{} can be taken", role.as_str())),
            Err(failure) => of("deploy role", failure),
        }))
    }

    /// Whether the host takes the project's credentials, as a fetch begins.
    pub(super) async fn git_host(&self, project: &mut Project, narration: &mut Narration) -> Result<Finding, Failure> {
        const CHECK: &str = "git host";
        let bounds = &Bounds::new(self.bounds.remaining().min(HOST_TIME_LIMIT), self.bounds.stop.clone());
        let own = (&self.question.config_path, &self.question.project);
        let token = match AppToken::take(project, &self.aws, own, bounds, narration).await {
            Ok(token) => token,
            Err(failure) => return judged(CHECK, failure),
        };
        let told = self.ask(project, bounds, narration).await;
        if let Some(token) = token {
            token.revoke(narration).await;
        }
        Ok(match (told, &project.credentials) {
            (Err(failure), _) => return judged(CHECK, failure),
            (Ok(told), credentials) => About::the(CHECK).good(question::said(told, credentials.as_ref())),
        })
    }

    async fn ask(&self, project: &Project, bounds: &Bounds, narration: &Narration) -> Result<Told, Failure> {
        let scratch = private_directory()?;
        let repository = Repository::create(scratch.path(), &self.question.environment, bounds, narration).await?;
        repository.ask_host(project, Tries::One).await
    }
}

/// `failure` as a fault, unless somebody wants us to stop.
fn judged(check: &str, failure: Failure) -> Result<Finding, Failure> {
    match failure.kind {
        Kind::Stopped(_) => Err(failure),
        Kind::TimeLimit => Ok(About::the(check).problem(
            format!("no answer within {} seconds", HOST_TIME_LIMIT.as_secs()),
            "see whether the build's network leads there: routes, security groups, a proxy, the host's list of addresses",
        )),
        _ => Ok(of(check, failure)),
    }
}

fn of(check: &str, failure: Failure) -> Finding {
    About::the(check).problem(format!("{:#}", failure.error), failure.advice)
}
