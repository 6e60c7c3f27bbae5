//! The history of the branch as fetched: which commit is whose parent. git lists it once, with ids that it computed itself, and
//! every question about it is answered here, without another process.

use std::collections::HashMap;

use anyhow::{Context, bail};
use contract::CommitId;
use contract::register::Lineage;

/// Most commits of a line that are looked at. A commit that is farther back than that has been waiting for very long.
const MAX_LINE: usize = 1000;

/// Where a commit stands, seen from the fetched branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the head of the branch as fetched, or its first parent, or that one's first parent, and so on. That is not the
    /// list of what was the head: a merge pushed the other way round puts the former head off the line.
    FirstParentLine,
    /// It is an ancestor of the head, by way of the second parent of a merge.
    Merged,
    /// The branch does not have it.
    Elsewhere,
}

/// Part of the branch, newest first.
pub struct Line {
    pub commits: Vec<CommitId>,
    /// Whether there are no others.
    pub whole: bool,
}

/// Every commit that the head descends from, and the head.
#[derive(Debug)]
pub struct History {
    /// The head first, and no commit before one of its descendants.
    commits: Vec<CommitId>,
    places: HashMap<CommitId, usize>,
    /// Of the commit at the same place, as places, the first one first.
    parents: Vec<Vec<usize>>,
}

