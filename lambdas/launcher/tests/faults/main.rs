//! The real handler with the real SDK's clients in a simulated account where everything goes wrong that AWS says may go wrong,
//! and judged by what came of each trigger. Time is simulated, too: days pass in seconds.
//!
//! `make faults` runs it with 100,000 triggers; here are fewer, unless `FAULT_TRIGGERS` says otherwise.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod article;
mod build;
mod clock;
mod codebuild;
mod connection;
mod dice;
mod event_source;
mod faults;
mod figures;
mod flood;
mod instance;
mod judge;
mod load;
mod queue;
mod repository;
mod sharpness;
mod simulation;
mod starvation;
mod topic;
mod trigger;
mod world;

use std::env;
use std::time::Duration;

use faults::Rates;
use judge::Finding;
use simulation::Simulation;
use world::{Design, Rules};

const SEED: u64 = 4;
/// Calls of AWS a trigger in the short run, those included that a fault made necessary; and the median time from a build's
/// end to the next one's beginning while a trigger waits. Its seed decides how long the outages are that count in it.
const MOST_CALLS: f64 = 10.0;
const LONGEST_GAP: Duration = Duration::from_secs(15);

/// Another one with `FAULT_SEED`.
fn seed() -> u64 {
    env::var("FAULT_SEED").map_or(SEED, |seed| seed.parse().expect("FAULT_SEED is a number"))
}

/// How many teams publish how many triggers in the great run.
fn size() -> (usize, usize) {
    match env::var("FAULT_TRIGGERS") {
        Ok(triggers) => (50, triggers.parse().expect("FAULT_TRIGGERS is a number")),
        Err(_) => (20, 250),
    }
}

/// Whether there is time for everything.
fn is_full() -> bool {
    env::var_os("FAULT_TRIGGERS").is_some()
}

#[test]
fn under_every_fault_nothing_is_lost_doubled_overlapped_or_gone_backward() {
    let ours = Simulation { seed: seed(), design: Design::Ours, rules: Rules::OURS, rates: Rates::HARSH };
    let article = Simulation { design: Design::Article, rules: Rules::ARTICLE, ..ours };
    let (teams, triggers) = size();
    let (ours, article) = (ours.of_teams(teams, triggers), article.of_teams(teams, triggers.max(1_000)));
    figures::print("under faults", &[("iwomp", &ours), ("the article", &article)]);
    ours.assert_nothing_wrong();
    if !is_full() {
        assert!(ours.figures.calls_per_trigger() <= MOST_CALLS, "{:.2} calls", ours.figures.calls_per_trigger());
        assert!(ours.figures.gap() <= LONGEST_GAP, "{:?} between builds", ours.figures.gap());
    }
    for finding in [Finding::Lost, Finding::Doubled, Finding::Overlapped, Finding::Backward] {
        assert!(article.count(finding) > 0, "a world in which the article's design has no {finding:?} proves nothing");
    }
}
