//! The four measures of DORA (<https://dora.dev/guides/dora-metrics-four-keys/>), of what is known here without anybody's word:
//! when a trigger was published, how its build ended, and which build was an operator's rollback. docs/report.md defines them.

use std::collections::HashMap;

use contract::{Branch, Outcome, ProjectName};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Ended;

#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Four {
    /// Builds that deployed, rollbacks among them.
    pub deployments: usize,
    pub deployments_a_day: f64,
    /// From a trigger's publication to the end of the build that it started, of those that deployed.
    pub lead_seconds: Option<Spread>,
    /// Builds that deployed or failed, without rollbacks.
    pub changes: usize,
    /// Of these, which failed, or were rolled back from.
    pub failed_changes: usize,
    /// 0 to 1.
    pub change_failure_rate: Option<f64>,
    /// From a failure to the next deployment of the branch.
    pub recovery_seconds: Option<Spread>,
    /// Branches that have failed, and where nothing was deployed since.
    pub not_recovered: usize,
}

/// Of some values, each of which occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Spread {
    pub median: i64,
    /// Nine of ten are not larger.
    pub ninth_decile: i64,
    pub count: usize,
}

/// What is known of a branch at a time.
#[derive(Default)]
struct Line {
    fails_since: Option<Timestamp>,
    /// When the newest change went live, unless it was rolled back from.
    changed: Option<Timestamp>,
}

impl Four {
    /// `builds` are of so many days, newest first.
    pub fn of<'a>(builds: impl DoubleEndedIterator<Item = &'a Ended>, days: u16) -> Self {
        let mut four = Self::default();
        let (mut leads, mut recoveries) = (Vec::new(), Vec::new());
        let mut lines: HashMap<(&ProjectName, Option<&Branch>), Line> = HashMap::new();
        for build in builds.rev() {
            let line = lines.entry((&build.project, build.branch.as_ref())).or_default();
            match (build.outcome, build.rolled_back_by.is_some()) {
                (Outcome::Deployed, true) => {
                    four.deployments += 1;
                    // What it puts right is a change that failed, or one that went live and should not have.
                    let changed = line.changed.take();
                    if line.fails_since.is_none() && changed.is_some() {
                        four.failed_changes += 1;
                        line.fails_since = changed;
                    }
                    recoveries.extend(line.fails_since.take().map(|since| seconds(since, build.ended)));
                }
                (Outcome::Deployed, false) => {
                    four.deployments += 1;
                    four.changes += 1;
                    leads.extend(build.published.map(|published| seconds(published, build.ended)));
                    recoveries.extend(line.fails_since.take().map(|since| seconds(since, build.ended)));
                    line.changed = Some(build.ended);
                }
                (Outcome::Failed, false) => {
                    four.changes += 1;
                    four.failed_changes += 1;
                    line.fails_since.get_or_insert(build.ended);
                }
                // Nothing was run, or what should have put something right did not.
                _ => {}
            }
        }
        four.deployments_a_day = ratio(four.deployments, usize::from(days)).unwrap_or_default();
        four.change_failure_rate = ratio(four.failed_changes, four.changes);
        four.not_recovered = lines.values().filter(|line| line.fails_since.is_some()).count();
        Self { lead_seconds: Spread::of(leads), recovery_seconds: Spread::of(recoveries), ..four }
    }
}

