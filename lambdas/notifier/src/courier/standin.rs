//! A host that stands in for all those that the courier tells, behind real TLS. It checks what the real ones check, by
//! `hosts.json`, where the documentation that says so is named; or it answers what it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_types::base64;
use contract::TargetSecret;
use contract::register::TargetKind;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::hex;

pub const TOKEN: &str = "t0ken-canary";
const KEY: &str = "signing-canary-0123";

/// What is answered to the next request, whatever it is.
#[derive(Clone, Copy)]
pub enum Answer {
    With(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Nothing, for ever. The clock of the test runs as fast as it can from here on.
    Nothing,
    /// Less than was promised, and then nothing.
    TooLittle,
    /// The connection ends.
    HangUp,
}

pub struct Asked {
    pub method: String,
    pub path: String,
    headers: BTreeMap<String, String>,
    pub body: String,
    /// What was answered.
    pub status: u16,
}

#[derive(Default)]
struct Known {
    asked: Vec<Asked>,
    answers: VecDeque<Answer>,
    /// GitHub's: id, request, and the states that were told.
    deployments: Vec<(u64, Value, Vec<String>)>,
}

pub struct Standin {
    url: String,
    /// The certificate that it has, which nobody else has signed.
    pub authority: String,
    known: Arc<Mutex<Known>>,
}

impl Standin {
    pub async fn listening() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let known = Arc::<Mutex<Known>>::default();
        let kept = Arc::clone(&known);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, known) = (acceptor.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    // Who does not trust it hangs up.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Some(mut asked) = read(&mut stream).await else { return };
                    let scripted = known.lock().unwrap().answers.pop_front();
                    let answer = match scripted {
                        None => {
                            let (status, body) = known.lock().unwrap().judge(&asked);
                            written(status, &[], body.as_bytes(), body.len())
                        }
                        Some(Answer::With(status, headers, body)) => {
                            written(status, headers, body.as_bytes(), body.len())
                        }
                        Some(Answer::TooLittle) => written(200, &[], b"{", 2),
                        Some(Answer::Nothing | Answer::HangUp) => String::new(),
                    };
                    asked.status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
                    known.lock().unwrap().asked.push(asked);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if let Some(Answer::Nothing | Answer::TooLittle) = scripted {
                        tokio::time::pause();
                        tokio::time::sleep(Duration::from_secs(3600)).await;
                    }
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { url, authority: made.cert.pem(), known }
    }

    /// The secret of a target that is here.
    pub fn secret(&self, kind: TargetKind) -> String {
        let base = format!("{}/{kind}", self.url);
        let first = &facts(kind)["requests"][0];
        let whole = format!("{base}{}", first["path"].as_str().unwrap().replace("{token}", TOKEN));
        match kind {
            TargetKind::Webhook => json!({"url": whole, "key": KEY}),
            kind if kind.is_git_host() => json!({"url": format!("{base}/"), "token": TOKEN}),
            _ => json!({"url": whole}),
        }
        .to_string()
    }

    pub fn target_secret(&self, kind: TargetKind) -> TargetSecret {
        TargetSecret::parse(&self.secret(kind), kind).unwrap()
    }

    pub fn answers_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.known.lock().unwrap().answers.extend(answers);
    }

    /// What was asked since this was asked last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.known.lock().unwrap().asked)
    }

    /// GitHub's deployments, newest last: commit and environment, and the states that were told.
    pub fn deployments(&self) -> Vec<(String, String, Vec<String>)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let known = self.known.lock().unwrap();
        known
            .deployments
            .iter()
            .map(|(_, of, states)| (text(&of["ref"]), text(&of["environment"]), states.clone()))
            .collect()
    }
}

/// What is known of a host.
pub fn facts(kind: TargetKind) -> Value {
    let mut all: Value = serde_json::from_str(include_str!("../../hosts.json")).unwrap();
    let mut facts = all[kind.as_str()].take();
    if kind == TargetKind::Webhook {
        facts["requests"][0]["body"] =
            serde_json::from_str(include_str!("../../../../docs/schemas/webhook.json")).unwrap();
    }
    facts
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let body_at = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8(bytes[..body_at].to_vec()).unwrap();
    let mut lines = head.trim_end().lines();
    let mut first = lines.next()?.split(' ');
    let pairs = lines.map(|line| line.split_once(": ").unwrap());
    let headers: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < body_at + length {
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    Some(Asked {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers,
        body: String::from_utf8(bytes[body_at..].to_vec()).unwrap(),
        status: 0,
    })
}

fn written(status: u16, headers: &[(&str, &str)], body: &[u8], length: usize) -> String {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if status == 204 { String::new() } else { format!("content-length: {length}\r\n") };
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{length}{more}\r\n{}",
        String::from_utf8_lossy(if status == 204 { b"" } else { body })
    )
}

