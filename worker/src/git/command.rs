//! How git is called: one factory for every call. git is asked for facts in a form made for programs; what it says to
//! people is only passed on.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::process::Command;

use super::QUESTION_TIME_LIMIT;
use crate::bounds::Bounds;
use crate::environment::{self, Environment};
use crate::failure::{Failure, Kind, OrFail};
use crate::narration::{self, Narration};
use crate::process::{self, Ended};

/// What every call is told, whatever the machine or the repository say.
const SETTINGS: &[&str] = &[
    // Nothing of the repository or the machine runs inside git: no hooks, no file system monitor, no helper.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "credential.helper=",
    // Credentials are for one origin, not for paths; and where there is none, git fails instead of asking.
    "credential.useHttpPath=false",
    "credential.interactive=false",
    // Our token would fetch a sibling private repository as well, if a submodule named it.
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    // Refuses objects made to confuse git, or whoever reads the checkout. Some honest old repositories fail this.
    "transfer.fsckObjects=true",
    // A bundle URI is a second server, chosen by the first.
    "transfer.bundleURI=false",
    // A redirect can lead anywhere, the credential included. Renamed repositories need their new URL in the register.
    "http.followRedirects=false",
    // A server that sends less than 1 kB/s for a minute is not going to finish.
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    // Nothing goes on in the background, and nothing is kept for a later call: the repository lives for one build.
    "gc.auto=0",
    "maintenance.auto=false",
    "core.logAllRefUpdates=false",
    // As many checkout workers as cores: 0.55 to 0.80 of the time.
    "checkout.workers=0",
    // Keeps what we parse, and what people read, free of hints and of signatures' comments.
    "advice.detachedHead=false",
    "init.defaultBranch=main",
    "log.showSignature=false",
    "i18n.logOutputEncoding=UTF-8",
];

/// Beside what [`environment::for_git`] lets through.
const VARIABLES: &[(&str, &str)] = &[
    // The machine's and the user's configuration gave code execution when they were inherited.
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    // No question that nobody is there to answer.
    ("GIT_TERMINAL_PROMPT", "0"),
    // A replace ref would show other objects than those whose ids were compared.
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    // A `.lfsconfig` sent the credential to its own host.
    ("GIT_LFS_SKIP_SMUDGE", "1"),
    // No protocol at all, unless the call is a fetch: that one puts its own here.
    ("GIT_ALLOW_PROTOCOL", ""),
    // A question about what was not fetched is answered by no, and not by fetching it.
    ("GIT_NO_LAZY_FETCH", "1"),
    // What git says is searched for known sentences, which must not be translated.
    ("LC_ALL", "C"),
];

/// git gets this long to end when it is asked to; it has nothing to save.
const GRACE: Duration = Duration::from_secs(3);
/// No file that git writes grows over this: a server could fill the disk otherwise.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 30;

/// The longest list of files that is taken: some half a million names.
const MAX_LIST_BYTES: usize = 64 << 20;

/// git, in one repository.
pub(super) struct Git<'a> {
    pub(super) repository: PathBuf,
    pub(super) environment: Environment,
    pub(super) bounds: &'a Bounds,
    pub(super) narration: &'a Narration,
    /// Whether what git says is passed on.
    is_heard: bool,
}

/// A call that came to its end by itself.
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<String>,
}

impl<'a> Git<'a> {
    /// `home` is an empty directory: curl and git look for `.netrc`, keys and configuration in it.
    pub(super) fn new(
        repository: PathBuf,
        home: &Path,
        own: &Environment,
        bounds: &'a Bounds,
        narration: &'a Narration,
    ) -> Self {
        let mut environment = environment::for_git(own);
        environment.extend(VARIABLES.iter().map(|(name, value)| (name.into(), value.into())));
        environment.insert("HOME".into(), home.into());
        Self { repository, environment, bounds, narration, is_heard: true }
    }

    /// The same, in another repository.
    pub(super) fn beside(&self, repository: PathBuf) -> Self {
        Self { repository, environment: self.environment.clone(), ..*self }
    }

