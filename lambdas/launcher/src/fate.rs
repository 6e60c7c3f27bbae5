//! What stops a trigger on its way to a build, and what then becomes of its message: it leaves the queue, waits in it, or is
//! given up into the dead-letter queue, from where a person sends it on.

use std::time::{Duration, SystemTime};

use contract::{Class, Outcome, TriggerError};
use iwomp_aws::error::{AwsError, Kind};

use crate::environment::Limits;

/// Why no build was started.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// A rule forbids it for good.
    Refused { class: Class, reason: String },
    /// A build that began after the trigger was published has deployed what it asks for.
    Covered { build: String },
    /// Its commit is not newer than what is live, or not on the branch, as the build saw that fetched it since.
    NotAhead { build: Option<String> },
    /// What it asks for was tried often enough since it was published, and always failed.
    KeepsFailing { build: String, reason: String },
    /// Not now.
    Busy { class: Busy, reason: String },
    /// AWS failed or did not answer.
    Failed { kind: Kind, reason: String },
    /// The launcher ran out of time, wherever it was.
    TimedOut { reason: String },
}

/// Why a trigger has to wait although nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// The project's build runs, one at a time.
    Building,
    /// The account runs as many builds of this kind as AWS lets it, whosoever they are.
    AccountLimit,
    /// Another trigger of the project goes first.
    InLine,
    /// The project has had its builds of this hour.
    HourlyCap,
    /// An operator said so.
    Paused,
}

impl Busy {
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Building => Class::Building,
            Self::AccountLimit => Class::AccountLimit,
            Self::InLine => Class::InLine,
            Self::HourlyCap => Class::HourlyCap,
            Self::Paused => Class::Paused,
        }
    }
}

impl Stop {
    pub fn refused(class: Class, reason: impl Into<String>) -> Self {
        Self::Refused { class, reason: reason.into() }
    }

    /// Outcome and class of a message that this stopped, if it need not be given up.
    #[must_use]
    pub fn outcome(&self) -> (Outcome, Option<Class>) {
        match self {
            Self::Refused { class, .. } => (Outcome::Refused, Some(*class)),
            Self::Covered { .. } => (Outcome::Covered, None),
            Self::NotAhead { .. } => (Outcome::Superseded, Some(Class::NotAhead)),
            Self::KeepsFailing { .. } => (Outcome::Failed, Some(Class::KeepsFailing)),
            Self::Busy { class, .. } => (Outcome::Busy, Some(class.class())),
            Self::Failed { kind, .. } => (Outcome::Failed, Some(kind.class())),
            Self::TimedOut { .. } => (Outcome::Failed, Some(Class::Timeout)),
        }
    }
}

impl From<AwsError> for Stop {
    fn from(AwsError { kind, reason }: AwsError) -> Self {
        Self::Failed { kind, reason }
    }
}

impl From<TriggerError> for Stop {
    fn from(error: TriggerError) -> Self {
        Self::refused(error.class(), error.to_string())
    }
}

/// How often an error that only a person can mend is tried: IAM's rights and Terraform's resources come up within a minute.
pub const LASTING_TRIES: u32 = 5;

/// What becomes of a message that stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered for good.
    Leave,
    /// It comes back.
    Wait,
    /// It came often enough (failed) or waited long enough (expired), and becomes a dead letter with this outcome.
    GiveUp(Outcome),
    /// It has become one.
    GivenUp,
}

impl Fate {
    /// Whether the queue is to forget the message.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Leave | Self::GivenUp)
    }

    /// What the launcher says of it.
    #[must_use]
    pub fn told(&self) -> contract::Fate {
        match self {
            Self::Leave => contract::Fate::Answered,
            Self::Wait | Self::GiveUp(_) => contract::Fate::Waits,
            Self::GivenUp => contract::Fate::GivenUp,
        }
    }
}

