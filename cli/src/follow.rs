//! Follows what goes on until it is over: a trigger from the queue to its build, a build to its end. It only looks; whatever
//! becomes of the one who looks, the deployment goes on.

use std::time::Duration;

use aws_sdk_codebuild::types::Build;
use contract::{Fate, Outcome, ProjectName, Report};
use iwomp_aws::error::{AwsError, Effect, explain};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::builds::{self, Line, Log};
use crate::end::End;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::launcher_log::{self, IS_CUT, Lines, Said};
use crate::pipeline::Pipeline;
use crate::terminal::{Meaning, Terminal};

/// Between two looks. AWS lets an account look at builds some tens of times a second, at a log less often.
const LOOK: Duration = Duration::from_secs(2);
/// How long AWS may be out of reach while somebody follows.
const LOST: Duration = Duration::from_secs(600);
/// CloudWatch shows a line some seconds after it was written; the last one says most.
const LAST_LINES: Duration = Duration::from_secs(1);
/// As long as a message can be on its way.
pub const LONGEST_LIFE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Until when somebody follows.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Waits for the next look.
    ///
    /// # Errors
    /// If there is no time for one.
    async fn next_look(self, what: &str) -> Result<(), Failure> {
        if Instant::now() + LOOK > self.0 {
            let what = format!("{what} is not over in the time that was given; it goes on");
            return Err(Failure::new(Exit::Waiting, what));
        }
        sleep(LOOK).await;
        Ok(())
    }
}

/// Whether AWS was out of reach, and since when.
#[derive(Default)]
struct Connection(Option<Instant>);

impl Connection {
    /// The answer, if there is one. None: it is worth another try.
    fn answer<T>(&mut self, answer: Result<T, AwsError>, terminal: &mut Terminal) -> Result<Option<T>, Failure> {
        let error = match answer {
            Ok(answer) => {
                self.0 = None;
                return Ok(Some(answer));
            }
            Err(error) => error,
        };
        match self.0 {
            _ if error.kind.is_lasting() => Err(error.into()),
            Some(since) if since.elapsed() > LOST => Err(error.into()),
            Some(_) => Ok(None),
            None => {
                self.0 = Some(Instant::now());
                terminal.note(&format!("{error}; the deployment does not depend on it, looking again"));
                Ok(None)
            }
        }
    }
}

/// What becomes of a build's log.
#[derive(Debug, Clone, Copy)]
pub enum LogAs {
    /// It is the answer.
    Text,
    /// It is, as JSON, a document a line.
    Json,
    /// It is said beside the answer.
    Notes,
}

/// Prints the log of a build as it grows, until the build is over; gives the build as it then is.
///
/// # Errors
/// If time is up, or if AWS stays out of reach.
pub async fn build(
    pipeline: &Pipeline,
    id: &str,
    log_as: LogAs,
    deadline: Deadline,
    terminal: &mut Terminal,
) -> Result<Build, Failure> {
    let _spinner = terminal.spinner(&format!("build {id} runs"));
    let (mut log, mut connection) = (Log::default(), Connection::default());
    loop {
        let looked = look(pipeline, id, &mut log).await;
        if let Some((build, lines)) = connection.answer(looked, terminal)? {
            show(lines, log_as, terminal)?;
            if iwomp_aws::builds::has_ended(&build) {
                sleep(LAST_LINES).await;
                if let Ok(lines) = log.more(pipeline, &build).await {
                    show(lines, log_as, terminal)?;
                }
                return Ok(build);
            }
        }
        deadline.next_look(&format!("build {id}")).await?;
    }
}

/// Prints lines of a log.
///
/// # Errors
/// If they cannot be written as JSON.
pub fn show(lines: Vec<Line>, log_as: LogAs, terminal: &mut Terminal) -> Result<(), Failure> {
    for line in lines {
        match log_as {
            LogAs::Text => terminal.line([line.text.into()]),
            LogAs::Json => terminal.json_line(&json::document(&line)?),
            LogAs::Notes => terminal.about([line.text.into()]),
        }
    }
    Ok(())
}

/// The build first: what it has said by its end is then there.
async fn look(pipeline: &Pipeline, id: &str, log: &mut Log) -> Result<(Build, Vec<Line>), AwsError> {
    let action = format!("reading the build {id}");
    let found = iwomp_aws::builds::get(&pipeline.codebuild, vec![id.to_owned()]).await;
    let found = found.map_err(|error| explain(&action, Effect::None, error))?.into_iter().next();
    let gone =
        AwsError { kind: iwomp_aws::error::Kind::Misconfigured, reason: format!("{action}: it is not there any more") };
    let build = found.ok_or(gone)?;
    let lines = log.more(pipeline, &build).await?;
    Ok((build, lines))
}

/// Which trigger is followed.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    Trigger(&'a str),
    /// The latest one that pinned this commit.
    Commit(&'a ProjectName, &'a contract::CommitId),
}

impl Which<'_> {
    fn lines(&self) -> Lines<'_> {
        match self {
            Self::Trigger(id) => Lines::OfTrigger(id),
            Self::Commit(project, commit) => Lines::OfCommit(project, commit),
        }
    }
}

