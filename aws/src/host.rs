//! Asks another host than AWS, once: over HTTPS, within bounds, following no redirect and knowing no proxy. [`address`] keeps it
//! off what is nobody else's. What an answer means is for whoever asks.

pub mod address;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::date_time::{DateTime, Format};
use tokio::time::timeout;

use crate::trust::trust_only;
use address::{NOT_TO_BE_ASKED, Resolver};

/// Together, for request and answer, far less than a function has: a host that does not answer costs a try and says so.
const CONNECT: Duration = Duration::from_secs(5);
const READ: Duration = Duration::from_secs(10);
/// Of an answer, as far as it is looked at; a deployment of GitHub's has some 4 KB.
const MAX_ANSWER_BYTES: usize = 65536;

/// A request to be made.
#[derive(Debug)]
pub struct Message {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// What a host answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The beginning of its body. Never shown: it is the host's word.
    pub text: String,
    /// Whether it wants fewer requests, as GitHub says with 403:
    /// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>.
    pub is_limited: bool,
    /// After so long, if it says so.
    pub after: Option<Duration>,
}

/// Why something came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The host may take it later: after so many seconds, if it says so.
    Later { reason: String, after: Option<Duration> },
    /// It will not take it, however often it is asked.
    Never { reason: String },
}

/// What GitHub's API wants to be sent. <https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api>
#[must_use]
pub fn headers_of_github(token: &str) -> Vec<(&'static str, String)> {
    vec![
        ("authorization", format!("Bearer {token}")),
        ("accept", "application/vnd.github+json".to_owned()),
        ("x-github-api-version", "2022-11-28".to_owned()),
    ]
}

/// The way to other hosts, which trusts the certificates of the bundle alone, if there is one.
///
/// # Errors
/// If the bundle has no certificate that can be trusted.
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

/// The answer to `message`, whatever it is.
///
/// # Errors
/// If there is none.
pub async fn send(connector: &SharedHttpConnector, message: &Message) -> Result<Answer, Verdict> {
    let request =
        request(message).map_err(|error| Verdict::Never { reason: format!("preparing the request: {error:#}") })?;
    let asking = async { read(connector.call(request).await?).await };
    match timeout(CONNECT + READ, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(match format!("{error:#}") {
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

async fn read(response: HttpResponse) -> Result<Answer> {
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
    let status = response.status().as_u16();
    let text = text(response).await?;
    // Of its limit on bursts GitHub may say so in words alone.
    let is_limited = after.is_some() || has_none_left || status == 403 && text.contains("secondary rate limit");
    Ok(Answer { status, text, is_limited, after })
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
