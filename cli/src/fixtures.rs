//! What the tests share: a pipeline in an AWS that holds what a test puts in, notes what is done to it, and counts the calls.

use std::io::{self, Write};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use anstream::ColorChoice;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudwatchlogs::operation::filter_log_events::{FilterLogEventsError, FilterLogEventsOutput};
use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsOutput;
use aws_sdk_cloudwatchlogs::types::{FilteredLogEvent, OutputLogEvent};
use aws_sdk_codebuild::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_codebuild::config::{ConfigBag, Intercept};
use aws_sdk_codebuild::error::BoxError;
use aws_sdk_codebuild::operation::batch_get_projects::BatchGetProjectsOutput;
use aws_sdk_codebuild::operation::list_builds_for_project::ListBuildsForProjectError;
use aws_sdk_codebuild::operation::start_build::{StartBuildError, StartBuildOutput};
use aws_sdk_codebuild::operation::stop_build::StopBuildOutput;
use aws_sdk_codebuild::types::Build;
use aws_sdk_codebuild::types::error::{AccountLimitExceededException, ResourceNotFoundException};
use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
use aws_sdk_sns::types::error::NotFoundException;
use aws_sdk_sqs::operation::change_message_visibility::ChangeMessageVisibilityOutput;
use aws_sdk_sqs::operation::delete_message::DeleteMessageOutput;
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesOutput;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use aws_sdk_ssm::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_ssm::error::ErrorMetadata;
use aws_sdk_ssm::operation::delete_parameter::DeleteParameterOutput;
use aws_sdk_ssm::operation::describe_parameters::DescribeParametersOutput;
use aws_sdk_ssm::operation::get_parameter::{GetParameterError, GetParameterOutput};
use aws_sdk_ssm::operation::get_parameter_history::GetParameterHistoryError;
use aws_sdk_ssm::operation::get_parameters::GetParametersOutput;
use aws_sdk_ssm::operation::put_parameter::PutParameterOutput;
use aws_sdk_ssm::primitives::DateTime;
use aws_sdk_ssm::types::{Parameter, ParameterMetadata, ParameterType};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use contract::{Branch, CommitId, Description};
use iwomp_aws::fixtures::{self, config_path};
use serde_json::{Value, json};

pub use iwomp_aws::fixtures::{
    BUILD, COMMIT, EPOCH_SECONDS, TRIGGER_ID, build, build_of, failed_with, project, record,
};

use crate::arguments::Change;
use crate::pipeline::Pipeline;
use crate::terminal::Terminal;

pub fn branch(text: &str) -> Branch {
    Branch::parse(text).unwrap()
}

pub fn commit() -> CommitId {
    CommitId::parse(COMMIT).unwrap()
}

pub fn parameter(name: &str, value: &str) -> Parameter {
    Parameter::builder().name(name).value(value).r#type(ParameterType::String).build()
}

/// The register entry of a project: what it must have, and `more`.
pub fn entry(project: &str, more: &str) -> Parameter {
    let mut entry = json!({"gitUrl": "https://git.example/x.git", "command": "deploy.sh"});
    let more: Value = serde_json::from_str(more).unwrap();
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameter(&format!("/iwomp-in-aws/{project}"), &entry.to_string())
}

/// What somebody has read so far.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe without colours, and what came out of it; what is said about the answer goes nowhere.
pub fn terminal() -> (Terminal, Kept) {
    let kept = Kept::default();
    (Terminal::to(kept.clone(), io::sink(), None, ColorChoice::Never), kept)
}

/// The same, with what is said about the answer.
pub fn terminal_with_notes() -> (Terminal, Kept) {
    let kept = Kept::default();
    (Terminal::to(kept.clone(), kept.clone(), None, ColorChoice::Never), kept)
}

/// What clients are made of whose every call is answered with this.
pub fn answers(status: u16, body: impl Into<String>) -> SdkConfig {
    let body = body.into();
    let http = infallible_client_fn(move |_| http::Response::builder().status(status).body(body.clone()).unwrap());
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(http)
        .build()
}