impl Spread {
    fn of(mut values: Vec<i64>) -> Option<Self> {
        values.sort_unstable();
        // The smallest value that so many tenths of all are not larger than.
        let at = |tenths: usize| values.get((values.len() * tenths).div_ceil(10).saturating_sub(1)).copied();
        Some(Self { median: at(5)?, ninth_decile: at(9)?, count: values.len() })
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    (to.as_second() - from.as_second()).max(0)
}

fn ratio(part: usize, of: usize) -> Option<f64> {
    let [part, of] = [part, of].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    (of > 0).then(|| f64::from(part) / f64::from(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{branch, project};

    /// Builds of demo's main, oldest first: how each ended, minutes after the epoch; a rollback has a `<`.
    fn four(builds: &[(&str, i64)]) -> Four {
        let builds: Vec<_> = builds.iter().map(|(told, minutes)| ended(told, *minutes)).collect();
        Four::of(builds.iter().rev(), 2)
    }

    fn ended(told: &str, minutes: i64) -> Ended {
        let word = told.trim_start_matches('<');
        Ended {
            project: project("demo"),
            branch: Some(branch("main")),
            outcome: Outcome::ALL.iter().copied().find(|outcome| outcome.as_str() == word).unwrap(),
            class: None,
            reason: None,
            commit: None,
            build: format!("iwomp-in-aws--demo:{minutes}"),
            trigger: None,
            rolled_back_by: told.starts_with('<').then(|| "ada".to_owned()),
            published: Timestamp::from_second(60 * (minutes - 5)).ok(),
            ended: Timestamp::from_second(60 * minutes).unwrap(),
            took_seconds: None,
        }
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        assert_eq!(four(&[]), Four::default());
        let nothing_run = four(&[("superseded", 1), ("refused", 2), ("held", 3)]);
        assert_eq!(nothing_run, Four::default());
    }

    #[test]
    fn deployments_are_counted_by_day_and_the_lead_is_from_publication_to_live() {
        let four = four(&[("deployed", 10), ("deployed", 20), ("superseded", 25), ("deployed", 30)]);
        assert_eq!((four.deployments, four.changes, four.failed_changes), (3, 3, 0));
        assert_eq!((four.deployments_a_day, four.change_failure_rate), (1.5, Some(0.0)));
        assert_eq!(four.lead_seconds, Some(Spread { median: 300, ninth_decile: 300, count: 3 }));
        assert_eq!((four.recovery_seconds, four.not_recovered), (None, 0));
    }

    #[test]
    fn a_failure_lasts_until_the_next_deployment_of_its_branch() {
        let four = four(&[("deployed", 10), ("failed", 20), ("failed", 30), ("deployed", 50)]);
        assert_eq!((four.changes, four.failed_changes, four.change_failure_rate), (4, 2, Some(0.5)));
        assert_eq!(four.recovery_seconds, Some(Spread { median: 1800, ninth_decile: 1800, count: 1 }));
        let mut elsewhere = ended("deployed", 50);
        elsewhere.branch = Some(branch("fix/1"));
        let failed = ended("failed", 20);
        let still = Four::of([&elsewhere, &failed].into_iter(), 1);
        assert_eq!((still.recovery_seconds, still.not_recovered), (None, 1));
    }

    #[test]
    fn what_was_rolled_back_from_had_failed_since_it_was_live() {
        let once = four(&[("deployed", 10), ("deployed", 20), ("<deployed", 50)]);
        assert_eq!((once.deployments, once.changes, once.failed_changes, once.not_recovered), (3, 2, 1, 0));
        assert_eq!(once.recovery_seconds.unwrap().median, 1800);
        // Further back: the same change, and no recovery more.
        let twice = four(&[("deployed", 20), ("<deployed", 50), ("<deployed", 60)]);
        assert_eq!((twice.failed_changes, twice.recovery_seconds.unwrap().count), (1, 1));
        // A way back after a build that failed puts that one right, and the change before was good.
        let after = four(&[("deployed", 20), ("failed", 40), ("<deployed", 50)]);
        assert_eq!((after.changes, after.failed_changes, after.recovery_seconds.unwrap().median), (2, 1, 600));
        // One that fails has put nothing right and is no change.
        let failed = four(&[("deployed", 20), ("<failed", 40), ("<deployed", 50)]);
        assert_eq!((failed.changes, failed.failed_changes, failed.recovery_seconds.unwrap().median), (1, 1, 1800));
    }

    #[test]
    fn a_spread_is_of_values_that_occurred() {
        let of = |count: i64| Spread::of((1..=count).rev().collect()).map(|it| (it.median, it.ninth_decile));
        assert_eq!((of(0), of(1), of(2), of(10)), (None, Some((1, 1)), Some((1, 2)), Some((5, 9))));
        assert_eq!(of(11), Some((6, 10)));
    }
}
