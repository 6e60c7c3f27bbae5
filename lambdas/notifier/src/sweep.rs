//! Looks everywhere: at the builds of every registered project, at how much waits, and at what is recorded of old branches.
//! What an event was lost for is found here, within a quarter of an hour.

use std::time::SystemTime;

use anyhow::{Result, bail};
use contract::{Event, ProjectName, parameter, printable};
use futures::stream::{self, StreamExt};
use iwomp_aws::metric::{self, Metric};
use iwomp_aws::parameters::Register;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::notifier::{MAX_REASON_CHARS, Notifier};
use crate::queues::Depth;
use crate::settle::Settled;

/// Projects that are looked at side by side. CodeBuild gives an account a few reading calls a second, and they are shared
/// with the launcher, whose triggers matter more.
const CONCURRENCY: usize = 4;

/// What became of the projects of one sweep.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    projects: usize,
    /// Builds that were told.
    reported: usize,
    failed: usize,
    without_build_project: usize,
    /// Not looked at, or not to the end, because time ran out.
    left: usize,
    /// Records of branches that are gone.
    removed: usize,
}

impl Notifier {
    /// Settles every project and measures the queues. What fails keeps nothing else from being done, and fails the sweep in
    /// the end, so that the alarm sees it.
    pub async fn sweep(&self, deadline: Instant) -> Result<()> {
        let environment = &self.environment;
        let waiting = Depth::read(&self.sqs, &environment.queue_url).await;
        let dead = Depth::read(&self.sqs, &environment.dead_letter_queue_url).await;
        let register = Register::read(&self.ssm, &environment.config_path).await;

        let mut counts = Vec::new();
        let mut problems = Vec::new();
        let mut tally = Tally::default();
        match waiting {
            Ok(depth) => {
                counts.push(Metric::count("Waiting", depth.total()));
                depth.untaken().iter().for_each(metric::print);
            }
            Err(error) => problems.push(format!("{error:#}")),
        }
        match dead {
            Ok(depth) => counts.push(Metric::count("Dead", depth.total())),
            Err(error) => problems.push(format!("{error:#}")),
        }
        match register {
            Ok(register) => {
                tally = self.settle_all(register.projects(), deadline).await;
                counts.push(Metric::count("Sweeps", 1));
                match self.remove_old_records(&register, SystemTime::now(), deadline).await {
                    Ok(removed) => tally.removed = removed,
                    Err(error) => problems.push(format!("{error:#}")),
                }
            }
            Err(error) => problems.push(format!("{error:#}")),
        }
        metric::print(&metric::line(&tally.json(), &counts, &[&[]], SystemTime::now()));
        if tally.failed > 0 {
            problems.push(format!(
                "{} of {} projects could not be settled, see the lines above; the next sweep tries again",
                tally.failed, tally.projects
            ));
        }
        if problems.is_empty() { Ok(()) } else { bail!(problems.join("; ")) }
    }

