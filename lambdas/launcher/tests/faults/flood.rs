//! What many triggers for one project do to it and to others, in an AWS that works.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::faults::Rates;
use crate::figures;
use crate::instance::BUILDS_PER_HOUR;
use crate::is_full;
use crate::judge::Judgement;
use crate::load::{self, Team};
use crate::simulation::{Simulation, come_to_rest};
use crate::world::{Design, Rules};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// A project that publishes the head.
const FLOODED: usize = 0;
const OTHERS: usize = 20;
const MOST_BUILDS: usize = 10;
/// The longest that the trigger of another, idle project may wait for its build.
const LONGEST_WAIT_OF_OTHERS: Duration = Duration::from_secs(10);

/// Some thousand triggers within a minute for one project, while twenty others deploy one at a time.
fn flood(works: bool) {
    let (triggers, rounds) = if is_full() { (3_000, 3) } else { (300, 1) };
    let simulation = Simulation { seed: 11, design: Design::Ours, rules: Rules::OURS, rates: Rates::NONE };
    let mut before_rest = 0;
    let judgement = simulation.play(load::projects(1 + OTHERS), async |world| {
        let mut teams = JoinSet::new();
        for project in 1..=OTHERS {
            let mut team = Team::new(&world, project, rounds);
            teams.spawn(async move {
                for _ in 0..rounds {
                    // Far enough apart that no trigger waits for a build of its own project.
                    sleep(team.world.dice.between(6 * MINUTE, 11 * MINUTE)).await;
                    team.push(0, 1, 0).await;
                }
            });
        }
        sleep(8 * MINUTE).await;
        let mut team = Team::new(&world, FLOODED, triggers);
        team.with(0, |branch| branch.push(clock::now(), works));
        for _ in 0..triggers {
            sleep(MINUTE / u32::try_from(triggers).unwrap()).await;
            team.publish_head(0);
        }
        teams.join_all().await;
        before_rest = world.ledger.len();
        come_to_rest(&world).await;
    });
    figures::print(
        &format!("{triggers} triggers within a minute"),
        &[(if works { "a good head" } else { "a broken head" }, &judgement)],
    );
    judgement.assert_nothing_wrong();
    let builds = |project: usize| judgement.builds[project].iter().filter(|build| build.trigger < before_rest);
    let wait = longest_wait(&judgement, (1..=OTHERS).flat_map(builds).map(|build| (build.trigger, build.began)));
    let builds = builds(FLOODED).count();
    figures::say(&format!("{builds} builds of the flooded project; others waited {:.1} s at most", wait.as_secs_f64()));
    assert!(builds <= MOST_BUILDS && wait <= LONGEST_WAIT_OF_OTHERS);
}

fn longest_wait(judgement: &Judgement, began: impl Iterator<Item = (usize, Duration)>) -> Duration {
    began.map(|(trigger, began)| began - judgement.triggers[trigger].published).max().unwrap_or(Duration::MAX)
}

#[test]
fn a_flood_makes_few_builds_and_others_hardly_wait() {
    flood(true);
}

#[test]
fn a_flood_for_a_broken_head_ends_after_a_few_builds() {
    flood(false);
}

#[test]
fn single_triggers_all_the_time_get_hardly_more_builds_than_the_cap() {
    const HOURS: usize = 2;
    // So short that none waits for another, and none ever waits but for the cap.
    let rules = Rules { build: (Duration::from_secs(1), Duration::from_secs(5)), ..Rules::OURS };
    let simulation = Simulation { seed: 12, design: Design::Ours, rules, rates: Rates::NONE };
    let judgement = simulation.play(load::projects(1), async |world| {
        let mut team = Team::new(&world, FLOODED, usize::MAX);
        while clock::now() < HOUR * u32::try_from(HOURS).unwrap() {
            team.push(0, 1, 1).await;
            sleep(MINUTE).await;
        }
    });
    let builds = &judgement.builds[FLOODED];
    let in_hour =
        |first: Duration| builds.iter().filter(|build| build.began >= first && build.began < first + HOUR).count();
    let most = builds.iter().map(|build| in_hour(build.began)).max().unwrap();
    figures::say(&format!(
        "a trigger a minute for {HOURS} hours: {} builds, {most} in the fullest hour, at {BUILDS_PER_HOUR} an hour",
        builds.len()
    ));
    assert!(most * 2 <= BUILDS_PER_HOUR * 3, "{most} builds in an hour");
    assert!(builds.len() <= BUILDS_PER_HOUR * HOURS * 5 / 4);
}
