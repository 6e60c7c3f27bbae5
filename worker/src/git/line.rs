//! The commits of the branch that may still be deployed, in their order.

use anyhow::Context;
use contract::CommitId;
use contract::register::Lineage;

use super::{QUESTION_TIME_LIMIT, REF, Repository, UNEXPECTED};
use crate::failure::{Failure, Kind, OrFail};

/// Most commits that are looked at. A commit that is farther back than that has been waiting for very long.
const MAX_COMMITS: usize = 1000;

/// Part of the branch, newest first.
pub struct Line {
    pub commits: Vec<CommitId>,
    /// Whether there are no others.
    pub whole: bool,
}

impl Repository<'_> {
    /// The commits of the branch that come after `live`, or all of them: those on the line of first parents, or every one that
    /// was merged, too. None is behind one of its own ancestors.
    ///
    /// # Errors
    /// If git fails.
    pub async fn line(&self, lineage: Lineage, live: Option<&CommitId>) -> Result<Line, Failure> {
        let doing = "listing the commits of the branch";
        let mut command = self.history.command();
        command.args(["rev-list", "--topo-order", &format!("--max-count={MAX_COMMITS}")]);
        if lineage == Lineage::FirstParent {
            command.arg("--first-parent");
        }
        command.args(["--end-of-options", REF]);
        command.args(live.map(|live| format!("^{live}")));
        command.arg("--");
        let answer = self.history.ask(doing, command, QUESTION_TIME_LIMIT).await?;
        let commits = answer.lines().map(CommitId::parse).collect::<Result<Vec<_>, _>>();
        let commits = commits.context(doing).or_fail(Kind::Git, UNEXPECTED)?;
        Ok(Line { whole: commits.len() < MAX_COMMITS, commits })
    }
}
