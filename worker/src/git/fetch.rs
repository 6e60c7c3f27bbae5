//! Gets from a Git server the history of one branch and the files of one commit, side by side, or all of a branch, or one commit
//! of another repository there; and tries again where that may help.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use contract::register::{AuthScheme, Tags};
use contract::{Branch, CommitId, Credentials, GitUrl, Project, Scheme};

use super::access::Access;
use super::command::Git;
use super::explain::{self, Explanation, explain};
use super::heard::Heard;
use super::history::History;
use super::part::Part;
use super::patience::Patience;
use super::progress::Progress;
use super::{QUESTION_TIME_LIMIT, REF, Repository, UNEXPECTED, is_commit};
use crate::failure::{Failure, Kind, OrFail};
use crate::narration;

/// Since when git sends `Authorization: Bearer` for a credential helper.
const BEARER_SINCE: (u32, u32) = (2, 46);

/// The longest list of commits and parents that is taken.
const MAX_HISTORY_BYTES: usize = 256 << 20;

const LOOKING_FOR_FILES: &str = "looking for the files of the commit";

/// Where the branch is fetched to for the sake of its tags.
pub(super) const TAGS_REF: &str = "refs/iwomp/branch-again";

/// What a server was told of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Credentials,
    Nothing,
}

/// Why a try failed, and how long the server asks to be left alone.
struct Setback {
    explanation: &'static Explanation,
    retry_after: Option<Duration>,
}

impl Setback {
    fn to_failure(&self, doing: &str) -> Failure {
        let error = self.explanation.to_error(format!("{doing}: {}", self.explanation.problem));
        Failure::new(Kind::Git, error, self.explanation.advice)
    }
}

/// How often a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// As early as can be, for something that will be asked for again if it does not come.
    One,
    /// As long as it may help.
    AsLongAsItHelps,
}

/// What a repository's own settings were. git remembers a server as one that will hand out later what a filter left out now.
/// No question shall go there.
pub(super) struct Settings {
    file: PathBuf,
    text: Vec<u8>,
}

impl Settings {
    pub(super) fn of(git: &Git<'_>) -> Result<Self, Failure> {
        let file = git.repository.join(".git/config");
        let text = fs::read(&file).with_context(|| format!("reading {}", file.display()));
        Ok(Self { text: text.or_fail(Kind::Machine, "trigger again")?, file })
    }

    pub(super) fn restore(&self) -> Result<(), Failure> {
        let written = fs::write(&self.file, &self.text).with_context(|| format!("writing {}", self.file.display()));
        written.or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")
    }
}

