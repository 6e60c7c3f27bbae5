//! What is live of one branch: written by the worker after success, read by it before the next deployment.
//! SSM keeps the parameter's versions, which makes it the history.

use serde::Serialize;

use crate::document::Object;
use crate::{CommitId, DocumentError};

/// The value of `/<config path>-deployed/<project>/<branch>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    pub commit: CommitId,
    /// When the deployment ended, UTC, RFC 3339.
    pub time: String,
    /// The CodeBuild build id, if it ran in one.
    pub build: Option<String>,
    /// The SNS message id of the trigger, if there was one.
    pub trigger: Option<String>,
}

impl Deployed {
    /// Reads the record back.
    ///
    /// # Errors
    /// Names the key and the rule: a record that cannot be read must stop a deployment, for nothing else tells which
    /// way is forward.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let mut object = Object::read(text, &["commit", "time", "build", "trigger"])?;
        let commit = CommitId::parse(&object.require_string("commit")?)
            .map_err(|error| DocumentError::Invalid { key: "commit", rule: error.rule })?;
        Ok(Self {
            commit,
            time: object.require_string("time")?,
            build: object.take_string_or_null("build")?,
            trigger: object.take_string_or_null("trigger")?,
        })
    }

    /// The record as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for build in [None, Some("iwomp-in-aws--demo:1".to_owned())] {
            let record = Deployed {
                commit: CommitId::parse(&"a".repeat(40)).unwrap(),
                time: "2026-11-23T06:00:00Z".to_owned(),
                build,
                trigger: None,
            };
            assert_eq!(Deployed::parse(&record.to_json()).unwrap(), record);
        }
    }

    #[test]
    fn a_broken_record_is_an_error() {
        for text in ["", "none", "{}", r#"{"commit":"main","time":""}"#] {
            assert!(Deployed::parse(text).is_err(), "{text}");
        }
    }
}
