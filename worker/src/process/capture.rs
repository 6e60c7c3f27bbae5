//! Runs a child whose output we read: standard output as a whole, standard error line by line as it comes. What a child
//! writes is bounded here, since it may be repeating what a server on the internet says.

use std::future::Future;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Ended, Limits, Stop, supervise};

/// Most bytes of standard output that are kept, more than any question we ask git can need.
pub const SHORT: usize = 64 * 1024;
/// Most lines of standard error that are passed on; the rest is read and dropped.
const MAX_STDERR_LINES: usize = 200;
/// A line longer than this is passed on in pieces.
const MAX_LINE_BYTES: usize = 2000;
/// How long the pipes may stay open after the child's group is dead, held by somebody who left the group.
const PIPES_AFTER_END: Duration = Duration::from_secs(2);

/// What a child left behind.
#[derive(Debug)]
pub struct Output {
    pub ended: Ended,
    pub stdout: Vec<u8>,
    /// The lines that were passed on, unescaped: to be searched, not to be printed.
    pub stderr: Vec<String>,
}

/// Runs `command` to its end, keeps the first `most` bytes of its standard output and calls `on_line` for every line of its standard error.
///
/// # Errors
/// If the child cannot be started or waited for.
pub async fn capture(
    mut command: Command,
    limits: Limits,
    stop: &Stop,
    most: usize,
    on_line: impl FnMut(&str),
) -> io::Result<Output> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout_pipe, stderr_pipe) = (child.stdout.take(), child.stderr.take());
    // Dropped now, for it holds our end of what the child inherits.
    drop(command);

    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let reading = async {
        tokio::join!(read_start(stdout_pipe, most, &mut stdout), read_lines(stderr_pipe, &mut stderr, on_line));
    };
    let ended = supervise_while(reading, supervise(&mut child, limits, stop)).await?;
    Ok(Output { ended, stdout, stderr })
}

/// Drives both, and gives the reading a last moment after the child is gone.
pub(super) async fn supervise_while(
    reading: impl Future<Output = ()>,
    supervising: impl Future<Output = io::Result<Ended>>,
) -> io::Result<Ended> {
    tokio::pin!(reading, supervising);
    let ended = tokio::select! {
        ended = &mut supervising => ended?,
        () = &mut reading => return supervising.await,
    };
    let _ = timeout(PIPES_AFTER_END, reading).await;
    Ok(ended)
}

async fn read_start(pipe: Option<impl AsyncRead + Unpin>, most: usize, kept: &mut Vec<u8>) {
    read_chunks(pipe, |chunk| {
        let room = most.saturating_sub(kept.len());
        kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
    })
    .await;
}

async fn read_lines(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<String>, mut on_line: impl FnMut(&str)) {
    let mut keep = |line: String| {
        if kept.len() < MAX_STDERR_LINES {
            on_line(&line);
            kept.push(line);
        }
    };
    let mut lines = Lines::default();
    read_chunks(pipe, |chunk| lines.push(chunk).into_iter().for_each(&mut keep)).await;
    lines.rest().into_iter().for_each(&mut keep);
}

/// A pipe that cannot be read is a pipe at its end: the exit status says what became of the child.
async fn read_chunks(pipe: Option<impl AsyncRead + Unpin>, mut on_chunk: impl FnMut(&[u8])) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
        on_chunk(&chunk[..length]);
    }
}

/// Cuts a stream of bytes into lines. A carriage return ends a line too, as git uses it to draw progress.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in chunk {
            if !matches!(byte, b'\n' | b'\r') {
                self.0.push(byte);
                if self.0.len() < MAX_LINE_BYTES {
                    continue;
                }
            }
            lines.extend(self.rest());
        }
        lines
    }

    /// What has no end of line yet, if it is more than blanks.
    fn rest(&mut self) -> Option<String> {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.0)).trim_end().to_owned();
        (!line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let path = std::env::var_os("PATH").unwrap();
        let mut command = super::super::command("/bin/sh", &[("PATH".into(), path)].into());
        command.args(["-c", script]);
        command
    }

    async fn run(script: &str) -> Output {
        let limits = Limits { time: Duration::from_secs(60), grace: Duration::from_secs(1) };
        capture(shell(script), limits, &Stop::channel().1, SHORT, |_| ()).await.unwrap()
    }

    #[tokio::test]
    async fn both_streams_are_read() {
        let output = run("echo out; echo one >&2; printf two >&2").await;
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, ["one", "two"]);
    }

    #[tokio::test]
    async fn endless_output_is_cut_and_does_not_block_the_child() {
        let output = run("yes | head -c 1000000; yes | head -c 1000000 >&2").await;
        assert_eq!((output.stdout.len(), output.stderr.len()), (SHORT, MAX_STDERR_LINES));
    }

    #[tokio::test]
    async fn a_pipe_held_by_somebody_who_left_the_group_does_not_block_us() {
        let started = std::time::Instant::now();
        run("setsid sleep 90 & sleep 0.2").await;
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn lines_are_cut_wherever_the_chunks_are() {
        let mut lines = Lines::default();
        assert!(lines.push(b"a").is_empty());
        assert_eq!(lines.push(b"b\r\nc\n\nd"), ["ab", "c"]);
        assert_eq!(lines.rest().as_deref(), Some("d"));
        assert_eq!(lines.push(&[b'x'; MAX_LINE_BYTES + 1]).len(), 1);
    }
}
