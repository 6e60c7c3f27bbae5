//! The trigger: the message that CI publishes, and the only thing that a holder of the CI credential can say.

use thiserror::Error;

use crate::document::Object;
use crate::{Branch, Class, CommitId, DocumentError, NameError, ProjectName};

/// Longest message that is read at all, in bytes. The longest honest one is some 400.
pub const MAX_TRIGGER_BYTES: usize = 2048;

/// A request to deploy a branch of a registered project. Everything in it comes from outside and is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    pub project: ProjectName,
    pub branch: Branch,
    /// Given: exactly this commit is to be deployed. Absent: the head of the branch.
    pub commit: Option<CommitId>,
}

/// Why a message is no trigger. Such a message is refused for good: no retry can mend it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TriggerError {
    #[error("message is longer than {MAX_TRIGGER_BYTES} bytes")]
    TooLong,
    #[error("message {0}")]
    Document(#[from] DocumentError),
    #[error("{0}")]
    Name(#[from] NameError),
    #[error("message names another project than the one whose topic it was published to")]
    WrongProject,
}

impl Trigger {
    /// Reads the text of a message to the shared topic: a JSON object with `project`, `branch` and, if pinned, `commit`.
    ///
    /// # Errors
    /// Says which rule is broken; never repeats a value of the message.
    pub fn parse(message: &str) -> Result<Self, TriggerError> {
        let mut object = read(message)?;
        let project = ProjectName::parse(&object.require_string("project")?)?;
        Self::take(object, project)
    }

    /// Reads the text of a message to the own topic of `project`. The topic says which project is meant, for SNS tells
    /// nothing of who published; the message may leave the name out, and must not say another one.
    ///
    /// # Errors
    /// As [`Self::parse`], and if the message names another project.
    pub fn parse_for(project: &ProjectName, message: &str) -> Result<Self, TriggerError> {
        let mut object = read(message)?;
        match object.take_string("project")? {
            Some(named) if ProjectName::parse(&named)? != *project => Err(TriggerError::WrongProject),
            _ => Self::take(object, project.clone()),
        }
    }

    fn take(mut object: Object, project: ProjectName) -> Result<Self, TriggerError> {
        let branch = object.require_string("branch")?;
        Ok(Self {
            project,
            // What CI systems call the ref. Only the one prefix: what is behind it still has to be a branch.
            branch: Branch::parse(branch.strip_prefix("refs/heads/").unwrap_or(&branch))?,
            commit: object.take_string("commit")?.as_deref().map(CommitId::parse).transpose()?,
        })
    }
}

fn read(message: &str) -> Result<Object, TriggerError> {
    if message.len() > MAX_TRIGGER_BYTES {
        return Err(TriggerError::TooLong);
    }
    Ok(Object::read(message, &["project", "branch", "commit"])?)
}

/// Whether `text` can be the id of a trigger: the message id that SNS gave, a UUID. It becomes an idempotency token and a
/// variable of the build.
#[must_use]
pub fn is_trigger_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

impl TriggerError {
    /// One word for logs and metrics.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::TooLong => Class::TooLong,
            Self::Document(DocumentError::NotAnObject) => Class::NotAnObject,
            Self::Document(DocumentError::Encoding(_)) => Class::WrongEncoding,
            Self::Document(DocumentError::Malformed { .. }) => Class::MalformedJson,
            Self::Document(DocumentError::RepeatedKey(_) | DocumentError::RepeatedInside { .. }) => Class::RepeatedKey,
            Self::Document(DocumentError::UnknownKey { .. }) => Class::UnknownKey,
            Self::Document(DocumentError::MissingKey(_)) => Class::MissingKey,
            Self::Document(DocumentError::Invalid { .. }) => Class::WrongType,
            Self::Document(DocumentError::Name { .. }) | Self::Name(_) => Class::BadName,
            Self::WrongProject => Class::WrongProject,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(message: &str) -> &'static str {
        Trigger::parse(message).unwrap_err().class().as_str()
    }

    #[test]
    fn the_articles_message_is_read() {
        let trigger = Trigger::parse(r#"{"project": "demo", "branch": "main"}"#).unwrap();
        assert_eq!((trigger.project.as_str(), trigger.branch.as_str(), trigger.commit), ("demo", "main", None));
    }

    #[test]
    fn a_commit_pins_the_trigger() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let message = format!("{{\"project\":\"demo\",\"branch\":\"main\",\"commit\":\"{commit}\"}}\n");
        assert_eq!(Trigger::parse(&message).unwrap().commit.unwrap().as_str(), commit);
    }

    #[test]
    fn the_full_name_of_a_branch_means_the_branch_and_no_other_ref_does() {
        let parse = |branch: &str| Trigger::parse(&format!(r#"{{"project":"demo","branch":"{branch}"}}"#));
        assert_eq!(parse("refs/heads/main").unwrap().branch.as_str(), "main");
        assert_eq!(parse("refs/heads/fix/#12").unwrap().branch.as_str(), "fix/#12");
        for other in
            ["refs/heads/", "refs/heads/refs/heads/main", "refs/heads/HEAD", "refs/tags/v1", "refs/heads/-x", "heads/"]
        {
            assert!(parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn on_its_own_topic_a_project_may_be_left_out_and_none_else_be_named() {
        let demo = ProjectName::parse("demo").unwrap();
        for message in [r#"{"branch":"main"}"#, r#"{"project":"demo","branch":"main"}"#] {
            assert_eq!(Trigger::parse_for(&demo, message).unwrap().project, demo, "{message}");
        }
        for (message, class) in [
            (r#"{"project":"other","branch":"main"}"#, "wrong_project"),
            (r#"{"project":"demo:1","branch":"main"}"#, "bad_name"),
            (r#"{"project":null,"branch":"main"}"#, "wrong_type"),
            ("{}", "missing_key"),
        ] {
            assert_eq!(Trigger::parse_for(&demo, message).unwrap_err().class().as_str(), class, "{message}");
        }
    }

    #[test]
    fn every_other_message_is_refused_with_its_class() {
        for (message, expected) in [
            ("", "not_an_object"),
            ("demo", "not_an_object"),
            (r#"["demo","main"]"#, "not_an_object"),
            (r#"{"project":"demo","branch":"main""#, "malformed_json"),
            (r#"{"project":"demo"}"#, "missing_key"),
            (r#"{"branch":"main"}"#, "missing_key"),
            (r#"{"project":"demo","branch":"main","branch":"evil"}"#, "repeated_key"),
            (r#"{"project":"demo","branch":"main","image":"evil"}"#, "unknown_key"),
            (r#"{"project":"demo","branch":["main"]}"#, "wrong_type"),
            (r#"{"project":"demo","branch":"main","commit":null}"#, "wrong_type"),
            (r#"{"project":"demo:1","branch":"main"}"#, "bad_name"),
            (r#"{"project":"_default","branch":"main"}"#, "bad_name"),
            (r#"{"project":"demo","branch":"--upload-pack=x"}"#, "bad_name"),
            (r#"{"project":"demo","branch":"main","commit":""}"#, "bad_name"),
            (r#"{"project":"demo","branch":"main","commit":"HEAD"}"#, "bad_name"),
        ] {
            assert_eq!(class(message), expected, "{message}");
        }
    }

    #[test]
    fn an_id_is_a_uuid_and_nothing_else() {
        const ID: &str = "95df01b4-ee98-5cb9-9903-4c221d41eb5e";
        assert!(is_trigger_id(ID));
        for bad in ["", &ID[1..], &format!("{ID}0"), &ID.replace('9', "x"), &ID.replace('-', "\n")] {
            assert!(!is_trigger_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_long_message_is_not_even_parsed() {
        let message = format!(r#"{{"project":"demo","branch":"main"}}{}"#, " ".repeat(MAX_TRIGGER_BYTES));
        assert_eq!(class(&message), "too_long");
    }
}
