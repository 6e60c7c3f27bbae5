//! The launcher's wiring: environment, clients, and the runtime of Lambda.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tracing_subscriber::EnvFilter;

use launcher::environment::Environment;
use launcher::{Aws, Launcher};

/// One attempt at a call. SSM and CodeBuild answer within tens of milliseconds; StartBuild takes a second on a bad day.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);
/// A call with its retries. The queue is the patient one: what fails here comes back after a delay.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_ATTEMPTS: u32 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().json().with_env_filter(filter).without_time().init();

    let environment = Environment::read()?;
    let aws = aws().await;
    let clients = Aws {
        ssm: aws_sdk_ssm::Client::new(&aws),
        codebuild: aws_sdk_codebuild::Client::new(&aws),
        sqs: aws_sdk_sqs::Client::new(&aws),
    };
    let launcher = &Launcher::new(environment, clients, SystemTime::now);
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
