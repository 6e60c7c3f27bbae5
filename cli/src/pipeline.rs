//! Finds the pipeline: from its name, by the description that Terraform has left in SSM. Clients are made here and in
//! [`crate::account`] and nowhere else, after the command line was read.

use std::time::Duration;

use anyhow::Context;
use aws_config::{Region, SdkConfig};
use aws_sdk_ssm::config::Credentials;
use contract::{ConfigPath, Description, ProjectName, parameter};
use iwomp_aws::aws_error;
use iwomp_aws::client::{self, Bounds};

use crate::arguments::Place;
use crate::exit::{Exit, Failure};
use crate::local::Local;
use crate::terminal::Terminal;

const DEFAULT_CONFIG_PATH: &str = "iwomp-in-aws";
/// A person waits, and others use the account, too: better a little late than an error.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(5),
    attempt: Duration::from_secs(10),
    call: Duration::from_secs(40),
    attempts: 6,
};
const LOOK_AT_CREDENTIALS: &str =
    "see what `aws sts get-caller-identity` says, sign in, or name a --profile or --region";

/// A pipeline, with clients for its region.
pub struct Pipeline {
    pub config_path: ConfigPath,
    pub description: Description,
    /// What the clients are made of.
    pub aws: SdkConfig,
    pub codebuild: aws_sdk_codebuild::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub sns: aws_sdk_sns::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub ssm: aws_sdk_ssm::Client,
    pub sts: aws_sdk_sts::Client,
}

/// Where a pipeline would be, if there is one.
pub struct Named {
    pub config_path: ConfigPath,
    pub region: Region,
    pub aws: SdkConfig,
}

impl Named {
    /// # Errors
    /// If nothing says in which region.
    pub async fn find(place: &Place, terminal: &mut Terminal) -> Result<Self, Failure> {
        let config_path = config_path(place)?;
        let aws = config(place, terminal).await?;
        match aws.region().cloned() {
            Some(region) => Ok(Self { config_path, region, aws }),
            None => {
                Err(Failure::new(Exit::Usage, "no region is set")
                    .advise("--region, AWS_REGION, or a --profile with one"))
            }
        }
    }
}

impl Pipeline {
    /// The pipeline that is meant.
    ///
    /// # Errors
    /// If there is none of this name, or nobody who may look.
    pub async fn find(place: &Place, terminal: &mut Terminal) -> Result<Self, Failure> {
        let Named { config_path, region, aws } = Named::find(place, terminal).await?;
        let ssm = aws_sdk_ssm::Client::new(&aws);
        let description = describe(&ssm, &config_path, &region).await?;
        Ok(Self {
            config_path,
            description,
            codebuild: aws_sdk_codebuild::Client::new(&aws),
            logs: aws_sdk_cloudwatchlogs::Client::new(&aws),
            sns: aws_sdk_sns::Client::new(&aws),
            sqs: aws_sdk_sqs::Client::new(&aws),
            ssm,
            sts: aws_sdk_sts::Client::new(&aws),
            aws,
        })
    }

    /// Who we are, for those who read later who did it.
    ///
    /// # Errors
    /// If STS does not tell.
    pub async fn caller(&self) -> anyhow::Result<String> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(aws_error).context("asking STS who we are")?;
        answer.arn.context("STS did not say who we are")
    }

    #[must_use]
    pub fn build_project(&self, project: &ProjectName) -> String {
        parameter::build_project(&self.config_path, project)
    }
}

/// Its name, whether or not it is there.
pub fn config_path(place: &Place) -> anyhow::Result<ConfigPath> {
    match &place.config_path {
        Some(config_path) => Ok(config_path.clone()),
        None => ConfigPath::parse(DEFAULT_CONFIG_PATH).context("the default config path"),
    }
}

/// What clients are made of.
pub async fn config(place: &Place, terminal: &mut Terminal) -> Result<SdkConfig, Failure> {
    let mut loader = client::loader(&BOUNDS);
    // An endpoint in the environment names a place, too.
    let is_named = place.is_named() || std::env::var_os("AWS_ENDPOINT_URL").is_some();
    let here = std::env::current_dir().ok().filter(|_| !is_named);
    let local = match here {
        Some(here) => Local::find(&here).await?,
        None => None,
    };
    if let Some(local) = local {
        terminal.note(&format!("(the local stack at {}; make down ends it)", local.endpoint()));
        let credentials = Credentials::new(local.access_key.as_str(), local.secret_key.as_str(), None, None, "local");
        loader =
            loader.endpoint_url(local.endpoint()).region(Region::new(local.region)).credentials_provider(credentials);
    }
    if let Some(profile) = &place.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    Ok(loader.load().await)
}

async fn describe(
    ssm: &aws_sdk_ssm::Client,
    config_path: &ConfigPath,
    region: &Region,
) -> Result<Description, Failure> {
    let name = parameter::description(config_path);
    let what = format!("finding the pipeline {config_path} in {region} by the parameter {name}");
    let answer = match ssm.get_parameter().name(&name).send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => {
            return Err(Failure::new(
                Exit::NotThere,
                format!("there is no pipeline {config_path} in {region}: no parameter {name}"),
            )
            .advise("name it with --config-path and --region, or apply the module, which writes that parameter"));
        }
        answer => {
            answer.map_err(|error| Failure::from(aws_error(error).context(what.clone())).advise(LOOK_AT_CREDENTIALS))?
        }
    };
    let text = answer.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
    Description::parse(text, config_path).map_err(|error| {
        Failure::new(Exit::Failed, format!("{what}: it {error}")).advise("terraform apply writes it anew")
    })
}
