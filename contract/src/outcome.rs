//! The outcome of a trigger or a build: one word, one JSON line, the same keys from every program.

use std::fmt;

use serde::Serialize;

use crate::{Branch, CommitId, ProjectName};

/// What became of a trigger (launcher) or of a build (worker).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Launcher: CodeBuild accepted the build.
    Started,
    /// Launcher: not now; the trigger waits in the queue.
    Busy,
    /// Launcher: a build that began after the trigger was published has deployed the branch.
    Covered,
    /// Launcher: waited longer than is allowed, and now lies in the dead-letter queue.
    Expired,
    /// Either: a rule forbids it, for good.
    Refused,
    /// Worker: the command succeeded.
    Deployed,
    /// Either: a newer commit is live already, or will be at once; nothing was run.
    Superseded,
    /// Worker: this very commit is live already, and the register says not to run it again; nothing was run.
    Unchanged,
    /// Worker: an operator rolled back, and nothing newer than what was rolled back from is asked for; nothing was run.
    Held,
    /// Either: it was tried and did not succeed.
    Failed,
}

impl Outcome {
    /// The word as it stands in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Busy => "busy",
            Self::Covered => "covered",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Deployed => "deployed",
            Self::Superseded => "superseded",
            Self::Unchanged => "unchanged",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcome line. Only text of ours and text that passed a grammar may enter it; JSON escapes the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub outcome: Outcome,
    /// One word for the kind of refusal or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'static str>,
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
    fn the_word_is_the_serialised_form() {
        for outcome in [Outcome::Started, Outcome::Expired, Outcome::Superseded, Outcome::Unchanged, Outcome::Held] {
            assert_eq!(serde_json::json!(outcome), outcome.as_str());
        }
    }
}
