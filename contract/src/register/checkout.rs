//! The part of a register entry that says what comes into the checkout: what a commit only points to, and which old faults of
//! a repository are borne.

use crate::document::{Faults, Object, strings};
use crate::{DocumentError, GitUrl, Scheme};

/// What the checkout holds beside the commit's own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Other repositories, at the commits that this one records.
    pub submodules: Submodules,
    /// Large files, of which the repository holds a pointer.
    pub large_files: LargeFiles,
    pub tags: Tags,
    /// What git's check of objects may find in this repository, though it would refuse it elsewhere.
    pub accepted_faults: Vec<GitFault>,
}

/// What to do where the tree to deploy has a submodule in it. Left out, its directory is empty, and a tool that reads the
/// tree as the whole truth takes away what was described there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Submodules {
    /// Refuse the commit.
    #[default]
    Refuse,
    /// Leave their directories empty.
    Ignore,
    /// Fetch them, from the project's own origin only.
    Fetch,
}

/// What to do where the tree to deploy has a pointer of Git LFS in it, which stands there in the place of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LargeFiles {
    /// Refuse the commit.
    #[default]
    Refuse,
    /// Leave the pointers.
    Ignore,
    /// Fetch them, from the project's own origin only.
    Fetch,
}

/// Whether tags come along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tags {
    #[default]
    None,
    /// Those that point into the branch's history, for `git describe`.
    OfTheBranch,
}

impl Checkout {
    /// `git_url` is none where it is wrong itself: then what needs it is not judged. None: something is wrong, and noted.
    pub(super) fn take(object: &mut Object, git_url: Option<&GitUrl>, faults: &mut Faults) -> Option<Self> {
        let submodules = faults.keep(Submodules::take(object));
        let large_files = faults.keep(LargeFiles::take(object, git_url));
        let tags = faults.keep(object.take_bool("tags"));
        let accepted_faults = faults.keep(take_faults(object));
        Some(Self {
            submodules: submodules?,
            large_files: large_files?,
            tags: match tags? {
                Some(true) => Tags::OfTheBranch,
                Some(false) | None => Tags::None,
            },
            accepted_faults: accepted_faults?,
        })
    }
}

impl Submodules {
    fn take(object: &mut Object) -> Result<Self, DocumentError> {
        match object.take_string("submodules")?.as_deref() {
            None | Some("refuse") => Ok(Self::Refuse),
            Some("ignore") => Ok(Self::Ignore),
            Some("fetch") => Ok(Self::Fetch),
            Some(_) => Err(invalid("submodules", "must be refuse, ignore or fetch")),
        }
    }
}

impl LargeFiles {
    fn take(object: &mut Object, git_url: Option<&GitUrl>) -> Result<Self, DocumentError> {
        match object.take_string("lfs")?.as_deref() {
            None | Some("refuse") => Ok(Self::Refuse),
            Some("ignore") => Ok(Self::Ignore),
            Some("fetch") if git_url.is_none_or(|url| url.scheme() == Scheme::Https) => Ok(Self::Fetch),
            Some("fetch") => Err(invalid("lfs", "fetch needs an https:// gitUrl")),
            Some(_) => Err(invalid("lfs", "must be refuse, ignore or fetch")),
        }
    }
}

fn invalid(key: &'static str, rule: &'static str) -> DocumentError {
    DocumentError::Invalid { key, rule }
}

fn take_faults(object: &mut Object) -> Result<Vec<GitFault>, DocumentError> {
    const KEY: &str = "acceptedGitFaults";
    let Some(value) = object.take(KEY) else { return Ok(Vec::new()) };
    let known = |name: String| GitFault::ALL.into_iter().find(|fault| fault.as_str() == name);
    strings(KEY, value)?.into_iter().map(known).collect::<Option<_>>().ok_or(invalid(
        KEY,
        "must hold names of harmless faults: badDate, badDateOverflow, badEmail, badName, badTimezone, missingEmail, \
         missingNameBeforeEmail, missingSpaceBeforeDate, missingSpaceBeforeEmail, zeroPaddedDate, zeroPaddedFilemode",
    ))
}

