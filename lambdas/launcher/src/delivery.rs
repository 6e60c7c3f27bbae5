//! One delivery of a trigger: an SQS message whose body is the envelope that SNS made.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sns::SnsMessage;
use aws_lambda_events::sqs::SqsMessage;
use contract::{Class, ProjectName, Topic, Trigger, TriggerError, is_trigger_id};

use crate::fate::Stop;

/// How long after its publication a first delivery can be no repetition. CodeBuild keeps an idempotency token for five
/// minutes; after that, and after every redrive, only the build history tells whether the trigger was started already.
const FRESH: Duration = Duration::from_secs(4 * 60);

/// The envelope, opened.
#[derive(Debug)]
pub struct Delivery {
    /// Where the message was published.
    topic: Topic,
    /// The message id that SNS gave; the same on every delivery.
    pub trigger_id: String,
    pub published: SystemTime,
    /// What CI wrote. Not trusted.
    message: String,
    /// How often the message was received, this time included.
    pub tries: u32,
}

/// How often a queue message was received, this time included.
#[must_use]
pub fn tries(record: &SqsMessage) -> u32 {
    number(record, "ApproximateReceiveCount").unwrap_or(u32::MAX)
}

/// How long the message has been in the queue. What is sent back from the dead-letter queue is a new message: its wait begins
/// anew, although its trigger was published long ago.
#[must_use]
pub fn waited(record: &SqsMessage, now: SystemTime) -> Duration {
    let sent = number(record, "SentTimestamp").map(|sent| SystemTime::UNIX_EPOCH + Duration::from_millis(sent));
    sent.and_then(|sent| now.duration_since(sent).ok()).unwrap_or_default()
}

fn number<T: FromStr>(record: &SqsMessage, attribute: &str) -> Option<T> {
    record.attributes.get(attribute)?.parse().ok()
}

impl Delivery {
    /// Opens the envelope. Only a message of the queue `queue_arn` is one, and of these only a notification from the shared
    /// topic, whose ARN is `topic_arn`, or from a project's own. Which of them exist and may deliver is for that queue's policy
    /// to say; hence no other queue counts, whoever has mapped it to this function: anything may stand in its envelopes.
    pub fn open(record: &SqsMessage, queue_arn: &str, topic_arn: &str) -> Result<Self, Stop> {
        if record.event_source_arn.as_deref() != Some(queue_arn) {
            let reason = "the message is from another queue than the pipeline's: see which event source mappings the launcher has";
            return Err(Stop::refused(Class::ForeignQueue, reason));
        }
        let foreign = |reason| Stop::refused(Class::ForeignEnvelope, reason);
        let body = record.body.as_deref().unwrap_or_default();
        let envelope: SnsMessage =
            serde_json::from_str(body).map_err(|_| foreign("queue message is no SNS notification"))?;
        let topic = Topic::of_arn(&envelope.topic_arn, topic_arn);
        let Some(topic) = topic.filter(|_| envelope.sns_message_type == "Notification") else {
            return Err(foreign("queue message is no notification from a topic of the pipeline"));
        };
        if !is_trigger_id(&envelope.message_id) {
            return Err(foreign("SNS message id is not one"));
        }
        Ok(Self {
            topic,
            trigger_id: envelope.message_id,
            published: envelope.timestamp.into(),
            message: envelope.message,
            tries: tries(record),
        })
    }

    /// The project whose own topic it came by, whatever the message says.
    pub fn project(&self) -> Option<&ProjectName> {
        match &self.topic {
            Topic::Shared => None,
            Topic::Of(project) => Some(project),
        }
    }

    /// What is asked for.
    pub fn trigger(&self) -> Result<Trigger, TriggerError> {
        match &self.topic {
            Topic::Shared => Trigger::parse(&self.message),
            Topic::Of(project) => Trigger::parse_for(project, &self.message),
        }
    }

    /// Whether this delivery is surely the first one that reaches CodeBuild.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        let age = now.duration_since(self.published).unwrap_or_default();
        self.tries <= 1 && age < FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::tests::{QUEUE_ARN, TOPIC_ARN, TRIGGER_ID, record};