impl History {
    /// Reads what `git rev-list --topo-order --parents` prints of the branch: a commit a line, with its parents behind it.
    ///
    /// # Errors
    /// If it is not that, or lacks a commit that another one names as its parent.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut history = Self { commits: Vec::new(), places: HashMap::new(), parents: Vec::new() };
        for line in text.lines() {
            let commit = CommitId::parse(line.split(' ').next().unwrap_or_default()).context("git's answer")?;
            history.places.insert(commit.clone(), history.commits.len());
            history.commits.push(commit);
        }
        if history.commits.is_empty() || history.places.len() != history.commits.len() {
            bail!("git lists no commit, or one twice");
        }
        for (place, line) in text.lines().enumerate() {
            let mut parents = Vec::new();
            for parent in line.split(' ').skip(1) {
                let parent = CommitId::parse(parent).context("git's answer")?;
                match history.places.get(&parent) {
                    Some(&behind) if behind > place => parents.push(behind),
                    _ => bail!("git lists {parent} before its descendants, or not at all"),
                }
            }
            history.parents.push(parents);
        }
        Ok(history)
    }

    /// The commit that the fetched branch points to.
    #[must_use]
    pub fn head(&self) -> &CommitId {
        &self.commits[0]
    }

    /// Where `commit` stands. The server's word is not taken for it: servers hand out commits of forks too when they are
    /// asked by id.
    #[must_use]
    pub fn standing(&self, commit: &CommitId) -> Standing {
        match self.places.get(commit) {
            None => Standing::Elsewhere,
            Some(place) if self.first_parents().any(|on_line| on_line == *place) => Standing::FirstParentLine,
            Some(_) => Standing::Merged,
        }
    }

    /// Whether `new` descends from `old`, or is it. A commit that the branch does not have is nobody's kin.
    #[must_use]
    pub fn descends(&self, new: &CommitId, old: &CommitId) -> bool {
        let (Some(&new), Some(&old)) = (self.places.get(new), self.places.get(old)) else { return false };
        self.ancestors(new, old)[old]
    }

    /// The commits of the branch that come after `live`, or all of them: those on the line of first parents, or every one that
    /// was merged, too. None is behind one of its own ancestors.
    #[must_use]
    pub fn line(&self, lineage: Lineage, live: Option<&CommitId>) -> Line {
        let last = self.commits.len() - 1;
        let live = live.and_then(|live| self.places.get(live));
        let is_old = live.map_or_else(|| vec![false; self.commits.len()], |&live| self.ancestors(live, last));
        let every_one = match lineage {
            Lineage::FirstParent => self.first_parents().collect(),
            Lineage::AnyAncestor => (0..self.commits.len()).collect::<Vec<_>>(),
        };
        let new = every_one.into_iter().filter(|&place| !is_old[place]).take(MAX_LINE);
        let commits: Vec<_> = new.map(|place| self.commits[place].clone()).collect();
        Line { whole: commits.len() < MAX_LINE, commits }
    }

    fn first_parents(&self) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(0), |place: &usize| self.parents[*place].first().copied())
    }

    /// For every place, whether the commit there is the one at `from` or an ancestor of it. None is looked for behind `last`.
    fn ancestors(&self, from: usize, last: usize) -> Vec<bool> {
        let mut found = vec![false; self.commits.len()];
        found[from] = true;
        // Ancestors stand behind their descendants, so that one walk finds all.
        for place in from..=last.min(self.commits.len() - 1) {
            if found[place] {
                for &parent in &self.parents[place] {
                    found[parent] = true;
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(letter: char) -> CommitId {
        CommitId::parse(&letter.to_string().repeat(40)).unwrap()
    }

    /// A history from lines like `f ec`: the commit, then its parents.
    fn history(lines: &[&str]) -> anyhow::Result<History> {
        let line = |line: &&str| {
            let ids = line.chars().filter(|c| *c != ' ').map(|letter| commit(letter).to_string());
            ids.collect::<Vec<_>>().join(" ")
        };
        History::parse(&lines.iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    /// f is the head. Its line is f e b a; d and c were merged, and c came off a; 0 is a second root, merged into d.
    fn merged() -> History {
        history(&["f ed", "e b", "d c0", "0", "c a", "b a", "a"]).unwrap()
    }

    #[test]
    fn the_line_of_first_parents_is_told_from_what_was_merged_and_from_what_is_elsewhere() {
        let history = merged();
        assert_eq!(*history.head(), commit('f'));
        for (letters, standing) in
            [("feba", Standing::FirstParentLine), ("dc0", Standing::Merged), ("12", Standing::Elsewhere)]
        {
            for letter in letters.chars() {
                assert_eq!(history.standing(&commit(letter)), standing, "{letter}");
            }
        }
    }

    #[test]
    fn a_commit_descends_from_itself_and_its_ancestors_and_from_no_other() {
        let history = merged();
        for (new, ancestors) in [('f', "fedcba0"), ('e', "eba"), ('d', "d0ca"), ('c', "ca"), ('a', "a"), ('0', "0")] {
            for old in "fedcba012".chars() {
                assert_eq!(history.descends(&commit(new), &commit(old)), ancestors.contains(old), "{new} {old}");
            }
        }
        assert!(!history.descends(&commit('1'), &commit('1')), "a commit that the branch does not have");
    }

    #[test]
    fn a_line_is_what_comes_after_the_live_commit_and_none_is_behind_its_own_ancestor() {
        let history = merged();
        let line = |lineage, live: Option<char>| {
            let live = live.map(commit);
            let line = history.line(lineage, live.as_ref());
            assert!(line.whole);
            line.commits.iter().map(|id| id.as_str().chars().next().unwrap()).collect::<String>()
        };
        assert_eq!(line(Lineage::FirstParent, None), "feba");
        assert_eq!(line(Lineage::FirstParent, Some('b')), "fe");
        assert_eq!(line(Lineage::FirstParent, Some('c')), "feb", "what is behind the live commit is not after it");
        assert_eq!(line(Lineage::AnyAncestor, None), "fed0cba");
        assert_eq!(line(Lineage::AnyAncestor, Some('b')), "fed0c");
        assert_eq!(line(Lineage::AnyAncestor, Some('f')), "");
        assert_eq!(line(Lineage::FirstParent, Some('1')), "feba", "as if nothing were live");
    }

    #[test]
    fn a_line_has_an_end_and_says_so() {
        let id = |number: usize| format!("{number:040x}");
        for (length, whole) in [(MAX_LINE - 1, true), (MAX_LINE, false), (MAX_LINE + 1, false)] {
            let mut lines: Vec<_> = (1..length).map(|number| format!("{} {}", id(number), id(number + 1))).collect();
            lines.push(id(length));
            let line = History::parse(&lines.join("\n")).unwrap().line(Lineage::FirstParent, None);
            assert_eq!((line.commits.len(), line.whole), (length.min(MAX_LINE), whole), "{length}");
        }
    }

    #[test]
    fn a_history_that_lacks_a_commit_or_is_out_of_order_is_none() {
        for lines in [&[][..], &["b a"], &["a", "b a"], &["b b"], &["b a", "a", "a"]] {
            assert!(history(lines).is_err(), "{lines:?}");
        }
        assert!(History::parse("HEAD").is_err());
    }
}