impl Known {
    /// The status and the body that the real host would answer.
    fn judge(&mut self, asked: &Asked) -> (u16, String) {
        let (kind, path) = asked.path[1..].split_once('/').unwrap_or_default();
        let Some(kind) = TargetKind::ALL.iter().copied().find(|known| known.as_str() == kind) else {
            return (404, String::new());
        };
        let (facts, path) = (facts(kind), format!("/{path}"));
        let is_meant = |request: &&Value| {
            asked.method == request["method"].as_str().unwrap() && fits(request["path"].as_str().unwrap(), &path)
        };
        let Some(request) = facts["requests"].as_array().unwrap().iter().find(is_meant) else {
            return (404, "no such path".to_owned());
        };
        let headers = facts["headers"].as_object().unwrap();
        let wrong = headers.iter().find(|(name, wanted)| !self::is_meant(asked, name, wanted.as_str().unwrap()));
        if let Some((name, _)) = wrong {
            return (if ["accept", "x-github-api-version"].contains(&name.as_str()) { 415 } else { 401 }, name.clone());
        }
        let header = |name: &str| asked.headers.get(name).map_or("", String::as_str);
        // GitHub and Discord refuse requests without: https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
        if !header("user-agent").starts_with("iwomp/") {
            return (403, "user-agent".to_owned());
        }
        if let Some(schema) = request.get("body") {
            if header("content-type") != "application/json" {
                return (415, "content-type".to_owned());
            }
            let body = serde_json::from_str(&asked.body).unwrap_or_default();
            if let Err(fault) = check(schema, &body) {
                return (u16::try_from(facts["invalid"].as_u64().unwrap()).unwrap(), fault);
            }
        }
        let answer = if kind == TargetKind::GitHub { self.of_github(asked, &path) } else { String::new() };
        (u16::try_from(request["answer"].as_u64().unwrap()).unwrap(), answer)
    }

    fn of_github(&mut self, asked: &Asked, path: &str) -> String {
        let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let shown =
            |(id, made, _): &(u64, Value, Vec<String>)| json!({"id": id, "sha": made["ref"], "task": made["task"]});
        let last = path.trim_end_matches("/statuses").rsplit('/').next().unwrap();
        match (asked.method.as_str(), path.contains("/deployments")) {
            (_, false) => "{}".to_owned(),
            ("GET", _) => {
                let url = url::Url::parse(&format!("https://localhost{path}")).unwrap();
                let of = |key: &str| url.query_pairs().find(|(name, _)| name == key).unwrap().1.into_owned();
                let fits = |(_, made, _): &&(u64, Value, _)| {
                    made["environment"] == of("environment") && made["task"] == of("task")
                };
                json!(self.deployments.iter().rev().filter(fits).take(1).map(shown).collect::<Vec<_>>()).to_string()
            }
            _ if last == "deployments" => {
                self.deployments.push((self.deployments.len() as u64 + 1, body, Vec::new()));
                shown(self.deployments.last().unwrap()).to_string()
            }
            _ => {
                let of = self.deployments.iter_mut().find(|(id, ..)| id.to_string() == last).unwrap();
                of.2.push(body["state"].as_str().unwrap().to_owned());
                "{}".to_owned()
            }
        }
    }
}

/// Whether a header is what it should be.
fn is_meant(asked: &Asked, name: &str, wanted: &str) -> bool {
    let Some(value) = asked.headers.get(name) else { return false };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    match wanted {
        "{id}" => !value.is_empty(),
        "{timestamp}" => value.parse::<u64>().is_ok_and(|then| now.abs_diff(then) < 300),
        "sha256={signature}" => {
            let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
            mac.update(format!("{}.{}", asked.headers["x-iwomp-timestamp"], asked.body).as_bytes());
            *value == format!("sha256={}", hex(&mac.finalize().into_bytes()))
        }
        wanted => *value == wanted.replace("{token}", TOKEN).replace("{basic}", &base64::encode(format!(":{TOKEN}"))),
    }
}

/// Whether a path is of a form, in which each part may end in something that is to be filled in.
fn fits(form: &str, path: &str) -> bool {
    let parts = |text: &str| text.split(['/', '?', '&']).map(str::to_owned).collect::<Vec<_>>();
    let fits = |(form, part): (String, String)| match form.split_once('{') {
        None => form == part,
        Some((start, what)) => part.strip_prefix(start).is_some_and(|part| match what {
            "token}" => part == TOKEN,
            "commit}" => part.len() == 40 && part.bytes().all(|b| b.is_ascii_hexdigit()),
            "number}" => part.parse::<u64>().is_ok(),
            _ => !part.is_empty(),
        }),
    };
    parts(form).len() == parts(path).len() && parts(form).into_iter().zip(parts(path)).all(fits)
}

/// That `value` is as a schema says it: of JSON Schema as much as `hosts.json` uses. A key that is in no documentation is a fault.
fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let fault = |what: &str| Err(format!("{what}: {value}"));
    let is_of = |kind: &str| match kind {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    };
    if schema.get("type").is_some_and(|kind| !is_of(kind.as_str().unwrap())) {
        return fault("is of another type");
    }
    if schema.get("enum").is_some_and(|all| !all.as_array().unwrap().contains(value)) {
        return fault("is no word of it");
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return fault("is something else");
    }
    let length = value.as_str().map_or(0, |text| text.chars().count()) as u64;
    if schema.get("maxLength").is_some_and(|most| length > most.as_u64().unwrap()) {
        return fault("is too long");
    }
    if let Some(items) = schema.get("items") {
        let Some(values) = value.as_array().filter(|values| !values.is_empty()) else { return fault("has no items") };
        values.iter().try_for_each(|value| check(items, value))?;
    }
    if let Some(keys) = schema.get("properties") {
        let Some(object) = value.as_object() else { return fault("is no object") };
        for key in schema["required"].as_array().into_iter().flatten() {
            object.get(key.as_str().unwrap()).ok_or(format!("lacks {key}"))?;
        }
        for (key, value) in object {
            check(keys.get(key).ok_or(format!("has {key}"))?, value)?;
        }
    }
    Ok(())
}
