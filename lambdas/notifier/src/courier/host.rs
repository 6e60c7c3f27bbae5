//! Asks another host, once.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use iwomp_aws::trust::trust_only;
use tokio::time::timeout;

use super::address::{NOT_TO_BE_ASKED, Resolver};
use super::message::Message;

/// With [`READ`] less than the 30 s of the function, so that a host that does not answer costs a try and says so.
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(10);
/// Of an answer that is no success, as far as it is looked at.
const MAX_ANSWER_BYTES: usize = 4096;

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// The host may take it later: after so many seconds, if it says so.
    Later {
        reason: String,
        after: Option<Duration>,
    },
    /// It will not take it, however often it is asked.
    Never {
        reason: String,
    },
}

/// The way to other hosts. It follows no redirect and knows no proxy.
pub fn connector(may_be_private: bool, ca_bundle: Option<&str>) -> Result<SharedHttpConnector> {
    let trust = match ca_bundle {
        Some(bundle) => trust_only(bundle)?,
        None => TrustStore::default(),
    };
    let context = TlsContext::builder().with_trust_store(trust).build().context("preparing TLS")?;
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).read_timeout(READ).build();
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context);
    Ok(SharedHttpConnector::new(
        connector.connector_settings(settings).build_with_resolver(Resolver { may_be_private }),
    ))
}

pub async fn ask(connector: &SharedHttpConnector, message: &Message) -> Verdict {
    let request = match request(message) {
        Ok(request) => request,
        Err(error) => return Verdict::Never { reason: format!("preparing the request: {error:#}") },
    };
    match timeout(CONNECT + READ, connector.call(request)).await {
        Ok(Ok(response)) => judge(response).await,
        Ok(Err(error)) => match format!("{:#}", anyhow::Error::new(error)) {
            reason if reason.contains(NOT_TO_BE_ASKED) => Verdict::Never { reason },
            reason => Verdict::Later { reason, after: None },
        },
        Err(_) => Verdict::Later { reason: format!("no answer within {} s", (CONNECT + READ).as_secs()), after: None },
    }
}

fn request(message: &Message) -> Result<HttpRequest> {
    let mut request = HttpRequest::new(SdkBody::from(message.body.clone()));
    request.set_method("POST")?;
    request.set_uri(message.url.as_str())?;
    let fields = request.headers_mut();
    for (name, value) in &message.headers {
        fields.try_insert(*name, value.clone())?;
    }
    fields.try_insert("content-type", "application/json")?;
    fields.try_insert("user-agent", concat!("iwomp/", env!("CARGO_PKG_VERSION")))?;
    Ok(request)
}

async fn judge(response: HttpResponse) -> Verdict {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let after = header("retry-after").and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    let is_limited = after.is_some() || header("x-ratelimit-remaining").as_deref() == Some("0");
    match status {
        200..=299 => return Verdict::Delivered,
        // GitHub says 403 where others say 429.
        403 if is_limited => {
            return Verdict::Later { reason: "the host answered 403: it wants fewer requests".to_owned(), after };
        }
        408 | 425 | 429 | 500.. => return Verdict::Later { reason: format!("the host answered {status}"), after },
        _ => {}
    }
    let advice = match status {
        300..=399 => "it redirects, which is not followed: put the final URL into the target's secret",
        401 | 403 => "it does not take the secret: put a new one there, with the right to write statuses",
        404 | 410 => {
            "it has nothing there, or the secret may not see it: look at the URL, at gitUrl, and at what the secret may see"
        }
        // GitLab's word for a status that is set already.
        400 if text(response).await.contains("Cannot transition status") => return Verdict::Delivered,
        _ => "it does not take the request: see what the host says of its API",
    };
    Verdict::Never { reason: format!("the host answered {status}: {advice}") }
}

/// The beginning of an answer. Never shown: it is the host's word.
async fn text(mut response: HttpResponse) -> String {
    let mut stream = ByteStream::new(response.take_body());
    let mut start = Vec::new();
    while let Ok(Ok(Some(piece))) = timeout(READ, stream.try_next()).await {
        start.extend_from_slice(&piece);
        if start.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
    use aws_smithy_runtime_api::http::StatusCode;

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

    async fn verdict(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static str) -> Verdict {
        let message = Message { url: "https://git.example/x".to_owned(), headers: Vec::new(), body: "{}".to_owned() };
        ask(&SharedHttpConnector::new(Fake(status, headers, body)), &message).await
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_when_the_host_says_and_what_cannot_is_not() {
        for status in [200, 201, 204] {
            assert_eq!(verdict(status, &[], "").await, Verdict::Delivered, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(verdict(status, &[], "").await, Verdict::Later { after: None, .. }), "{status}");
        }
        let limited = verdict(429, &[("retry-after", "120")], "").await;
        assert!(matches!(limited, Verdict::Later { after: Some(after), .. } if after.as_secs() == 120), "{limited:?}");
        assert!(matches!(verdict(403, &[("x-ratelimit-remaining", "0")], "").await, Verdict::Later { .. }));
        for status in [301, 302, 307, 400, 401, 403, 404, 409, 410, 422] {
            assert!(matches!(verdict(status, &[], "canary").await, Verdict::Never { .. }), "{status}");
        }
        let again = verdict(400, &[], r#"{"message":"Cannot transition status via :success from :success"}"#).await;
        assert_eq!(again, Verdict::Delivered, "GitLab has it already");
    }
}
