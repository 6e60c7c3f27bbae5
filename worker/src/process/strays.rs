//! Processes that leave the command's group, as daemons do, to outlive it. The worker becomes the one who inherits them, and
//! ends them before it exits.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

/// A process in the middle of a system call dies late; longer than this we do not wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// From now on, an orphan among our descendants becomes our child instead of init's.
///
/// # Errors
/// If the kernel refuses.
pub fn adopt() -> rustix::io::Result<()> {
    set_child_subreaper(Some(getpid()))
}

/// Kills every child of this process, then what those leave to us, until none is left. Returns how many lived.
/// Only for the end of the program: it does not ask who is still waiting for a child.
#[must_use]
pub fn end() -> usize {
    let deadline = Instant::now() + PATIENCE;
    let mut killed = std::collections::BTreeSet::new();
    loop {
        let children = children();
        if children.is_empty() || Instant::now() > deadline {
            return killed.len();
        }
        for (pid, state) in children {
            if state != 'Z' && kill_process(pid, Signal::KILL).is_ok() {
                killed.insert(pid.as_raw_nonzero());
            }
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Our children with the letter of their state. Read from /proc, for no system call lists them.
fn children() -> Vec<(Pid, char)> {
    let own = getpid();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| parse_stat(&fs::read_to_string(entry.path().join("stat")).ok()?))
        .filter(|stat| stat.parent == own.as_raw_nonzero().get())
        .map(|stat| (stat.pid, stat.state))
        .collect()
}

struct Stat {
    pid: Pid,
    state: char,
    parent: i32,
}

/// Reads the start of `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where NAME may hold blanks and parentheses.
fn parse_stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some(Stat {
        pid: Pid::from_raw(pid.parse().ok()?)?,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_pose_as_fields() {
        let stat = parse_stat("42 (a) Z 1 (b) S 7 42 42 0").unwrap();
        assert_eq!((stat.pid.as_raw_nonzero().get(), stat.state, stat.parent), (42, 'S', 7));
    }
}
