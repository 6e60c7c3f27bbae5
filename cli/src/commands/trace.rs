//! `iwomp trace`: everything that is known of a trigger, in the order in which it happened, each with who says so.

use aws_sdk_codebuild::types::{Build, BuildPhase, PhaseContext};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::TraceArguments;
use crate::builds::{self, Log};
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::follow::LONGEST_LIFE;
use crate::json::Shape;
use crate::launcher_log::{self, Heard, IS_CUT, Lines, Said};
use crate::log_group;
use crate::pipeline::Pipeline;
use crate::terminal::{Meaning, Terminal};
use crate::when;

/// How the worker's own lines begin; a command can print such, too.
const OF_THE_WORKER: &str = "iwomp: ";

#[derive(Debug, Serialize, JsonSchema)]
pub struct Trace {
    trigger: String,
    project: Option<String>,
    build: Option<String>,
    events: Vec<Event>,
    /// A function has said more than is read: of what it said last some may be missing.
    log_is_cut: bool,
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Event {
    #[schemars(with = "String")]
    at: Timestamp,
    /// `queue`, `launcher`, `codebuild`, `notifier`, `courier`; or `log`, where a build says so itself.
    source: &'static str,
    what: String,
    detail: Option<String>,
    /// How long it took, where that is known.
    seconds: Option<i64>,
}

impl Shape for Trace {
    const NAME: &'static str = "trace";
    const VERSION: u32 = 1;
}

pub async fn run(pipeline: &Pipeline, arguments: &TraceArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let TraceArguments { trigger, output } = arguments;
    let spinner = terminal.spinner("reading the logs of launcher, build, notifier and courier");
    let Some(trace) = spinner.during(trace(pipeline, trigger)).await.transpose()? else { return Ok(Exit::Interrupted) };
    show(&trace, output, terminal, view)?;
    Ok(Exit::Done)
}

async fn trace(pipeline: &Pipeline, trigger: &str) -> Result<Trace, Failure> {
    let since = Timestamp::now().checked_sub(LONGEST_LIFE).unwrap_or(Timestamp::UNIX_EPOCH);
    let Heard { said, is_cut } = launcher_log::since(pipeline, since, Lines::OfTrigger(trigger)).await?;
    let Some(first) = said.first() else {
        if is_cut {
            let what = format!("{IS_CUT}: whether it has seen the trigger {trigger} is not known");
            return Err(Failure::new(Exit::Unknown, what));
        }
        let what = format!("the launcher has not seen the trigger {trigger} in the last 14 days");
        return Err(Failure::new(Exit::NotThere, what)
            .advise("see the id; a message that never came is counted in the topic's NumberOfNotificationsFailed"));
    };
    let mut events = vec![Event::new(first.waits_since(), "queue", "received")];
    events.extend(said.iter().map(looked_at));
    let project = said.iter().find_map(Said::project);
    let build = said.iter().rev().find_map(|said| said.line.build.clone());
    let mut log_is_cut = is_cut;
    if let (Some(project), Some(build)) = (&project, &build) {
        let build = builds::named(pipeline, project, build).await?;
        events.extend(of_build(pipeline, &build).await?);
        let (reports, is_cut) = reported(pipeline, &build).await?;
        events.extend(reports);
        log_is_cut |= is_cut;
    }
    let (carried, is_cut) = carried(pipeline, trigger, first.waits_since()).await?;
    events.extend(carried);
    log_is_cut |= is_cut;
    events.sort_by_key(|event| event.at);
    let project = project.map(|project| project.to_string());
    Ok(Trace { trigger: trigger.to_owned(), project, build, events, log_is_cut })
}

impl Event {
    fn new(at: Timestamp, source: &'static str, what: impl Into<String>) -> Self {
        Self { at, source, what: what.into(), detail: None, seconds: None }
    }
}

fn looked_at(said: &Said) -> Event {
    let class = said.line.class.as_ref().map(|class| format!(" {class}")).unwrap_or_default();
    let what = format!("{}{class}, try {}", said.line.outcome, said.line.tries);
    let detail = said.line.reason.clone().or_else(|| said.line.build.clone());
    Event { detail, ..Event::new(said.at, "launcher", what) }
}

async fn of_build(pipeline: &Pipeline, build: &Build) -> Result<Vec<Event>, Failure> {
    let mut events: Vec<_> = build.phases().iter().filter_map(phase).collect();
    let lines = Log::default().more(pipeline, build).await?;
    events.extend(lines.into_iter().filter_map(|line| {
        let said = line.text.strip_prefix(OF_THE_WORKER)?.trim().to_owned();
        Some(Event::new(line.at?, "log", said))
    }));
    Ok(events)
}

fn phase(phase: &BuildPhase) -> Option<Event> {
    let at = phase.start_time().and_then(when::of_aws)?;
    let status =
        phase.phase_status().map(|status| format!(" {}", status.as_str().to_ascii_lowercase())).unwrap_or_default();
    let what = format!("{}{status}", phase.phase_type().map_or("a phase", |kind| kind.as_str()));
    let detail = phase.contexts().iter().filter_map(PhaseContext::message).find(|said| !said.trim().is_empty());
    let detail = detail.map(str::to_owned);
    Some(Event { detail, seconds: phase.duration_in_seconds(), ..Event::new(at, "codebuild", what) })
}

/// What the notifier has told of the build, and whether it has said more than is read.
async fn reported(pipeline: &Pipeline, build: &Build) -> Result<(Vec<Event>, bool), Failure> {
    let started = build.start_time().and_then(when::of_aws);
    let Some((started, id)) = started.zip(build.id()) else { return Ok((Vec::new(), false)) };
    let pattern = format!("{{ $.build = \"{id}\" }}");
    let read = log_group::lines(pipeline, &pipeline.description.notifier.log_group, started, &pattern).await?;
    let told = read.lines.into_iter().filter_map(|(at, line)| {
        let line: Value = serde_json::from_str(&line).ok().filter(|line: &Value| line["build"] == id)?;
        let detail = line["reason"].as_str().map(str::to_owned);
        Some(Event { detail, ..Event::new(at, "notifier", format!("reported as {}", line["outcome"].as_str()?)) })
    });
    Ok((told.collect(), read.is_cut))
}

/// To whom the courier has brought which news of the trigger.
async fn carried(pipeline: &Pipeline, trigger: &str, since: Timestamp) -> Result<(Vec<Event>, bool), Failure> {
    let pattern = format!("{{ $.trigger = \"{trigger}\" }}");
    let read = log_group::lines(pipeline, &pipeline.description.courier.log_group, since, &pattern).await?;
    let carried = read.lines.into_iter().filter_map(|(at, line)| {
        let line: Value = serde_json::from_str(&line).ok().filter(|line: &Value| line["trigger"] == trigger)?;
        let [target, outcome, result] = ["target", "outcome", "result"].map(|key| line[key].as_str());
        let detail = line["reason"].as_str().filter(|reason| !reason.is_empty()).map(str::to_owned);
        Some(Event { detail, ..Event::new(at, "courier", format!("{}: {}, {}", target?, outcome?, result?)) })
    });
    Ok((carried.collect(), read.is_cut))
}

fn view(trace: &Trace, terminal: &mut Terminal) {
    let of = trace.project.as_deref().unwrap_or("?");
    terminal.line(["trigger ".into(), Meaning::Subject.of(trace.trigger.as_str()), format!(" of {of}").into()]);
    let first = trace.events.first().map_or(Timestamp::UNIX_EPOCH, |event| event.at);
    let rows = trace.events.iter().map(|event| {
        let took = event.seconds.filter(|seconds| *seconds > 0).map(|seconds| format!(" ({})", when::lasted(seconds)));
        let detail = event.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        [
            Meaning::Quiet.of(after(event.at.duration_since(first))),
            Meaning::Quiet.of(event.source),
            format!("{}{}{detail}", event.what, took.unwrap_or_default()).into(),
        ]
    });
    // In one column, which is the last: an id is broken up where it is narrow.
    terminal.table(["AFTER", "BY", "WHAT"], rows.collect());
    if trace.log_is_cut {
        let text = "launcher, notifier or courier have said more than is read here: their last words may be missing";
        terminal.line([Meaning::Pending.of(text)]);
    }
}

fn after(time: SignedDuration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::StatusType;
    use serde_json::json;

    use super::*;
    use crate::arguments::Output;
    use crate::fixtures::{Aws, BUILD, EPOCH_SECONDS, TRIGGER_ID, build, terminal};

    async fn trace(lines: Vec<(i64, Value)>, is_endless: bool) -> (Result<Exit, Failure>, Value) {
        let log = vec!["iwomp: fetched     in 1.2 s", "what a command prints"];
        let carried = json!({"event": "notification", "trigger": TRIGGER_ID, "target": "gitlab", "outcome": "deployed",
            "result": "waits", "reason": "the host answered 503"});
        let now = Timestamp::now().as_second();
        let deliveries = vec![(now, carried), (now, json!({"trigger": "another", "target": "x"}))];
        let builds = vec![build(7, StatusType::Succeeded)];
        let aws = Aws { lines, is_endless, log, builds, deliveries, ..Aws::default() };
        let (pipeline, _) = aws.pipeline();
        let (mut terminal, out) = terminal();
        let arguments = TraceArguments { trigger: TRIGGER_ID.to_owned(), output: Output { json: true } };
        let ended = run(&pipeline, &arguments, &mut terminal).await;
        (ended, serde_json::from_str(&out.text()).unwrap_or_default())
    }

    #[tokio::test]
    async fn each_look_of_the_launcher_is_told_with_its_reason_since_the_queue_got_the_trigger() {
        let said = |more: Value| {
            let mut line = json!({"trigger": TRIGGER_ID, "project": "demo", "branch": "main"});
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            line
        };
        // Of late, for only the life of a message is looked at.
        let now = Timestamp::now().as_second();
        let lines = vec![
            (
                now - 50,
                said(json!({"outcome":"busy","class":"building","reason":"it builds","tries":1,"WaitSeconds":10})),
            ),
            (now - 40, said(json!({"outcome":"started","build":BUILD,"tries":2,"WaitSeconds":20}))),
            (now - 30, json!({"outcome":"refused","trigger":"another"})),
        ];
        let (ended, trace) = trace(lines, false).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        assert_eq!(
            (&trace["shape"], &trace["project"], &trace["build"]),
            (&json!("trace"), &json!("demo"), &json!(BUILD))
        );
        let events: Vec<_> =
            trace["events"].as_array().unwrap().iter().map(|event| event["what"].as_str().unwrap()).collect();
        // The log of this build is of another year.
        let [received, busy] = ["received", "busy building, try 1"];
        assert_eq!(events, ["fetched     in 1.2 s", received, busy, "started, try 2", "gitlab: deployed, waits"]);
        assert_eq!(
            (&trace["events"][0]["source"], &trace["events"][2]["detail"]),
            (&json!("log"), &json!("it builds"))
        );
        assert_eq!(trace["events"][1]["at"], json!(Timestamp::from_second(now - 60).unwrap()));
    }

    #[tokio::test]
    async fn a_trigger_that_nobody_has_seen_is_not_there() {
        let (ended, _) = trace(vec![(EPOCH_SECONDS, json!({"outcome":"busy","trigger":"another"}))], false).await;
        let failure = ended.unwrap_err();
        assert_eq!(failure.exit, Exit::NotThere);
        assert!(failure.advice.unwrap().contains("NumberOfNotificationsFailed"));
    }

    #[tokio::test]
    async fn where_the_log_is_longer_than_what_is_read_it_is_said_and_nothing_is_said_not_to_be_there() {
        let seen = (Timestamp::now().as_second(), json!({"outcome":"busy","trigger":TRIGGER_ID}));
        for is_endless in [true, false] {
            let (ended, told) = trace(vec![seen.clone()], is_endless).await;
            assert_eq!((ended.unwrap(), &told["log_is_cut"]), (Exit::Done, &json!(is_endless)));
        }
        assert_eq!(trace(vec![], true).await.0.unwrap_err().exit, Exit::Unknown);
    }
}
