//! The worker's own variables: the one file that reads the environment. It reports every problem at once, so that a build
//! is set right in one go.

use std::ffi::{OsStr, OsString};
use std::time::{Duration, SystemTime};

use contract::{Branch, CommitId, ConfigPath, ProjectName, parse_waiting, variable};

use crate::environment::Environment;

/// The longest time limit: CodeBuild's longest build, 36 hours.
const MAX_TIME_LIMIT_SECONDS: u64 = 36 * 60 * 60;
/// For whoever looks at an image by hand.
const BY_HAND_SECONDS: &str = "300";
/// SNS message ids and CodeBuild build ids are shorter.
const MAX_ID_BYTES: usize = 350;

/// CodeBuild's own: the id of the build that runs us.
const BUILD: &str = "CODEBUILD_BUILD_ID";
/// CodeBuild's own: when the build began, in milliseconds since 1970.
const BUILD_START: &str = "CODEBUILD_START_TIME";
/// CodeBuild's own: who started it, a user or a role with its session.
const INITIATOR: &str = "CODEBUILD_INITIATOR";

/// What the build was started for.
pub enum Asked {
    Deployment(Box<Variables>),
    Question(Question),
}

/// What an operator may ask from inside a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Whether the Git host takes the project's credentials.
    GitHost,
    /// Whether the project can be deployed in this image.
    Image,
}

/// What a build was started with that deploys nothing, checked.
pub struct Question {
    pub subject: Subject,
    pub config_path: ConfigPath,
    pub project: ProjectName,
    /// Who started the build.
    pub initiator: Option<String>,
    pub build: Option<String>,
    pub time_limit: Duration,
    pub build_start: Option<SystemTime>,
    pub environment: Environment,
}

impl Asked {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// One sentence for each variable that is missing or wrong. None repeats a value.
    pub fn from_process() -> Result<Self, Vec<String>> {
        Self::read(std::env::vars_os().collect())
    }

    fn read(environment: Environment) -> Result<Self, Vec<String>> {
        if environment.contains_key(OsStr::new(variable::QUESTION)) {
            return Question::read(environment).map(Self::Question);
        }
        Variables::read(environment).map(Box::new).map(Self::Deployment)
    }
}

impl Question {
    /// That of somebody who examines an image by hand, as in a build of the project that the environment names; none if it
    /// names none.
    ///
    /// # Errors
    /// Like [`Asked::from_process`].
    pub fn by_hand(mut environment: Environment) -> Result<Option<Self>, Vec<String>> {
        if !environment.contains_key(OsStr::new(variable::PROJECT)) {
            return Ok(None);
        }
        environment.insert(variable::QUESTION.into(), variable::IMAGE.into());
        environment.insert(variable::TIME_LIMIT_SECONDS.into(), BY_HAND_SECONDS.into());
        Self::read(environment).map(Some)
    }

    fn read(environment: Environment) -> Result<Self, Vec<String>> {
        let mut reader = Reader { environment: &environment, problems: Vec::new() };
        let config_path = reader.require(variable::CONFIG_PATH, ConfigPath::parse);
        let project = reader.require(variable::PROJECT, ProjectName::parse);
        let subject = reader.require(variable::QUESTION, |text| match text {
            variable::GIT_HOST => Ok(Subject::GitHost),
            variable::IMAGE => Ok(Subject::Image),
            _ => Err("is no question that this worker knows"),
        });
        // With a branch it would look like a deployment, to the launcher too.
        for other in [variable::BRANCH, variable::COMMIT, variable::WAITING, variable::ROLLBACK, variable::TRIGGER] {
            if environment.contains_key(OsStr::new(other)) {
                reader.problems.push(format!("{} comes alone, without {other}", variable::QUESTION));
            }
        }
        let initiator = reader.optional(INITIATOR, parse_id);
        let build = reader.optional(BUILD, parse_id);
        let time_limit = reader.require(variable::TIME_LIMIT_SECONDS, parse_time_limit);
        let build_start = environment.get(OsStr::new(BUILD_START)).and_then(|value| parse_start(value.to_str()?));
        let problems = reader.problems;
        match (subject, config_path, project, time_limit) {
            (Some(subject), Some(config_path), Some(project), Some(time_limit)) if problems.is_empty() => {
                Ok(Self { subject, config_path, project, initiator, build, time_limit, build_start, environment })
            }
            _ => Err(problems),
        }
    }
}

/// What the build was started with, checked.
pub struct Variables {
    pub config_path: ConfigPath,
    pub project: ProjectName,
    pub branch: Branch,
    /// Given: exactly this commit. Absent: the head of the branch.
    pub commit: Option<CommitId>,
    /// Commits of other triggers of the branch, which this build answers as well.
    pub waiting: Vec<CommitId>,
    /// An operator's instruction to go to this commit, wherever it lies.
    pub rollback: Option<CommitId>,
    /// Who started the build.
    pub initiator: Option<String>,
    /// The SNS message id of the trigger.
    pub trigger: Option<String>,
    /// The CodeBuild build id.
    pub build: Option<String>,
    /// For all of the work, from the build's start.
    pub time_limit: Duration,
    /// When CodeBuild says that the build began. It is not ours, so one that cannot be read is as good as none.
    pub build_start: Option<SystemTime>,
    /// The whole environment; what children see of it is for [`crate::environment`] to say.
    pub environment: Environment,
}

impl Variables {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// One sentence for each variable that is missing or wrong. None repeats a value.
    pub fn from_process() -> Result<Self, Vec<String>> {
        Self::read(std::env::vars_os())
    }

