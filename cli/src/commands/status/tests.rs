use aws_sdk_codebuild::types::StatusType;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{
    Aws, BUILD, COMMIT, EPOCH_SECONDS, TRIGGER_ID, build, build_of, entry, failed_with, parameter, project, record,
    terminal,
};
use crate::json;

/// An hour after the first build.
fn now() -> Timestamp {
    Timestamp::from_second(EPOCH_SECONDS + 3600).unwrap()
}

async fn status(aws: Aws) -> Status {
    gather::status(&aws.pipeline().0, None, now()).await.unwrap()
}

fn seen(status: &Status, view: fn(&Status, &mut Terminal)) -> String {
    let (mut terminal, out) = terminal();
    view(status, &mut terminal);
    out.text()
}

/// A line of the launcher's, some seconds before now.
fn said(ago: i64, trigger: &str, more: Value) -> (i64, Value) {
    let mut line = json!({"trigger": trigger, "project": "demo", "branch": "main"});
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (EPOCH_SECONDS + 3600 - ago, line)
}

fn live(text: &str) -> aws_sdk_ssm::types::Parameter {
    parameter("/iwomp-in-aws-deployed/demo/main", text)
}

#[tokio::test]
async fn what_is_live_and_what_deployed_it_are_told() {
    let parameters = [entry("demo", "{}"), live(&record(BUILD).to_json())];
    let history = vec![record(BUILD).to_json()];
    let builds = vec![build(7, StatusType::Succeeded)];
    let status = status(Aws { builds, live: history, ..Aws::with(parameters) }).await;
    let document = json::document(&status).unwrap();
    assert_eq!((&document["shape"], &document["version"]), (&json!("status"), &json!(1)));
    let demo = &document["projects"][0];
    assert_eq!((&demo["project"], &demo["live"][0]["branch"]), (&json!("demo"), &json!("main")));
    assert_eq!(
        (&demo["live"][0]["commit"], &demo["live"][0]["since"]),
        (&json!(COMMIT), &json!("2026-11-23T06:06:50Z"))
    );
    assert_eq!((&demo["last"]["outcome"], &demo["last"]["build"]), (&json!("deployed"), &json!(BUILD)));
    let text = seen(&status, view::all);
    assert!(text.contains("demo     main    0123456789ab  53 min  deployed 53 min ago"), "{text}");
}

#[tokio::test]
async fn what_a_build_ended_with_is_judged_by_codebuild_and_the_record() {
    let ended = |build, history: Vec<String>| async move {
        let aws = Aws { builds: vec![build], live: history, ..Aws::with([entry("demo", "{}")]) };
        status(aws).await.projects.remove(0).last.unwrap().outcome
    };
    let succeeded = || build(7, StatusType::Succeeded);
    assert_eq!(ended(succeeded(), vec![]).await, Outcome::Superseded);
    let (mine, newer) = (record(BUILD).to_json(), record("iwomp-in-aws--demo:8").to_json());
    assert_eq!(ended(succeeded(), vec![mine.clone()]).await, Outcome::Deployed, "it is what is live");
    assert_eq!(ended(succeeded(), vec![mine.clone(), newer]).await, Outcome::Deployed, "it was, before another");
    assert_eq!(ended(succeeded(), vec![mine, "garbage".to_owned()]).await, Outcome::Deployed);
    assert_eq!(ended(failed_with(StatusType::Failed, "exit status 77"), vec![]).await, Outcome::Refused);
    assert_eq!(ended(failed_with(StatusType::Failed, "exit status 1"), vec![]).await, Outcome::Failed);
}

