//! The repository of one build: fetched, asked, checked out. The only part that knows git. After the registered command has
//! started nothing here is called any more, for it may plant configuration that git would run.

mod access;
mod command;
mod commit;
mod explain;
mod line;
mod signature;
mod ssh;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use contract::register::{AllowedSigners, AuthScheme};
use contract::{Branch, CommitId, Credentials, Project};

use crate::bounds::Bounds;
use crate::environment::Environment;
use crate::failure::{Failure, Kind, OrFail};
use crate::narration::Narration;
use access::Access;
use command::Git;
use explain::{Explanation, Nature, explain};

pub use commit::Commit;
pub use line::Line;

/// Where the branch is kept. Not below `refs/heads`, so that nothing of the repository can have that name.
const REF: &str = "refs/iwomp/branch";
const FETCH_TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Before the second try and the third.
const FETCH_PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
const CHECKOUT_TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
/// For a question about what was fetched. The slow one walks all of the history.
const QUESTION_TIME_LIMIT: Duration = Duration::from_secs(2 * 60);
/// What to do about an answer that git never gives.
const UNEXPECTED: &str = "this should not happen; see what is special about the repository";
/// Since when git sends `Authorization: Bearer` for a credential helper.
const BEARER_SINCE: (u32, u32) = (2, 46);

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

