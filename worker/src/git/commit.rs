//! What is shown of a commit, and how it is read from git's answer. Author and subject are the words of whoever may push.

use anyhow::{Context, bail};
use contract::{CommitId, printable};

/// For `git log`: id, author, committer date, subject, separated by NUL, which none of them can hold.
pub(super) const FORMAT: &str = "--format=%H%x00%an%x00%cI%x00%s";

/// Longest part of a subject or a name that is shown, in characters.
const MAX_CHARS: usize = 100;

/// A commit as a person recognises it; its words are escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: CommitId,
    pub author: String,
    /// RFC 3339, in the committer's time zone.
    pub date: String,
    pub subject: String,
}

/// Reads what `git log` prints with [`FORMAT`].
pub(super) fn parse(text: &str) -> anyhow::Result<Commit> {
    let fields: Vec<&str> = text.trim_end_matches('\n').split('\0').collect();
    let [id, author, date, subject] = fields[..] else {
        bail!("git described the commit in {} fields instead of 4", fields.len());
    };
    Ok(Commit {
        id: CommitId::parse(id).context("git's answer")?,
        author: printable(author, MAX_CHARS),
        date: printable(date, MAX_CHARS),
        subject: printable(subject, MAX_CHARS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_commit_cannot_draw_on_the_terminal() {
        let id = "a".repeat(40);
        let subject = format!("fix\x1b[2K\r{}", "x".repeat(300));
        let commit = parse(&format!("{id}\0Åsa\0002026-11-23T06:00:00+01:00\0{subject}\n")).unwrap();
        assert_eq!((commit.id.as_str(), commit.author.as_str()), (id.as_str(), "Åsa"));
        assert!(commit.subject.starts_with("fix\\u{1b}[2K\\r") && commit.subject.chars().count() < 130);
    }

    #[test]
    fn another_number_of_fields_is_an_error() {
        assert!(parse("").is_err());
        assert!(parse(&format!("{}\0a\0b\n", "a".repeat(40))).is_err());
    }
}
