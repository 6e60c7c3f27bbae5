//! How long the worker waits for AWS, and what to do where AWS was not reached.

use std::time::Duration;

use aws_sdk_ssm::error::SdkError;
use iwomp_aws::client::Bounds;

/// A call answers in well under a second; a connection that is not up by now will not come up. Nobody waits in line behind the
/// worker, so it may sit out a short disturbance.
pub const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(5),
    attempt: Duration::from_secs(10),
    call: Duration::from_secs(60),
    attempts: 6,
};

/// What to do where AWS was not reached.
pub const UNREACHABLE: &str = "AWS was not reached, so it is not a matter of rights: see whether the build's network leads there \
    (for a project in a VPC: a NAT gateway, or endpoints for SSM, KMS, STS, CloudWatch Logs and the like), whether its proxy \
    lets it through, and whether AWS has a disturbance; then trigger again";
const NO_CREDENTIALS: &str = "the request could not be sent: see whether the build has its role's credentials";

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
