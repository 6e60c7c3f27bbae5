//! What the launcher has said of triggers, from its own log, which nobody else can write. The queue cannot be read without taking
//! messages out of it; but the launcher looks at each trigger that waits every few minutes, and says so each time.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::{Branch, CommitId, Fate, Outcome, ProjectName};
use iwomp_aws::error::AwsError;
use jiff::Timestamp;
use serde::Deserialize;

use crate::log_group;
use crate::pipeline::Pipeline;

/// Between two looks of the launcher at a trigger that waits: five times the retry delay at the most, that of a paused project,
/// and what SQS, Lambda and the log take.
const LONGEST_DELAYS: u32 = 5;
const LATENESS: Duration = Duration::from_secs(120);

/// How it is said that a [`Heard`] is cut.
pub const IS_CUT: &str = "the launcher has said more than is read here";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub at: Timestamp,
    pub line: Line,
}

/// The part of an outcome line that is of use here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    pub outcome: String,
    pub class: Option<String>,
    pub reason: Option<String>,
    pub project: Option<String>,
    pub branch: Option<String>,
    pub commit: Option<String>,
    pub trigger: Option<String>,
    pub build: Option<String>,
    #[serde(default)]
    pub tries: u32,
    /// How long the trigger was in the queue by then.
    #[serde(rename = "WaitSeconds", default)]
    pub waited_seconds: i64,
    fate: Option<String>,
}

/// What to look for. The pattern is for CloudWatch, which then sends less; every line is looked at once more here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines<'a> {
    All,
    Refused,
    /// All but what merely says that a trigger waits.
    Ends,
    OfProject(&'a ProjectName),
    OfTrigger(&'a str),
    OfCommit(&'a ProjectName, &'a CommitId),
}

impl Lines<'_> {
    fn pattern(self) -> String {
        match self {
            Self::All => "{ $.outcome = \"*\" }".to_owned(),
            Self::Refused => "{ $.outcome = \"refused\" }".to_owned(),
            Self::Ends => "{ $.outcome != \"busy\" }".to_owned(),
            Self::OfProject(project) => format!("{{ $.project = \"{project}\" }}"),
            Self::OfTrigger(id) => format!("{{ $.trigger = \"{id}\" }}"),
            Self::OfCommit(project, commit) => {
                format!("{{ ($.project = \"{project}\") && ($.commit = \"{commit}\") }}")
            }
        }
    }

    fn include(self, line: &Line) -> bool {
        match self {
            Self::All => true,
            Self::Refused => line.outcome == "refused",
            Self::Ends => line.outcome != "busy",
            Self::OfProject(project) => line.project.as_deref() == Some(project.as_str()),
            Self::OfTrigger(id) => line.trigger.as_deref() == Some(id),
            Self::OfCommit(project, commit) => {
                line.project.as_deref() == Some(project.as_str()) && line.commit.as_deref() == Some(commit.as_str())
            }
        }
    }
}

/// What was read of the launcher's log.
pub struct Heard {
    /// Oldest first.
    pub said: Vec<Said>,
    /// It has said more, later than that: more than anybody reads.
    pub is_cut: bool,
}

/// The launcher's lines since then.
///
/// # Errors
/// If CloudWatch fails.
pub async fn since(pipeline: &Pipeline, since: Timestamp, lines: Lines<'_>) -> Result<Heard, AwsError> {
    let group = &pipeline.description.launcher.log_group;
    let read = log_group::lines(pipeline, group, since, &lines.pattern()).await?;
    // What is none of these lines is of Lambda itself.
    let told = |(at, text): (Timestamp, String)| Some(Said { at, line: serde_json::from_str(&text).ok()? });
    let said = read.lines.into_iter().filter_map(told).filter(|said| lines.include(&said.line)).collect();
    Ok(Heard { said, is_cut: read.is_cut })
}

