//! Starts children and ends them: each in a session of its own, with a deadline, from an environment that is given in
//! full. The only place that spawns. It knows nothing of git and nothing of what the command does.

mod capture;
pub mod log;
pub mod privacy;
mod relay;
mod stop;
pub mod strays;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, setsid, test_kill_process_group, waitpgid};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::environment::Environment;

pub use capture::{Output, SHORT, capture};
pub use contract::failure::Stopped;
pub use relay::{Filter, Relay};
pub use stop::Stop;

/// How often a group that was asked to end is looked at.
const POLL: Duration = Duration::from_millis(50);

/// How long a child may take, and how long its group may take to end once it was asked to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub time: Duration,
    pub grace: Duration,
}

/// How a child came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, or by a signal that was not ours.
    Exited(ExitStatus),
    /// We ended it: its time was over.
    TimeLimit,
    /// We ended it: we were asked to stop.
    Stopped(Stopped),
}

/// A command that starts with `environment` and nothing else, standard input empty, in a session of its own: no terminal to
/// ask questions on, and one group to end all that it starts.
pub fn command(program: impl AsRef<OsStr>, environment: &Environment) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment).stdin(Stdio::null()).kill_on_drop(true);
    before_exec(&mut command, || setsid().map(drop));
    command
}

/// The program `name` in the directories of `search_path`. Relative ones are passed over: they would be the repository's.
#[must_use]
pub fn find(name: &str, search_path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|path| path.is_file() && is_executable(path))
}

#[must_use]
pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Lets no file that `command` or its children write grow over `bytes`.
pub fn limit_file_size(command: &mut Command, bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    before_exec(command, move || setrlimit(Resource::Fsize, limit));
}

/// Lets `command` write its errors where its output goes, so that the lines of both keep their order.
pub fn join_streams(command: &mut Command) {
    before_exec(command, || rustix::stdio::dup2_stderr(rustix::stdio::stdout()));
}

/// Gives `command` and its children no way to more rights than they start with: no set-user-id program works for them.
pub fn forbid_new_privileges(command: &mut Command) {
    before_exec(command, || rustix::thread::set_no_new_privs(true));
}

/// Lets `command` run as another user, in that group and no other: the standard library gives up root's further groups.
pub fn run_as(command: &mut Command, user_id: u32, group_id: u32) {
    command.uid(user_id).gid(group_id);
}

