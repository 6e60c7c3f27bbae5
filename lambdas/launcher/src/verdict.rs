//! What stops a trigger on its way to a build, and what then becomes of its message.

use std::error::Error;

use aws_sdk_ssm::error::DisplayErrorContext;
use contract::{Outcome, TriggerError};

/// Why no build was started.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// A rule forbids it for good: the message is acknowledged, so that it cannot block the queue.
    Refused { class: &'static str, reason: String },
    /// The project builds already: the message waits in the queue.
    Busy { reason: String },
    /// AWS failed or did not answer: the message waits in the queue, and ends in the dead-letter queue after its last try.
    Failed { class: &'static str, reason: String },
}

impl Stop {
    pub fn refused(class: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused { class, reason: reason.into() }
    }

    /// A failed AWS call, with the whole chain of causes: `SdkError` alone prints no more than "service error".
    pub fn failed(action: &str, error: impl Error) -> Self {
        Self::Failed { class: "aws_error", reason: format!("{action}: {}", DisplayErrorContext(error)) }
    }
}

impl From<TriggerError> for Stop {
    fn from(error: TriggerError) -> Self {
        Self::refused(error.class(), error.to_string())
    }
}

/// Whether the message has been answered for good and may leave the queue.
pub fn leaves_queue(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Started | Outcome::Covered | Outcome::Refused => true,
        Outcome::Busy | Outcome::Failed | Outcome::Deployed | Outcome::Superseded => false,
    }
}
