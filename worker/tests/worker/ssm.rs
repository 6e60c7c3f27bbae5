//! As much of SSM as the worker calls: GetParameters and PutParameter, over plain HTTP on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Name → (type, value).
type Parameters = Arc<Mutex<BTreeMap<String, (String, String)>>>;

pub struct Ssm {
    address: SocketAddr,
    parameters: Parameters,
}

impl Ssm {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ssm = Self { address: listener.local_addr().unwrap(), parameters: Parameters::default() };
        let parameters = ssm.parameters.clone();
        // Ends with the test's process.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &parameters)));
        ssm
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn put(&self, name: &str, r#type: &str, value: &str) {
        self.parameters.lock().unwrap().insert(name.to_owned(), (r#type.to_owned(), value.to_owned()));
    }

    pub fn value(&self, name: &str) -> Option<String> {
        self.parameters.lock().unwrap().get(name).map(|(_, value)| value.clone())
    }
}

/// Answers the one request of a connection.
fn answer(mut stream: TcpStream, parameters: &Parameters) {
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
    let body = respond(&target, &serde_json::from_slice(&body).unwrap(), parameters).to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close";
    // The worker may have been told to stop meanwhile.
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

fn respond(target: &str, request: &Value, parameters: &Parameters) -> Value {
    let mut parameters = parameters.lock().unwrap();
    match target {
        "AmazonSSM.GetParameters" => {
            let names: Vec<&str> = request["Names"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let (known, unknown): (Vec<&str>, Vec<&str>) =
                names.iter().partition(|&&name| parameters.contains_key(name));
            let known: Vec<Value> = known
                .iter()
                .map(|&name| (name, &parameters[name]))
                .map(|(name, (r#type, value))| json!({ "Name": name, "Type": r#type, "Value": value }))
                .collect();
            json!({ "Parameters": known, "InvalidParameters": unknown })
        }
        "AmazonSSM.PutParameter" => {
            let text = |key: &str| request[key].as_str().unwrap().to_owned();
            parameters.insert(text("Name"), (text("Type"), text("Value")));
            json!({ "Version": 1, "Tier": "Standard" })
        }
        other => panic!("no answer to {other}"),
    }
}
