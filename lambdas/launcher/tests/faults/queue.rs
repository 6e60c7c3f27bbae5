//! SQS: a queue that delivers at least once and in no order, hides what was received for a while, and moves what was received
//! too often to the dead-letter queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use aws_lambda_events::sqs::SqsMessage;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::clock;
use crate::trigger::Event;
use crate::world::{Answer, Flaw, World};

/// The retry time that Terraform sets by default, and what it computes from it and from the longest wait.
pub const RETRY: Duration = Duration::from_secs(120);
/// Terraform's, half of that.
pub const VISIBILITY: Duration = Duration::from_secs(60);
pub const MAX_WAIT: Duration = Duration::from_secs(12 * 3600);
const MAX_RECEIVES: u32 = 12 * 3600 / (120 / 2) + 20;
const URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/";
pub const ARN: &str = "arn:aws:sqs:eu-central-1:123456789012:iwomp-in-aws--triggers";
pub const NAME: &str = "iwomp-in-aws--triggers";
pub const DEAD_LETTERS_NAME: &str = "iwomp-in-aws--dead-letters";
/// A batch of Lambda's event source.
const BATCH: usize = 10;
/// From so many visible messages a batch is drawn: SQS asks some of its servers.
const SAMPLE: usize = 60;

pub fn url(name: &str) -> String {
    format!("{URL}{name}")
}

#[derive(Default)]
pub struct Queue {
    messages: Mutex<Messages>,
    changed: Notify,
}

#[derive(Default)]
struct Messages {
    all: BTreeMap<u64, Message>,
    by_visibility: BTreeSet<(Duration, u64)>,
    last: u64,
    dead: Vec<Message>,
}

#[derive(Debug, Clone)]
struct Message {
    trigger: usize,
    body: Arc<str>,
    sent: Duration,
    received: u32,
    visible: Duration,
}

/// A batch as Lambda takes it, with what the queue needs to know it by.
pub struct Batch {
    pub records: Vec<SqsMessage>,
    pub triggers: Vec<usize>,
}

impl Queue {
    pub fn send(&self, world: &World, trigger: usize, body: Arc<str>) {
        world.ledger.note(trigger, Event::Queued);
        if world.rules.flaw == Flaw::QueueForgets && world.dice.chance(0.15) {
            return;
        }
        let now = clock::now();
        self.messages.lock().unwrap().add(Message { trigger, body, sent: now, received: 0, visible: now });
        self.changed.notify_waiters();
    }

    /// Waits for messages and receives up to a batch of them.
    pub async fn receive(&self, world: &World) -> Batch {
        loop {
            let changed = self.changed.notified();
            let next = match self.take(world) {
                Ok(batch) => return batch,
                Err(next) => next,
            };
            match next {
                Some(next) => _ = timeout(next.saturating_sub(clock::now()), changed).await,
                None => changed.await,
            }
        }
    }

    /// What is visible, or when something will be.
    fn take(&self, world: &World) -> Result<Batch, Option<Duration>> {
        let mut messages = self.messages.lock().unwrap();
        let now = clock::now();
        let mut numbers: Vec<u64> = messages
            .by_visibility
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(SAMPLE)
            .map(|(_, number)| *number)
            .collect();
        world.dice.shuffle(&mut numbers);
        numbers.truncate(BATCH);
        let mut batch = Batch { records: Vec::new(), triggers: Vec::new() };
        for number in numbers {
            let message = messages.hide(number, now + VISIBILITY).expect("it was visible");
            message.received += 1;
            let message = message.clone();
            if message.received > MAX_RECEIVES {
                world.ledger.note(message.trigger, Event::DeadLettered);
                messages.remove(number);
                messages.dead.push(message);
                continue;
            }
            world.ledger.note(message.trigger, Event::Received { tries: message.received });
            batch.triggers.push(message.trigger);
            batch.records.push(message.record(number));
        }
        let next = messages.by_visibility.first().map(|(at, _)| *at);
        if batch.records.is_empty() { Err(next) } else { Ok(batch) }
    }

