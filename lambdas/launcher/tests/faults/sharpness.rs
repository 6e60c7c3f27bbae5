//! Whether the judge would notice: worlds that break what the launcher relies on, each of which must come to harm.

use std::time::Duration;

use tokio::time::sleep;

use crate::SEED;
use crate::faults::Rates;
use crate::figures;
use crate::judge::Finding;
use crate::load::{self, Team};
use crate::simulation::{Simulation, come_to_rest};
use crate::world::{Design, Flaw, Rules};

const PROJECTS: usize = 3;
const ROUNDS: usize = 4;
const RULES: Rules = Rules { build: (Duration::from_secs(30), Duration::from_secs(60)), ..Rules::OURS };
/// Much comes twice, and what stands in line is often thrown back, so that an old pinned commit comes before the head.
const RATES: Rates = Rates { duplicated: 0.5, throttled: 0.3, ..Rates::HARSH };

/// Every trigger comes twice, builds are short, and launchers often die after a call had its effect: so the second copy comes
/// when the build of the first is over, to a launcher that does not know of it.
const COPIES: Rates = Rates { duplicated: 1.0, throttled: 0.0, crash_after_call: 0.1, late_effect: 0.1, ..RATES };
const SHORT: Rules = Rules { build: (Duration::from_secs(1), Duration::from_secs(5)), ..RULES };

fn found_with(rules: Rules, finding: Finding) {
    assert!(count(rules, RATES, finding) > 0, "{rules:?} and no {finding:?}");
}

/// Each round is a push, a second one that the build of the first has not seen, an old commit, and after a while a push that
/// stands alone.
fn count(rules: Rules, rates: Rates, finding: Finding) -> usize {
    let simulation = Simulation { seed: SEED, design: Design::Ours, rules, rates };
    let judgement = simulation.play(load::projects(PROJECTS), async |world| {
        for _ in 0..ROUNDS {
            let mut teams: Vec<_> = (0..PROJECTS).map(|project| Team::new(&world, project, usize::MAX)).collect();
            for team in &mut teams {
                team.push(0, 1, 0).await;
            }
            sleep(Duration::from_secs(35)).await;
            for team in &mut teams {
                team.push(0, 1, 0).await;
                team.publish_old(0);
            }
            sleep(Duration::from_secs(600)).await;
            for team in &mut teams {
                team.push(0, 1, 0).await;
            }
            sleep(Duration::from_secs(3600)).await;
        }
        come_to_rest(&world).await;
    });
    figures::say(&format!("{rules:?}: {:?}", judgement.findings));
    judgement.count(finding)
}

#[test]
fn without_tokens_triggers_are_doubled() {
    assert_eq!(count(SHORT, COPIES, Finding::Doubled), 0);
    assert!(count(Rules { tokens: false, ..SHORT }, COPIES, Finding::Doubled) >= 3);
}

#[test]
fn without_trigger_ids_in_the_history_triggers_are_doubled() {
    assert!(count(Rules { flaw: Flaw::TriggersHidden, ..SHORT }, COPIES, Finding::Doubled) >= 3);
}

#[test]
fn without_the_limit_of_one_builds_overlap() {
    found_with(Rules { one_at_a_time: false, ..RULES }, Finding::Overlapped);
}

#[test]
fn without_forward_only_older_commits_become_live() {
    found_with(Rules { forward_only: false, ..RULES }, Finding::Backward);
}

#[test]
fn if_a_pinned_build_covers_triggers_of_the_head_they_are_lost() {
    found_with(Rules { flaw: Flaw::PinsHidden, ..RULES }, Finding::Lost);
}

#[test]
fn if_the_clock_of_codebuild_is_a_minute_ahead_triggers_are_lost() {
    found_with(Rules { flaw: Flaw::ClockAhead, ..RULES }, Finding::Lost);
}

#[test]
fn if_the_queue_forgets_messages_triggers_are_lost() {
    found_with(Rules { flaw: Flaw::QueueForgets, ..RULES }, Finding::Lost);
}
