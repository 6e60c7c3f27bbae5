//! What the tests share: events as AWS documents them, and an AWS that holds what a test puts in and notes what the notifier
//! does to it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_codebuild::error::ErrorMetadata;
use aws_sdk_codebuild::operation::batch_get_builds::BatchGetBuildsOutput;
use aws_sdk_codebuild::operation::list_builds_for_project::ListBuildsForProjectError;
use aws_sdk_codebuild::types::error::ResourceNotFoundException;
use aws_sdk_codebuild::types::{Build, StatusType};
use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
use aws_sdk_sqs::operation::get_queue_attributes::{GetQueueAttributesError, GetQueueAttributesOutput};
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_ssm::operation::delete_parameter::{DeleteParameterError, DeleteParameterOutput};
use aws_sdk_ssm::operation::get_parameter::{GetParameterError, GetParameterOutput};
use aws_sdk_ssm::operation::put_parameter::{PutParameterError, PutParameterOutput};
use aws_sdk_ssm::types::error::ParameterNotFound;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use aws_smithy_types::base64;
use flate2::Compression;
use flate2::write::GzEncoder;
pub use iwomp_aws::fixtures::{
    COMMIT, EPOCH_SECONDS, build, build_of, config_path, failed_with, is_harmless, project, record, with_variables,
};
use iwomp_aws::fixtures::{build_rules, history_rules, parameters_rule};
use serde_json::{Value, json};

use crate::environment::Environment;
use crate::notifier::Notifier;

pub const KEEPER: &str = "arn:aws:iam::123456789012:role/terraform";
pub const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/terraform/apply";
pub const REPORTS: &str = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports";
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const QUEUE: &str = "https://sqs.example/triggers";
const DELIVERIES: &str = "https://sqs.example/deliveries.fifo";
const DEAD_LETTERS: &str = "https://sqs.example/dead";

/// The shape of <https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications-ref.html>.
pub fn build_ended(build_project: &str) -> Value {
    let build = format!(
        "arn:aws:codebuild:eu-central-1:123456789012:build/{build_project}:8745a7a9-c340-456a-9166-edf953571bEX"
    );
    json!({
        "version": "0",
        "id": "c030038d-8c4d-6141-9545-00ff7b7153EX",
        "detail-type": "CodeBuild Build State Change",
        "source": "aws.codebuild",
        "account": "123456789012",
        "time": "2026-11-23T06:07:00Z",
        "region": "eu-central-1",
        "resources": [build],
        "detail": {
            "build-status": "SUCCEEDED",
            "project-name": build_project,
            "build-id": build,
            "additional-information": {
                "artifact": {"location": ""},
                "environment": {
                    "image": "aws/codebuild/standard:5.0",
                    "privileged-mode": false,
                    "compute-type": "BUILD_GENERAL1_SMALL",
                    "type": "LINUX_CONTAINER",
                    "environment-variables": [{"name": "GITBRANCH", "type": "PLAINTEXT", "value": "lie-1"}]
                },
                "timeout-in-minutes": 60.0,
                "build-complete": true,
                "build-number": 99.0,
                "initiator": "iwomp-in-aws--eu-central-1--launcher/iwomp-in-aws--launcher",
                "build-start-time": "Nov 23, 2026 6:06:10 AM",
                "source": {"type": "NO_SOURCE"},
                "logs": {
                    "group-name": "/aws/codebuild/lie-2",
                    "stream-name": "8745a7a9-c340-456a-9166-edf953571bEX",
                    "deep-link": "https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1#lie-3"
                },
                "phases": [{
                    "phase-context": ["lie-4: "],
                    "start-time": "Nov 23, 2026 6:06:10 AM",
                    "end-time": "Nov 23, 2026 6:06:11 AM",
                    "duration-in-seconds": 1.0,
                    "phase-type": "BUILD",
                    "phase-status": "SUCCEEDED"
                }, {"start-time": "Nov 23, 2026 6:06:59 AM", "phase-type": "COMPLETED"}]
            },
            "current-phase": "COMPLETED",
            "current-phase-context": "[lie-5: ]",
            "version": "1"
        }
    })
}

