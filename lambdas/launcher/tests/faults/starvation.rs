//! An attacker who holds the right to publish to a project, and publishes what needs a build each time and deploys nothing:
//! pinned commits that are old, or nowhere. The project's real triggers must run all the same.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::faults::Rates;
use crate::figures;
use crate::load::{self, Team};
use crate::simulation::Simulation;
use crate::topic::Owed;
use crate::world::{Design, Rules};

const HOUR: Duration = Duration::from_secs(3600);
const OLD_COMMITS: usize = 10_000;

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

/// How long the real triggers wait for their build: published every other hour while the attacker publishes at that pace.
fn waits(attack: Attack, real: Real, seconds_apart: u64) -> Vec<Option<Duration>> {
    let simulation = Simulation { seed: 5, design: Design::Ours, rules: Rules::OURS, rates: Rates::NONE };
    let mut reals = Vec::new();
    let judgement = simulation.play(load::projects(1), async |world| {
        let mut team = Team::new(&world, 0, 0);
        for _ in 0..OLD_COMMITS {
            team.with(0, |branch| branch.push(clock::now(), true));
        }
        team.publish_head(0);
        let name = "main".to_owned();
        let mut next_real = 2 * HOUR;
        let mut published = 0;
        while clock::now() < 12 * HOUR {
            sleep(Duration::from_secs(seconds_apart)).await;
            published += 1;
            let (commit, owed) = match attack {
                Attack::SameOldCommit => (team.with(0, |branch| branch.id(1)), Owed::Commit(1)),
                Attack::DistinctOldCommits => (team.with(0, |branch| branch.id(published)), Owed::Commit(published)),
                Attack::Nowhere => (format!("{published:040x}"), Owed::Try),
            };
            team.publish(name.clone(), Some(commit), None, owed);
            if clock::now() > next_real {
                next_real += 2 * HOUR;
                let (head, id) = team.with(0, |branch| {
                    branch.push(clock::now(), true);
                    (branch.head(), branch.id(branch.head()))
                });
                reals.push(world.ledger.len());
                match real {
                    Real::Head => team.publish(name.clone(), None, None, Owed::Head),
                    Real::Pinned => team.publish(name.clone(), Some(id), None, Owed::Commit(head)),
                }
            }
        }
    });
    let wait = |real: &usize| {
        let own = judgement.builds[0].iter().find(|build| build.trigger == *real)?;
        Some(own.began - judgement.triggers[*real].published)
    };
    figures::print(&format!("{attack:?} every {seconds_apart} s against {real:?}"), &[("", &judgement)]);
    figures::say(&format!("{:?}", reals.iter().map(wait).collect::<Vec<_>>()));
    reals.iter().map(wait).collect()
}

#[test]
fn probe() {
    for attack in [Attack::SameOldCommit, Attack::DistinctOldCommits, Attack::Nowhere] {
        for real in [Real::Head, Real::Pinned] {
            waits(attack, real, 60);
        }
    }
}
