//! Takes a parcel out of the queue: for all of a project's targets it is divided, for one it is carried there.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use contract::broker::Purpose;
use contract::register::{CredentialSource, Project, State, Target, TargetKind};
use contract::{Event, ProjectName, TargetSecret, parameter, printable};
use iwomp_aws::aws_error;
use iwomp_aws::broker::Broker;
use iwomp_aws::host::{Message, Verdict};
use iwomp_aws::metric::{self, Metric};
use iwomp_aws::parameters::Entry;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Courier;
use super::deployment::Deployment;
use super::host;
use super::message::{deployment, event, is_decided, is_shown, message, revocation};
use super::parcel::Parcel;
use crate::notifier::MAX_REASON_CHARS;
use crate::report;

/// Between two tries: twice as long each time, up to a quarter of an hour, and not before the time that a host asks for.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(900);
/// What a host may ask for: GitHub's limit is one of an hour.
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(3600);
/// For all requests of one delivery: the function has 60 s, also for what it asks of AWS.
const TELLING: Duration = Duration::from_secs(40);
/// Of these, for a token of the GitHub App before; and beside them, to give it back.
const MINTING: Duration = Duration::from_secs(15);
const GIVING_BACK: Duration = Duration::from_secs(3);
/// Then SQS lays the message aside: Terraform's `maxReceiveCount`.
const MAX_TRIES: u32 = 10;

const NOT_SHOWN: &str = "a Git host is told of builds that ran, at a commit that is known";

/// Of an event, by which rules of the bus find it.
const EVENT_SOURCE: &str = "iwomp";
const DETAIL_TYPE: &str = "iwomp Deployment State Change";

/// What became of a parcel.
enum Fate {
    Gone,
    /// It is tried again, after so long.
    Again(String, Option<Duration>),
    /// Nobody is to be told, for this reason.
    Dropped(&'static str),
    /// No further try can help: it is laid aside, for a person.
    Aside(String),
}

impl Courier {
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        for record in &event.records {
            // Within a group nothing goes before what waits; Terraform sends one message at a time, and this holds for more.
            let waits = !response.batch_item_failures.is_empty();
            if waits || !self.take(record).await {
                response.add_failure(record.message_id.clone().unwrap_or_default());
            }
        }
        response
    }

    /// Whether the message has left the queue.
    async fn take(&self, record: &SqsMessage) -> bool {
        let body = record.body.as_deref().unwrap_or_default();
        let Some(parcel) = Parcel::parse(body) else {
            self.say(None, "failed", "a message of the queue is none of the notifier's: see who may send to it");
            return true;
        };
        let fate = match &parcel.target {
            None => self.divide(&parcel, record.message_id.as_deref().unwrap_or_default()).await,
            Some(name) => self.carry(&parcel, name).await,
        };
        match fate.unwrap_or_else(|error| Fate::Again(format!("{error:#}"), None)) {
            Fate::Gone => true,
            Fate::Dropped(reason) => {
                self.say(Some(&parcel), "dropped", reason);
                true
            }
            Fate::Again(reason, after) => {
                self.say(Some(&parcel), if tries(record) < MAX_TRIES { "waits" } else { "failed" }, &reason);
                self.postpone(record, after).await;
                false
            }
            Fate::Aside(reason) => {
                self.say(Some(&parcel), "failed", &reason);
                match parcel.send(&self.sqs, &self.environment.dead_letter_queue_url, body).await {
                    Ok(()) => true,
                    // SQS lays it aside itself, after some more tries.
                    Err(_) => false,
                }
            }
        }
    }

