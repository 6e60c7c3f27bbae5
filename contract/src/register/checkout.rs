//! The part of a register entry that says what comes into the checkout: what a commit only points to, and which old faults of
//! a repository are borne.

use super::DeployDir;
use crate::document::{Faults, Object, strings};
use crate::{DocumentError, GitUrl, Scheme};

/// What the checkout holds of the commit's own files, and beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    pub extent: Extent,
    /// Other repositories, at the commits that this one records.
    pub submodules: Submodules,
    /// Large files, of which the repository holds a pointer.
    pub large_files: LargeFiles,
    pub tags: Tags,
    /// What git's check of objects may find in this repository, though it would refuse it elsewhere.
    pub accepted_faults: Vec<GitFault>,
}

/// Which of the commit's files come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Extent {
    #[default]
    Whole,
    /// Those below `deployDir`, which is not the root, and those that stand in a directory above it: a cone, as git calls it.
    DeployDir,
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
    /// `git_url` and `deploy_dir` are none where they are wrong themselves: then what needs them is not judged. None: something is
    /// wrong, and noted.
    pub(super) fn take(
        object: &mut Object,
        git_url: Option<&GitUrl>,
        deploy_dir: Option<&DeployDir>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let sparse = faults.keep(object.take_bool("sparse"));
        let submodules = faults.keep(Submodules::take(object));
        let large_files = faults.keep(LargeFiles::take(object, git_url));
        let tags = faults.keep(object.take_bool("tags"));
        let accepted_faults = faults.keep(take_faults(object));
        let checkout = Self {
            extent: match sparse? {
                Some(true) => Extent::DeployDir,
                Some(false) | None => Extent::Whole,
            },
            submodules: submodules?,
            large_files: large_files?,
            tags: match tags? {
                Some(true) => Tags::OfTheBranch,
                Some(false) | None => Tags::None,
            },
            accepted_faults: accepted_faults?,
        };
        faults.keep(checkout.check_extent(deploy_dir?))?;
        Some(checkout)
    }

    fn check_extent(&self, deploy_dir: &DeployDir) -> Result<(), DocumentError> {
        let rule = match self.extent {
            Extent::Whole => return Ok(()),
            _ if deploy_dir.is_root() => "needs a deployDir below the root: without one, nothing can be left out",
            // git's list of what is checked out has a line for each.
            _ if deploy_dir.as_str().contains('\n') => "needs a deployDir without line ends",
            _ if self.tags != Tags::None => "cannot stand beside tags, with which the files of all commits are fetched",
            _ if !self.accepted_faults.is_empty() => {
                "cannot stand beside acceptedGitFaults: git accepts none where files are left out"
            }
            Extent::DeployDir => return Ok(()),
        };
        Err(invalid("sparse", rule))
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

    const KEYS: [&str; 5] = ["submodules", "lfs", "sparse", "tags", "acceptedGitFaults"];

    fn read(text: &str) -> Result<Checkout, DocumentError> {
        read_for("https://git.example/demo", text)
    }

    fn read_for(url: &str, text: &str) -> Result<Checkout, DocumentError> {
        take(url, "infra/shop", text)
    }

    fn take(url: &str, deploy_dir: &str, text: &str) -> Result<Checkout, DocumentError> {
        let mut faults = Faults::default();
        let (url, deploy_dir) = (GitUrl::parse(url).unwrap(), DeployDir::parse(deploy_dir).unwrap());
        let mut object = Object::read(text, &KEYS).unwrap();
        let checkout = Checkout::take(&mut object, Some(&url), Some(&deploy_dir), &mut faults);
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
    fn files_are_left_out_only_if_the_register_says_so_and_there_is_something_to_leave_out() {
        let take = |deploy_dir: &str, text: &str| take("https://git.example/demo", deploy_dir, text);
        let sparse = r#"{"sparse":true}"#;
        for text in ["{}", r#"{"sparse":false}"#] {
            assert_eq!(take(".", text).unwrap().extent, Extent::Whole);
        }
        for directory in ["infra", "./infra/", "a//b", "./.github", "we[i]rd *dir\\", "#a", "!a", ":(top)a", "-a"] {
            assert_eq!(take(directory, sparse).unwrap().extent, Extent::DeployDir, "{directory}");
        }
        for directory in [".", "./", "./.", ".//./", "a\nb"] {
            let error = take(directory, sparse).unwrap_err().to_string();
            assert!(error.starts_with("\"sparse\" needs a deployDir"), "{directory}: {error}");
        }
        for (more, named) in [
            (r#""tags":true"#, "tags"),
            (r#""acceptedGitFaults":["badDate"]"#, "acceptedGitFaults"),
            (r#""tags":true,"acceptedGitFaults":["badDate"]"#, "tags"),
        ] {
            let error = take("infra", &format!(r#"{{"sparse":true,{more}}}"#)).unwrap_err().to_string();
            assert!(error.contains(&format!("cannot stand beside {named}")), "{error}");
        }
        for beside in [r#""tags":false"#, r#""acceptedGitFaults":[]"#, r#""submodules":"fetch","lfs":"fetch""#] {
            assert!(take("infra", &format!(r#"{{"sparse":true,{beside}}}"#)).is_ok(), "{beside}");
        }
        assert!(take("infra", r#"{"sparse":"true"}"#).is_err());
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