/// Since when a line about every trigger that waits must be there.
#[must_use]
pub fn horizon(pipeline: &Pipeline, now: Timestamp) -> Timestamp {
    let retry = Duration::from_secs(pipeline.description.retry_seconds);
    now.checked_sub(retry * LONGEST_DELAYS + LATENESS).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The last that was said of each trigger.
#[must_use]
pub fn last_words(said: Vec<Said>) -> Vec<Said> {
    let mut last = BTreeMap::new();
    for said in said {
        if let Some(trigger) = said.line.trigger.clone() {
            last.insert(trigger, said);
        }
    }
    let mut last: Vec<_> = last.into_values().collect();
    last.sort_by_key(|said| said.at);
    last
}

/// What waits, in the order in which the launcher lets it go.
#[must_use]
pub fn in_line(said: Vec<Said>) -> Vec<Said> {
    let mut waiting = last_words(said);
    waiting.retain(|said| said.fate() == Fate::Waits);
    waiting.sort_by_key(|said| (said.commit().is_some(), said.waits_since(), said.line.trigger.clone()));
    waiting
}

impl Said {
    #[must_use]
    pub fn fate(&self) -> Fate {
        let told = self.line.fate.as_deref();
        let word = Fate::ALL.iter().copied().find(|fate| told == Some(fate.as_str()));
        // A launcher of an older version does not say it.
        word.unwrap_or(match self.line.outcome.as_str() {
            "busy" | "failed" => Fate::Waits,
            "expired" => Fate::GivenUp,
            _ => Fate::Answered,
        })
    }

    /// Since when the trigger has been in the queue.
    #[must_use]
    pub fn waits_since(&self) -> Timestamp {
        self.at.checked_sub(jiff::SignedDuration::from_secs(self.line.waited_seconds)).unwrap_or(self.at)
    }

    /// The word as one of ours. A line with another is not the launcher's, and is left out before.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::ALL.iter().copied().find(|outcome| outcome.as_str() == self.line.outcome).unwrap_or(Outcome::Failed)
    }

    #[must_use]
    pub fn project(&self) -> Option<ProjectName> {
        ProjectName::parse(self.line.project.as_deref()?).ok()
    }

    #[must_use]
    pub fn branch(&self) -> Option<Branch> {
        Branch::parse(self.line.branch.as_deref()?).ok()
    }

    #[must_use]
    pub fn commit(&self) -> Option<CommitId> {
        CommitId::parse(self.line.commit.as_deref()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(at: i64, line: &str) -> Said {
        Said { at: Timestamp::from_second(at).unwrap(), line: serde_json::from_str(line).unwrap() }
    }

    #[test]
    fn the_last_word_of_each_trigger_counts() {
        let last = last_words(vec![
            said(1, r#"{"outcome":"busy","trigger":"a"}"#),
            said(2, r#"{"outcome":"busy","trigger":"b"}"#),
            said(3, r#"{"outcome":"refused"}"#),
            said(4, r#"{"outcome":"started","trigger":"a"}"#),
        ]);
        let words: Vec<_> = last.iter().map(|said| (said.line.trigger.as_deref().unwrap(), said.fate())).collect();
        assert_eq!(words, [("b", Fate::Waits), ("a", Fate::Answered)]);
    }

    #[test]
    fn the_launcher_says_itself_what_becomes_of_a_failed_trigger() {
        for (fate, expected) in [("waits", Fate::Waits), ("given_up", Fate::GivenUp), ("answered", Fate::Answered)] {
            assert_eq!(said(1, &format!(r#"{{"outcome":"failed","fate":"{fate}"}}"#)).fate(), expected);
        }
        assert_eq!(said(1, r#"{"outcome":"failed"}"#).fate(), Fate::Waits);
        assert_eq!(said(1, r#"{"outcome":"expired"}"#).fate(), Fate::GivenUp);
    }

    #[test]
    fn the_wait_began_when_the_queue_got_the_trigger() {
        let line = r#"{"outcome":"busy","WaitSeconds":40,"tries":3}"#;
        assert_eq!(said(100, line).waits_since(), Timestamp::from_second(60).unwrap());
    }
}
