use aws_sdk_codebuild::types::StatusType;
use contract::ProjectName;
use serde_json::{Value, json};

use super::*;
use crate::arguments::Output;
use crate::commands::status::{Live, ProjectStatus, Queue, Where, Word};
use crate::fixtures::{
    Aws, BUILD, COMMIT, EPOCH_SECONDS, TRIGGER_ID, branch, build_of, commit, entry, parameter, project, record,
    terminal,
};
use crate::register::Pause;

/// Fourteen hours into a day of UTC, and into the life of the first build.
fn now() -> Timestamp {
    Timestamp::from_second(EPOCH_SECONDS + 8 * 3600).unwrap()
}

/// What the notifier says of a build, minutes after the epoch.
fn reported(minutes: i64, project: &str, outcome: &str, more: Value) -> (i64, Value) {
    let at = EPOCH_SECONDS + 60 * minutes;
    let mut line = json!({
        "outcome": outcome, "project": project, "branch": "main", "commit": COMMIT, "build_status": "SUCCEEDED",
        "build": format!("iwomp-in-aws--{project}:{minutes}"), "ended": Timestamp::from_second(at).unwrap().to_string(),
    });
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    (at + 5, line)
}

async fn gathered(aws: Aws) -> Report {
    gather::report(&aws.pipeline().0, 2, now()).await.unwrap()
}

#[tokio::test]
async fn builds_are_told_by_the_notifier_and_their_wait_by_the_launcher() {
    let failed = json!({"class": "stopped", "reason": "by somebody"});
    let reports = vec![
        reported(-60 * 30 - 1, "demo", "deployed", json!({})), // before the first of the two days
        reported(10, "demo", "deployed", json!({"trigger": TRIGGER_ID, "took_seconds": 90})),
        reported(10, "demo", "deployed", json!({"trigger": TRIGGER_ID, "took_seconds": 90})),
        reported(20, "demo", "failed", failed),
        reported(30, "gone", "refused", json!({})),
        reported(40, "demo", "deployed", json!({"rolled_back_by": "operators/ada"})),
        (EPOCH_SECONDS, json!({"event": "sweep"})),
        (EPOCH_SECONDS, json!("noise")),
    ];
    let started = json!({"outcome": "started", "trigger": TRIGGER_ID, "project": "demo", "WaitSeconds": 120});
    let lines =
        vec![(EPOCH_SECONDS + 60 * 8, started), (EPOCH_SECONDS, json!({"outcome": "busy", "trigger": TRIGGER_ID}))];
    let report = gathered(Aws { reports, lines, ..Aws::with([entry("demo", "{}")]) }).await;
    let told: Vec<_> = report.builds.iter().map(|build| (build.project.as_str(), build.outcome)).collect();
    use Outcome::{Deployed, Failed, Refused};
    assert_eq!(told, [("demo", Deployed), ("gone", Refused), ("demo", Failed), ("demo", Deployed)]);
    let first = &report.builds[3];
    assert_eq!((first.took_seconds, first.published), (Some(90), Timestamp::from_second(EPOCH_SECONDS + 360).ok()));
    assert_eq!(report.builds[2].class, Some(Class::Stopped));
    assert_eq!(report.four.lead_seconds.unwrap().median, 240);
    assert_eq!((report.four.deployments, report.four.changes, report.four.failed_changes), (2, 2, 1));
    assert_eq!((report.projects.len(), &report.projects[0].four), (1, &report.four));
    let days: Vec<_> =
        report.by_day.iter().map(|day| (day.day.as_str(), day.deployed, day.failed, day.refused)).collect();
    assert_eq!(days, [("2026-11-22", 0, 0, 0), ("2026-11-23", 2, 1, 1)]);
    assert_eq!((report.since.to_string().as_str(), report.log_is_cut), ("2026-11-22T00:00:00Z", false));
}

#[tokio::test]
async fn a_log_without_end_is_said_to_be_cut() {
    let report = gathered(Aws { is_endless: true, ..Aws::with([entry("demo", "{}")]) }).await;
    assert!(report.log_is_cut && page::html(&report).unwrap().contains("some builds may be missing"));
}

#[tokio::test]
async fn it_costs_the_calls_of_status_and_two_logs() {
    let names: Vec<_> = (0..100).map(|number| format!("p{number}")).collect();
    let parameters = names.iter().map(|name| entry(name, "{}")).collect();
    let builds = names.iter().map(|name| build_of(name, 7, StatusType::InProgress)).collect();
    let (pipeline, done) = Aws { parameters, builds, ..Aws::default() }.pipeline();
    crate::commands::status::gather::status(&pipeline, None, now()).await.unwrap();
    let of_status = std::mem::take(&mut done.lock().unwrap().calls);
    gather::report(&pipeline, 365, now()).await.unwrap();
    assert_eq!(done.lock().unwrap().calls, of_status + 32);
}

async fn said(out: Option<&Path>, json: bool) -> (Result<Exit, Failure>, String) {
    let live = parameter("/iwomp-in-aws-deployed/demo/main", &record(BUILD).to_json());
    let (pipeline, _) = Aws::with([entry("demo", "{}"), live]).pipeline();
    let (mut terminal, said) = terminal();
    let arguments = ReportArguments { out: out.map(Path::to_owned), days: 30, output: Output { json } };
    (run(&pipeline, &arguments, &mut terminal).await, said.text())
}

