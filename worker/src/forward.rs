//! Forward only: what is live must be an ancestor of what is deployed next. So a trigger can repeat the present and bring the
//! future, but never brings back the past; that takes a revert, or an operator.

use contract::CommitId;

use crate::failure::Failure;
use crate::git::{Repository, Standing};

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
///
/// # Errors
/// If git fails.
pub async fn direction(repository: &Repository<'_>, live: &CommitId, commit: &CommitId) -> Result<Direction, Failure> {
    if live == commit || repository.descends(commit, live).await? {
        return Ok(Direction::Forward);
    }
    if repository.descends(live, commit).await? {
        return Ok(Direction::Backward);
    }
    Ok(match repository.standing(live).await? {
        Standing::FirstParentLine | Standing::Merged => Direction::Beside,
        Standing::Elsewhere => Direction::Unrelated,
    })
}
