//! The worker as CodeBuild runs it: the real binary, the real git, the real SDK. Two things are ours: an SSM of a few lines on
//! loopback, and an `ssh` that starts `git-upload-pack` on this machine instead of another.

// Clippy knows the tests below as tests, but not what they share.
#![allow(clippy::panic, clippy::unwrap_used)]

mod cage;
mod complete;
mod crashes;
mod doctor;
mod economy;
mod git_access;
mod log;
mod question;
mod rollback;
mod rules;
mod scene;
mod session;
mod shortage;
mod signatures;
mod sparse;
mod ssm;
mod thief;
mod waiting;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use scene::{Run, Scene};

const LIVE: &str = "/iw-deployed/demo/main";

#[test]
fn a_registered_branch_is_deployed_told_and_recorded() {
    let scene = Scene::new();
    let commit = scene.commit("Change the colour", "#!/bin/sh\necho \"arguments: $*\"\npwd\n");
    let run = scene.run();
    assert_eq!(run.status, 0, "{}", run.log);
    for line in [
        "iwomp: project     demo",
        "iwomp: branch      main",
        "iwomp: trigger     trigger-1",
        "iwomp: live        nothing of this branch so far",
        "iwomp: command     deploy.sh main",
        "arguments: main",
    ] {
        assert!(run.log.lines().any(|known| known == line), "{line} is missing in {}", run.log);
    }
    assert!(
        run.log.contains(&format!("iwomp: fetching    ssh://git@origin.example{}", scene.path("origin").display()))
    );
    assert!(run.log.contains(&commit) && run.log.contains(": Change the colour"), "{}", run.log);
    let outcome = run.outcome();
    for (key, value) in [
        ("outcome", "deployed"),
        ("project", "demo"),
        ("branch", "main"),
        ("commit", commit.as_str()),
        ("trigger", "trigger-1"),
    ] {
        assert_eq!(outcome[key], value, "{outcome}");
    }
    let live: serde_json::Value = serde_json::from_str(&scene.ssm.value(LIVE).unwrap()).unwrap();
    assert_eq!((live["commit"].as_str(), live["trigger"].as_str()), (Some(commit.as_str()), Some("trigger-1")));
}

#[test]
fn the_command_sees_the_deployment_and_a_list_of_variables() {
    let scene = Scene::new();
    let first = scene.commit("one", "#!/bin/sh\nenv\n");
    let run = scene.run();
    assert!(!run.log.contains("IWOMP_PREVIOUS_COMMIT"), "{}", run.log);
    let second = scene.commit("two", "#!/bin/sh\nenv\n");
    let log = scene.run_with(&[("NPM_TOKEN", "x"), ("GIT_SSL_NO_VERIFY", "1"), ("BASH_ENV", "/x")]).log;
    for line in [
        "IWOMP_PROJECT=demo",
        "IWOMP_BRANCH=main",
        "IWOMP_TRIGGER_ID=trigger-1",
        &format!("IWOMP_COMMIT={second}"),
        &format!("IWOMP_PREVIOUS_COMMIT={first}"),
        "AWS_REGION=eu-central-1",
    ] {
        assert!(log.lines().any(|known| known == line), "{line} is missing in {log}");
    }
    for name in ["NPM_TOKEN", "GIT_", "BASH_ENV", "CONFIGPATH", "GITBRANCH"] {
        assert!(!log.lines().any(|line| line.starts_with(name)), "{name} is in {log}");
    }
}

#[test]
fn nobody_else_can_look_into_the_checkout() {
    let scene = Scene::new();
    scene.commit("look", "#!/bin/sh\ntest \"$(stat -c %a ..)\" = 700\n");
    assert_eq!(scene.run().status, 0);
}

#[test]
fn a_pinned_commit_is_deployed_and_not_the_head() {
    let scene = Scene::new();
    let pinned = scene.commit("pinned", "#!/bin/sh\necho this is pinned\n");
    scene.commit("head", "#!/bin/sh\necho this is head\n");
    let run = scene.run_with(&[("GITCOMMIT", &pinned)]);
    assert!(run.status == 0 && run.log.contains("this is pinned"), "{}", run.log);
    assert_eq!(run.outcome()["commit"], pinned.as_str());
}

#[test]
fn a_commit_of_another_branch_is_refused_and_runs_nothing() {
    let scene = Scene::new();
    scene.commit("base", "#!/bin/sh\n");
    scene.git(&["checkout", "--quiet", "-b", "fork"]);
    let fork = scene.commit("fork", "#!/bin/sh\necho evil\n");
    let run = scene.run_with(&[("GITCOMMIT", &fork)]);
    run.is_refused(77, "commit_not_on_branch", "branch main does not have it");
    assert!(!run.log.contains("evil"), "{}", run.log);
}

