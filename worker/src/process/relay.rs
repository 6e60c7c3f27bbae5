//! Passes on what a child writes, as it comes, through a filter: its standard output to ours, its standard error to ours.

use std::future::Future;
use std::io;
use std::time::Duration;

use rustix::fd::AsFd;
use rustix::pipe::fcntl_setpipe_size;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::time::timeout;

use super::Ended;
use super::capture::supervise_while;
use super::log::{self, Log};

/// As much as a pipe may hold, unless the machine says otherwise: what is faster than the log waits less often for us.
const PIPE_BYTES: usize = 1 << 20;
const CHUNK_BYTES: usize = 256 * 1024;
/// What is held back, since it may go on, is passed on when nothing has come for so long: the last letter of a line may begin
/// what is looked for, and who waits for an answer, or for ever, writes no other.
const LONGEST_HOLD: Duration = Duration::from_millis(500);

/// What lies between a child's stream and ours.
pub trait Filter {
    /// Takes the next bytes and returns what may be passed on by now.
    fn push(&mut self, bytes: &[u8]) -> Vec<u8>;
    /// Whether something is held back.
    fn holds(&self) -> bool;
    /// Returns what was held back, after the last bytes.
    fn rest(&mut self) -> Vec<u8>;
}

/// The two streams of a child that was started with pipes, taken from it.
pub struct Relay {
    stdout: Option<tokio::process::ChildStdout>,
    stderr: Option<tokio::process::ChildStderr>,
}

impl Relay {
    #[must_use]
    pub fn of(child: &mut Child) -> Self {
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        stdout.iter().for_each(widen);
        stderr.iter().for_each(widen);
        Self { stdout, stderr }
    }

    /// Passes everything on while `supervising` waits for the child.
    ///
    /// # Errors
    /// Those of `supervising`.
    pub async fn through(
        self,
        stdout_filter: impl Filter,
        stderr_filter: impl Filter,
        supervising: impl Future<Output = io::Result<Ended>>,
    ) -> io::Result<Ended> {
        let relaying = async {
            tokio::join!(
                pass_on(self.stdout, stdout_filter, log::stdout()),
                pass_on(self.stderr, stderr_filter, log::stderr()),
            );
        };
        supervise_while(relaying, supervising).await
    }
}

/// A pipe that cannot be made larger serves as it is.
fn widen(pipe: &impl AsFd) {
    let _ = fcntl_setpipe_size(pipe, PIPE_BYTES);
}

/// Reads on when the log is closed, so that its writer does not die of that.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, mut filter: impl Filter, to: &Log) {
    let Some(mut from) = from else { return };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let hold = if filter.holds() { LONGEST_HOLD } else { Duration::MAX };
        match timeout(hold, from.read(&mut chunk)).await {
            Ok(Ok(length @ 1..)) => write(to, filter.push(&chunk[..length])).await,
            Ok(_) => break,
            Err(_) => write(to, filter.rest()).await,
        }
    }
    write(to, filter.rest()).await;
}

async fn write(to: &Log, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        to.pass_on(bytes).await;
    }
}
