//! From an event to where it makes the notifier look.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use contract::{ProjectName, printable};
use iwomp_aws::metric::{self, Metric};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::event::Event;
use crate::launcher_log::{self, Line, News};
use crate::notifier::{MAX_REASON_CHARS, Notifier};
use crate::register::Change;
use crate::report;
use crate::settle::Settled;

/// When no new work is begun any more. The function's timeout is 240 s: the rest is for what is under way, six calls of 6 s
/// at the worst.
const WORK_TIME: Duration = Duration::from_secs(200);

impl Notifier {
    /// Does what an event asks for. An error, which Lambda's runtime prints, makes Lambda call again with the same event.
    pub async fn handle(&self, input: &Value) -> Result<(), String> {
        let deadline = Instant::now() + WORK_TIME;
        let result = match Event::read(input, &self.environment.config_path) {
            Event::Sweep => self.sweep(deadline).await,
            Event::BuildBegan(project, build) => self.build_began(&project, &build).await,
            Event::BuildEnded(project) => self.build_ended(&project, deadline).await,
            Event::RegisterChanged(change) => self.register_changed(&change).await,
            Event::LauncherLog(lines) => self.launcher_said(&lines).await,
            Event::Harmless => Ok(()),
            Event::Foreign => {
                let reason = "called with nothing that this pipeline sends: see who may invoke the function";
                metric::print(&json!({"event": contract::Event::ForeignEvent, "reason": reason}));
                Ok(())
            }
        };
        result.map_err(|error| printable(&format!("{error:#}"), MAX_REASON_CHARS))
    }

    async fn build_ended(&self, project: &ProjectName, deadline: Instant) -> Result<()> {
        if self.settle(project, deadline).await? == Settled::NoBuildProject {
            metric::print(&self.no_build_project(project));
        }
        Ok(())
    }

    /// The lines may come twice; what has one id is one.
    async fn launcher_said(&self, lines: &[Line]) -> Result<()> {
        let (mut sent, mut result) = (HashSet::new(), Ok(()));
        for News { parcel, id } in lines.iter().filter_map(launcher_log::news) {
            if sent.insert((parcel.project(), id.clone())) {
                let sending = parcel.send(&self.sqs, &self.environment.deliveries_queue_url, &id).await;
                result = result.and(sending);
            }
        }
        result
    }

    async fn register_changed(&self, change: &Change) -> Result<()> {
        if change.is_by(&self.environment.register_keepers) {
            return Ok(());
        }
        let told = change.report();
        let metrics = [Metric::count("RegisterChanges", 1)];
        metric::print(&metric::line(&told, &metrics, &[&[]], SystemTime::now()));
        report::publish(&self.sns, &self.environment.reports_topic_arn, "iwomp: register changed", &told).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{
        Aws, COMMIT, SESSION, build, build_ended, failed_with, is_harmless, mark, put_parameter, record,
    };
    use aws_sdk_codebuild::types::StatusType;

    #[tokio::test]
    async fn what_codebuild_knows_is_told_and_nothing_of_what_the_event_says() {
        let aws = Aws {
            builds: vec![build(6, StatusType::Succeeded), failed_with(StatusType::Failed, "exit status 1")],
            marks: vec![("demo", mark(5))],
            live: vec![record("iwomp-in-aws--demo:6").to_json()],
            ..Aws::default()
        };
        let (notifier, done) = aws.notifier();
        notifier.handle(&build_ended("iwomp-in-aws--demo")).await.unwrap();
        let done = done.lock().unwrap();
        assert_eq!(done.subjects(), ["iwomp: demo main deployed", "iwomp: demo main failed"]);
        let (_, deployed) = &done.published[0];
        assert_eq!((&deployed["commit"], &deployed["build"]), (&json!(COMMIT), &json!("iwomp-in-aws--demo:6")));
        assert!(!format!("{done:?}").contains("lie-"), "{done:?}");
        assert_eq!(done.marked(), [("/iwomp-in-aws-reported/demo", 7)]);
    }

    #[tokio::test]
    async fn a_project_without_builds_is_no_error() {
        let aws = Aws { missing: vec!["demo"], ..Aws::default() };
        let (notifier, done) = aws.notifier();
        notifier.handle(&build_ended("iwomp-in-aws--demo")).await.unwrap();
        let line = notifier.no_build_project(&ProjectName::parse("demo").unwrap());
        let reason = line["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("/iwomp-in-aws/demo is registered, but CodeBuild has no project iwomp-in-aws--demo")
        );
        assert!(done.lock().unwrap().published.is_empty());
    }

    #[tokio::test]
    async fn a_change_of_the_register_is_told_unless_a_keeper_made_it() {
        let (mut notifier, done) = Aws::default().notifier();
        notifier.handle(&put_parameter("/iwomp-in-aws/demo")).await.unwrap();
        assert!(done.lock().unwrap().published.is_empty(), "Terraform's own changes are no news");

        notifier.environment.register_keepers.clear();
        notifier.handle(&put_parameter("/iwomp-in-aws-deployed/demo/main")).await.unwrap();
        notifier.handle(&put_parameter("/iwomp-in-aws/demo")).await.unwrap();
        let done = done.lock().unwrap();
        assert_eq!(done.subjects(), ["iwomp: register changed"]);
        assert_eq!(done.published[0].1["who"], SESSION);
    }

    #[tokio::test]
    async fn a_change_that_could_not_be_told_is_tried_again() {
        let aws = Aws { unpublishable: Some("register_changed"), ..Aws::default() };
        let (mut notifier, _) = aws.notifier();
        notifier.environment.register_keepers.clear();
        let error = notifier.handle(&put_parameter("/iwomp-in-aws/demo")).await.unwrap_err();
        assert!(
            error.contains("publishing \"iwomp: register changed\"") && error.contains("AuthorizationError"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_foreign_event_moves_nothing() {
        let (notifier, done) = Aws::default().notifier();
        for event in [json!({}), json!("sweep"), build_ended("somebody-elses")] {
            notifier.handle(&event).await.unwrap();
        }
        assert!(done.lock().unwrap().published.is_empty());
    }

    #[tokio::test]
    async fn no_text_of_others_reaches_people_or_the_log_unescaped() {
        let evil = "\u{1b}[2J\u{202e}\r\nexit status 1";
        let aws = Aws {
            builds: vec![failed_with(StatusType::Failed, evil)],
            marks: vec![("demo", mark(6))],
            ..Aws::default()
        };
        let (mut notifier, done) = aws.notifier();
        notifier.environment.register_keepers.clear();
        notifier.handle(&build_ended("iwomp-in-aws--demo")).await.unwrap();
        let mut event = put_parameter("/iwomp-in-aws/demo");
        event["detail"]["userIdentity"]["arn"] = json!(evil);
        notifier.handle(&event).await.unwrap();
        let published = std::mem::take(&mut done.lock().unwrap().published);
        assert_eq!(published.len(), 2);
        for (subject, message) in &published {
            assert!(is_harmless(&json!(subject)) && is_harmless(message), "{subject:?} {message:?}");
        }
        let forbidden = Aws { forbidden: Some("demo"), ..Aws::default() };
        let error = forbidden.notifier().0.handle(&build_ended("iwomp-in-aws--demo")).await.unwrap_err();
        assert!(error.contains("AccessDeniedException: not allowed\\u{1b}[31m"), "{error}");
    }
}