    /// The same, but what git says goes nowhere: for a call whose failure is not one.
    pub(super) fn unheard(&self) -> Self {
        Self { is_heard: false, ..self.beside(self.repository.clone()) }
    }

    /// A call without its subcommand.
    pub(super) fn command(&self) -> Command {
        let mut command = process::command("git", &self.environment);
        process::limit_file_size(&mut command, MAX_FILE_BYTES);
        command.current_dir(&self.repository).arg("--no-pager");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }

    /// A program that git uses, to be called by ourselves: it sees what git sees.
    pub(super) fn program(&self, path: &Path) -> Command {
        let mut command = process::command(path, &self.environment);
        process::limit_file_size(&mut command, MAX_FILE_BYTES);
        command
    }

    /// Runs a call to its end, passing on what git says to people. `doing` describes it in errors: a command line is never
    /// shown.
    pub(super) async fn run(&self, doing: &str, command: Command, time: Duration) -> Result<Answer, Failure> {
        self.run_for(doing, command, time, process::SHORT).await
    }

    pub(super) async fn run_for(
        &self,
        doing: &str,
        command: Command,
        time: Duration,
        most: usize,
    ) -> Result<Answer, Failure> {
        let limits = self.bounds.limits(time, GRACE);
        let say = |line: &str| {
            if self.is_heard {
                self.narration.say("git", line);
            }
        };
        let output = process::capture(command, limits, &self.bounds.stop, most, say)
            .await
            .with_context(|| format!("{doing}: running git"))
            .or_fail(Kind::Git, "make sure that the build image has git")?;
        match output.ended {
            Ended::Exited(status) => Ok(Answer { status, stdout: output.stdout, stderr: output.stderr }),
            Ended::Stopped(stopped) => Err(Failure::stopped(stopped, doing)),
            Ended::TimeLimit if self.bounds.is_over() => Err(Failure::time_limit(doing)),
            Ended::TimeLimit => {
                let error = anyhow!("{doing}: git was not done after {}", narration::duration(time));
                Err(Failure::new(
                    Kind::Git,
                    error,
                    "see whether the Git host is reachable from the build's network, then trigger again",
                ))
            }
        }
    }

    /// Waits before another try, and says so.
    pub(super) async fn pause(&self, doing: &str, problem: &str, pause: Duration) -> Result<(), Failure> {
        self.narration.say("git", &format!("{problem}; trying again in {}", narration::duration(pause)));
        let pausing = async {
            tokio::time::sleep(pause.min(self.bounds.remaining())).await;
            Ok(())
        };
        self.bounds.or_stop(doing, pausing).await
    }

    /// Runs a call that must succeed, and returns its standard output. What is not UTF-8 in it, as in the names of old
    /// commits, is replaced by a mark.
    pub(super) async fn ask(&self, doing: &str, command: Command, time: Duration) -> Result<String, Failure> {
        let answer = self.run(doing, command, time).await?;
        if !answer.status.success() {
            return Err(failed(doing, &answer));
        }
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    }

    /// Runs a call that must succeed and reads `text`, which a pipe holds without a reader, and returns its standard output.
    pub(super) async fn tell(&self, doing: &str, mut command: Command, text: &str) -> Result<String, Failure> {
        let holding = || -> io::Result<io::PipeReader> {
            let (reader, mut writer) = io::pipe()?;
            writer.write_all(text.as_bytes())?;
            Ok(reader)
        };
        let pipe =
            holding().with_context(|| format!("{doing}: making a pipe")).or_fail(Kind::Machine, "trigger again")?;
        command.stdin(pipe);
        self.ask(doing, command, QUESTION_TIME_LIMIT).await
    }

