//! How a build can fail before, beside and by its command, and the exit status with which the worker says so: CodeBuild hands
//! it on, and so it is what the notifier and people learn first.

use crate::{Class, Outcome};

/// The worker's own exit statuses, most of them those of sysexits.h.
pub mod exit_status {
    /// Git, AWS or the machine failed.
    pub const UNAVAILABLE: u8 = 69;
    /// The command succeeded, but what is live could not be recorded.
    pub const NOT_RECORDED: u8 = 75;
    /// A rule says no.
    pub const REFUSED: u8 = 77;
    /// Something is set up wrongly.
    pub const SET_UP_WRONGLY: u8 = 78;
    /// The time limit was reached; as timeout(1) has it.
    pub const TIME_LIMIT: u8 = 124;
    /// 128 and the number of SIGINT, as a shell has it.
    pub const INTERRUPTED: u8 = 130;
    /// 128 and the number of SIGTERM.
    pub const TERMINATED: u8 = 143;
}

/// Kinds of refusal and failure of a build. Where the command itself fails, its own status is passed on, but for that of our
/// refusals.
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

/// The signal that asked the worker to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// By SIGTERM, as CodeBuild does it.
    Terminated,
    /// By SIGINT, as a terminal does it.
    Interrupted,
}

impl Stopped {
    /// The name of the signal.
    #[must_use]
    pub fn signal(self) -> &'static str {
        match self {
            Self::Terminated => "SIGTERM",
            Self::Interrupted => "SIGINT",
        }
    }

    fn exit_status(self) -> u8 {
        match self {
            Self::Terminated => exit_status::TERMINATED,
            Self::Interrupted => exit_status::INTERRUPTED,
        }
    }
}

impl Kind {
    /// All but a failed command, whose status is its own.
    pub const WITH_STATUS_OF_OURS: &[Self] = &[
        Self::Variables,
        Self::UnknownProject,
        Self::Register,
        Self::BranchNotAllowed,
        Self::CommitRequired,
        Self::CommitNotOnBranch,
        Self::NotSigned,
        Self::IncompleteTree,
        Self::NotForward,
        Self::Aws,
        Self::Git,
        Self::Command,
        Self::NotRecorded,
        Self::TimeLimit,
        Self::Stopped(Stopped::Terminated),
        Self::Stopped(Stopped::Interrupted),
        Self::Machine,
    ];

    fn facts(self) -> (Class, u8) {
        use exit_status::{NOT_RECORDED, REFUSED, SET_UP_WRONGLY, TIME_LIMIT, UNAVAILABLE};
        match self {
            Self::Variables => (Class::Variables, SET_UP_WRONGLY),
            Self::UnknownProject => (Class::UnknownProject, REFUSED),
            Self::Register => (Class::Register, SET_UP_WRONGLY),
            Self::BranchNotAllowed => (Class::BranchNotAllowed, REFUSED),
            Self::CommitRequired => (Class::CommitRequired, REFUSED),
            Self::CommitNotOnBranch => (Class::CommitNotOnBranch, REFUSED),
            Self::NotSigned => (Class::NotSigned, REFUSED),
            Self::IncompleteTree => (Class::IncompleteTree, REFUSED),
            Self::NotForward => (Class::NotForward, REFUSED),
            Self::Aws => (Class::Aws, UNAVAILABLE),
            Self::Git => (Class::Git, UNAVAILABLE),
            Self::Command => (Class::Command, SET_UP_WRONGLY),
            // It would be taken for a refusal of ours.
            Self::CommandFailed(REFUSED) => (Class::CommandFailed, 1),
            Self::CommandFailed(status) => (Class::CommandFailed, status),
            Self::NotRecorded => (Class::NotRecorded, NOT_RECORDED),
            Self::TimeLimit => (Class::TimeLimit, TIME_LIMIT),
            Self::Stopped(stopped) => (Class::Stopped, stopped.exit_status()),
            Self::Machine => (Class::Machine, UNAVAILABLE),
        }
    }

    #[must_use]
    pub fn class(self) -> Class {
        self.facts().0
    }

    #[must_use]
    pub fn exit_status(self) -> u8 {
        self.facts().1
    }

    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self.exit_status() {
            exit_status::REFUSED => Outcome::Refused,
            _ => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rule_of_ours_ends_with_the_status_of_a_refusal() {
        let refused: Vec<_> =
            Kind::WITH_STATUS_OF_OURS.iter().filter(|kind| kind.outcome() == Outcome::Refused).collect();
        assert!(
            refused.iter().all(|kind| kind.exit_status() == exit_status::REFUSED) && refused.len() == 7,
            "{refused:?}"
        );
        for status in 0..=u8::MAX {
            let failed = Kind::CommandFailed(status);
            assert_eq!((failed.outcome(), failed.class()), (Outcome::Failed, Class::CommandFailed), "{status}");
            assert_eq!(failed.exit_status() == status, status != exit_status::REFUSED, "{status}");
        }
    }
}
