//! How a message is read by code that was written without an attacker in mind. Each variant is what a competent person writes in
//! a first version; the tests count what it falls for, to show that the attacks are real and the strict reader is needed.

use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

/// A careless reader of messages.
pub struct Naive {
    pub name: &'static str,
    /// Whether it takes the message for a trigger.
    pub accepts: fn(&str) -> bool,
}

pub const VARIANTS: [Naive; 5] = [
    Naive { name: "serde_json::Value", accepts: |message| value(message).is_some() },
    Naive { name: "serde's derive", accepts: |message| serde_json::from_str::<Derived>(message).is_ok() },
    Naive { name: "serde's derive, unknown fields denied", accepts: |message| denying(message).is_some() },
    Naive { name: "the same and a regex with $", accepts: |message| denying(message).is_some_and(fits_regex) },
    Naive { name: "the same and git check-ref-format", accepts: |message| denying(message).is_some_and(fits_git) },
];

#[derive(Deserialize)]
struct Derived {
    #[serde(rename = "project")]
    _project: String,
    #[serde(rename = "branch")]
    _branch: String,
    #[serde(rename = "commit")]
    _commit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denying {
    project: String,
    branch: String,
    commit: Option<String>,
}

fn value(message: &str) -> Option<()> {
    let value: Value = serde_json::from_str(message).ok()?;
    let text = |key: &str| value[key].as_str().map(drop);
    text("project").and(text("branch"))
}

fn denying(message: &str) -> Option<Denying> {
    serde_json::from_str(message).ok()
}

/// `^[\w-]+$`, `^[\w./#+@(),-]+$` and `^[0-9a-fA-F]{7,64}$`, as most engines read them: `\w` is every script's letters and digits, and
/// `$` is also the place before a final line end.
fn fits_regex(message: Denying) -> bool {
    let fits = |text: &str, fits: fn(char) -> bool| {
        let text = text.strip_suffix('\n').unwrap_or(text);
        !text.is_empty() && text.chars().all(fits)
    };
    fits(&message.project, |c| c.is_alphanumeric() || "_-".contains(c))
        && fits(&message.branch, |c| c.is_alphanumeric() || "_./-#+@(),".contains(c))
        && message
            .commit
            .is_none_or(|commit| (7..=65).contains(&commit.len()) && fits(&commit, |c| c.is_ascii_hexdigit()))
}

/// The judgement of git alone. The full ref, as the manual advises, so that a leading `-` is a part of the name.
fn fits_git(message: Denying) -> bool {
    let name = format!("refs/heads/{}", message.branch);
    let status = Command::new("git").args(["check-ref-format", &name]).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success()) // A NUL, or more than an argument can hold: git is not even started.
}
