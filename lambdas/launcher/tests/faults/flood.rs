//! What one holder of the right to publish can do to others, and to itself, in an AWS that works.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::faults::Rates;
use crate::figures;
use crate::judge::Judgement;
use crate::load::{self, Team};
use crate::simulation::{Simulation, come_to_rest};
use crate::world::{Design, Rules};

const MINUTE: Duration = Duration::from_secs(60);
/// Publishes the head.
const FLOODED: usize = 0;
const OTHERS: usize = 20;
const TRIGGERS: usize = 3_000;

fn simulation() -> Simulation {
    Simulation { seed: 11, design: Design::Ours, rules: Rules::OURS, rates: Rates::NONE }
}

/// Three thousand triggers within a minute for one project, while twenty others deploy one at a time.
fn flood(works: bool) -> Judgement {
    simulation().play(load::projects(1 + OTHERS), async |world| {
        let mut teams = JoinSet::new();
        for project in 1..=OTHERS {
            let mut team = Team::new(&world, project, 6);
            teams.spawn(async move {
                // Far enough apart that no trigger waits for a build of its own project.
                for _ in 0..6 {
                    sleep(team.world.dice.between(6 * MINUTE, 12 * MINUTE)).await;
                    team.push(0, 1, 0).await;
                }
            });
        }
        sleep(20 * MINUTE).await;
        let mut team = Team::new(&world, FLOODED, TRIGGERS);
        team.with(0, |branch| branch.push(clock::now(), works));
        for _ in 0..TRIGGERS {
            sleep(MINUTE / TRIGGERS as u32).await;
            team.publish_head(0);
        }
        teams.join_all().await;
        come_to_rest(&world).await;
    })
}

/// The longest that a trigger of another project waited for its build.
fn longest_wait_of_others(judgement: &Judgement) -> Duration {
    let waits =
        judgement.builds[1..].iter().flatten().map(|build| build.began - judgement.triggers[build.trigger].published);
    waits.max().unwrap()
}

#[test]
fn a_flood_makes_few_builds_and_others_hardly_wait() {
    let (flooded, broken) = (flood(true), flood(false));
    figures::print("3,000 triggers within a minute", &[("a good head", &flooded), ("a broken head", &broken)]);
    for judgement in [flooded, broken] {
        judgement.assert_nothing_wrong();
        let builds = judgement.builds[FLOODED].len();
        let wait = longest_wait_of_others(&judgement);
        figures::say(&format!(
            "{builds} builds of the flooded project; others waited {:.1} s at most",
            wait.as_secs_f64()
        ));
        assert!(builds <= 10 + 1, "{builds} builds, with that of the last trigger after all"); // of publish_last
        assert!(wait <= Duration::from_secs(60));
    }
}
