//! Asks another host, once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::date_time::{DateTime, Format};
use iwomp_aws::trust::trust_only;
use serde_json::Value;
use tokio::time::timeout;

use super::address::{NOT_TO_BE_ASKED, Resolver};
use super::message::Message;

/// Together, for request and answer, far less than the function's 60 s: a host that does not answer costs a try and says so.
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(10);
/// Of an answer, as far as it is looked at; a deployment of GitHub's has some 4 KB.
const MAX_ANSWER_BYTES: usize = 65536;

/// Why something was not delivered.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The host may take it later: after so many seconds, if it says so.
    Later { reason: String, after: Option<Duration> },
    /// It will not take it, however often it is asked.
    Never { reason: String },
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

/// The answer of a host that has taken the message. Never shown: it is the host's word.
pub async fn ask(connector: &SharedHttpConnector, message: &Message) -> Result<String, Verdict> {
    let request =
        request(message).map_err(|error| Verdict::Never { reason: format!("preparing the request: {error:#}") })?;
    let asking = async {
        let response = connector.call(request).await?;
        Ok::<_, ConnectorError>(judge(response, &message.body).await)
    };
    match timeout(CONNECT + READ, asking).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => Err(match format!("{:#}", anyhow::Error::new(error)) {
            reason if reason.contains(NOT_TO_BE_ASKED) => Verdict::Never { reason },
            reason => Verdict::Later { reason, after: None },
        }),
        Err(_) => {
            Err(Verdict::Later { reason: format!("no answer within {} s", (CONNECT + READ).as_secs()), after: None })
        }
    }
}

fn request(message: &Message) -> Result<HttpRequest> {
    let mut request = HttpRequest::new(SdkBody::from(message.body.clone()));
    request.set_method(message.method)?;
    request.set_uri(message.url.as_str())?;
    let fields = request.headers_mut();
    for (name, value) in &message.headers {
        fields.try_insert(*name, value.clone())?;
    }
    fields.try_insert("content-type", "application/json")?;
    fields.try_insert("user-agent", concat!("iwomp/", env!("CARGO_PKG_VERSION")))?;
    Ok(request)
}

async fn judge(response: HttpResponse, sent: &str) -> Result<String, Verdict> {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let seconds = |name: &str| header(name).and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    // https://www.rfc-editor.org/rfc/rfc9110#name-retry-after: seconds, or a date.
    let date = || DateTime::from_str(&header("retry-after")?, Format::HttpDate).ok()?.secs().try_into().ok();
    let has_none_left = header("x-ratelimit-remaining").as_deref() == Some("0");
    // GitHub's limit of an hour says when it is over, in seconds since 1970.
    let until = date().map(Duration::from_secs).or(seconds("x-ratelimit-reset").filter(|_| has_none_left));
    let over =
        until.map(|until| until.saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()));
    let after = seconds("retry-after").or(over);
    let is_limited = after.is_some() || has_none_left;
    match status {
        // Azure DevOps shows its sign-in page to a token that it does not take.
        203 => {}
        200..=299 => {
            return text(response).await.map_err(|error| Verdict::Later { reason: format!("{error:#}"), after: None });
        }
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
        400 if text(response).await.is_ok_and(|text| has_it_already(&text, sent)) => return Ok(String::new()),
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

/// The beginning of an answer.
async fn text(mut response: HttpResponse) -> Result<String> {
    let mut stream = ByteStream::new(response.take_body());
    let mut start = Vec::new();
    while let Some(piece) = stream.try_next().await.context("reading the host's answer")? {
        start.extend_from_slice(&piece);
        if start.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&start).into_owned())
}