/// Decides on a message that was received `tries` times and has `waited` in the queue.
#[must_use]
pub fn fate(stop: &Stop, tries: u32, waited: Duration, limits: &Limits) -> Fate {
    match stop {
        Stop::Refused { .. } | Stop::Covered { .. } | Stop::NotAhead { .. } | Stop::KeepsFailing { .. } => Fate::Leave,
        // Until the operator says otherwise.
        Stop::Busy { class: Busy::Paused, .. } => Fate::Wait,
        Stop::Failed { kind, .. } if kind.is_lasting() && tries >= LASTING_TRIES => Fate::GiveUp(Outcome::Failed),
        _ if waited > limits.max_wait => Fate::GiveUp(Outcome::Expired),
        _ => Fate::Wait,
    }
}

/// Whether what stops a trigger that was published then may make it expire. Earlier by a longest delay, since the queue's
/// clock is another one and a try takes its time.
#[must_use]
pub fn may_expire(published: SystemTime, now: SystemTime, limits: &Limits) -> bool {
    now + limits.retry > published + limits.max_wait
}

/// How often the first in line looks before it slows down like the others. SQS gives up a message by itself after
/// `maxReceiveCount` receptions, of which Terraform's queue.tf keeps 120 for these and for the short delays before them.
pub const QUICK_TRIES: u32 = 100;

/// Which of the waiting triggers of a project a delay is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The oldest that is known: it looks often, for it goes next.
    First,
    /// Any other, and whatever failed.
    Behind,
    /// Behind a running build, at which a look is due then.
    Until(Duration),
    /// Of a paused project.
    Paused,
}

/// How long until the next try: doubling from try to try up to a bound, in whole seconds, at least one.
///
/// `jitter` is from 0 to 1; it takes up to half of the delay away, so that what came together does not come back together.
#[must_use]
pub fn delay(place: Place, tries: u32, jitter: f64, limits: &Limits) -> Duration {
    let retry = limits.retry.as_secs_f64();
    let visibility = limits.visibility.as_secs_f64();
    let (first, bound) = match place {
        Place::First if tries <= QUICK_TRIES => (retry / 16.0, retry / 8.0),
        // All at once: one look answers for those that come together.
        Place::Until(look) if tries <= QUICK_TRIES => return limits.retry.min(whole_seconds(look.as_secs_f64())),
        Place::First | Place::Until(_) | Place::Behind => (retry / 16.0, visibility),
        Place::Paused => (retry, 5.0 * retry),
    };
    let doublings = tries.saturating_sub(1).min(16); // beyond, every bound is reached
    let full = (first * f64::from(1_u32 << doublings)).min(bound);
    // The queue does that by itself, without a call, and from when each came.
    if (full - visibility).abs() < f64::EPSILON {
        return limits.visibility;
    }
    whole_seconds(full * (1.0 - jitter / 2.0))
}

/// The longest that a pinned trigger sleeps behind a build that has run for so long, so that it is known when all are back, see
/// `turn.rs`: half as long as that.
#[must_use]
pub fn longest_sleep(ran: Duration, tries: u32, limits: &Limits) -> Duration {
    if tries <= QUICK_TRIES { (ran / 2).clamp(limits.retry / 6, limits.retry) } else { limits.retry }
}

/// The same of one that a build may pass over or has passed over.
#[must_use]
pub fn short_sleep(ran: Duration, tries: u32, limits: &Limits) -> Duration {
    if tries <= QUICK_TRIES { (ran / 4).clamp(limits.retry / 6, limits.retry) } else { limits.retry }
}

fn whole_seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.ceil().max(1.0))
}

#[cfg(test)]
mod tests {
    use contract::class::OF_TRIGGERS;

    use super::*;

    const LIMITS: Limits = Limits {
        retry: Duration::from_secs(160),
        visibility: Duration::from_secs(80),
        max_wait: Duration::from_secs(1000),
        builds_per_hour: 30,
    };

