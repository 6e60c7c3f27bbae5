//! How a deployment can fail: the kinds, what each means for the build, and the sentence that goes with it. A failure is
//! made where something goes wrong and printed once, at the end.

use contract::Outcome;

use crate::process::Stopped;

/// Kinds of refusal and failure. The word goes into the outcome line, the number is the worker's exit status. Where the
/// command itself fails, its own status is passed on instead, but for 77.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A variable of the build is missing or wrong.
    Variables,
    /// There is no register entry.
    UnknownProject,
    /// The register entry or the credentials cannot be used as they are.
    Register,
    /// The register does not allow this branch.
    BranchNotAllowed,
    /// The trigger names no commit, and the register wants one.
    CommitRequired,
    /// The commit is not on the branch, or not where the register wants it.
    CommitNotOnBranch,
    /// None of the allowed signers signed the commit.
    NotSigned,
    /// The commit only points to something, a submodule or a large file, and the register does not say that it may be missing.
    IncompleteTree,
    /// What is live is not an ancestor of the commit, or cannot be read.
    NotForward,
    /// AWS did not answer, or did not allow a call.
    Aws,
    /// The repository could not be fetched or read.
    Git,
    /// The command, or the directory to run it in, is not there or cannot be started.
    Command,
    /// The command ran and failed with this exit status.
    CommandFailed(u8),
    /// The command succeeded, but what is live could not be recorded.
    NotRecorded,
    /// The time limit was reached.
    TimeLimit,
    /// The worker was asked to stop.
    Stopped(Stopped),
    /// The machine did not do what a machine should.
    Machine,
}

impl Kind {
    /// The word, the outcome and the exit status: 77 a rule says no; 78 something is set up wrongly; 69 git, AWS or the
    /// machine failed; 75 the command succeeded but was not recorded; 124 time limit; 130 and 143 stopped by a signal.
    fn facts(self) -> (&'static str, Outcome, u8) {
        use Outcome::{Failed, Refused};
        match self {
            Self::Variables => ("variables", Failed, 78),
            Self::UnknownProject => ("unknown_project", Refused, 77),
            Self::Register => ("register", Failed, 78),
            Self::BranchNotAllowed => ("branch_not_allowed", Refused, 77),
            Self::CommitRequired => ("commit_required", Refused, 77),
            Self::CommitNotOnBranch => ("commit_not_on_branch", Refused, 77),
            Self::NotSigned => ("not_signed", Refused, 77),
            Self::IncompleteTree => ("incomplete_tree", Refused, 77),
            Self::NotForward => ("not_forward", Refused, 77),
            Self::Aws => ("aws", Failed, 69),
            Self::Git => ("git", Failed, 69),
            Self::Command => ("command", Failed, 78),
            // A command that fails with the status of our refusals would be taken for one.
            Self::CommandFailed(77) => ("command_failed", Failed, 1),
            Self::CommandFailed(status) => ("command_failed", Failed, status),
            Self::NotRecorded => ("not_recorded", Failed, 75),
            Self::TimeLimit => ("time_limit", Failed, 124),
            Self::Stopped(stopped) => ("stopped", Failed, stopped.exit_status),
            Self::Machine => ("machine", Failed, 69),
        }
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        self.facts().0
    }

    #[must_use]
    pub fn outcome(self) -> Outcome {
        self.facts().1
    }

    #[must_use]
    pub fn exit_status(self) -> u8 {
        self.facts().2
    }
}

/// Why a deployment ended without success.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    /// What was tried, on what, and what went wrong.
    pub error: anyhow::Error,
    /// What a person can do about it.
    pub advice: String,
}

impl Failure {
    pub fn new(kind: Kind, error: impl Into<anyhow::Error>, advice: impl Into<String>) -> Self {
        Self { kind, error: error.into(), advice: advice.into() }
    }

    /// The worker was asked to stop while it was `doing` something.
    #[must_use]
    pub fn stopped(stopped: Stopped, doing: &str) -> Self {
        let error = anyhow::anyhow!("{doing}: stopped by {}", stopped.signal);
        Self::new(
            Kind::Stopped(stopped),
            error,
            "if nobody stopped the build, look at its phases in CodeBuild; then trigger again",
        )
    }

    /// The time limit was reached while the worker was `doing` something.
    #[must_use]
    pub fn time_limit(doing: &str) -> Self {
        let error = anyhow::anyhow!("{doing}: the time limit of the build was reached");
        Self::new(
            Kind::TimeLimit,
            error,
            "find what took so long in the lines above, or raise timeout_minutes of the project",
        )
    }
}

/// Turns an error into a [`Failure`] where its meaning is known.
pub trait OrFail<T> {
    /// # Errors
    /// The error of `self`, with what it means and what to do about it.
    fn or_fail(self, kind: Kind, advice: &str) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, kind: Kind, advice: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(kind, error, advice))
    }
}
