//! Whether the judge would notice: worlds that break what the launcher relies on, each of which must come to harm.

use std::time::Duration;

use crate::SEED;
use crate::faults::Rates;
use crate::figures;
use crate::judge::Finding;
use crate::simulation::Simulation;
use crate::world::{Design, Flaw, Rules};

const TRIGGERS: usize = 300;

/// Short builds, so that little waits and the run is short.
const RULES: Rules = Rules { build: (Duration::from_secs(5), Duration::from_secs(20)), ..Rules::OURS };

fn found_with(rules: Rules, finding: Finding) {
    let simulation = Simulation { seed: SEED, design: Design::Ours, rules, rates: Rates::HARSH };
    let judgement = simulation.of_teams(TRIGGERS);
    figures::say(&format!("{rules:?}: {:?}", judgement.findings));
    assert!(judgement.count(finding) > 0, "{rules:?} and no {finding:?}");
}

#[test]
fn without_tokens_triggers_are_doubled() {
    found_with(Rules { tokens: false, ..RULES }, Finding::Doubled);
}

#[test]
fn without_trigger_ids_in_the_history_triggers_are_doubled() {
    found_with(Rules { flaw: Flaw::TriggersHidden, ..RULES }, Finding::Doubled);
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
