//! From a queue message to a build of a registered project, or to the reason why not. Read this file to know what a holder
//! of the CI credential can reach.

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{ConfigPath, Outcome, Report};
use futures::future::join_all;
use tokio::time::timeout;

use crate::builds::{self, Answer};
use crate::delivery::Delivery;
use crate::verdict::{Stop, leaves_queue};
use crate::{register, report};

/// Longest time for one trigger, all calls together: less than the function's timeout of 15 s, so that a slow AWS costs the
/// trigger one try and not the whole batch its answer.
const TRIGGER_TIMEOUT: Duration = Duration::from_secs(12);

pub struct Launcher {
    pub config_path: ConfigPath,
    pub topic_arn: String,
    pub ssm: aws_sdk_ssm::Client,
    pub codebuild: aws_sdk_codebuild::Client,
}

impl Launcher {
    /// Answers a batch: reports each trigger's outcome and gives those that must wait back to the queue.
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let reports = join_all(event.records.iter().map(|record| self.launch(record))).await;
        let mut response = SqsBatchResponse::default();
        for (record, report) in event.records.iter().zip(reports) {
            report::print(&report, SystemTime::now());
            if !leaves_queue(report.outcome) {
                response.add_failure(record.message_id.clone().unwrap_or_default());
            }
        }
        response
    }

    /// Takes one message as far as it gets.
    async fn launch(&self, record: &SqsMessage) -> Report {
        let mut report = Report::new(Outcome::Started);
        let stop = match timeout(TRIGGER_TIMEOUT, self.try_launch(record, &mut report)).await {
            Ok(Ok(())) => return report,
            Ok(Err(stop)) => stop,
            Err(_) => Stop::Failed {
                class: "timeout",
                reason: format!("AWS did not answer within {} s: will be tried again", TRIGGER_TIMEOUT.as_secs()),
            },
        };
        let (outcome, class, reason) = match stop {
            Stop::Refused { class, reason } => (Outcome::Refused, Some(class), reason),
            Stop::Busy { reason } => (Outcome::Busy, None, reason),
            Stop::Failed { class, reason } => (Outcome::Failed, Some(class), reason),
        };
        Report { outcome, class, reason: Some(reason), ..report }
    }

    /// The way of a trigger. Notes in `report` what is known of it so far.
    async fn try_launch(&self, record: &SqsMessage, report: &mut Report) -> Result<(), Stop> {
        let delivery = Delivery::open(record, &self.topic_arn)?;
        report.trigger = Some(delivery.trigger_id.clone());

        let trigger = delivery.trigger()?;
        report.project = Some(trigger.project.clone());
        report.branch = Some(trigger.branch.clone());
        report.commit.clone_from(&trigger.commit);

        register::check(&self.ssm, &self.config_path, &trigger).await?;

        if !delivery.is_fresh(SystemTime::now()) {
            match builds::find_answer(&self.codebuild, &self.config_path, &trigger, &delivery).await? {
                Some(Answer::Started(build)) => {
                    report.build = Some(build);
                    return Ok(());
                }
                Some(Answer::Covered(build)) => {
                    report.outcome = Outcome::Covered;
                    report.build = Some(build);
                    return Ok(());
                }
                None => {}
            }
        }
        let build = builds::start(&self.codebuild, &self.config_path, &trigger, &delivery.trigger_id).await?;
        report.build = Some(build);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aws_sdk_codebuild::operation::batch_get_builds::BatchGetBuildsOutput;
    use aws_sdk_codebuild::operation::list_builds_for_project::ListBuildsForProjectOutput;
    use aws_sdk_codebuild::operation::start_build::{StartBuildError, StartBuildInput, StartBuildOutput};
    use aws_sdk_codebuild::types::error::{AccountLimitExceededException, ResourceNotFoundException};
    use aws_sdk_codebuild::types::{Build, EnvironmentVariable, ProjectEnvironment, StatusType};
    use aws_sdk_ssm::operation::get_parameters::GetParametersOutput;
    use aws_sdk_ssm::types::{Parameter, ParameterType};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use serde_json::json;

    pub(crate) const TOPIC_ARN: &str = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws";
    pub(crate) const TRIGGER_ID: &str = "95df01b4-ee98-5cb9-9903-4c221d41eb5e";
    /// In the envelopes of [`record`].
    const PUBLISHED: &str = "2026-11-23T06:00:00.000Z";
    const PUBLISHED_SECONDS: i64 = 1_795_413_600;
    const ENTRY: &str = r#"{"gitUrl":"https://git.example/demo.git","command":"deploy.sh"}"#;
    const TRIGGER: &str = r#"{"project":"demo","branch":"main"}"#;
    const BUILD: &str = "iwomp-in-aws-demo:1";

    /// A queue message as SQS hands it to Lambda, on its `tries`th delivery.
    pub(crate) fn record(message: &str, tries: u32) -> SqsMessage {
        let envelope = json!({
            "Type": "Notification", "MessageId": TRIGGER_ID, "TopicArn": TOPIC_ARN, "Message": message,
            "Timestamp": PUBLISHED, "SignatureVersion": "1", "Signature": "x",
            "SigningCertURL": "https://sns.example/cert.pem", "UnsubscribeURL": "https://sns.example/unsubscribe",
        });
        serde_json::from_value(json!({
            "messageId": "queue-message-1",
            "body": envelope.to_string(),
            "attributes": {"ApproximateReceiveCount": tries.to_string()},
        }))
        .unwrap()
    }

    /// Names and values of a build's variables.
    type Variables = &'static [(&'static str, &'static str)];

    fn register(parameters: Vec<(&'static str, ParameterType, &'static str)>) -> Rule {
        mock!(aws_sdk_ssm::Client::get_parameters)
            .match_requests(|request| request.with_decryption() == Some(false))
            .then_output(move || {
                let parameters = parameters.iter().map(|(name, kind, value)| {
                    Parameter::builder().name(*name).r#type(kind.clone()).value(*value).build()
                });
                GetParametersOutput::builder().set_parameters(Some(parameters.collect())).build()
            })
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

    /// The history of the project: one successful build of main with these variables, begun that long after publication.
    fn history(variables: Variables, began_after_seconds: i64) -> [Rule; 2] {
        let list = mock!(aws_sdk_codebuild::Client::list_builds_for_project)
            .then_output(|| ListBuildsForProjectOutput::builder().ids(BUILD).build());
        let get = mock!(aws_sdk_codebuild::Client::batch_get_builds).then_output(move || {
            let mut environment = ProjectEnvironment::builder()
                .r#type("LINUX_CONTAINER".into())
                .image("image")
                .compute_type("BUILD_GENERAL1_SMALL".into());
            for (name, value) in variables {
                let variable = EnvironmentVariable::builder().name(*name).value(*value).build().unwrap();
                environment = environment.environment_variables(variable);
            }
            let build = Build::builder()
                .id(BUILD)
                .build_status(StatusType::Succeeded)
                .start_time(aws_sdk_codebuild::primitives::DateTime::from_secs(PUBLISHED_SECONDS + began_after_seconds))
                .environment(environment.build().unwrap());
            BatchGetBuildsOutput::builder().builds(build.build()).build()
        });
        [list, get]
    }

    fn launcher(ssm: &[&Rule], codebuild: &[&Rule]) -> Launcher {
        Launcher {
            config_path: ConfigPath::parse("iwomp-in-aws").unwrap(),
            topic_arn: TOPIC_ARN.to_owned(),
            ssm: mock_client!(aws_sdk_ssm, RuleMode::MatchAny, ssm),
            codebuild: mock_client!(aws_sdk_codebuild, RuleMode::MatchAny, codebuild),
        }
    }

    /// The report on `message`, whose second delivery is what the old timestamp of [`record`] amounts to anyway.
    async fn report(launcher: &Launcher, message: &str) -> Report {
        launcher.launch(&record(message, 2)).await
    }

    fn no_history() -> Rule {
        mock!(aws_sdk_codebuild::Client::list_builds_for_project)
            .then_output(|| ListBuildsForProjectOutput::builder().build())
    }

    #[tokio::test]
    async fn a_trigger_starts_its_projects_build_with_the_four_variables_and_nothing_else() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let start = build_starts(move |request| {
            let variables = request.environment_variables_override();
            let values: Vec<_> = variables.iter().map(|variable| (variable.name(), variable.value())).collect();
            let expected =
                [("PROJECTNAME", "demo"), ("GITBRANCH", "main"), ("GITCOMMIT", commit), ("TRIGGERID", TRIGGER_ID)];
            let only = StartBuildInput::builder()
                .project_name("iwomp-in-aws-demo")
                .idempotency_token(TRIGGER_ID)
                .set_environment_variables_override(Some(variables.to_vec()));
            values == expected && *request == only.build().unwrap()
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
        let empty = launcher(&[&register(vec![])], &[]);
        let unknown = report(&empty, TRIGGER).await;
        assert_eq!((unknown.outcome, unknown.class), (Outcome::Refused, Some("unknown_project")));

        let launcher = launcher(&[&plain_entry()], &[]);
        let foreign = report(&launcher, r#"{"project":"demo","branch":"evil"}"#).await;
        assert_eq!((foreign.outcome, foreign.class), (Outcome::Refused, Some("branch_not_allowed")));
    }

    #[tokio::test]
    async fn a_project_that_requires_a_commit_is_not_deployed_without() {
        const ENTRY: &str = r#"{"gitUrl":"https://git.example/demo.git","command":"x","requireCommit":true}"#;
        let entry = register(vec![("/iwomp-in-aws/demo", ParameterType::String, ENTRY)]);
        let launcher = launcher(&[&entry], &[&no_history(), &build_starts(|_| true)]);
        assert_eq!(report(&launcher, TRIGGER).await.class, Some("commit_required"));
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
            let launcher = launcher(&[&register(vec![("/iwomp-in-aws/demo", ParameterType::String, entry)])], &[]);
            let report = report(&launcher, TRIGGER).await;
            let reason = report.reason.unwrap();
            assert_eq!((report.outcome, report.class), (Outcome::Refused, Some("malformed_register")));
            assert!(reason.contains("/iwomp-in-aws/demo") && reason.contains(key), "{reason}");
            assert!(!reason.contains("canary-5"), "{reason}");
        }
    }

    #[tokio::test]
    async fn the_default_lies_under_the_entry() {
        let parameters = vec![
            ("/iwomp-in-aws/demo", ParameterType::String, r#"{"gitUrl":"https://git.example/demo.git"}"#),
            ("/iwomp-in-aws/_default", ParameterType::String, r#"{"command":"x","branches":["prod"]}"#),
        ];
        let launcher = launcher(&[&register(parameters)], &[]);
        assert_eq!(report(&launcher, TRIGGER).await.class, Some("branch_not_allowed"));
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
        assert!(
            reason.contains("starting iwomp-in-aws-demo") && reason.contains("Project cannot be found"),
            "{reason}"
        );
    }

    #[tokio::test]
    async fn a_trigger_whose_build_exists_is_not_started_again() {
        let [list, get] = history(&[("TRIGGERID", TRIGGER_ID), ("GITBRANCH", "main")], 1);
        let launcher = launcher(&[&plain_entry()], &[&list, &get]);
        let report = report(&launcher, TRIGGER).await;
        assert_eq!((report.outcome, report.build.as_deref()), (Outcome::Started, Some(BUILD)));
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
        let pinned_trigger = format!(r#"{{"project":"demo","branch":"main","commit":"{COMMIT}"}}"#);
        let cases: [(&str, Variables, i64); 5] = [
            (TRIGGER, &[("GITBRANCH", "main")], 5), // just within what the clocks may differ
            (TRIGGER, &[("GITBRANCH", "main")], 0), // began before, as far as clocks tell
            (TRIGGER, &[("GITBRANCH", "master")], 60), // another branch
            (TRIGGER, &[("GITBRANCH", "main"), ("GITCOMMIT", COMMIT)], 60), // a pinned build may be an old commit
            (&pinned_trigger, &[("GITBRANCH", "main")], 60), // the head may be another commit by then
        ];
        for (message, variables, began_after_seconds) in cases {
            let [list, get] = history(variables, began_after_seconds);
            let launcher = launcher(&[&plain_entry()], &[&list, &get, &build_starts(|_| true)]);
            assert_eq!(report(&launcher, message).await.outcome, Outcome::Started, "{message} {variables:?}");
        }
    }
}
