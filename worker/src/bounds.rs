//! How long the work may take: the one deadline of the build, and the wish to stop.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;
use crate::process::{Limits, Stop};

/// Bounds of everything that waits.
pub struct Bounds {
    pub stop: Stop,
    deadline: Instant,
}

impl Bounds {
    /// `time_limit` begins now.
    #[must_use]
    pub fn new(time_limit: Duration, stop: Stop) -> Self {
        Self { stop, deadline: Instant::now() + time_limit }
    }

    /// What is left until the deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// For a child that may take `time`, or what is left if that is less.
    #[must_use]
    pub fn limits(&self, time: Duration, grace: Duration) -> Limits {
        Limits { time: time.min(self.remaining()), grace }
    }

    /// What `work` gives, unless we are asked to stop first. For work that bounds its own time.
    ///
    /// # Errors
    /// Those of `work`, or that we were asked to stop while `doing` it.
    pub async fn or_stop<T>(&self, doing: &str, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.stop.or(work).await.map_err(|stopped| Failure::stopped(stopped, doing))?
    }
}
