//! Whoever reads the log may stop reading it, or go away: neither changes what is deployed, and neither holds the worker up.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::LIVE;
use crate::scene::{Scene, signal};

/// More than all pipes hold.
const CHATTER: &str = "#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' x\n";

fn ends_within(child: &mut Child, limit: Duration) -> i32 {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap();
        }
        assert!(Instant::now() < deadline, "the worker is held up");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_the_worker_past_its_time_limit() {
    let scene = Scene::new();
    scene.commit("chatter", CHATTER);
    let mut child = scene.worker(&[("TIMELIMITSECONDS", "4")]).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(ends_within(&mut child, Duration::from_secs(55)), 124);
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_the_worker_past_sigterm() {
    let scene = Scene::new();
    scene.commit("chatter", CHATTER);
    let mut child = scene.worker(&[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("iwomp: command") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0);
    }
    // The pipe fills up while nobody reads.
    std::thread::sleep(Duration::from_millis(500));
    signal(child.id(), "TERM");
    assert_eq!(ends_within(&mut child, Duration::from_secs(55)), 143);
    drop(log);
}

#[test]
fn a_log_that_is_closed_is_not_the_commands_death_whether_there_are_secrets_or_not() {
    for secret in ["test", "canary-of-the-build"] {
        let scene = Scene::new();
        let commit = scene.commit("chatter", &format!("{CHATTER}exit 0\n"));
        let mut child = scene.worker(&[("AWS_SECRET_ACCESS_KEY", secret)]).stdout(Stdio::piped()).spawn().unwrap();
        let mut start = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut start).unwrap();
        assert_eq!(ends_within(&mut child, Duration::from_secs(55)), 0);
        assert!(scene.ssm.value(LIVE).unwrap().contains(&commit));
    }
}

#[test]
fn where_both_streams_are_one_log_their_lines_keep_their_order() {
    let scene = Scene::new();
    scene.commit(
        "both",
        "#!/bin/sh\nn=100\nwhile [ $n -lt 300 ]; do echo $n; n=$((n+1)); echo $n >&2; n=$((n+1)); done\n",
    );
    let worker = scene.worker(&[]);
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" 2>&1"]).arg(worker.get_program()).env_clear();
    command.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let log = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let numbers: Vec<u32> = log.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(numbers, (100..300).collect::<Vec<_>>(), "{log}");
}

#[test]
fn the_builds_own_secrets_do_not_stand_in_the_log() {
    let scene = Scene::new();
    let script = "#!/bin/sh\necho \"secret: $AWS_SECRET_ACCESS_KEY\"\nprintf %s \"$AWS_SESSION_TOKEN\" | base64\n";
    scene.commit("print", script);
    let token = format!("canary-{}", "session/token+".repeat(12));
    let run = scene.run_with(&[("AWS_SECRET_ACCESS_KEY", "canary-of-the-build"), ("AWS_SESSION_TOKEN", &token)]);
    assert!(run.status == 0 && run.log.contains("secret: ***"), "{}", run.log);
    // Y2FuYXJ5 is the base64 of canary, and the second line of it would begin like this.
    assert!(!run.log.contains("Y2FuYXJ5") && !run.log.contains("canary"), "{}", run.log);
    assert!(!run.log.contains("c2Vzc2lvbi90b2tlbi"), "{}", run.log);
}

/// The base64 forms of a secret may be broken after any letter, so that the last one of a line may begin one: Y, of this secret.
#[test]
fn a_line_whose_end_may_begin_a_secret_is_passed_on_while_the_command_is_silent() {
    let scene = Scene::new();
    scene.commit("silent", "#!/bin/sh\necho waitingY\nsleep 600\n");
    let variables = [("AWS_SECRET_ACCESS_KEY", "canary-of-the-build"), ("TIMELIMITSECONDS", "20")];
    let mut child = scene.worker(&variables).stdout(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "waitingY\n" {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0);
    }
    // Not by the end of the command, which the time limit would bring.
    signal(child.id(), "TERM");
    assert_eq!(ends_within(&mut child, Duration::from_secs(55)), 143);
}
