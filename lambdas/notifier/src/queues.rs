//! How much waits. A look from outside: where nobody takes triggers any more, no line and no metric of the launcher says so.

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use contract::Event;
use iwomp_aws::aws_error;
use serde_json::{Value, json};

const ATTRIBUTES: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

/// Messages in a queue, as far as SQS can tell.
#[derive(Debug, PartialEq, Eq)]
pub struct Depth {
    /// Lie there for anybody to take.
    pub visible: u64,
    /// Taken, or given back with a delay.
    hidden: u64,
}

impl Depth {
    pub async fn read(sqs: &Client, queue_url: &str) -> Result<Self> {
        let call = sqs.get_queue_attributes().queue_url(queue_url).set_attribute_names(Some(ATTRIBUTES.to_vec()));
        let answer = call.send().await.map_err(aws_error);
        let attributes =
            answer.with_context(|| format!("counting the messages of {queue_url}"))?.attributes.unwrap_or_default();
        let count = |name| {
            let text: Option<&String> = attributes.get(&name);
            text.and_then(|text| text.parse().ok())
                .with_context(|| format!("counting the messages of {queue_url}: no {name}"))
        };
        let [visible, not_visible, delayed] = ATTRIBUTES.map(count);
        let not_visible: u64 = not_visible?;
        Ok(Self { visible: visible?, hidden: not_visible.saturating_add(delayed?) })
    }

    pub fn total(&self) -> u64 {
        self.visible.saturating_add(self.hidden)
    }

    /// What to say of triggers that lie there at the moment of a look. One that has just come is no fault; one that is still
    /// there at the next sweep is.
    pub fn untaken(&self) -> Option<Value> {
        let reason = format!(
            "triggers that lie in the queue untaken: {}. To do: if the next sweep says so too, see whether the launcher's \
             event source mapping is enabled and the launcher not throttled; nothing is lost meanwhile",
            self.visible
        );
        (self.visible > 0).then(|| json!({"event": Event::UntakenTriggers, "reason": reason, "visible": self.visible}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::Aws;

    async fn depth(triggers: Option<[u64; 3]>) -> Result<Depth> {
        let (notifier, _) = Aws { triggers, ..Aws::default() }.notifier();
        Depth::read(&notifier.sqs, &notifier.environment.queue_url).await
    }

    #[tokio::test]
    async fn what_waits_is_all_that_is_in_the_queue() {
        assert_eq!(depth(Some([1, 20, 300])).await.unwrap().total(), 321);
    }

    #[tokio::test]
    async fn triggers_that_nobody_takes_are_said_with_what_to_look_at() {
        assert_eq!(depth(Some([0, 5, 0])).await.unwrap().untaken(), None);
        let said = depth(Some([3, 0, 0])).await.unwrap().untaken().unwrap();
        assert!(
            said["reason"].as_str().unwrap().starts_with("triggers that lie in the queue untaken: 3. To do:"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn a_queue_that_does_not_answer_is_named() {
        let error = format!("{:#}", depth(None).await.unwrap_err());
        assert!(error.contains("https://sqs.example/triggers: QueueDoesNotExist: no such queue"), "{error}");
    }
}
