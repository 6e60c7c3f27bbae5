//! How long the work may take: the one deadline of the build, and the wish to stop.

use std::future::Future;
use std::time::{Duration, SystemTime};

use contract::variable::MARGIN_SECONDS;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::process::{Limits, Stop};

/// Bounds of everything that waits.
pub struct Bounds {
    pub stop: Stop,
    deadline: Instant,
}

impl Bounds {
    /// `time` begins now.
    #[must_use]
    pub fn new(time: Duration, stop: Stop) -> Self {
        Self { stop, deadline: Instant::now() + time }
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

/// What is left of `time_limit` at `now` in a build that began at `build_start`. CodeBuild's clock runs from there: it may have
/// provisioned a machine and pulled the image for minutes before the worker began, and it ends the build that much earlier.
///
/// Without a plausible start the whole limit is left, as if the build had begun now. A start is plausible if it is not in the
/// future and CodeBuild would not have ended the build by now.
#[must_use]
pub fn time_left(time_limit: Duration, build_start: Option<SystemTime>, now: SystemTime) -> Duration {
    let elapsed = build_start.and_then(|start| now.duration_since(start).ok());
    match elapsed {
        Some(elapsed) if elapsed < time_limit + Duration::from_secs(MARGIN_SECONDS) => {
            time_limit.saturating_sub(elapsed)
        }
        _ => time_limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::GRACE;

    /// The shortest and the longest `timeout_minutes` of a project, and what Terraform makes of them.
    const ENDS: [(u64, u64); 2] = [(5, 180), (480, 28_680)];
    const MINUTE: Duration = Duration::from_secs(60);

    fn left(time_limit_seconds: u64, since_start: Duration) -> Duration {
        let now = SystemTime::now();
        time_left(Duration::from_secs(time_limit_seconds), Some(now - since_start), now)
    }

    #[test]
    fn whenever_the_worker_begins_the_command_and_its_grace_end_before_codebuild_ends_the_build() {
        for (timeout_minutes, time_limit_seconds) in ENDS {
            assert_eq!(timeout_minutes * 60 - time_limit_seconds, MARGIN_SECONDS);
            for provisioning in [Duration::ZERO, Duration::from_millis(1), MINUTE, 2 * MINUTE, MINUTE * 299 / 100] {
                let last = provisioning + left(time_limit_seconds, provisioning) + GRACE;
                assert!(last + MINUTE <= Duration::from_secs(timeout_minutes * 60), "{timeout_minutes}: {last:?}");
            }
        }
    }

    #[test]
    fn the_time_limit_counts_from_the_start_of_the_build() {
        assert_eq!(left(180, MINUTE), 2 * MINUTE);
        assert_eq!(left(180, 4 * MINUTE), Duration::ZERO);
        assert_eq!(left(28_680, 10 * MINUTE), Duration::from_secs(28_080));
    }

    #[test]
    fn a_start_that_cannot_be_counts_from_now() {
        for time_limit_seconds in ENDS.map(|(_, seconds)| seconds) {
            let (limit, now) = (Duration::from_secs(time_limit_seconds), SystemTime::now());
            let gone = limit + Duration::from_secs(MARGIN_SECONDS);
            for start in [None, Some(now + MINUTE), Some(now - gone), Some(SystemTime::UNIX_EPOCH)] {
                assert_eq!(time_left(limit, start, now), limit, "{start:?}");
            }
        }
    }
}
