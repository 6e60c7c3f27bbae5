//! From the start of the process to its last line: whatever happens, there is an outcome line and an exit status.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, anyhow};
use contract::{Outcome, Report, printable};
use iwomp_aws::client;

use crate::aws;
use crate::bounds::{Bounds, time_left};
use crate::deploy::deploy;
use crate::environment::Environment;
use crate::failure::{Failure, Kind, OrFail};
use crate::narration::{Narration, duration};
use crate::private_directory;
use crate::process::{Stop, privacy, strays};
use crate::question::ask_git_host;
use crate::variables::{Asked, Question, Variables};

/// Longest reason in the outcome line, in characters.
const MAX_REASON_CHARS: usize = 1000;

/// Deploys what the environment asks for and returns the exit status of the process: 0 for deployed, superseded,
/// unchanged and held, the command's own if it failed, otherwise as [`Kind`] says.
pub async fn run() -> u8 {
    let started = Instant::now();
    let mut narration = Narration::default();
    let mut report = Report::new(Outcome::Failed);
    let result = try_run(&mut narration, &mut report).await;
    let strays = strays::end();
    if strays > 0 {
        narration.say("ended", &format!("{strays} processes that the command had left behind"));
    }
    let exit_status = conclude(result, &narration, &mut report);
    narration.say("result", &format!("{} after {}", report.outcome, duration(started.elapsed())));
    narration.end(&report.to_line());
    exit_status
}

/// Ends a run that could not begin, and returns its exit status.
#[must_use]
pub fn give_up(failure: Failure) -> u8 {
    let (narration, mut report) = (Narration::default(), Report::new(Outcome::Failed));
    if let Ok(variables) = Variables::from_process() {
        identify(&variables, &mut report);
    }
    let exit_status = conclude(Err(failure), &narration, &mut report);
    narration.end(&report.to_line());
    exit_status
}

/// Makes a panic, which is a mistake of ours or of a library, an outcome like any other. What a panic says may hold anything, so
/// only its place is told.
pub fn end_panics_with_an_outcome() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let error = anyhow!("the worker itself failed in {place}");
        let failure = Failure::new(Kind::Machine, error, "trigger again; if it happens again, report this line");
        std::process::exit(i32::from(give_up(failure)));
    }));
}

fn identify_question(question: &Question, report: &mut Report) {
    report.project = Some(question.project.clone());
    report.build.clone_from(&question.build);
}

fn identify(variables: &Variables, report: &mut Report) {
    report.project = Some(variables.project.clone());
    report.branch = Some(variables.branch.clone());
    report.trigger.clone_from(&variables.trigger);
    report.build.clone_from(&variables.build);
}

async fn try_run(narration: &mut Narration, report: &mut Report) -> Result<Outcome, Failure> {
    privacy::close_memory().or_fail(Kind::Machine, "this needs Linux")?;
    strays::adopt().context("asking for what the command leaves behind").or_fail(Kind::Machine, "this needs Linux")?;
    match read_variables(narration)? {
        Asked::Deployment(variables) => {
            identify(&variables, report);
            let bounds = begin(&variables.environment, variables.time_limit, variables.build_start, narration)?;
            deploy(&variables, &client::config(&aws::BOUNDS).await, &bounds, narration, report).await
        }
        Asked::GitHost(question) => {
            identify_question(&question, report);
            let bounds = begin(&question.environment, question.time_limit, question.build_start, narration)?;
            ask_git_host(&question, &client::config(&aws::BOUNDS).await, &bounds, narration, report).await
        }
    }
}

fn begin(
    environment: &Environment,
    time_limit: Duration,
    build_start: Option<SystemTime>,
    narration: &mut Narration,
) -> Result<Bounds, Failure> {
    narration.hide_secrets_of(environment);
    let leftovers = private_directory::remove_leftovers();
    if leftovers > 0 {
        narration.say("removed", &format!("{leftovers} directories that a worker left which was killed"));
    }
    let stop = Stop::on_signals().context("listening for signals").or_fail(Kind::Machine, "trigger again")?;
    Ok(Bounds::new(time_left(time_limit, build_start, SystemTime::now()), stop))
}

fn read_variables(narration: &Narration) -> Result<Asked, Failure> {
    Asked::from_process().map_err(|problems| {
        for problem in &problems {
            narration.say("variable", problem);
        }
        let error = anyhow!("reading the variables of the build: {}", problems.join("; "));
        Failure::new(
            Kind::Variables,
            error,
            "start builds through the pipeline, which sets them; see its Terraform module",
        )
    })
}

/// Says what went wrong, once, and completes the report.
fn conclude(result: Result<Outcome, Failure>, narration: &Narration, report: &mut Report) -> u8 {
    let failure = match result {
        Ok(outcome) => {
            report.outcome = outcome;
            let reason = match outcome {
                Outcome::Superseded => "a newer commit of the branch is live already; nothing was run",
                Outcome::Held => {
                    "an operator has rolled back, and this is not newer than what was rolled back from; nothing was run. To do: \
                     push a commit that mends it, or let an operator say `iwomp release`"
                }
                Outcome::Unchanged => "this commit is live already, and the register says to skip it; nothing was run",
                _ => return 0,
            };
            let reason = report.reason.get_or_insert_with(|| reason.to_owned());
            narration.say(outcome.as_str(), reason);
            return 0;
        }
        Err(failure) => failure,
    };
    let error = format!("{:#}", failure.error);
    report.outcome = failure.kind.outcome();
    report.class = Some(failure.kind.class());
    report.reason = Some(printable(&format!("{error}. To do: {}", failure.advice), MAX_REASON_CHARS));
    narration.say(report.outcome.as_str(), &error);
    narration.say("to do", &failure.advice);
    failure.kind.exit_status()
}
