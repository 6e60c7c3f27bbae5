//! What has not ended: a build that began, a trigger that waits. While such news are on their way the end may be told, and
//! would then come first. So whoever has sent them looks once more, and what has changed since is told again, to come last.

use std::collections::HashSet;

use anyhow::Result;
use aws_sdk_codebuild::types::Build;
use contract::{ProjectName, variable};
use iwomp_aws::builds::{has_ended, is_question, newest, variable_of};
use iwomp_aws::ending::{Ending, begun};
use serde_json::json;

use crate::courier::parcel::Parcel;
use crate::notifier::Notifier;

/// Of a project one build runs at a time, or two for a moment.
const NEWEST: usize = 5;

impl Notifier {
    /// Tells of what runs in a project.
    pub async fn build_began(&self, project: &ProjectName) -> Result<()> {
        let mut running = self.newest(project).await?;
        running.retain(|build| !has_ended(build));
        for build in &running {
            let parcel = Parcel::new(json!(begun(build, project)));
            self.hand_over(&parcel, &format!("{}/running", id(build))).await?;
        }
        let has_ended_since = |build: &Build| has_ended(build) && running.iter().any(|it| it.id() == build.id());
        if running.is_empty() { Ok(()) } else { self.tell_again(project, has_ended_since).await }
    }

    /// After it was told that these triggers wait.
    pub async fn triggers_waited(&self, project: &ProjectName, triggers: &HashSet<String>) -> Result<()> {
        let has_begun_since =
            |build: &Build| variable_of(build, variable::TRIGGER).is_some_and(|trigger| triggers.contains(trigger));
        self.tell_again(project, has_begun_since).await
    }

    async fn tell_again(&self, project: &ProjectName, which: impl Fn(&Build) -> bool) -> Result<()> {
        for build in self.newest(project).await?.iter().filter(|build| which(build)) {
            let ending = Ending::of(build, project, &self.ssm, &self.environment.config_path).await?;
            let report = ending.map_or_else(|| json!(begun(build, project)), |ending| ending.json());
            let parcel = Parcel { corrects: true, ..Parcel::new(report) };
            self.hand_over(&parcel, &format!("{}/again", id(build))).await?;
        }
        Ok(())
    }

    async fn hand_over(&self, parcel: &Parcel, id: &str) -> Result<()> {
        parcel.send(&self.sqs, &self.environment.deliveries_queue_url, id).await
    }

    /// Oldest first.
    async fn newest(&self, project: &ProjectName) -> Result<Vec<Build>> {
        let found = newest(&self.codebuild, &self.environment.config_path, project, NEWEST).await?;
        let mut builds = found.unwrap_or_default();
        builds.retain(|build| !is_question(build));
        builds.reverse();
        Ok(builds)
    }
}

fn id(build: &Build) -> &str {
    build.id().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Aws, Done, build, build_ended, project, record};
    use aws_sdk_codebuild::types::StatusType;
    use serde_json::Value;

    fn told(done: &Done) -> Vec<String> {
        let line = |(_, body): &(String, Value)| {
            let [outcome, build] = ["outcome", "build"].map(|key| body["report"][key].as_str().unwrap());
            let again = if body["corrects"] == json!(true) { " again" } else { "" };
            format!("{outcome} {}{again}", build.strip_prefix("iwomp-in-aws--demo:").unwrap())
        };
        done.handed_over.iter().map(line).collect()
    }

    #[tokio::test]
    async fn a_build_that_runs_is_told_and_one_that_has_ended_is_not() {
        let builds = vec![build(6, StatusType::Succeeded), build(7, StatusType::InProgress)];
        let (notifier, done) = Aws { builds, ..Aws::default() }.notifier();
        let mut event = build_ended("iwomp-in-aws--demo");
        event["detail"]["build-status"] = json!("IN_PROGRESS");
        notifier.handle(&event).await.unwrap();
        let done = done.lock().unwrap();
        assert_eq!(told(&done), ["started 7"]);
        assert!(done.published.is_empty() && done.marks.is_empty());
    }

    #[tokio::test]
    async fn an_end_that_was_told_meanwhile_comes_last() {
        let builds = vec![build(7, StatusType::InProgress), build(8, StatusType::InProgress)];
        let live = vec![record("iwomp-in-aws--demo:7").to_json()];
        let aws = Aws { builds, live, ended_since: Some(7), ..Aws::default() };
        let (notifier, done) = aws.notifier();
        notifier.build_began(&project("demo")).await.unwrap();
        assert_eq!(told(&done.lock().unwrap()), ["started 7", "started 8", "deployed 7 again"]);
    }

    #[tokio::test]
    async fn what_began_while_it_was_told_to_wait_is_told_again() {
        let builds = vec![build(6, StatusType::Failed), build(7, StatusType::InProgress)];
        let trigger = variable_of(&builds[1], variable::TRIGGER).unwrap().to_owned();
        let (notifier, done) = Aws { builds, ..Aws::default() }.notifier();
        notifier.triggers_waited(&project("demo"), &HashSet::from(["another".to_owned()])).await.unwrap();
        assert!(done.lock().unwrap().handed_over.is_empty());
        notifier.triggers_waited(&project("demo"), &HashSet::from([trigger])).await.unwrap();
        assert!(told(&done.lock().unwrap()).contains(&"started 7 again".to_owned()));
    }
}