    /// Reads `environment`.
    ///
    /// # Errors
    /// One sentence for each variable that is missing or wrong. None repeats a value.
    pub fn read(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, Vec<String>> {
        let environment: Environment = environment.into_iter().collect();
        let mut reader = Reader { environment: &environment, problems: Vec::new() };
        let config_path = reader.require(variable::CONFIG_PATH, ConfigPath::parse);
        let project = reader.require(variable::PROJECT, ProjectName::parse);
        let branch = reader.require(variable::BRANCH, Branch::parse);
        let commit = reader.optional(variable::COMMIT, CommitId::parse);
        let waiting = reader.optional(variable::WAITING, parse_waiting).unwrap_or_default();
        let rollback = reader.optional(variable::ROLLBACK, CommitId::parse);
        if rollback.is_some() && (commit.is_some() || !waiting.is_empty()) {
            reader.problems.push(format!("{} comes alone, without {}", variable::ROLLBACK, variable::COMMIT));
        }
        let trigger = reader.optional(variable::TRIGGER, parse_id);
        let initiator = reader.optional(INITIATOR, parse_id);
        let build = reader.optional(BUILD, parse_id);
        let time_limit = reader.require(variable::TIME_LIMIT_SECONDS, parse_time_limit);
        let build_start = environment.get(OsStr::new(BUILD_START)).and_then(|value| parse_start(value.to_str()?));
        let problems = reader.problems;
        match (config_path, project, branch, time_limit) {
            (Some(config_path), Some(project), Some(branch), Some(time_limit)) if problems.is_empty() => Ok(Self {
                config_path,
                project,
                branch,
                commit,
                waiting,
                rollback,
                initiator,
                trigger,
                build,
                time_limit,
                build_start,
                environment,
            }),
            _ => Err(problems),
        }
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn require<T, E: ToString>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        if !self.environment.contains_key(&OsString::from(name)) {
            self.problems.push(format!("{name} is not set"));
        }
        self.optional(name, parse)
    }

    fn optional<T, E: ToString>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let value = self.environment.get(&OsString::from(name))?;
        let parsed = match value.to_str() {
            Some(text) => parse(text).map_err(|error| error.to_string()),
            None => Err("is not UTF-8".to_owned()),
        };
        parsed.map_err(|problem| self.problems.push(format!("{name}: {problem}"))).ok()
    }
}

fn parse_id(text: &str) -> Result<String, &'static str> {
    let printable = text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if text.is_empty() || text.len() > MAX_ID_BYTES || !printable {
        return Err("must be an id of printable ASCII characters");
    }
    Ok(text.to_owned())
}

fn parse_time_limit(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=MAX_TIME_LIMIT_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("must be whole seconds from 1 to {MAX_TIME_LIMIT_SECONDS}")),
    }
}

fn parse_start(milliseconds: &str) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Variables, Vec<String>> {
        Variables::read(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
    }

    const MINIMAL: [(&str, &str); 4] =
        [("CONFIGPATH", "iwomp-in-aws"), ("PROJECTNAME", "demo"), ("GITBRANCH", "main"), ("TIMELIMITSECONDS", "3480")];

    #[test]
    fn what_the_launcher_and_terraform_set_is_read() {
        let commit = "a".repeat(40);
        let more = [("GITCOMMIT", commit.as_str()), ("TRIGGERID", "7f1c-1"), ("CODEBUILD_BUILD_ID", "iwomp-demo:0a1b")];
        let variables = read(&[&MINIMAL[..], &more[..]].concat()).map_err(|problems| problems.join("; ")).unwrap();
        assert_eq!(variables.commit.unwrap().as_str(), commit);
        assert_eq!(variables.trigger.as_deref(), Some("7f1c-1"));
        assert_eq!(variables.build.as_deref(), Some("iwomp-demo:0a1b"));
        assert_eq!(variables.time_limit, Duration::from_secs(3480));
    }

    #[test]
    fn the_start_of_the_build_is_read_in_milliseconds_and_one_that_is_none_is_no_problem() {
        let start = |text| {
            let variables = read(&[&MINIMAL[..], &[("CODEBUILD_START_TIME", text)]].concat());
            variables.map_err(|problems| problems.join("; ")).unwrap().build_start
        };
        assert_eq!(start("1795642280423"), Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_642_280_423)));
        for text in ["", "soon", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(start(text), None, "{text}");
        }
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let problems =
            read(&[("PROJECTNAME", "demo:1"), ("GITBRANCH", "-x"), ("GITCOMMIT", ""), ("TIMELIMITSECONDS", "0")])
                .err()
                .unwrap();
        let starts =
            ["CONFIGPATH is not set", "PROJECTNAME: project must", "GITBRANCH: branch must", "GITCOMMIT: commit must"];
        assert_eq!(problems.len(), starts.len() + 1, "{problems:?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn a_rollback_is_not_mixed_with_what_a_trigger_asks_for() {
        let commit = "a".repeat(40);
        let rollback = ("ROLLBACKTO", commit.as_str());
        let alone = read(&[&MINIMAL[..], &[rollback, ("CODEBUILD_INITIATOR", "ops/ada")]].concat());
        let alone = alone.map_err(|problems| problems.join("; ")).unwrap();
        assert_eq!(alone.rollback.unwrap().as_str(), commit);
        assert_eq!(alone.initiator.as_deref(), Some("ops/ada"));
        for other in ["GITCOMMIT", "WAITINGCOMMITS"] {
            assert!(read(&[&MINIMAL[..], &[rollback, (other, &commit)]].concat()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_problem_does_not_repeat_the_value() {
        let problems = read(&[("PROJECTNAME", "evil\x1b[31m"), ("TRIGGERID", "a\nb")]).err().unwrap().join(" ");
        assert!(!problems.contains("evil") && !problems.contains('\n'), "{problems}");
    }
}
