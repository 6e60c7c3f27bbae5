//! The figures of a run, and the table of several runs side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Write as _, stderr};
use std::time::Duration;

use crate::build::Build;
use crate::judge::{Finding, Judgement};
use crate::trigger::{Event, Trigger};
use crate::world::World;

pub struct Figures {
    /// How long the world published.
    published: Duration,
    triggers: usize,
    pub refused: usize,
    /// Accepted triggers that needed no build of their own.
    pub without_build: usize,
    builds: usize,
    dead_letters: usize,
    calls: BTreeMap<String, u64>,
    faults: BTreeMap<&'static str, u64>,
    /// From publication to the trigger's build, or until it was answered otherwise.
    pub waits: Vec<Duration>,
    /// From the end of a build to the beginning of the project's next one, where the trigger of that had been published by then.
    gaps: Vec<Duration>,
}

impl Figures {
    pub fn of(world: &World) -> Self {
        Self {
            published: Duration::ZERO,
            triggers: world.ledger.len(),
            refused: 0,
            without_build: 0,
            builds: 0,
            dead_letters: 0,
            calls: world.calls(),
            faults: world.faults.counts(),
            waits: Vec::new(),
            gaps: Vec::new(),
        }
    }

    pub fn finish(&mut self, triggers: &[Trigger], builds: &[Vec<Build>]) {
        self.published = triggers.last().map(|trigger| trigger.published).unwrap_or_default();
        let dead = |trigger: &&Trigger| trigger.events.iter().any(|(_, event)| *event == Event::DeadLettered);
        self.dead_letters = triggers.iter().filter(dead).count();
        self.builds = builds.iter().map(Vec::len).sum();
        self.waits.sort();
        let gap = |pair: &[Build]| {
            let ended = pair[0].ended?;
            let was_there = triggers[pair[1].trigger].published < ended;
            was_there.then(|| pair[1].began.saturating_sub(ended))
        };
        self.gaps = builds.iter().flat_map(|builds| builds.windows(2)).filter_map(gap).collect();
        self.gaps.sort();
    }

    /// The wait that this part of the accepted triggers did not exceed.
    pub fn wait(&self, part: f64) -> Duration {
        at(&self.waits, part)
    }

    /// The median gap between two builds while a trigger waits.
    pub fn gap(&self) -> Duration {
        at(&self.gaps, 0.5)
    }

    pub fn calls_per_trigger(&self) -> f64 {
        self.calls.values().sum::<u64>() as f64 / self.triggers as f64
    }

    fn rows(&self) -> Vec<(String, String)> {
        let per_trigger = |count: f64| format!("{:.3}", count / self.triggers as f64);
        let mut rows = vec![
            ("simulated hours of publishing".to_owned(), format!("{:.1}", self.published.as_secs_f64() / 3600.0)),
            ("triggers".to_owned(), self.triggers.to_string()),
            ("  of them to be refused".to_owned(), self.refused.to_string()),
            ("  accepted, without a build of their own".to_owned(), self.without_build.to_string()),
            ("builds".to_owned(), self.builds.to_string()),
            ("builds per trigger".to_owned(), per_trigger(self.builds as f64)),
            ("calls that AWS answered per trigger".to_owned(), format!("{:.3}", self.calls_per_trigger())),
            ("dead letters, sent on later".to_owned(), self.dead_letters.to_string()),
            ("median wait".to_owned(), seconds(self.wait(0.5))),
            ("wait of 99 in 100".to_owned(), seconds(self.wait(0.99))),
            ("longest wait".to_owned(), seconds(self.wait(1.0))),
            ("median gap between builds while one waits".to_owned(), seconds(self.gap())),
            ("gap of 9 in 10".to_owned(), seconds(at(&self.gaps, 0.9))),
        ];
        let calls = self.calls.iter();
        rows.extend(calls.map(|(action, count)| (format!("{action} per trigger"), per_trigger(*count as f64))));
        rows.extend(self.faults.iter().map(|(kind, count)| (format!("fault: {kind}"), count.to_string())));
        rows
    }
}

/// What this part of them, in order, does not exceed.
fn at(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Prints runs side by side.
pub fn print(title: &str, runs: &[(&str, &Judgement)]) {
    let mut table = format!("\n{title}\n{:45}", "");
    let mut rows = Vec::<(String, Vec<String>)>::new();
    for (column, (name, judgement)) in runs.iter().enumerate() {
        _ = write!(table, "{name:>16}");
        let mut put = |label: String, value: String| {
            let row = match rows.iter().position(|(known, _)| *known == label) {
                Some(row) => row,
                None => {
                    rows.push((label, vec!["-".to_owned(); runs.len()]));
                    rows.len() - 1
                }
            };
            rows[row].1[column] = value;
        };
        for finding in Finding::ALL {
            put(format!("{finding:?}").to_lowercase(), judgement.count(finding).to_string());
        }
        judgement.figures.rows().into_iter().for_each(|(label, value)| put(label, value));
    }
    for (label, values) in rows {
        _ = write!(table, "\n{label:45}");
        values.iter().for_each(|value| _ = write!(table, "{value:>16}"));
    }
    say(&table);
}

/// Prints past the capture of a test's output: the figures are what a run is for.
pub fn say(text: &str) {
    _ = writeln!(stderr(), "{text}");
}
