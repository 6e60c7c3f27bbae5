//! One configuration for every client of a program. Nothing waits for AWS without an end.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// How long a program waits for AWS, and how often it asks. Each has its own: it depends on who waits behind it.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Until a connection is there.
    pub connect: Duration,
    /// One attempt at a call.
    pub attempt: Duration,
    /// A call with all its attempts.
    pub call: Duration,
    pub attempts: u32,
}

impl Bounds {
    #[must_use]
    pub fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call)
            .build()
    }

    #[must_use]
    pub fn retries(&self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(self.attempts)
    }
}

/// For the region and with the credentials of the environment.
pub async fn config(bounds: &Bounds) -> SdkConfig {
    loader(bounds).load().await
}

/// The same, for a program whose user may ask for another region, profile or endpoint.
#[must_use]
pub fn loader(bounds: &Bounds) -> ConfigLoader {
    // ring and not aws-lc, which spends some 31 ms of CPU on its first random bytes.
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(https)
        .timeout_config(bounds.timeouts())
        .retry_config(bounds.retries())
}
