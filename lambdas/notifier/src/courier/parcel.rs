//! What lies in the queue of deliveries.

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use contract::register::{State, Target};
use contract::{Class, CommitId, Outcome, ProjectName};
use iwomp_aws::aws_error;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::hex;

/// News of a trigger or its build, on their way to one target or still to all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    /// As it stands in the log and on the topic.
    pub report: Value,
    /// Whether the topic is still to be told: of builds, it was.
    pub for_topic: bool,
    /// Whether it is told again because an earlier state may have come after it: only who is told of those needs it.
    pub corrects: bool,
    /// None: for all.
    pub target: Option<String>,
}

impl Parcel {
    /// For all targets, and not for the topic.
    pub fn new(report: Value) -> Self {
        Self { report, for_topic: false, corrects: false, target: None }
    }

    /// Reads a message of the queue. None: it is none of ours.
    pub fn parse(body: &str) -> Option<Self> {
        let mut json: Value = serde_json::from_str(body).ok()?;
        let report = json.get_mut("report")?.take();
        report.is_object().then_some(())?;
        let target = match json.get("target") {
            None => None,
            Some(target) => Some(target.as_str()?.to_owned()),
        };
        let is = |key| json.get(key) == Some(&json!(true));
        Some(Self { report, for_topic: is("for_topic"), corrects: is("corrects"), target })
    }

    fn body(&self) -> String {
        let mut json = json!({"report": self.report, "for_topic": self.for_topic, "corrects": self.corrects});
        if let Some(target) = &self.target {
            json["target"] = json!(target);
        }
        json.to_string()
    }

    pub fn text(&self, key: &str) -> &str {
        self.report.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn project(&self) -> Option<ProjectName> {
        ProjectName::parse(self.text("project")).ok()
    }

    pub fn commit(&self) -> Option<CommitId> {
        CommitId::parse(self.text("commit")).ok()
    }

    /// How it stands. None: nobody is to be told.
    pub fn state(&self) -> Option<State> {
        let outcome = Outcome::ALL.iter().find(|outcome| outcome.as_str() == self.text("outcome"))?;
        let class = self.text("class");
        Some(match outcome {
            Outcome::Deployed => State::Succeeded,
            Outcome::Superseded | Outcome::Covered => State::Superseded,
            Outcome::Unchanged => State::Unchanged,
            Outcome::Started => State::Running,
            Outcome::Busy => State::Waiting,
            Outcome::Held => State::Held,
            Outcome::Refused => State::Refused,
            Outcome::Expired => State::Expired,
            Outcome::Failed if class == Class::Stopped.as_str() => State::Stopped,
            Outcome::Failed if class == Class::TimedOut.as_str() => State::TimedOut,
            Outcome::Failed => State::Failed,
        })
    }

    /// Whether a target is told of it. Who shows that a build of a commit runs is told of its end, too, whatever that is.
    pub fn is_for(&self, target: &Target, state: State) -> bool {
        let hears_of_runs = target.on.contains(&State::Running);
        let closes = hears_of_runs && target.kind.is_git_host() && !state.goes_on();
        (closes || target.on.contains(&state)) && (hears_of_runs || !self.corrects)
    }

    /// Lays it into the queue. What has the same `id` and comes within five minutes is one, as SQS has it.
    pub async fn send(&self, sqs: &Client, queue_url: &str, id: &str) -> Result<()> {
        // Of whatever is no project's, all in one group.
        let project = self.project().map_or_else(|| "_".to_owned(), |project| project.to_string());
        let group = self.target.iter().fold(project, |group, target| format!("{group}/{target}"));
        let id = hex(&Sha256::digest(format!("{group}/{id}")));
        let call = sqs.send_message().queue_url(queue_url).message_body(self.body()).message_group_id(group);
        call.message_deduplication_id(id)
            .send()
            .await
            .map_err(aws_error)
            .context("handing news over to be delivered")?;
        Ok(())
    }
}
