//! What an error of AWS means, and how it is said: in one line, with AWS's own words and the id by which AWS finds the call.
//! Every error ends in one of a few kinds, so that none is tried for ever and none loses what was asked for.

use anyhow::anyhow;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use contract::{Class, printable};

/// Longest sentence of AWS's that is repeated, in characters.
const MAX_REASON_CHARS: usize = 500;
/// AWS's request ids have 36 characters.
const MAX_ID_CHARS: usize = 64;

/// What to expect of the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// AWS wants fewer calls.
    Throttled,
    /// AWS is down, or the way to it.
    Unavailable,
    /// The call may have had its effect although nobody answered: what repeats it must not do it twice.
    UnknownOutcome,
    /// The caller's role lacks a right. No retry mends it, but right after an apply IAM itself lags behind.
    AccessDenied,
    /// What was asked for is not there, or AWS does not take it. No retry mends it, unless Terraform is at work.
    Misconfigured,
}

impl Kind {
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Throttled => Class::Throttled,
            Self::Unavailable => Class::AwsUnavailable,
            Self::UnknownOutcome => Class::UnknownOutcome,
            Self::AccessDenied => Class::AccessDenied,
            Self::Misconfigured => Class::Misconfigured,
        }
    }

    /// Whether only a person can mend it.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        match self {
            Self::AccessDenied | Self::Misconfigured => true,
            Self::Throttled | Self::Unavailable | Self::UnknownOutcome => false,
        }
    }
}

/// Whether a call may be repeated without a thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    None,
    /// It does something, so that an answer that got lost leaves open whether it was done.
    Some,
}

/// A call that failed.
#[derive(Debug)]
pub struct AwsError {
    pub kind: Kind,
    /// What was tried, and what AWS said or what went wrong on the way, in one line.
    pub reason: String,
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

/// So that it travels in [`anyhow::Error`], and whoever may try again finds it there.
impl std::error::Error for AwsError {}

/// Says of a failed call what was tried, why it failed, and what that means.
#[must_use]
pub fn explain<E>(action: &str, effect: Effect, error: SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    AwsError { kind: kind(effect, &error), reason: format!("{action}: {}", in_one_line(&error)) }
}

/// The same line, for a caller to whom all errors are alike: it says itself what it tried.
pub fn aws_error<E>(error: SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    anyhow!(in_one_line(&error))
}

/// AWS's code, sentence and request id where it answered, and the causes, outermost first, where it did not: by itself
/// `SdkError` prints no more than "service error".
pub fn in_one_line<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    // Some two kilobytes, headers and all: for whoever asks for them by RUST_LOG=debug.
    tracing::debug!(error = %DisplayErrorContext(error), "a call of AWS failed");
    if let Some(code) = error.code() {
        let said = printable(&format!("{code}: {}", error.message().unwrap_or("no message")), MAX_REASON_CHARS);
        let request = error.request_id().map(|id| format!(" (request {})", printable(id, MAX_ID_CHARS)));
        return said + request.as_deref().unwrap_or_default();
    }
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    printable(&line, MAX_REASON_CHARS)
}

fn kind<E: ProvideErrorMetadata>(effect: Effect, error: &SdkError<E, HttpResponse>) -> Kind {
    let no_answer = match effect {
        Effect::None => Kind::Unavailable,
        Effect::Some => Kind::UnknownOutcome,
    };
    match error {
        // Nothing was sent.
        SdkError::ConstructionFailure(_) => Kind::Misconfigured,
        SdkError::ServiceError(answer) => {
            by_code(error.code().unwrap_or_default(), answer.raw().status().as_u16(), no_answer)
        }
        // Timed out, cut off, or not understood. A refused connection is among these, but so is one that broke.
        _ => no_answer,
    }
}

/// The codes of "Common errors" and of the operations' own lists in the API references of SSM, CodeBuild and SQS. What is not
/// in them goes by its status: 5xx is AWS's fault, all else ours.
fn by_code(code: &str, status: u16, no_answer: Kind) -> Kind {
    match code {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "AWS.SimpleQueueService.OverLimit"
        | "LimitExceededException" => Kind::Throttled,
        "AccessDeniedException"
        | "AccessDenied"
        | "NotAuthorized"
        | "OptInRequired"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => Kind::AccessDenied,
        // The clock of either side: a new signature mends it.
        "RequestExpired" | "RequestTimeTooSkewed" | "RequestTimeout" | "RequestTimeoutException" => Kind::Unavailable,
        "InternalFailure"
        | "InternalServerError"
        | "InternalServiceError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => no_answer,
        _ if status == 429 => Kind::Throttled,
        _ if status >= 500 => no_answer,
        _ => Kind::Misconfigured,
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    type Lost = SdkError<ErrorMetadata, HttpResponse>;

    #[test]
    fn every_error_has_its_kind() {
        use Kind::{AccessDenied, Misconfigured, Throttled, Unavailable, UnknownOutcome};
        for (code, status, expected) in [
            ("ThrottlingException", 400, Throttled),
            ("TooManyRequestsException", 429, Throttled),
            ("", 429, Throttled),
            ("AccessDeniedException", 400, AccessDenied),
            ("ExpiredTokenException", 400, AccessDenied),
            ("RequestTimeTooSkewed", 403, Unavailable),
            ("InternalServerError", 500, UnknownOutcome),
            ("", 503, UnknownOutcome),
            ("ResourceNotFoundException", 400, Misconfigured),
            ("InvalidInputException", 400, Misconfigured),
            ("SomethingNew", 400, Misconfigured),
        ] {
            assert_eq!(by_code(code, status, UnknownOutcome), expected, "{code} {status}");
        }
    }

    #[test]
    fn a_call_without_an_answer_is_unknown_only_if_it_does_something() {
        let lost = || Lost::timeout_error("no answer");
        assert_eq!(kind(Effect::None, &lost()), Kind::Unavailable);
        assert_eq!(kind(Effect::Some, &lost()), Kind::UnknownOutcome);
    }

    #[test]
    fn an_error_is_one_line_for_people() {
        let refused = || ErrorMetadata::builder().code("ParameterNotFound").message("no\nsuch thing").build();
        let mut answer = HttpResponse::new(400.try_into().unwrap(), "x".repeat(3000).into());
        let explained = explain("reading it", Effect::None, SdkError::service_error(refused(), answer));
        assert_eq!(explained.reason, "reading it: ParameterNotFound: no\\nsuch thing");
        answer = HttpResponse::new(400.try_into().unwrap(), "".into());
        answer.headers_mut().insert("x-amzn-requestid", "f0a586f8-c550-4b10-b538-4b32c6b132d6");
        assert_eq!(
            aws_error(SdkError::service_error(refused(), answer)).to_string(),
            "ParameterNotFound: no\\nsuch thing (request f0a586f8-c550-4b10-b538-4b32c6b132d6)"
        );
        let lost = Lost::timeout_error("no answer within 4 s");
        let explained = explain("starting it", Effect::Some, lost);
        assert_eq!(explained.reason, "starting it: request has timed out: no answer within 4 s");
    }

    #[test]
    fn only_what_a_person_must_mend_is_lasting() {
        let lasting = [Kind::AccessDenied, Kind::Misconfigured];
        let passing = [Kind::Throttled, Kind::Unavailable, Kind::UnknownOutcome];
        assert!(lasting.into_iter().all(Kind::is_lasting) && !passing.into_iter().any(Kind::is_lasting));
    }
}
