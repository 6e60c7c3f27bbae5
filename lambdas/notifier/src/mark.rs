//! The mark of a project: all of its builds up to this one have been told. It is the one thing that the notifier writes to SSM.

use anyhow::{Context, Result};
use aws_sdk_codebuild::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::ParameterType;
use contract::{ConfigPath, ProjectName, parameter};
use iwomp_aws::aws_error;
use serde_json::{Value, json};

/// The value of `/<config path>-reported/<project>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub build_number: i64,
    /// The build's id.
    pub build: String,
    /// When the mark was set.
    pub time: DateTime,
}

impl Mark {
    /// None where no build was told yet.
    pub async fn read(ssm: &Client, config_path: &ConfigPath, project: &ProjectName) -> Result<Option<Self>> {
        let name = parameter::reported(config_path, project);
        let answer = match ssm.get_parameter().name(&name).with_decryption(false).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => {
                return Ok(None);
            }
            answer => answer.map_err(aws_error).with_context(|| format!("reading the mark {name}"))?,
        };
        let text = answer.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
        let advice = || {
            format!("the mark {name} cannot be read (delete it: then builds of the last day are reported once more)")
        };
        Self::parse(text).map(Some).with_context(advice)
    }

    pub async fn store(&self, ssm: &Client, config_path: &ConfigPath, project: &ProjectName) -> Result<()> {
        let name = parameter::reported(config_path, project);
        let put = ssm.put_parameter().name(&name).value(self.to_json()?).r#type(ParameterType::String).overwrite(true);
        let answer = put.send().await.map_err(aws_error);
        answer.with_context(|| format!("setting the mark {name}: what was reported will be reported again"))?;
        Ok(())
    }

    /// Reads a mark back. A mark that cannot be read is an error: nothing else tells what was told already.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).context("is not JSON")?;
        let text = |key| value[key].as_str().with_context(|| format!("{key} must be a string"));
        Ok(Self {
            build_number: value["build_number"].as_i64().context("build_number must be a whole number")?,
            build: text("build")?.to_owned(),
            time: DateTime::from_str(text("time")?, DateTimeFormat::DateTime).context("time must be RFC 3339")?,
        })
    }

    pub fn to_json(&self) -> Result<String> {
        let time = self.time.fmt(DateTimeFormat::DateTime).context("writing the time of the mark")?;
        Ok(json!({"build_number": self.build_number, "build": self.build, "time": time}).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = Mark {
            build_number: 7,
            build: "iwomp-in-aws--demo:7".to_owned(),
            time: DateTime::from_secs(1_795_413_600),
        };
        let json = mark.to_json().unwrap();
        let expected = json!({"build_number": 7, "build": "iwomp-in-aws--demo:7", "time": "2026-11-23T06:00:00Z"});
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
        assert_eq!(Mark::parse(&json).unwrap(), mark);
    }

    #[test]
    fn a_broken_mark_is_an_error_that_names_the_key() {
        for (text, key) in [
            ("7", "build_number"),
            (r#"{"build_number":"7"}"#, "build_number"),
            (r#"{"build_number":7}"#, "build "),
            (r#"{"build_number":7,"build":"x","time":"yesterday"}"#, "time"),
            ("", "JSON"),
        ] {
            let error = format!("{:#}", Mark::parse(text).unwrap_err());
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
