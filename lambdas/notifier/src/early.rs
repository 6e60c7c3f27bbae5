//! A build that began. While that is on its way the end may be told, and would then come first. So whoever has sent it looks once
//! more, and the end is told again, to come last.

use anyhow::Result;
use aws_sdk_codebuild::types::Build;
use contract::ProjectName;
use iwomp_aws::builds::{has_ended, is_question, newest};
use iwomp_aws::ending::{Ending, begun};
use serde_json::json;

use crate::courier::parcel::Parcel;
use crate::notifier::Notifier;

/// Of a project one build runs at a time, or two for a moment.
const NEWEST: usize = 5;

impl Notifier {
    /// Tells of what runs in a project. `began` is the build that an event has named.
    pub async fn build_began(&self, project: &ProjectName, began: &str) -> Result<()> {
        let builds = self.newest(project).await?;
        for build in builds.iter().filter(|build| !has_ended(build)) {
            let parcel = Parcel::new(json!(begun(build, project)));
            self.hand_over(&parcel, &format!("{}/running", id(build))).await?;
        }
        // Of the one that began it may have been told by a try before this, which then failed.
        let may_be_told = |build: &&Build| !has_ended(build) || id(build) == began;
        let told: Vec<_> = builds.iter().filter(may_be_told).map(id).collect();
        if told.is_empty() {
            return Ok(());
        }
        let now = self.newest(project).await?;
        let is_to_come_last = |build: &Build| has_ended(build) && told.contains(&id(build));
        // And what came after it, which may be of the same commit.
        for build in now.iter().skip_while(|build| !is_to_come_last(build)) {
            let Some(ending) = Ending::of(build, project, &self.ssm, &self.environment.config_path).await? else {
                continue;
            };
            let parcel = Parcel { corrects: true, ..Parcel::new(ending.json()) };
            self.hand_over(&parcel, &format!("{}/again after {began}", id(build))).await?;
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
    async fn an_end_that_was_told_meanwhile_comes_last_and_what_came_after_it() {
        let builds = vec![build(7, StatusType::InProgress), build(8, StatusType::Failed)];
        let live = vec![record("iwomp-in-aws--demo:7").to_json()];
        let aws = Aws { builds, live, ended_since: Some(7), ..Aws::default() };
        let (notifier, done) = aws.notifier();
        notifier.build_began(&project("demo"), "iwomp-in-aws--demo:7").await.unwrap();
        assert_eq!(told(&done.lock().unwrap()), ["started 7", "deployed 7 again", "failed 8 again"]);
    }

    #[tokio::test]
    async fn a_second_try_finds_that_it_has_ended_and_tells_the_end_again() {
        let builds = vec![build(6, StatusType::Failed), build(7, StatusType::Failed)];
        let (notifier, done) = Aws { builds, ..Aws::default() }.notifier();
        notifier.build_began(&project("demo"), "iwomp-in-aws--demo:7").await.unwrap();
        assert_eq!(told(&done.lock().unwrap()), ["failed 7 again"]);
    }
}
