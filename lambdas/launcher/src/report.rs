//! The outcome line: the report, one count and the wait, by outcome and class.

use std::time::{Duration, SystemTime};

use contract::{Fate, Report};
use iwomp_aws::metric::{self, Metric};
use serde_json::{Value, json};

const COUNT: &str = "Triggers";
const WAIT: &str = "WaitSeconds";

/// Prints one line.
pub fn print(report: &Report, fate: Fate, tries: u32, waited: Duration, now: SystemTime) {
    metric::print(&line(report, fate, tries, waited, now));
}

fn line(report: &Report, fate: Fate, tries: u32, waited: Duration, now: SystemTime) -> Value {
    let mut line = json!(report);
    line["fate"] = json!(fate);
    line["tries"] = json!(tries);
    // Outcomes and classes are ours: no message can choose one.
    let dimensions: &[&[&str]] =
        if report.class.is_some() { &[&["outcome"], &["outcome", "class"]] } else { &[&["outcome"]] };
    let metrics = [Metric::count(COUNT, 1), Metric::seconds(WAIT, waited.as_secs())];
    metric::line(&line, &metrics, dimensions, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Class, Outcome};
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_line_is_a_report_and_two_metrics() {
        let busy = Report { class: Some(Class::Building), ..Report::new(Outcome::Busy) };
        let line = line(&busy, Fate::Waits, 3, Duration::from_millis(61_900), UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!((&line["outcome"], &line["class"], &line["tries"]), (&json!("busy"), &json!("building"), &json!(3)));
        assert_eq!(line["fate"], "waits");
        assert_eq!((&line["Triggers"], &line["WaitSeconds"]), (&json!(1), &json!(61)));
        assert_eq!(line["_aws"]["Timestamp"], 1000);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["outcome"], ["outcome", "class"]]));
    }

    #[test]
    fn a_dimension_is_only_what_the_line_has() {
        let line = line(&Report::new(Outcome::Started), Fate::Answered, 1, Duration::ZERO, UNIX_EPOCH);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["outcome"]]));
    }
}