    /// Hands the news on, to each target by a message of its own: so one that does not answer holds up no other.
    async fn divide(&self, parcel: &Parcel, id: &str) -> Result<Fate> {
        let entry = match parcel.project() {
            Some(project) => match self.entry(&project).await? {
                // Names can be invented: where AWS fails before the launcher has looked, they come as far as this.
                Entry::Missing => return Ok(Fate::Dropped("there is no such project")),
                entry => Some(entry),
            },
            None => None,
        };
        if let (Some(Entry::Read(entry)), Some(state)) = (&entry, parcel.state()) {
            for target in entry.notify.iter().filter(|target| parcel.is_for(target, state)) {
                let parcel = Parcel { target: Some(target.name.clone()), for_topic: false, ..parcel.clone() };
                parcel.send(&self.sqs, &self.environment.queue_url, id).await?;
            }
        }
        // Last, for a mail that went out comes again if what follows fails.
        if parcel.for_topic {
            let subject = report::subject_of(parcel.text("project"), parcel.text("branch"), parcel.text("outcome"));
            report::publish(&self.sns, &self.environment.reports_topic_arn, &subject, &parcel.report).await?;
        }
        Ok(match entry {
            Some(Entry::Unreadable) => {
                Fate::Dropped("the entry cannot be read without decryption, or is broken: it has no targets")
            }
            _ => Fate::Gone,
        })
    }