impl std::fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trigger(id) => write!(f, "trigger {id}"),
            Self::Commit(project, commit) => write!(f, "commit {} of {project}", commit.short()),
        }
    }
}

/// The launcher's last word on a trigger.
pub struct LastWord {
    /// None: it has not spoken yet.
    pub said: Option<Said>,
    /// There may be a later one.
    pub is_cut: bool,
}

/// The launcher's last word on a trigger, as far as it has spoken.
///
/// # Errors
/// If CloudWatch fails.
pub async fn last_word(pipeline: &Pipeline, which: Which<'_>) -> Result<LastWord, AwsError> {
    let since = Timestamp::now().checked_sub(LONGEST_LIFE).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut heard = launcher_log::since(pipeline, since, which.lines()).await?;
    Ok(LastWord { said: heard.said.pop(), is_cut: heard.is_cut })
}

/// Waits until the launcher is done with a trigger, and says why it is not.
///
/// # Errors
/// If time is up, or if CloudWatch fails.
pub async fn trigger(
    pipeline: &Pipeline,
    which: Which<'_>,
    deadline: Deadline,
    terminal: &mut Terminal,
) -> Result<Said, Failure> {
    let _spinner = terminal.spinner(&format!("waiting for the launcher's word on {which}"));
    let (mut told, mut is_told_to_be_cut, mut connection) = (None, false, Connection::default());
    loop {
        let word = last_word(pipeline, which).await;
        if let Some(LastWord { said, is_cut }) = connection.answer(word, terminal)? {
            if is_cut && !is_told_to_be_cut {
                terminal.note(&format!("{IS_CUT}: its last words on {which} may be missing"));
                is_told_to_be_cut = true;
            }
            match said {
                Some(said) if said.fate() != Fate::Waits => return Ok(said),
                said => {
                    let why = said.map_or_else(
                        || format!("the launcher has not seen {which} yet"),
                        |said| format!("{which} waits: {}", said.line.reason.unwrap_or(said.line.outcome)),
                    );
                    if told.as_ref() != Some(&why) {
                        terminal.note(&why);
                        told = Some(why);
                    }
                }
            }
        }
        deadline.next_look(&which.to_string()).await?;
    }
}

/// Says what became of a trigger that has no build of its own, and gives the exit status of that: for whoever asks, the same.
pub fn answered(said: &Said, which: Which<'_>, terminal: &mut Terminal) -> (Exit, End) {
    let (fate, outcome) = (said.fate(), said.outcome());
    let exit = match fate {
        Fate::GivenUp => Exit::Failed,
        Fate::Waits => Exit::Waiting,
        Fate::Answered => builds::exit(outcome),
    };
    let about = said.project();
    let advice = match (fate, outcome, &said.line.build, &about) {
        (Fate::GivenUp, ..) => "; mend the cause, then iwomp redrive".to_owned(),
        (Fate::Waits, ..) => "; iwomp wait stays with it".to_owned(),
        (Fate::Answered, Outcome::Refused, ..) => "; correct the message or the register, and trigger again".to_owned(),
        (Fate::Answered, _, Some(build), Some(project)) => {
            format!("; the build that answered it: iwomp logs {project} --build {build}")
        }
        (Fate::Answered, ..) => String::new(),
    };
    let meaning = match exit {
        Exit::Done => Meaning::Good,
        Exit::Waiting => Meaning::Pending,
        _ => Meaning::Bad,
    };
    let about = about.as_ref().map_or("?", ProjectName::as_str);
    let reason = said.line.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    terminal.about([meaning.of(said.line.outcome.as_str()), format!(" {which}, of {about}{reason}{advice}").into()]);
    (exit, End::of_word(said, exit))
}

/// How a build ended; none if it still runs. It is the last thing that is asked: a passing fault shall not cost the answer.
async fn ending(
    pipeline: &Pipeline,
    project: &ProjectName,
    build: &Build,
    terminal: &mut Terminal,
) -> Result<Option<Report>, Failure> {
    let mut connection = Connection::default();
    loop {
        let ending = builds::ending(pipeline, project, build).await;
        if let Some(report) = connection.answer(ending, terminal)? {
            return Ok(report);
        }
        sleep(LOOK).await;
    }
}

/// Says how a build ended and gives the exit status of that. None: it still runs.
///
/// # Errors
/// If SSM fails, or stays out of reach.
pub async fn result(
    pipeline: &Pipeline,
    project: &ProjectName,
    build: &Build,
    terminal: &mut Terminal,
) -> Result<Option<(Exit, End)>, Failure> {
    let id = build.id().unwrap_or_default();
    let Some(report) = ending(pipeline, project, build, terminal).await? else { return Ok(None) };
    let exit = builds::exit(report.outcome);
    let commit = report.commit.as_ref().map(|commit| format!(" {}", commit.short())).unwrap_or_default();
    let meaning = if exit == Exit::Done { Meaning::Good } else { Meaning::Bad };
    let reason = report.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    terminal.about([meaning.of(report.outcome.as_str()), format!("{commit} by build {id}{reason}").into()]);
    Ok(Some((exit, End::of_build(report, build, exit))))
}
