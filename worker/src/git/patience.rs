//! How often a fetch is tried again, and after which pauses. A passing disturbance is sat out for as long as the build can
//! bear; what may be a mistake in the register is told soon.

use std::time::Duration;

use tokio::time::Instant;

use super::explain::Nature;

/// Before the second try, the third, and so on; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
];
/// Nobody may be there, or the name of the host is wrong.
const TRIES_IF_UNREACHED: usize = 3;
/// No server makes us wait longer than this.
const MAX_PAUSE: Duration = Duration::from_secs(10 * 60);
/// Of the time that the build has left. The command needs the rest.
const SHARE: u32 = 2;

/// What is left of the readiness to try again.
pub(super) struct Patience {
    end: Instant,
    failures: usize,
}

impl Patience {
    pub(super) fn new(remaining: Duration) -> Self {
        Self { end: Instant::now() + remaining / SHARE, failures: 0 }
    }

    /// The pause before the next try, if one is worth it after a failure of this `nature`. A server may ask for a longer one.
    pub(super) fn pause(&mut self, nature: Nature, asked_for: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        let is_enough = match nature {
            Nature::Lasting => true,
            Nature::Unreached => self.failures >= TRIES_IF_UNREACHED,
            Nature::Passing => false,
        };
        let pause = PAUSES[self.failures.min(PAUSES.len()) - 1].max(asked_for.unwrap_or_default());
        (!is_enough && pause <= MAX_PAUSE && Instant::now() + pause < self.end).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn seconds(patience: &mut Patience, nature: Nature, asked_for: Option<u64>) -> Option<u64> {
        patience.pause(nature, asked_for.map(Duration::from_secs)).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_disturbance_is_sat_out_with_growing_pauses_and_a_wrong_host_is_told_soon() {
        let mut patience = Patience::new(HOUR);
        let pauses: Vec<_> = (0..7).map(|_| seconds(&mut patience, Nature::Passing, None)).collect();
        assert_eq!(pauses, [2, 10, 30, 60, 120, 120, 120].map(Some));
        let mut patience = Patience::new(HOUR);
        let pauses: Vec<_> = (0..3).map(|_| seconds(&mut patience, Nature::Unreached, None)).collect();
        assert_eq!(pauses, [Some(2), Some(10), None]);
        assert_eq!(seconds(&mut Patience::new(HOUR), Nature::Lasting, Some(1)), None);
    }

    #[test]
    fn a_server_may_ask_for_a_longer_pause_within_bounds() {
        for (asked_for, pause) in
            [(0, Some(2)), (1, Some(2)), (90, Some(90)), (600, Some(600)), (601, None), (u64::MAX, None)]
        {
            assert_eq!(seconds(&mut Patience::new(HOUR), Nature::Passing, Some(asked_for)), pause, "{asked_for}");
        }
    }

    #[test]
    fn no_pause_goes_beyond_half_of_what_the_build_has_left() {
        assert_eq!(seconds(&mut Patience::new(Duration::from_secs(5)), Nature::Passing, None), Some(2));
        assert_eq!(seconds(&mut Patience::new(Duration::from_secs(4)), Nature::Passing, None), None);
        assert_eq!(seconds(&mut Patience::new(Duration::from_secs(60)), Nature::Passing, Some(45)), None);
    }
}