impl Repository<'_> {
    /// Fetches the history of `branch`, with the credentials of `project`, and tries again where the cause may pass. Beside it,
    /// the files of `guess`, or of the head, come along: a guess, since which commit may be deployed is known only after the
    /// history. It is no failure if they do not come: [`Self::fetch_files`] sees to it.
    ///
    /// Where the register wants tags, or accepts faults, the files of all commits are fetched in one go.
    ///
    /// # Errors
    /// With the most likely cause and its remedy, as far as git's words tell.
    pub async fn fetch(
        &mut self,
        project: &Project,
        branch: &Branch,
        guess: Option<&CommitId>,
    ) -> Result<History, Failure> {
        self.require_bearer_if_wanted(project).await?;
        self.part = Part::wanted(project);
        let url = project.git_url.as_str();
        let doing = format!("fetching branch {branch} of {url}");
        if wants_all(project) {
            self.history = self.git.beside(self.git.repository.clone());
            self.get(&self.git, &doing, project, &branch_arguments(url, branch)).await?;
            let history = self.read_history(&doing).await?;
            if project.checkout.tags == Tags::OfTheBranch {
                let doing = format!("fetching the tags of branch {branch} of {url}");
                self.get(&self.git, &doing, project, &tag_arguments(url, branch)).await?;
            }
            return Ok(history);
        }
        let own_settings = Settings::of(&self.history)?;
        let files = match guess {
            Some(commit) => commit_arguments(url, commit),
            None => head_arguments(url, branch),
        };
        let early = async {
            let git = self.git.unheard();
            match &self.part {
                Some(part) => self.fetch_part(&git, project, part, (guess, files), Tries::One).await.ok().flatten(),
                None => {
                    let _ = self.get_if_granted(&git, &doing, project, &files, Tries::One).await;
                    None
                }
            }
        };
        let commits = history_arguments(url, branch);
        let history = self.get(&self.history, &doing, project, &commits);
        let (history, part_of) = tokio::join!(Box::pin(history), Box::pin(early));
        self.part_of = part_of;
        history?;
        own_settings.restore()?;
        self.read_history(&doing).await
    }

    /// Asks the server for its head, with the credentials of `project`, as a fetch begins; and fetches nothing. Says whether it
    /// was told them: over HTTPS git tells nobody who does not ask, as for a repository that anybody can read.
    ///
    /// # Errors
    /// Like [`Self::fetch`].
    pub async fn ask_host(&self, project: &Project, tries: Tries) -> Result<Told, Failure> {
        self.require_bearer_if_wanted(project).await?;
        let url = project.git_url.as_str();
        let arguments = ["ls-remote", "--quiet", "--", url, "HEAD"].map(str::to_owned);
        let doing = format!("asking {url} for its head");
        let heard = match tries {
            Tries::AsLongAsItHelps => self.get(&self.git, &doing, project, &arguments).await?,
            Tries::One => {
                let mut progress = Progress::of(&self.git.repository);
                let answer = self.try_get(&self.git, &doing, project, &arguments, &mut progress).await?;
                answer.map_err(|setback| setback.to_failure(&doing))?
            }
        };
        let wants_credentials = project.git_url.scheme() == Scheme::Ssh || heard.wants_credentials;
        Ok(if wants_credentials && project.credentials.is_some() { Told::Credentials } else { Told::Nothing })
    }

    /// Fetches the files of `commit`, which is on `branch`, if they are not there yet.
    ///
    /// # Errors
    /// Like [`Self::fetch`].
    pub async fn fetch_files(&self, project: &Project, branch: &Branch, commit: &CommitId) -> Result<(), Failure> {
        match &self.part {
            Some(part) => self.fetch_files_of_part(project, branch, part, commit).await,
            None if !self.is_apart() || is_commit(&self.git, LOOKING_FOR_FILES, commit.as_str()).await? => Ok(()),
            None => self.fetch_all_files(project, branch, commit).await,
        }
    }

    /// Fetches all files of `commit`: by its id, or with the whole branch where the server hands out no ids.
    pub(super) async fn fetch_all_files(
        &self,
        project: &Project,
        branch: &Branch,
        commit: &CommitId,
    ) -> Result<(), Failure> {
        let doing = format!("fetching the files of {commit}");
        let url = project.git_url.as_str();
        // Of a commit without contents, the server would take us to have these.
        let arguments = |arguments| if self.part.is_some() { anew(arguments) } else { arguments };
        let by_id = arguments(commit_arguments(url, commit));
        let mut progress = Progress::of(&self.git.repository);
        match self.try_get(&self.git, &doing, project, &by_id, &mut progress).await? {
            Ok(_) => return Ok(()),
            Err(Setback { explanation, .. }) if explanation == explain::not_by_id() => (),
            Err(_) => return self.get(&self.git, &doing, project, &by_id).await.map(drop),
        }
        self.git.narration.say("git", "the server hands out no commit by its id; fetching all of the branch");
        self.get(&self.git, &doing, project, &arguments(branch_arguments(url, branch))).await?;
        if is_commit(&self.git, &doing, commit.as_str()).await? {
            return Ok(());
        }
        Err(Failure::new(
            Kind::Git,
            anyhow!("{doing}: the server has it no longer"),
            "the branch was rewritten meanwhile; trigger again",
        ))
    }

    /// Fetches `commit` from `url`, which is of the same origin as the project's own, and no history.
    ///
    /// # Errors
    /// Like [`Self::fetch`], and if the server hands out something else.
    pub(super) async fn fetch_commit(&self, project: &Project, url: &GitUrl, commit: &CommitId) -> Result<(), Failure> {
        let doing = format!("fetching commit {commit} of {}", url.as_str());
        self.get(&self.git, &doing, project, &commit_arguments(url.as_str(), commit)).await?;
        let mut command = self.git.command();
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{REF}^{{commit}}")]);
        let answer = self.git.run(&doing, command, QUESTION_TIME_LIMIT).await?;
        if answer.status.success() && answer.stdout.trim_ascii_end() == commit.as_str().as_bytes() {
            return Ok(());
        }
        Err(Failure::new(
            Kind::Git,
            anyhow!("{doing}: the server sent something else"),
            "see what the Git host has there",
        ))
    }

    /// Tries until it succeeds, or until trying again is of no use.
    async fn get(&self, git: &Git<'_>, doing: &str, project: &Project, arguments: &[String]) -> Result<Heard, Failure> {
        let mut patience = Patience::new(git.bounds.remaining());
        loop {
            let mut progress = Progress::of(&git.repository);
            let Setback { explanation, retry_after } =
                match self.try_get(git, doing, project, arguments, &mut progress).await? {
                    Ok(heard) => return Ok(heard),
                    Err(setback) => setback,
                };
            let mut problem = explanation.problem.to_owned();
            if explanation.nature.may_pass() {
                problem = format!("{problem} ({progress})");
            }
            if let Some(wait) = retry_after {
                problem = format!("{problem}; it asks to be left alone for {}", narration::duration(wait));
            }
            let Some(pause) = patience.pause(explanation.nature, retry_after) else {
                let error = explanation.to_error(format!("{doing}: {problem}"));
                return Err(Failure::new(Kind::Git, error, explanation.advice));
            };
            git.pause(doing, &problem, pause).await?;
        }
    }

    /// Whether the server gives what is asked for. Not if it refuses that for good; a failure that may pass is sat out, or counts
    /// as a refusal where there is one try.
    pub(super) async fn get_if_granted(
        &self,
        git: &Git<'_>,
        doing: &str,
        project: &Project,
        arguments: &[String],
        tries: Tries,
    ) -> Result<bool, Failure> {
        let mut progress = Progress::of(&git.repository);
        match self.try_get(git, doing, project, arguments, &mut progress).await? {
            Ok(_) => Ok(true),
            Err(Setback { explanation, .. }) if tries == Tries::AsLongAsItHelps && explanation.nature.may_pass() => {
                self.get(git, doing, project, arguments).await.map(|_| true)
            }
            Err(_) => Ok(false),
        }
    }

    /// One try, and why it failed. The credential is handed over anew each time: git can read it only once.
    async fn try_get(
        &self,
        git: &Git<'_>,
        doing: &str,
        project: &Project,
        arguments: &[String],
        progress: &mut Progress,
    ) -> Result<Result<Heard, Setback>, Failure> {
        // What it writes is not written over while another fetch reads it.
        let place = if git.repository == self.history.repository { "access" } else { "access-to-files" };
        let place = self.scratch.join(place);
        let mut access = fs::create_dir_all(&place)
            .with_context(|| format!("creating {}", place.display()))
            .and_then(|()| Access::prepare(project, &place))
            .context(doing.to_owned())
            .or_fail(Kind::Register, "correct gitUrl or the credentials of the project, then trigger again")?;
        let mut command = git.command();
        access.give_to(&mut command).context(doing.to_owned()).or_fail(Kind::Machine, "trigger again")?;
        command.env("GIT_EXEC_PATH", &self.programs);
        for fault in &project.checkout.accepted_faults {
            command.args(["-c", &format!("fetch.fsck.{}=ignore", fault.as_str())]);
        }
        command.args(arguments);
        // No limit but that of the build: what is slow is not broken.
        let answer =
            progress.during(git.run(doing, command, Duration::MAX)).await.map_err(|failure| match failure.kind {
                Kind::TimeLimit => Failure::time_limit(&format!("{doing} ({progress})")),
                _ => failure,
            })?;
        let heard = access.heard();
        if answer.status.success() {
            return Ok(Ok(heard));
        }
        let explanation = match answer.stderr.as_slice() {
            // How git ends, without a word, if nothing is left to fetch once the lookalikes are left out.
            [] if answer.status.code() == Some(1) => explain::missing_branch(),
            lines => explain(lines, project),
        };
        let explanation =
            if heard.is_a_page { explain::explain_page(&answer.stderr, explanation) } else { explanation };
        Ok(Err(Setback { explanation, retry_after: heard.retry_after }))
    }

    /// All commits of the branch, as fetched. With a depth, git would take a history whose beginning the server keeps to itself, or
    /// does not have; and it does not follow the parents of what comes without its files, for it counts on getting later what is
    /// missing.
    pub(super) async fn read_history(&self, doing: &str) -> Result<History, Failure> {
        if self.history.repository.join(".git/shallow").exists() {
            let error = anyhow!("{doing}: the server has only the end of its history (a shallow repository)");
            let advice = "run git fetch --unshallow there, or take another server's URL as gitUrl";
            return Err(Failure::new(Kind::Git, error, advice));
        }
        let mut command = self.history.command();
        command.args(["rev-list", "--topo-order", "--parents", "--end-of-options", REF, "--"]);
        let answer = self.history.run_for(doing, command, QUESTION_TIME_LIMIT, MAX_HISTORY_BYTES).await?;
        if answer.stdout.len() >= MAX_HISTORY_BYTES {
            let error = anyhow!("{doing}: its history is longer than two million commits");
            return Err(Failure::new(Kind::Git, error, "deploy from a repository with a shorter history"));
        }
        if answer.status.success() {
            let text = String::from_utf8_lossy(&answer.stdout);
            return History::parse(&text).context(doing.to_owned()).or_fail(Kind::Git, UNEXPECTED);
        }
        // Not every git takes it for a failure of the fetch if there was only a lookalike, which it was told to leave out.
        if !is_commit(&self.history, doing, REF).await? {
            let missing = explain::missing_branch();
            let error = missing.to_error(format!("{doing}: {}", missing.problem));
            return Err(Failure::new(Kind::Git, error, missing.advice));
        }
        let error = anyhow!("{doing}: the server's answer lacks commits of the history");
        Err(Failure::new(Kind::Git, error, "run git fsck on the repository there, then trigger again"))
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
}

