//! Where something is waited for: Ctrl-C ends the program with 130 and a word on what goes on, and something turns, on a terminal
//! alone. AWS is a server of this test that answers what it must until then, and nothing after.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::spawn;
use std::time::Duration;

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
/// A trigger of which the launcher has said nothing.
const UNSEEN: &str = "00000000-0000-4000-8000-000000000001";

/// What AWS says to a call. None: it does not answer.
fn answer(call: &str, body: &Value) -> Option<(u16, Value)> {
    let parameter = |name: &str, value: &str| json!({"Name": name, "Value": value, "Type": "String", "Version": 1});
    let entry = r#"{"gitUrl":"https://git.example/x.git","command":"deploy.sh"}"#;
    match call {
        "AmazonSSM.GetParameter" if body["Name"] == "/iwomp-in-aws/_pipeline" => {
            let description = include_str!("../../contract/tests/description.json");
            Some((200, json!({"Parameter": parameter("/iwomp-in-aws/_pipeline", description)})))
        }
        "AmazonSSM.GetParameter" => Some((400, json!({"__type": "AccessDeniedException"}))),
        "AmazonSSM.GetParameters" => Some((200, json!({"Parameters": [parameter("/iwomp-in-aws/demo", entry)]}))),
        "AmazonSSM.DescribeParameters" => {
            let stored = json!({"Name": "/iwomp-in-aws-credentials/demo", "Type": "SecureString", "Version": 1});
            Some((200, json!({"Parameters": [stored]})))
        }
        "Logs_20140328.FilterLogEvents" if body["filterPattern"].to_string().contains(UNSEEN) => {
            Some((200, json!({"events": []})))
        }
        _ => None,
    }
}

/// Answers one call after the other, and tells of each that it does not answer.
fn serve(stream: TcpStream, unanswered: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut call, mut length, mut line) = (String::new(), 0, String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) && !line.trim().is_empty() {
            if let Some((name, value)) = line.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "x-amz-target" => call = value.trim().to_owned(),
                    "content-length" => length = value.trim().parse().unwrap(),
                    _ => {}
                }
            }
            line.clear();
        }
        let mut body = vec![0; length];
        if call.is_empty() || reader.read_exact(&mut body).is_err() {
            return;
        }
        let Some((status, said)) = answer(&call, &serde_json::from_slice(&body).unwrap()) else {
            let _ = unanswered.send(call);
            // Kept open until the program is gone.
            let _ = reader.read_to_end(&mut body);
            return;
        };
        let said = said.to_string();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.1\r\n");
        let answered = write!(reader.get_mut(), "{head}content-length: {}\r\n\r\n{said}", said.len());
        answered.unwrap();
    }
}

/// Serves AWS; its URL, and the calls that it does not answer.
fn aws() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (unanswered, calls) = channel();
    spawn(move || {
        for stream in listener.incoming().flatten() {
            let unanswered = unanswered.clone();
            spawn(move || serve(stream, &unanswered));
        }
    });
    (endpoint, calls)
}

/// `program` with what `iwomp` needs to find that AWS.
fn with_aws(program: &str, arguments: &[&str], endpoint: &str) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/").stdin(Stdio::null());
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "eu-central-1");
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    command
}

/// How the program ends when Ctrl-C is pressed while AWS leaves it without an answer to `call`.
fn interrupted(arguments: &[&str], call: &str) -> Output {
    let (endpoint, calls) = aws();
    let mut program = with_aws(env!("CARGO_BIN_EXE_iwomp"), arguments, &endpoint);
    let program = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while calls.recv_timeout(PATIENCE).unwrap() != call {}
    assert!(Command::new("sh").args(["-c", &format!("kill -INT {}", program.id())]).status().unwrap().success());
    program.wait_with_output().unwrap()
}

#[test]
fn something_turns_on_a_terminal_and_in_a_pipe_nothing_does() {
    let (endpoint, _calls) = aws();
    let (program, arguments) = (env!("CARGO_BIN_EXE_iwomp"), ["wait", UNSEEN, "--timeout=3s"]);
    let piped = with_aws(program, &arguments, &endpoint).output().unwrap();
    let line = format!("{program} {}", arguments.join(" "));
    let mut terminal = with_aws("script", &["--quiet", "--return", "--command", &line, "/dev/null"], &endpoint);
    let terminal = terminal.env("TERM", "xterm").env("PATH", "/usr/bin:/bin").output().unwrap();
    let said = [piped.stderr, terminal.stdout].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert_eq!((piped.status.code(), terminal.status.code()), (Some(4), Some(4)), "{said:?}");
    assert!(piped.stdout.is_empty(), "{:?}", piped.stdout);
    for (said, turns) in said.iter().zip([false, true]) {
        assert!(said.contains("the launcher has not seen trigger"), "{said:?}");
        assert_eq!(said.contains("waiting for the launcher's word on trigger"), turns, "{said:?}");
        assert_eq!(said.contains('\x1b'), turns, "{said:?}");
    }
}

#[test]
fn who_presses_ctrl_c_is_told_what_goes_on() {
    const START: &str = "CodeBuild_20161006.StartBuild";
    const READ: &str = "AmazonSSM.GetParametersByPath";
    let commit = "0".repeat(40);
    let asks = "the build that asks goes on if it was started, and deploys nothing: iwomp status demo";
    let trigger = "95df01b4-ee98-5cb9-9903-4c221d41eb5e";
    for (arguments, call, told) in [
        (["rollback", "demo", "main", &commit, "--yes", "--wait=30m"].as_slice(), START, "nothing was started, unless"),
        (&["secret", "check", "demo", "--in-build"], START, asks),
        (&["doctor", "demo", "--in-build"], READ, asks),
        (&["doctor", "--in-build"], READ, "and deploys nothing: iwomp status\n"),
        (&["doctor", "--publish"], READ, "a trigger that was published is refused all the same: iwomp status"),
        (&["wait", trigger], "Logs_20140328.FilterLogEvents", "iwomp wait follows it again"),
        (&["status"], READ, ""),
    ] {
        let ended = interrupted(arguments, call);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(130), [].as_slice()), "{arguments:?}: {said}");
        assert!(said.contains(told), "{said}");
    }
}