#[test]
fn an_older_commit_is_superseded_and_the_same_one_runs_again() {
    let scene = Scene::new();
    let old = scene.commit("old", "#!/bin/sh\necho RAN-old\n");
    let new = scene.commit("new", "#!/bin/sh\necho RAN-new\n");
    assert_eq!(scene.run().status, 0);
    let live = scene.ssm.value(LIVE);

    let run = scene.run_with(&[("GITCOMMIT", &old)]);
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("superseded")), "{}", run.log);
    assert!(!run.log.contains("RAN"), "{}", run.log);
    assert_eq!(scene.ssm.value(LIVE), live);

    let run = scene.run_with(&[("GITCOMMIT", &new)]);
    assert!(run.status == 0 && run.log.contains("RAN-new"), "{}", run.log);
}

#[test]
fn an_unchanged_commit_is_skipped_where_the_register_says_so_and_a_new_one_is_not() {
    let scene = Scene::new();
    scene.register(r#""unchanged":"skip""#);
    scene.commit("first", "#!/bin/sh\necho RAN\n");
    assert_eq!(scene.run().outcome()["outcome"], "deployed");
    let live = scene.ssm.value(LIVE);

    let run = scene.run();
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("unchanged")), "{}", run.log);
    assert!(!run.log.contains("RAN"), "{}", run.log);
    assert_eq!(scene.ssm.value(LIVE), live);

    scene.commit("second", "#!/bin/sh\necho RAN\n");
    assert_eq!(scene.run().outcome()["outcome"], "deployed");
}

#[test]
fn a_rewritten_branch_is_refused_until_an_operator_says_otherwise() {
    let scene = Scene::new();
    scene.commit("base", "#!/bin/sh\n");
    scene.commit("live", "#!/bin/sh\n");
    assert_eq!(scene.run().status, 0);
    scene.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let rewritten = scene.commit("rewritten", "#!/bin/sh\necho evil\n");
    let run = scene.run();
    run.is_refused(77, "not_forward", "the branch was rewritten");
    let advice = format!("iwomp rollback demo main {rewritten}");
    assert!(run.log.contains(&advice) && !run.log.contains("evil"), "{}", run.log);
    // As that command does it.
    let run = scene.run_operators(&[("ROLLBACKTO", &rewritten)]);
    assert!(run.status == 0 && run.log.contains("evil"), "{}", run.log);
    assert_eq!(scene.run().outcome()["outcome"], "deployed", "the head is live, so that nothing is held");
}

#[test]
fn an_unknown_project_and_a_branch_that_is_not_allowed_are_refused() {
    let scene = Scene::new();
    scene.commit("one", "#!/bin/sh\necho RAN\n");
    scene.run_with(&[("PROJECTNAME", "other")]).is_refused(77, "unknown_project", "/iw/other");
    scene.git(&["branch", "feature"]);
    scene.run_with(&[("GITBRANCH", "feature")]).is_refused(77, "branch_not_allowed", "branch feature is not among");
}

#[test]
fn a_failing_command_gives_its_status_and_is_not_recorded() {
    let scene = Scene::new();
    scene.commit("broken", "#!/bin/sh\nexit 42\n");
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["class"].as_str()), (42, Some("command_failed")), "{}", run.log);
    assert!(run.log.contains("ended with exit status 42"), "{}", run.log);
    assert!(scene.ssm.value(LIVE).is_none());
}

#[test]
fn a_command_cannot_fail_with_the_status_of_a_refusal() {
    let scene = Scene::new();
    scene.commit("feint", "#!/bin/sh\nexit 77\n");
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (1, Some("failed")), "{}", run.log);
    assert!(run.log.contains("ended with exit status 77"), "{}", run.log);
}

#[test]
fn every_wrong_variable_is_named_at_once() {
    let run = Scene::new().run_with(&[("CONFIGPATH", ""), ("GITBRANCH", "-x"), ("TIMELIMITSECONDS", "soon")]);
    assert_eq!((run.status, run.outcome()["class"].as_str()), (78, Some("variables")), "{}", run.log);
    for name in ["CONFIGPATH: config path must", "GITBRANCH: branch must", "TIMELIMITSECONDS: must"] {
        assert!(run.log.contains(name), "{}", run.log);
    }
}

#[test]
fn credentials_under_the_key_of_a_destroyed_pipeline_are_named_with_what_to_do() {
    let scene = Scene::new();
    scene.commit("first", "#!/bin/sh\n");
    scene.ssm.put_under_a_dead_key("/iw-credentials/demo");
    let run = scene.run();
    for part in
        ["/iw-credentials/demo", "InvalidKeyId", "under a key that this build cannot use", "iwomp secret set demo"]
    {
        assert!(run.log.contains(part), "{part} is missing in {}", run.log);
    }
    assert_eq!(run.outcome()["class"], "aws", "{}", run.log);
}