/// An AWS in which nothing has happened, unless said.
pub struct Aws {
    pub parameters: Vec<Parameter>,
    /// Oldest first.
    pub builds: Vec<Build>,
    /// The versions of what is live of demo's main.
    pub live: Vec<String>,
    /// What the launcher has said, and when, in seconds since the epoch.
    pub lines: Vec<(i64, Value)>,
    /// What the notifier has said, likewise.
    pub reports: Vec<(i64, Value)>,
    /// What the courier has said, likewise.
    pub deliveries: Vec<(i64, Value)>,
    /// Whether the launcher has said more than anybody reads.
    pub is_endless: bool,
    /// The error that CloudWatch gives instead of the launcher's lines.
    pub lines_fault: Option<&'static str>,
    /// How often SSM says first that it is asked too often for the history of what is live.
    pub history_faults: usize,
    /// What every build has written into its log.
    pub log: Vec<&'static str>,
    /// The ARNs of the topics that are there.
    pub topics: Vec<&'static str>,
    /// Messages in the queue and in the dead-letter queue.
    pub messages: [u64; 2],
    /// The triggers in the dead-letter queue.
    pub dead: Vec<&'static str>,
    /// Whether `CodeBuild` starts no build.
    pub is_busy: bool,
    /// demo's stored Git credentials.
    pub secret: Option<String>,
    /// Whether nobody may decrypt them.
    pub is_sealed: bool,
}

impl Default for Aws {
    fn default() -> Self {
        let topics = vec!["arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--demo"];
        Self {
            parameters: Vec::new(),
            builds: Vec::new(),
            live: Vec::new(),
            lines: Vec::new(),
            reports: Vec::new(),
            deliveries: Vec::new(),
            is_endless: false,
            lines_fault: None,
            history_faults: 0,
            log: Vec::new(),
            topics,
            messages: [0, 0],
            dead: Vec::new(),
            is_busy: false,
            secret: None,
            is_sealed: false,
        }
    }
}

/// What was done to it.
#[derive(Debug, Default)]
pub struct Done {
    /// Topic and message.
    pub published: Vec<(String, Value)>,
    /// Names and values of parameters.
    pub written: Vec<(String, String)>,
    pub deleted: Vec<String>,
    /// Ids of builds.
    pub stopped: Vec<String>,
    /// Names and values of parameters that were written encrypted, with the pipeline's key.
    pub encrypted: Vec<(String, String)>,
    /// The triggers whose dead letters were sent to the launcher's queue, and taken out of theirs.
    pub sent_again: Vec<String>,
    /// How many dead letters were shown to others again.
    pub shown_again: usize,
    /// The `CodeBuild` project, and the variables that were given to the build.
    pub started: Vec<(String, Vec<(String, String)>)>,
    /// Which of the launcher's lines were asked for.
    pub patterns: Vec<String>,
    /// How often it was asked anything.
    pub calls: usize,
}

/// Who we are.
pub const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/operator/ada";

/// With `--yes`.
pub fn change() -> Change {
    Change { yes: true, dry_run: false }
}

pub fn dry_run() -> Change {
    Change { yes: false, dry_run: true }
}

type Noted = Arc<Mutex<Done>>;

/// Counts the calls, without which nothing says whether a command asks once for all projects or once for each.
#[derive(Clone)]
struct Counter(Noted);

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "Counter"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.lock().unwrap().calls += 1;
        Ok(())
    }
}

impl Aws {
    pub fn with<const COUNT: usize>(parameters: [Parameter; COUNT]) -> Self {
        Self { parameters: parameters.to_vec(), ..Self::default() }
    }

    pub fn pipeline(self) -> (Pipeline, Noted) {
        let done = Noted::default();
        let description = include_str!("../../contract/tests/description.json");
        let pipeline = Pipeline {
            config_path: config_path(),
            description: Description::parse(description, &config_path()).unwrap(),
            codebuild: self.codebuild(&done),
            logs: self.logs(&done),
            sns: self.sns(&done),
            sqs: self.sqs(&done),
            ssm: self.ssm(&done),
            sts: sts(),
            aws: SdkConfig::builder().build(),
        };
        (pipeline, done)
    }

