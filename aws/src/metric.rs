//! Metrics in lines of the log, in CloudWatch's embedded format: they cost no call, and a line that is there is counted.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

const NAMESPACE: &str = "iwomp";

/// One value of one line.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    name: &'static str,
    unit: &'static str,
    value: u64,
}

impl Metric {
    #[must_use]
    pub fn count(name: &'static str, value: u64) -> Self {
        Self { name, unit: "Count", value }
    }

    #[must_use]
    pub fn seconds(name: &'static str, value: u64) -> Self {
        Self { name, unit: "Seconds", value }
    }
}

/// Prints a line of the log. CloudWatch reads metrics from lines as they are written, so `tracing`, which nests fields, is
/// no help.
pub fn print(line: &Value) {
    println!("{line}");
}

/// `report` with metrics, each in every set of `dimensions`, which are keys of the report. No key is one whose value a message
/// can choose: its sender could make metrics, which are billed.
#[must_use]
pub fn line(report: &Value, metrics: &[Metric], dimensions: &[&[&str]], now: SystemTime) -> Value {
    let mut line = report.clone();
    for metric in metrics {
        line[metric.name] = json!(metric.value);
    }
    let metrics: Vec<_> = metrics.iter().map(|metric| json!({"Name": metric.name, "Unit": metric.unit})).collect();
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    line["_aws"] = json!({
        "Timestamp": u64::try_from(milliseconds).unwrap_or(u64::MAX),
        "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}],
    });
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_is_the_report_and_its_metrics() {
        let dimensions: &[&[&str]] = &[&["outcome"], &["outcome", "project"]];
        let metrics = [Metric::count("Builds", 1), Metric::seconds("Took", 2)];
        let line = line(&json!({"outcome": "failed"}), &metrics, dimensions, UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!((&line["outcome"], &line["Builds"], &line["Took"]), (&json!("failed"), &json!(1), &json!(2)));
        assert_eq!(line["_aws"]["Timestamp"], 1000);
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&described["Namespace"], &described["Dimensions"]), (&json!("iwomp"), &json!(dimensions)));
        assert_eq!(described["Metrics"][0], json!({"Name": "Builds", "Unit": "Count"}));
        assert_eq!(described["Metrics"][1], json!({"Name": "Took", "Unit": "Seconds"}));
    }
}
