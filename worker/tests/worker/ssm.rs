//! As much of AWS as the worker calls, over plain HTTP on loopback: GetParameters and PutParameter of SSM, AssumeRole and
//! GetCallerIdentity of STS.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Name → (type, value).
type Parameters = Arc<Mutex<BTreeMap<String, (String, String)>>>;

/// What was asked of STS, as a query string, and the operations that were not answered.
type Asked = Arc<Mutex<Vec<String>>>;

/// The session that every role but the forbidden one gives.
pub const SESSION: [&str; 3] = ["ASIASESSION", "canary-session-secret", "canary-session-token"];
pub const FORBIDDEN_ROLE: &str = "arn:aws:iam::123456789012:role/forbidden";

/// What stands for the type of a parameter that nobody can decrypt any more.
const DEAD_KEY: &str = "dead key";

/// Where it stands who asks; unless it was told, the build.
const CALLER: &str = "who asks";
const BUILD: &str = "arn:aws:sts::123456789012:assumed-role/iw--demo/AWSCodeBuild-0a1b";

/// The operation that is taken and never answered, if there is one.
type Silent = Arc<Mutex<Option<&'static str>>>;

pub struct Ssm {
    address: SocketAddr,
    silent: Silent,
    parameters: Parameters,
    asked: Asked,
    /// The operations of SSM, in their order.
    calls: Asked,
}

impl Ssm {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ssm = Self {
            address,
            silent: Silent::default(),
            parameters: Parameters::default(),
            asked: Asked::default(),
            calls: Asked::default(),
        };
        let (silent, parameters) = (ssm.silent.clone(), ssm.parameters.clone());
        let (asked, calls) = (ssm.asked.clone(), ssm.calls.clone());
        // Ends with the test's process.
        std::thread::spawn(move || {
            // Held, so that who waits for an answer waits on.
            let mut unanswered = Vec::new();
            for stream in listener.incoming().flatten() {
                unanswered.extend(answer(stream, &silent, &parameters, &asked, &calls));
            }
        });
        ssm
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, `operation` is asked in vain.
    pub fn never_answer(&self, operation: &'static str) {
        *self.silent.lock().unwrap() = Some(operation);
    }

    /// Everything is answered again.
    pub fn answer_all(&self) {
        *self.silent.lock().unwrap() = None;
    }

    /// The operations of SSM that were asked for until now.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    /// What was asked of STS.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub fn put(&self, name: &str, r#type: &str, value: &str) {
        self.parameters.lock().unwrap().insert(name.to_owned(), (r#type.to_owned(), value.to_owned()));
    }

    /// A parameter whose key was destroyed with an earlier pipeline.
    pub fn put_under_a_dead_key(&self, name: &str) {
        self.put(name, DEAD_KEY, "");
    }

    /// From now on, whoever asks is `arn`.
    pub fn take_for(&self, arn: &str) {
        self.put(CALLER, "", arn);
    }

    pub fn value(&self, name: &str) -> Option<String> {
        self.parameters.lock().unwrap().get(name).map(|(_, value)| value.clone())
    }
}

/// Answers the one request of a connection, or gives it back.
fn answer(
    mut stream: TcpStream,
    silent: &Silent,
    parameters: &Parameters,
    asked: &Asked,
    calls: &Asked,
) -> Option<TcpStream> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut target, mut length) = (String::new(), 0);
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => target = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => (),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    calls.lock().unwrap().extend(target.strip_prefix("AmazonSSM.").map(str::to_owned));
    if silent.lock().unwrap().is_some_and(|operation| target.ends_with(operation)) {
        asked.lock().unwrap().push(target);
        return Some(stream);
    }
    let (status, kind, body) = if target.is_empty() {
        let query = String::from_utf8(body).unwrap();
        let caller = parameters.lock().unwrap().get(CALLER).map_or(BUILD.to_owned(), |(_, arn)| arn.clone());
        let (status, body) = match query.contains("Action=GetCallerIdentity&") {
            true => ("200 OK", caller_identity(&caller)),
            false => assume_role(&query),
        };
        asked.lock().unwrap().push(query);
        (status, "text/xml", body)
    } else {
        let (status, body) = respond(&target, &serde_json::from_slice(&body).unwrap(), parameters);
        (status, "application/x-amz-json-1.1", body.to_string())
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close");
    // The worker may have been told to stop meanwhile.
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    None
}

fn respond(target: &str, request: &Value, parameters: &Parameters) -> (&'static str, Value) {
    let mut parameters = parameters.lock().unwrap();
    match target {
        "AmazonSSM.GetParameters" => {
            let names: Vec<&str> = request["Names"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let (known, unknown): (Vec<&str>, Vec<&str>) =
                names.iter().partition(|&&name| parameters.contains_key(name));
            if known.iter().any(|&name| parameters[name].0 == DEAD_KEY) {
                let message = "arn:aws:kms:eu-central-1:123456789012:key/1 is pending deletion. (Service: AWSKMS; Status Code: 400; \
                    Error Code: KMSInvalidStateException; Request ID: r-2; Proxy: null)";
                return ("400 Bad Request", json!({ "__type": "InvalidKeyId", "message": message }));
            }
            let known: Vec<Value> = known
                .iter()
                .map(|&name| (name, &parameters[name]))
                .map(|(name, (r#type, value))| json!({ "Name": name, "Type": r#type, "Value": value }))
                .collect();
            ("200 OK", json!({ "Parameters": known, "InvalidParameters": unknown }))
        }
        "AmazonSSM.PutParameter" => {
            let text = |key: &str| request[key].as_str().unwrap().to_owned();
            parameters.insert(text("Name"), (text("Type"), text("Value")));
            ("200 OK", json!({ "Version": 1, "Tier": "Standard" }))
        }
        other => panic!("no answer to {other}"),
    }
}

fn caller_identity(arn: &str) -> String {
    let result = format!("<Arn>{arn}</Arn><UserId>AROA:x</UserId><Account>123456789012</Account>");
    format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult>{result}</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

fn assume_role(query: &str) -> (&'static str, String) {
    assert!(query.contains("Action=AssumeRole&"), "no answer to {query}");
    if query.contains(&FORBIDDEN_ROLE.replace(':', "%3A").replace('/', "%2F")) {
        let error =
            "<Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message>";
        let response = format!("<ErrorResponse><Error>{error}</Error><RequestId>r-1</RequestId></ErrorResponse>");
        return ("403 Forbidden", response);
    }
    let [id, secret, token] = SESSION;
    let credentials = format!(
        "<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration>"
    );
    let result = format!("<AssumeRoleResult><Credentials>{credentials}</Credentials></AssumeRoleResult>");
    ("200 OK", format!("<AssumeRoleResponse>{result}</AssumeRoleResponse>"))
}
