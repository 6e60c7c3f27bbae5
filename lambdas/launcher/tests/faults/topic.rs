//! SNS: takes a trigger from CI and delivers it at least once, usually at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::article;
use crate::clock;
use crate::repository::Number;
use crate::trigger::{self, Asked, Trigger};
use crate::world::{Design, TOPIC_ARN, World};

const USUAL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// A delivery that had to be tried again, and a second copy: seconds later or long after the idempotency token.
const UNUSUAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2 * 3600));

/// What CI writes.
pub struct Message {
    pub project: usize,
    pub branch: String,
    pub commit: Option<String>,
    /// The message itself, if it is not the usual one of these three.
    pub text: Option<String>,
    pub owed: Owed,
}

/// As [`Asked`], before it is known which commit is the head at the time of publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    Head,
    Commit(Number),
    Try,
    Refusal,
}

/// Accepts a message.
pub fn publish(world: &Arc<World>, message: Message) {
    let Message { project, branch, commit, text, owed } = message;
    let published = clock::now();
    let asked = match owed {
        Owed::Head => Asked::Commit(head(world, project, &branch, published)),
        Owed::Commit(commit) => Asked::Commit(commit),
        Owed::Try => Asked::Try,
        Owed::Refusal => Asked::Refusal,
    };
    let text = text.unwrap_or_else(|| {
        let mut message = json!({"project": world.projects[project].name, "branch": branch});
        if let Some(commit) = &commit {
            message["commit"] = json!(commit);
        }
        message.to_string()
    });
    let number = world.ledger.enter(Trigger { project, branch, commit, published, asked, events: Vec::new() });
    let body: Arc<str> = json!({
        "Type": "Notification", "MessageId": trigger::id(number), "TopicArn": TOPIC_ARN, "Message": text,
        "Timestamp": clock::written(published), "SignatureVersion": "1", "Signature": "x",
        "SigningCertURL": "https://sns.example/cert.pem", "UnsubscribeURL": "https://sns.example/unsubscribe",
    })
    .to_string()
    .into();
    let twice = world.faults.strikes(&world.dice, "delivered twice", |rates| rates.duplicated);
    for copy in 0..=usize::from(twice) {
        let late = copy > 0 || world.faults.strikes(&world.dice, "delivered late", |rates| rates.delayed);
        let delay =
            if late { world.dice.any_magnitude(UNUSUAL.0, UNUSUAL.1) } else { world.dice.between(USUAL.0, USUAL.1) };
        let (world, body) = (world.clone(), body.clone());
        world.undelivered.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            sleep(delay).await;
            match world.design {
                Design::Ours => world.queue.send(&world, number, body),
                Design::Article => article::deliver(&world, number).await,
            }
            world.undelivered.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn head(world: &World, project: usize, name: &str, at: Duration) -> Number {
    let branches = world.projects[project].branches.lock().unwrap();
    branches.iter().find(|branch| branch.name == name).expect("a branch of the project").head_at(at)
}