/// The shape of EventBridge's "AWS API Call via CloudTrail", with CloudTrail's `userIdentity` of a role's session.
pub fn put_parameter(name: &str) -> Value {
    json!({
        "version": "0",
        "id": "36eb8523-97d0-4518-b33d-ee3579ff19f0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ssm",
        "account": "123456789012",
        "time": "2026-11-23T06:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROAIDPPEZS35WEXAMPLE:apply",
                "arn": SESSION,
                "accountId": "123456789012",
                "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROAIDPPEZS35WEXAMPLE",
                        "arn": KEEPER,
                        "accountId": "123456789012",
                        "userName": "terraform"
                    },
                    "attributes": {"creationDate": "2026-11-23T05:58:00Z", "mfaAuthenticated": "false"}
                }
            },
            "eventTime": "2026-11-23T06:00:00Z",
            "eventSource": "ssm.amazonaws.com",
            "eventName": "PutParameter",
            "awsRegion": "eu-central-1",
            "sourceIPAddress": "203.0.113.7",
            "userAgent": "aws-cli/2.31.0",
            "requestParameters": {
                "name": name, "value": "HIDDEN_DUE_TO_SECURITY_REASONS", "type": "String", "overwrite": true
            },
            "responseElements": {"version": 2, "tier": "Standard"},
            "requestID": "f0a586f8-c550-4b10-b538-4b32c6b132d6",
            "eventID": "b8f28767-d9c0-41ca-8aa0-878a68b2bca4",
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": "123456789012",
            "eventCategory": "Management"
        }
    })
}

/// The shape of <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>.
pub fn awslogs(lines: &[&str]) -> Value {
    let events: Vec<_> =
        lines.iter().map(|line| json!({"id": "1", "timestamp": EPOCH_SECONDS * 1000, "message": line})).collect();
    let data =
        json!({"messageType": "DATA_MESSAGE", "logGroup": "/aws/lambda/iwomp-in-aws--launcher", "logEvents": events});
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(data.to_string().as_bytes()).unwrap();
    json!({"awslogs": {"data": base64::encode(packed.finish().unwrap())}})
}

/// A parameter that was written when the first build began, `days` before.
pub fn parameter(name: &str, value: &str, days: u32) -> Parameter {
    let seconds = EPOCH_SECONDS - i64::from(days) * 24 * 60 * 60;
    Parameter::builder()
        .name(name)
        .value(value)
        .r#type(ParameterType::String)
        .version(3)
        .last_modified_date(aws_sdk_ssm::primitives::DateTime::from_secs(seconds))
        .build()
}

