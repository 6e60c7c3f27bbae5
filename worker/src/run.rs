//! From the start of the process to its last line: whatever happens, there is an outcome line and an exit status.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, anyhow};
use contract::finding::{Finding, Findings};
use contract::{Outcome, Report, printable};
use iwomp_aws::client;

use crate::aws;
use crate::bounds::{Bounds, time_left};
use crate::deploy::deploy;
use crate::doctor;
use crate::environment::Environment;
use crate::failure::{Failure, Kind, OrFail};
use crate::narration::{Narration, duration};
use crate::private_directory;
use crate::process::{Stop, privacy, strays};
use crate::question::ask_git_host;
use crate::tools;
use crate::user::User;
use crate::variables::{Asked, Question, Subject, Variables};

/// Longest reason in the outcome line, in characters.
const MAX_REASON_CHARS: usize = 1000;
/// For whoever looks at an image by hand.
const BY_HAND: Duration = Duration::from_secs(300);

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Text,
    Json,
}

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

/// Examines the image around us, and the project that the environment names, if it names one; and returns the exit status of
/// the process: 0 if nothing stands in the way of a deployment, else 1.
pub async fn examine(output: Output) -> u8 {
    let mut narration = Narration::default();
    let findings = match try_examine(&mut narration).await {
        Ok(findings) => doctor::printed(findings, &narration),
        Err(failure) => return conclude(Err(failure), &narration, &mut Report::new(Outcome::Failed)),
    };
    let faults = doctor::faults(&findings);
    let status = u8::from(!faults.is_empty());
    match output {
        Output::Text => {
            doctor::tell(&findings, &narration);
            let result = match faults.as_slice() {
                [] => format!("{} looked at: nothing stands in the way", findings.len()),
                faults => format!("{} looked at, in the way: {}", findings.len(), faults.join(", ")),
            };
            narration.say("result", &result);
        }
        Output::Json => narration.end(&Findings { findings }.to_line()),
    }
    status
}

async fn try_examine(narration: &mut Narration) -> Result<Vec<Finding>, Failure> {
    close_memory()?;
    let environment: Environment = std::env::vars_os().collect();
    let Some(question) = Question::by_hand(environment.clone()).map_err(|problems| wrong_variables(&problems))? else {
        let bounds = begin(&environment, BY_HAND, None, narration)?;
        return Ok(doctor::examine_image(&environment, &bounds).await);
    };
    let bounds = begin(&question.environment, question.time_limit, None, narration)?;
    doctor::examine_build(&question, &bounds, narration).await
}

/// Prints the versions of this program and of the tools around it, a line each, and returns the exit status of the process.
pub async fn tell_versions() -> u8 {
    let narration = Narration::default();
    narration.tell(&format!("iwomp-worker {}", env!("CARGO_PKG_VERSION")));
    let user = User::for_command().ok().flatten();
    let (_, never) = Stop::channel();
    for tool in tools::look(&std::env::vars_os().collect(), user.as_ref(), &never).await {
        match tool.version {
            Ok(version) => narration.tell(&format!("{:<12} {version}", tool.name)),
            Err(why) => narration.tell(&format!("{:<12} does not start: {why}", tool.name)),
        }
    }
    0
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
    close_memory()?;
    strays::adopt().context("asking for what the command leaves behind").or_fail(Kind::Machine, "this needs Linux")?;
    match read_variables(narration)? {
        Asked::Deployment(variables) => {
            identify(&variables, report);
            let bounds = begin(&variables.environment, variables.time_limit, variables.build_start, narration)?;
            deploy(&variables, &client::config(&aws::BOUNDS).await, &bounds, narration, report).await
        }
        Asked::Question(question) => {
            identify_question(&question, report);
            let bounds = begin(&question.environment, question.time_limit, question.build_start, narration)?;
            match question.subject {
                Subject::GitHost => {
                    ask_git_host(&question, &client::config(&aws::BOUNDS).await, &bounds, narration, report).await
                }
                Subject::Image => doctor::answer(&question, &bounds, narration, report).await,
            }
        }
    }
}

/// From here on, nothing that we start can read our memory.
fn close_memory() -> Result<(), Failure> {
    privacy::close_memory().or_fail(Kind::Machine, "this needs Linux")
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
        wrong_variables(&problems)
    })
}

fn wrong_variables(problems: &[String]) -> Failure {
    let error = anyhow!("reading the variables of the build: {}", problems.join("; "));
    Failure::new(Kind::Variables, error, "start builds through the pipeline, which sets them; see its Terraform module")
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