/// Waits for `child` and then ends whatever of its group still lives. Over its time, or when asked to stop, the whole group
/// gets SIGTERM first and SIGKILL only after the grace: a Terraform whose shell has died already may still be writing its
/// state.
///
/// # Errors
/// Only if the operating system cannot wait for the child.
pub async fn supervise(child: &mut Child, limits: Limits, stop: &Stop) -> io::Result<Ended> {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let ended = tokio::select! {
        biased;
        status = child.wait() => Ended::Exited(status?),
        stopped = stop.requested() => Ended::Stopped(stopped),
        () = sleep(limits.time) => Ended::TimeLimit,
    };
    if let Some(group) = group {
        if !matches!(ended, Ended::Exited(_)) {
            ask_to_end(child, group, limits.grace).await?;
        }
        // No such group any more is the ordinary case, and there is nothing to do about any other error.
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait().await?;
    Ok(ended)
}

/// The exit status as a shell would put it: the child's own, or 128 and the number of the signal that killed it.
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

async fn ask_to_end(child: &mut Child, group: Pid, grace: Duration) -> io::Result<()> {
    let deadline = Instant::now() + grace;
    let _ = kill_process_group(group, Signal::TERM);
    while Instant::now() < deadline {
        if child.try_wait()?.is_some() && is_gone(group) {
            return Ok(());
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// Whether `group`, whose leader has been waited for, has no living member. The dead ones that became our children are
/// buried first, for a zombie is still a member.
fn is_gone(group: Pid) -> bool {
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
    test_kill_process_group(group).is_err()
}

#[allow(unsafe_code)]
fn before_exec(command: &mut Command, call: impl Fn() -> rustix::io::Result<()> + Send + Sync + 'static) {
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closures of this file make one
    // system call each, allocate nothing and take no lock.
    unsafe {
        command.pre_exec(move || call().map_err(io::Error::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { time: Duration::from_secs(120), grace: Duration::from_secs(120) };
    /// A time limit that is reached, but not before a busy machine has started the script.
    const REACHED: Duration = Duration::from_secs(4);

    fn shell(script: &str) -> Command {
        let path = std::env::var_os("PATH").unwrap();
        let mut command = command("/bin/sh", &[("PATH".into(), path)].into());
        command.args(["-c", script]);
        command
    }

    async fn run(script: &str, limits: Limits) -> Ended {
        supervise(&mut shell(script).spawn().unwrap(), limits, &Stop::channel().1).await.unwrap()
    }

    fn code(ended: Ended) -> u8 {
        match ended {
            Ended::Exited(status) => exit_code(status),
            other => panic!("{other:?}"),
        }
    }

    /// Polls, because a killed process is gone only a moment after the signal.
    fn dies(pid_file: &Path) -> bool {
        let pid = std::fs::read_to_string(pid_file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        (0..1500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        })
    }

    #[tokio::test]
    async fn the_exit_status_is_passed_on_and_a_signal_is_128_and_its_number() {
        assert_eq!(code(run("exit 0", LIMITS).await), 0);
        assert_eq!(code(run("exit 7", LIMITS).await), 7);
        assert_eq!(code(run("kill -KILL $$", LIMITS).await), 137);
    }

    #[tokio::test]
    async fn a_child_leads_a_session_of_its_own() {
        assert_eq!(code(run("read -r _ _ _ _ _ session _ < /proc/$$/stat; test $session = $$", LIMITS).await), 0);
    }

    #[tokio::test]
    async fn a_child_has_nothing_to_read() {
        assert_eq!(code(run("test \"$(readlink /proc/$$/fd/0)\" = /dev/null", LIMITS).await), 0);
    }

    #[tokio::test]
    async fn a_child_past_its_time_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
        let limits = Limits { time: REACHED, ..LIMITS };
        assert_eq!(run(&script, limits).await, Ended::TimeLimit);
        assert!(dies(&pid_file));
    }

    #[tokio::test]
    async fn the_grace_is_for_the_whole_group_not_only_for_its_leader() {
        let folder = tempfile::tempdir().unwrap();
        let saved = folder.path().join("saved");
        // The leader dies of SIGTERM at once; its child takes its time to save state.
        let script = format!(
            "(trap 'sleep 1; echo yes > {}; exit' TERM; while :; do sleep 0.1; done) & sleep 600",
            saved.display()
        );
        let limits = Limits { time: REACHED, ..LIMITS };
        assert_eq!(run(&script, limits).await, Ended::TimeLimit);
        assert!(saved.exists());
    }

    #[tokio::test]
    async fn a_child_that_ignores_sigterm_is_killed_after_the_grace() {
        let limits = Limits { time: REACHED, grace: Duration::from_millis(300) };
        let started = Instant::now();
        assert_eq!(run("trap '' TERM; while :; do sleep 0.1; done", limits).await, Ended::TimeLimit);
        assert!(started.elapsed() < LIMITS.time);
    }

    #[tokio::test]
    async fn what_a_child_leaves_running_in_its_group_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}", pid_file.display());
        assert_eq!(code(run(&script, LIMITS).await), 0);
        assert!(dies(&pid_file));
    }

    #[tokio::test]
    async fn a_request_to_stop_ends_the_child() {
        let (sender, stop) = Stop::channel();
        let mut child = shell("sleep 600").spawn().unwrap();
        sender.send(Some(Stopped::Terminated)).unwrap();
        let ended = supervise(&mut child, LIMITS, &stop).await.unwrap();
        assert_eq!(ended, Ended::Stopped(Stopped::Terminated));
    }

    #[tokio::test]
    async fn no_file_grows_over_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("big");
        let mut command = shell(&format!("head -c 100000 /dev/zero > {}", file.display()));
        limit_file_size(&mut command, 4096);
        supervise(&mut command.spawn().unwrap(), LIMITS, &Stop::channel().1).await.unwrap();
        assert_eq!(file.metadata().unwrap().len(), 4096);
    }

    #[tokio::test]
    async fn only_the_given_environment_is_seen() {
        // A shell adds PWD, SHLVL and _ of its own; HOME and CARGO come from whoever started this test.
        let script = "test -z \"$HOME$CARGO$CARGO_MANIFEST_DIR\" && test -n \"$PATH\"";
        assert_eq!(code(run(script, LIMITS).await), 0);
    }
}