pub fn mark(number: i64) -> String {
    format!(r#"{{"build_number":{number},"build":"iwomp-in-aws--demo:{number}","time":"2026-11-23T06:00:30Z"}}"#)
}

/// An AWS in which nothing has happened, unless said.
#[derive(Clone, Default)]
pub struct Aws {
    /// Oldest first.
    pub builds: Vec<Build>,
    /// The number of a build that succeeds as soon as anything was handed over.
    pub ended_since: Option<i64>,
    /// How many build ids CodeBuild lists at once; 0 is its own 100.
    pub page: usize,
    /// Projects and the text of their marks.
    pub marks: Vec<(&'static str, String)>,
    /// The versions of what is live of demo's main.
    pub live: Vec<String>,
    /// Names of parameters.
    pub register: Vec<String>,
    /// Whole parameters, in the register and below what is live.
    pub parameters: Vec<Parameter>,
    /// Names of parameters that are written once more after they were listed.
    pub written_meanwhile: Vec<&'static str>,
    /// A parameter that ends so cannot be removed.
    pub undeletable: Option<&'static str>,
    /// Registered, but CodeBuild knows nothing of them.
    pub missing: Vec<&'static str>,
    /// The project of which CodeBuild does not allow a look.
    pub forbidden: Option<&'static str>,
    /// A report that contains it is not published.
    pub unpublishable: Option<&'static str>,
    pub marks_are_read_only: bool,
    /// Visible, not visible and delayed triggers.
    pub triggers: Option<[u64; 3]>,
}

/// What was done to it.
#[derive(Debug, Default)]
pub struct Done {
    /// Subject and message.
    pub published: Vec<(String, Value)>,
    /// Group and body of what lies in the queue of deliveries.
    pub handed_over: Vec<(String, Value)>,
    /// Parameter and value.
    pub marks: Vec<(String, String)>,
    /// Names of parameters.
    pub removed: Vec<String>,
}

impl Done {
    pub fn subjects(&self) -> Vec<&str> {
        self.published.iter().map(|(subject, _)| subject.as_str()).collect()
    }

    /// The build that each project is marked up to.
    pub fn marked(&self) -> Vec<(&str, i64)> {
        let number = |value: &str| serde_json::from_str::<Value>(value).unwrap()["build_number"].as_i64().unwrap();
        self.marks.iter().map(|(name, value)| (name.as_str(), number(value))).collect()
    }
}

impl Aws {
    pub fn notifier(&self) -> (Notifier, Arc<Mutex<Done>>) {
        let done = Arc::default();
        let notifier = Notifier {
            environment: Environment {
                config_path: config_path(),
                reports_topic_arn: REPORTS.to_owned(),
                queue_url: QUEUE.to_owned(),
                dead_letter_queue_url: DEAD_LETTERS.to_owned(),
                deliveries_queue_url: DELIVERIES.to_owned(),
                register_keepers: vec![KEEPER.to_owned()],
                records_kept: Some(DAY * 400),
            },
            codebuild: self.codebuild(&done),
            sns: self.sns(&done),
            sqs: self.sqs(&done),
            ssm: self.ssm(&done),
        };
        (notifier, done)
    }

    fn codebuild(&self, done: &Arc<Mutex<Done>>) -> aws_sdk_codebuild::Client {
        use aws_sdk_codebuild::Client;
        let (missing, forbidden) = (self.missing.clone(), self.forbidden);
        let not_found = mock!(Client::list_builds_for_project)
            .match_requests(move |input| {
                let project = input.project_name().unwrap_or_default();
                missing.iter().any(|missing| project == format!("iwomp-in-aws--{missing}"))
            })
            .then_error(|| {
                let cause = ResourceNotFoundException::builder().message("cannot be found").build();
                ListBuildsForProjectError::ResourceNotFoundException(cause)
            });
        let denied = mock!(Client::list_builds_for_project)
            .match_requests(move |input| {
                forbidden.is_some_and(|it| input.project_name().is_some_and(|project| project.ends_with(it)))
            })
            .then_error(|| {
                let metadata = ErrorMetadata::builder().code("AccessDeniedException").message("not allowed\u{1b}[31m");
                ListBuildsForProjectError::generic(metadata.build())
            });
        let (done, ended) = (Arc::clone(done), self.ended_since.map(|number| build(number, StatusType::Succeeded)));
        let mut since = self.builds.clone();
        since.retain(|build| ended.as_ref().is_some_and(|ended| ended.id() != build.id()));
        since.extend(ended);
        let has_ended = self.ended_since.is_some();
        let ended = mock!(Client::batch_get_builds)
            .match_requests(move |_| has_ended && !done.lock().unwrap().handed_over.is_empty())
            .then_compute_output(move |_| BatchGetBuildsOutput::builder().set_builds(Some(since.clone())).build());
        let rules = build_rules(self.builds.clone(), if self.page == 0 { 100 } else { self.page });
        mock_client!(aws_sdk_codebuild, RuleMode::MatchAny, [&not_found, &denied, &ended].into_iter().chain(&rules))
    }

    fn sns(&self, done: &Arc<Mutex<Done>>) -> aws_sdk_sns::Client {
        use aws_sdk_sns::Client;
        let unpublishable = self.unpublishable;
        let denied = mock!(Client::publish)
            .match_requests(move |input| unpublishable.is_some_and(|it| input.message().unwrap().contains(it)))
            .then_error(|| {
                let metadata = ErrorMetadata::builder().code("AuthorizationError").message("not allowed to publish");
                PublishError::generic(metadata.build())
            });
        let done = Arc::clone(done);
        let publish = mock!(Client::publish)
            .match_requests(|input| input.topic_arn() == Some(REPORTS))
            .then_compute_output(move |input| {
                let message = serde_json::from_str(input.message().unwrap()).unwrap();
                done.lock().unwrap().published.push((input.subject().unwrap().to_owned(), message));
                PublishOutput::builder().build()
            });
        mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&denied, &publish])
    }

    fn sqs(&self, done: &Arc<Mutex<Done>>) -> aws_sdk_sqs::Client {
        use QueueAttributeName as Name;
        use aws_sdk_sqs::Client;
        let triggers = self.triggers;
        let unknown = mock!(Client::get_queue_attributes)
            .match_requests(move |input| triggers.is_none() && input.queue_url() == Some(QUEUE))
            .then_error(|| {
                let metadata = ErrorMetadata::builder().code("QueueDoesNotExist").message("no such queue");
                GetQueueAttributesError::generic(metadata.build())
            });
        let count = mock!(Client::get_queue_attributes).then_compute_output(move |input| {
            let [visible, not_visible, delayed] = triggers
                .filter(|_| input.queue_url() == Some(QUEUE))
                .unwrap_or([2, 0, 0])
                .map(|count| count.to_string());
            GetQueueAttributesOutput::builder()
                .attributes(Name::ApproximateNumberOfMessages, visible)
                .attributes(Name::ApproximateNumberOfMessagesNotVisible, not_visible)
                .attributes(Name::ApproximateNumberOfMessagesDelayed, delayed)
                .build()
        });
        let done = Arc::clone(done);
        let send = mock!(Client::send_message)
            .match_requests(|input| input.queue_url() == Some(DELIVERIES))
            .then_compute_output(move |input| {
                let body = serde_json::from_str(input.message_body().unwrap()).unwrap();
                done.lock().unwrap().handed_over.push((input.message_group_id().unwrap().to_owned(), body));
                SendMessageOutput::builder().build()
            });
        mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&unknown, &count, &send])
    }

    fn ssm(&self, done: &Arc<Mutex<Done>>) -> aws_sdk_ssm::Client {
        use aws_sdk_ssm::Client;
        let marks: Vec<_> = self
            .marks
            .iter()
            .map(|(project, value)| (format!("/iwomp-in-aws-reported/{project}"), value.clone()))
            .collect();
        let known: Vec<_> = marks.iter().map(|(name, _)| name.clone()).collect();
        let mark = mock!(Client::get_parameter)
            .match_requests(move |input| known.iter().any(|name| input.name() == Some(name)))
            .then_compute_output(move |input| {
                let value = marks.iter().find(|(name, _)| input.name() == Some(name)).map(|(_, value)| value.clone());
                GetParameterOutput::builder().parameter(Parameter::builder().set_value(value).build()).build()
            });
        let (parameters, written_meanwhile) = (self.parameters.clone(), self.written_meanwhile.clone());
        let find = move |name: Option<&str>| parameters.iter().find(|parameter| parameter.name() == name).cloned();
        let is_there = find.clone();
        let parameter = mock!(Client::get_parameter)
            .match_requests(move |input| is_there(input.name()).is_some() && input.with_decryption() == Some(false))
            .then_compute_output(move |input| {
                let mut found = find(input.name()).unwrap();
                found.version += i64::from(written_meanwhile.iter().any(|name| input.name() == Some(name)));
                GetParameterOutput::builder().parameter(found).build()
            });
        let no_mark = mock!(Client::get_parameter)
            .then_error(|| GetParameterError::ParameterNotFound(ParameterNotFound::builder().build()));

        let read_only = self.marks_are_read_only;
        let denied = mock!(Client::put_parameter).match_requests(move |_| read_only).then_error(|| {
            let metadata = ErrorMetadata::builder().code("AccessDeniedException").message("not allowed to put");
            PutParameterError::generic(metadata.build())
        });
        let undeletable = self.undeletable;
        let kept = mock!(Client::delete_parameter)
            .match_requests(move |input| undeletable.is_some_and(|it| input.name().unwrap().ends_with(it)))
            .then_error(|| {
                let metadata = ErrorMetadata::builder().code("AccessDeniedException").message("not allowed to delete");
                DeleteParameterError::generic(metadata.build())
            });
        let removed = Arc::clone(done);
        let delete = mock!(Client::delete_parameter).then_compute_output(move |input| {
            removed.lock().unwrap().removed.push(input.name().unwrap().to_owned());
            DeleteParameterOutput::builder().build()
        });
        let done = Arc::clone(done);
        let put = mock!(Client::put_parameter)
            .match_requests(|input| input.overwrite() == Some(true) && input.r#type() == Some(&ParameterType::String))
            .then_compute_output(move |input| {
                let (name, value) = (input.name().unwrap().to_owned(), input.value().unwrap().to_owned());
                done.lock().unwrap().marks.push((name, value));
                PutParameterOutput::builder().build()
            });

        let register = self.register.iter().map(|name| Parameter::builder().name(name).value("canary-9").build());
        let by_path = parameters_rule(register.chain(self.parameters.clone()).collect());
        let [history, no_history] = history_rules(self.live.clone());
        let rules = [&mark, &parameter, &no_mark, &denied, &put, &kept, &delete, &history, &no_history, &by_path];
        mock_client!(aws_sdk_ssm, RuleMode::MatchAny, rules)
    }
}
