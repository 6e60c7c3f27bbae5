//! The mark of a project: all of its builds up to this one have been told.

use anyhow::{Context, Result};
use aws_sdk_codebuild::primitives::{DateTime, DateTimeFormat};
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
