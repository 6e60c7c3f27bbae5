//! What a build of a pinned commit sees of its branch: the commits that are not older than what is live. The launcher answers
//! pinned triggers by it, however many there are: see docs/decisions/0013-one-build-answers-all-that-waits.md.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::seen::MAX_SEEN_COMMITS;
use contract::{CommitId, Project, SeenBranch};

use crate::git::{History, Line};
use crate::variables::Variables;

#[derive(Default)]
pub struct Sight {
    began: Option<SystemTime>,
    /// Newest first, the one that is live last; and whether those are all.
    commits: Option<(Vec<CommitId>, bool)>,
}

impl Sight {
    /// Just before the branch is fetched: what was pushed until now will be seen.
    pub fn begin(&mut self) {
        self.began = Some(SystemTime::now());
    }

    /// Looks at the branch that was fetched, and returns what comes after `live`.
    pub fn look(
        &mut self,
        variables: &Variables,
        project: &Project,
        history: &History,
        live: Option<&CommitId>,
    ) -> Line {
        if variables.commit.is_none() {
            return Line { commits: Vec::new(), whole: false };
        }
        // What is live and not on the branch, after a rewrite, is no place to begin from.
        let line = history.line(project.lineage, live);
        let mut commits: Vec<_> = line.commits.iter().take(MAX_SEEN_COMMITS).cloned().collect();
        let whole = line.whole && line.commits.len() == commits.len();
        commits.extend(live.filter(|_| whole).cloned());
        self.commits = Some((commits, whole));
        line
    }

    /// The server has no such branch: nothing of it may run.
    pub fn see_no_branch(&mut self, variables: &Variables) {
        self.commits = variables.commit.is_some().then(|| (Vec::new(), true));
    }

    /// `commit` is live now.
    pub fn forget_older_than(&mut self, commit: &CommitId) {
        if let Some((commits, whole)) = &mut self.commits
            && let Some(place) = commits.iter().position(|known| known == commit)
        {
            commits.truncate(place + 1);
            *whole = true;
        }
    }

    /// What there is to note, and when.
    #[must_use]
    pub fn to_note(self, variables: &Variables) -> Option<(SeenBranch, u64)> {
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs);
        let (commits, whole) = self.commits?;
        let (branch, build) = (variables.branch.clone(), variables.build.clone());
        let seen = SeenBranch { branch, fetched: seconds(self.began?), build, commits, whole };
        Some((seen, seconds(SystemTime::now())))
    }
}
