//! HTTPS for Git LFS: to the origin of `gitUrl`, with the project's credential, trusting what git trusts. A redirect is an
//! error, and so is an answer that is longer than was promised.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use contract::{GitUrl, Project};
use iwomp_aws::trust::trust_only;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::batch::{Batch, Download, MEDIA_TYPE, question};
use super::pointer::Object;
use crate::git::access::HttpsCredential;
use crate::git::explain::Nature;
use crate::git::heard::wait_asked_for;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until an answer begins, and between two pieces of it.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// A host that sends less than 1 kB/s for a minute is not going to finish, as with git.
const SLOW: (u64, Duration) = (60_000, Duration::from_secs(60));
/// An answer about a batch has some hundred bytes an object.
const MAX_ANSWER_BYTES: usize = 1 << 20;

const SEE_HOST: &str =
    "see whether the Git host has the file (git lfs ls-files, git lfs push --all), then trigger again";

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) error: anyhow::Error,
    pub(super) advice: &'static str,
    pub(super) nature: Nature,
    /// How long the host asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Setback {
    fn new(nature: Nature, error: impl Into<anyhow::Error>, advice: &'static str) -> Self {
        Self { error: error.into(), advice, nature, retry_after: None }
    }

    fn lasting(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Nature::Lasting, error, SEE_HOST)
    }

    fn passing(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Nature::Passing, error, "trigger again once the Git host is well")
    }
}

/// The host of a project's repository.
pub(super) struct Host {
    connector: SharedHttpConnector,
    origin: String,
    authorization: Option<SecretString>,
}

impl Host {
    pub(super) fn of(project: &Project) -> anyhow::Result<Self> {
        let trust = match &project.ca_bundle {
            Some(bundle) => trust_only(bundle)?,
            None => TrustStore::default(),
        };
        let context = TlsContext::builder().with_trust_store(trust).build().context("preparing TLS")?;
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context)
            .proxy_config(ProxyConfig::from_env())
            .connector_settings(
                HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(SILENCE_TIMEOUT).build(),
            )
            .build();
        let authorization = HttpsCredential::of(project)?.map(|credential| credential.header());
        Ok(Self { connector: SharedHttpConnector::new(connector), origin: project.git_url.origin(), authorization })
    }

    /// Asks where the host has `objects` of `repository`.
    pub(super) async fn batch(&self, repository: &GitUrl, objects: &[&Object]) -> Result<Batch, Setback> {
        let headers = ["accept", "content-type"].map(|name| (name.to_owned(), MEDIA_TYPE.to_owned()));
        let question = SdkBody::from(question(objects));
        let response =
            self.send("POST", &repository.lfs_batch(), &headers, self.authorization.as_ref(), question).await?;
        let mut answer = Vec::new();
        read(response, |piece| {
            if answer.len() + piece.len() > MAX_ANSWER_BYTES {
                return Err(Setback::lasting(anyhow!("the answer is longer than {MAX_ANSWER_BYTES} bytes")));
            }
            answer.extend_from_slice(piece);
            Ok(())
        })
        .await?;
        Batch::parse(&answer).map_err(Setback::lasting)
    }

    /// Writes `object` to the file `path`. If it is not what the pointer promised, that is an error.
    pub(super) async fn download(&self, download: &Download, object: &Object, path: &Path) -> Result<(), Setback> {
        let authorization = self.authorization.as_ref().filter(|_| download.wants_credential);
        let response = self.send("GET", &download.url, &download.headers, authorization, SdkBody::empty()).await?;
        let on_disk = |error: std::io::Error| {
            let error = anyhow::Error::new(error).context(format!("writing {}", path.display()));
            Setback::new(Nature::Lasting, error, "give the build's machine more room on its disk (compute_type)")
        };
        let mut file = File::create(path).map_err(on_disk)?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        read(response, |piece| {
            size += piece.len() as u64;
            if size > object.size {
                let error = anyhow!("the host sends more than the {} bytes of the pointer", object.size);
                return Err(Setback::lasting(error));
            }
            hash.update(piece);
            file.write_all(piece).map_err(on_disk)
        })
        .await?;
        if size < object.size {
            let error = anyhow!("the host ended after {size} of the {} bytes of the pointer", object.size);
            return Err(Setback::passing(error));
        }
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if hash != object.hash {
            return Err(Setback::lasting(anyhow!("the host sent something else, whose SHA-256 is {hash}")));
        }
        Ok(())
    }

    /// Sends a request to our origin, and returns the answer if it is a plain success.
    async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        authorization: Option<&SecretString>,
        body: SdkBody,
    ) -> Result<HttpResponse, Setback> {
        let request = self
            .request(method, url, headers, authorization, body)
            .context("preparing a request")
            .map_err(Setback::lasting)?;
        let response = self.connector.call(request).await.map_err(|error| {
            const ADVICE: &str =
                "see whether the Git host is reachable from the build's network, and whether caBundle fits";
            Setback::new(Nature::Unreached, anyhow::Error::new(error), ADVICE)
        })?;
        judge(&response, authorization.is_some())?;
        Ok(response)
    }

    fn request(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        authorization: Option<&SecretString>,
        body: SdkBody,
    ) -> anyhow::Result<HttpRequest> {
        // Nothing gets here that was not held against it; it is looked at once more where the credential is.
        if !url.starts_with(&format!("{}/", self.origin)) {
            bail!("it would go to another origin than {}", self.origin);
        }
        let mut request = HttpRequest::new(body);
        request.set_method(method)?;
        request.set_uri(url)?;
        let fields = request.headers_mut();
        for (name, value) in headers {
            fields.try_insert(name.clone(), value.clone())?;
        }
        if let Some(authorization) = authorization {
            fields.try_insert("authorization", authorization.expose_secret().to_owned())?;
        }
        fields.try_insert("user-agent", concat!("iwomp/", env!("CARGO_PKG_VERSION")))?;
        Ok(request)
    }
}

