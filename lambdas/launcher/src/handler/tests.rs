use std::sync::{Arc, LazyLock};

use super::*;
use aws_sdk_codebuild::operation::batch_get_builds::BatchGetBuildsOutput;
use aws_sdk_codebuild::operation::list_builds_for_project::{ListBuildsForProjectError, ListBuildsForProjectOutput};
use aws_sdk_codebuild::operation::start_build::{StartBuildError, StartBuildInput, StartBuildOutput};
use aws_sdk_codebuild::primitives::{DateTime, DateTimeFormat};
use aws_sdk_codebuild::types::error::{AccountLimitExceededException, ResourceNotFoundException};
use aws_sdk_codebuild::types::{Build, EnvironmentVariable, EnvironmentVariableType, ProjectEnvironment, StatusType};
use aws_sdk_sqs::operation::change_message_visibility_batch::{
    ChangeMessageVisibilityBatchInput, ChangeMessageVisibilityBatchOutput,
};
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageInput, SendMessageOutput};
use aws_sdk_ssm::operation::get_parameters::{GetParametersError, GetParametersOutput};
use aws_sdk_ssm::types::{Parameter, ParameterType};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use contract::{Branch, Class, ConfigPath};
use serde_json::{Value, json};

use crate::cap::PART_OF_CAP_FOR_HEAD;
use crate::environment::Limits;
use crate::register;

pub(crate) const TOPIC_ARN: &str = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws";
pub(crate) const TRIGGER_ID: &str = "95df01b4-ee98-5cb9-9903-4c221d41eb5e";
/// In the envelopes of [`record`].
const PUBLISHED: &str = "2026-11-23T06:00:00.000Z";
const PUBLISHED_SECONDS: i64 = 1_795_413_600;
const ENTRY: &str = r#"{"gitUrl":"https://git.example/demo.git","command":"deploy.sh"}"#;
const TRIGGER: &str = r#"{"project":"demo","branch":"main"}"#;
pub(crate) const QUEUE_ARN: &str = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers";
const QUEUE_URL: &str = "https://sqs.example/iwomp-in-aws--triggers";
const DEAD_LETTER_QUEUE_URL: &str = "https://sqs.example/iwomp-in-aws--triggers-dead";
const BUILDS_PER_HOUR: usize = 16;
const BUILD: &str = "iwomp-in-aws--demo:1";

/// A queue message as SQS hands it to Lambda, on its `tries`th delivery.
pub(crate) fn record(message: &str, tries: u32) -> SqsMessage {
    let envelope = json!({
        "Type": "Notification", "MessageId": TRIGGER_ID, "TopicArn": TOPIC_ARN, "Message": message,
        "Timestamp": PUBLISHED, "SignatureVersion": "1", "Signature": "x",
        "SigningCertURL": "https://sns.example/cert.pem", "UnsubscribeURL": "https://sns.example/unsubscribe",
    });
    serde_json::from_value(json!({
        "messageId": "queue-message-1", "receiptHandle": "receipt-1", "eventSourceARN": QUEUE_ARN,
        "body": envelope.to_string(),
        "attributes": {"ApproximateReceiveCount": tries.to_string(), "SentTimestamp": format!("{PUBLISHED_SECONDS}000")},
    }))
    .unwrap()
}

/// Names and values of a build's variables.
type Variables = &'static [(&'static str, &'static str)];

fn register(parameters: Vec<(&'static str, ParameterType, &'static str)>) -> Rule {
    mock!(aws_sdk_ssm::Client::get_parameters)
        .match_requests(|request| request.with_decryption() == Some(false))
        .then_output(move || answer(&parameters))
}

