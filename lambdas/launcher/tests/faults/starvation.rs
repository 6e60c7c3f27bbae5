//! An attacker who may publish for a project, and publishes what needs a build each time and deploys nothing: pinned commits
//! that are old, or nowhere. The project's real triggers must run all the same.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::faults::Rates;
use crate::figures;
use crate::instance::BUILDS_PER_HOUR;
use crate::is_full;
use crate::load::{self, Team};
use crate::simulation::Simulation;
use crate::topic::Owed;
use crate::trigger::{Event, Trigger};
use crate::world::{Design, Rules};

const HOUR: Duration = Duration::from_secs(3600);
const OLD_COMMITS: usize = 10_000;
/// A trigger of the head waits for the build that runs, if one does, and comes back soon.
const LONGEST_WAIT_OF_HEAD: Duration = Duration::from_secs(6 * 60);
/// What pinned commits may use of the hourly cap.
const PINNED_BUILDS_PER_HOUR: usize = BUILDS_PER_HOUR - BUILDS_PER_HOUR / 4;

#[derive(Debug, Clone, Copy)]
enum Attack {
    SameOldCommit,
    DistinctOldCommits,
    Nowhere,
}

#[derive(Debug, Clone, Copy)]
enum Real {
    Head,
    Pinned,
}

/// A real trigger: how many older ones of the attacker there are, and how long it waited for a build.
struct Wait {
    older: usize,
    published: Duration,
    waited: Option<Duration>,
}

/// Publishes real triggers, one after each part of the time, while the attacker publishes at that pace.
fn waits(attack: Attack, real: Real, seconds_apart: u64, hours: u32) -> Vec<Wait> {
    const PARTS: u32 = 8;
    let simulation = Simulation { seed: 5, design: Design::Ours, rules: Rules::OURS, rates: Rates::NONE };
    let mut reals = Vec::new();
    let judgement = simulation.play(load::projects(1), async |world| {
        let mut team = Team::new(&world, 0, usize::MAX);
        for _ in 0..OLD_COMMITS {
            team.with(0, |branch| branch.push(clock::now(), true));
        }
        team.publish_head(0);
        let mut published = 0;
        while clock::now() < HOUR * hours {
            sleep(Duration::from_secs(seconds_apart)).await;
            published += 1;
            let (commit, owed) = match attack {
                Attack::SameOldCommit => (team.with(0, |branch| branch.id(1)), Owed::Commit(1)),
                Attack::DistinctOldCommits => (team.with(0, |branch| branch.id(published)), Owed::Commit(published)),
                Attack::Nowhere => (format!("{published:040x}"), Owed::Try),
            };
            team.publish("main".to_owned(), Some(commit), None, owed);
            if clock::now() > HOUR * hours * (u32::try_from(reals.len()).unwrap() + 1) / PARTS {
                reals.push((published, world.ledger.len()));
                match real {
                    Real::Head => team.push(0, 1, 0).await,
                    Real::Pinned => team.push_pinned(0),
                }
            }
        }
    });
    let wait = |&(older, real): &(usize, usize)| {
        let Trigger { published, events, .. } = &judgement.triggers[real];
        let answered = events.iter().find(|(_, event)| *event == Event::Answered);
        Wait { older, published: *published, waited: answered.map(|(at, _)| *at - *published) }
    };
    let waits: Vec<_> = reals.iter().map(wait).collect();
    let told: Vec<_> = waits
        .iter()
        .map(|wait| wait.waited.map_or("-".to_owned(), |waited| format!("{:.0} s", waited.as_secs_f64())))
        .collect();
    let builds = judgement.builds[0].len();
    figures::say(&format!(
        "{attack:?} every {seconds_apart} s for {hours} h, {builds} builds; {real:?} waited {}",
        told.join(", ")
    ));
    waits
}

fn head_runs(attack: Attack, seconds_apart: u64, hours: u32) {
    for Wait { published, waited, .. } in waits(attack, Real::Head, seconds_apart, hours) {
        let end = HOUR * hours;
        assert!(published + LONGEST_WAIT_OF_HEAD > end || waited.is_some_and(|waited| waited <= LONGEST_WAIT_OF_HEAD));
    }
}

/// A pinned commit waits until those that were published before it had their builds: at the cap, but not for ever.
fn pinned_runs(attack: Attack, seconds_apart: u64, hours: u32) {
    for Wait { older, published, waited } in waits(attack, Real::Pinned, seconds_apart, hours) {
        let longest = HOUR * u32::try_from(older / PINNED_BUILDS_PER_HOUR + 1).unwrap();
        let end = HOUR * hours;
        assert!(published + longest > end || waited.is_some_and(|waited| waited <= longest));
    }
}

#[test]
fn no_number_of_pinned_commits_keeps_the_head_waiting() {
    if is_full() {
        for attack in [Attack::SameOldCommit, Attack::DistinctOldCommits, Attack::Nowhere] {
            head_runs(attack, 60, 8);
        }
        head_runs(Attack::DistinctOldCommits, 10, 4);
    } else {
        head_runs(Attack::DistinctOldCommits, 60, 1);
    }
}

#[test]
fn a_pinned_commit_waits_for_older_ones_only() {
    if is_full() {
        for attack in [Attack::SameOldCommit, Attack::DistinctOldCommits, Attack::Nowhere] {
            pinned_runs(attack, 60, 8);
        }
    } else {
        pinned_runs(Attack::SameOldCommit, 60, 1);
    }
}
