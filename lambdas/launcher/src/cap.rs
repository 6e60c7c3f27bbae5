//! How many builds of a project may begin in an hour.

use std::time::{Duration, SystemTime};

use contract::Trigger;

use crate::builds::{HOUR, History};
use crate::environment::Limits;
use crate::fate::{Busy, Stop};
use crate::memory::LATENESS;
use crate::turn::Turn;

/// A launcher that starts builds of a project no faster than this part of its hourly cap does not look how many there were. A look
/// each time would be two calls more for every trigger; none would let a flood of single triggers through.
const UNWATCHED_PART_OF_CAP: u32 = 4;

/// This part of a project's hourly cap is kept for builds of the head. They answer all that waits for the branch, so that few are
/// enough; of commits to pin there is no end, and a cap that they alone can fill would keep the head waiting for ever.
pub(crate) const PART_OF_CAP_FOR_HEAD: usize = 4;

/// Whether the project may have a build now. Pinned commits get a part of the cap, and of that the second half at a pace, so
/// that whoever fills it leaves no hole of most of an hour in which nothing tells a real commit from a foreign one. What a
/// build has passed over is real, as far as that build could see: it may use half of the head's part, too.
///
/// # Errors
/// If it has to wait for the cap, or for its pace.
pub fn check(trigger: &Trigger, history: &History, turn: Turn, now: SystemTime, limits: &Limits) -> Result<(), Stop> {
    let &Limits { builds_per_hour, retry, .. } = limits;
    let for_head = builds_per_hour / PART_OF_CAP_FOR_HEAD;
    let for_pinned = builds_per_hour - for_head;
    let is_paced = trigger.commit.is_some() && turn == Turn::Later;
    let cap = match (&trigger.commit, turn) {
        (None, _) => builds_per_hour,
        (Some(_), Turn::PassedOver) => builds_per_hour - for_head / 2,
        (Some(_), Turn::Later) => for_pinned,
    };
    let builds = history.builds_in_last_hour(now);
    if is_paced && builds < cap && builds >= for_pinned.div_ceil(2) {
        let pace = HOUR / u32::try_from(for_pinned / 2).unwrap_or(u32::MAX).max(1);
        // Who waits for the cap looks no more often than this, and is to come back before the next but one begins.
        let pace = pace.max(retry + LATENESS);
        if history.has_begun_within(pace, now) {
            let reason = format!(
                "{} had {builds} builds within an hour: those of pinned commits begin {} s apart now",
                trigger.project,
                pace.as_secs()
            );
            return Err(Stop::Busy { class: Busy::InLine, reason });
        }
    }
    if builds < cap {
        return Ok(());
    }
    let project = &trigger.project;
    let reason = format!(
        "{project} had {builds} builds within an hour, and builds_per_hour is {builds_per_hour}, of which pinned commits get \
         {for_pinned}: see who publishes so often, or raise it"
    );
    Err(Stop::Busy { class: Busy::HourlyCap, reason })
}

/// For how long after its own last start of the project a launcher looks at the cap, also for a first try.
#[must_use]
pub fn unwatched_pause(limits: &Limits) -> Duration {
    let builds_per_hour = u32::try_from(limits.builds_per_hour).unwrap_or(u32::MAX);
    (HOUR * UNWATCHED_PART_OF_CAP / builds_per_hour).min(HOUR)
}
