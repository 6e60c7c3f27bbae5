//! Names that come from outside: project, branch, commit and config path. Each grammar is checked by code over the whole
//! string, because a regular expression's `$` also matches before a final newline.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::branch;
use crate::parameter::TREES;

/// A name that breaks its grammar. Says which name and which rule, and the one character that breaks it if there is one; never
/// the text, which is an attacker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} {rule}{}", Named(*character))]
pub struct NameError {
    /// What was to be named: `project`, `branch`, `commit` or `config path`.
    pub what: &'static str,
    /// The rule that was broken, as the end of a sentence.
    pub rule: &'static str,
    /// The first character that the grammar does not have.
    pub character: Option<char>,
}

/// A rule that was broken, and by which character, if it is one character's fault.
pub(crate) struct Broken {
    pub(crate) rule: &'static str,
    pub(crate) character: Option<char>,
}

impl From<&'static str> for Broken {
    fn from(rule: &'static str) -> Self {
        Self { rule, character: None }
    }
}

/// The end of a sentence that names a character, by its number if not everybody sees it as it is.
struct Named(Option<char>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(' ') => f.write_str(": it has a blank"),
            Some(c) if c.is_ascii_graphic() => write!(f, ": it has \"{c}\""),
            Some(c) => write!(f, ": it has U+{:04X}", u32::from(c)),
        }
    }
}

/// Declares a string type that can only be made by its `parse`.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Accepts `text` only if the whole of it follows the grammar.
            ///
            /// # Errors
            /// Names the first rule that `text` breaks.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                match $check(text).map_err(Broken::from) {
                    Ok(()) => Ok(Self(text.to_owned())),
                    Err(Broken { rule, character }) => Err(NameError { what: $what, rule, character }),
                }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A registered project: `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`. So no path, no SSM version or label selector (`:`), no ARN,
    /// and never `_default`.
    ProjectName, "project", check_project
}
name! {
    /// A branch: at most 12 segments of `[A-Za-z0-9._#+@(),-]` joined by `/`, the first starting with a letter, digit or `_`,
    /// none with `.` or `-`; a subset of what `git check-ref-format --branch` accepts. In names of AWS it stands as
    /// [`Branch::encoded`], at most 200 bytes long.
    Branch, "branch", branch::check
}
name! {
    /// A full commit id, SHA-1 or SHA-256: 40 or 64 lower-case hexadecimal digits.
    CommitId, "commit", check_commit
}
name! {
    /// The one path segment under which SSM parameters live, and the prefix of every name that iwomp gives in an account:
    /// at most 32 of a-z 0-9 in words joined by a single `_` or `-`, not starting with `aws` or `ssm`, which SSM reserves, nor
    /// ending like our own trees. No capitals: to IAM and ECR they are small letters, and two pipelines would be one.
    ConfigPath, "config path", check_config_path
}

impl CommitId {
    /// The first 12 digits, for people to read.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

const MAX_PROJECT_BYTES: usize = 63;
const MAX_CONFIG_PATH_BYTES: usize = 32;

fn check_project(text: &str) -> Result<(), &'static str> {
    word(text, MAX_PROJECT_BYTES)
        .then_some(())
        .ok_or("must be 1 to 63 of A-Z a-z 0-9 _ - and start with a letter or digit")
}

fn check_config_path(text: &str) -> Result<(), &'static str> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.len() > MAX_CONFIG_PATH_BYTES || !text.split(['_', '-']).all(is_word) {
        return Err("must be 1 to 32 of a-z 0-9, in words joined by a single _ or -");
    }
    if text.starts_with("aws") || text.starts_with("ssm") {
        return Err("must not start with aws or ssm, which SSM reserves");
    }
    if text.rsplit_once('-').is_some_and(|(_, end)| TREES.contains(&end)) {
        return Err(
            "must not end in -credentials, -deployed, -notify, -paused or -reported, where another pipeline keeps its own",
        );
    }
    Ok(())
}

fn word(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn check_commit(text: &str) -> Result<(), &'static str> {
    is_hex_id(text.as_bytes(), |b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        .then_some(())
        .ok_or("must be 40 or 64 lower-case hexadecimal digits")
}

fn is_hex_id(text: &[u8], is_digit: impl Fn(&u8) -> bool) -> bool {
    matches!(text.len(), 40 | 64) && text.iter().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_a_plain_word() {
        for good in ["demo", "a", "0", "Web_App-2", &"x".repeat(63)] {
            assert!(ProjectName::parse(good).is_ok(), "{good}");
        }
        let too_long = "x".repeat(64);
        for bad in [
            "",
            "_default",
            "-x",
            "demo:1",
            "demo:prod",
            "a/b",
            "..",
            "demo\n",
            "demo ",
            "arn:aws:ssm",
            "démo",
            "a.b",
            &too_long,
        ] {
            assert!(ProjectName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_commit_is_a_full_lower_case_id() {
        let good = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(CommitId::parse(good).unwrap().short(), "0123456789ab");
        assert!(CommitId::parse(&"a".repeat(64)).is_ok());
        for bad in
            ["", "HEAD", &good[..39], &format!("{good}\n"), &good.to_uppercase(), &"g".repeat(40), &"a".repeat(63)]
        {
            assert!(CommitId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_config_path_is_one_segment_that_ssm_does_not_reserve() {
        for good in ["iwomp-in-aws", "x", "team_a"] {
            assert!(ConfigPath::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a/b",
            "/a",
            "awsome",
            "Team",
            "x--y",
            "x-_y",
            "x-",
            "-x",
            "ssm",
            "a:b",
            "x-credentials",
            "x-deployed",
            "x-paused",
            "x-reported",
            &"x".repeat(33),
        ] {
            assert!(ConfigPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_text() {
        let error = ProjectName::parse("evil\x1b[31m").unwrap_err().to_string();
        assert!(error.starts_with("project must be 1 to 63") && !error.contains("evil"), "{error}");
    }
}