#[tokio::test]
async fn the_page_goes_to_a_file_or_to_whoever_reads_and_json_has_the_same_facts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let (ended, text) = said(Some(&file), false).await;
    assert_eq!((ended.unwrap(), text.as_str()), (Exit::Done, ""));
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>"), "{page}");
    let (_, text) = said(None, false).await;
    assert!(text.starts_with("<!doctype html>") && text.contains("<code>0123456789ab</code>"), "{text}");
    let (_, text) = said(None, true).await;
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["shape"], &document["days"]), (&json!("report"), &json!(30)));
    assert_eq!(document["now"]["projects"][0]["live"][0]["commit"], COMMIT);
    let (ended, _) = said(Some(folder.path()), false).await;
    let failure = ended.unwrap_err();
    assert_eq!(failure.exit, Exit::Failed);
    assert!(failure.what.starts_with("writing the report to "), "{}", failure.what);
}

/// So many projects with two branches each, and so many builds, a fifth of which failed.
fn many(projects: usize, builds: usize, text: &str) -> Report {
    let names: Vec<_> = (0..projects).map(|number| project(&format!("project-{number}"))).collect();
    let at = now();
    let word = |project: &ProjectName| Word {
        trigger: Some(text.to_owned()),
        project: Some(project.to_string()),
        branch: None,
        at,
        outcome: text.to_owned(),
        class: Some(text.to_owned()),
        reason: Some(text.to_owned()),
    };
    let live = |branch: &str| Live {
        branch: branch.to_owned(),
        commit: Some(commit()),
        since: Some(at),
        build: Some(text.to_owned()),
        trigger: Some(text.to_owned()),
        held: Some(commit()),
        fault: Some(text.to_owned()),
    };
    let status = |project: &ProjectName| ProjectStatus {
        project: project.clone(),
        fault: Some(text.to_owned()),
        applied: false,
        paused: Some(Pause { since: Some(at), reason: text.to_owned() }),
        live: vec![live("main"), live(text)],
        running: Vec::new(),
        last: None,
        waiting: Vec::new(),
        refused: vec![word(project)],
        given_up: vec![word(project)],
    };
    let ended = |number: usize| Ended {
        project: names[number % names.len()].clone(),
        branch: Some(branch("main")),
        outcome: if number.is_multiple_of(5) { Outcome::Failed } else { Outcome::Deployed },
        class: None,
        reason: Some(text.to_owned()),
        commit: Some(commit()),
        build: format!("{text}{number}"),
        trigger: Some(text.to_owned()),
        rolled_back_by: (number.is_multiple_of(7)).then(|| text.to_owned()),
        published: Some(at),
        ended: at.checked_sub(jiff::SignedDuration::from_mins(i64::try_from(number).unwrap())).unwrap(),
        took_seconds: Some(90),
    };
    let builds: Vec<_> = (0..builds).map(ended).collect();
    let mut report = Report {
        since: at,
        days: 30,
        four: Four::of(builds.iter(), 30),
        projects: names.iter().map(|project| OfProject { project: project.clone(), four: Four::default() }).collect(),
        by_day: Vec::new(),
        builds,
        log_is_cut: false,
        now: Status {
            pipeline: Where {
                config_path: text.to_owned(),
                account: text.to_owned(),
                region: text.to_owned(),
                iwomp: text.to_owned(),
            },
            at,
            projects: names.iter().map(status).collect(),
            elsewhere: vec![word(&names[0])],
            queue: Queue { waiting: 3, given_up: 1 },
            log_is_cut: false,
        },
    };
    report.by_day = gather::by_day(gather::dates(at, 30).unwrap(), &report.builds);
    report
}

#[test]
fn nothing_foreign_is_more_than_text() {
    let evil = "<script>alert(1)</script>\"'&<img src=x onerror=y>\u{202e}\u{1b}[2J</style><!--";
    let page = page::html(&many(3, 40, evil)).unwrap();
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;"), "{page}");
    for never in ["<script", "<img", "<!--", "onerror=\"", "\u{202e}", "\u{1b}"] {
        assert!(!page.contains(never), "{never:?}");
    }
    assert_eq!(page.matches("</style>").count(), 1);
    let known = ["<title>", "<html ", "<h1>", "<table ", "<span class=\"subject\">"];
    assert!(known.iter().all(|tag| page.contains(tag)));
}

#[test]
fn the_page_needs_nothing_and_may_do_nothing() {
    use sha2::{Digest, Sha256};

    let page = page::html(&many(3, 40, "text")).unwrap();
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = aws_smithy_types::base64::encode(Sha256::digest(style)).replace('\'', "&#39;");
    let policy = format!(
        "default-src &#39;none&#39;; style-src &#39;sha256-{hash}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"
    );
    assert!(page.contains(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")), "{page}");
    for never in ["http:", "https:", "src=", "style=", "url(", "@import", "<link", "javascript:"] {
        assert!(!page.contains(never), "{never}");
    }
    for link in page.split("href=\"").skip(1) {
        let target = link.strip_prefix('#').unwrap().split('"').next().unwrap();
        assert_eq!(page.matches(&format!("id=\"{target}\"")).count(), 1, "{target}");
    }
}

#[test]
fn five_hundred_projects_and_twenty_thousand_builds_fit_into_a_mail() {
    let reason =
        "the build failed (BUILD: Error while executing command: /worker. Reason: exit status 1). To do: see its log";
    let page = page::html(&many(500, 20_000, reason)).unwrap();
    assert!(page.len() <= 5_000_000, "{}", page.len());
    assert!(page.contains("3900 older ones are left out") && page.contains("15900 older ones are left out"));
    assert!(page.matches("<tr").count() > 1000);
}
