//! The Git credential, lent to the command or not: what a command of a project can fetch, from where, and what is left of it.

use std::fs;
use std::process::Command;

use crate::cage;
use crate::scene::{KEY, Scene};

const LENT: &str = r#""gitAccess":true"#;

/// A private module beside the origin, on the same host.
fn add_module(scene: &Scene) {
    let script = "git init --quiet --initial-branch=main module && cd module && echo MODULE > file && git add file && \
        git -c user.name=Ada -c user.email=ada@example.org commit --quiet -m module";
    assert!(Command::new("sh").args(["-c", script]).current_dir(scene.path(".")).status().unwrap().success());
}

/// A host that serves those who offer the project's key: the real ssh says which files it would offer, and to whom.
fn ask_for_the_key(scene: &Scene) {
    let ssh = Command::new("sh").args(["-c", "command -v ssh"]).output().unwrap();
    let ssh = String::from_utf8(ssh.stdout).unwrap();
    scene.ssh(&format!(
        "offered=$({} -G \"$@\" | sed -n 's/^identityfile //p')
        grep -qs {KEY} $offered || {{ echo 'no key was offered' >&2; exit 255; }}
        for last; do :; done; exec sh -c \"$last\"",
        ssh.trim()
    ));
}

/// A command that clones the module from `host` and says what it finds.
fn commit_clone(scene: &Scene, host: &str) {
    let url = format!("ssh://git@{host}{}", scene.path("module").display());
    let script = format!(
        "#!/bin/sh
        for word in $GIT_SSH_COMMAND; do case $word in /*/config) echo \"lent ${{word%/config}}\"; stat -c 'file %u %a' \"$word\";; esac; done
        env | grep ^GIT_ | cut -d= -f1
        git clone --quiet {url} module && cat module/file\n"
    );
    scene.commit("clone", &script);
}

fn lent_directory(log: &str) -> &str {
    log.lines().find_map(|line| line.strip_prefix("lent ")).unwrap_or_else(|| panic!("{log}"))
}

#[test]
fn a_command_that_is_lent_the_credential_clones_a_module_of_its_own_host_and_nothing_is_left() {
    let scene = Scene::new();
    add_module(&scene);
    ask_for_the_key(&scene);
    commit_clone(&scene, "origin.example");
    scene.register(LENT);
    let run = scene.run();
    assert!(run.status == 0 && run.log.lines().any(|line| line == "MODULE"), "{}", run.log);
    let told = "iwomp: git access  the command can read the project's Git credential, for ssh://origin.example";
    assert!(run.log.lines().any(|line| line == told), "{}", run.log);
    assert!(!fs::exists(lent_directory(&run.log)).unwrap(), "{}", run.log);
}

#[test]
fn a_command_that_fails_leaves_nothing_of_what_it_was_lent() {
    let scene = Scene::new();
    add_module(&scene);
    ask_for_the_key(&scene);
    commit_clone(&scene, "evil.example");
    scene.register(LENT);
    let run = scene.run();
    // Another host is offered no key.
    assert!(run.status != 0 && run.log.contains("no key was offered"), "{}", run.log);
    assert!(!run.log.contains("MODULE") && !fs::exists(lent_directory(&run.log)).unwrap(), "{}", run.log);
}

#[test]
fn a_command_is_lent_nothing_unless_the_register_says_so() {
    for more in [r#""deployDir":".""#, r#""gitAccess":false"#] {
        let scene = Scene::new();
        add_module(&scene);
        ask_for_the_key(&scene);
        commit_clone(&scene, "origin.example");
        scene.register(more);
        let run = scene.run();
        assert!(run.status != 0 && run.log.contains("no key was offered"), "{}", run.log);
        let has_variable = run.log.lines().any(|line| line.starts_with("GIT_"));
        assert!(!has_variable && !run.log.contains("git access"), "{}", run.log);
    }
}

#[test]
fn what_is_lent_is_masked_where_the_command_prints_it() {
    let scene = Scene::new();
    scene.commit("leak", "#!/bin/sh\nset -- $GIT_SSH_COMMAND\ncat \"${3%/config}/key\"\n");
    scene.register(LENT);
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("***") && !run.log.contains(KEY), "{}", run.log);
}

#[test]
fn a_worker_that_is_root_lends_files_that_are_the_deployers_to_read() {
    if !cage::may_unshare() {
        return;
    }
    let scene = Scene::new();
    add_module(&scene);
    ask_for_the_key(&scene);
    commit_clone(&scene, "origin.example");
    // Whether git serves a module of another user, as it is here, is not the question.
    scene.register(LENT);
    let run = cage::run_as_root(&scene, &[]);
    assert!(run.log.lines().any(|line| line == "file 54321 600"), "{}", run.log);
    assert!(!run.log.contains("no key was offered"), "{}", run.log);
    assert!(!fs::exists(lent_directory(&run.log)).unwrap(), "{}", run.log);
}
