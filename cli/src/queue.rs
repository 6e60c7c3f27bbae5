//! The pipeline's two queues: how much is in them, and moving what was given up back to where it came from.

use std::collections::HashSet;

use anyhow::{Context, Result};
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use contract::Description;
use iwomp_aws::aws_error;
use serde_json::Value;

use crate::pipeline::Pipeline;

/// What SQS gives at once.
const BATCH: u64 = 10;
/// Without waiting, SQS asks some of its servers only, and may find nothing though there is something.
const WAIT_SECONDS: i32 = 2;
/// How long a dead letter that was looked at is hidden from others, in seconds; those that stay are shown again at the end.
const HIDDEN_SECONDS: i32 = 120;

/// The ARN of one of the pipeline's queues: its URL ends with its name.
#[must_use]
pub fn arn(described: &Description, queue_url: &str) -> String {
    let name = queue_url.rsplit('/').next().unwrap_or_default();
    format!("arn:{}:sqs:{}:{}:{name}", described.partition, described.region, described.account)
}

/// How many messages a queue holds, those that somebody has just taken and those that are to come back later among them.
pub async fn depth(pipeline: &Pipeline, queue_url: &str) -> Result<u64> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let call = pipeline.sqs.get_queue_attributes().queue_url(queue_url).set_attribute_names(Some(names.to_vec()));
    let answer =
        call.send().await.map_err(aws_error).with_context(|| format!("counting the messages of {queue_url}"))?;
    let attributes = answer.attributes.unwrap_or_default();
    Ok(names.iter().filter_map(|name| attributes.get(name)?.parse::<u64>().ok()).sum())
}

/// Sends dead letters to the launcher once more, `most` at the most: those that die again meanwhile are not moved again. Gives
/// the triggers that were moved; none for what names no trigger.
///
/// # Errors
/// If SQS fails. What was moved by then is moved.
pub async fn redrive(
    pipeline: &Pipeline,
    most: u64,
    is_chosen: impl Fn(Option<&str>) -> bool,
) -> Result<Vec<Option<String>>> {
    let (dead, alive) = (&pipeline.description.dead_letter_queue_url, &pipeline.description.queue_url);
    let (mut seen, mut moved, mut left) = (HashSet::new(), Vec::new(), Vec::new());
    while (seen.len() as u64) < most {
        let wanted = BATCH.min(most - seen.len() as u64);
        let call = pipeline.sqs.receive_message().queue_url(dead).visibility_timeout(HIDDEN_SECONDS);
        let call = call.max_number_of_messages(i32::try_from(wanted)?).wait_time_seconds(WAIT_SECONDS);
        let answer = call.send().await;
        let letters = answer.map_err(aws_error).with_context(|| format!("receiving from {dead}"))?.messages;
        let letters = letters.unwrap_or_default();
        let before = seen.len();
        for letter in letters {
            let trigger = trigger_of(&letter);
            let is_new = seen.insert(letter.message_id.clone());
            if is_new && is_chosen(trigger.as_deref()) {
                send_back(pipeline, &letter, dead, alive).await?;
                moved.push(trigger);
            } else {
                left.extend(letter.receipt_handle);
            }
        }
        if seen.len() == before {
            break;
        }
    }
    for handle in left {
        let call = pipeline.sqs.change_message_visibility().queue_url(dead).receipt_handle(handle);
        // At worst it is seen again a little later.
        drop(call.visibility_timeout(0).send().await);
    }
    Ok(moved)
}

/// First there, then not here: if we are interrupted in between, it is there twice, which the launcher knows by its id.
async fn send_back(pipeline: &Pipeline, letter: &Message, dead: &str, alive: &str) -> Result<()> {
    let sending = pipeline.sqs.send_message().queue_url(alive).message_body(letter.body().unwrap_or_default());
    sending.send().await.map_err(aws_error).with_context(|| format!("sending to {alive}"))?;
    let deleting = pipeline.sqs.delete_message().queue_url(dead);
    let deleted = deleting.receipt_handle(letter.receipt_handle().unwrap_or_default()).send().await;
    deleted.map_err(aws_error).with_context(|| format!("deleting from {dead}"))?;
    Ok(())
}

/// The id that SNS gave the trigger, if this is its envelope.
fn trigger_of(letter: &Message) -> Option<String> {
    let envelope: Value = serde_json::from_str(letter.body()?).ok()?;
    envelope["MessageId"].as_str().map(str::to_owned)
}
