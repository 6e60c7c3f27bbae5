//! What an operator asks from inside a build, seen through the binary: the host is asked, and nothing is fetched, run or written.

use std::fs;

use crate::scene::{Run, Scene};

const RECORD: &str = "/iw-deployed/demo/main";
const SEEN: &str = "/iw-deployed/demo";

/// A build that an operator has started with a question; `more` is laid over its variables.
fn ask(scene: &Scene, more: &[(&str, &str)]) -> Run {
    let mut worker = scene.worker(&[("QUESTION", "git-host"), ("CODEBUILD_INITIATOR", "operators/ada")]);
    worker.env_remove("TRIGGERID").env_remove("GITBRANCH").envs(more.iter().copied());
    Run::of(worker.output().unwrap())
}

#[test]
fn a_question_asks_the_host_and_fetches_runs_and_writes_nothing() {
    let scene = Scene::new();
    scene.commit("first", "#!/bin/sh\necho ran-it\n");
    let asked = scene.path("asked");
    scene.ssh(&format!("for last; do :; done; echo \"$last\" >>{}; exec sh -c \"$last\"", asked.display()));
    let run = ask(&scene, &[]);
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("unchanged")), "{}", run.log);
    let reason = "the Git host takes the project's credentials; nothing was fetched or run";
    assert_eq!(run.outcome()["reason"], reason, "{}", run.log);
    assert!(run.log.contains("asks operators/ada") && !run.log.contains("ran-it"), "{}", run.log);
    assert_eq!(fs::read_to_string(asked).unwrap().lines().count(), 1, "once, and no fetch");
    assert_eq!((scene.ssm.value(RECORD), scene.ssm.value(SEEN)), (None, None));
    assert_eq!(fs::read_dir(scene.path("tmp")).unwrap().count(), 0);
}

#[test]
fn a_host_that_does_not_take_the_credentials_is_told_as_in_a_deployment() {
    let scene = Scene::new();
    scene.ssh("echo 'git@origin.example: Permission denied (publickey).' >&2; exit 255");
    let run = ask(&scene, &[]);
    assert_eq!((run.status, run.outcome()["class"].as_str()), (69, Some("git")), "{}", run.log);
    assert!(run.outcome()["reason"].as_str().unwrap().starts_with("asking ssh://git@origin.example/"), "{}", run.log);
}

#[test]
fn a_question_comes_alone_and_is_one_that_is_known() {
    let scene = Scene::new();
    scene.commit("first", "#!/bin/sh\necho ran-it\n");
    let commit = "a".repeat(40);
    for (name, value, told) in [
        ("GITBRANCH", "main", "QUESTION comes alone, without GITBRANCH"),
        ("GITCOMMIT", &commit, "QUESTION comes alone, without GITCOMMIT"),
        ("ROLLBACKTO", &commit, "QUESTION comes alone, without ROLLBACKTO"),
        ("TRIGGERID", "trigger-1", "QUESTION comes alone, without TRIGGERID"),
        ("QUESTION", "image ", "is no question that this worker knows"),
        ("QUESTION", "what-else", "is no question that this worker knows"),
        ("QUESTION", "", "is no question that this worker knows"),
    ] {
        let run = ask(&scene, &[(name, value)]);
        assert_eq!((run.status, run.outcome()["class"].as_str()), (78, Some("variables")), "{}", run.log);
        assert!(run.log.contains(told) && !run.log.contains("ran-it"), "{}", run.log);
    }
}