    async fn carry(&self, parcel: &Parcel, name: &str) -> Result<Fate> {
        let (Some(project), Some(state)) = (parcel.project(), parcel.state()) else {
            return Ok(Fate::Dropped("it tells of no project"));
        };
        let Entry::Read(entry) = self.entry(&project).await? else {
            return Ok(Fate::Dropped("the entry is gone, or cannot be read"));
        };
        let Some(target) = entry.notify.iter().find(|target| target.name == name) else {
            return Ok(Fate::Dropped("the entry has no such target any more"));
        };
        let link = self.link(&project, parcel.text("build"));
        if target.kind == TargetKind::EventBridge {
            return self.put(parcel, event(parcel, state, link)).await;
        }
        if target.kind.is_git_host() && !is_shown(parcel, state, target) {
            return Ok(Fate::Dropped(NOT_SHOWN));
        }
        let parameter = parameter::notify(&self.environment.config_path, &project, name);
        let aside = |reason: &str| Ok(Fate::Aside(format!("{parameter}: {reason}")));
        let is_of_app = target.kind == TargetKind::GitHub && entry.credential_source == CredentialSource::GitHubApp;
        match self.secret(&parameter).await? {
            None if is_of_app => match self.token_of_app(&project).await {
                Ok(token) => {
                    let fate = self.bring((parcel, state), target, &token, &entry, link, TELLING - MINTING).await;
                    give_back(target, &token, &entry).await;
                    Ok(fate)
                }
                Err(fate) => Ok(fate),
            },
            None => aside("there is no such parameter: iwomp secret set --target stores it"),
            Some(stored) if stored.r#type() != Some(&ParameterType::SecureString) => {
                aside("it is no SecureString, and many can read it: withdraw the secret, and store a new one")
            }
            Some(stored) => match TargetSecret::parse(stored.value().unwrap_or_default(), target.kind) {
                Ok(secret) => Ok(self.bring((parcel, state), target, &secret, &entry, link, TELLING).await),
                Err(error) => aside(&format!("what is stored there {error}")),
            },
        }
    }

    /// Tells the target, with this secret.
    async fn bring(
        &self,
        (parcel, state): (&Parcel, State),
        target: &Target,
        secret: &TargetSecret,
        entry: &Project,
        link: Option<String>,
        within: Duration,
    ) -> Fate {
        let reason =
            |reason: &str| printable(&format!("{} ({}): {reason}", target.name, secret.host), MAX_REASON_CHARS);
        let deployment = deployment(parcel, state, target, secret, &entry.git_url, link.clone());
        let message = message(parcel, state, target, secret, &entry.git_url, link, SystemTime::now());
        let (message, deployment) = match message.and_then(|message| Ok((message, deployment?))) {
            Ok((Some(message), deployment)) => (message, deployment),
            Ok((None, _)) => return Fate::Dropped(NOT_SHOWN),
            Err(why) => return Fate::Aside(reason(why)),
        };
        let connector = match connector(target, secret, entry) {
            Ok(connector) => connector,
            Err(error) => return Fate::Aside(reason(&format!("{error:#}"))),
        };
        let slow = |_| Err(Verdict::Later { reason: "the host is slow".to_owned(), after: None });
        let told = timeout(within, tell(&connector, &message, deployment.as_ref())).await.unwrap_or_else(slow);
        match told {
            Ok(()) => {
                self.say(Some(parcel), "delivered", "");
                Fate::Gone
            }
            Err(Verdict::Later { reason: why, after }) => Fate::Again(reason(&why), after),
            // A trigger may pin what the host has never seen. Whoever publishes such is to ring no alarm.
            Err(Verdict::Never { .. }) if target.kind.is_git_host() && !is_decided(state, target) => {
                Fate::Dropped("the host does not take it, and it tells of no success and no failure")
            }
            Err(Verdict::Never { reason: why }) => Fate::Aside(reason(&why)),
        }
    }

    /// A token for the project's repository, to tell of its deployments.
    async fn token_of_app(&self, project: &ProjectName) -> Result<TargetSecret, Fate> {
        let broker = Broker::new(self.lambda.clone(), &self.environment.config_path, project, Purpose::Notify);
        match timeout(MINTING, broker.mint()).await {
            Ok(Ok(minted)) => Ok(minted.into()),
            Ok(Err(refusal)) if refusal.is_lasting => Err(Fate::Aside(refusal.reason)),
            Ok(Err(refusal)) => Err(Fate::Again(refusal.reason, None)),
            Err(_) => Err(Fate::Again("the broker is slow".to_owned(), None)),
        }
    }

    /// Puts an event on the platform team's bus.
    async fn put(&self, parcel: &Parcel, event: Value) -> Result<Fate> {
        let Some(bus) = &self.environment.event_bus_arn else {
            return Ok(Fate::Aside("there is no event bus: event_bus_arn in Terraform names one".to_owned()));
        };
        let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source(EVENT_SOURCE).detail_type(DETAIL_TYPE);
        let call = self.events.put_events().entries(entry.detail(event.to_string()).build()).send();
        let answer = call.await.map_err(aws_error).with_context(|| format!("putting an event on {bus}"))?;
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            Some(code) => Ok(Fate::Again(format!("putting an event on {bus}: {code}"), None)),
            None => {
                self.say(Some(parcel), "delivered", "");
                Ok(Fate::Gone)
            }
        }
    }

    async fn entry(&self, project: &ProjectName) -> Result<Entry> {
        Entry::read(&self.ssm, &self.environment.config_path, project).await
    }

    async fn secret(&self, name: &str) -> Result<Option<Parameter>> {
        match self.ssm.get_parameter().name(name).with_decryption(true).send().await {
            Ok(answer) => Ok(answer.parameter),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => Ok(None),
            Err(error) => Err(aws_error(error)).with_context(|| format!("reading {name}")),
        }
    }

    /// The build's page in the console.
    fn link(&self, project: &ProjectName, build: &str) -> Option<String> {
        let (project, run) =
            (parameter::build_project(&self.environment.config_path, project), build.split_once(':')?.1);
        Some(format!("{}/{project}/build/{project}%3A{run}/", self.environment.console_url)).filter(|_| !run.is_empty())
    }

    async fn postpone(&self, record: &SqsMessage, after: Option<Duration>) {
        let pause = postponed(tries(record), after).as_secs();
        let call = self.sqs.change_message_visibility().queue_url(&self.environment.queue_url);
        let call = call
            .set_receipt_handle(record.receipt_handle.clone())
            .visibility_timeout(i32::try_from(pause).unwrap_or(0));
        if let Err(error) = call.send().await.map_err(aws_error) {
            tracing::warn!(reason = format!("{error:#}"), "delay not set: the visibility timeout serves");
        }
    }

    fn say(&self, parcel: Option<&Parcel>, result: &str, reason: &str) {
        let text = |key| parcel.map(|parcel| parcel.text(key)).unwrap_or_default();
        let line = json!({
            "event": Event::Notification,
            "result": result,
            "project": text("project"),
            "target": parcel.and_then(|parcel| parcel.target.as_deref()),
            "outcome": text("outcome"),
            "trigger": text("trigger"),
            "build": text("build"),
            "reason": printable(reason, MAX_REASON_CHARS),
        });
        metric::print(&metric::line(&line, &[Metric::count("Notifications", 1)], &[&["result"]], SystemTime::now()));
    }
}

