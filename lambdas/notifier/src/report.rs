//! Says a thing twice: to the log, with metrics in CloudWatch's embedded format, and to those who subscribed to the topic.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_sdk_sns::Client;
use contract::{Branch, ProjectName, Report};
use iwomp_aws::aws_error;
use serde_json::{Value, json};

const NAMESPACE: &str = "iwomp";
/// What SNS takes as a subject.
const MAX_SUBJECT_CHARS: usize = 100;

/// Prints a line of the log. CloudWatch reads metrics from lines as they are written, so `tracing`, which nests fields, is
/// no help.
pub fn print(line: &Value) {
    println!("{line}");
}

/// `report` with counts, each in every set of `dimensions`, which are keys of the report.
pub fn with_metrics(report: &Value, counts: &[(&str, u64)], dimensions: &Value, now: SystemTime) -> Value {
    let mut line = report.clone();
    for (name, count) in counts {
        line[*name] = json!(count);
    }
    let metrics: Vec<_> = counts.iter().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    line["_aws"] = json!({
        "Timestamp": u64::try_from(milliseconds).unwrap_or(u64::MAX),
        "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}],
    });
    line
}

/// `iwomp: demo main failed`. A long branch is cut: what happened, and where, come first on a small screen.
pub fn subject(report: &Report) -> String {
    let project = report.project.as_ref().map_or("", ProjectName::as_str);
    let branch = report.branch.as_ref().map_or("", Branch::as_str);
    let (start, end) = (format!("iwomp: {project} "), format!(" {}", report.outcome));
    let room = MAX_SUBJECT_CHARS.saturating_sub(start.len() + end.len());
    match branch.get(..room.saturating_sub(2)) {
        Some(cut) if branch.len() > room => format!("{start}{cut}..{end}"),
        _ => format!("{start}{branch}{end}").replace("  ", " "),
    }
}

/// Publishes a report to people. JSON over several lines, for those who read it in a mail; a filter policy with the scope
/// `MessageBody` reads it as well.
pub async fn publish(sns: &Client, topic_arn: &str, subject: &str, report: &Value) -> Result<()> {
    let call = sns.publish().topic_arn(topic_arn).subject(subject).message(format!("{report:#}"));
    call.send().await.map_err(aws_error).with_context(|| format!("publishing {subject:?} to {topic_arn}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Outcome;
    use std::time::Duration;

    #[test]
    fn a_subject_is_what_sns_takes() {
        let failed = |project: &str, branch: Option<&str>| {
            let branch = branch.map(|branch| Branch::parse(branch).unwrap());
            subject(&Report { project: ProjectName::parse(project).ok(), branch, ..Report::new(Outcome::Failed) })
        };
        assert_eq!(failed("demo", Some("main")), "iwomp: demo main failed");
        assert_eq!(failed("demo", None), "iwomp: demo failed");
        for branch in ["main".to_owned(), "b".repeat(200)] {
            for project in ["demo", &"p".repeat(63)] {
                let subject = failed(project, Some(&branch));
                assert!(subject.is_ascii() && subject.len() <= 100, "{subject}");
                assert!(subject.starts_with(&format!("iwomp: {project} {}", &branch[..4])), "{subject}");
                assert!(subject.ends_with(" failed"), "{subject}");
            }
        }
    }

    #[test]
    fn a_line_is_the_report_and_its_metrics() {
        let dimensions = json!([["outcome"], ["outcome", "project"]]);
        let now = UNIX_EPOCH + Duration::from_secs(1);
        let line = with_metrics(&json!({"outcome": "failed"}), &[("Builds", 1), ("Others", 2)], &dimensions, now);
        assert_eq!((&line["outcome"], &line["Builds"], &line["Others"]), (&json!("failed"), &json!(1), &json!(2)));
        assert_eq!(line["_aws"]["Timestamp"], 1000);
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&metrics["Namespace"], &metrics["Dimensions"]), (&json!("iwomp"), &dimensions));
        assert_eq!(metrics["Metrics"][1], json!({"Name": "Others", "Unit": "Count"}));
    }
}
