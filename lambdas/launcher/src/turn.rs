//! Whose turn it is among pinned triggers, of which whoever may publish can make as many as they like. Nothing tells a real one
//! from a foreign one but the branch, and only a build sees that. So a build of a pinned commit notes which commits are not
//! older than what is live; what was published before it looked and is not among them, is answered by that. Those that it
//! passed over and that are among them, go next, before any that came later.
//!
//! Why foreign ones delay a real one by two builds at most: docs/decisions/0013-one-build-answers-all-that-waits.md.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{Seen, SeenBranch, Trigger};

use crate::builds::{CLOCK_SKEW, History};
use crate::delivery::Delivery;
use crate::environment::Limits;
use crate::fate::{self, Place, QUICK_TRIES, Stop};
use crate::memory::LATENESS;

/// What is known of a pinned trigger's place among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A build has begun since it was published, and left it unanswered: it goes next.
    PassedOver,
    /// It goes when no such one can be on its way back.
    Later,
}

/// What the note of the latest builds says of the trigger, if that is the end of it.
#[must_use]
pub fn answer(seen: Option<&Seen>, trigger: &Trigger, delivery: &Delivery) -> Option<Stop> {
    let seen = fetched_since(seen, trigger, delivery)?;
    let is_ahead = seen.commits.contains(trigger.commit.as_ref()?);
    (seen.whole && !is_ahead).then(|| Stop::NotAhead { build: seen.build.clone() })
}

/// Whose turn it is, after the history of the project's builds.
#[must_use]
pub fn turn(seen: Option<&Seen>, history: &History, trigger: &Trigger, delivery: &Delivery) -> Turn {
    let is_among = |seen: &SeenBranch| trigger.commit.as_ref().is_some_and(|commit| seen.commits.contains(commit));
    let is_known_to_be_none = fetched_since(seen, trigger, delivery).is_some_and(|seen| !is_among(seen));
    if history.has_begun_since(delivery.published) && !is_known_to_be_none { Turn::PassedOver } else { Turn::Later }
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
    let Some((took, ended)) = history.last_pinned_end() else { return false };
    // One that a build has seen on the branch needs no grace: it is real, and older ones are behind it.
    let seen_before = seen.and_then(|seen| seen.of(&trigger.branch)).zip(trigger.commit.as_ref());
    let is_real = seen_before.is_some_and(|(seen, commit)| seen.commits.contains(commit));
    turn == Turn::Later && !is_real && now < ended + grace(took, limits)
}

/// Whether a first delivery may fall into that time, by the note that comes with the register. The history tells more, and costs
/// two calls.
#[must_use]
pub fn is_near_an_end(seen: Option<&Seen>, trigger: &Trigger, now: SystemTime, limits: &Limits) -> bool {
    let ended = seen.map(|seen| UNIX_EPOCH + Duration::from_secs(seen.ended.min(u64::from(u32::MAX))));
    trigger.commit.is_some() && ended.is_some_and(|ended| now < ended + CLOCK_SKEW + grace(Duration::MAX, limits))
}

/// The longest until a trigger comes back that was passed over: it looks often, but not for ever.
fn grace(took: Duration, limits: &Limits) -> Duration {
    let quick = fate::delay(Place::First, QUICK_TRIES, 0.0, limits);
    let tries = if took < quick * QUICK_TRIES / 2 { QUICK_TRIES } else { u32::MAX };
    fate::delay(Place::First, tries, 0.0, limits) + LATENESS
}

fn fetched_since<'a>(seen: Option<&'a Seen>, trigger: &Trigger, delivery: &Delivery) -> Option<&'a SeenBranch> {
    let published = delivery.published.duration_since(UNIX_EPOCH).ok()? + CLOCK_SKEW;
    seen?.of(&trigger.branch).filter(|seen| Duration::from_secs(seen.fetched) > published)
}
