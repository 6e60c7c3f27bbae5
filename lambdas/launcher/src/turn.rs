//! Whose turn it is among pinned triggers, of which whoever may publish can make as many as they like. Nothing tells a real one
//! from a foreign one but the branch, and only a build sees that. So a build of a pinned commit notes which commits are not
//! older than what is live; what was published before it looked and is not among them, is answered by that. Those that it
//! passed over and that are among them, go next, before any that came later.
//!
//! Why foreign ones delay a real one by two builds at most: docs/decisions/0013-one-build-answers-all-that-waits.md.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{Seen, SeenBranch, Trigger};

use crate::builds::{CLOCK_SKEW, HOUR, History, SHORTEST_LOOK};
use crate::delivery::Delivery;
use crate::environment::Limits;
use crate::fate::{self, Place, QUICK_TRIES, Stop, longest_sleep, short_sleep};
use crate::memory::LATENESS;

/// What is known of a pinned trigger's place among the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Turn {
    /// A build has begun since it was published, and left it unanswered: it goes next.
    PassedOver,
    /// It goes when no such one can be on its way back.
    #[default]
    Later,
}

/// What the history says of a trigger that is to wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    pub turn: Turn,
    /// For how long it may sleep, if that is known.
    pub sleep: Option<Sleep>,
}

/// For how long a trigger may sleep that has to wait.
#[derive(Debug, Clone, Copy)]
pub struct Sleep {
    /// The first in line. None: what will be answered by the running build stands in none.
    pub first: Option<Duration>,
    /// Any other.
    pub behind: Duration,
}

impl Standing {
    #[must_use]
    pub fn of(
        seen: Option<&Seen>,
        (read, history): &(SystemTime, Arc<History>),
        trigger: &Trigger,
        delivery: &Delivery,
        now: SystemTime,
        limits: &Limits,
    ) -> Self {
        let until = |sleep: Duration| (*read + sleep).duration_since(now).unwrap_or_default();
        let sleep = sleep(*read, history, trigger, delivery, limits);
        let sleep = sleep.map(|Sleep { first, behind }| Sleep {
            first: first.map(until),
            behind: if trigger.commit.is_some() || first.is_none() { until(behind) } else { behind },
        });
        Self { turn: turn(seen, history, trigger, delivery, now), sleep }
    }
}

/// For how long a trigger may sleep: from when the history was read, so that nobody sleeps longer who learns it from memory.
/// Only who is behind another of the head sleeps from now, for that costs no call.
fn sleep(
    read: SystemTime,
    history: &History,
    trigger: &Trigger,
    delivery: &Delivery,
    limits: &Limits,
) -> Option<Sleep> {
    if trigger.commit.is_some() {
        let ran = history.running().and_then(|(_, began)| read.duration_since(began).ok()).unwrap_or_default();
        let longest = if history.has_begun_since(delivery.published) { short_sleep } else { longest_sleep };
        let sleep = longest(ran, 1, limits);
        return Some(Sleep { first: Some(sleep), behind: sleep });
    }
    let look = history.next_look(read)?.min(limits.visibility);
    let first = (!history.is_about_to_serve(trigger, delivery)).then_some(look);
    Some(Sleep { first, behind: limits.visibility })
}

/// Whether what was read then of a running build is still enough to wait for it: until a look is due, and no longer than the
/// queue's visibility timeout. Who may expire looks.
#[must_use]
pub fn is_believed(
    (read, history): &(SystemTime, Arc<History>),
    trigger: &Trigger,
    delivery: &Delivery,
    now: SystemTime,
    limits: &Limits,
) -> bool {
    let until = |sleep: Sleep| *read + sleep.first.unwrap_or(sleep.behind).min(limits.visibility);
    history.running().is_some()
        && !fate::may_expire(delivery.published, now, limits)
        && sleep(*read, history, trigger, delivery, limits)
            .is_some_and(|sleep| *read <= now && now + SHORTEST_LOOK / 2 <= until(sleep))
}

/// What the note of the latest builds says of the trigger, if that is the end of it.
#[must_use]
pub fn answer(seen: Option<&Seen>, trigger: &Trigger, delivery: &Delivery, now: SystemTime) -> Option<Stop> {
    let seen = fetched_since(seen, trigger, delivery, now)?;
    let is_ahead = seen.commits.contains(trigger.commit.as_ref()?);
    (seen.whole && !is_ahead).then(|| Stop::NotAhead { build: seen.build.clone() })
}

fn turn(seen: Option<&Seen>, history: &History, trigger: &Trigger, delivery: &Delivery, now: SystemTime) -> Turn {
    let is_none = match fetched_since(seen, trigger, delivery, now) {
        Some(seen) => !is_ahead(seen, trigger),
        // A build that could not look at its branch, since there is no such one, leaves no note.
        None => history.has_tried_since(delivery.published, &trigger.branch),
    };
    if history.has_begun_since(delivery.published) && !is_none { Turn::PassedOver } else { Turn::Later }
}

/// Whether a build has seen the commit on the branch, and newer than what is live. That is the last one, where all are known.
fn is_ahead(seen: &SeenBranch, trigger: &Trigger) -> bool {
    let place = seen.commits.iter().position(|known| Some(known) == trigger.commit.as_ref());
    place.is_some_and(|place| !seen.whole || place + 1 < seen.commits.len())
}

