//! What the latest builds of pinned commits saw of their branches: which commits are not older than what is live. A pinned
//! trigger that was published before a build looked, and whose commit is not among them, asks for nothing that may run.
//!
//! A build can write it, so a reader parses it as a stranger's, and believes it of the build's own project only.

use serde::Serialize;
use serde_json::Value;

use crate::document::Object;
use crate::{Branch, CommitId, DocumentError};

/// Of one branch, in commits.
pub const MAX_SEEN_COMMITS: usize = 40;
/// What SSM takes in a standard parameter, in bytes.
const MAX_BYTES: usize = 4096;

/// The value of `/<config path>-deployed/<project>`, see [`crate::parameter::seen`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// When the last build of a pinned commit was about to end, in seconds since 1970.
    pub ended: u64,
    /// The branch that was looked at last comes first.
    pub branches: Vec<SeenBranch>,
}

/// What a build saw of its branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenBranch {
    pub branch: Branch,
    /// When it began to fetch, in seconds since 1970.
    pub fetched: u64,
    /// The build's id, for people.
    pub build: Option<String>,
    /// The commits that may be deployed, newest first, down to the one that is live.
    pub commits: Vec<CommitId>,
    /// Whether those are all of them.
    pub whole: bool,
}

impl Seen {
    /// Reads it back.
    ///
    /// # Errors
    /// Names the key and the rule. Whoever reads it can do without.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let mut object = Object::read(text, &["ended", "branches"])?;
        let branches = match object.take("branches") {
            Some(Value::Array(branches)) => branches.iter().map(parse_branch).collect::<Result<_, _>>()?,
            _ => return Err(DocumentError::Invalid { key: "branches", rule: "must be an array" }),
        };
        Ok(Self { ended: seconds(&mut object, "ended")?, branches })
    }

    /// What was seen of `branch`, if anything was.
    #[must_use]
    pub fn of(&self, branch: &Branch) -> Option<&SeenBranch> {
        self.branches.iter().find(|seen| seen.branch == *branch)
    }

    /// Puts what was seen just now in the first place, and forgets the branches for which there is no room any more.
    #[must_use]
    pub fn with(mut self, new: SeenBranch, ended: u64) -> Self {
        self.branches.retain(|seen| seen.branch != new.branch);
        self.branches.insert(0, new);
        self.ended = ended;
        while self.to_json().len() > MAX_BYTES && self.branches.len() > 1 {
            self.branches.pop();
        }
        self
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

fn parse_branch(value: &Value) -> Result<SeenBranch, DocumentError> {
    let mut object = Object::read(&value.to_string(), &["branch", "fetched", "build", "commits", "whole"])?;
    let invalid = |key, rule| DocumentError::Invalid { key, rule };
    let branch = Branch::parse(&object.require_string("branch")?).map_err(|error| invalid("branch", error.rule))?;
    let commits = match object.take("commits") {
        Some(Value::Array(commits)) if commits.len() <= MAX_SEEN_COMMITS + 1 => commits
            .iter()
            .map(|commit| CommitId::parse(commit.as_str().unwrap_or_default()))
            .collect::<Result<_, _>>()
            .map_err(|error| invalid("commits", error.rule))?,
        _ => return Err(invalid("commits", "must be an array of a few commits")),
    };
    Ok(SeenBranch {
        branch,
        fetched: seconds(&mut object, "fetched")?,
        build: object.take_string_or_null("build")?,
        commits,
        whole: object.take_bool("whole")?.ok_or(DocumentError::MissingKey("whole"))?,
    })
}

fn seconds(object: &mut Object, key: &'static str) -> Result<u64, DocumentError> {
    let value = object.take(key).ok_or(DocumentError::MissingKey(key))?;
    value.as_u64().ok_or(DocumentError::Invalid { key, rule: "must be whole seconds since 1970" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(name: &str, commits: usize) -> SeenBranch {
        let commits = (0..commits).map(|number| CommitId::parse(&format!("{number:064x}")).unwrap()).collect();
        let branch = Branch::parse(name).unwrap();
        SeenBranch { branch, fetched: 7, build: Some("iwomp-in-aws-demo:1".to_owned()), commits, whole: true }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let seen = Seen::default().with(branch("main", 3), 9).with(branch("release/1", 0), 12);
        assert_eq!(Seen::parse(&seen.to_json()).unwrap(), seen);
        assert_eq!(seen.of(&Branch::parse("main").unwrap()), Some(&branch("main", 3)));
        assert_eq!(seen.of(&Branch::parse("other").unwrap()), None);
    }

    #[test]
    fn the_newest_has_its_place_and_the_oldest_go_where_there_is_no_room() {
        let mut seen = Seen::default();
        for number in 0..100 {
            seen = seen.with(branch(&format!("b{number}"), MAX_SEEN_COMMITS + 1), number);
            assert!(seen.to_json().len() <= MAX_BYTES);
            assert_eq!(seen.branches[0].branch.as_str(), format!("b{number}"));
        }
        let again = seen.clone().with(branch("b99", 1), 100);
        assert_eq!(again.branches.iter().filter(|seen| seen.branch.as_str() == "b99").count(), 1);
    }

    #[test]
    fn anything_else_is_an_error() {
        for text in [
            "",
            "garbage",
            "{}",
            r#"{"ended":1}"#,
            r#"{"ended":-1,"branches":[]}"#,
            r#"{"ended":1,"branches":[{}]}"#,
            r#"{"ended":1,"branches":["main"]}"#,
            r#"{"ended":1,"branches":[{"branch":"main","fetched":1,"commits":["x"],"whole":true}]}"#,
            r#"{"ended":1,"branches":[{"branch":"-x","fetched":1,"commits":[],"whole":true}]}"#,
        ] {
            assert!(Seen::parse(text).is_err(), "{text}");
        }
    }
}