    async fn settle_all(&self, mut projects: Vec<ProjectName>, deadline: Instant) -> Tally {
        let mut tally = Tally { projects: projects.len(), ..Tally::default() };
        // With another one first each time: should time not suffice for all, it is not always the same ones that are left.
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let first = usize::try_from(seconds).unwrap_or_default().checked_rem(projects.len()).unwrap_or_default();
        projects.rotate_left(first);
        let mut settled = stream::iter(projects)
            .map(|project| async move {
                let settled = if Instant::now() < deadline {
                    self.settle(&project, deadline).await
                } else {
                    Ok(Settled::Partly(0))
                };
                (project, settled)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((project, settled)) = settled.next().await {
            match settled {
                Ok(Settled::All(reported)) => tally.reported += reported,
                Ok(Settled::Partly(reported)) => {
                    tally.reported += reported;
                    tally.left += 1;
                }
                Ok(Settled::NoBuildProject) => {
                    tally.without_build_project += 1;
                    metric::print(&self.no_build_project(&project));
                }
                Err(error) => {
                    tally.failed += 1;
                    let reason = printable(&format!("{error:#}"), MAX_REASON_CHARS);
                    metric::print(&json!({"event": Event::NotSettled, "project": project, "reason": reason}));
                }
            }
        }
        tally
    }

    pub fn no_build_project(&self, project: &ProjectName) -> Value {
        let config_path = &self.environment.config_path;
        let reason = format!(
            "{} is registered, but CodeBuild has no project {}: its triggers cannot be answered. To do: apply the Terraform \
             that makes it, or delete the parameter",
            parameter::register(config_path, project),
            parameter::build_project(config_path, project),
        );
        json!({"event": Event::NoBuildProject, "project": project, "reason": reason})
    }
}

impl Tally {
    fn json(&self) -> Value {
        let mut json = json!({"sweep": {
            "projects": self.projects,
            "reported": self.reported,
            "failed": self.failed,
            "without_build_project": self.without_build_project,
            "left": self.left,
            "removed": self.removed,
        }});
        if self.left > 0 {
            json["reason"] = json!(format!(
                "time did not suffice for {} of {} projects: the next sweeps begin with others; events are answered as ever",
                self.left, self.projects
            ));
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Aws, build_of, mark, project};
    use aws_sdk_codebuild::types::StatusType;
    use std::time::Duration;

    const PROJECTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    /// Six projects, each with one failed build that nobody was told of.
    fn aws() -> Aws {
        Aws {
            builds: PROJECTS.map(|project| build_of(project, 5, StatusType::Failed)).to_vec(),
            marks: PROJECTS.map(|project| (project, mark(4))).to_vec(),
            register: PROJECTS.map(|project| format!("/iwomp-in-aws/{project}")).to_vec(),
            triggers: Some([0, 1, 0]),
            ..Aws::default()
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn every_registered_project_is_settled() {
        let (notifier, done) = aws().notifier();
        notifier.sweep(soon()).await.unwrap();
        let mut done = std::mem::take(&mut *done.lock().unwrap());
        done.marks.sort();
        let expected = PROJECTS.map(|project| format!("/iwomp-in-aws-reported/{project}"));
        assert_eq!(done.marks.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), expected);
        assert_eq!(done.published.len(), PROJECTS.len());
        assert!(!format!("{done:?}").contains("canary-9"), "values of the register are nobody's business");
    }

    #[tokio::test]
    async fn one_project_that_cannot_be_settled_stops_no_other_and_fails_the_sweep() {
        let (notifier, done) = Aws { forbidden: Some("-c"), ..aws() }.notifier();
        let error = notifier.sweep(soon()).await.unwrap_err().to_string();
        assert!(error.starts_with("1 of 6 projects could not be settled"), "{error}");
        assert_eq!(done.lock().unwrap().marks.len(), 5);
    }

    #[tokio::test]
    async fn a_queue_that_does_not_answer_keeps_no_project_from_being_settled() {
        let (notifier, done) = Aws { triggers: None, ..aws() }.notifier();
        let error = notifier.sweep(soon()).await.unwrap_err().to_string();
        assert!(error.starts_with("counting the messages of https://sqs.example/triggers"), "{error}");
        assert_eq!(done.lock().unwrap().marks.len(), 6);
    }

    #[tokio::test]
    async fn the_tally_says_what_was_done_and_what_was_not() {
        let projects = || PROJECTS.map(project).to_vec();
        let (notifier, _) = Aws { forbidden: Some("-c"), missing: vec!["d"], ..aws() }.notifier();
        let tally = notifier.settle_all(projects(), soon()).await;
        assert_eq!(tally, Tally { projects: 6, reported: 4, failed: 1, without_build_project: 1, left: 0, removed: 0 });
        assert_eq!(tally.json()["sweep"]["reported"], 4);
        assert_eq!(tally.json().get("reason"), None);

        let (notifier, done) = aws().notifier();
        let tally = notifier.settle_all(projects(), Instant::now()).await;
        assert_eq!(tally, Tally { projects: 6, left: 6, ..Tally::default() });
        let reason = tally.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with("time did not suffice for 6 of 6 projects"), "{reason}");
        assert!(done.lock().unwrap().published.is_empty());
    }

    #[tokio::test]
    async fn an_empty_register_is_swept() {
        let (notifier, _) = Aws { triggers: Some([0, 0, 0]), ..Aws::default() }.notifier();
        notifier.sweep(soon()).await.unwrap();
    }
}
