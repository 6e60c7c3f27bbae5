//! The repository of one build: fetched, asked, checked out. The only part that knows git. After the registered command has
//! started nothing here is called any more, for it may plant configuration that git would run.

mod access;
mod command;
mod commit;
mod explain;
mod fetch;
mod heard;
mod history;
mod left_out;
mod lent_access;
mod lfs;
mod origin;
mod part;
mod patience;
mod place;
mod pointers;
mod progress;
mod signature;
mod ssh;
mod submodules;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use contract::register::AllowedSigners;
use contract::{Branch, CommitId, GitUrl};

use crate::bounds::Bounds;
use crate::environment::Environment;
use crate::failure::{Failure, Kind, OrFail};
use crate::narration::Narration;
use command::Git;
use part::Part;

pub use commit::Commit;
pub use explain::NoSuchBranch;
pub use fetch::{Told, Tries, parse_version};
pub use history::{History, Line, Standing};
pub use lent_access::LentAccess;
pub use pointers::{LargeFile, Pointers, Submodule};

/// Where the branch is kept. Not below `refs/heads`, so that nothing of the repository can have that name.
const REF: &str = "refs/iwomp/branch";
const CHECKOUT_TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
/// For a question about what was fetched. The slow one walks all of the history.
const QUESTION_TIME_LIMIT: Duration = Duration::from_secs(2 * 60);
/// What to do about an answer that git never gives.
const UNEXPECTED: &str = "this should not happen; see what is special about the repository";

/// The files of one commit, and the history of its branch, in a directory each. The two are fetched side by side: the history
/// is all commits and no file, which is enough for every question, and the files are those of one commit. Both are told apart
/// by ids that git computes itself, so it does not matter who answers the second request, or what with.
pub struct Repository<'a> {
    /// Where the files are, or will be.
    git: Git<'a>,
    /// Where the questions are asked. The same place, if the history came with all of its files.
    history: Git<'a>,
    scratch: PathBuf,
    /// Where git finds what it may start in a fetch.
    programs: PathBuf,
    /// What of the files is wanted, if not all.
    part: Option<Part>,
    /// The commit of which that part is here.
    part_of: Option<CommitId>,
}

impl<'a> Repository<'a> {
    /// Makes an empty one in `scratch`, a private directory that outlives it. `own` is the worker's own environment.
    ///
    /// # Errors
    /// If the directories or the repository cannot be made.
    pub async fn create(
        scratch: &Path,
        own: &Environment,
        bounds: &'a Bounds,
        narration: &'a Narration,
    ) -> Result<Self, Failure> {
        let (checkout, history, home) = (scratch.join("checkout"), scratch.join("history"), scratch.join("git-home"));
        make_directories(&[&checkout, &history, &home])?;
        let git = Git::new(checkout, &home, own, bounds, narration);
        let history = git.beside(history);
        let (first, second, programs) =
            tokio::join!(init(&git), init(&history), fetch::programs_for_fetching(&git, scratch));
        first.and(second)?;
        Ok(Self { programs: programs?, git, history, scratch: scratch.to_owned(), part: None, part_of: None })
    }

    /// Whether `commit` was signed by one of `signers`.
    ///
    /// # Errors
    /// If the keys or the program that checks them cannot be used, or if git fails.
    pub async fn is_signed(&self, commit: &CommitId, signers: &AllowedSigners) -> Result<bool, Failure> {
        signature::is_by(signers, commit, &self.history, &self.scratch).await
    }

    /// What people want to know of a commit.
    ///
    /// # Errors
    /// If git fails.
    pub async fn describe(&self, commit: &CommitId) -> Result<Commit, Failure> {
        let mut command = self.history.command();
        command.args(["log", "--max-count=1", "--no-color", "--no-mailmap", commit::FORMAT]);
        command.args(["--end-of-options", commit.as_str(), "--"]);
        let doing = format!("describing commit {commit}");
        let answer = self.history.ask(&doing, command, QUESTION_TIME_LIMIT).await?;
        commit::parse(&answer).context(doing).or_fail(Kind::Git, UNEXPECTED)
    }

    /// Puts the files of `commit`, which are here, into the checkout; only those of a part, if no others are wanted.
    ///
    /// # Errors
    /// If git fails.
    pub async fn check_out(&self, commit: &CommitId) -> Result<(), Failure> {
        let mut command = self.git.command();
        if let Some(part) = &self.part {
            self.narrow(part)?;
            self.git.narration.say("sparse", &format!("{part} alone, and what stands in a directory above it"));
            for setting in part::SETTINGS {
                command.args(["-c", setting]);
            }
        }
        command.args(["checkout", "--quiet", "--detach", "--no-recurse-submodules", commit.as_str(), "--"]);
        self.git.ask(&format!("checking out {commit}"), command, CHECKOUT_TIME_LIMIT).await?;
        Ok(())
    }

