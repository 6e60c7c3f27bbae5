//! Forward only: what is live must be an ancestor of what is deployed next. So a trigger can repeat the present and bring the
//! future, but never brings back the past; that takes a revert, or an operator.

use contract::CommitId;

use crate::failure::Failure;
use crate::git::Repository;

/// Where a commit lies, seen from the one that is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// This very commit is live, or an ancestor of it: its command may run.
    Forward,
    /// A descendant is live: there is nothing to do.
    Backward,
    /// Neither descends from the other: the branch was rewritten, and only a person can say what that means.
    Unrelated,
}

/// Compares `commit` with the one that is live.
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
    Ok(Direction::Unrelated)
}
