//! Whom the launcher asks, and how long it waits for an answer.

use std::sync::LazyLock;
use std::time::Duration;

use iwomp_aws::client::{Bounds, SdkConfig};

/// The queue is the patient one: what fails here comes back after a delay. SSM and CodeBuild answer within tens of
/// milliseconds; StartBuild takes a second on a bad day.
pub const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(4),
    call: Duration::from_secs(6),
    attempts: 2,
};

/// Made when it is asked for the first time. A trigger that starts a build needs none.
pub type WhenNeeded<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send + Sync>>;

/// The clients, made once.
pub struct Aws {
    pub ssm: aws_sdk_ssm::Client,
    pub codebuild: aws_sdk_codebuild::Client,
    pub sqs: WhenNeeded<aws_sdk_sqs::Client>,
}

impl Aws {
    #[must_use]
    pub fn new(config: SdkConfig) -> Self {
        Self {
            ssm: aws_sdk_ssm::Client::new(&config),
            codebuild: aws_sdk_codebuild::Client::new(&config),
            sqs: LazyLock::new(Box::new(move || aws_sdk_sqs::Client::new(&config))),
        }
    }
}
