//! How the program ends: the one table of exit statuses, and what it says where something went wrong.

use std::fmt;
use std::process::ExitCode;

use iwomp_aws::error::AwsError;

/// docs/commands.md has the same table; a test holds the two together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    /// clap ends with it, too.
    Usage,
    Refused,
    Waiting,
    NotThere,
    Unknown,
    Interrupted,
}

impl Exit {
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Waiting => 4,
            Self::NotThere => 5,
            Self::Unknown => 6,
            Self::Interrupted => 130,
        }
    }

    /// For people, as it stands in the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; of a deployment: it is live, or nothing was to be done",
            Self::Failed => "it was tried and failed; of a deployment: the build failed",
            Self::Usage => "the command line is wrong; nothing was done",
            Self::Refused => "a rule says no, or you did when asked; nothing was done",
            Self::Waiting => "not yet: it waits, or did not end in the time that was given",
            Self::NotThere => "there is no such pipeline, project, branch, trigger or build",
            Self::Unknown => "AWS could not be asked: no credentials, no right, no answer",
            Self::Interrupted => "interrupted by Ctrl-C; what was started goes on",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked for.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// What was tried, on what, and what went wrong. May hold foreign text: the terminal makes it printable.
    pub what: String,
    /// What to type next.
    pub advice: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), advice: None }
    }

    #[must_use]
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// A call of AWS that failed, with all its causes: nothing is known of what it was to tell.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Unknown, format!("{error:#}"))
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        Self::new(Exit::Unknown, error.reason)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_every_exit_status_and_no_other() {
        let ways = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Refused,
            Exit::Waiting,
            Exit::NotThere,
            Exit::Unknown,
            Exit::Interrupted,
        ];
        let documented = include_str!("../../docs/commands.md");
        let section = documented.split("## Exit statuses").nth(1).unwrap().split("\n## ").next().unwrap();
        let rows: Vec<_> =
            section.lines().filter(|line| line.starts_with("| ") && !line.contains("---")).skip(1).collect();
        let expected: Vec<_> = ways.iter().map(|way| format!("| {} | {} |", way.code(), way.meaning())).collect();
        assert_eq!(rows, expected);
    }
}