    /// Deletes a message for good; with an old receipt SQS does so, too.
    pub fn delete(&self, world: &World, receipt: &str, trigger: usize) {
        world.ledger.note(trigger, Event::Answered);
        self.messages.lock().unwrap().remove(number_of(receipt).0);
    }

    pub fn change_visibilities(&self, world: &World, body: &Value) -> Answer {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in body["Entries"].as_array().unwrap() {
            let (number, received) = number_of(entry["ReceiptHandle"].as_str().unwrap());
            let seconds = entry["VisibilityTimeout"].as_u64().unwrap();
            let mut messages = self.messages.lock().unwrap();
            let is_current = messages.all.get(&number).is_some_and(|message| message.received == received);
            if !is_current || world.faults.strikes(&world.dice, "visibility not set", |rates| rates.entry_failed) {
                failed.push(json!({"Id": entry["Id"], "SenderFault": true, "Code": "ReceiptHandleIsInvalid"}));
                continue;
            }
            let message = messages.hide(number, clock::now() + Duration::from_secs(seconds)).expect("it is there");
            world.ledger.note(message.trigger, Event::Postponed { seconds });
            successful.push(json!({"Id": entry["Id"]}));
        }
        self.changed.notify_waiters();
        Answer::ok(json!({"Successful": successful, "Failed": failed}))
    }

    /// `SendMessage`, which the launcher may only use on the dead-letter queue.
    pub fn take_dead_letter(&self, world: &World, body: &Value) -> Answer {
        assert_eq!(body["QueueUrl"], url(DEAD_LETTERS_NAME));
        let text = body["MessageBody"].as_str().unwrap();
        let envelope: Value = serde_json::from_str(text).expect("a dead letter is an envelope, unchanged");
        let trigger = envelope["MessageId"].as_str().and_then(crate::trigger::number).expect("of a trigger");
        world.ledger.note(trigger, Event::DeadLettered);
        let (sent, body) = (clock::now(), text.into());
        let message = Message { trigger, body, sent, received: 0, visible: sent };
        self.messages.lock().unwrap().dead.push(message);
        Answer::ok(json!({"MessageId": "dead-letter", "MD5OfMessageBody": ""}))
    }

    /// An operator sends everything back from the dead-letter queue, as new messages.
    pub fn redrive(&self, world: &World) -> usize {
        let dead = std::mem::take(&mut self.messages.lock().unwrap().dead);
        for message in &dead {
            world.ledger.note(message.trigger, Event::Redriven);
            self.send(world, message.trigger, message.body.clone());
        }
        dead.len()
    }

    pub fn len(&self) -> usize {
        self.messages.lock().unwrap().all.len()
    }
}

impl Messages {
    fn add(&mut self, message: Message) {
        self.last += 1;
        self.by_visibility.insert((message.visible, self.last));
        self.all.insert(self.last, message);
    }

    fn remove(&mut self, number: u64) {
        if let Some(message) = self.all.remove(&number) {
            self.by_visibility.remove(&(message.visible, number));
        }
    }

    fn hide(&mut self, number: u64, until: Duration) -> Option<&mut Message> {
        let message = self.all.get_mut(&number)?;
        self.by_visibility.remove(&(message.visible, number));
        self.by_visibility.insert((until, number));
        message.visible = until;
        Some(message)
    }
}

impl Message {
    fn record(&self, number: u64) -> SqsMessage {
        let sent = clock::time_of_day(self.sent, 0).duration_since(UNIX_EPOCH).unwrap().as_millis();
        let mut record = SqsMessage::default();
        record.message_id = Some(number.to_string());
        record.event_source_arn = Some(ARN.to_owned());
        record.receipt_handle = Some(format!("{number}-{}", self.received));
        record.body = Some(self.body.to_string());
        record.attributes.insert("ApproximateReceiveCount".to_owned(), self.received.to_string());
        record.attributes.insert("SentTimestamp".to_owned(), sent.to_string());
        record
    }
}

/// Message and number of its reception.
fn number_of(receipt: &str) -> (u64, u32) {
    let (number, received) = receipt.split_once('-').unwrap();
    (number.parse().unwrap(), received.parse().unwrap())
}