#[tokio::test]
async fn a_broken_record_spoils_its_own_line_only() {
    let strange = |branch: &str, text: &str| parameter(&format!("/iwomp-in-aws-deployed/demo/{branch}"), text);
    let parameters = [
        entry("demo", "{}"),
        strange("broken", "\x1b[2Jgarbage"),
        strange("x..zz", &record(BUILD).to_json()),
        parameter("/iwomp-in-aws-deployed/demo", "{}"), // what builds have seen
        live(&contract::Deployed { time: "\u{1b}[31mnow".to_owned(), ..record(BUILD) }.to_json()),
    ];
    let status = status(Aws::with(parameters)).await;
    let live: Vec<_> =
        status.projects[0].live.iter().map(|live| (live.branch.as_str(), live.fault.is_none())).collect();
    assert_eq!(live, [("broken", false), ("x..zz", false), ("main", true)]);
    for text in [seen(&status, view::all), seen(&status, view::one)] {
        assert!(text.contains("demo record: broken is no record of what is live: it is not a JSON object"), "{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}

#[tokio::test]
async fn each_trigger_that_waits_has_its_reason_its_age_and_its_place() {
    let pinned = json!({"outcome":"busy","class":"in_line","tries":9,"WaitSeconds":600,"commit":COMMIT});
    let lines = vec![
        said(100, "older", json!({"outcome":"busy","class":"building","tries":1,"WaitSeconds":10})),
        said(60, "pinned", pinned),
        said(50, "head", json!({"outcome":"busy","class":"building","reason":"it builds","tries":3,"WaitSeconds":250})),
        said(40, "older", json!({"outcome":"covered"})),
        said(30, "failing", json!({"outcome":"failed","class":"throttled","fate":"waits","WaitSeconds":1})),
        said(20, "ended", json!({"outcome":"failed","class":"keeps_failing","fate":"answered"})),
    ];
    let status = status(Aws { lines, messages: [3, 0], ..Aws::with([entry("demo", "{}")]) }).await;
    let demo = &status.projects[0];
    let waiting: Vec<_> = demo.waiting.iter().map(|waiting| (waiting.trigger.as_str(), waiting.place)).collect();
    assert_eq!(waiting, [("head", 1), ("failing", 2), ("pinned", 3)]);
    assert_eq!((demo.waiting[0].tries, demo.waiting[0].class.as_deref()), (3, Some("building")));
    assert_eq!(demo.waiting[0].since, Timestamp::from_second(EPOCH_SECONDS + 3600 - 300).unwrap());
    let text = seen(&status, view::one);
    assert!(text.contains("  waiting  1  main    head          5 min ago   3      building   head"), "{text}");
    assert!(seen(&status, view::all).contains("3 waiting"));
}

#[tokio::test]
async fn a_dead_letter_stands_under_its_own_project_with_its_reason() {
    let of = |project: &str, more: Value| {
        let mut said = said(7200, project, more);
        said.1["project"] = json!(project);
        said
    };
    let dead = |reason: &str| json!({"outcome":"expired","fate":"given_up","reason":reason});
    let lines = vec![
        of("demo", dead("waited too long")),
        of("gone", dead("of no project")),
        of("redriven", dead("no more")),
        (EPOCH_SECONDS, of("redriven", json!({"outcome":"started"})).1),
    ];
    let parameters = [entry("demo", "{}"), entry("redriven", "{}")];
    let status = status(Aws { lines, messages: [0, 2], ..Aws::with(parameters) }).await;
    let reasons: Vec<_> = status.projects.iter().map(|project| project.given_up.len()).collect();
    assert_eq!((reasons, status.elsewhere.len()), (vec![1, 0], 1));
    let text = seen(&status, view::all);
    assert!(text.contains("demo expired main 2 h ago: waited too long (trigger demo)"), "{text}");
    assert!(text.contains("gone expired main 2 h ago: of no project"), "{text}");
    assert!(
        text.ends_with("0 waiting, 2 given up, of all projects together: mend what they died of, then iwomp redrive\n")
    );
}

#[tokio::test]
async fn recent_refusals_are_told_whoever_they_are_of() {
    let evil = json!({"outcome":"refused","class":"unknown_project","reason":"no entry\u{1b}[2J","project":"ghost"});
    let lines = vec![
        said(60, TRIGGER_ID, json!({"outcome":"refused","class":"branch_not_allowed","reason":"see its branches"})),
        (EPOCH_SECONDS, evil),
        said(90_000, "old", json!({"outcome":"refused","reason":"yesterday"})),
    ];
    // With dead letters the log is read further back, and no refusal is told that is older than a day.
    for messages in [[0, 0], [0, 1]] {
        let status = status(Aws { lines: lines.clone(), messages, ..Aws::with([entry("demo", "{}")]) }).await;
        assert_eq!((status.projects[0].refused.len(), status.elsewhere.len()), (1, 1));
        let text = seen(&status, view::all);
        assert!(text.contains("demo refused main 1 min ago: see its branches"), "{text}");
        assert!(text.contains("ghost refused 1 h ago: no entry (trigger ?)") && !text.contains("yesterday"), "{text}");
    }
}

#[tokio::test]
async fn a_log_that_is_longer_than_what_is_read_is_said_to_be() {
    for is_endless in [false, true] {
        let status = status(Aws { is_endless, ..Aws::with([entry("demo", "{}")]) }).await;
        assert_eq!(status.log_is_cut, is_endless);
        assert_eq!(seen(&status, view::all).contains("the launcher has said more than is read here"), is_endless);
    }
}

#[tokio::test]
async fn a_pause_a_hold_a_running_build_and_a_wrong_entry_are_told() {
    let held = contract::Deployed { held: Some(crate::fixtures::commit()), ..record(BUILD) };
    let parameters = [
        entry("demo", "{}"),
        entry("wrong", r#"{"comand":"x"}"#),
        live(&held.to_json()),
        parameter("/iwomp-in-aws-paused/demo", "we repair\x1b[2J the database"),
    ];
    let status = status(Aws { builds: vec![build(7, StatusType::InProgress)], ..Aws::with(parameters) }).await;
    let text = seen(&status, view::all);
    for said in [
        "demo paused: we repair the database; iwomp resume demo",
        "demo held: 0123456789ab of main, since a rollback: push what mends it, or iwomp release demo main",
        "wrong register: its entry has",
        "wrong not applied: CodeBuild has no project for it: terraform apply",
        "builds main for",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
}

#[tokio::test]
async fn a_build_that_only_asks_is_no_deployment() {
    let asks = |status| {
        let mut build = build(8, status);
        let variable = aws_sdk_codebuild::types::EnvironmentVariable::builder().name("QUESTION").value("git-host");
        let environment = aws_sdk_codebuild::types::ProjectEnvironment::builder();
        let environment = environment.r#type(aws_sdk_codebuild::types::EnvironmentType::LinuxContainer).image("x");
        let environment = environment.compute_type(aws_sdk_codebuild::types::ComputeType::BuildGeneral1Small);
        build.environment = environment.environment_variables(variable.build().unwrap()).build().ok();
        build
    };
    for (build, told) in [(asks(StatusType::InProgress), true), (asks(StatusType::Failed), false)] {
        let status = status(Aws { builds: vec![build], ..Aws::with([entry("demo", "{}")]) }).await;
        assert!(status.projects[0].last.is_none());
        for view in [view::all, view::one] {
            assert_eq!(seen(&status, view).contains("asks the git-host"), told);
        }
    }
}

#[tokio::test]
async fn status_of_one_project_is_of_that_one_only() {
    let (pipeline, _) = Aws::with([entry("demo", "{}"), entry("shop", "{}")]).pipeline();
    let demo = project("demo");
    let status = gather::status(&pipeline, Some(&demo), now()).await.unwrap();
    assert_eq!(status.projects.iter().map(|project| &project.project).collect::<Vec<_>>(), [&demo]);
    let arguments =
        StatusArguments { project: Some(project("nobody")), output: crate::arguments::Output { json: true } };
    let failure = run(&pipeline, &arguments, &mut terminal().0).await.unwrap_err();
    assert_eq!(failure.exit, Exit::NotThere);
    assert!(failure.advice.unwrap().contains("demo, shop"));
}

#[tokio::test]
async fn a_pipeline_without_projects_says_so() {
    let status = status(Aws::default()).await;
    assert_eq!(
        seen(&status, view::all),
        "no project is registered yet\n\n0 waiting, 0 given up, of all projects together\n"
    );
}

#[tokio::test]
async fn a_hundred_projects_cost_hardly_more_than_a_call_each() {
    let names: Vec<_> = (0..100).map(|number| format!("p{number}")).collect();
    let parameters = names.iter().map(|name| entry(name, "{}"));
    let live = names.iter().map(|name| {
        parameter(&format!("/iwomp-in-aws-deployed/{name}/main"), &record(&format!("iwomp-in-aws--{name}:7")).to_json())
    });
    let builds = names.iter().flat_map(|name| (5..8).map(|number| build_of(name, number, StatusType::Succeeded)));
    let aws = Aws { builds: builds.collect(), messages: [1, 1], ..Aws::default() };
    let (pipeline, done) = Aws { parameters: parameters.chain(live).collect(), ..aws }.pipeline();
    let status = gather::status(&pipeline, None, now()).await.unwrap();
    assert_eq!(status.projects.len(), 100);
    let calls = done.lock().unwrap().calls;
    assert!(calls <= 140, "{calls}");
}