    fn busy(class: Busy) -> Stop {
        Stop::Busy { class, reason: String::new() }
    }

    fn failed(kind: Kind) -> Stop {
        Stop::Failed { kind, reason: String::new() }
    }

    #[test]
    fn what_is_answered_leaves_and_what_is_not_waits() {
        let build = || "iwomp-in-aws--demo:1".to_owned();
        for (stop, expected) in [
            (Stop::refused(Class::TooLong, ""), Fate::Leave),
            (Stop::Covered { build: build() }, Fate::Leave),
            (Stop::KeepsFailing { build: build(), reason: String::new() }, Fate::Leave),
            (busy(Busy::Building), Fate::Wait),
            (busy(Busy::Paused), Fate::Wait),
            (failed(Kind::Throttled), Fate::Wait),
            (failed(Kind::AccessDenied), Fate::Wait),
            (Stop::TimedOut { reason: String::new() }, Fate::Wait),
        ] {
            assert_eq!(fate(&stop, 1, Duration::ZERO, &LIMITS), expected, "{stop:?}");
        }
    }

    #[test]
    fn the_launcher_says_what_the_contract_lists_for_it_and_all_of_it() {
        let busy_ones = [Busy::Building, Busy::AccountLimit, Busy::InLine, Busy::HourlyCap, Busy::Paused].map(busy);
        let kinds = [Kind::Throttled, Kind::Unavailable, Kind::UnknownOutcome, Kind::AccessDenied, Kind::Misconfigured]
            .map(failed);
        let (build, reason) = ("iwomp-in-aws--demo:1", String::new);
        let others = [
            Stop::Covered { build: build.to_owned() },
            Stop::NotAhead { build: None },
            Stop::KeepsFailing { build: build.to_owned(), reason: reason() },
            Stop::TimedOut { reason: reason() },
        ];
        let mut listed: Vec<_> = OF_TRIGGERS.iter().flat_map(|(outcome, classes)| pairs(*outcome, classes)).collect();
        // What is refused has its class where it is refused; what has expired keeps the one that it waited under.
        listed.retain(|(outcome, _)| ![Outcome::Started, Outcome::Expired, Outcome::Refused].contains(outcome));
        let mut said: Vec<_> = busy_ones.iter().chain(&kinds).chain(&others).map(Stop::outcome).collect();
        said.sort();
        listed.sort();
        assert_eq!(said, listed);
    }

    fn pairs(outcome: Outcome, classes: &[Class]) -> Vec<(Outcome, Option<Class>)> {
        match classes {
            [] => vec![(outcome, None)],
            _ => classes.iter().map(|class| (outcome, Some(*class))).collect(),
        }
    }

    #[test]
    fn nothing_waits_for_ever_but_in_a_paused_project() {
        let (just, over) = (LIMITS.max_wait, LIMITS.max_wait + Duration::from_millis(1));
        for stop in [busy(Busy::Building), busy(Busy::AccountLimit), busy(Busy::HourlyCap), failed(Kind::Unavailable)] {
            assert_eq!(fate(&stop, 999, just, &LIMITS), Fate::Wait, "{stop:?}");
            assert_eq!(fate(&stop, 1, over, &LIMITS), Fate::GiveUp(Outcome::Expired), "{stop:?}");
        }
        assert_eq!(fate(&busy(Busy::Paused), 999, over, &LIMITS), Fate::Wait);
        assert_eq!(fate(&Stop::refused(Class::TooLong, ""), 999, over, &LIMITS), Fate::Leave);
    }

