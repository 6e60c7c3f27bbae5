//! `iwomp wait`: follows a trigger from the queue to the end of its build, and ends as that does.

use contract::{Fate, Outcome, ProjectName};
use tokio::signal;

use crate::arguments::WaitArguments;
use crate::builds;
use crate::exit::{Exit, Failure};
use crate::follow::{self, Deadline, Which};
use crate::launcher_log::Said;
use crate::pipeline::Pipeline;
use crate::terminal::{Meaning, Terminal};

pub async fn run(pipeline: &Pipeline, arguments: &WaitArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let deadline = Deadline::within(arguments.timeout.0);
    match (&arguments.trigger, &arguments.project, &arguments.commit) {
        (Some(trigger), ..) => until_done(pipeline, Which::Trigger(trigger), deadline, terminal).await,
        (None, Some(project), Some(commit)) => {
            until_done(pipeline, Which::Commit(project, commit), deadline, terminal).await
        }
        _ => Err(Failure::new(Exit::Usage, "which trigger is meant?")
            .advise("iwomp wait TRIGGER, or --project and --commit")),
    }
}

/// Until the trigger is done with, or Ctrl-C.
pub async fn until_done(
    pipeline: &Pipeline,
    which: Which<'_>,
    deadline: Deadline,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    tokio::select! {
        ended = follow(pipeline, which, deadline, terminal) => ended,
        _ = signal::ctrl_c() => {
            terminal.note(&format!("what {which} asks for goes on; iwomp wait follows it again"));
            Ok(Exit::Interrupted)
        }
    }
}

async fn follow(
    pipeline: &Pipeline,
    which: Which<'_>,
    deadline: Deadline,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let said = follow::trigger(pipeline, which, deadline, terminal).await?;
    let started = said.line.build.clone().filter(|_| said.line.outcome == Outcome::Started.as_str());
    let (Some(id), Some(project)) = (started, said.project()) else {
        return Ok(answered(&said, which, terminal));
    };
    terminal.note(&format!("build {id} of {project} has started"));
    let build = follow::build(pipeline, &id, deadline, terminal).await?;
    follow::result(pipeline, &project, &build, terminal).await
}

/// What became of a trigger that has no build of its own.
fn answered(said: &Said, which: Which<'_>, terminal: &mut Terminal) -> Exit {
    let exit = match said.fate() {
        Fate::GivenUp => Exit::Failed,
        _ => builds::exit(said.outcome()),
    };
    let why = said.line.reason.as_ref().or(said.line.build.as_ref()).cloned().unwrap_or_default();
    let advice = match said.fate() {
        Fate::GivenUp => "; mend the cause, then iwomp redrive",
        _ => "",
    };
    let meaning = if exit == Exit::Done { Meaning::Good } else { Meaning::Bad };
    let about = said.project().as_ref().map_or("?", ProjectName::as_str).to_owned();
    let text = format!(" {which}, of {about}: {why}{advice}");
    terminal.about([meaning.of(said.line.outcome.as_str()), text.into()]);
    exit
}