fn answer(parameters: &[(&'static str, ParameterType, &'static str)]) -> GetParametersOutput {
    let parameters = parameters
        .iter()
        .map(|(name, kind, value)| Parameter::builder().name(*name).r#type(kind.clone()).value(*value).build());
    GetParametersOutput::builder().set_parameters(Some(parameters.collect())).build()
}

fn plain_entry() -> Rule {
    register(vec![("/iwomp-in-aws/demo", ParameterType::String, ENTRY)])
}

fn build_starts(matching: impl Fn(&StartBuildInput) -> bool + Send + Sync + 'static) -> Rule {
    mock!(aws_sdk_codebuild::Client::start_build)
        .match_requests(matching)
        .then_output(|| StartBuildOutput::builder().build_value(Build::builder().id(BUILD).build()).build())
}

fn build_fails_with(error: impl Fn() -> StartBuildError + Send + Sync + 'static) -> Rule {
    mock!(aws_sdk_codebuild::Client::start_build).then_error(error)
}

/// The history of the project, newest first: how each build ended, its variables, and when it began, in seconds after the
/// publication.
fn past(builds: Vec<(StatusType, Variables, i64)>) -> [Rule; 2] {
    past_with_ends(builds.into_iter().map(|(status, variables, began)| (status, variables, began, None)).collect())
}

/// The same, and when they ended.
fn past_with_ends(builds: Vec<(StatusType, Variables, i64, Option<i64>)>) -> [Rule; 2] {
    let seconds = |after: i64| DateTime::from_secs(PUBLISHED_SECONDS + after);
    let count = builds.len();
    let list = mock!(aws_sdk_codebuild::Client::list_builds_for_project).then_output(move || {
        let ids = (0..count).map(|number| format!("{BUILD}{number}")).collect();
        ListBuildsForProjectOutput::builder().set_ids(Some(ids)).build()
    });
    let get = mock!(aws_sdk_codebuild::Client::batch_get_builds).then_output(move || {
        let builds = builds.iter().enumerate().map(|(number, (status, variables, began, ended))| {
            let mut environment = ProjectEnvironment::builder()
                .r#type("LINUX_CONTAINER".into())
                .image("image")
                .compute_type("BUILD_GENERAL1_SMALL".into());
            for (name, value) in *variables {
                let variable = EnvironmentVariable::builder().name(*name).value(*value).build().unwrap();
                environment = environment.environment_variables(variable);
            }
            Build::builder()
                .id(format!("{BUILD}{number}"))
                .build_status(status.clone())
                .start_time(seconds(*began))
                .set_end_time(ended.map(seconds))
                .environment(environment.build().unwrap())
                .build()
        });
        BatchGetBuildsOutput::builder().set_builds(Some(builds.collect())).build()
    });
    [list, get]
}

/// A history of one successful build.
fn history(variables: Variables, began_after_seconds: i64) -> [Rule; 2] {
    past(vec![(StatusType::Succeeded, variables, began_after_seconds)])
}

fn launcher(ssm: &[&Rule], codebuild: &[&Rule]) -> Launcher {
    launcher_with_queue(ssm, codebuild, &[&postpones(|_| true), &takes_dead_letters(|_| true)])
}

/// A launcher at the time of the publication, half a minute later.
fn launcher_with_queue(ssm: &[&Rule], codebuild: &[&Rule], sqs: &[&Rule]) -> Launcher {
    let environment = Environment {
        config_path: ConfigPath::parse("iwomp-in-aws").unwrap(),
        topic_arn: TOPIC_ARN.to_owned(),
        queue_arn: QUEUE_ARN.to_owned(),
        queue_url: QUEUE_URL.to_owned(),
        dead_letter_queue_url: DEAD_LETTER_QUEUE_URL.to_owned(),
        limits: Limits {
            retry: Duration::from_secs(160),
            visibility: Duration::from_secs(80),
            max_wait: Duration::from_secs(3600),
            builds_per_hour: BUILDS_PER_HOUR,
        },
    };
    let sqs = mock_client!(aws_sdk_sqs, RuleMode::MatchAny, sqs);
    let aws = Aws {
        ssm: mock_client!(aws_sdk_ssm, RuleMode::MatchAny, ssm),
        codebuild: mock_client!(aws_sdk_codebuild, RuleMode::MatchAny, codebuild),
        sqs: LazyLock::new(Box::new(|| sqs)),
    };
    Launcher::new(environment, aws, || published_after(30))
}

fn published_after(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs((PUBLISHED_SECONDS + seconds).unsigned_abs())
}

fn postpones(matching: impl Fn(&ChangeMessageVisibilityBatchInput) -> bool + Send + Sync + 'static) -> Rule {
    mock!(aws_sdk_sqs::Client::change_message_visibility_batch).match_requests(matching).then_output(|| {
        let (done, failed) = (Some(vec![]), Some(vec![]));
        ChangeMessageVisibilityBatchOutput::builder().set_successful(done).set_failed(failed).build().unwrap()
    })
}

fn takes_dead_letters(matching: impl Fn(&SendMessageInput) -> bool + Send + Sync + 'static) -> Rule {
    mock!(aws_sdk_sqs::Client::send_message)
        .match_requests(matching)
        .then_output(|| SendMessageOutput::builder().build())
}

async fn report_on(launcher: &Launcher, record: &SqsMessage) -> Report {
    launcher.launch_all(std::slice::from_ref(record)).await.remove(0).report
}

/// The report on the second delivery of `message`, for which the launcher looks at the history.
async fn report(launcher: &Launcher, message: &str) -> Report {
    report_on(launcher, &record(message, 2)).await
}

fn no_history() -> Rule {
    mock!(aws_sdk_codebuild::Client::list_builds_for_project)
        .then_output(|| ListBuildsForProjectOutput::builder().build())
}

#[tokio::test]
async fn a_trigger_starts_its_projects_build_with_the_variables_of_the_contract_and_nothing_else() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let start = build_starts(move |request| {
        let variables = request.environment_variables_override();
        let values: Vec<_> = variables.iter().map(|variable| (variable.name(), variable.value())).collect();
        let are_plain = variables.iter().all(|variable| variable.r#type() == Some(&EnvironmentVariableType::Plaintext));
        let expected =
            [("PROJECTNAME", "demo"), ("GITBRANCH", "main"), ("GITCOMMIT", commit), ("TRIGGERID", TRIGGER_ID)];
        let only = StartBuildInput::builder()
            .project_name("iwomp-in-aws--demo")
            .idempotency_token(TRIGGER_ID)
            .set_environment_variables_override(Some(variables.to_vec()));
        values == expected && are_plain && *request == only.build().unwrap()
    });
    let launcher = launcher(&[&plain_entry()], &[&no_history(), &start]);
    let message = format!(r#"{{"project":"demo","branch":"main","commit":"{commit}"}}"#);
    let report = report(&launcher, &message).await;
    assert_eq!((report.outcome, report.build.as_deref()), (Outcome::Started, Some(BUILD)), "{report:?}");
}

#[tokio::test]
async fn a_batch_gives_back_only_what_must_wait() {
    let busy = build_fails_with(|| {
        StartBuildError::AccountLimitExceededException(AccountLimitExceededException::builder().build())
    });
    let launcher = launcher(&[&plain_entry()], &[&no_history(), &busy]);
    let mut refused = record("nonsense", 1);
    refused.message_id = Some("queue-message-0".to_owned());
    let mut event = SqsEvent::default();
    event.records = vec![refused, record(TRIGGER, 2)];
    assert_eq!(report(&launcher, TRIGGER).await.outcome, Outcome::Busy);
    let failures = launcher.handle(event).await.batch_item_failures;
    assert_eq!(failures.iter().map(|f| f.item_identifier.as_str()).collect::<Vec<_>>(), ["queue-message-1"]);
}

#[tokio::test]
async fn an_unknown_project_and_a_foreign_branch_are_refused_for_good() {
    for parameters in [vec![], vec![("/iwomp-in-aws/_default", ParameterType::String, ENTRY)]] {
        let launcher = launcher(&[&register(parameters)], &[&no_history()]);
        let unknown = report(&launcher, TRIGGER).await;
        assert_eq!((unknown.outcome, unknown.class), (Outcome::Refused, Some(Class::UnknownProject)));
    }

    let launcher = launcher(&[&plain_entry()], &[&no_history()]);
    let foreign = report(&launcher, r#"{"project":"demo","branch":"evil"}"#).await;
    assert_eq!((foreign.outcome, foreign.class), (Outcome::Refused, Some(Class::BranchNotAllowed)));
}

#[tokio::test]
async fn a_project_that_requires_a_commit_is_not_deployed_without() {
    const ENTRY: &str = r#"{"gitUrl":"https://git.example/demo.git","command":"x","requireCommit":true}"#;
    let entry = register(vec![("/iwomp-in-aws/demo", ParameterType::String, ENTRY)]);
    let launcher = launcher(&[&entry], &[&no_history(), &build_starts(|_| true)]);
    assert_eq!(report(&launcher, TRIGGER).await.class, Some(Class::CommitRequired));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{commit}"}}"#);
    assert_eq!(report(&launcher, &pinned).await.outcome, Outcome::Started);
}

#[tokio::test]
async fn a_malformed_register_entry_is_refused_with_its_key_and_without_its_values() {
    for (entry, key) in [
        (r#"{"command":"canary-5"}"#, "gitUrl"),
        (r#"{"gitUrl":"https://canary-5.example/r"}"#, "command"),
        (r#"{"gitUrl":"https://a.example/r","command":"x","authToken":"canary-5"}"#, "authToken"),
        ("canary-5", "JSON"),
    ] {
        let launcher =
            launcher(&[&register(vec![("/iwomp-in-aws/demo", ParameterType::String, entry)])], &[&no_history()]);
        let report = report(&launcher, TRIGGER).await;
        let reason = report.reason.unwrap();
        assert_eq!((report.outcome, report.class), (Outcome::Refused, Some(Class::MalformedRegister)));
        assert!(reason.contains("/iwomp-in-aws/demo") && reason.contains(key), "{reason}");
        assert!(!reason.contains("canary-5"), "{reason}");
    }
}

#[tokio::test]
async fn the_entries_that_lint_finds_fault_with_are_refused_and_no_others() {
    let entries: Vec<Value> = serde_json::from_str(include_str!("../../../../contract/tests/entries.json")).unwrap();
    for case in entries {
        let entry: &str = case["entry"].to_string().leak();
        let entry = register(vec![("/iwomp-in-aws/demo", ParameterType::String, entry)]);
        let launcher = launcher(&[&entry], &[&no_history(), &build_starts(|_| true)]);
        let report = report(&launcher, TRIGGER).await;
        let is_malformed = report.class == Some(Class::MalformedRegister);
        assert_eq!(is_malformed, case["fault"].is_string(), "{case}: {report:?}");
        let fault = case["fault"].as_str().unwrap_or_default();
        assert!(report.reason.unwrap_or_default().contains(fault), "{case}");
    }
}

#[tokio::test]
async fn the_default_lies_under_the_entry() {
    let parameters = vec![
        ("/iwomp-in-aws/demo", ParameterType::String, r#"{"gitUrl":"https://git.example/demo.git"}"#),
        ("/iwomp-in-aws/_default", ParameterType::String, r#"{"command":"x","branches":["prod"]}"#),
    ];
    let launcher = launcher(&[&register(parameters)], &[&no_history()]);
    assert_eq!(report(&launcher, TRIGGER).await.class, Some(Class::BranchNotAllowed));
}

#[tokio::test]
async fn of_an_encrypted_entry_the_launcher_knows_only_that_it_exists() {
    let entry = register(vec![("/iwomp-in-aws/demo", ParameterType::SecureString, "AQICAHh")]);
    let launcher = launcher(&[&entry], &[&no_history(), &build_starts(|_| true)]);
    assert_eq!(report(&launcher, r#"{"project":"demo","branch":"any"}"#).await.outcome, Outcome::Started);
}

#[tokio::test]
async fn an_error_of_aws_keeps_the_trigger_and_names_its_cause() {
    let missing = build_fails_with(|| {
        let cause = ResourceNotFoundException::builder().message("Project cannot be found").build();
        StartBuildError::ResourceNotFoundException(cause)
    });
    let launcher = launcher(&[&plain_entry()], &[&no_history(), &missing]);
    let report = report(&launcher, TRIGGER).await;
    assert_eq!(report.outcome, Outcome::Failed);
    let reason = report.reason.unwrap();
    assert!(reason.contains("starting iwomp-in-aws--demo") && reason.contains("Project cannot be found"), "{reason}");
}

#[tokio::test]
async fn a_trigger_whose_build_exists_is_not_started_again() {
    let [list, get] = history(&[("TRIGGERID", TRIGGER_ID), ("GITBRANCH", "main")], 1);
    let launcher = launcher(&[&plain_entry()], &[&list, &get]);
    let report = report(&launcher, TRIGGER).await;
    assert_eq!((report.outcome, report.build.unwrap()), (Outcome::Started, format!("{BUILD}0")));
}

#[tokio::test]
async fn a_build_that_began_after_the_publication_covers_a_waiting_trigger() {
    let [list, get] = history(&[("TRIGGERID", "other"), ("GITBRANCH", "main")], 60);
    let launcher = launcher(&[&plain_entry()], &[&list, &get]);
    assert_eq!(report(&launcher, TRIGGER).await.outcome, Outcome::Covered);
}

#[tokio::test]
async fn a_flood_of_triggers_with_one_commit_is_covered_by_one_build_of_it() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    let [list, get] = history(&[("GITBRANCH", "main"), ("GITCOMMIT", COMMIT)], 60);
    let launcher = launcher(&[&plain_entry()], &[&list, &get]);
    let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{COMMIT}"}}"#);
    assert_eq!(report(&launcher, &pinned).await.outcome, Outcome::Covered);
}

#[tokio::test]
async fn no_other_build_covers_a_trigger() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";
    let pinned_trigger = format!(r#"{{"project":"demo","branch":"main","commit":"{COMMIT}"}}"#);
    let cases: [(&str, Variables, i64); 5] = [
        (TRIGGER, &[("GITBRANCH", "main")], 5), // just within what the clocks may differ
        (TRIGGER, &[("GITBRANCH", "main")], 0), // began before, as far as clocks tell
        (TRIGGER, &[("GITBRANCH", "master")], 60), // another branch
        (TRIGGER, &[("GITBRANCH", "main"), ("GITCOMMIT", COMMIT)], 60), // a pinned build may be an old commit
        (&pinned_trigger, &[("GITBRANCH", "main"), ("GITCOMMIT", OTHER)], 60),
    ];
    for (message, variables, began_after_seconds) in cases {
        let [list, get] = history(variables, began_after_seconds);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, message).await.outcome, Outcome::Started, "{message} {variables:?}");
    }
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn pinned() -> String {
    format!(r#"{{"project":"demo","branch":"main","commit":"{COMMIT}"}}"#)
}

fn busy() -> Rule {
    over_limit("Cannot have more than 1 builds")
}

fn over_limit(message: &'static str) -> Rule {
    build_fails_with(move || {
        let cause = AccountLimitExceededException::builder().message(message).build();
        StartBuildError::AccountLimitExceededException(cause)
    })
}

/// That message, published and in the queue since so many seconds before the launcher's time.
fn waiting_for(seconds: i64, message: &str, tries: u32) -> SqsMessage {
    let sent = DateTime::from_secs(PUBLISHED_SECONDS + 30 - seconds);
    let published = sent.fmt(DateTimeFormat::DateTime).unwrap();
    let mut record = record(message, tries);
    record.body = record.body.map(|body| body.replace(PUBLISHED, &published));
    record.attributes.insert("SentTimestamp".to_owned(), format!("{}000", sent.secs()));
    record
}

fn event(records: Vec<SqsMessage>) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = records;
    event
}

#[tokio::test]
async fn a_fresh_trigger_takes_two_calls_and_none_of_them_looks_at_the_history() {
    let (entry, start) = (plain_entry(), build_starts(|_| true));
    let launcher = launcher(&[&entry], &[&start]);
    assert_eq!(report_on(&launcher, &record(TRIGGER, 1)).await.outcome, Outcome::Started);
    assert_eq!((entry.num_calls(), start.num_calls()), (1, 1));
}

#[tokio::test]
async fn of_many_triggers_at_once_one_starts_a_build_and_the_others_wait_without_a_call() {
    let (entry, start) = (plain_entry(), build_starts(|_| true));
    let launcher = launcher(&[&entry], &[&start]);
    let other = |number: usize| {
        let mut record = record(TRIGGER, 1);
        record.body = record.body.map(|body| body.replace(TRIGGER_ID, &TRIGGER_ID.replace('9', &number.to_string())));
        record
    };
    let records: Vec<_> = (0..10).map(other).collect();
    let verdicts = launcher.launch_all(&records).await;
    let started = verdicts.iter().filter(|verdict| verdict.report.outcome == Outcome::Started).count();
    assert_eq!((started, verdicts.len()), (1, 10));
    assert_eq!((entry.num_calls(), start.num_calls()), (1, 1));
}

/// A running build is asked after by its id alone, and neither the register nor StartBuild says to anybody that it runs.
#[tokio::test]
async fn of_many_triggers_that_wait_for_a_running_build_one_looks_for_all() {
    let (entry, start) = (plain_entry(), build_starts(|_| true));
    let [list, get] = past(vec![(StatusType::InProgress, &[("GITBRANCH", "main")], 0)]);
    let launcher = launcher(&[&entry], &[&list, &get, &start]);
    for _ in 0..10 {
        assert_eq!(report(&launcher, TRIGGER).await.class, Some(Class::Building));
    }
    assert_eq!((entry.num_calls(), list.num_calls(), get.num_calls(), start.num_calls()), (0, 1, 1, 0));
    let demo = ProjectName::parse("demo").unwrap();
    let (_, history) = launcher.memory.last_history(&demo).unwrap();
    launcher.memory.keep_history(&demo, published_after(-60), history);
    assert_eq!(report(&launcher, TRIGGER).await.class, Some(Class::Building));
    assert_eq!((entry.num_calls(), list.num_calls(), get.num_calls(), start.num_calls()), (0, 1, 2, 0));
}

/// What a launcher reads that is told that a build runs, and that forty minutes are usual.
async fn history_of_a_long_build(variables: Variables, began: i64) -> Arc<History> {
    let past = (StatusType::Succeeded, variables, -9000, Some(-6600));
    let [list, get] = past_with_ends(vec![(StatusType::InProgress, variables, began, None), past]);
    let launcher = launcher(&[], &[&list, &get]);
    launcher.history(&ProjectName::parse("demo").unwrap(), published_after(-7200)).await.ok().unwrap().1
}

/// Somebody has stopped it meanwhile. By its usual length nobody would look for ten minutes.
#[tokio::test]
async fn that_a_long_build_runs_is_believed_for_no_longer_than_the_visibility_timeout() {
    const HEAD: Variables = &[("GITBRANCH", "main")];
    let history = history_of_a_long_build(HEAD, -700).await;
    for (ago, record, expected) in [
        (74, record(TRIGGER, 2), Outcome::Busy),
        (75, record(TRIGGER, 2), Outcome::Started),
        (74, record(&pinned(), 2), Outcome::Busy),
        (75, record(&pinned(), 2), Outcome::Started),
        // Who would expire of it believes nothing.
        (10, waiting_for(3430, TRIGGER, 9), Outcome::Busy),
        (10, waiting_for(3601, TRIGGER, 9), Outcome::Started),
    ] {
        let [list, get] = past_with_ends(vec![(StatusType::Stopped, HEAD, -700, Some(0))]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        let demo = ProjectName::parse("demo").unwrap();
        launcher.memory.keep_history(&demo, published_after(30 - ago), history.clone());
        assert_eq!(report_on(&launcher, &record).await.outcome, expected, "{ago} {record:?}");
    }
}

/// A launcher that knows the project and has seen a moment ago that a build runs asks once more, for somebody has just pushed.
#[tokio::test]
async fn who_has_just_come_waits_for_no_build_that_has_ended() {
    const HEAD: Variables = &[("GITBRANCH", "main")];
    let history = history_of_a_long_build(HEAD, -700).await;
    for (status, ended, expected) in
        [(StatusType::Succeeded, Some(0), Outcome::Started), (StatusType::InProgress, None, Outcome::Busy)]
    {
        let [list, get] = past_with_ends(vec![(status, HEAD, -700, ended)]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        let demo = ProjectName::parse("demo").unwrap();
        launcher.entry(&demo).await.ok().unwrap();
        launcher.memory.keep_history(&demo, published_after(20), history.clone());
        assert_eq!(report_on(&launcher, &record(TRIGGER, 1)).await.outcome, expected);
    }
}

/// It comes back when a launcher may look that remembers no more, and not a whole timeout later.
#[tokio::test]
async fn what_the_running_build_will_answer_sleeps_from_when_that_was_seen() {
    let history = history_of_a_long_build(&[("GITBRANCH", "main")], 6).await;
    let launcher = launcher(&[&plain_entry()], &[]);
    launcher.memory.keep_history(&ProjectName::parse("demo").unwrap(), published_after(10), history);
    let records = [record(TRIGGER, 2)];
    let verdict = launcher.launch_all(&records).await.remove(0);
    assert_eq!(verdict.place, Place::Until(Duration::from_secs(60)));
}

/// An earlier request with the same token had started it.
#[tokio::test]
async fn of_a_build_that_was_over_when_it_was_started_it_is_not_believed_that_it_runs() {
    for (status, runs) in [(StatusType::InProgress, true), (StatusType::Succeeded, false)] {
        let start = mock!(aws_sdk_codebuild::Client::start_build).then_output(move || {
            let build = Build::builder().id(BUILD).build_status(status.clone()).build();
            StartBuildOutput::builder().build_value(build).build()
        });
        let launcher = launcher(&[&plain_entry()], &[&start]);
        assert_eq!(report_on(&launcher, &record(TRIGGER, 1)).await.outcome, Outcome::Started);
        let last = launcher.memory.last_history(&ProjectName::parse("demo").unwrap());
        assert_eq!(last.is_some_and(|(_, history)| history.running().is_some()), runs);
    }
}

#[tokio::test]
async fn while_the_register_does_not_answer_the_history_is_not_read() {
    let down = mock!(aws_sdk_ssm::Client::get_parameters).then_error(|| GetParametersError::unhandled("down"));
    let list = no_history();
    let launcher = launcher(&[&down], &[&list]);
    for _ in 0..3 {
        assert_eq!(report(&launcher, TRIGGER).await.outcome, Outcome::Failed);
    }
    assert_eq!((down.num_calls(), list.num_calls()), (3, 1));
}

#[tokio::test]
async fn who_must_wait_comes_back_after_a_delay_that_grows_and_differs() {
    // The first in line looks every 10 to 20 s of a longest delay of 160.
    for (tries, shortest, longest) in [(1, 5, 10), (2, 10, 20), (9, 10, 20)] {
        let postponed = postpones(move |request| {
            let [entry] = request.entries() else { return false };
            let delay = entry.visibility_timeout().unwrap();
            request.queue_url() == Some(QUEUE_URL)
                && entry.receipt_handle() == "receipt-1"
                && (shortest..=longest).contains(&delay)
        });
        let launcher = launcher_with_queue(&[&plain_entry()], &[&no_history(), &busy()], &[&postponed]);
        let response = launcher.handle(event(vec![record(TRIGGER, tries)])).await;
        assert_eq!((response.batch_item_failures.len(), postponed.num_calls()), (1, 1), "try {tries}");
    }
}

#[tokio::test]
async fn the_accounts_limit_is_told_from_the_projects_own() {
    for (message, class) in [
        ("Cannot have more than 0 builds in queue for the account", Class::AccountLimit),
        ("Cannot have more than 20 active builds for the account", Class::AccountLimit),
        ("Cannot have more than 1 builds in queue for the project", Class::Building),
        ("Project concurrent build limit reached", Class::Building),
        ("", Class::Building),
    ] {
        let refused = over_limit(message);
        let launcher = launcher(&[&plain_entry()], &[&no_history(), &refused]);
        let first = report(&launcher, TRIGGER).await;
        assert_eq!((first.outcome, first.class), (Outcome::Busy, Some(class)), "{message}");
        assert!(first.reason.unwrap().contains(message));
        // The next one is told from memory, under the same class.
        assert_eq!((report(&launcher, TRIGGER).await.class, refused.num_calls()), (Some(class), 1), "{message}");
    }
}

#[tokio::test]
async fn an_account_without_a_build_to_spare_keeps_no_other_project_from_asking() {
    let entries = register(vec![
        ("/iwomp-in-aws/demo", ParameterType::String, ENTRY),
        ("/iwomp-in-aws/other", ParameterType::String, ENTRY),
    ]);
    let full = mock!(aws_sdk_codebuild::Client::start_build)
        .match_requests(|request| request.project_name() == Some("iwomp-in-aws--demo"))
        .then_error(|| {
            let message = "Cannot have more than 0 builds in queue for the account";
            StartBuildError::AccountLimitExceededException(
                AccountLimitExceededException::builder().message(message).build(),
            )
        });
    let free = build_starts(|request| request.project_name() == Some("iwomp-in-aws--other"));
    let launcher = launcher(&[&entries], &[&no_history(), &full, &free]);
    assert_eq!(report(&launcher, TRIGGER).await.class, Some(Class::AccountLimit));
    let other = report(&launcher, r#"{"project":"other","branch":"main"}"#).await;
    assert_eq!((other.outcome, free.num_calls()), (Outcome::Started, 1));
}

#[tokio::test]
async fn what_is_answered_says_nothing_to_the_queue() {
    let postponed = postpones(|_| true);
    let launcher = launcher_with_queue(&[&plain_entry()], &[&build_starts(|_| true)], &[&postponed]);
    let response = launcher.handle(event(vec![record(TRIGGER, 1), record("nonsense", 1)])).await;
    assert_eq!((response.batch_item_failures.len(), postponed.num_calls()), (0, 0));
}

#[tokio::test]
async fn a_trigger_that_waited_too_long_is_tried_once_more_and_then_becomes_a_dead_letter_as_it_is() {
    let late = waiting_for(3601, TRIGGER, 40);
    let body = late.body.clone();
    let dead = takes_dead_letters(move |request| {
        request.queue_url() == Some(DEAD_LETTER_QUEUE_URL) && request.message_body() == body.as_deref()
    });
    let launcher = launcher_with_queue(&[&plain_entry()], &[&no_history(), &busy()], &[&dead]);
    let response = launcher.handle(event(vec![late.clone()])).await;
    assert_eq!((response.batch_item_failures.len(), dead.num_calls()), (0, 1));

    let mut verdicts = launcher.launch_all(std::slice::from_ref(&late)).await;
    launcher.settle(&mut verdicts).await;
    assert_eq!((verdicts[0].report.outcome, verdicts[0].report.class), (Outcome::Expired, Some(Class::Building)));
}

#[tokio::test]
async fn a_trigger_that_waited_too_long_is_started_all_the_same_if_it_can_be() {
    let launcher = launcher_with_queue(&[&plain_entry()], &[&no_history(), &build_starts(|_| true)], &[]);
    assert_eq!(report_on(&launcher, &waiting_for(90_000, TRIGGER, 2)).await.outcome, Outcome::Started);
}

#[tokio::test]
async fn a_dead_letter_that_is_not_taken_waits_on() {
    let broken = mock!(aws_sdk_sqs::Client::send_message).then_error(|| SendMessageError::unhandled("down"));
    let postponed = postpones(|_| true);
    let launcher = launcher_with_queue(&[&plain_entry()], &[&no_history(), &busy()], &[&broken, &postponed]);
    let response = launcher.handle(event(vec![waiting_for(3601, TRIGGER, 40)])).await;
    assert_eq!((response.batch_item_failures.len(), postponed.num_calls()), (1, 1));
}

#[tokio::test]
async fn what_only_a_person_can_mend_becomes_a_dead_letter_after_five_tries() {
    let missing = || {
        build_fails_with(|| {
            let cause = ResourceNotFoundException::builder().message("Project cannot be found").build();
            StartBuildError::ResourceNotFoundException(cause)
        })
    };
    for (tries, expected) in [(4, 0), (5, 1)] {
        let dead = takes_dead_letters(|_| true);
        let sqs = [&dead, &postpones(|_| true)];
        let launcher = launcher_with_queue(&[&plain_entry()], &[&no_history(), &missing()], &sqs);
        let response = launcher.handle(event(vec![record(TRIGGER, tries)])).await;
        assert_eq!((dead.num_calls(), response.batch_item_failures.len()), (expected, 1 - expected), "try {tries}");
    }
}

#[tokio::test]
async fn the_triggers_of_a_paused_project_wait_however_long() {
    let entry = register(vec![
        ("/iwomp-in-aws/demo", ParameterType::String, ENTRY),
        ("/iwomp-in-aws-paused/demo", ParameterType::String, "the \u{1b}[31mmigration"),
    ]);
    let launcher = launcher(&[&entry], &[&no_history()]);
    let records = [waiting_for(900_000, TRIGGER, 2)];
    let verdicts = launcher.launch_all(&records).await;
    let Verdict { report, fate, place, .. } = &verdicts[0];
    assert_eq!((report.outcome, report.class, fate), (Outcome::Busy, Some(Class::Paused), &Fate::Wait));
    assert_eq!(*place, Place::Paused);
    let reason = report.reason.as_deref().unwrap();
    assert!(reason.contains("\\u{1b}[31mmigration") && reason.contains("iwomp resume demo"), "{reason}");
}

#[tokio::test]
async fn what_waits_for_an_operator_does_not_expire_whatever_the_history_says() {
    let entry = register(vec![
        ("/iwomp-in-aws/demo", ParameterType::String, ENTRY),
        ("/iwomp-in-aws-paused/demo", ParameterType::String, "the migration"),
    ]);
    let throttled = mock!(aws_sdk_codebuild::Client::list_builds_for_project)
        .then_error(|| ListBuildsForProjectError::unhandled("Rate exceeded"));
    let [list, get] = past(vec![(StatusType::InProgress, &[("GITBRANCH", "other")], 0)]);
    for codebuild in [&[&list, &get][..], &[&throttled]] {
        let launcher = launcher(&[&entry], codebuild);
        let records = [waiting_for(3601, TRIGGER, 2), waiting_for(900_000, &pinned(), 40)];
        for Verdict { report, fate, place, .. } in launcher.launch_all(&records).await {
            assert_eq!((report.class, fate, place), (Some(Class::Paused), Fate::Wait, Place::Paused));
        }
    }
}

#[tokio::test]
async fn a_paused_project_still_refuses_what_it_never_takes() {
    let entry = register(vec![
        ("/iwomp-in-aws/demo", ParameterType::String, ENTRY),
        ("/iwomp-in-aws-paused/demo", ParameterType::String, ""),
    ]);
    let evil = report(&launcher(&[&entry], &[&no_history()]), r#"{"project":"demo","branch":"evil"}"#).await;
    assert_eq!(evil.class, Some(Class::BranchNotAllowed));
}

#[tokio::test]
async fn a_build_of_the_head_serves_a_pinned_trigger() {
    let [list, get] = history(&[("GITBRANCH", "main")], 60);
    let launcher = launcher(&[&plain_entry()], &[&list, &get]);
    assert_eq!(report(&launcher, &pinned()).await.outcome, Outcome::Covered);
}

#[tokio::test]
async fn after_three_failures_of_the_same_no_fourth_build_is_started() {
    use StatusType::{Failed, Fault, Stopped, TimedOut};
    const HEAD: Variables = &[("GITBRANCH", "main")];
    const PINNED: Variables = &[("GITBRANCH", "main"), ("GITCOMMIT", COMMIT)];
    for (message, builds, expected) in [
        (TRIGGER, vec![(Failed, HEAD, 60), (TimedOut, HEAD, 50), (Failed, HEAD, 40)], Some(Class::KeepsFailing)),
        (TRIGGER, vec![(Failed, HEAD, 60), (Failed, HEAD, 50)], None),
        (TRIGGER, vec![(Failed, HEAD, 60), (Stopped, HEAD, 50), (Fault, HEAD, 40)], None),
        (TRIGGER, vec![(Failed, HEAD, 60), (Failed, HEAD, 50), (Failed, HEAD, 5)], None),
        (TRIGGER, vec![(Failed, HEAD, 60), (Failed, HEAD, 50), (Failed, PINNED, 40)], None),
        (&pinned(), vec![(Failed, HEAD, 60), (Failed, HEAD, 50), (Failed, HEAD, 40)], None),
        (&pinned(), vec![(Failed, PINNED, 60), (Failed, PINNED, 50), (Failed, PINNED, 40)], Some(Class::KeepsFailing)),
    ] {
        let [list, get] = past(builds);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        let records = [record(message, 2)];
        let verdict = launcher.launch_all(&records).await.remove(0);
        assert_eq!((verdict.report.class, verdict.fate), (expected, Fate::Leave), "{message}");
    }
}

#[tokio::test]
async fn a_project_that_had_its_builds_of_the_hour_waits() {
    const OTHER: Variables = &[("GITBRANCH", "other")];
    for (builds, expected) in [(BUILDS_PER_HOUR, Some(Class::HourlyCap)), (BUILDS_PER_HOUR - 1, None)] {
        let older = (StatusType::Succeeded, OTHER, 30 - 3600);
        let lately = std::iter::repeat_n((StatusType::Succeeded, OTHER, 31 - 3600), builds);
        let [list, get] = past(lately.chain([older]).collect());
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, TRIGGER).await.class, expected);
    }
}

#[tokio::test]
async fn pinned_commits_leave_a_part_of_the_cap_to_the_head() {
    const OTHER: Variables = &[("GITBRANCH", "other")];
    let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{}"}}"#, "c".repeat(40));
    let cap = BUILDS_PER_HOUR - BUILDS_PER_HOUR / PART_OF_CAP_FOR_HEAD;
    for (builds, expected) in [(cap, Some(Class::HourlyCap)), (cap - 1, None)] {
        let [list, get] = past(vec![(StatusType::Succeeded, OTHER, -1800); builds]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &pinned).await.class, expected);
    }
}

/// What a build has passed over may use half of the head's part, and no more.
#[tokio::test]
async fn what_was_passed_over_leaves_a_part_of_the_cap_to_the_head() {
    const OTHER: Variables = &[("GITBRANCH", "other"), ("GITCOMMIT", "dddddddddddddddddddddddddddddddddddddddd")];
    let cap = BUILDS_PER_HOUR - BUILDS_PER_HOUR / PART_OF_CAP_FOR_HEAD / 2;
    for (builds, expected) in [(cap, Some(Class::HourlyCap)), (cap - 1, None)] {
        let [list, get] = past(vec![(StatusType::Succeeded, OTHER, 6); builds]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &pinned()).await.class, expected);
    }
}

#[tokio::test]
async fn pinned_commits_use_the_second_half_of_their_cap_at_a_pace() {
    const OTHER: Variables = &[("GITBRANCH", "other")];
    let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{}"}}"#, "c".repeat(40));
    let cap = BUILDS_PER_HOUR - BUILDS_PER_HOUR / PART_OF_CAP_FOR_HEAD;
    let pace = 3600 / i64::try_from(cap / 2).unwrap();
    for (builds, ago, expected) in
        [(cap / 2, pace - 31, Some(Class::InLine)), (cap / 2, pace - 30, None), (cap / 2 - 1, 0, None)]
    {
        let [list, get] = past(vec![(StatusType::Succeeded, OTHER, -ago); builds]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &pinned).await.class, expected, "{builds} builds, {ago} s ago");
    }
}

/// What a pinned build noted of main, seconds after the publication of the trigger: this is on it and may run.
fn seen(commits: &[&str], fetched: i64, whole: bool) -> Rule {
    register(noted(commits, fetched, whole))
}

fn noted(commits: &[&str], fetched: i64, whole: bool) -> Vec<(&'static str, ParameterType, &'static str)> {
    let note = json!({
        "ended": PUBLISHED_SECONDS + fetched,
        "branches": [{
            "branch": "main", "fetched": PUBLISHED_SECONDS + fetched, "build": BUILD, "commits": commits, "whole": whole,
        }],
    });
    let note: &'static str = note.to_string().leak();
    vec![
        ("/iwomp-in-aws/demo", ParameterType::String, ENTRY),
        ("/iwomp-in-aws-deployed/demo", ParameterType::String, note),
    ]
}

#[tokio::test]
async fn what_a_build_has_not_seen_on_the_branch_is_answered_without_a_build_of_its_own() {
    let (commit, other) = ("c".repeat(40), "d".repeat(40));
    let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{commit}"}}"#);
    for (entry, expected) in [
        (seen(&[&other], 6, true), Outcome::Superseded),
        (seen(&[], 6, true), Outcome::Superseded),
        (seen(&[&other, &commit], 6, true), Outcome::Started),
        (seen(&[&other], 5, true), Outcome::Started), // it may have been pushed since, as far as clocks tell
        (seen(&[&other], 6, false), Outcome::Started), // there are others
        (seen(&[&other], 36, true), Outcome::Started), // it has not happened yet
    ] {
        let launcher = launcher(&[&entry], &[&no_history(), &build_starts(|_| true)]);
        let report = report(&launcher, &pinned).await;
        assert_eq!(report.outcome, expected, "{report:?}");
        if expected == Outcome::Superseded {
            assert_eq!((report.class, report.build.as_deref()), (Some(Class::NotAhead), Some(BUILD)));
        }
    }
    // The head is another matter, and so is what cannot be read.
    let launcher = self::launcher(&[&seen(&[], 6, true)], &[&no_history(), &build_starts(|_| true)]);
    assert_eq!(report(&launcher, TRIGGER).await.outcome, Outcome::Started);
    let garbage = register(vec![
        ("/iwomp-in-aws/demo", ParameterType::String, ENTRY),
        ("/iwomp-in-aws-deployed/demo", ParameterType::String, "garbage"),
    ]);
    let launcher = self::launcher(&[&garbage], &[&no_history(), &build_starts(|_| true)]);
    assert_eq!(report(&launcher, &pinned).await.outcome, Outcome::Started);
}

/// Of a branch that nothing can be said of, one build is enough: it was seen then that there is no such branch.
#[tokio::test]
async fn a_build_of_its_own_branch_that_left_no_note_gives_a_trigger_no_turn() {
    const ELSEWHERE: Variables = &[("GITBRANCH", "master"), ("GITCOMMIT", "dddddddddddddddddddddddddddddddddddddddd")];
    for (variables, expected) in [(OTHER_PIN, Some(Class::InLine)), (ELSEWHERE, None)] {
        let [list, get] = past_with_ends(vec![(StatusType::Failed, variables, 15, Some(29))]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &pinned()).await.class, expected);
    }
}

/// A build of the head says nothing of pinned commits, and gives none of them a turn; nor does it end the time in which they go.
#[tokio::test]
async fn a_build_of_the_head_changes_nothing_for_pinned_triggers() {
    const HEAD: Variables = &[("GITBRANCH", "other")];
    let pin = (StatusType::Failed, OTHER_PIN, -20, Some(-10));
    for (builds, expected) in [
        (vec![(StatusType::Failed, HEAD, 10, Some(29)), pin], Some(Class::InLine)),
        (vec![(StatusType::Failed, HEAD, 10, Some(29))], None),
    ] {
        let [list, get] = past_with_ends(builds);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &pinned()).await.class, expected);
    }
}

const OTHER_PIN: Variables = &[("GITBRANCH", "main"), ("GITCOMMIT", "dddddddddddddddddddddddddddddddddddddddd")];

#[tokio::test]
async fn what_is_remembered_of_the_register_is_read_again_once_a_pinned_build_has_ended() {
    let demo = ProjectName::parse("demo").unwrap();
    for (ended, expected, calls) in [(26, Outcome::Superseded, 2), (20, Outcome::Busy, 1)] {
        let ssm = mock!(aws_sdk_ssm::Client::get_parameters)
            .sequence()
            .output(|| answer(&noted(&[], -600, true)))
            .output(|| answer(&noted(&[], 20, true)))
            .build();
        let [list, get] = past_with_ends(vec![(StatusType::Succeeded, OTHER_PIN, 15, Some(ended))]);
        let launcher = launcher(&[&ssm], &[&list, &get, &build_starts(|_| true)]);
        let entry = register::read(&launcher.aws.ssm, &launcher.environment.config_path, &demo).await.ok().unwrap();
        launcher.memory.keep_entry(&demo, published_after(29), Arc::new(entry));
        assert_eq!(report(&launcher, &pinned()).await.outcome, expected);
        assert_eq!(ssm.num_calls(), calls);
    }
}

/// Once pinned builds have ended, whose turn it is has to be known before the first try, too.
#[tokio::test]
async fn a_pinned_trigger_that_comes_within_an_hour_of_others_looks_at_the_history() {
    for (noted, message, looks) in
        [(29 - 3600, pinned(), 0), (31 - 3600, pinned(), 1), (31 - 3600, TRIGGER.to_owned(), 0)]
    {
        let list = no_history();
        let launcher = launcher(&[&seen(&[], noted, true)], &[&list, &build_starts(|_| true)]);
        assert_eq!(report_on(&launcher, &record(&message, 1)).await.outcome, Outcome::Started);
        assert_eq!(list.num_calls(), looks, "{noted}");
    }
}

#[tokio::test]
async fn just_after_a_pinned_build_another_pinned_one_lets_those_pass_that_it_passed_over() {
    let delay = 160 / 6 + 6; // the longest of those that look often, and how late they may be
    for (began, ended, before, message, expected) in [
        (0, 30, None, pinned(), Some(Class::InLine)),
        (0, 30, None, TRIGGER.to_owned(), None),
        (-delay, 30 - delay, None, pinned(), None),
        // Who waited for the long one before it may sleep for half as long, and does not know of it.
        (-delay - 1, 30 - delay, Some((-130, -20)), pinned(), Some(Class::InLine)),
        (-delay - 1, 30 - delay, Some((-160, -60)), pinned(), None),
    ] {
        let mut builds = vec![(StatusType::Failed, OTHER_PIN, began, Some(ended))];
        builds.extend(before.map(|(began, ended)| (StatusType::Failed, OTHER_PIN, began, Some(ended))));
        let [list, get] = past_with_ends(builds);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &message).await.class, expected, "{began} to {ended}");
    }
}

#[tokio::test]
async fn what_is_live_goes_after_what_is_ahead_of_it() {
    let newer = "e".repeat(40);
    for (commits, expected) in [(vec![COMMIT, &newer], None), (vec![&newer, COMMIT], Some(Class::InLine))] {
        let [list, get] = past_with_ends(vec![(StatusType::Succeeded, OTHER_PIN, -10, Some(25))]);
        let launcher = launcher(&[&seen(&commits, -5, true)], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &pinned()).await.class, expected);
    }
}

/// It may have ended just now: a newer history shows that, and whose turn it is then.
#[tokio::test]
async fn as_long_as_a_build_is_seen_to_run_nobody_tries_to_start_one() {
    let expected = Some(Class::Building);
    for (began, message) in [(-60, pinned()), (6, pinned()), (-60, TRIGGER.to_owned())] {
        let [list, get] = past(vec![(StatusType::InProgress, OTHER_PIN, began)]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &message).await.class, expected, "{began}");
    }
}

