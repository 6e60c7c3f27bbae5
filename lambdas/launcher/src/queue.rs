//! The launcher's own calls to SQS: when a message comes back, and that it is given up. Lambda itself receives and deletes.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use iwomp_aws::error::{self, AwsError, Effect};

/// A message that is to come back.
#[derive(Debug)]
pub struct Postponed {
    pub receipt_handle: String,
    pub delay: Duration,
}

/// Sets when each message comes back, all in one call; a batch of Lambda's is no larger than one of SQS's.
///
/// Best effort: a message whose delay could not be set comes back after the queue's visibility timeout.
pub async fn postpone(sqs: &Client, queue_url: &str, messages: &[Postponed]) {
    if messages.is_empty() {
        return;
    }
    let entries = messages.iter().enumerate().filter_map(|(position, message)| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(position.to_string())
            .receipt_handle(&message.receipt_handle)
            .visibility_timeout(i32::try_from(message.delay.as_secs()).unwrap_or(i32::MAX))
            .build()
            .ok()
    });
    let answer =
        sqs.change_message_visibility_batch().queue_url(queue_url).set_entries(Some(entries.collect())).send().await;
    match answer {
        Ok(answer) if answer.failed().is_empty() => {}
        Ok(answer) => tracing::warn!(failed = answer.failed().len(), "delays not set: the visibility timeout serves"),
        Err(error) => {
            let AwsError { reason, .. } = error::explain("setting delays", Effect::None, error);
            tracing::warn!(reason, "delays not set: the visibility timeout serves");
        }
    }
}

/// Puts a message into the dead-letter queue, as it is.
///
/// # Errors
/// If SQS did not take it, or did not say so. Then it has to wait: twice in the dead-letter queue is better than nowhere.
pub async fn give_up(sqs: &Client, dead_letter_queue_url: &str, body: &str) -> Result<(), AwsError> {
    let answer = sqs.send_message().queue_url(dead_letter_queue_url).message_body(body).send().await;
    answer.map(|_| ()).map_err(|error| error::explain("sending to the dead-letter queue", Effect::Some, error))
}
