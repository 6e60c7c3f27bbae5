//! The notifier's environment, set by Terraform. No other file reads it.

use std::env;
use std::time::Duration;

use anyhow::{Context, Result};
use contract::{ConfigPath, variable};

/// The topic that people subscribe to.
const REPORTS_TOPIC_ARN: &str = "REPORTSTOPICARN";
const QUEUE_URL: &str = "QUEUEURL";
const DEAD_LETTER_QUEUE_URL: &str = "DEADLETTERQUEUEURL";
/// ARNs of the roles and users that may change the register without anybody being told, separated by commas.
const REGISTER_KEEPERS: &str = "REGISTERKEEPERS";
/// After how many days without a deployment the record of a branch may go; 0 is never.
const DEPLOYED_RECORDS_DAYS: &str = "DEPLOYEDRECORDSDAYS";
/// Which of the two functions of this program it is: `courier`, or not set.
const FUNCTION: &str = "FUNCTION";
/// Where news are laid that the courier is to deliver.
const DELIVERIES_QUEUE_URL: &str = "DELIVERIESQUEUEURL";
const CONSOLE_URL: &str = "CONSOLEURL";
const EVENT_BUS_ARN: &str = "EVENTBUSARN";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub struct Environment {
    pub config_path: ConfigPath,
    pub reports_topic_arn: String,
    pub queue_url: String,
    pub dead_letter_queue_url: String,
    pub deliveries_queue_url: String,
    pub register_keepers: Vec<String>,
    /// None: no record of what is live is ever removed.
    pub records_kept: Option<Duration>,
}

impl Environment {
    pub fn read() -> Result<Self> {
        Ok(Self {
            config_path: config_path()?,
            reports_topic_arn: required(REPORTS_TOPIC_ARN)?,
            queue_url: required(QUEUE_URL)?,
            dead_letter_queue_url: required(DEAD_LETTER_QUEUE_URL)?,
            deliveries_queue_url: required(DELIVERIES_QUEUE_URL)?,
            // Not set is no keeper: then every change of the register is told.
            register_keepers: keepers(&env::var(REGISTER_KEEPERS).unwrap_or_default()),
            records_kept: days(&env::var(DEPLOYED_RECORDS_DAYS).unwrap_or_default()).with_context(|| {
                format!("reading the environment variable {DEPLOYED_RECORDS_DAYS}, which Terraform sets")
            })?,
        })
    }
}

/// The courier's.
#[derive(Debug)]
pub struct CourierEnvironment {
    pub config_path: ConfigPath,
    pub reports_topic_arn: String,
    pub queue_url: String,
    pub dead_letter_queue_url: String,
    /// Of CodeBuild's projects in this account and region, for links.
    pub console_url: String,
    /// The bus for targets that want events. None: there is none.
    pub event_bus_arn: Option<String>,
}

impl CourierEnvironment {
    /// Whether this is the courier's function.
    pub fn is_meant() -> bool {
        env::var(FUNCTION).is_ok_and(|function| function == "courier")
    }

    pub fn read() -> Result<Self> {
        Ok(Self {
            config_path: config_path()?,
            reports_topic_arn: required(REPORTS_TOPIC_ARN)?,
            queue_url: required(QUEUE_URL)?,
            dead_letter_queue_url: required(DEAD_LETTER_QUEUE_URL)?,
            console_url: required(CONSOLE_URL)?,
            event_bus_arn: env::var(EVENT_BUS_ARN).ok().filter(|arn| !arn.is_empty()),
        })
    }
}

fn config_path() -> Result<ConfigPath> {
    let text = required(variable::CONFIG_PATH)?;
    ConfigPath::parse(&text).with_context(|| format!("reading the environment variable {}", variable::CONFIG_PATH))
}

fn required(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("reading the environment variable {name}, which Terraform sets"))
}

fn keepers(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|arn| !arn.is_empty()).map(str::to_owned).collect()
}

/// Not set is 0: what nobody has asked for is not removed.
fn days(text: &str) -> Result<Option<Duration>> {
    match text {
        "" | "0" => Ok(None),
        number => Ok(Some(DAY * u32::from(number.parse::<u16>()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, days, keepers};

    #[test]
    fn no_number_of_days_and_none_at_all_keep_every_record() {
        assert_eq!((days("").unwrap(), days("0").unwrap(), days("400").unwrap()), (None, None, Some(DAY * 400)));
        for wrong in ["-1", "a year", "1.5", "99999"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_list_of_keepers_keeps_nothing() {
        assert!(keepers("").is_empty() && keepers(" , ").is_empty());
        let two = ["arn:aws:iam::123456789012:role/terraform", "arn:aws:iam::123456789012:user/root-of-trust"];
        assert_eq!(keepers(&two.join(", ")), two);
    }
}
