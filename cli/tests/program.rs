//! The program itself, as a shell starts it: what it says and how it ends where no pipeline is needed.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// With nothing in its environment, and outside of any checkout with a local stack, so that nobody's AWS is asked.
fn iwomp(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_iwomp");
    Command::new(program).args(arguments).env_clear().current_dir("/").output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned())
}

#[test]
fn help_is_there_at_once_and_asks_nobody() {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        let (status, text) = said(&iwomp(&["--help"]));
        fastest = fastest.min(start.elapsed());
        assert_eq!(status, Some(0));
        assert!(text.contains("Examples:") && text.contains("Exit statuses: 0 done"), "{text}");
    }
    // The fastest of many: the machine may be busy, and this is not the release build.
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}

#[test]
fn a_shell_and_the_manual_know_every_command() {
    for arguments in [["completions", "bash"].as_slice(), &["completions", "zsh"], &["man"]] {
        let (status, text) = said(&iwomp(arguments));
        assert_eq!(status, Some(0), "{text}");
        for command in ["status", "register", "trigger"] {
            assert!(text.contains(command), "{arguments:?} lacks {command}");
        }
    }
}

#[test]
fn the_version_is_the_workspaces() {
    let (status, text) = said(&iwomp(&["--version"]));
    assert_eq!(status, Some(0));
    assert!(text.starts_with(concat!("iwomp ", env!("CARGO_PKG_VERSION"))), "{text}");
}

#[test]
fn what_is_wrong_on_the_command_line_ends_with_2_and_says_what() {
    for (arguments, told) in [
        (["trigger", "demo"].as_slice(), "<BRANCH>"),
        (&["trigger", "_default", "main"], "project must be 1 to 63"),
        (&["status", "--config-path", "a/b"], "must be 1 to 32"),
        (&["wait"], "--project"),
        (&["wait", "x"], "36 letters"),
        (&["logs", "demo", "--timeout", "1d"], "whole number"),
        (&["nothing"], "unrecognized subcommand"),
    ] {
        let (status, text) = said(&iwomp(arguments));
        assert_eq!(status, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
}

#[test]
fn without_a_region_nothing_is_asked() {
    let (status, text) = said(&iwomp(&["status"]));
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("no region is set") && text.contains("to do: --region"), "{text}");
}
