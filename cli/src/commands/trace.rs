//! `iwomp trace`: everything that is known of a trigger, in the order in which it happened, each with who says so.

use aws_sdk_codebuild::types::{Build, BuildPhase, PhaseContext};
use contract::ProjectName;
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
use crate::launcher_log::{self, Lines, Said};
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
}

#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Event {
    #[schemars(with = "String")]
    at: Timestamp,
    /// `queue`, `launcher`, `codebuild`, `notifier`; or `log`, where a build says so itself.
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
    let trigger = &arguments.trigger;
    let since = Timestamp::now().checked_sub(LONGEST_LIFE).unwrap_or(Timestamp::UNIX_EPOCH);
    let said = launcher_log::since(pipeline, since, Lines::OfTrigger(trigger)).await?.said;
    let Some(first) = said.first() else {
        let what = format!("the launcher has not seen the trigger {trigger} in the last 14 days");
        return Err(Failure::new(Exit::NotThere, what)
            .advise("see the id; a message that never came is counted in the topic's NumberOfNotificationsFailed"));
    };
    let mut events = vec![Event::new(first.waits_since(), "queue", "received")];
    events.extend(said.iter().map(looked_at));
    let project = said.iter().find_map(Said::project);
    let build = said.iter().rev().find_map(|said| said.line.build.clone());
    if let (Some(project), Some(build)) = (&project, &build) {
        events.extend(of_build(pipeline, project, build).await?);
    }
    events.sort_by_key(|event| event.at);
    let project = project.map(|project| project.to_string());
    show(&Trace { trigger: trigger.clone(), project, build, events }, &arguments.output, terminal, view)?;
    Ok(Exit::Done)
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

async fn of_build(pipeline: &Pipeline, project: &ProjectName, id: &str) -> Result<Vec<Event>, Failure> {
    let build = builds::named(pipeline, project, id).await?;
    let mut events: Vec<_> = build.phases().iter().filter_map(phase).collect();
    let lines = Log::default().more(pipeline, &build).await;
    let lines = lines.map_err(|error| Failure::new(Exit::Unknown, error.reason))?;
    events.extend(lines.into_iter().filter_map(|line| {
        let said = line.text.strip_prefix(OF_THE_WORKER)?.trim().to_owned();
        Some(Event::new(line.at?, "log", said))
    }));
    events.extend(reported(pipeline, &build, id).await?);
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

/// What the notifier has told of the build.
async fn reported(pipeline: &Pipeline, build: &Build, id: &str) -> Result<Vec<Event>, Failure> {
    let Some(started) = build.start_time().and_then(when::of_aws) else { return Ok(Vec::new()) };
    let pattern = format!("{{ $.build = \"{id}\" }}");
    let lines = log_group::lines(pipeline, &pipeline.description.notifier.log_group, started, &pattern).await?.lines;
    let told = lines.into_iter().filter_map(|(at, line)| {
        let line: Value = serde_json::from_str(&line).ok().filter(|line: &Value| line["build"] == id)?;
        let detail = line["reason"].as_str().map(str::to_owned);
        Some(Event { detail, ..Event::new(at, "notifier", format!("reported as {}", line["outcome"].as_str()?)) })
    });
    Ok(told.collect())
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

    async fn trace(lines: Vec<(i64, Value)>) -> (Result<Exit, Failure>, Value) {
        let log = vec!["iwomp: fetched     in 1.2 s", "what a command prints"];
        let aws = Aws { lines, log, builds: vec![build(7, StatusType::Succeeded)], ..Aws::default() };
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
        let (ended, trace) = trace(lines).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        assert_eq!(
            (&trace["shape"], &trace["project"], &trace["build"]),
            (&json!("trace"), &json!("demo"), &json!(BUILD))
        );
        let events: Vec<_> =
            trace["events"].as_array().unwrap().iter().map(|event| event["what"].as_str().unwrap()).collect();
        // The log of this build is of another year.
        assert_eq!(events, ["fetched     in 1.2 s", "received", "busy building, try 1", "started, try 2"]);
        assert_eq!(
            (&trace["events"][0]["source"], &trace["events"][2]["detail"]),
            (&json!("log"), &json!("it builds"))
        );
        assert_eq!(trace["events"][1]["at"], json!(Timestamp::from_second(now - 60).unwrap()));
    }

    #[tokio::test]
    async fn a_trigger_that_nobody_has_seen_is_not_there() {
        let (ended, _) = trace(vec![(EPOCH_SECONDS, json!({"outcome":"busy","trigger":"another"}))]).await;
        let failure = ended.unwrap_err();
        assert_eq!(failure.exit, Exit::NotThere);
        assert!(failure.advice.unwrap().contains("NumberOfNotificationsFailed"));
    }
}
