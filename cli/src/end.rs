//! How a trigger or a build ended, as `wait --json` and `logs --json` say it last: with the same words, and by the same code that
//! tells people.

use aws_sdk_codebuild::types::Build;
use contract::{Branch, CommitId, Fate, Outcome, ProjectName, Report};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Exit;
use crate::json::Shape;
use crate::launcher_log::Said;
use crate::when;

/// What became of a trigger, or of a build.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct End {
    trigger: Option<String>,
    #[schemars(with = "Option<String>")]
    project: Option<ProjectName>,
    #[schemars(with = "Option<String>")]
    branch: Option<Branch>,
    #[schemars(with = "Option<String>")]
    commit: Option<CommitId>,
    /// Its own build, or the one that answered it.
    build: Option<String>,
    #[schemars(with = "String")]
    outcome: Outcome,
    class: Option<String>,
    reason: Option<String>,
    /// `answered`; `given_up`: `iwomp redrive` sends it again; `waits`: it is not over.
    #[schemars(with = "String")]
    fate: Fate,
    /// The exit status that goes with it.
    exit_status: u8,
    /// When the queue got the trigger, to the second; where it was followed from there.
    #[schemars(with = "Option<String>")]
    pub received: Option<Timestamp>,
    /// When the build began, if it has one of its own.
    #[schemars(with = "Option<String>")]
    started: Option<Timestamp>,
    /// When it was over.
    #[schemars(with = "Option<String>")]
    ended: Option<Timestamp>,
}

impl Shape for End {
    const NAME: &'static str = "wait";
    const VERSION: u32 = 1;
}

impl End {
    /// Of a trigger that has no build of its own: the launcher's last word on it.
    #[must_use]
    pub fn of_word(said: &Said, exit: Exit) -> Self {
        let fate = said.fate();
        Self {
            trigger: said.line.trigger.clone(),
            project: said.project(),
            branch: said.branch(),
            commit: said.commit(),
            build: said.line.build.clone(),
            outcome: said.outcome(),
            class: said.line.class.clone(),
            reason: said.line.reason.clone(),
            fate,
            exit_status: exit.code(),
            received: Some(said.waits_since()),
            started: None,
            ended: (fate != Fate::Waits).then_some(said.at),
        }
    }

    /// Of a build that is over.
    #[must_use]
    pub fn of_build(report: Report, build: &Build, exit: Exit) -> Self {
        Self {
            trigger: report.trigger,
            project: report.project,
            branch: report.branch,
            commit: report.commit,
            build: report.build,
            outcome: report.outcome,
            class: report.class.map(|class| class.as_str().to_owned()),
            reason: report.reason,
            fate: Fate::Answered,
            exit_status: exit.code(),
            received: None,
            started: build.start_time().and_then(when::of_aws),
            ended: build.end_time().and_then(when::of_aws),
        }
    }
}