/// A repository that holds the history of one branch, in a directory of its own.
pub struct Repository<'a> {
    git: Git<'a>,
    scratch: PathBuf,
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
        let (checkout, home) = (scratch.join("checkout"), scratch.join("git-home"));
        for directory in [&checkout, &home] {
            fs::create_dir(directory)
                .with_context(|| format!("creating {}", directory.display()))
                .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")?;
        }
        let git = Git::new(checkout, &home, own, bounds, narration);
        let mut command = git.command();
        // An empty template: the machine's may hold hooks.
        command.args(["init", "--quiet", "--template=", "."]);
        git.ask("making an empty repository", command, QUESTION_TIME_LIMIT).await?;
        Ok(Self { git, scratch: scratch.to_owned() })
    }

    /// Fetches the whole history of `branch`, and nothing else, with the credentials of `project`. Tries again where the
    /// cause may be gone in a moment.
    ///
    /// # Errors
    /// With the most likely cause and its remedy, as far as git's words tell.
    pub async fn fetch(&self, project: &Project, branch: &Branch) -> Result<(), Failure> {
        self.require_bearer_if_wanted(project).await?;
        let doing = format!("fetching branch {branch} of {}", project.git_url.as_str());
        let mut pauses = FETCH_PAUSES.iter();
        loop {
            let Some(explanation) = self.try_fetch(&doing, project, branch).await? else {
                self.require_branch(&doing).await?;
                return self.require_all_of_history(&doing).await;
            };
            let (Nature::Passing, Some(&pause)) = (explanation.nature, pauses.next()) else {
                return Err(Failure::new(Kind::Git, anyhow!("{doing}: {}", explanation.problem), explanation.advice));
            };
            self.git.pause(&doing, explanation.problem, pause).await?;
        }
    }

    /// One try, and why it failed. The credential is handed over anew each time: git can read it only once.
    async fn try_fetch(
        &self,
        doing: &str,
        project: &Project,
        branch: &Branch,
    ) -> Result<Option<&'static Explanation>, Failure> {
        let mut access = Access::prepare(project, &self.scratch)
            .context(doing.to_owned())
            .or_fail(Kind::Register, "correct gitUrl or the credentials of the project, then trigger again")?;
        let mut command = self.git.command();
        access.give_to(&mut command).context(doing.to_owned()).or_fail(Kind::Machine, "trigger again")?;
        command.env("GIT_EXEC_PATH", self.programs_for_fetching().await?);
        command.args(fetch_arguments(project.git_url.as_str(), branch));
        let answer = self.git.run(doing, command, FETCH_TIME_LIMIT).await?;
        // How git ends, without a word, if nothing is left to fetch once the lookalikes are left out.
        if answer.status.code() == Some(1) && answer.stderr.is_empty() {
            return Ok(Some(explain::missing_branch()));
        }
        Ok((!answer.status.success()).then(|| explain(&answer.stderr, project)))
    }

    /// A directory with the one program beside git itself that a fetch may use. A server can tell git to get a pack from any
    /// other URL (packfile-uris, whether asked for or not); the program that would do it is not in here.
    async fn programs_for_fetching(&self) -> Result<PathBuf, Failure> {
        const TRANSPORT: &str = "git-remote-https";
        let doing = "asking git where its programs are";
        let mut command = self.git.command();
        command.arg("--exec-path");
        let all = self.git.ask(doing, command, QUESTION_TIME_LIMIT).await?;
        let directory = self.scratch.join("git-programs");
        let linking = || -> std::io::Result<()> {
            fs::create_dir_all(&directory)?;
            match symlink(Path::new(all.trim_end()).join(TRANSPORT), directory.join(TRANSPORT)) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        };
        linking()
            .with_context(|| format!("linking {TRANSPORT} in {}", directory.display()))
            .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")?;
        Ok(directory)
    }

    /// Not every git takes it for a failure if there was only a lookalike, which it was told to leave out.
    async fn require_branch(&self, doing: &str) -> Result<(), Failure> {
        if self.is_commit(doing, REF).await? {
            return Ok(());
        }
        let missing = explain::missing_branch();
        Err(Failure::new(Kind::Git, anyhow!("{doing}: {}", missing.problem), missing.advice))
    }

    /// With a depth, git would take a history whose beginning the server keeps to itself, or does not have.
    async fn require_all_of_history(&self, doing: &str) -> Result<(), Failure> {
        let mut command = self.git.command();
        command.args(["rev-parse", "--is-shallow-repository"]);
        let answer = self.git.ask(doing, command, QUESTION_TIME_LIMIT).await?;
        if answer.trim_end() == "false" {
            return Ok(());
        }
        let error = anyhow!("{doing}: the server has only the end of its history (a shallow repository)");
        Err(Failure::new(Kind::Git, error, "run git fetch --unshallow there, or take another server's URL as gitUrl"))
    }

    async fn require_bearer_if_wanted(&self, project: &Project) -> Result<(), Failure> {
        let token = matches!(project.credentials, Some(Credentials::Token { .. }));
        if !token || project.auth_scheme != AuthScheme::Bearer {
            return Ok(());
        }
        let mut command = self.git.command();
        command.arg("version");
        let version = self.git.ask("asking git for its version", command, QUESTION_TIME_LIMIT).await?;
        if parse_version(&version).is_some_and(|version| version >= BEARER_SINCE) {
            return Ok(());
        }
        let error = anyhow!("authScheme bearer needs git 2.46 or newer, and this is {}", version.trim());
        Err(Failure::new(Kind::Register, error, "take a build image with a newer git, or set authScheme to basic"))
    }

    /// The commit that the fetched branch points to.
    ///
    /// # Errors
    /// If git fails.
    pub async fn head(&self) -> Result<CommitId, Failure> {
        let doing = "reading the head of the branch";
        let mut command = self.git.command();
        command.args(["rev-parse", "--verify", "--end-of-options", &format!("{REF}^{{commit}}")]);
        let answer = self.git.ask(doing, command, QUESTION_TIME_LIMIT).await?;
        CommitId::parse(answer.trim_end()).context(doing).or_fail(Kind::Git, UNEXPECTED)
    }

    /// Where `commit` stands. The server's word is not taken for it: servers hand out commits of forks too when they are
    /// asked by id.
    ///
    /// # Errors
    /// If git fails.
    pub async fn standing(&self, commit: &CommitId) -> Result<Standing, Failure> {
        if !self.has(commit).await? || !self.is_ancestor(commit.as_str(), REF).await? {
            return Ok(Standing::Elsewhere);
        }
        Ok(if self.is_on_first_parent_line(commit).await? { Standing::FirstParentLine } else { Standing::Merged })
    }

    /// Two questions with short answers, however long the history: how many commits of the line are not behind `commit`, and
    /// which commit is that many steps back. On the line, those are all that come after `commit`, so the steps lead to it.
    /// Off the line, no number of steps does.
    async fn is_on_first_parent_line(&self, commit: &CommitId) -> Result<bool, Failure> {
        let doing = "following the first parents of the branch";
        let mut command = self.git.command();
        command.args(["rev-list", "--first-parent", "--count", "--end-of-options", REF, &format!("^{commit}"), "--"]);
        let answer = self.git.ask(doing, command, QUESTION_TIME_LIMIT).await?;
        let steps: u32 = answer.trim_end().parse().context(doing).or_fail(Kind::Git, UNEXPECTED)?;

        let mut command = self.git.command();
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{REF}~{steps}^{{commit}}")]);
        let answer = self.git.run(doing, command, QUESTION_TIME_LIMIT).await?;
        Ok(answer.status.success() && answer.stdout.trim_ascii_end() == commit.as_str().as_bytes())
    }

    /// Whether `new` descends from `old`. A commit that was not fetched is nobody's kin.
    ///
    /// # Errors
    /// If git fails.
    pub async fn descends(&self, new: &CommitId, old: &CommitId) -> Result<bool, Failure> {
        if !self.has(old).await? || !self.has(new).await? {
            return Ok(false);
        }
        self.is_ancestor(old.as_str(), new.as_str()).await
    }

    async fn has(&self, commit: &CommitId) -> Result<bool, Failure> {
        self.is_commit("looking for a commit", commit.as_str()).await
    }

    /// Whether `revision`, an id or a ref, is there and a commit.
    async fn is_commit(&self, doing: &str, revision: &str) -> Result<bool, Failure> {
        let mut command = self.git.command();
        // Without ^{commit}, any 40 digits would do.
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")]);
        self.git.ask_yes_or_no(doing, command, QUESTION_TIME_LIMIT).await
    }

    async fn is_ancestor(&self, old: &str, new: &str) -> Result<bool, Failure> {
        let mut command = self.git.command();
        command.args(["merge-base", "--is-ancestor", "--", old, new]);
        self.git.ask_yes_or_no("comparing two commits", command, QUESTION_TIME_LIMIT).await
    }

    /// Whether `commit` was signed by one of `signers`.
    ///
    /// # Errors
    /// If the keys or the program that checks them cannot be used, or if git fails.
    pub async fn is_signed(&self, commit: &CommitId, signers: &AllowedSigners) -> Result<bool, Failure> {
        signature::is_by(signers, commit, &self.git, &self.scratch).await
    }

    /// What people want to know of a commit.
    ///
    /// # Errors
    /// If git fails.
    pub async fn describe(&self, commit: &CommitId) -> Result<Commit, Failure> {
        let mut command = self.git.command();
        command.args(["log", "--max-count=1", "--no-color", "--no-mailmap", commit::FORMAT]);
        command.args(["--end-of-options", commit.as_str(), "--"]);
        let doing = format!("describing commit {commit}");
        let answer = self.git.ask(&doing, command, QUESTION_TIME_LIMIT).await?;
        commit::parse(&answer).context(doing).or_fail(Kind::Git, UNEXPECTED)
    }

    /// Puts the files of `commit` into the checkout and returns its directory, which is all that remains: once the command
    /// may plant configuration there, no git may run in it. What is in `.git` holds no credential and no URL.
    ///
    /// # Errors
    /// If git fails.
    pub async fn check_out(self, commit: &CommitId) -> Result<PathBuf, Failure> {
        let mut command = self.git.command();
        command.args(["checkout", "--quiet", "--detach", "--no-recurse-submodules", commit.as_str(), "--"]);
        self.git.ask(&format!("checking out {commit}"), command, CHECKOUT_TIME_LIMIT).await?;
        Ok(self.git.repository)
    }
}

/// One branch by its full name, into a ref of ours. A short name would find a tag of that name first, and whatever else the
/// server calls so.
///
/// The depth is git's own word for all of the history. It is said because it makes git refuse servers that only hand out
/// files, as any web server does: what comes from them passes by `transfer.fsckObjects`, and object by object also by the
/// limit of a file's size.
fn fetch_arguments(url: &str, branch: &Branch) -> Vec<String> {
    let refspec = format!("+refs/heads/{branch}:{REF}");
    let words = [
        "fetch",
        "--quiet",
        "--depth=2147483647",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--",
        url,
        &refspec,
    ];
    words.iter().chain(LOOKALIKES).map(|&word| word.to_owned()).collect()
}

/// Where git looks if there is no such branch: even a full name is completed, so that a tag called `refs/heads/main` would
/// stand in for a branch `main` that does not exist. No branch that we accept begins with `refs/`, so this excludes no other.
const LOOKALIKES: &[&str] = &["^refs/refs/*", "^refs/tags/*", "^refs/heads/refs/*", "^refs/remotes/*"];

/// `git version 2.47.3 (…)` as `(2, 47)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split(['.', ' ', '\n']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests;
