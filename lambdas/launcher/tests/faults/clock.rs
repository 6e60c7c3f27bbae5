//! The time of the simulated world. tokio's clock is paused: it jumps from one wake-up to the next, so that days pass as fast as
//! the machine works, and the launcher's own time limits and the SDK's hold in it, too.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_codebuild::primitives::{DateTime, DateTimeFormat};
use aws_smithy_async::time::TimeSource;
use tokio::time::Instant;

/// When the world begins: 2026-11-23T00:00:00Z.
const BEGINNING: Duration = Duration::from_secs(1_795_392_000);

thread_local! { static START: Cell<Option<Instant>> = const { Cell::new(None) }; }

tokio::task_local! {
    /// By how many milliseconds the clock of the Lambda instance that runs is ahead of the world's.
    pub static SKEW_MILLISECONDS: i64;
}

/// Begins the time of a new world on this thread.
pub fn start() {
    START.set(Some(Instant::now()));
}

/// How long the world exists.
pub fn now() -> Duration {
    START.get().expect("the world has begun").elapsed()
}

/// The time of day that a clock shows which is that many milliseconds ahead.
pub fn time_of_day(at: Duration, skew_milliseconds: i64) -> SystemTime {
    let skew = Duration::from_millis(skew_milliseconds.unsigned_abs());
    let time = UNIX_EPOCH + BEGINNING + at;
    if skew_milliseconds < 0 { time - skew } else { time + skew }
}

/// The time of day as the launcher's instance sees it.
pub fn of_instance() -> SystemTime {
    time_of_day(now(), SKEW_MILLISECONDS.try_with(|skew| *skew).unwrap_or_default())
}

/// As SNS writes it into an envelope.
pub fn written(at: Duration) -> String {
    let whole_milliseconds = Duration::from_millis(u64::try_from(at.as_millis()).unwrap());
    DateTime::from(time_of_day(whole_milliseconds, 0)).fmt(DateTimeFormat::DateTime).unwrap()
}

/// The SDK's clock.
#[derive(Debug)]
pub struct InstanceTime;

impl TimeSource for InstanceTime {
    fn now(&self) -> SystemTime {
        of_instance()
    }
}
