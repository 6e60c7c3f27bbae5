//! Our standard output and standard error, which somebody reads as a log, or should. Each has a thread that writes and nothing
//! else: a reader that stalls without closing holds up that thread, and neither a deadline nor a wish to stop.

use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fd::BorrowedFd;
use rustix::fs::fstat;
use rustix::io::{Errno, write};
use tokio::sync::{mpsc, oneshot};

/// How long a line waits for a reader, the first one and the last one. Those between are dropped then.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a writer that cannot write at once looks again.
const POLL: Duration = Duration::from_millis(5);

/// A stream that others read.
pub struct Log {
    sender: Option<mpsc::Sender<Piece>>,
    stream: fn() -> BorrowedFd<'static>,
    is_stalled: std::sync::atomic::AtomicBool,
}

struct Piece {
    bytes: Vec<u8>,
    written: Written,
}

/// Who waits until a piece is written.
enum Written {
    Thread(SyncSender<()>),
    Task(oneshot::Sender<()>),
}

/// Our standard output.
pub fn stdout() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| Log::start(rustix::stdio::stdout))
}

/// Our standard error.
pub fn stderr() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| Log::start(rustix::stdio::stderr))
}

/// Whether both are the same file, as in a build log.
#[must_use]
pub fn are_one_stream() -> bool {
    match (fstat(rustix::stdio::stdout()), fstat(rustix::stdio::stderr())) {
        (Ok(stdout), Ok(stderr)) => (stdout.st_dev, stdout.st_ino) == (stderr.st_dev, stderr.st_ino),
        _ => false,
    }
}

impl Log {
    fn start(stream: fn() -> BorrowedFd<'static>) -> Self {
        let (sender, mut pieces) = mpsc::channel::<Piece>(1);
        let writing = move || {
            while let Some(Piece { bytes, written }) = pieces.blocking_recv() {
                write_all(stream(), &bytes);
                // Whoever waited may have lost patience.
                match written {
                    Written::Thread(sender) => drop(sender.send(())),
                    Written::Task(sender) => drop(sender.send(())),
                }
            }
        };
        let started = thread::Builder::new().name("log".to_owned()).spawn(writing).is_ok();
        Self { sender: started.then_some(sender), stream, is_stalled: false.into() }
    }

    /// Writes a line, and waits until it is written or the reader seems to have stalled. From then on, lines that nobody takes
    /// are dropped at once: a log that nobody reads is no reason to leave a deployment half done.
    pub fn say(&self, line: &str) {
        self.say_within(line, if self.is_stalled() { Duration::ZERO } else { PATIENCE });
    }

    /// Writes the last line, for which a reader that has stalled gets another chance.
    pub fn end(&self, line: &str) {
        self.say_within(line, PATIENCE);
    }

    /// Passes on what somebody else wrote, however long that takes: it waits as long as the one who wrote it.
    pub async fn pass_on(&self, bytes: Vec<u8>) {
        let Some(sender) = &self.sender else { return write_all((self.stream)(), &bytes) };
        let (written, is_written) = oneshot::channel();
        if sender.send(Piece { bytes, written: Written::Task(written) }).await.is_ok() {
            let _ = is_written.await;
        }
    }

    fn say_within(&self, line: &str, patience: Duration) {
        let Some(sender) = &self.sender else { return write_all((self.stream)(), line.as_bytes()) };
        let deadline = Instant::now() + patience;
        let (written, is_written) = sync_channel(1);
        let mut piece = Piece { bytes: line.as_bytes().to_vec(), written: Written::Thread(written) };
        while let Err(error) = sender.try_send(piece) {
            if Instant::now() >= deadline {
                return self.stall();
            }
            thread::sleep(POLL);
            piece = error.into_inner();
        }
        match is_written.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(()) => self.is_stalled.store(false, std::sync::atomic::Ordering::Relaxed),
            Err(_) => self.stall(),
        }
    }

    fn is_stalled(&self) -> bool {
        self.is_stalled.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn stall(&self) {
        self.is_stalled.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Writes all of `bytes`, unless nobody can read them any more.
fn write_all(stream: BorrowedFd<'_>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match write(stream, bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Somebody made the stream non-blocking.
            Err(Errno::AGAIN) => thread::sleep(POLL),
            Err(_) => return,
        }
    }
}
