//! The launcher is a privilege filter. Whoever may publish to the topic may say a project, a branch and a commit, and nothing
//! else; everything that is run comes from the register and from Git. The launcher reads no secret and holds no role of a
//! project: the most that it can do is start a registered project's own build.

mod builds;
mod delivery;
mod environment;
mod handler;
mod register;
mod report;
mod verdict;

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tracing_subscriber::EnvFilter;

use crate::environment::Environment;
use crate::handler::Launcher;

/// One attempt at a call. SSM and CodeBuild answer within tens of milliseconds; StartBuild takes a second on a bad day.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);
/// A call with its retries. The queue is the patient one: what fails here comes back after the visibility timeout.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_ATTEMPTS: u32 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().json().with_env_filter(filter).without_time().init();

    let environment = Environment::read()?;
    let aws = aws().await;
    let launcher = &Launcher {
        config_path: environment.config_path,
        topic_arn: environment.topic_arn,
        ssm: aws_sdk_ssm::Client::new(&aws),
        codebuild: aws_sdk_codebuild::Client::new(&aws),
    };
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, Infallible>(launcher.handle(event.payload).await)
    }))
    .await
}

async fn aws() -> SdkConfig {
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT);
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(https)
        .timeout_config(timeouts.build())
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .load()
        .await
}
