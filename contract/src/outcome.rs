//! The outcome of a trigger or a build: one word, one JSON line, the same keys from every program.

use serde::Serialize;

use crate::word::words;
use crate::{Branch, Class, CommitId, ProjectName};

words! {
    /// What became of a trigger (launcher) or of a build (worker, and the notifier after it).
    pub enum Outcome {
        /// Launcher: CodeBuild accepted the build.
        Started = "started",
        /// Launcher: not now; the trigger waits in the queue.
        Busy = "busy",
        /// Launcher: a build that began after the trigger was published has deployed the branch.
        Covered = "covered",
        /// Launcher: waited longer than is allowed, and now lies in the dead-letter queue.
        Expired = "expired",
        /// Either: a rule forbids it, for good.
        Refused = "refused",
        /// Worker: the command succeeded.
        Deployed = "deployed",
        /// Either: a newer commit is live already, or will be at once; nothing was run.
        Superseded = "superseded",
        /// Worker: this very commit is live already, and the register says not to run it again; nothing was run.
        Unchanged = "unchanged",
        /// Worker: an operator rolled back, and nothing newer than what was rolled back from is asked for; nothing was run.
        Held = "held",
        /// Either: it was tried and did not succeed.
        Failed = "failed",
    }
}

/// The outcome line. Only text of ours and text that passed a grammar may enter it; JSON escapes the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub outcome: Outcome,
    /// One word for the kind of refusal or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// A sentence for a person: what was tried, what went wrong, what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// The SNS message id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The CodeBuild build id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

impl Report {
    /// A report that says no more than its outcome.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            class: None,
            reason: None,
            project: None,
            branch: None,
            commit: None,
            trigger: None,
            build: None,
        }
    }

    /// The report as one line of JSON.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_without_empty_keys() {
        let report = Report { reason: Some("a\nb".to_owned()), ..Report::new(Outcome::Refused) };
        assert_eq!(report.to_line(), r#"{"outcome":"refused","reason":"a\nb"}"#);
    }

    #[test]
    fn a_word_is_written_as_it_is() {
        let report = Report { class: Some(Class::InLine), ..Report::new(Outcome::Busy) };
        assert_eq!(serde_json::json!(report), serde_json::json!({"outcome": "busy", "class": "in_line"}));
        assert_eq!(format!("{} {}", report.outcome, Class::InLine), "busy in_line");
    }
}
