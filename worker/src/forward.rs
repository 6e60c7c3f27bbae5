//! Forward only: what is live must be an ancestor of what is deployed next. So a trigger can repeat the present and bring the
//! future, but never brings back the past; that takes a revert, or an operator.

use contract::CommitId;

use crate::git::{History, Standing};

/// Where a commit lies, seen from the one that is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// This very commit is live, or an ancestor of it: its command may run.
    Forward,
    /// A descendant is live: there is nothing to do.
    Backward,
    /// Neither descends from the other, and the fetched branch has both, on lines that a merge joined: this commit lacks what
    /// the live one brought.
    Beside,
    /// The fetched branch does not have the live commit, and only a person can say what that means: it was taken off the
    /// branch, or never was on it.
    Unrelated,
}

/// Compares `commit`, which the fetched branch has, with the one that is live.
#[must_use]
pub fn direction(history: &History, live: &CommitId, commit: &CommitId) -> Direction {
    if live == commit || history.descends(commit, live) {
        return Direction::Forward;
    }
    if history.descends(live, commit) {
        return Direction::Backward;
    }
    match history.standing(live) {
        Standing::FirstParentLine | Standing::Merged => Direction::Beside,
        Standing::Elsewhere => Direction::Unrelated,
    }
}
