//! The launcher's environment, set by Terraform. No other file reads it.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use contract::{ConfigPath, variable};

/// The ARN that the shared topic has or would have. Envelopes from it and from the projects' own topics, whose ARNs begin
/// with it, are opened; every other is refused.
const TOPIC_ARN: &str = "TOPICARN";
/// The one queue whose messages are triggers.
const QUEUE_ARN: &str = "QUEUEARN";
const QUEUE_URL: &str = "QUEUEURL";
const DEAD_LETTER_QUEUE_URL: &str = "DEADLETTERQUEUEURL";
const RETRY_SECONDS: &str = "RETRYSECONDS";
const VISIBILITY_SECONDS: &str = "VISIBILITYSECONDS";
const MAX_WAIT_SECONDS: &str = "MAXWAITSECONDS";
const BUILDS_PER_HOUR: &str = "BUILDSPERHOUR";

pub struct Environment {
    pub config_path: ConfigPath,
    pub topic_arn: String,
    /// Where the triggers come from: a message of any other queue is refused.
    pub queue_arn: String,
    /// The same queue, to say when a trigger shall come back.
    pub queue_url: String,
    /// Where those end that are given up.
    pub dead_letter_queue_url: String,
    pub limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest delay between two tries.
    pub retry: Duration,
    /// The queue's visibility timeout: after that a message comes back by itself, without a call.
    pub visibility: Duration,
    /// How long a trigger may wait before it is given up.
    pub max_wait: Duration,
    /// How many builds of a project may begin in an hour.
    pub builds_per_hour: usize,
}

impl Environment {
    pub fn read() -> Result<Self> {
        let config_path = required(variable::CONFIG_PATH)?;
        Ok(Self {
            config_path: ConfigPath::parse(&config_path)
                .with_context(|| format!("reading the environment variable {}", variable::CONFIG_PATH))?,
            topic_arn: required(TOPIC_ARN)?,
            queue_arn: required(QUEUE_ARN)?,
            queue_url: required(QUEUE_URL)?,
            dead_letter_queue_url: required(DEAD_LETTER_QUEUE_URL)?,
            limits: Limits {
                retry: Duration::from_secs(number(RETRY_SECONDS)?),
                visibility: Duration::from_secs(number(VISIBILITY_SECONDS)?),
                max_wait: Duration::from_secs(number(MAX_WAIT_SECONDS)?),
                builds_per_hour: number(BUILDS_PER_HOUR)?,
            },
        })
    }
}

fn required(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("reading the environment variable {name}, which Terraform sets"))
}

fn number<T: FromStr>(name: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    required(name)?.parse().with_context(|| format!("reading the environment variable {name} as a whole number"))
}
