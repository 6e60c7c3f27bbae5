//! The launcher's environment, set by Terraform. No other file reads it.

use std::env;

use anyhow::{Context, Result};
use contract::{ConfigPath, variable};

/// The ARN that the shared topic has or would have. Envelopes from it and from the projects' own topics, whose ARNs begin
/// with it, are opened; every other is refused.
const TOPIC_ARN: &str = "TOPICARN";

pub struct Environment {
    pub config_path: ConfigPath,
    pub topic_arn: String,
}

impl Environment {
    pub fn read() -> Result<Self> {
        let config_path = required(variable::CONFIG_PATH)?;
        Ok(Self {
            config_path: ConfigPath::parse(&config_path)
                .with_context(|| format!("reading the environment variable {}", variable::CONFIG_PATH))?,
            topic_arn: required(TOPIC_ARN)?,
        })
    }
}

fn required(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("reading the environment variable {name}, which Terraform sets"))
}