    #[test]
    fn an_envelope_of_our_topic_is_opened() {
        let delivery = Delivery::open(&record("hello", 1), QUEUE_ARN, TOPIC_ARN).unwrap();
        assert_eq!((delivery.message.as_str(), delivery.trigger_id.as_str()), ("hello", TRIGGER_ID));
    }

    #[test]
    fn the_topic_says_which_project_is_meant() {
        let own = |message: &str| {
            let mut record = record(message, 1);
            record.body = record.body.map(|body| body.replace(TOPIC_ARN, &format!("{TOPIC_ARN}--demo")));
            Delivery::open(&record, QUEUE_ARN, TOPIC_ARN).unwrap().trigger()
        };
        assert_eq!(own(r#"{"branch":"main"}"#).unwrap().project.as_str(), "demo");
        assert_eq!(own(r#"{"project":"other","branch":"main"}"#), Err(TriggerError::WrongProject));
        let shared = Delivery::open(&record(r#"{"branch":"main"}"#, 1), QUEUE_ARN, TOPIC_ARN).unwrap();
        assert!(shared.trigger().is_err(), "on the shared topic the message must name the project");
    }

    #[test]
    fn everything_else_is_foreign() {
        let good = record("hello", 1);
        let replaced = |from: &str, to: &str| {
            let mut record = good.clone();
            record.body = record.body.map(|body| body.replace(from, to));
            record
        };
        let mut empty = good.clone();
        empty.body = None;
        for record in [
            empty,
            replaced("Notification", "SubscriptionConfirmation"),
            replaced(TOPIC_ARN, "arn:aws:sns:eu-central-1:123456789012:other"),
            replaced(TRIGGER_ID, "x\\nGITCOMMIT=1"),
            replaced(TRIGGER_ID, &"x".repeat(36)),
            replaced(TRIGGER_ID, &"a".repeat(35)),
            replaced("\"Message\"", "\"message\""),
            replaced("{", "["),
        ] {
            let stop = Delivery::open(&record, QUEUE_ARN, TOPIC_ARN).unwrap_err();
            assert!(matches!(stop, Stop::Refused { class: Class::ForeignEnvelope, .. }), "{record:?}");
        }
    }

    #[test]
    fn a_message_of_another_queue_is_refused_whatever_its_envelope_says() {
        let mut record = record("hello", 1);
        for queue in [Some(""), Some("arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers-dead"), None] {
            record.event_source_arn = queue.map(str::to_owned);
            let stop = Delivery::open(&record, QUEUE_ARN, TOPIC_ARN).unwrap_err();
            assert!(matches!(stop, Stop::Refused { class: Class::ForeignQueue, .. }), "{queue:?}");
        }
    }

    #[test]
    fn a_message_knows_how_long_it_waits_and_one_without_a_time_has_just_come() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let mut message = record("", 3);
        assert_eq!((tries(&message), waited(&message, now)), (3, Duration::ZERO));
        message.attributes.insert("SentTimestamp".to_owned(), "40500".to_owned());
        assert_eq!(waited(&message, now), Duration::from_millis(59_500));
        assert_eq!(waited(&message, SystemTime::UNIX_EPOCH), Duration::ZERO, "the clock was set back");
    }

    #[test]
    fn a_delivery_is_fresh_only_on_its_first_try_and_while_it_is_young() {
        let young = |delivery: &Delivery| delivery.published + Duration::from_secs(1);
        let first = Delivery::open(&record("", 1), QUEUE_ARN, TOPIC_ARN).unwrap();
        assert!(first.is_fresh(young(&first)) && first.is_fresh(first.published + Duration::from_secs(239)));
        assert!(!first.is_fresh(first.published + Duration::from_secs(240)));
        let second = Delivery::open(&record("", 2), QUEUE_ARN, TOPIC_ARN).unwrap();
        assert!(!second.is_fresh(young(&second)));
    }
}