    fn sns(&self, done: &Noted) -> aws_sdk_sns::Client {
        use aws_sdk_sns::Client;
        let topics = self.topics.clone();
        let unknown = mock!(Client::publish)
            .match_requests(move |input| !topics.contains(&input.topic_arn().unwrap()))
            .then_error(|| {
                PublishError::NotFoundException(NotFoundException::builder().message("no such topic").build())
            });
        let done = Arc::clone(done);
        let publish = mock!(Client::publish).then_compute_output(move |input| {
            let message = serde_json::from_str(input.message().unwrap()).unwrap();
            let published = (input.topic_arn().unwrap().to_owned(), message);
            done.lock().unwrap().published.push(published);
            PublishOutput::builder().message_id(TRIGGER_ID).build()
        });
        mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&unknown, &publish])
    }

    /// CodeBuild knows those projects of which there is a build.
    fn codebuild(&self, done: &Noted) -> aws_sdk_codebuild::Client {
        use aws_sdk_codebuild::Client;
        let builds = self.builds.clone();
        let unknown = mock!(Client::list_builds_for_project)
            .match_requests(move |input| !builds.iter().any(|build| build.project_name() == input.project_name()))
            .then_error(|| {
                let cause = ResourceNotFoundException::builder().message("cannot be found").build();
                ListBuildsForProjectError::ResourceNotFoundException(cause)
            });
        let (stopped, started) = (Arc::clone(done), Arc::clone(done));
        let stop = mock!(Client::stop_build).then_compute_output(move |input| {
            stopped.lock().unwrap().stopped.push(input.id().unwrap().to_owned());
            StopBuildOutput::builder().build()
        });
        let is_busy = self.is_busy;
        let full = mock!(Client::start_build).match_requests(move |_| is_busy).then_error(|| {
            let cause = AccountLimitExceededException::builder().message("Cannot have more than 1 builds in queue");
            StartBuildError::AccountLimitExceededException(cause.build())
        });
        let start = mock!(Client::start_build).then_compute_output(move |input| {
            let variables = input.environment_variables_override().iter();
            let variables = variables.map(|variable| (variable.name().to_owned(), variable.value().to_owned()));
            let name = input.project_name().unwrap().to_owned();
            let build = Build::builder().id(format!("{name}:8")).build();
            started.lock().unwrap().started.push((name, variables.collect()));
            StartBuildOutput::builder().build_value(build).build()
        });
        // What they look like, a test of it says itself.
        let described = mock!(Client::batch_get_projects).then_output(|| BatchGetProjectsOutput::builder().build());
        let known = fixtures::build_rules(self.builds.clone(), 100);
        let rules = [&unknown, &described].into_iter().chain(&known).chain([&stop, &full, &start]);
        let counter = Counter(done.clone());
        mock_client!(aws_sdk_codebuild, RuleMode::MatchAny, rules, move |conf| { conf.interceptor(counter.clone()) })
    }

    fn sqs(&self, done: &Noted) -> aws_sdk_sqs::Client {
        use aws_sdk_sqs::Client;
        let [waiting, dead] = self.messages;
        let count = mock!(Client::get_queue_attributes).then_compute_output(move |input| {
            let count = if input.queue_url().unwrap().ends_with("-dead") { dead } else { waiting };
            let name = QueueAttributeName::ApproximateNumberOfMessages;
            GetQueueAttributesOutput::builder().attributes(name, count.to_string()).build()
        });
        let hidden = Arc::new(Mutex::new(self.dead.clone()));
        let receive = mock!(Client::receive_message)
            .match_requests(|input| input.queue_url().unwrap().ends_with("-dead"))
            .then_compute_output(move |input| {
                let mut dead = hidden.lock().unwrap();
                let count = dead.len().min(usize::try_from(input.max_number_of_messages().unwrap()).unwrap());
                let letters = dead.drain(..count).map(|trigger| {
                    let body = json!({"Type": "Notification", "MessageId": trigger}).to_string();
                    Message::builder().message_id(trigger).receipt_handle(trigger).body(body).build()
                });
                ReceiveMessageOutput::builder().set_messages(Some(letters.collect())).build()
            });
        let send = mock!(Client::send_message)
            .match_requests(|input| !input.queue_url().unwrap().ends_with("-dead"))
            .then_output(|| SendMessageOutput::builder().build());
        let (deleted, shown) = (Arc::clone(done), Arc::clone(done));
        let delete = mock!(Client::delete_message).then_compute_output(move |input| {
            deleted.lock().unwrap().sent_again.push(input.receipt_handle().unwrap().to_owned());
            DeleteMessageOutput::builder().build()
        });
        let show = mock!(Client::change_message_visibility).then_compute_output(move |_| {
            shown.lock().unwrap().shown_again += 1;
            ChangeMessageVisibilityOutput::builder().build()
        });
        let (rules, counter) = ([&count, &receive, &send, &delete, &show], Counter(done.clone()));
        mock_client!(aws_sdk_sqs, RuleMode::MatchAny, rules, move |conf| conf.interceptor(counter.clone()))
    }

    fn ssm(&self, done: &Noted) -> aws_sdk_ssm::Client {
        use aws_sdk_ssm::Client;
        let (written, deleted, encrypted) = (Arc::clone(done), Arc::clone(done), Arc::clone(done));
        let put = mock!(Client::put_parameter)
            .match_requests(|input| input.overwrite() == Some(true) && input.r#type() == Some(&ParameterType::String))
            .then_compute_output(move |input| {
                let parameter = (input.name().unwrap().to_owned(), input.value().unwrap().to_owned());
                written.lock().unwrap().written.push(parameter);
                PutParameterOutput::builder().build()
            });
        let encrypt = mock!(Client::put_parameter)
            .match_requests(|input| {
                let is_encrypted = input.r#type() == Some(&ParameterType::SecureString);
                is_encrypted && input.key_id().is_some_and(|key| key.starts_with("arn:aws:kms:"))
            })
            .then_compute_output(move |input| {
                let parameter = (input.name().unwrap().to_owned(), input.value().unwrap().to_owned());
                encrypted.lock().unwrap().encrypted.push(parameter);
                PutParameterOutput::builder().build()
            });
        let delete = mock!(Client::delete_parameter).then_compute_output(move |input| {
            deleted.lock().unwrap().deleted.push(input.name().unwrap().to_owned());
            DeleteParameterOutput::builder().build()
        });
        let parameters = self.parameters.clone();
        let get = mock!(Client::get_parameters)
            .match_requests(|input| input.with_decryption() == Some(false))
            .then_compute_output(move |input| {
                let is_asked = |parameter: &&Parameter| input.names().iter().any(|name| parameter.name() == Some(name));
                let found = parameters.iter().filter(is_asked).cloned().collect();
                GetParametersOutput::builder().set_parameters(Some(found)).build()
            });
        let [told, opened, sealed] = self.credentials_rules();
        let by_path = fixtures::parameters_rule(self.parameters.clone());
        let [history, no_history] = fixtures::history_rules(self.live.clone());
        let faults = Arc::new(AtomicUsize::new(self.history_faults));
        let is_faulty = move || faults.try_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        let fault = mock!(Client::get_parameter_history).match_requests(move |_| is_faulty()).then_error(|| {
            GetParameterHistoryError::generic(ErrorMetadata::builder().code("ThrottlingException").build())
        });
        let (rules, counter) = (
            [&fault, &get, &by_path, &history, &no_history, &put, &encrypt, &delete, &told, &sealed, &opened],
            Counter(done.clone()),
        );
        mock_client!(aws_sdk_ssm, RuleMode::MatchAny, rules, move |conf| conf.interceptor(counter.clone()))
    }

    /// What SSM tells of demo's credentials, and what it gives to whom.
    fn credentials_rules(&self) -> [Rule; 3] {
        use aws_sdk_ssm::Client;
        const NAME: &str = "/iwomp-in-aws-credentials/demo";
        let metadata = ParameterMetadata::builder().name(NAME).r#type(ParameterType::SecureString).version(3);
        let metadata =
            metadata.key_id("alias/iwomp-in-aws").last_modified_date(DateTime::from_secs(EPOCH_SECONDS)).build();
        let metadata: Vec<_> = self.secret.iter().map(|_| metadata.clone()).collect();
        let told = mock!(Client::describe_parameters)
            .then_output(move || DescribeParametersOutput::builder().set_parameters(Some(metadata.clone())).build());
        let (secret, is_sealed) = (self.secret.clone(), self.is_sealed);
        let opened = mock!(Client::get_parameter)
            .match_requests(|input| input.name() == Some(NAME) && input.with_decryption() == Some(true))
            .then_output(move || {
                let parameter = Parameter::builder().name(NAME).set_value(secret.clone()).build();
                GetParameterOutput::builder().parameter(parameter).build()
            });
        let sealed = mock!(Client::get_parameter).match_requests(move |_| is_sealed).then_error(|| {
            GetParameterError::generic(
                ErrorMetadata::builder().code("AccessDeniedException").message("kms:Decrypt").build(),
            )
        });
        [told, opened, sealed]
    }

    /// CloudWatch gives all of the launcher's lines since a time: that it keeps to a pattern is not counted on. A log has pages of
    /// two lines, of which the first is empty, and no end but a token that stays the same.
    fn logs(&self, done: &Noted) -> aws_sdk_cloudwatchlogs::Client {
        use aws_sdk_cloudwatchlogs::Client;
        let event = |(seconds, line): &(i64, Value)| {
            FilteredLogEvent::builder().timestamp(seconds * 1000).message(format!("{line}\n")).build()
        };
        let events: Vec<_> = self.lines.iter().map(event).collect();
        let reports: Vec<_> = self.reports.iter().map(event).collect();
        let deliveries: Vec<_> = self.deliveries.iter().map(event).collect();
        let fault = self.lines_fault;
        let faulty = mock!(Client::filter_log_events).match_requests(move |_| fault.is_some()).then_error(move || {
            let code = fault.unwrap_or_default();
            FilterLogEventsError::generic(ErrorMetadata::builder().code(code).message("logs:FilterLogEvents").build())
        });
        let token = self.is_endless.then(|| "more".to_owned());
        let asked = Arc::clone(done);
        let filter = mock!(Client::filter_log_events).then_compute_output(move |input| {
            asked.lock().unwrap().patterns.push(input.filter_pattern().unwrap_or_default().to_owned());
            let events = match input.log_group_name().unwrap().rsplit('-').next() {
                Some("launcher") => &events,
                Some("courier") => &deliveries,
                _ => &reports,
            };
            let is_of_then = |event: &&FilteredLogEvent| {
                let is_over = input.end_time().is_some_and(|end| event.timestamp() > Some(end));
                event.timestamp() >= input.start_time() && !is_over
            };
            let page = FilterLogEventsOutput::builder().set_next_token(token.clone());
            page.set_events(Some(events.iter().filter(is_of_then).cloned().collect())).build()
        });
        let log = self.log.clone();
        let get = mock!(Client::get_log_events)
            .match_requests(|input| input.start_from_head() == Some(true))
            .then_compute_output(move |input| {
                let page: usize = input.next_token().map_or(0, |token| token.parse().unwrap());
                let lines = log.iter().skip(2 * page.saturating_sub(1)).take(if page == 0 { 0 } else { 2 });
                let event = |line: &&str| {
                    OutputLogEvent::builder().timestamp(EPOCH_SECONDS * 1000).message(format!("{line}\n")).build()
                };
                let token = (page + 1).min(1 + log.len().div_ceil(2));
                GetLogEventsOutput::builder()
                    .set_events(Some(lines.map(event).collect()))
                    .next_forward_token(token.to_string())
                    .build()
            });
        let counter = Counter(done.clone());
        mock_client!(aws_sdk_cloudwatchlogs, RuleMode::MatchAny, [&faulty, &filter, &get], move |conf| {
            conf.interceptor(counter.clone())
        })
    }
}

fn sts() -> aws_sdk_sts::Client {
    use aws_sdk_sts::Client;
    let whoever =
        mock!(Client::get_caller_identity).then_output(|| GetCallerIdentityOutput::builder().arn(CALLER).build());
    mock_client!(aws_sdk_sts, RuleMode::MatchAny, [&whoever])
}
