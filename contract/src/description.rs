//! The pipeline's description, which Terraform writes: what a program needs to find everything else, without Terraform, its
//! state, or this repository. See terraform/description.tf.

use serde::Deserialize;
use thiserror::Error;

use crate::parameter::SEPARATOR;
use crate::{ConfigPath, ProjectName};

/// What this program understands.
pub const DESCRIPTION_VERSION: u32 = 1;

/// The value of `/<config path>/_pipeline`, see [`crate::parameter::description`]. Only Terraform and operators can write it; a
/// newer one may have more keys than are known here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Description {
    pub config_path: String,
    /// The version of iwomp that was applied.
    pub iwomp: String,
    pub partition: String,
    pub account: String,
    pub region: String,
    /// The ARN that the shared topic has or would have.
    topic_arn: String,
    pub shared_topic: bool,
    pub reports_topic_arn: String,
    pub queue_url: String,
    pub dead_letter_queue_url: String,
    pub launcher: Function,
    pub notifier: Function,
    pub courier: Function,
    /// None: there is no GitHub App.
    pub broker: Option<Function>,
    /// Encrypts the Git credentials.
    pub kms_key_arn: String,
    pub repository_url: String,
    pub worker_image: String,
    pub schedule_group: String,
    /// The longest delay between two tries of a trigger that waits.
    pub retry_seconds: u64,
    pub max_wait_seconds: u64,
    pub builds_per_hour: u64,
}

/// One of the pipeline's own Lambda functions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Function {
    #[serde(rename = "function")]
    pub name: String,
    pub log_group: String,
    /// Of its zip, in hexadecimal digits.
    pub sha256: String,
}

#[derive(Debug, Error)]
pub enum DescriptionError {
    #[error("is no description of a pipeline: {0}")]
    Malformed(serde_json::Error),
    #[error("is of version {0}, and this program knows {DESCRIPTION_VERSION}: install a newer one")]
    Version(u32),
    #[error("describes the pipeline of another config path")]
    OfAnother,
}

impl Description {
    /// Reads what is found under the name of `config_path`.
    ///
    /// # Errors
    /// If it is none, of another version, or of another pipeline.
    pub fn parse(text: &str, config_path: &ConfigPath) -> Result<Self, DescriptionError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(text).map_err(DescriptionError::Malformed)?;
        if version != DESCRIPTION_VERSION {
            return Err(DescriptionError::Version(version));
        }
        let description: Self = serde_json::from_str(text).map_err(DescriptionError::Malformed)?;
        if description.config_path == config_path.as_str() { Ok(description) } else { Err(DescriptionError::OfAnother) }
    }

    /// The topic on which any project can be named, if there is one.
    #[must_use]
    pub fn shared_topic_arn(&self) -> Option<&str> {
        self.shared_topic.then_some(self.topic_arn.as_str())
    }

    /// The topic of this project alone, if it has one: only SNS knows.
    #[must_use]
    pub fn own_topic_arn(&self, project: &ProjectName) -> String {
        format!("{}{SEPARATOR}{project}", self.topic_arn)
    }
}
