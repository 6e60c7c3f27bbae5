//! One run: the world begins, the teams publish while things go wrong, everything comes to rest, and the judge looks at it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::clock;
use crate::event_source;
use crate::faults::{Outage, Rates};
use crate::judge::{self, Judgement};
use crate::load;
use crate::world::{Design, Project, Rules, World};

const HOUR: Duration = Duration::from_secs(3600);
/// What has not come to rest by then never will: a trigger is given up after twelve hours.
const LONGEST_REST: Duration = Duration::from_secs(5 * 24 * 3600);
const SERVICES: [&str; 3] = ["AmazonSSM", "CodeBuild_20161006", "AmazonSQS"];
/// Mean time between two outages of a service, but for short runs, which have one of each.
const BETWEEN_OUTAGES: Duration = Duration::from_secs(12 * 3600);
/// An operator sends all dead letters on, whether or not what was wrong is mended.
const BETWEEN_REDRIVES: Duration = Duration::from_secs(4 * 3600);
/// How long a service is out, a project paused, or a right lost.
const OUTAGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3 * 3600));

pub struct Simulation {
    pub seed: u64,
    pub design: Design,
    pub rules: Rules,
    pub rates: Rates,
}

impl Simulation {
    /// Lets the teams of so many projects publish so many triggers, by a pace that makes 100,000 of 50 teams ten days.
    pub fn of_teams(&self, teams: usize, triggers: usize) -> Judgement {
        let span = Duration::from_secs(10 * 24 * 3600).mul_f64(triggers as f64 / teams as f64 / 2_000.0);
        self.play(load::projects(teams), async |world| {
            begin_troubles(&world, span.min(BETWEEN_OUTAGES));
            load::publish_all(&world, triggers, span).await;
            come_to_rest(&world).await;
        })
    }

    /// Plays what `happens` in a new world, and judges it.
    pub fn play(&self, projects: Vec<Project>, happens: impl AsyncFnOnce(Arc<World>)) -> Judgement {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            clock::start();
            let world = World::new(self.seed, self.design, self.rules, self.rates, projects);
            if self.design == Design::Ours {
                event_source::begin(&world);
            }
            happens(world.clone()).await;
            judge::judge(&world)
        })
    }
}

/// The end: quiet, the dead letters sent on, quiet, one last trigger for each branch, quiet.
pub async fn come_to_rest(world: &Arc<World>) {
    rest(world).await;
    end_troubles(world);
    world.queue.redrive(world);
    rest(world).await;
    load::publish_last(world);
    rest(world).await;
}

/// Services that are out, projects that are paused, rights that are lost, for minutes to hours; and somebody who looks after it.
fn begin_troubles(world: &Arc<World>, mean: Duration) {
    for service in SERVICES {
        let world = world.clone();
        tokio::spawn(async move {
            while next_trouble(&world, mean).await {
                let length = world.dice.any_magnitude(OUTAGE.0, OUTAGE.1);
                let outage = if world.dice.chance(0.5) { Outage::Refuses } else { Outage::Silent };
                world.faults.begin_outage(service, length, outage);
                sleep(length).await;
            }
        });
    }
    let operator = world.clone();
    tokio::spawn(async move {
        while !operator.faults.are_ended() {
            sleep(BETWEEN_REDRIVES).await;
            operator.queue.redrive(&operator);
        }
    });
    for project in 0..world.projects.len() {
        let world = world.clone();
        tokio::spawn(async move {
            while next_trouble(&world, 5 * mean).await {
                let trouble = &world.projects[project];
                let (kind, switch) = if world.dice.chance(0.5) {
                    ("project paused", &trouble.paused)
                } else {
                    ("right to start builds lost", &trouble.denied)
                };
                world.faults.count(kind);
                switch.store(true, Ordering::Relaxed);
                sleep(world.dice.any_magnitude(OUTAGE.0, OUTAGE.1)).await;
                switch.store(false, Ordering::Relaxed);
            }
        });
    }
}

/// Waits for the next one, if there is to be one.
async fn next_trouble(world: &World, mean: Duration) -> bool {
    sleep(world.dice.until_next(mean)).await;
    !world.faults.are_ended()
}

fn end_troubles(world: &World) {
    world.faults.end();
    for project in &world.projects {
        project.paused.store(false, Ordering::Relaxed);
        project.denied.store(false, Ordering::Relaxed);
    }
}

/// Waits until nothing is under way any more, and then for as long as it takes until every project has builds left in its hour.
async fn rest(world: &World) {
    let begun = clock::now();
    while world.undelivered.load(Ordering::Relaxed) > 0 || world.queue.len() > 0 || !world.codebuild.is_quiet() {
        sleep(Duration::from_secs(60)).await;
        assert!(clock::now() < begun + LONGEST_REST, "{} messages never leave the queue", world.queue.len());
    }
    sleep(HOUR).await;
}
