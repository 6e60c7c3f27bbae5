//! The notifier's environment, set by Terraform. No other file reads it.

use std::env;

use anyhow::{Context, Result};
use contract::{ConfigPath, variable};

/// The topic that people subscribe to.
const REPORTS_TOPIC_ARN: &str = "REPORTSTOPICARN";
const QUEUE_URL: &str = "QUEUEURL";
const DEAD_LETTER_QUEUE_URL: &str = "DEADLETTERQUEUEURL";
/// ARNs of the roles and users that may change the register without anybody being told, separated by commas.
const REGISTER_KEEPERS: &str = "REGISTERKEEPERS";

#[derive(Debug)]
pub struct Environment {
    pub config_path: ConfigPath,
    pub reports_topic_arn: String,
    pub queue_url: String,
    pub dead_letter_queue_url: String,
    pub register_keepers: Vec<String>,
}

impl Environment {
    pub fn read() -> Result<Self> {
        let config_path = required(variable::CONFIG_PATH)?;
        Ok(Self {
            config_path: ConfigPath::parse(&config_path)
                .with_context(|| format!("reading the environment variable {}", variable::CONFIG_PATH))?,
            reports_topic_arn: required(REPORTS_TOPIC_ARN)?,
            queue_url: required(QUEUE_URL)?,
            dead_letter_queue_url: required(DEAD_LETTER_QUEUE_URL)?,
            // Not set is no keeper: then every change of the register is told.
            register_keepers: keepers(&env::var(REGISTER_KEEPERS).unwrap_or_default()),
        })
    }
}

fn required(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("reading the environment variable {name}, which Terraform sets"))
}

fn keepers(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|arn| !arn.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::keepers;

    #[test]
    fn an_empty_list_of_keepers_keeps_nothing() {
        assert!(keepers("").is_empty() && keepers(" , ").is_empty());
        let two = ["arn:aws:iam::123456789012:role/terraform", "arn:aws:iam::123456789012:user/root-of-trust"];
        assert_eq!(keepers(&two.join(", ")), two);
    }
}