/// A directory with the one program beside git itself that a fetch may use. A server can tell git to get a pack from any
/// other URL (packfile-uris, whether asked for or not); the program that would do it is not in here.
pub(super) async fn programs_for_fetching(git: &Git<'_>, scratch: &Path) -> Result<PathBuf, Failure> {
    const TRANSPORT: &str = "git-remote-https";
    let doing = "asking git where its programs are";
    let mut command = git.command();
    command.arg("--exec-path");
    let all = git.ask(doing, command, QUESTION_TIME_LIMIT).await?;
    let directory = scratch.join("git-programs");
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

/// Tags are for `git describe` and the like, which want the whole history. And where git leaves files out, its check of objects
/// knows no accepted faults.
fn wants_all(project: &Project) -> bool {
    project.checkout.tags == Tags::OfTheBranch || !project.checkout.accepted_faults.is_empty()
}

/// What every fetch is told.
///
/// The depth is git's own word for all of the history, or 1 for none of it. It is said because it makes git refuse servers that
/// only hand out files, as any web server does: what comes from them passes by `transfer.fsckObjects`, and object by object
/// also by the limit of a file's size.
fn fetch_arguments(depth: &str, more: &[&str], url: &str, refspecs: &[&str]) -> Vec<String> {
    let words =
        ["fetch", "--quiet", depth, "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance"];
    [&words, more, &["--", url], refspecs].concat().iter().map(|&word| word.to_owned()).collect()
}

const ALL_OF_HISTORY: &str = "--depth=2147483647";
const NOTHING_OF_HISTORY: &str = "--depth=1";

/// One branch by its full name, into a ref of ours. A short name would find a tag of that name first, and whatever else the
/// server calls so.
fn by_name(depth: &str, more: &[&str], url: &str, branch: &Branch) -> Vec<String> {
    let refspec = format!("+refs/heads/{branch}:{REF}");
    fetch_arguments(depth, &[&["--no-tags"], more].concat(), url, &[&[refspec.as_str()], LOOKALIKES].concat())
}

/// All commits of the branch, and all files.
pub(super) fn branch_arguments(url: &str, branch: &Branch) -> Vec<String> {
    by_name(ALL_OF_HISTORY, &[], url, branch)
}

/// All commits of the branch, and no file. A server that knows no filters sends the files as well, which git says.
pub(super) fn history_arguments(url: &str, branch: &Branch) -> Vec<String> {
    by_name(ALL_OF_HISTORY, &["--filter=tree:0"], url, branch)
}

/// The head of the branch with its files, and no history.
pub(super) fn head_arguments(url: &str, branch: &Branch) -> Vec<String> {
    by_name(NOTHING_OF_HISTORY, &[], url, branch)
}

/// The branch once more, which is there already, into another ref than the one that is deployed. Without a word on tags git
/// takes along those that point to a commit it has.
fn tag_arguments(url: &str, branch: &Branch) -> Vec<String> {
    fetch_arguments(ALL_OF_HISTORY, &[], url, &[&format!("+refs/heads/{branch}:{TAGS_REF}")])
}

/// One commit by its id. Servers hand out any commit that they have, those of forks too; but its id stands in the commit that
/// is deployed.
pub(super) fn commit_arguments(url: &str, commit: &CommitId) -> Vec<String> {
    fetch_arguments(NOTHING_OF_HISTORY, &["--no-tags"], url, &[&format!("+{commit}:{REF}")])
}

/// Objects by their ids, with all that is below them, though a commit is here already that has them in its tree.
pub(super) fn object_arguments(url: &str, ids: &[&str]) -> Vec<String> {
    anew(fetch_arguments(NOTHING_OF_HISTORY, &["--no-tags"], url, ids))
}

/// The same without the contents of files: a commit and its trees.
pub(super) fn without_contents(mut arguments: Vec<String>) -> Vec<String> {
    let place = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    arguments.insert(place, "--filter=blob:none".to_owned());
    arguments
}

/// The same without a word on what is here. Who has a commit is taken to have all of its files.
fn anew(arguments: Vec<String>) -> Vec<String> {
    ["-c", "fetch.negotiationAlgorithm=noop"].map(str::to_owned).into_iter().chain(arguments).collect()
}

/// Where git looks if there is no such branch: even a full name is completed, so that a tag called `refs/heads/main` would
/// stand in for a branch `main` that does not exist. No branch that we accept begins with `refs/`, so this excludes no other.
const LOOKALIKES: &[&str] = &["^refs/refs/*", "^refs/tags/*", "^refs/heads/refs/*", "^refs/remotes/*"];

/// `git version 2.47.3 (…)` as `(2, 47)`.
#[must_use]
pub fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split(['.', ' ', '\n']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
