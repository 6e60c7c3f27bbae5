//! Settles one project: whatever of its builds has ended and was not told yet is told, oldest first, and then marked as
//! told. In this order, so that a crash in between, or an event and a sweep at the same time, make a report come twice and
//! never not at all; a build's id says which are one.

use std::time::SystemTime;

use anyhow::Result;
use aws_sdk_codebuild::types::Build;
use contract::{Event, ProjectName, printable};
use iwomp_aws::builds::{has_ended, number};
use iwomp_aws::ending::Ending;
use iwomp_aws::metric::{self, Metric};
use serde_json::json;
use tokio::time::Instant;

use crate::courier::parcel::Parcel;
use crate::mark::Mark;
use crate::news;
use crate::notifier::{MAX_REASON_CHARS, Notifier};
use crate::report;

/// What settling a project came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// All that has ended is told, so many of them now.
    All(usize),
    /// Time ran out after so many; the next sweep goes on from the mark.
    Partly(usize),
    /// The project is registered, and CodeBuild knows nothing of it.
    NoBuildProject,
}

impl Notifier {
    pub async fn settle(&self, project: &ProjectName, deadline: Instant) -> Result<Settled> {
        let config_path = &self.environment.config_path;
        let now = SystemTime::now();
        let mark = Mark::read(&self.ssm, config_path, project).await?;
        let Some(news) = news::since(&self.codebuild, config_path, project, mark.as_ref(), now).await? else {
            return Ok(Settled::NoBuildProject);
        };
        if news.cut {
            metric::print(&json!({
                "event": Event::ReportsSkipped,
                "project": project,
                "reason": format!(
                    "only the newest {} builds of {project} are reported. To do: see in CodeBuild how older ones ended",
                    news.builds.len()
                ),
            }));
        }
        let mut told = Vec::new();
        let mut result = Ok(());
        let mut in_time = true;
        // A build that still runs holds the mark back, whatever its number: it will end, and must not be forgotten.
        for build in news.builds.iter().take_while(|build| has_ended(build)) {
            in_time = Instant::now() < deadline;
            if !in_time {
                break;
            }
            result = self.tell(project, build).await;
            if result.is_err() {
                break;
            }
            told.push(build);
        }
        // Once, after all: SSM takes three of these a second from a whole account.
        if let Some(last) = told.last() {
            let mark = Mark {
                build_number: number(last),
                build: last.id().unwrap_or_default().to_owned(),
                time: SystemTime::now().into(),
            };
            let marked = mark.store(&self.ssm, config_path, project).await;
            result = result.and(marked);
        }
        result.map(|()| if in_time { Settled::All(told.len()) } else { Settled::Partly(told.len()) })
    }