/// Whether a pinned trigger has to let others pass: just after a pinned build those come back that it passed over.
#[must_use]
pub fn lets_others_pass(
    turn: Turn,
    seen: Option<&Seen>,
    history: &History,
    trigger: &Trigger,
    now: SystemTime,
    limits: &Limits,
) -> bool {
    let (Some(commit), Some((took, ended))) = (&trigger.commit, history.last_end_among_pins()) else { return false };
    // One that a build has seen on the branch, and none has tried, needs no grace: it is real, and older ones are behind it.
    let is_seen = seen.and_then(|seen| seen.of(&trigger.branch)).is_some_and(|seen| is_ahead(seen, trigger));
    let is_real = is_seen && !history.has_tried(commit);
    turn == Turn::Later && !is_real && now < back(history, took, ended, limits)
}

/// Whether a pinned trigger comes after other pinned ones, by the note that comes with the register, so that the history has to
/// tell whose turn it is. That costs two calls, which the first one for an hour does not need.
#[must_use]
pub fn is_after_others(seen: Option<&Seen>, trigger: &Trigger, now: SystemTime) -> bool {
    let ended = seen.map(|seen| UNIX_EPOCH + Duration::from_secs(seen.ended.min(u64::from(u32::MAX))));
    trigger.commit.is_some() && ended.is_some_and(|ended| now < ended + HOUR)
}

/// Until when those come back that were passed over.
fn back(history: &History, took: Duration, ended: SystemTime, limits: &Limits) -> SystemTime {
    // Who waits sleeps by how long the build has run, but only for so many tries, and then for the longest delay.
    let quick = fate::delay(Place::First, QUICK_TRIES, 0.0, limits);
    let tries = if took < quick * QUICK_TRIES / 2 { QUICK_TRIES } else { u32::MAX };
    let ran = |(began, ended): (SystemTime, SystemTime)| ended.duration_since(began).unwrap_or_default();
    let last = history.spans().find(|span| span.1 == ended).map(ran).unwrap_or_default();
    let knowing = ended + short_sleep(last, tries, limits);
    // Who does not know it yet sleeps since an earlier build.
    let asleep = |span: (SystemTime, SystemTime)| span.1 + longest_sleep(ran(span), tries, limits);
    let earlier = history.spans().filter(|span| span.1 < ended);
    earlier.map(asleep).fold(knowing, SystemTime::max) + LATENESS
}

/// What a build saw of the branch after the trigger was published. A build writes it, also what has not happened yet: that would
/// answer all that ever comes.
fn fetched_since<'a>(
    seen: Option<&'a Seen>,
    trigger: &Trigger,
    delivery: &Delivery,
    now: SystemTime,
) -> Option<&'a SeenBranch> {
    let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).map(|time| time + CLOCK_SKEW).ok();
    let (published, now) = (since(delivery.published)?, since(now)?);
    let is_of_then = |fetched: Duration| published < fetched && fetched <= now;
    seen?.of(&trigger.branch).filter(|seen| is_of_then(Duration::from_secs(seen.fetched)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builds::tests::history;
    use crate::handler::tests::{QUEUE_ARN, TOPIC_ARN, record};

    const LIMITS: Limits = Limits {
        retry: Duration::from_secs(160),
        visibility: Duration::from_secs(80),
        max_wait: Duration::from_secs(3600),
        builds_per_hour: 30,
    };

    #[test]
    fn a_running_build_is_believed_until_a_look_is_due() {
        let second = Duration::from_secs(1);
        let delivery = Delivery::open(&record("hello", 2), QUEUE_ARN, TOPIC_ARN).unwrap();
        let (head, since) = (r#"{"project":"demo","branch":"main"}"#, delivery.published - 10_000 * second);
        let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{}"}}"#, "c".repeat(40));
        let (long, short) = ((0, Some(2400)), (0, Some(120)));
        // What ran since 9400, and how long it is believed that was read at 9700; six seconds before the look.
        for (message, past, believed) in
            [(head, long, 74), (head, short, 24), (&pinned, long, 74), (&pinned, short, 74)]
        {
            let trigger = Trigger::parse(message).unwrap();
            let known = (since + 9700 * second, Arc::new(history(since, &[(9400, None), past])));
            let is_believed = |now| is_believed(&known, &trigger, &delivery, now, &LIMITS);
            assert!(is_believed(known.0) && is_believed(known.0 + believed * second), "{message} {past:?}");
            assert!(!is_believed(known.0 + (believed + 1) * second), "{message} {past:?}");
            assert!(!is_believed(known.0 - second), "the clock was set back");
            let first = sleep(known.0, &known.1, &trigger, &delivery, &LIMITS).unwrap().first.unwrap();
            assert!(first <= LIMITS.visibility || trigger.commit.is_some(), "{first:?}: nobody would look before");
            // Who may expire looks.
            let known = (since + 13_430 * second, known.1.clone());
            let is_believed = |now| super::is_believed(&known, &trigger, &delivery, now, &LIMITS);
            assert!(is_believed(since + 13_440 * second) && !is_believed(since + 13_441 * second), "{message}");
            let over = (known.0, Arc::new(history(since, &[past])));
            assert!(!super::is_believed(&over, &trigger, &delivery, known.0, &LIMITS), "nothing runs");
        }
    }
}