fn tries(record: &SqsMessage) -> u32 {
    record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// How long a try waits for the next one.
pub(super) fn postponed(tries: u32, asked_for: Option<Duration>) -> Duration {
    let growing = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    growing.max(asked_for.unwrap_or_default().min(LONGEST_ASKED_FOR))
}

/// Tells a host all that it is to be told.
pub(super) async fn tell(
    connector: &SharedHttpConnector,
    message: &Message,
    deployment: Option<&Deployment>,
) -> Result<(), Verdict> {
    host::ask(connector, message).await?;
    match deployment {
        Some(deployment) => deployment.tell(connector).await,
        None => Ok(()),
    }
}

/// Has a token of the GitHub App revoked. One that is not ends within the hour.
async fn give_back(target: &Target, token: &TargetSecret, entry: &Project) {
    // With the usual certificates where the entry's are of no use.
    let connector =
        connector(target, token, entry).or_else(|_| iwomp_aws::host::connector(target.may_be_private, None));
    if let Ok(connector) = connector {
        let _ = timeout(GIVING_BACK, host::ask(&connector, &revocation(token))).await;
    }
}

/// With the entry's own certificates for its own Git host, and the usual ones for all others.
fn connector(target: &Target, secret: &TargetSecret, entry: &Project) -> Result<SharedHttpConnector> {
    // Of a chat, whose URL is the secret, nobody who may write an entry is to choose the authority.
    let is_chat = matches!(target.kind, TargetKind::Slack | TargetKind::Teams | TargetKind::Discord);
    let is_own = !is_chat && secret.host == entry.git_url.host();
    let ca_bundle = entry.ca_bundle.as_deref().filter(|_| is_own);
    iwomp_aws::host::connector(target.may_be_private, ca_bundle)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
    use aws_sdk_eventbridge::types::PutEventsResultEntry;
    use aws_sdk_lambda::operation::invoke::InvokeOutput;
    use aws_sdk_lambda::primitives::Blob;
    use aws_sdk_sns::operation::publish::PublishOutput;
    use aws_sdk_sqs::operation::change_message_visibility::ChangeMessageVisibilityOutput;
    use aws_sdk_sqs::operation::send_message::{SendMessageInput, SendMessageOutput};
    use aws_sdk_ssm::operation::get_parameter::{GetParameterError, GetParameterOutput};
    use aws_sdk_ssm::operation::get_parameters::GetParametersOutput;
    use aws_sdk_ssm::types::error::ParameterNotFound;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;
    use crate::courier::standin::{Answer, Standin};
    use crate::environment::CourierEnvironment;
    use crate::fixtures::{COMMIT, config_path};

    const QUEUE: &str = "https://sqs.example/deliveries.fifo";
    const BUS: &str = "arn:aws:events:eu-central-1:123456789012:event-bus/deployments";
    const DEAD: &str = "https://sqs.example/deliveries-dead.fifo";

    /// What was done: messages that were sent, subjects on the topic, events on the bus, and pauses.
    #[derive(Default)]
    struct Done {
        put: Vec<PutEventsRequestEntry>,
        sent: Vec<SendMessageInput>,
        told: Vec<String>,
        pauses: Vec<i32>,
    }

    fn courier(entry: Option<&'static str>) -> (Courier, Arc<Mutex<Done>>) {
        courier_with(entry, None)
    }

    fn courier_with(entry: Option<&'static str>, secret: Option<String>) -> (Courier, Arc<Mutex<Done>>) {
        let done = Arc::<Mutex<Done>>::default();
        let read = mock!(aws_sdk_ssm::Client::get_parameters).then_compute_output(move |_| {
            let parameter = |text: &str| Parameter::builder().name("/iwomp-in-aws/demo").value(text).build();
            GetParametersOutput::builder().set_parameters(Some(entry.map(parameter).into_iter().collect())).build()
        });
        let secret = match secret {
            Some(text) => mock!(aws_sdk_ssm::Client::get_parameter).then_output(move || {
                let stored = Parameter::builder().r#type(ParameterType::SecureString).value(&text).build();
                GetParameterOutput::builder().parameter(stored).build()
            }),
            None => mock!(aws_sdk_ssm::Client::get_parameter)
                .then_error(|| GetParameterError::ParameterNotFound(ParameterNotFound::builder().build())),
        };
        let no_token = mock!(aws_sdk_lambda::Client::invoke)
            .match_requests(|input| input.qualifier() == Some("notify-demo"))
            .then_output(|| {
                let payload = Blob::new(r#"{"errorType":"never","errorMessage":"the App is not installed there"}"#);
                InvokeOutput::builder().function_error("Unhandled").payload(payload).build()
            });
        let (sent, told, pauses) = (Arc::clone(&done), Arc::clone(&done), Arc::clone(&done));
        let send = mock!(aws_sdk_sqs::Client::send_message).then_compute_output(move |input| {
            sent.lock().unwrap().sent.push(input.clone());
            SendMessageOutput::builder().build()
        });
        let postpone = mock!(aws_sdk_sqs::Client::change_message_visibility).then_compute_output(move |input| {
            pauses.lock().unwrap().pauses.push(input.visibility_timeout().unwrap());
            ChangeMessageVisibilityOutput::builder().build()
        });
        let put_on = Arc::clone(&done);
        let put = mock!(aws_sdk_eventbridge::Client::put_events).then_compute_output(move |input| {
            put_on.lock().unwrap().put.extend(input.entries().to_vec());
            PutEventsOutput::builder().entries(PutEventsResultEntry::builder().event_id("1").build()).build()
        });
        let publish = mock!(aws_sdk_sns::Client::publish).then_compute_output(move |input| {
            told.lock().unwrap().told.push(input.subject().unwrap().to_owned());
            PublishOutput::builder().build()
        });
        let courier = Courier {
            environment: CourierEnvironment {
                config_path: config_path(),
                reports_topic_arn: "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws--reports".to_owned(),
                queue_url: QUEUE.to_owned(),
                dead_letter_queue_url: DEAD.to_owned(),
                console_url: "https://console.example/projects".to_owned(),
                event_bus_arn: Some(BUS.to_owned()),
            },
            events: mock_client!(aws_sdk_eventbridge, RuleMode::MatchAny, [&put]),
            lambda: mock_client!(aws_sdk_lambda, RuleMode::MatchAny, [&no_token]),
            sns: mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&publish]),
            sqs: mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [&send, &postpone]),
            ssm: mock_client!(aws_sdk_ssm, RuleMode::MatchAny, [&read, &secret]),
        };
        (courier, done)
    }

    const ENTRY: &str = r#"{"gitUrl":"https://git.example/a/b","command":"x","notify":[
        {"to":"github"},{"to":"slack","on":["failed"]},{"to":"webhook","name":"audit"},{"to":"eventbridge","on":["stopped"]}]}"#;

    fn message(body: &str) -> SqsEvent {
        let mut record = SqsMessage::default();
        record.message_id = Some("m1".to_owned());
        record.receipt_handle = Some("r1".to_owned());
        record.body = Some(body.to_owned());
        let mut event = SqsEvent::default();
        event.records = vec![record];
        event
    }

    fn news(outcome: &str, more: &str) -> SqsEvent {
        message(&format!(
            r#"{{"report":{{"outcome":"{outcome}","project":"demo","branch":"main","commit":"{COMMIT}"}}{more}}}"#
        ))
    }

    #[tokio::test]
    async fn news_go_to_those_targets_that_are_told_of_such_each_in_a_group_of_its_own() {
        let (courier, done) = courier(Some(ENTRY));
        let response = courier.handle(news("deployed", r#","for_topic":false"#)).await;
        assert!(response.batch_item_failures.is_empty());
        let done = done.lock().unwrap();
        let groups: Vec<_> = done.sent.iter().map(|input| input.message_group_id().unwrap()).collect();
        assert_eq!(groups, ["demo/github", "demo/audit"]);
        assert!(done.told.is_empty());
        let ids: Vec<_> = done.sent.iter().map(|input| input.message_deduplication_id().unwrap()).collect();
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 64));
    }

    #[tokio::test]
    async fn what_ended_without_a_build_is_told_on_the_topic_too_unless_the_project_is_invented() {
        for (entry, told) in [(Some(ENTRY), 1), (Some("broken"), 1), (None, 0)] {
            let (courier, done) = courier(entry);
            courier.handle(news("expired", r#","for_topic":true"#)).await;
            let done = done.lock().unwrap();
            assert_eq!(done.told, vec!["iwomp: demo main expired"; told], "{entry:?}");
        }
        let (courier, done) = courier(None);
        courier.handle(message(r#"{"report":{"outcome":"refused"},"for_topic":true}"#)).await;
        assert_eq!(done.lock().unwrap().told, ["iwomp: refused"]);
    }

    #[tokio::test]
    async fn a_target_without_a_secret_is_laid_aside_and_one_that_is_gone_is_forgotten() {
        let (courier, done) = courier(Some(ENTRY));
        let response = courier.handle(news("failed", r#","for_topic":false,"target":"slack""#)).await;
        assert!(response.batch_item_failures.is_empty());
        courier.handle(news("failed", r#","for_topic":false,"target":"gone""#)).await;
        let done = done.lock().unwrap();
        let queues: Vec<_> = done.sent.iter().map(|input| input.queue_url().unwrap()).collect();
        assert_eq!((queues, done.pauses.len()), (vec![DEAD], 0));
        assert_eq!(done.sent[0].message_group_id(), Some("demo/slack"));
    }

    #[tokio::test]
    async fn only_github_is_told_by_the_app_and_only_where_the_entry_says_so() {
        let by_app = ENTRY.replacen('{', r#"{"githubApp":true,"#, 1);
        for (entry, target, outcome, laid_aside) in [
            (by_app.as_str(), "github", "deployed", true),
            (&by_app, "github", "busy", false),
            (&by_app, "audit", "deployed", true),
            (ENTRY, "github", "deployed", true),
        ] {
            let (courier, done) = courier(Some(entry.to_owned().leak()));
            let more = format!(r#","target":"{target}""#);
            let built = news(outcome, &more).records[0].body.clone().unwrap();
            courier.handle(message(&built.replacen(r#""project""#, r#""build":"x:1","project""#, 1))).await;
            assert_eq!(done.lock().unwrap().sent.len(), usize::from(laid_aside), "{entry} {target} {outcome}");
        }
    }

    #[tokio::test]
    async fn an_event_is_what_a_webhook_is_sent_and_without_a_bus_it_is_laid_aside() {
        let (mut courier, done) = courier(Some(ENTRY));
        let stopped = || news("failed", r#","target":"eventbridge""#);
        assert!(courier.handle(stopped()).await.batch_item_failures.is_empty());
        {
            let done = done.lock().unwrap();
            let [put] = done.put.as_slice() else { panic!("{:?}", done.put) };
            assert_eq!((put.event_bus_name(), put.source()), (Some(BUS), Some("iwomp")));
            let detail: Value = serde_json::from_str(put.detail().unwrap()).unwrap();
            assert_eq!((&detail["state"], &detail["commit"]), (&json!("failed"), &json!(COMMIT)));
            assert!(done.sent.is_empty());
        }
        courier.environment.event_bus_arn = None;
        courier.handle(stopped()).await;
        assert_eq!(done.lock().unwrap().sent[0].queue_url(), Some(DEAD));
    }

    /// What became of news for a target that is at `host`: whether they wait, for how long, in which queues they are, and how
    /// often it was asked.
    async fn carried(
        host: &Standin,
        (kind, more): (TargetKind, &str),
        outcome: &str,
    ) -> (bool, Vec<i32>, Vec<String>, usize) {
        let bundle = json!(host.authority);
        let entry = format!(
            r#"{{"gitUrl":"https://localhost/acme/shop","command":"x","caBundle":{bundle},"notify":[{{"to":"{kind}",
            "on":["running","failed","refused"]{more}}}]}}"#
        );
        let (courier, done) = courier_with(Some(entry.leak()), Some(host.secret(kind)));
        let body = json!({
            "report": {"outcome": outcome, "project": "demo", "commit": COMMIT, "build": "iwomp-in-aws--demo:1"},
            "target": kind,
        });
        let waits = !courier.handle(message(&body.to_string())).await.batch_item_failures.is_empty();
        let done = done.lock().unwrap();
        let queues = done.sent.iter().map(|input| input.queue_url().unwrap().to_owned()).collect();
        (waits, done.pauses.clone(), queues, host.asked().len())
    }

    const PRIVATE: &str = r#","private":true"#;

    #[tokio::test]
    async fn by_its_answer_news_are_gone_or_wait_or_are_laid_aside_or_dropped() {
        use TargetKind::{GitHub, Webhook};
        let host = Standin::listening().await;
        let (dead, none) = (vec![DEAD.to_owned()], Vec::new());
        for (kind, outcome, answer, fate) in [
            (GitHub, "failed", None, (false, vec![], none.clone(), 1)),
            (Webhook, "failed", None, (false, vec![], none.clone(), 1)),
            (GitHub, "failed", Some(Answer::With(503, &[], "")), (true, vec![10], none.clone(), 1)),
            (
                Webhook,
                "failed",
                Some(Answer::With(429, &[("retry-after", "120")], "")),
                (true, vec![120], none.clone(), 1),
            ),
            (GitHub, "failed", Some(Answer::HangUp), (true, vec![10], none.clone(), 1)),
            (GitHub, "failed", Some(Answer::With(404, &[], "")), (false, vec![], dead.clone(), 1)),
            (Webhook, "started", Some(Answer::With(401, &[], "")), (false, vec![], dead.clone(), 1)),
            (GitHub, "started", Some(Answer::With(422, &[], "")), (false, vec![], none.clone(), 1)),
            (GitHub, "refused", Some(Answer::With(422, &[], "")), (false, vec![], none.clone(), 1)),
        ] {
            host.answers_next(answer);
            assert_eq!(carried(&host, (kind, PRIVATE), outcome).await, fate, "{kind} {outcome}");
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_at_an_address_or_by_an_authority_that_whoever_writes_the_entry_has_chosen() {
        let host = Standin::listening().await;
        let private = carried(&host, (TargetKind::Webhook, ""), "failed").await;
        assert_eq!(private, (false, vec![], vec![DEAD.to_owned()], 0), "a name that leads to this machine");
        // Its URL is the secret, and whoever has it may write there.
        let chat = carried(&host, (TargetKind::Slack, PRIVATE), "failed").await;
        assert_eq!(chat, (true, vec![10], vec![], 0), "a chat with a certificate by the entry's authority");
    }

    #[test]
    fn the_last_try_is_the_one_after_which_sqs_lays_the_message_aside() {
        let terraform = include_str!("../../../../terraform/modules/courier/main.tf");
        assert!(terraform.contains(&format!("maxReceiveCount = {MAX_TRIES}\n")));
    }

    #[tokio::test]
    async fn what_is_no_parcel_leaves_the_queue() {
        let (courier, done) = courier(Some(ENTRY));
        for body in ["", "[]", "{}", r#"{"report":[]}"#, r#"{"report":{},"target":1}"#] {
            assert!(courier.handle(message(body)).await.batch_item_failures.is_empty(), "{body}");
        }
        assert!(done.lock().unwrap().sent.is_empty());
    }
}