    /// Runs a call that must succeed, and returns the items of its standard output, each of which ends in a NUL. There may be
    /// many.
    pub(super) async fn list(&self, doing: &str, command: Command, time: Duration) -> Result<Vec<Vec<u8>>, Failure> {
        let answer = self.run_for(doing, command, time, MAX_LIST_BYTES).await?;
        if !answer.status.success() {
            return Err(failed(doing, &answer));
        }
        if answer.stdout.len() >= MAX_LIST_BYTES {
            let error = anyhow!("{doing}: git's answer is longer than {} MB", MAX_LIST_BYTES >> 20);
            return Err(Failure::new(Kind::Git, error, "keep fewer files in the repository"));
        }
        let items = answer.stdout.split(|&byte| byte == 0).filter(|item| !item.is_empty());
        Ok(items.map(<[u8]>::to_vec).collect())
    }

    /// Runs a call that answers yes or no by its exit status.
    pub(super) async fn ask_yes_or_no(&self, doing: &str, command: Command, time: Duration) -> Result<bool, Failure> {
        let answer = self.run(doing, command, time).await?;
        match answer.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(failed(doing, &answer)),
        }
    }
}

fn failed(doing: &str, answer: &Answer) -> Failure {
    let error = anyhow!("{doing}: git failed ({})", answer.status);
    Failure::new(Kind::Git, error, "git's own words are in the lines above")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn surroundings() -> (Narration, Bounds) {
        (Narration::default(), Bounds::new(Duration::from_secs(60), process::Stop::channel().1))
    }

    /// Runs `git` in a repository whose environment and files try to run `evil`, which leaves a mark.
    struct Trap {
        folder: tempfile::TempDir,
    }

    impl Trap {
        fn new() -> Self {
            let trap = Self { folder: tempfile::tempdir().unwrap() };
            for directory in ["repository", "home", "evil-home/hooks", "template/hooks"] {
                std::fs::create_dir_all(trap.path(directory)).unwrap();
            }
            let evil = format!("#!/bin/sh\ntouch {}\n", trap.path("mark").display());
            for script in ["evil", "template/hooks/post-checkout", "evil-home/hooks/post-checkout"] {
                std::fs::write(trap.path(script), &evil).unwrap();
                std::fs::set_permissions(trap.path(script), std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            let config = format!(
                "[core]\n fsmonitor = {0}/evil\n hooksPath = {0}/evil-home/hooks\n[init]\n templateDir = {0}/template\n",
                trap.folder.path().display()
            );
            std::fs::write(trap.path("evil-home/.gitconfig"), config).unwrap();
            trap
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn environment(&self) -> Environment {
            let own = [
                ("PATH", std::env::var_os("PATH").unwrap()),
                ("HOME", self.path("evil-home").into()),
                ("GIT_CONFIG_PARAMETERS", format!("'core.fsmonitor={}'", self.path("evil").display()).into()),
                ("GIT_TEMPLATE_DIR", self.path("template").into()),
                ("GIT_SSL_NO_VERIFY", "1".into()),
                ("GIT_TRACE", "1".into()),
            ];
            own.into_iter().map(|(name, value)| (name.into(), value)).collect()
        }

        /// A repository with a commit, then a checkout and a status, all by the command that `git` makes.
        async fn spring(&self, git: impl Fn() -> Command) -> bool {
            for arguments in [
                ["init", "--quiet", "."].as_slice(),
                &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "x"],
                &["checkout", "--quiet", "--detach", "HEAD"],
                &["status", "--short"],
            ] {
                assert!(git().args(arguments).status().await.unwrap().success());
            }
            self.path("mark").exists()
        }
    }

    #[tokio::test]
    async fn neither_inherited_variables_nor_a_users_configuration_run_anything() {
        let trap = Trap::new();
        let (narration, bounds) = surroundings();
        let git = Git::new(trap.path("repository"), &trap.path("home"), &trap.environment(), &bounds, &narration);
        assert!(!trap.spring(|| git.command()).await);
    }

    #[tokio::test]
    async fn the_trap_works_on_a_naive_call() {
        let trap = Trap::new();
        let naive = || {
            let mut command = Command::new("git");
            command.envs(trap.environment()).current_dir(trap.path("repository"));
            command
        };
        assert!(trap.spring(naive).await);
    }

    #[tokio::test]
    async fn a_repository_whose_own_configuration_was_planted_runs_nothing() {
        let trap = Trap::new();
        let (narration, bounds) = surroundings();
        let git = Git::new(trap.path("repository"), &trap.path("home"), &trap.environment(), &bounds, &narration);
        assert!(git.command().args(["init", "--quiet", "."]).status().await.unwrap().success());
        let config = std::fs::read_to_string(trap.path("evil-home/.gitconfig")).unwrap();
        std::fs::write(trap.path("repository/.git/config"), config).unwrap();
        assert!(!trap.spring(|| git.command()).await);
    }

    #[tokio::test]
    async fn no_configuration_of_the_user_or_the_machine_is_read() {
        let trap = Trap::new();
        let (narration, bounds) = surroundings();
        let git = Git::new(trap.path("repository"), &trap.path("home"), &trap.environment(), &bounds, &narration);
        assert!(git.command().args(["init", "--quiet", "."]).status().await.unwrap().success());
        std::fs::copy(trap.path("evil-home/.gitconfig"), trap.path("home/.gitconfig")).unwrap();
        let output = git.command().args(["config", "--list", "--show-scope"]).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().all(|line| line.starts_with("command\t") || line.starts_with("local\t")), "{text}");
    }

    #[tokio::test]
    async fn our_settings_hold_over_those_of_the_repository() {
        let trap = Trap::new();
        let (narration, bounds) = surroundings();
        let git = Git::new(trap.path("repository"), &trap.path("home"), &trap.environment(), &bounds, &narration);
        assert!(git.command().args(["init", "--quiet", "."]).status().await.unwrap().success());
        let settings = [
            ("http.followRedirects", "true", "false"),
            ("transfer.fsckObjects", "false", "true"),
            ("transfer.bundleURI", "true", "false"),
            ("submodule.recurse", "true", "false"),
            ("fetch.recurseSubmodules", "true", "false"),
            ("core.hooksPath", "hooks", "/dev/null"),
            ("core.askPass", "evil", ""),
            ("credential.helper", "evil", ""),
            ("http.lowSpeedTime", "0", "60"),
            ("gc.auto", "1", "0"),
            ("maintenance.auto", "true", "false"),
            ("core.attributesFile", "evil", "/dev/null"),
            ("core.excludesFile", "evil", "/dev/null"),
            ("credential.interactive", "true", "false"),
            ("credential.useHttpPath", "true", "false"),
            ("http.lowSpeedLimit", "0", "1000"),
            ("log.showSignature", "true", "false"),
        ];
        for (name, theirs, ours) in settings {
            let planted = process::command("git", &git.environment)
                .current_dir(&git.repository)
                .args(["config", name, theirs])
                .status();
            assert!(planted.await.unwrap().success());
            let output = git.command().args(["config", "--get", name]).output().await.unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), ours, "{name}");
        }
    }

    #[tokio::test]
    async fn git_can_write_no_file_over_the_limit() {
        let trap = Trap::new();
        let (narration, bounds) = surroundings();
        let git = Git::new(trap.path("repository"), &trap.path("home"), &trap.environment(), &bounds, &narration);
        let output =
            git.command().args(["-c", "alias.limits=!cat /proc/self/limits", "limits"]).output().await.unwrap();
        let limits = String::from_utf8(output.stdout).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max file size")).unwrap();
        assert!(line.contains(&format!(" {MAX_FILE_BYTES} ")), "{line}");
    }

    #[test]
    fn every_call_has_an_empty_home_and_only_a_fetch_may_use_a_protocol() {
        let (narration, bounds) = surroundings();
        let own = Environment::from([("HOME".into(), "/home/with/.netrc".into())]);
        let git = Git::new("r".into(), Path::new("/empty"), &own, &bounds, &narration);
        for (name, value) in [
            ("HOME", "/empty"),
            ("GIT_ALLOW_PROTOCOL", ""),
            // What these stand for is on this machine only if its owner put it there.
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
        ] {
            assert_eq!(git.environment[&std::ffi::OsString::from(name)], value);
        }
    }
}