    /// Tells how a build ended: to the log first, which cannot fail and feeds the alarms, then to people.
    async fn tell(&self, project: &ProjectName, build: &Build) -> Result<()> {
        let ending = Ending::of(build, project, &self.ssm, &self.environment.config_path).await?;
        let Some(ending) = ending else { return Ok(()) };
        let json = ending.json();
        // By project too: only a registered project has builds, so nobody outside can make metrics.
        let dimensions: &[&[&str]] = &[&["outcome"], &["outcome", "project"]];
        metric::print(&metric::line(&json, &[Metric::count("Builds", 1)], dimensions, SystemTime::now()));
        let parcel = Parcel::new(json);
        let subject = report::subject(&ending.report);
        report::publish(&self.sns, &self.environment.reports_topic_arn, &subject, &parcel.report).await?;
        // After the topic, and no reason to tell that once more.
        let id = ending.report.build.as_deref().unwrap_or_default();
        if let Err(error) = parcel.send(&self.sqs, &self.environment.deliveries_queue_url, id).await {
            let reason = printable(&format!("{error:#}"), MAX_REASON_CHARS);
            metric::print(
                &json!({"event": Event::Notification, "result": "failed", "project": project, "reason": reason}),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Aws, Done, build, mark, project, with_variables};
    use crate::mark::Mark;
    use aws_sdk_codebuild::types::StatusType;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    const MARK: &str = "/iwomp-in-aws-reported/demo";

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn settle(aws: Aws) -> (Result<Settled>, Arc<Mutex<Done>>) {
        let (notifier, done) = aws.notifier();
        (notifier.settle(&project("demo"), soon()).await, done)
    }

    fn failed(numbers: impl Iterator<Item = i64>) -> Vec<Build> {
        numbers.map(|number| build(number, StatusType::Failed)).collect()
    }

    fn demo(builds: Vec<Build>, mark_at: i64) -> Aws {
        Aws { builds, marks: vec![("demo", mark(mark_at))], ..Aws::default() }
    }

    fn told(done: &Done) -> Vec<i64> {
        done.published.iter().map(|(_, message)| message["build_number"].as_i64().unwrap()).collect()
    }

    #[tokio::test]
    async fn what_came_after_the_mark_is_told_oldest_first_and_marked_once() {
        let (settled, done) = settle(demo(failed(1..=7), 4)).await;
        let done = done.lock().unwrap();
        assert_eq!((settled.unwrap(), told(&done)), (Settled::All(3), vec![5, 6, 7]));
        assert_eq!(done.marked(), [(MARK, 7)]);
        assert_eq!(Mark::parse(&done.marks[0].1).unwrap().build, "iwomp-in-aws--demo:7");
    }

    #[tokio::test]
    async fn a_second_look_tells_nothing_twice() {
        let (settled, done) = settle(demo(failed(1..=7), 7)).await;
        assert_eq!(settled.unwrap(), Settled::All(0));
        assert!(done.lock().unwrap().published.is_empty() && done.lock().unwrap().marks.is_empty());
    }

    #[tokio::test]
    async fn a_build_that_still_runs_holds_the_mark_back() {
        let mut builds = failed(5..=5);
        builds.push(build(6, StatusType::InProgress));
        builds.extend(failed(7..=7));
        let (settled, done) = settle(demo(builds, 4)).await;
        let done = done.lock().unwrap();
        assert_eq!((settled.unwrap(), told(&done), done.marked()), (Settled::All(1), vec![5], vec![(MARK, 5)]));
    }

    #[tokio::test]
    async fn what_cannot_be_published_is_not_marked_and_what_could_be_is() {
        let (settled, done) = settle(Aws { unpublishable: Some("demo:6"), ..demo(failed(1..=7), 4) }).await;
        let error = format!("{:#}", settled.unwrap_err());
        assert!(error.contains("publishing \"iwomp: demo main failed\" to arn:aws:sns"), "{error}");
        assert!(error.contains("AuthorizationError: not allowed to publish"), "{error}");
        assert_eq!(done.lock().unwrap().marked(), [(MARK, 5)]);

        let (settled, done) = settle(Aws { unpublishable: Some("demo:5"), ..demo(failed(1..=7), 4) }).await;
        assert!(settled.is_err() && done.lock().unwrap().marks.is_empty());
    }

    #[tokio::test]
    async fn a_mark_that_cannot_be_set_is_an_error_that_says_what_follows() {
        let (settled, done) = settle(Aws { marks_are_read_only: true, ..demo(failed(5..=5), 4) }).await;
        let error = format!("{:#}", settled.unwrap_err());
        assert!(
            error.starts_with("setting the mark /iwomp-in-aws-reported/demo: what was reported will be"),
            "{error}"
        );
        assert_eq!(done.lock().unwrap().published.len(), 1);
    }

    #[tokio::test]
    async fn a_broken_mark_stops_and_says_how_to_go_on() {
        let (settled, done) = settle(Aws { marks: vec![("demo", "7".to_owned())], ..demo(failed(1..=7), 0) }).await;
        let error = format!("{:#}", settled.unwrap_err());
        assert!(error.contains("the mark /iwomp-in-aws-reported/demo cannot be read (delete it"), "{error}");
        assert!(done.lock().unwrap().published.is_empty());
    }

    #[tokio::test]
    async fn when_time_is_over_the_next_look_goes_on_from_the_mark() {
        let (notifier, done) = demo(failed(1..=7), 4).notifier();
        let settled = notifier.settle(&project("demo"), Instant::now()).await.unwrap();
        assert_eq!(settled, Settled::Partly(0));
        assert!(done.lock().unwrap().published.is_empty() && done.lock().unwrap().marks.is_empty());
    }

    #[tokio::test]
    async fn builds_of_another_pipeline_are_not_told() {
        let builds = vec![with_variables(&[("CONFIGPATH", "iwomp-in-aws--demo"), ("GITBRANCH", "main")])];
        let (settled, done) = settle(demo(builds, 4)).await;
        assert_eq!(settled.unwrap(), Settled::All(0));
        assert!(done.lock().unwrap().published.is_empty() && done.lock().unwrap().marks.is_empty());
    }
}
