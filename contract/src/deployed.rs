//! What is live of one branch: written by the worker after success, read by it before the next deployment. Who rolled back is
//! in it, and which commit is held since, until something newer is deployed or an operator releases it.
//!
//! A build can write its own record, so that every reader parses it as a stranger's.

use serde::Serialize;
use serde_json::Value;

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
    /// The head that was rolled back from. Nothing but what descends from it is deployed, and that lifts the hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<CommitId>,
    /// If it was a rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// If an operator has lifted the hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// An operator's way back: to [`Deployed::commit`], at [`Deployed::time`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rollback {
    /// What was live before, if anything was.
    pub from: Option<CommitId>,
    /// Who started the build, in CodeBuild's words.
    pub by: Option<String>,
}

/// An operator's leave to deploy what was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// What was held.
    pub held: CommitId,
    pub by: Option<String>,
    pub time: String,
}

impl Deployed {
    /// Reads the record back.
    ///
    /// # Errors
    /// Names the key and the rule: a record that cannot be read must stop a deployment, for nothing else tells which
    /// way is forward.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let mut object = Object::read(text, &["commit", "time", "build", "trigger", "held", "rollback", "release"])?;
        Ok(Self {
            commit: take_commit(&mut object, "commit")?.ok_or(DocumentError::MissingKey("commit"))?,
            time: object.require_string("time")?,
            build: object.take_string_or_null("build")?,
            trigger: object.take_string_or_null("trigger")?,
            held: take_commit(&mut object, "held")?,
            rollback: object.take("rollback").map(|value| Rollback::parse(&value)).transpose()?,
            release: object.take("release").map(|value| Release::parse(&value)).transpose()?,
        })
    }

    /// The record as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

impl Rollback {
    fn parse(value: &Value) -> Result<Self, DocumentError> {
        let mut object = Object::read(&value.to_string(), &["from", "by"])?;
        Ok(Self { from: take_commit(&mut object, "from")?, by: object.take_string_or_null("by")? })
    }
}

impl Release {
    fn parse(value: &Value) -> Result<Self, DocumentError> {
        let mut object = Object::read(&value.to_string(), &["held", "by", "time"])?;
        Ok(Self {
            held: take_commit(&mut object, "held")?.ok_or(DocumentError::MissingKey("held"))?,
            by: object.take_string_or_null("by")?,
            time: object.require_string("time")?,
        })
    }
}

fn take_commit(object: &mut Object, key: &'static str) -> Result<Option<CommitId>, DocumentError> {
    let text = object.take_string_or_null(key)?;
    let commit = text.as_deref().map(CommitId::parse).transpose();
    commit.map_err(|error| DocumentError::Invalid { key, rule: error.rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(digit: &str) -> CommitId {
        CommitId::parse(&digit.repeat(40)).unwrap()
    }

    fn record(build: Option<&str>) -> Deployed {
        Deployed {
            commit: commit("a"),
            time: "2026-11-23T06:00:00Z".to_owned(),
            build: build.map(str::to_owned),
            trigger: None,
            held: None,
            rollback: None,
            release: None,
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for build in [None, Some("iwomp-in-aws--demo:1")] {
            let plain = record(build);
            assert_eq!(Deployed::parse(&plain.to_json()).unwrap(), plain);
            assert!(!plain.to_json().contains("held"), "{}", plain.to_json());
            let by = Some("ada".to_owned());
            let rolled_back = Deployed {
                held: Some(commit("b")),
                rollback: Some(Rollback { from: Some(commit("b")), by: by.clone() }),
                release: Some(Release { held: commit("c"), by, time: "2026-11-23T07:00:00Z".to_owned() }),
                ..plain
            };
            assert_eq!(Deployed::parse(&rolled_back.to_json()).unwrap(), rolled_back);
        }
    }

    #[test]
    fn a_broken_record_is_an_error() {
        let commit = "a".repeat(40);
        for text in [
            "",
            "none",
            "{}",
            r#"{"commit":"main","time":""}"#,
            &format!(r#"{{"commit":"{commit}","time":"","held":"main"}}"#),
            &format!(r#"{{"commit":"{commit}","time":"","held":true}}"#),
            &format!(r#"{{"commit":"{commit}","time":"","rollback":"me"}}"#),
            &format!(r#"{{"commit":"{commit}","time":"","release":{{}}}}"#),
            "null",
            "5",
            &format!(r#"["{commit}"]"#),
            &"[".repeat(3000),
            &format!(r#"{{"commit":{}"#, "[".repeat(3000)),
            &format!(r#"{{"commit":"{commit}"}}"#),
            r#"{"commit":5,"time":""}"#,
            &format!(r#"{{"commit":"{commit}\n","time":""}}"#),
            &format!(r#"{{"commit":"{}","time":""}}"#, commit.to_uppercase()),
            &format!(r#"{{"commit":"{commit}","time":{{"year":2026}}}}"#),
            &format!(r#"{{"commit":"{commit}","time":"","trigger":1}}"#),
            &format!(r#"{{"commit":"{commit}","time":"","more":"x"}}"#),
            &format!(r#"{{"commit":"{commit}","commit":"{commit}","time":""}}"#),
        ] {
            assert!(Deployed::parse(text).is_err(), "{text}");
        }
    }
}