    #[test]
    fn a_trigger_may_expire_a_longest_delay_before_it_does() {
        let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!may_expire(after(0), after(840), &LIMITS) && may_expire(after(0), after(841), &LIMITS));
    }

    #[test]
    fn what_only_a_person_can_mend_is_given_up_after_a_few_tries() {
        for kind in [Kind::AccessDenied, Kind::Misconfigured] {
            assert_eq!(fate(&failed(kind), LASTING_TRIES - 1, Duration::ZERO, &LIMITS), Fate::Wait);
            assert_eq!(fate(&failed(kind), LASTING_TRIES, Duration::ZERO, &LIMITS), Fate::GiveUp(Outcome::Failed));
        }
        assert_eq!(fate(&failed(Kind::UnknownOutcome), 999, Duration::ZERO, &LIMITS), Fate::Wait);
    }

    #[test]
    fn a_delay_doubles_up_to_its_bound() {
        let seconds = |place, tries| delay(place, tries, 0.0, &LIMITS).as_secs();
        assert_eq!(
            [1, 2, 3, 4, 5, 6, u32::MAX].map(|tries| seconds(Place::Behind, tries)),
            [10, 20, 40, 80, 80, 80, 80]
        );
        assert_eq!([1, 2, 3, 100, 101].map(|tries| seconds(Place::First, tries)), [10, 20, 20, 20, 80]);
        assert_eq!([1, 2, 3, 4].map(|tries| seconds(Place::Paused, tries)), [160, 320, 640, 800]);
    }

    #[test]
    fn behind_a_build_no_pinned_trigger_sleeps_for_more_than_half_as_long_as_it_has_run() {
        let seconds = |sleep: fn(Duration, u32, &Limits) -> Duration, ran, tries| {
            sleep(Duration::from_secs(ran), tries, &LIMITS).as_secs()
        };
        assert_eq!([0, 40, 60, 100, 320, 9999].map(|ran| seconds(longest_sleep, ran, 9)), [26, 26, 30, 50, 160, 160]);
        assert_eq!([0, 60, 120, 9999].map(|ran| seconds(short_sleep, ran, 9)), [26, 26, 30, 160]);
        assert_eq!([100, 101].map(|tries| seconds(longest_sleep, 120, tries)), [60, 160]);
    }

    #[test]
    fn a_look_is_due_when_it_is_and_not_for_ever() {
        let seconds = |look, tries| delay(Place::Until(Duration::from_millis(look)), tries, 0.5, &LIMITS).as_secs();
        assert_eq!([0, 12_300, 9_999_000].map(|look| seconds(look, 9)), [1, 13, 160]);
        assert_eq!(seconds(12_300, QUICK_TRIES + 1), 80);
    }

    /// `maxReceiveCount` of terraform/queue.tf: what it leaves to SQS would be given up without a word.
    #[test]
    fn the_longest_wait_is_over_before_sqs_gives_up() {
        for (retry, max_wait) in [(120, 43_200), (20, 600), (20, 8800), (300, 86_400), (3600, 604_800)] {
            let limits = Limits {
                retry: Duration::from_secs(retry),
                visibility: Duration::from_secs((retry / 2).max(20)),
                max_wait: Duration::from_secs(max_wait),
                ..LIMITS
            };
            let max_receive_count = (2 * max_wait).div_ceil(retry) + 120;
            for place in [Place::First, Place::Until(Duration::from_secs(5)), Place::Behind] {
                let mut tries = 1;
                let mut waited = Duration::ZERO;
                while waited <= limits.max_wait {
                    waited += delay(place, tries, 1.0, &limits);
                    tries += 1;
                }
                assert!(u64::from(tries) < max_receive_count, "{place:?}: {tries} of {max_receive_count}, {retry} s");
            }
        }
    }

    #[test]
    fn jitter_takes_up_to_half_of_a_delay_and_never_all_of_it() {
        assert_eq!(delay(Place::Behind, 3, 1.0, &LIMITS).as_secs(), 20);
        assert_eq!(delay(Place::Behind, 5, 1.0, &LIMITS), LIMITS.visibility, "the queue does that without a call");
        let short = Limits { retry: Duration::from_secs(2), ..LIMITS };
        assert_eq!(delay(Place::Behind, 1, 1.0, &short).as_secs(), 1);
    }
}
