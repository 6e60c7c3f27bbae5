use aws_config::SdkConfig;
use aws_sdk_codebuild::types::{EnvironmentType, ProjectEnvironment, StatusType};
use serde_json::{Value, json};

use super::*;
use crate::arguments::Output;
use crate::fixtures::{Aws, TRIGGER_ID, answers, entry, failed_with, parameter, project, terminal};

const DENIED: &str = r#"{"__type":"AccessDeniedException","message":"not you"}"#;

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
    let pipeline = answering(answers(403, DENIED), Aws::with([entry("demo", "{}")]));
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
    let pipeline = answering(answers(403, "{}"), Aws::with([entry("demo", r#"{"notify":[{"to":"github"}]}"#)]));
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
        let findings = in_build(&pipeline, &project("demo")).await;
        let [Finding { grade, check, saw, .. }] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(*grade == expected && check == "build" && saw.ends_with(told), "{saw}");
    }
}

#[tokio::test]
async fn a_project_that_is_not_registered_is_told_at_once() {
    let (pipeline, _) = Aws::with([entry("demo", "{}")]).pipeline();
    let (mut terminal, _) = terminal();
    let nobody = Some(project("nobody"));
    let arguments =
        DoctorArguments { project: nobody, publish: false, in_build: false, output: Output { json: false } };
    let failure = run(&pipeline, &arguments, &mut terminal).await.unwrap_err();
    assert_eq!(failure.exit, Exit::NotThere);
}

/// What became of a trigger that `--publish` published, and where that was.
async fn published(aws: Aws, only: Option<&str>) -> (Finding, Vec<(String, Value)>) {
    let (pipeline, done) = aws.pipeline();
    let only = only.map(project);
    let patient = Patient::find(&pipeline, only.as_ref()).await.unwrap();
    let found = published::look(&patient).await;
    let published = done.lock().unwrap().published.clone();
    (found, published)
}

/// The launcher's line of the trigger, a minute ago by our clock.
fn said(more: Value) -> Vec<(i64, Value)> {
    let mut line = json!({"trigger": TRIGGER_ID, "project": "demo", "branch": "iwomp-doctor-only-asks"});
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    vec![(Timestamp::now().as_second() - 60, line)]
}

#[tokio::test(start_paused = true)]
async fn a_trigger_has_to_be_refused_for_its_branch_and_everything_else_is_told() {
    let refused = |class| json!({"outcome": "refused", "class": class, "reason": "its reason"});
    for (line, grade, told) in [
        (Some(refused("branch_not_allowed")), Grade::Good, "gets through topic and queue to the launcher"),
        (Some(refused("unknown_project")), Grade::Problem, "refused unknown_project: its reason"),
        (
            Some(json!({"outcome": "started", "build": "demo:8"})),
            Grade::Problem,
            "not refused for that: started : demo:8",
        ),
        (
            Some(json!({"outcome": "failed", "class": "access_denied", "reason": "no right", "fate": "waits"})),
            Grade::Problem,
            "failed access_denied: no right",
        ),
        (
            Some(json!({"outcome": "busy", "class": "building", "reason": "it builds", "fate": "waits"})),
            Grade::Unknown,
            "lets it wait before it looks into the register: it builds",
        ),
        (None, Grade::Problem, "in 120 s the launcher has said nothing of it"),
    ] {
        let lines = line.map(said).unwrap_or_default();
        let (found, published) = published(Aws { lines, ..Aws::with([entry("demo", "{}")]) }, None).await;
        assert_eq!((found.grade, found.check.as_str()), (grade, "trigger"), "{found:?}");
        assert!(found.saw.contains(told), "{found:?}");
        assert_eq!((found.project, found.to_do.is_some()), (Some(project("demo")), grade != Grade::Good));
        let [(topic, message)] = published.as_slice() else { panic!("{published:?}") };
        assert!(topic.ends_with(":iwomp-in-aws--demo"), "{topic}");
        assert_eq!(message, &json!({"project": "demo", "branch": "iwomp-doctor-only-asks"}));
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_the_launcher_has_said_since_is_looked_at() {
    let mut lines = said(json!({"outcome": "refused", "class": "branch_not_allowed"}));
    lines[0].0 -= 60 * 60;
    let (found, _) = published(Aws { lines, ..Aws::with([entry("demo", "{}")]) }, None).await;
    assert!(found.grade == Grade::Problem && found.saw.contains("has said nothing"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_published_for_a_project_whose_entry_the_launcher_reads() {
    let secret = |name| {
        let mut hidden = entry(name, "{}");
        hidden.r#type = Some(aws_sdk_ssm::types::ParameterType::SecureString);
        hidden
    };
    let names_it = r#"{"branches":["main","iwomp-doctor-only-asks"]}"#;
    let others = || [secret("a"), entry("b", names_it), parameter("/iwomp-in-aws/c", "{")].to_vec();
    let with_demo = Aws { parameters: [others(), vec![entry("demo", "{}")]].concat(), ..Aws::default() };
    let (_, found) = published(with_demo, None).await;
    assert_eq!(found[0].1["project"], "demo");
    for (parameters, only, told, whose) in [
        (others(), None, "no entry of the register can be read by the launcher and does not allow", None),
        (others(), Some("a"), "a's entry is none that can be read by the launcher", Some(project("a"))),
        (vec![], None, "no trigger was published: no project is registered", None),
    ] {
        let (found, published) = published(Aws { parameters, ..Aws::default() }, only).await;
        assert!(found.grade == Grade::Unknown && found.saw.contains(told) && found.to_do.is_some(), "{found:?}");
        assert_eq!((found.project, published.len()), (whose, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_publish_or_not_read_the_log_has_judged_nothing() {
    let pipeline = answering(answers(403, DENIED), Aws::with([entry("demo", "{}")]));
    let patient = Patient::find(&pipeline, None).await.unwrap();
    let denied = published::look(&patient).await;
    assert!(denied.grade == Grade::Unknown && denied.saw.starts_with("publishing on arn:aws:sns:"), "{denied:?}");
    assert_eq!(denied.project, Some(project("demo")));
    assert!(denied.to_do.unwrap().contains("sns:Publish"));
    let aws = Aws { lines_fault: Some("AccessDeniedException"), ..Aws::with([entry("demo", "{}")]) };
    let (unread, _) = published(aws, None).await;
    assert!(unread.grade == Grade::Unknown && unread.saw.contains("what the launcher says of it cannot be read"));
    assert!(unread.to_do.unwrap().ends_with(&format!("iwomp trace {TRIGGER_ID}")));
}

/// A project of CodeBuild with this image.
fn with_image(name: &str, image: &str) -> BuildProject {
    let environment = ProjectEnvironment::builder().image(image).r#type(EnvironmentType::LinuxContainer);
    let environment = environment.compute_type(aws_sdk_codebuild::types::ComputeType::BuildGeneral1Small).build();
    BuildProject::builder().name(format!("iwomp-in-aws--{name}")).environment(environment.unwrap()).build()
}

#[tokio::test(start_paused = true)]
async fn one_project_of_each_image_is_asked_where_none_is_named() {
    let entries = ["a", "b", "c", "unmade"].map(|name| entry(name, "{}"));
    let (pipeline, done) = Aws { is_busy: true, ..Aws::with(entries) }.pipeline();
    let mut patient = Patient::find(&pipeline, None).await.unwrap();
    patient.builds = Ok(vec![with_image("c", "other"), with_image("b", "same"), with_image("a", "same")]);
    let asked = |findings: Vec<Finding>| {
        assert!(findings.iter().all(|found| found.grade == Grade::Unknown && found.check == "build"), "{findings:?}");
        findings.into_iter().map(|found| found.project.map(|project| project.to_string())).collect::<Vec<_>>()
    };
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(asked(in_builds(&patient).await), [name("c"), name("a")]);
    patient.builds = Ok(vec![]);
    assert_eq!(asked(in_builds(&patient).await), [None]);
    patient.builds = Err(anyhow::anyhow!("not you"));
    let findings = in_builds(&patient).await;
    assert!(findings[0].saw.ends_with("not you"), "{findings:?}");
    let only = project("unmade");
    patient.only = Some(&only);
    assert_eq!(asked(in_builds(&patient).await), [name("unmade")]);
    assert!(done.lock().unwrap().started.is_empty());
}
