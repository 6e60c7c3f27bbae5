//! The outcome line: the report and, in CloudWatch's embedded metric format, one count by outcome.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::{SystemTime, UNIX_EPOCH};

use contract::Report;
use serde_json::{Value, json};

const NAMESPACE: &str = "iwomp";
const METRIC: &str = "Triggers";

/// Prints one line. CloudWatch reads metrics from lines as they are written, so `tracing`, which nests fields, is no help.
pub fn print(report: &Report, now: SystemTime) {
    println!("{}", line(report, now));
}

fn line(report: &Report, now: SystemTime) -> Value {
    let mut line = json!(report);
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    line[METRIC] = json!(1);
    // By outcome only: a dimension that a message can choose would let its sender make metrics, which are billed.
    line["_aws"] = json!({
        "Timestamp": u64::try_from(milliseconds).unwrap_or(u64::MAX),
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": [["outcome"]],
            "Metrics": [{"Name": METRIC, "Unit": "Count"}],
        }],
    });
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Outcome;
    use std::time::Duration;

    #[test]
    fn the_line_is_a_report_and_a_metric() {
        let line = line(&Report::new(Outcome::Busy), UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!(line["outcome"], "busy");
        assert_eq!(line["Triggers"], 1);
        assert_eq!(line["_aws"]["Timestamp"], 1000);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["outcome"]]));
    }
}
