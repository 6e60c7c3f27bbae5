//! How AWS is called: one configuration for every client, and errors with a cause.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::operation::RequestId;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// A call answers in well under a second; a connection that is not up by now will not come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// A call with all its retries. Nobody waits in line behind it, so it may sit out a short disturbance.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_ATTEMPTS: u32 = 6;

const UNREACHABLE: &str = "AWS was not reached, so it is not a matter of rights: see whether the build's network leads there \
    (for a project in a VPC: a NAT gateway, or endpoints for SSM, KMS, STS, CloudWatch Logs and the like), whether its proxy \
    lets it through, and whether AWS has a disturbance; then trigger again";
const NO_CREDENTIALS: &str = "the request could not be sent: see whether the build has its role's credentials";

/// For the region and with the credentials of the environment, with bounded time and tries.
pub async fn config() -> SdkConfig {
    // ring and not aws-lc, as in the launcher, with which the dependencies are shared.
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(https)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
        .load()
        .await
}

/// The SDK's error prints only "service error" by itself. This is AWS's code, sentence and request id where it answered, and
/// the chain of causes where it did not.
pub fn aws_error<E>(error: SdkError<E>) -> anyhow::Error
where
    E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
{
    let request = error.as_service_error().and_then(RequestId::request_id).unwrap_or("unknown").to_owned();
    match (error.code(), error.message()) {
        (Some(code), message) => anyhow!("{code}: {} (request {request})", message.unwrap_or("no message")),
        _ => anyhow::Error::new(error),
    }
}

/// What to do about `error`: `otherwise`, unless AWS was never reached, for then it is nobody's rights.
#[must_use]
pub fn advice<E>(error: &SdkError<E>, otherwise: &'static str) -> &'static str {
    match error {
        SdkError::TimeoutError(_) => UNREACHABLE,
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => UNREACHABLE,
        SdkError::DispatchFailure(_) => NO_CREDENTIALS,
        _ => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ssm::operation::get_parameters::GetParametersError;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    #[test]
    fn who_cannot_reach_aws_is_not_told_to_look_at_rights() {
        type Error = SdkError<GetParametersError>;
        let advised = |error: Error| advice(&error, "look at rights");
        assert_eq!(advised(Error::dispatch_failure(ConnectorError::io("refused".into()))), UNREACHABLE);
        assert_eq!(advised(Error::dispatch_failure(ConnectorError::timeout("slow".into()))), UNREACHABLE);
        assert_eq!(advised(Error::timeout_error("slow")), UNREACHABLE);
        assert_eq!(advised(Error::dispatch_failure(ConnectorError::user("no credentials".into()))), NO_CREDENTIALS);
        assert_eq!(advised(Error::construction_failure("other")), "look at rights");
    }
}