/// Whether an answer is a plain success.
fn judge(response: &HttpResponse, was_credential_sent: bool) -> Result<(), Setback> {
    let status = response.status().as_u16();
    let (nature, problem, advice) = match (status, was_credential_sent) {
        (200, _) => return Ok(()),
        (300..=399, _) => (
            Nature::Lasting,
            "it redirects to another URL, which is not followed",
            "set gitUrl to the repository's final URL; files that are kept at another host are not fetched",
        ),
        (401 | 403, true) => (
            Nature::Lasting,
            "it does not take the credential for files of Git LFS",
            "give the project's token the right to read them",
        ),
        (401 | 403, false) => {
            (Nature::Lasting, "it wants a credential for files of Git LFS", "store a credential of the project")
        }
        (404 | 410, _) => (Nature::Lasting, "it has not what is asked for", SEE_HOST),
        (408 | 429 | 500.., _) => (Nature::Passing, "it has a disturbance", "trigger again once the Git host is well"),
        _ => (Nature::Lasting, "it does not answer as a host of Git LFS does", SEE_HOST),
    };
    let retry_after = response.headers().get("retry-after").and_then(wait_asked_for);
    Err(Setback { error: anyhow!("the host answered {status}: {problem}"), advice, nature, retry_after })
}

/// Reads an answer, piece by piece, from a host that keeps sending.
async fn read(mut response: HttpResponse, mut take: impl FnMut(&[u8]) -> Result<(), Setback>) -> Result<(), Setback> {
    let mut stream = ByteStream::new(response.take_body());
    let (mut since, mut bytes) = (Instant::now(), 0);
    loop {
        let piece = timeout(SILENCE_TIMEOUT, stream.try_next())
            .await
            .map_err(|_| Setback::passing(anyhow!("the host fell silent within its answer")))?
            .map_err(|error| Setback::passing(anyhow::Error::new(error).context("reading the answer")))?;
        let Some(piece) = piece else { return Ok(()) };
        take(&piece)?;
        bytes += piece.len() as u64;
        if since.elapsed() >= SLOW.1 {
            if bytes < SLOW.0 {
                return Err(Setback::passing(anyhow!("the host sent {bytes} bytes within a minute")));
            }
            (since, bytes) = (Instant::now(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
    use aws_smithy_runtime_api::http::StatusCode;
    use contract::register::{Document, Storage};

    use super::*;

    /// Answers everything alike, and keeps what it was asked.
    #[derive(Debug, Clone)]
    struct Fake {
        status: u16,
        body: &'static [u8],
        asked: Arc<Mutex<Vec<HttpRequest>>>,
    }

    impl HttpConnector for Fake {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.asked.lock().unwrap().push(request);
            HttpConnectorFuture::ready(Ok(HttpResponse::new(
                StatusCode::try_from(self.status).unwrap(),
                SdkBody::from(self.body),
            )))
        }
    }

    const CONTENT: &[u8] = b"content";
    const URL: &str = "https://git.example:8443/x";

    fn host(status: u16, body: &'static [u8]) -> (Host, Fake) {
        let fake = Fake { status, body, asked: Arc::default() };
        let authorization = Some(SecretString::from("Basic canary"));
        let connector = SharedHttpConnector::new(fake.clone());
        (Host { connector, origin: "https://git.example:8443".to_owned(), authorization }, fake)
    }

    fn object() -> Object {
        let hash = Sha256::digest(CONTENT).iter().map(|byte| format!("{byte:02x}")).collect();
        Object { hash, size: CONTENT.len() as u64 }
    }

    /// What is written, or why nothing is.
    async fn downloaded(status: u16, body: &'static [u8], download: Download) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let setback = host(status, body).0.download(&download, &object(), &path).await;
        setback.map(|()| fs::read(path).unwrap()).map_err(|setback| format!("{:#}", setback.error))
    }

    fn download(url: &str) -> Download {
        Download { url: url.to_owned(), headers: Vec::new(), wants_credential: true }
    }

    #[tokio::test]
    async fn a_file_is_what_its_pointer_says_or_an_error() {
        assert_eq!(downloaded(200, CONTENT, download(URL)).await.unwrap(), CONTENT);
        for (body, says) in [
            (&b"CONTENT"[..], "the host sent something else, whose SHA-256 is "),
            (b"content and more", "the host sends more than the 7 bytes of the pointer"),
            (b"conten", "the host ended after 6 of the 7 bytes of the pointer"),
            (b"", "the host ended after 0 of the 7 bytes of the pointer"),
        ] {
            let said = downloaded(200, body, download(URL)).await.unwrap_err();
            assert!(said.starts_with(says), "{said}");
        }
        for status in [206, 302, 307, 404, 500] {
            let said = downloaded(status, CONTENT, download(URL)).await.unwrap_err();
            assert!(said.starts_with(&format!("the host answered {status}: ")), "{said}");
        }
    }

    #[tokio::test]
    async fn the_credential_goes_along_only_where_it_is_wanted() {
        for wants_credential in [true, false] {
            let (host, fake) = host(404, b"");
            let headers = vec![("x-of-the-answer".to_owned(), "a".to_owned())];
            let download = Download { url: URL.to_owned(), headers, wants_credential };
            host.download(&download, &object(), Path::new("/nonexistent")).await.unwrap_err();
            let asked = fake.asked.lock().unwrap();
            let headers = asked[0].headers();
            assert_eq!(headers.get("authorization"), wants_credential.then_some("Basic canary"));
            assert_eq!((asked[0].method(), headers.get("x-of-the-answer")), ("GET", Some("a")));
        }
    }

    #[tokio::test]
    async fn a_question_goes_to_the_repository_with_the_credential_and_its_answer_has_an_end() {
        static LONG: [u8; MAX_ANSWER_BYTES + 1] = [b' '; MAX_ANSWER_BYTES + 1];
        let repository = GitUrl::parse("https://git.example:8443/demo.git").unwrap();
        let (host, fake) = host(200, &LONG);
        let setback = host.batch(&repository, &[&object()]).await.err().unwrap();
        assert!(setback.error.to_string().starts_with("the answer is longer than"), "{}", setback.error);
        let asked = fake.asked.lock().unwrap();
        assert_eq!(asked[0].uri(), "https://git.example:8443/demo.git/info/lfs/objects/batch");
        assert_eq!(asked[0].headers().get("authorization"), Some("Basic canary"));
    }

    #[tokio::test]
    async fn no_request_goes_to_another_origin_whoever_asks_for_it() {
        let (host, fake) = host(200, CONTENT);
        for url in [
            "https://evil.example/x",
            "https://git.example/x",
            "https://git.example:8443.evil.example/x",
            "https://git.example:8443@evil.example/x",
            "http://git.example:8443/x",
        ] {
            let setback = host.download(&download(url), &object(), Path::new("/nonexistent")).await.unwrap_err();
            let said = format!("{:#}", setback.error);
            assert!(said.contains("it would go to another origin"), "{url}: {said}");
        }
        assert!(fake.asked.lock().unwrap().is_empty());
    }

    fn judged(status: u16, retry_after: Option<&'static str>) -> Result<(), Setback> {
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert("retry-after", seconds);
        }
        judge(&response, true)
    }

    #[test]
    fn only_a_plain_success_is_one_and_only_a_disturbance_may_pass() {
        assert!(judged(200, None).is_ok());
        for status in [201, 204, 206, 301, 302, 303, 307, 308, 304, 400, 401, 403, 404, 407, 410, 422] {
            assert_eq!(judged(status, None).unwrap_err().nature, Nature::Lasting, "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504, 507, 599] {
            assert_eq!(judged(status, None).unwrap_err().nature, Nature::Passing, "{status}");
        }
        assert_eq!(judged(429, Some("7")).unwrap_err().retry_after, Some(Duration::from_secs(7)));
    }

    /// Somebody's authority.
    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBdDCCARugAwIBAgIUcCPA8yjowZyICOZ8tKwhSfyD/YIwCgYIKoZIzj0EAwIw\n\
        DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjYwMDU5NTBaGA8yMTI2MTEwMjAwNTk1\n\
        MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDT+\n\
        H6ViFoYJMnv1wsyw/hTbacNKcDdtbzOGzf6AkSz4afyNtWACaU8kLLG5Hgg3QHam\n\
        dRNAItTxDQuXggzd5/qjUzBRMB0GA1UdDgQWBBQNf5HjPl0p6IItpT7BOwpVSYYq\n\
        RzAfBgNVHSMEGDAWgBQNf5HjPl0p6IItpT7BOwpVSYYqRzAPBgNVHRMBAf8EBTAD\n\
        AQH/MAoGCCqGSM49BAMCA0cAMEQCIFoPIgzA4IMQuAtJtQMNQxE2lxttxWIEWMo2\n\
        azrElajYAiAe1EYRZIgGpHSzybKICrfrSEuD7ndT2EMIYqa7CcjqsA==\n\
        -----END CERTIFICATE-----\n";
    const JUNK: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_is_no_certificate_is_left_out_of_a_bundle_and_does_no_harm() {
        for bundle in ["", JUNK] {
            assert!(trust_only(bundle).is_err(), "{bundle}");
        }
        for bundle in [&*format!("{JUNK}{AUTHORITY}{JUNK}"), AUTHORITY, &AUTHORITY.replace('\n', "\r\n")] {
            let bundle = serde_json::Value::from(bundle);
            let text = format!(r#"{{"gitUrl":"https://git.example/demo.git","command":"x","caBundle":{bundle}}}"#);
            let project = Project::read(Document { text: &text, storage: Storage::Plain }, None).unwrap();
            // The client panics over a certificate that it cannot take.
            assert!(Host::of(&project).is_ok(), "{bundle}");
        }
    }
}
