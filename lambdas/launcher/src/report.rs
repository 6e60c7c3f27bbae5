//! The outcome line: the report and, in CloudWatch's embedded metric format, one count and the wait by outcome and class.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::Report;
use serde_json::{Value, json};

const NAMESPACE: &str = "iwomp";
const COUNT: &str = "Triggers";
const WAIT: &str = "WaitSeconds";

/// Prints one line. CloudWatch reads metrics from lines as they are written, so `tracing`, which nests fields, is no help.
pub fn print(report: &Report, tries: u32, waited: Duration, now: SystemTime) {
    println!("{}", line(report, tries, waited, now));
}

fn line(report: &Report, tries: u32, waited: Duration, now: SystemTime) -> Value {
    let mut line = json!(report);
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    line["tries"] = json!(tries);
    line[WAIT] = json!(waited.as_secs());
    line[COUNT] = json!(1);
    // Outcomes and classes are ours: a dimension that a message can choose would let its sender make metrics, which are billed.
    let by_class = report.class.map(|_| vec!["outcome", "class"]);
    let dimensions: Vec<_> = [vec!["outcome"]].into_iter().chain(by_class).collect();
    line["_aws"] = json!({
        "Timestamp": u64::try_from(milliseconds).unwrap_or(u64::MAX),
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": dimensions,
            "Metrics": [{"Name": COUNT, "Unit": "Count"}, {"Name": WAIT, "Unit": "Seconds"}],
        }],
    });
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Class, Outcome};

    #[test]
    fn the_line_is_a_report_and_two_metrics() {
        let busy = Report { class: Some(Class::Building), ..Report::new(Outcome::Busy) };
        let line = line(&busy, 3, Duration::from_millis(61_900), UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!((&line["outcome"], &line["class"], &line["tries"]), (&json!("busy"), &json!("building"), &json!(3)));
        assert_eq!((&line["Triggers"], &line["WaitSeconds"]), (&json!(1), &json!(61)));
        assert_eq!(line["_aws"]["Timestamp"], 1000);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["outcome"], ["outcome", "class"]]));
    }

    #[test]
    fn a_dimension_is_only_what_the_line_has() {
        let line = line(&Report::new(Outcome::Started), 1, Duration::ZERO, UNIX_EPOCH);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["outcome"]]));
    }
}
