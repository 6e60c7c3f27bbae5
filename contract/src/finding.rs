//! What a look came to: one thing that a deployment needs, how bad it is, and what to do. `iwomp doctor` looks from outside, the
//! worker from inside a build.

use serde::{Deserialize, Serialize};

use crate::{ProjectName, printable};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    pub grade: Grade,
    /// What was looked at: `launcher`, `queue`, `credentials`.
    pub check: String,
    /// Whose it is, where it is one project's.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub project: Option<ProjectName>,
    pub saw: String,
    pub to_do: Option<String>,
}

/// How bad it is. The worst come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Keeps deployments from working, or from being told of.
    Problem,
    /// Somebody should know.
    Warning,
    /// It could not be judged.
    Unknown,
    Good,
}

impl Grade {
    /// The word as it stands in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Good => "good",
        }
    }
}

/// What is looked at: names the findings.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub check: &'a str,
    pub project: Option<&'a ProjectName>,
}

impl<'a> About<'a> {
    #[must_use]
    pub fn the(check: &'a str) -> Self {
        Self { check, project: None }
    }

    #[must_use]
    pub fn of(project: &'a ProjectName, check: &'a str) -> Self {
        Self { check, project: Some(project) }
    }

    pub fn good(self, saw: impl Into<String>) -> Finding {
        self.finding(Grade::Good, saw, None)
    }

    pub fn problem(self, saw: impl Into<String>, to_do: impl Into<String>) -> Finding {
        self.finding(Grade::Problem, saw, Some(to_do.into()))
    }

    pub fn warning(self, saw: impl Into<String>, to_do: impl Into<String>) -> Finding {
        self.finding(Grade::Warning, saw, Some(to_do.into()))
    }

    pub fn unknown(self, saw: impl Into<String>, to_do: impl Into<String>) -> Finding {
        self.finding(Grade::Unknown, saw, Some(to_do.into()))
    }

    fn finding(self, grade: Grade, saw: impl Into<String>, to_do: Option<String>) -> Finding {
        Finding { grade, check: self.check.to_owned(), project: self.project.cloned(), saw: saw.into(), to_do }
    }
}

/// What a build found that looked at itself, in a line of its own: `{"findings":[…]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    pub findings: Vec<Finding>,
}

/// What stands before the name of such a look: it is the word of an image, which may be of a team's own, and not ours.
const SAID: &str = "in-build ";
/// Of one build, and of one text of it: more is not read.
const MAX_SAID: usize = 50;
const MAX_SAID_CHARS: usize = 600;
/// How the line begins, and nothing else in JSON.
const START: &str = r#"{"findings":["#;

#[derive(Deserialize)]
struct Line {
    findings: Vec<Said>,
}

/// A finding in the words of a build. Whose it is, is not for the build to say.
#[derive(Deserialize)]
struct Said {
    grade: Grade,
    check: String,
    saw: String,
    to_do: Option<String>,
}

impl Findings {
    /// As one line of JSON.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Finds the line in the log of a build of `project`; none if it has none. In the log nothing stands between two lines, for a
    /// log keeps a long one in pieces.
    #[must_use]
    pub fn find(log: &str, project: &ProjectName) -> Option<Self> {
        let start = log.rfind(START)?;
        let line = serde_json::Deserializer::from_str(&log[start..]).into_iter::<Line>().next()?.ok()?;
        let text = |text: &str| printable(text, MAX_SAID_CHARS);
        let findings = line.findings.iter().take(MAX_SAID).map(|Said { grade, check, saw, to_do }| Finding {
            grade: *grade,
            check: text(&format!("{SAID}{check}")),
            project: Some(project.clone()),
            saw: text(saw),
            to_do: to_do.as_deref().map(text),
        });
        Some(Self { findings: findings.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_a_line_and_whose_they_are_is_not_for_a_build_to_say() {
        let [demo, other] = ["demo", "other"].map(|name| ProjectName::parse(name).unwrap());
        let of =
            |about: About<'_>, saw| Findings { findings: vec![about.problem(saw, "a newer one"), about.good("ok")] };
        for about in [About::the("git"), About::of(&other, "git")] {
            let line = of(about, "2.30\n").to_line();
            assert!(line.starts_with(r#"{"findings":[{"#) && !line.contains('\n'), "{line}");
            let log = format!("iwomp: good{line}{{\"outcome\":\"failed\"}}");
            assert_eq!(Findings::find(&log, &demo), Some(of(About::of(&demo, "in-build git"), "2.30\\n")));
        }
        let many = Findings { findings: vec![About::the("git").good("x".repeat(2000)); 100] };
        let found = Findings::find(&many.to_line(), &demo).unwrap().findings;
        assert_eq!((found.len(), found[0].saw.chars().count()), (MAX_SAID, MAX_SAID_CHARS + 1));
        for other in [r#"{"outcome":"failed"}"#, r#"{"findings":[{"grade":"fine"}]}"#, "iwomp: good"] {
            assert_eq!(Findings::find(other, &demo), None);
        }
    }

    #[test]
    fn a_grade_is_written_as_it_is_said_and_the_worst_come_first() {
        let grades = [Grade::Problem, Grade::Warning, Grade::Unknown, Grade::Good];
        assert!(grades.is_sorted());
        assert!(grades.iter().all(|grade| serde_json::json!(grade) == grade.as_str()));
    }
}
