//! Says a report to those who subscribed to the topic. The log gets it by `iwomp_aws::metric`.

use anyhow::{Context, Result};
use aws_sdk_sns::Client;
use contract::{Branch, ProjectName, Report};
use iwomp_aws::aws_error;
use serde_json::Value;

/// What SNS takes as a subject.
const MAX_SUBJECT_CHARS: usize = 100;

/// `iwomp: demo main failed`.
pub fn subject(report: &Report) -> String {
    let project = report.project.as_ref().map_or("", ProjectName::as_str);
    let branch = report.branch.as_ref().map_or("", Branch::as_str);
    subject_of(project, branch, report.outcome.as_str())
}

/// A long branch is cut: what happened, and where, come first on a small screen.
pub fn subject_of(project: &str, branch: &str, outcome: &str) -> String {
    let (start, end) = (format!("iwomp: {project} "), format!(" {outcome}"));
    let room = MAX_SUBJECT_CHARS.saturating_sub(start.len() + end.len());
    match branch.get(..room.saturating_sub(2)) {
        Some(cut) if branch.len() > room => format!("{start}{cut}..{end}"),
        _ => format!("{start}{branch}{end}").split_whitespace().collect::<Vec<_>>().join(" "),
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
}
