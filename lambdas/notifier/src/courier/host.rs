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

/// `Cannot transition status via :succeed from :success`, where that is what was sent.
fn has_it_already(answer: &str, sent: &str) -> bool {
    let sent: Value = serde_json::from_str(sent).unwrap_or_default();
    let from = format!("from :{}", sent["state"].as_str().unwrap_or_default());
    answer.contains("Cannot transition status") && answer.split('"').any(|words| words.trim_end().ends_with(&from))
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// Answers everything alike.
    #[derive(Debug)]
    struct Fake(u16, &'static [(&'static str, &'static str)], &'static str);

    impl HttpConnector for Fake {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let mut response = HttpResponse::new(StatusCode::try_from(self.0).unwrap(), SdkBody::from(self.2));
            for (name, value) in self.1 {
                response.headers_mut().insert(*name, *value);
            }
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    async fn verdict(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
    ) -> Result<String, Verdict> {
        let body_sent = r#"{"state":"success"}"#.to_owned();
        let message =
            Message { method: "POST", url: "https://git.example/x".to_owned(), headers: Vec::new(), body: body_sent };
        ask(&SharedHttpConnector::new(Fake(status, headers, body)), &message).await
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_when_the_host_says_and_what_cannot_is_not() {
        for status in [200, 201, 204] {
            assert_eq!(verdict(status, &[], "answer").await.unwrap(), "answer", "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(verdict(status, &[], "").await, Err(Verdict::Later { after: None, .. })), "{status}");
        }
        let limited = verdict(429, &[("retry-after", "120")], "").await;
        assert!(
            matches!(limited, Err(Verdict::Later { after: Some(after), .. }) if after.as_secs() == 120),
            "{limited:?}"
        );
        assert!(matches!(verdict(403, &[("x-ratelimit-remaining", "0")], "").await, Err(Verdict::Later { .. })));
        for status in [203, 301, 302, 307, 400, 401, 403, 404, 409, 410, 422] {
            assert!(matches!(verdict(status, &[], "canary").await, Err(Verdict::Never { .. })), "{status}");
        }
        let said = verdict(400, &[], r#"{"message":"Cannot transition status via :succeed from :success"}"#).await;
        assert!(said.is_ok(), "GitLab has it already");
        let said = verdict(400, &[], r#"{"message":"Cannot transition status via :succeed from :failed"}"#).await;
        assert!(matches!(said, Err(Verdict::Never { .. })), "and here it has another");
    }
}