#[tokio::test]
async fn a_commit_that_was_handed_over_with_another_is_covered_by_its_success() {
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const BESIDE: Variables = &[
        ("GITBRANCH", "main"),
        ("GITCOMMIT", "89abcdef0123456789abcdef0123456789abcdef"),
        ("WAITINGCOMMITS", "dddddddddddddddddddddddddddddddddddddddd 0123456789abcdef0123456789abcdef01234567"),
    ];
    let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{COMMIT}"}}"#);
    for (status, began, expected) in [
        (StatusType::Succeeded, 60, Outcome::Covered),
        (StatusType::Failed, 60, Outcome::Started),
        (StatusType::Succeeded, 5, Outcome::Started),
    ] {
        let [list, get] = past(vec![(status, BESIDE, began)]);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, &pinned).await.outcome, expected);
    }
}

#[tokio::test]
async fn an_operators_rollback_covers_no_trigger_and_is_no_failure_of_the_head() {
    const ROLLBACK: Variables = &[("GITBRANCH", "main"), ("ROLLBACKTO", "0123456789abcdef0123456789abcdef01234567")];
    let pinned = format!(r#"{{"project":"demo","branch":"main","commit":"{}"}}"#, &ROLLBACK[1].1);
    for message in [TRIGGER, &pinned] {
        for builds in [vec![(StatusType::Succeeded, ROLLBACK, 60)], vec![(StatusType::Failed, ROLLBACK, 60); 3]] {
            let [list, get] = past(builds);
            let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
            assert_eq!(report(&launcher, message).await.outcome, Outcome::Started);
        }
    }
}

#[tokio::test]
async fn what_an_operator_asked_of_a_build_covers_no_trigger_and_is_no_failure() {
    const QUESTION: Variables = &[("QUESTION", "git-host")];
    for builds in [vec![(StatusType::Succeeded, QUESTION, 60)], vec![(StatusType::Failed, QUESTION, 60); 3]] {
        let [list, get] = past(builds);
        let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
        assert_eq!(report(&launcher, TRIGGER).await.outcome, Outcome::Started);
    }
}

#[tokio::test]
async fn the_pinned_commits_of_a_batch_go_into_one_build() {
    let ids = ["1", "2", "3"].map(|digit| TRIGGER_ID.replace("95df01b4", &digit.repeat(8)));
    let commits = ["a", "b", "c"].map(|digit| digit.repeat(40));
    let (second, third) = (commits[1].clone(), commits[2].clone());
    let start = build_starts(move |request| {
        let variables = request.environment_variables_override();
        let value =
            |name: &str| variables.iter().find(|variable| variable.name() == name).map(|it| it.value().to_owned());
        let mut waiting: Vec<_> = value("WAITINGCOMMITS").unwrap().split(' ').map(str::to_owned).collect();
        waiting.sort();
        waiting == [second.clone(), third.clone()] && value("GITCOMMIT").is_some_and(|commit| commit == "a".repeat(40))
    });
    let launcher = launcher(&[&plain_entry()], &[&no_history(), &start]);
    let records = [0, 1, 2].map(|number| {
        let mut record = record(&format!(r#"{{"project":"demo","branch":"main","commit":"{}"}}"#, commits[number]), 2);
        record.body = record.body.map(|body| body.replace(TRIGGER_ID, &ids[number]));
        record
    });
    let verdicts = launcher.launch_all(&records).await;
    let outcomes: Vec<_> = verdicts.iter().map(|verdict| verdict.report.outcome).collect();
    assert_eq!(outcomes, [Outcome::Started, Outcome::Busy, Outcome::Busy]);
}

#[tokio::test]
async fn a_refusal_of_a_message_that_came_by_a_projects_own_topic_names_the_project() {
    let launcher = launcher(&[], &[]);
    let mut record = record("nonsense", 1);
    record.body = record.body.map(|body| body.replace(TOPIC_ARN, &format!("{TOPIC_ARN}--demo")));
    let report = report_on(&launcher, &record).await;
    assert_eq!((report.class, report.project.unwrap().as_str()), (Some(Class::NotAnObject), "demo"));
}

#[tokio::test]
async fn a_launcher_that_has_just_started_a_build_looks_at_the_cap_before_the_next() {
    const OTHER: Variables = &[("GITBRANCH", "other")];
    let [list, get] = past(vec![(StatusType::Succeeded, OTHER, 0); BUILDS_PER_HOUR]);
    let launcher = launcher(&[&plain_entry()], &[&list, &get]);
    let demo = ProjectName::parse("demo").unwrap();
    launcher.memory.started(&demo, published_after(0), |_| History::default());
    let report = report_on(&launcher, &record(TRIGGER, 1)).await;
    assert_eq!((report.class, list.num_calls()), (Some(Class::HourlyCap), 1));

    let launcher = self::launcher(&[&plain_entry()], &[&build_starts(|_| true)]);
    let pause = cap::unwatched_pause(&launcher.environment.limits);
    launcher.memory.started(&demo, published_after(30) - pause, |_| History::default());
    let report = report_on(&launcher, &record(TRIGGER, 1)).await;
    assert_eq!(report.outcome, Outcome::Started, "without a look: the last start is long ago");
}

#[tokio::test]
async fn a_younger_trigger_lets_an_older_one_that_waits_go_first() {
    let launcher = launcher(&[&plain_entry()], &[&no_history(), &build_starts(|_| true)]);
    let demo = ProjectName::parse("demo").unwrap();
    let older = Waiting {
        is_pinned: false,
        published: published_after(-60),
        trigger_id: "older".to_owned(),
        branch: Branch::parse("other").unwrap(),
    };
    launcher.memory.line_up(&demo, older, published_after(29), Duration::from_secs(20));
    assert_eq!(report(&launcher, TRIGGER).await.class, Some(Class::InLine));
    launcher.memory.leave_line(&demo, "older");
    assert_eq!(report(&launcher, TRIGGER).await.outcome, Outcome::Started);
}

#[tokio::test]
async fn the_history_is_read_as_far_back_as_the_trigger_is_old() {
    // Two pages, all but the last build younger than the trigger: its own build is on the second.
    let list = mock!(aws_sdk_codebuild::Client::list_builds_for_project)
        .match_requests(|request| request.next_token().is_none())
        .then_output(|| ListBuildsForProjectOutput::builder().ids("new").next_token("2").build());
    let rest = mock!(aws_sdk_codebuild::Client::list_builds_for_project)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(|| ListBuildsForProjectOutput::builder().ids("old").build());
    let [_, new] = past(vec![(StatusType::Failed, &[("GITBRANCH", "main")], 60)]);
    let launcher = launcher(&[&plain_entry()], &[&list, &rest, &new, &build_starts(|_| true)]);
    assert_eq!(report(&launcher, TRIGGER).await.outcome, Outcome::Started);
    assert_eq!((list.num_calls(), rest.num_calls()), (1, 1));
}

#[tokio::test]
async fn a_message_of_a_queue_that_somebody_else_mapped_starts_nothing_and_does_not_come_back() {
    let starts = build_starts(|_| true);
    let launcher = launcher(&[&plain_entry()], &[&starts]);
    let mut forged = record(TRIGGER, 1);
    forged.event_source_arn = Some("arn:aws:sqs:eu-central-1:123456789012:thieves".to_owned());
    let report = report_on(&launcher, &forged).await;
    assert_eq!((report.outcome, report.class), (Outcome::Refused, Some(Class::ForeignQueue)));
    assert_eq!(report.project, None, "what another queue says is not believed, not even its name");
    assert!(launcher.handle(event(vec![forged])).await.batch_item_failures.is_empty());
    assert_eq!(starts.num_calls(), 0);
}

#[tokio::test]
async fn poison_is_refused_and_harms_no_trigger_beside_it() {
    let with_body = |body| {
        let mut record = record(TRIGGER, 1);
        record.body = body;
        record
    };
    let body = |text: String| with_body(Some(text));
    let mut poison = vec![
        body(String::new()),
        body("x".repeat(262_144)), // the most that SQS takes
        body("[".repeat(100_000)),
        body("\u{0}\u{1b}[2J".to_owned()),
        with_body(None),
        record(&"{".repeat(100_000), 1),
        record(&" ".repeat(3000), 1),
    ];
    for (number, record) in poison.iter_mut().enumerate() {
        record.message_id = Some(format!("poison-{number}"));
    }
    let (start, postponed) = (busy(), postpones(|_| true));
    let launcher = launcher_with_queue(&[&plain_entry()], &[&no_history(), &start], &[&postponed]);
    poison.push(record(TRIGGER, 1));
    let failures = launcher.handle(event(poison)).await.batch_item_failures;
    assert_eq!(
        failures.iter().map(|failure| failure.item_identifier.as_str()).collect::<Vec<_>>(),
        ["queue-message-1"]
    );
    assert_eq!((start.num_calls(), postponed.num_calls()), (1, 1));
}

/// For local/tests/test_instructions.py, which counts the processor's instructions here and nowhere else.
#[inline(never)]
fn counted_instructions(runtime: &tokio::runtime::Runtime, launcher: &Launcher, event: SqsEvent) -> SqsBatchResponse {
    runtime.block_on(launcher.handle(event))
}

#[test]
fn a_launcher_that_is_warm_starts_a_build() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = build_starts(|_| true);
    let names = ["/iwomp-in-aws/demo", "/iwomp-in-aws/shop"];
    let entries = register(names.map(|name| (name, ParameterType::String, ENTRY)).to_vec());
    let launcher = launcher(&[&entries], &[&no_history(), &start]);
    let [first, second] = ["demo", "shop"].map(|project| {
        let mut event = SqsEvent::default();
        event.records = vec![record(&format!(r#"{{"project":"{project}","branch":"main"}}"#), 1)];
        event
    });
    runtime.block_on(launcher.handle(first));
    let response = counted_instructions(&runtime, &launcher, second);
    assert!(response.batch_item_failures.is_empty(), "{response:?}");
    assert_eq!(start.num_calls(), 2);
}
