//! An attacker who may publish for a project, and publishes what needs a build each time and deploys nothing: pinned commits
//! that are old, or nowhere. The project's real triggers must run all the same.

use std::time::Duration;

use tokio::time::sleep;

use crate::build::Build;
use crate::clock;
use crate::faults::Rates;
use crate::figures;
use crate::is_full;
use crate::load::{self, Team};
use crate::simulation::Simulation;
use crate::topic::Owed;
use crate::trigger::{Asked, Event, Trigger};
use crate::world::{Design, Rules};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// Ten a second.
const FLOOD: Duration = Duration::from_millis(100);
const OLD_COMMITS: usize = 10_000;
/// A trigger of the head waits for the build that runs, if one does, and comes back soon.
const LONGEST_WAIT_OF_HEAD: Duration = Duration::from_secs(6 * 60);
/// The one that runs, and one that begins before it is known which commits are real.
const MOST_BUILDS_BEFORE_PINNED: usize = 2;
/// Those two, and the pace at which unknown pinned commits begin once they have used half of their part of the cap.
const LONGEST_WAIT_OF_PINNED: Duration = Duration::from_secs(20 * 60);

#[derive(Debug, Clone, Copy)]
enum Attack {
    SameOldCommit,
    DistinctOldCommits,
    Nowhere,
    /// What is live, again and again: each time its command runs.
    Live,
    /// An allowed branch that is not there.
    OtherBranch,
}

#[derive(Debug, Clone, Copy)]
enum Real {
    Head,
    Pinned,
}

/// A real trigger: how long it waited for a build, and past how many builds.
struct Wait {
    published: Duration,
    waited: Option<Duration>,
    builds: usize,
}

/// Publishes real triggers, one after each part of the time, while the attacker publishes at that pace.
fn waits(attack: Attack, real: Real, apart: Duration, hours: u32) -> Vec<Wait> {
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
            sleep(apart).await;
            published += 1;
            let (commit, owed) = match attack {
                Attack::SameOldCommit => (team.with(0, |branch| branch.id(1)), Owed::Commit(1)),
                Attack::DistinctOldCommits => {
                    let old = published % OLD_COMMITS;
                    (team.with(0, |branch| branch.id(old)), Owed::Commit(old))
                }
                Attack::Live => {
                    let live = team.with(0, |branch| branch.live().unwrap_or_default());
                    (team.with(0, |branch| branch.id(live)), Owed::Commit(live))
                }
                Attack::Nowhere | Attack::OtherBranch => (format!("{published:040x}"), Owed::Try),
            };
            let branch = if matches!(attack, Attack::OtherBranch) { "develop" } else { "main" };
            team.publish(branch.to_owned(), Some(commit), None, owed);
            if clock::now() > HOUR * hours * (u32::try_from(reals.len()).unwrap() + 1) / PARTS {
                reals.push(world.ledger.len());
                match real {
                    Real::Head => team.push(0, 1, 0).await,
                    Real::Pinned => team.push_pinned(0),
                }
            }
        }
    });
    let wait = |&real: &usize| {
        let Trigger { published, events, asked, .. } = &judgement.triggers[real];
        let answered = events.iter().find(|(_, event)| *event == Event::Answered);
        let Asked::Commit(owed) = asked else { panic!("a real trigger names a commit or means the head") };
        let serves = |build: &&Build| {
            build.branch == "main" && build.began >= *published && build.reached.is_some_and(|reached| reached >= *owed)
        };
        let served = judgement.builds[0].iter().find(serves).map_or(Duration::MAX, |build| build.began);
        let is_before = |build: &&Build| build.began < served && build.ended.is_none_or(|ended| ended > *published);
        let builds = judgement.builds[0].iter().filter(is_before).count();
        Wait { published: *published, waited: answered.map(|(at, _)| *at - *published), builds }
    };
    let waits: Vec<_> = reals.iter().map(wait).collect();
    let told: Vec<_> = waits
        .iter()
        .map(|wait| {
            let waited = wait.waited.map_or("-".to_owned(), |waited| format!("{:.0} s", waited.as_secs_f64()));
            format!("{waited} past {}", wait.builds)
        })
        .collect();
    let builds = judgement.builds[0].len();
    figures::say(&format!(
        "{attack:?} every {apart:?} for {hours} h, {builds} builds; {real:?} waited {}",
        told.join(", ")
    ));
    waits
}

fn head_runs(attack: Attack, apart: Duration, hours: u32) {
    for Wait { published, waited, .. } in waits(attack, Real::Head, apart, hours) {
        let end = HOUR * hours;
        assert!(published + LONGEST_WAIT_OF_HEAD > end || waited.is_some_and(|waited| waited <= LONGEST_WAIT_OF_HEAD));
    }
}

/// A pinned commit waits for the build that runs and for one more, however many others there are.
fn pinned_runs(attack: Attack, apart: Duration, hours: u32) {
    for Wait { published, waited, builds } in waits(attack, Real::Pinned, apart, hours) {
        let end = HOUR * hours;
        assert!(builds <= MOST_BUILDS_BEFORE_PINNED, "{attack:?}: past {builds} builds");
        assert!(
            published + LONGEST_WAIT_OF_PINNED > end || waited.is_some_and(|waited| waited <= LONGEST_WAIT_OF_PINNED),
            "{attack:?}: {waited:?}"
        );
    }
}

#[test]
fn no_number_of_pinned_commits_keeps_the_head_waiting() {
    if is_full() {
        for attack in [Attack::SameOldCommit, Attack::DistinctOldCommits, Attack::Nowhere] {
            head_runs(attack, MINUTE, 8);
        }
        head_runs(Attack::DistinctOldCommits, 10 * SECOND, 4);
        head_runs(Attack::DistinctOldCommits, FLOOD, 1);
    } else {
        head_runs(Attack::DistinctOldCommits, MINUTE, 1);
    }
}

#[test]
fn no_number_of_foreign_pins_delays_a_real_one_by_more_than_two_builds() {
    let all = [Attack::SameOldCommit, Attack::DistinctOldCommits, Attack::Nowhere, Attack::Live, Attack::OtherBranch];
    if is_full() {
        for attack in all {
            pinned_runs(attack, MINUTE, 8);
            pinned_runs(attack, 5 * SECOND, 4);
        }
        pinned_runs(Attack::DistinctOldCommits, FLOOD, 1);
        pinned_runs(Attack::Nowhere, FLOOD, 1);
        // Each of these is a build that runs its command.
        pinned_runs(Attack::Live, SECOND, 1);
        pinned_runs(Attack::OtherBranch, SECOND, 1);
    } else {
        // The others take minutes.
        for attack in [Attack::Nowhere, Attack::Live, Attack::OtherBranch] {
            pinned_runs(attack, 30 * SECOND, 1);
        }
    }
}
