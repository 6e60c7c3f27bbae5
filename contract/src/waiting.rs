//! The commits that wait: what the launcher hands to a build beside the trigger's own commit, so that one build can answer
//! every pinned trigger of its branch that is known to wait.

use crate::{CommitId, NameError};

/// Most commits that are handed over. A build's variables together may be some 5,500 characters long.
pub const MAX_WAITING_COMMITS: usize = 40;

/// Reads the value of the build variable [`crate::variable::WAITING`].
///
/// # Errors
/// If a word is no commit, or if there are too many.
pub fn parse_waiting(text: &str) -> Result<Vec<CommitId>, NameError> {
    let commits = text.split(' ').map(CommitId::parse).collect::<Result<Vec<_>, _>>()?;
    if commits.len() > MAX_WAITING_COMMITS {
        return Err(NameError { what: "waiting commits", rule: "must be at most 40", character: None });
    }
    Ok(commits)
}

/// The value of that variable, cut to what may be handed over. None without any commit.
#[must_use]
pub fn write_waiting<'a>(commits: impl IntoIterator<Item = &'a CommitId>) -> Option<String> {
    let words: Vec<_> = commits.into_iter().take(MAX_WAITING_COMMITS).map(CommitId::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commits(count: usize) -> Vec<CommitId> {
        (0..count).map(|number| CommitId::parse(&format!("{number:040x}")).unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_and_no_more_than_may_be_handed_over() {
        assert_eq!(write_waiting(&[]), None);
        assert_eq!(parse_waiting(&write_waiting(&commits(3)).unwrap()).unwrap(), commits(3));
        assert_eq!(parse_waiting(&write_waiting(&commits(99)).unwrap()).unwrap(), commits(MAX_WAITING_COMMITS));
    }

    #[test]
    fn anything_but_a_list_of_commits_is_an_error() {
        let id = "a".repeat(40);
        let many = vec![id.as_str(); MAX_WAITING_COMMITS + 1].join(" ");
        for text in ["", "main", " ", &format!("{id}  {id}"), &format!("{id},{id}"), &format!("{id}\n"), &many] {
            assert!(parse_waiting(text).is_err(), "{text:?}");
        }
    }
}
