use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_codebuild::types::StatusType;
use aws_sdk_ssm::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::test_util::infallible_client_fn;

use super::*;
use crate::arguments::Output;
use crate::fixtures::{Aws, entry, failed_with, terminal};

/// Every call is answered with this.
fn aws(status: u16, body: &'static str) -> SdkConfig {
    let http = infallible_client_fn(move |_| http::Response::builder().status(status).body(body).unwrap());
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(http)
        .build()
}

/// A pipeline whose every client is answered so; `with` is asked what its register says.
fn answering(aws: SdkConfig, with: Aws) -> Pipeline {
    let (pipeline, _) = with.pipeline();
    Pipeline {
        codebuild: aws_sdk_codebuild::Client::new(&aws),
        sns: aws_sdk_sns::Client::new(&aws),
        sqs: aws_sdk_sqs::Client::new(&aws),
        aws,
        ..pipeline
    }
}

#[tokio::test]
async fn what_nobody_lets_us_see_is_unknown_and_does_not_pass() {
    let denied = aws(403, r#"{"__type":"AccessDeniedException","message":"not you"}"#);
    let pipeline = answering(denied, Aws::with([entry("demo", "{}")]));
    let patient = Patient::find(&pipeline, None).await.unwrap();
    let doctor = examine(&patient, &Account::of(&pipeline)).await;
    let of =
        |grade| doctor.findings.iter().filter(move |finding| finding.grade == grade).map(|found| found.check.as_str());
    assert_eq!(of(Grade::Problem).count() + of(Grade::Warning).count(), 0, "{:?}", doctor.findings);
    for check in [
        "launcher",
        "notifier",
        "courier",
        "mapping",
        "queue",
        "topic",
        "key",
        "image",
        "build projects",
        "alarms",
        "events",
    ] {
        assert!(of(Grade::Unknown).any(|unknown| unknown == check), "{check}: {:?}", doctor.findings);
    }
    assert!(doctor.findings.iter().all(|finding| finding.grade == Grade::Good || finding.to_do.is_some()));
    assert_eq!(doctor.exit(), Exit::Unknown);
}

#[tokio::test]
async fn a_target_without_a_secret_is_a_problem() {
    let pipeline = answering(aws(403, "{}"), Aws::with([entry("demo", r#"{"notify":[{"to":"github"}]}"#)]));
    let patient = Patient::find(&pipeline, None).await.unwrap();
    let doctor = examine(&patient, &Account::of(&pipeline)).await;
    let found = doctor.findings.iter().find(|finding| finding.check == "notify").unwrap();
    assert_eq!((found.grade, found.to_do.as_deref()), (Grade::Problem, Some("iwomp secret set demo --target github")));
}

#[tokio::test]
async fn the_worst_comes_first_and_says_what_to_do() {
    let (pipeline, _) = Aws::default().pipeline();
    let about = About::the("queue");
    let findings =
        vec![about.good("a"), about.unknown("b", "look"), about.warning("c", "mind"), about.problem("d", "mend")];
    let mut doctor = Doctor { at: Timestamp::UNIX_EPOCH, findings };
    doctor.sort();
    assert_eq!(doctor.exit(), Exit::Failed);
    let (mut terminal, said) = terminal();
    view::findings(&pipeline, &doctor, &mut terminal);
    let expected = "iwomp-in-aws in eu-central-1, account 123456789012\nproblem  queue: d\n  to do: mend\nwarning  queue: c\n  to do: \
                    mind\nunknown  queue: b\n  to do: look\n4 looked at: 1 problem, 1 warning, 1 unknown\n";
    assert_eq!(said.text(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_build_that_says_nothing_is_a_fault_where_it_fails_and_else_not_judged() {
    let none = vec![r#"{"findings":[]}"#, r#"{"outcome":"failed","reason":"no question"}"#];
    for (status, log, expected, told) in [
        (StatusType::Failed, vec!["sh: 1: iwomp-worker: not found"], Grade::Problem, "BUILD: exit status 127"),
        (StatusType::Failed, none.clone(), Grade::Problem, "no question"),
        (StatusType::Succeeded, none, Grade::Unknown, "no question"),
    ] {
        let mut build = failed_with(status, "exit status 127");
        build.id = Some("iwomp-in-aws--demo:8".to_owned());
        let (pipeline, _) = Aws { builds: vec![build], log, ..Aws::with([entry("demo", "{}")]) }.pipeline();
        let findings = in_build(&pipeline, &crate::fixtures::project("demo")).await;
        let [Finding { grade, check, saw, .. }] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(*grade == expected && check == "build" && saw.ends_with(told), "{saw}");
    }
}

#[tokio::test]
async fn a_project_that_is_not_registered_is_told_at_once() {
    let (pipeline, _) = Aws::with([entry("demo", "{}")]).pipeline();
    let (mut terminal, _) = terminal();
    let nobody = crate::fixtures::project("nobody");
    let arguments = DoctorArguments { project: Some(nobody), in_build: false, output: Output { json: false } };
    let failure = run(&pipeline, &arguments, &mut terminal).await.unwrap_err();
    assert_eq!(failure.exit, Exit::NotThere);
}