#[test]
fn a_broken_register_entry_is_named_with_its_key() {
    let scene = Scene::new();
    scene.ssm.put("/iw/demo", "String", r#"{"gitUrl":"https://git.example/r"}"#);
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["class"].as_str()), (78, Some("register")), "{}", run.log);
    assert!(run.log.contains("/iw/demo") && run.log.contains("lacks the key \"command\""), "{}", run.log);
}

#[test]
fn no_secret_reaches_the_log_even_if_the_server_repeats_it() {
    let scene = Scene::new();
    scene.ssh("cat \"$7\" /dev/null >&2; while test \"$1\" != -i; do shift; done; cat \"$2\" >&2; printf '\\033[31m\\n' >&2; exit 1");
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["class"].as_str()), (69, Some("git")), "{}", run.log);
    assert!(run.log.contains("iwomp: git         ***"), "{}", run.log);
    assert!(!run.log.contains(scene::KEY) && !run.log.contains('\x1b'), "{}", run.log);
}

#[test]
fn the_output_of_the_command_is_passed_on_as_it_comes() {
    let scene = Scene::new();
    let go = scene.path("go");
    scene.commit("slow", &format!("#!/bin/sh\necho first\nwhile ! test -e {}; do sleep 0.05; done\n", go.display()));
    let mut child = scene.worker(&[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Ends only if the line comes while the command still waits for us.
    assert!(lines.any(|line| line.unwrap() == "first"));
    std::fs::write(go, "").unwrap();
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
}

/// Starts a command that never ends, and returns the run after `end` was done to the worker.
fn interrupted(scene: &Scene, more: &[(&str, &str)], end: impl Fn(u32)) -> Run {
    let pid = scene.path("pid");
    scene.commit("endless", &format!("#!/bin/sh\nsleep 600 & echo $! > {}; wait\n", pid.display()));
    let child = scene.worker(more).stdout(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !pid.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    end(child.id());
    let run = Run::of(child.wait_with_output().unwrap());
    let stat = format!("/proc/{}/stat", std::fs::read_to_string(pid).unwrap().trim());
    assert!(!std::path::Path::new(&stat).exists(), "the command's child lives on: {}", run.log);
    assert!(scene.ssm.value(LIVE).is_none());
    run
}

#[test]
fn sigterm_ends_the_command_and_is_reported() {
    let scene = Scene::new();
    let run = interrupted(&scene, &[], |worker| scene::signal(worker, "TERM"));
    assert_eq!((run.status, run.outcome()["class"].as_str()), (143, Some("stopped")), "{}", run.log);
    assert!(run.log.contains("running the command: stopped by SIGTERM"), "{}", run.log);
}

#[test]
fn the_time_limit_ends_the_command_and_is_reported() {
    let scene = Scene::new();
    let run = interrupted(&scene, &[("TIMELIMITSECONDS", "10")], |_| ());
    assert_eq!((run.status, run.outcome()["class"].as_str()), (124, Some("time_limit")), "{}", run.log);
}

#[test]
fn the_time_that_passed_in_the_build_before_the_worker_counts() {
    let scene = Scene::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let (limit, start) = ("3600", (now - 3_592_000).to_string());
    let begin = Instant::now();
    let run = interrupted(&scene, &[("TIMELIMITSECONDS", limit), ("CODEBUILD_START_TIME", &start)], |_| ());
    assert_eq!((run.status, run.outcome()["class"].as_str()), (124, Some("time_limit")), "{}", run.log);
    assert!(begin.elapsed() < Duration::from_secs(600), "{:?}", begin.elapsed());
}

#[test]
fn a_daemon_that_left_the_commands_session_does_not_outlive_the_worker() {
    let scene = Scene::new();
    let pid = scene.path("pid");
    let script = format!(
        "#!/bin/sh\nsetsid sh -c 'echo $$ > {0}; exec sleep 600' > /dev/null 2>&1 &\nwhile ! test -s {0}; do sleep 0.05; done\n",
        pid.display()
    );
    scene.commit("daemon", &script);
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("1 processes that the command had left behind"), "{}", run.log);
    let stat = format!("/proc/{}/stat", std::fs::read_to_string(pid).unwrap().trim());
    assert!(!std::path::Path::new(&stat).exists());
}

#[test]
fn a_file_that_was_open_when_the_worker_started_is_closed_to_the_command() {
    let scene = Scene::new();
    scene.commit("look", "#!/bin/sh\nls /proc/self/fd | tr '\\n' ' '; test ! -e /proc/self/fd/9\n");
    let worker = scene.worker(&[]);
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "exec 9< /dev/null; exec \"$0\""]).arg(worker.get_program()).env_clear();
    command.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.status, 0, "{}", run.log);
}
