//! What the answer of a target's host means.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use iwomp_aws::host::{self, Answer, Message, Verdict};
use serde_json::Value;

/// The answer of a host that has taken the message. Never shown: it is the host's word.
pub async fn ask(connector: &SharedHttpConnector, message: &Message) -> Result<String, Verdict> {
    judge(host::send(connector, message).await?, &message.body)
}

fn judge(answer: Answer, sent: &str) -> Result<String, Verdict> {
    let Answer { status, text, is_limited, after } = answer;
    match status {
        // Azure DevOps shows its sign-in page to a token that it does not take.
        203 => {}
        200..=299 => return Ok(text),
        // GitHub says 403 where others say 429.
        403 if is_limited => {
            return Err(Verdict::Later { reason: "the host answered 403: it wants fewer requests".to_owned(), after });
        }
        408 | 425 | 429 | 500.. => return Err(Verdict::Later { reason: format!("the host answered {status}"), after }),
        _ => {}
    }
    let advice = match status {
        300..=399 => "it redirects, which is not followed: put the final URL into the target's secret",
        203 | 401 | 403 => "it does not take the secret: put a new one there, with the right to write statuses",
        404 | 410 => {
            "it has nothing there, or the secret may not see it: look at the URL, at gitUrl, and at what the secret may see"
        }
        // GitLab's word for a status that is set already.
        400 if has_it_already(&text, sent) => return Ok(String::new()),
        _ => "it does not take the request: see what the host says of its API",
    };
    Err(Verdict::Never { reason: format!("the host answered {status}: {advice}") })
}

/// `Cannot transition status via :run from :running (Reason(s): ...)`, where that is what was sent.
fn has_it_already(answer: &str, sent: &str) -> bool {
    let sent: Value = serde_json::from_str(sent).unwrap_or_default();
    let from = format!(" from :{}", sent["state"].as_str().unwrap_or_default());
    let found = answer.split_once("Cannot transition status via :").and_then(|(_, words)| words.split_once(&from));
    found.is_some_and(|(_, rest)| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}