    /// Tells the repository what tools ask of it: that HEAD, which is at `commit`, is on the branch, where it came from, and what
    /// the branch's head is there. `url` is plain, and no credential goes with it: whoever fetches from `origin` needs one of
    /// their own.
    ///
    /// # Errors
    /// If git fails.
    pub async fn name_branch(
        &self,
        url: &GitUrl,
        branch: &Branch,
        commit: &CommitId,
        head: &CommitId,
    ) -> Result<(), Failure> {
        const DOING: &str = "telling the checkout its branch";
        if self.is_apart() {
            self.take_in_history()?;
        }
        let local = format!("refs/heads/{branch}");
        let refs = [
            (local.as_str(), Some(commit)),
            (&format!("refs/remotes/origin/{branch}"), Some(head)),
            (REF, Some(head)),
            (fetch::TAGS_REF, None),
        ];
        let mut command = self.git.command();
        command.args(["update-ref", "--no-deref", "--stdin"]);
        let list = refs.map(|(name, commit)| match commit {
            Some(commit) => format!("update {name} {commit}\n"),
            None => format!("delete {name}\n"),
        });
        self.git.tell(DOING, command, &list.concat()).await?;
        let mut command = self.git.command();
        command.args(["symbolic-ref", "HEAD", &local]);
        self.git.ask(DOING, command, QUESTION_TIME_LIMIT).await?;
        let file = self.git.repository.join(".git/config");
        let settings =
            origin::settings(url, branch, self.is_apart()) + self.part.as_ref().map_or("", |_| part::KEPT_SETTINGS);
        let written =
            fs::OpenOptions::new().append(true).open(&file).and_then(|mut file| file.write_all(settings.as_bytes()));
        written
            .with_context(|| format!("{DOING}: writing {}", file.display()))
            .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")
    }

    /// Adds the history to the repository of the files, for `git log` and `git describe`. Nothing is copied.
    fn take_in_history(&self) -> Result<(), Failure> {
        let objects = |git: &Git<'_>| git.repository.join(".git/objects");
        let no_longer_shallow = || match fs::remove_file(self.git.repository.join(".git/shallow")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("removing .git/shallow"),
            _ => Ok(()),
        };
        move_files(&objects(&self.history), &objects(&self.git))
            .and_then(|()| no_longer_shallow())
            .context("joining the history with the files")
            .or_fail(Kind::Machine, "trigger again")
    }

    /// An empty repository beside this one, in `scratch`.
    async fn sibling(&self, scratch: &Path) -> Result<Self, Failure> {
        let checkout = scratch.join("checkout");
        make_directories(&[&checkout])?;
        let (git, history) = (self.git.beside(checkout.clone()), self.git.beside(checkout));
        init(&git).await?;
        let (scratch, programs) = (scratch.to_owned(), self.programs.clone());
        Ok(Self { git, history, scratch, programs, part: None, part_of: None })
    }

    /// Whether the history is in a place of its own, without files.
    fn is_apart(&self) -> bool {
        self.git.repository != self.history.repository
    }

    /// The directory of the checkout, which is all that remains: once the command may plant configuration there, no git may
    /// run in it. What is in `.git` holds no credential.
    #[must_use]
    pub fn into_checkout(self) -> PathBuf {
        self.git.repository
    }
}

/// Whether `revision`, an id or a ref, is there and a commit.
async fn is_commit(git: &Git<'_>, doing: &str, revision: &str) -> Result<bool, Failure> {
    let mut command = git.command();
    // Without ^{commit}, any 40 digits would do.
    command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")]);
    git.ask_yes_or_no(doing, command, QUESTION_TIME_LIMIT).await
}

/// All files below `from`, to the same places below `to`.
fn move_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry.with_context(|| format!("reading {}", from.display()))?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().with_context(|| format!("looking at {}", old.display()))?.is_dir() {
            move_files(&old, &new)?;
        } else {
            fs::rename(&old, &new).with_context(|| format!("moving {} to {}", old.display(), new.display()))?;
        }
    }
    Ok(())
}

async fn init(git: &Git<'_>) -> Result<(), Failure> {
    let mut command = git.command();
    // An empty template: the machine's may hold hooks.
    command.args(["init", "--quiet", "--template=", "."]);
    git.ask("making an empty repository", command, QUESTION_TIME_LIMIT).await.map(drop)
}

fn make_directories(directories: &[&Path]) -> Result<(), Failure> {
    directories.iter().try_for_each(|directory| {
        fs::create_dir(directory)
            .with_context(|| format!("creating {}", directory.display()))
            .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")
    })
}

#[cfg(test)]
mod tests;