/// A fault that `git fsck` names, and that old tools left in honest repositories. The list is closed: each of these changes
/// what is shown of who wrote a commit and when, or writes the same mode of a file with a zero before it. None changes which
/// files a tree names, where they go, or what git does with them. So none of the faults of names (`hasDotgit`), of order
/// (`treeNotSorted`, `duplicateEntries`), of `.gitmodules` and of missing parts of an object is here.
/// <https://git-scm.com/docs/git-fsck#_fsck_messages>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GitFault(&'static str);

impl GitFault {
    pub const ALL: [Self; 11] = [
        Self("badDate"),
        Self("badDateOverflow"),
        Self("badEmail"),
        Self("badName"),
        Self("badTimezone"),
        Self("missingEmail"),
        Self("missingNameBeforeEmail"),
        Self("missingSpaceBeforeDate"),
        Self("missingSpaceBeforeEmail"),
        Self("zeroPaddedDate"),
        Self("zeroPaddedFilemode"),
    ];

    /// The name that git gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 4] = ["submodules", "lfs", "tags", "acceptedGitFaults"];

    fn read(text: &str) -> Result<Checkout, DocumentError> {
        read_for("https://git.example/demo", text)
    }

    fn read_for(url: &str, text: &str) -> Result<Checkout, DocumentError> {
        let mut faults = Faults::default();
        let url = GitUrl::parse(url).unwrap();
        let checkout = Checkout::take(&mut Object::read(text, &KEYS).unwrap(), Some(&url), &mut faults);
        checkout.ok_or_else(|| faults.into_all().remove(0))
    }

    #[test]
    fn what_is_only_pointed_to_is_refused_unless_the_register_says_otherwise() {
        let checkout = read("{}").unwrap();
        assert_eq!((checkout.submodules, checkout.large_files), (Submodules::Refuse, LargeFiles::Refuse));
        assert_eq!((checkout.tags, checkout.accepted_faults), (Tags::None, Vec::new()));
        let checkout = read(r#"{"submodules":"fetch","lfs":"ignore","tags":true}"#).unwrap();
        assert_eq!((checkout.submodules, checkout.large_files), (Submodules::Fetch, LargeFiles::Ignore));
        assert_eq!(checkout.tags, Tags::OfTheBranch);
    }

    #[test]
    fn large_files_are_fetched_over_https_alone() {
        let fetch = r#"{"lfs":"fetch"}"#;
        assert_eq!(read(fetch).unwrap().large_files, LargeFiles::Fetch);
        let error = read_for("ssh://git@git.example/demo", fetch).unwrap_err();
        assert_eq!(error.to_string(), r#""lfs" fetch needs an https:// gitUrl"#);
    }

    #[test]
    fn only_harmless_faults_can_be_accepted() {
        let accepted = read(r#"{"acceptedGitFaults":["badTimezone","zeroPaddedFilemode"]}"#).unwrap().accepted_faults;
        assert_eq!(
            accepted.iter().map(|fault| fault.as_str()).collect::<Vec<_>>(),
            ["badTimezone", "zeroPaddedFilemode"]
        );
        for fault in [
            "hasDotgit",
            "hasDotdot",
            "treeNotSorted",
            "duplicateEntries",
            "gitmodulesUrl",
            "gitmodulesUpdate",
            "gitmodulesSymlink",
            "nullSha1",
            "nulInCommit",
            "nulInHeader",
            "gitattributesLarge",
            "badtimezone",
            "badTimezone=ignore -c x",
            "*",
            "",
        ] {
            assert!(read(&format!(r#"{{"acceptedGitFaults":["{fault}"]}}"#)).is_err(), "{fault}");
        }
        for more in [
            r#""acceptedGitFaults":"badTimezone""#,
            r#""acceptedGitFaults":[1]"#,
            r#""submodules":true"#,
            r#""submodules":"all""#,
            r#""lfs":"all""#,
            r#""tags":"true""#,
        ] {
            assert!(read(&format!("{{{more}}}")).is_err(), "{more}");
        }
    }
}
