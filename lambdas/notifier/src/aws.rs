//! How AWS is called: one configuration for every client, and errors with a cause.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_codebuild::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// As the launcher's: what answers at all answers within tens of milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);
/// A call with its retries. The sweep is the patient one: what fails here is done by the next.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);
/// One more than the launcher's: a sweep asks CodeBuild once for every project, and may be told to go slower.
const MAX_ATTEMPTS: u32 = 3;

pub async fn config() -> SdkConfig {
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

/// The SDK's error prints only "service error" by itself. This is AWS's code and sentence where it answered, and the chain
/// of causes where it did not.
pub fn aws_error<E>(error: SdkError<E>) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), message) => anyhow!("{code}: {}", message.unwrap_or("no message")),
        _ => anyhow::Error::new(error),
    }
}
