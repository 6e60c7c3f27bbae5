//! What every part of the notifier works with: where it runs, and whom it asks.

use crate::environment::Environment;

/// Longest reason in a line, in characters.
pub const MAX_REASON_CHARS: usize = 1000;

/// The clients, made once. [`crate::handler`], [`crate::settle`] and [`crate::sweep`] say what it does with them.
pub struct Notifier {
    pub environment: Environment,
    pub codebuild: aws_sdk_codebuild::Client,
    pub sns: aws_sdk_sns::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub ssm: aws_sdk_ssm::Client,
}
