//! What the command gets of the worker's world: as whom it runs, what its output may hold.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use crate::scene::{KEY, Run, Scene};

/// Whether these tests run as root and may give a process a file system view of its own.
pub fn may_unshare() -> bool {
    let unshared = Command::new("unshare").args(["--mount", "id", "-u"]).output();
    unshared.is_ok_and(|output| output.stdout == b"0\n")
}

/// Runs the worker as root on a machine with the user `deployer`, which need not be this one.
pub fn run_as_root(scene: &Scene, more: &[(&str, &str)]) -> Run {
    let users = scene.path("passwd");
    std::fs::write(&users, "root:x:0:0:root:/root:/bin/sh\ndeployer:x:54321:54322::/home/deployer:/bin/bash\n")
        .unwrap();
    // The image's temporary directory is everybody's.
    std::fs::set_permissions(scene.path("."), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(scene.path("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    let worker = scene.worker(&[&[("HOME", "/root"), ("USER", "root")], more].concat());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/passwd && exec \"$1\""]);
    command.arg(users).arg(worker.get_program()).env_clear();
    command.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = Run::of(command.output().unwrap());
    assert_eq!(std::fs::read_dir(scene.path("tmp")).unwrap().count(), 0, "files are left behind: {}", run.log);
    run
}

#[test]
fn a_worker_that_is_root_runs_the_command_as_the_deployer_who_owns_the_checkout() {
    if !may_unshare() {
        return;
    }
    let scene = Scene::new();
    let elsewhere = scene.path("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, scene.path("origin/link")).unwrap();
    scene.commit(
        "look",
        "#!/bin/sh
        grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff):' /proc/self/status | tr -s '\\t ' ' '
        echo \"home $HOME $USER $LOGNAME $SHELL\"
        echo \"own $(stat -c '%u:%g %a' . .. .git/HEAD deploy.sh | tr '\\n' ' ')\"
        touch new && git rev-parse HEAD > /dev/null && echo can write
        kill -0 $PPID 2> /dev/null || echo cannot signal the worker
        ls -a ..\n",
    );
    let run = run_as_root(&scene, &[]);
    assert_eq!(run.status, 0, "{}", run.log);
    for line in [
        "Uid: 54321 54321 54321 54321",
        "Gid: 54322 54322 54322 54322",
        "NoNewPrivs: 1",
        "CapEff: 0000000000000000",
        "home /home/deployer deployer deployer /bin/bash",
        "can write",
        "cannot signal the worker",
    ] {
        assert!(run.log.lines().any(|known| known == line), "{line} is missing in {}", run.log);
    }
    assert!(run.log.lines().any(|line| line.trim_end() == "Groups:"), "{}", run.log);
    assert_eq!(std::fs::metadata(&elsewhere).unwrap().uid(), 0);
    assert!(run.log.contains("own 54321:54322 755 54321:54322 700 54321:54322 "), "{}", run.log);
}

#[test]
fn a_worker_that_is_not_root_runs_the_command_as_itself() {
    let scene = Scene::new();
    scene.commit("look", "#!/bin/sh\nid -u\ngrep NoNewPrivs /proc/self/status\n");
    let run = scene.run();
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    // This machine may have that user, and we may be root.
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    if own != 0 || !users.lines().any(|line| line.starts_with("deployer:")) {
        assert!(run.log.lines().any(|line| line == own.to_string()), "{}", run.log);
    }
    assert!(run.log.contains("NoNewPrivs:\t1"), "{}", run.log);
}

#[test]
fn the_commands_output_is_masked_and_its_streams_stay_apart() {
    let scene = Scene::new();
    scene.commit(
        "tell",
        &format!(
            "#!/bin/sh
            printf '\\033[32mkey {KEY}\\033[0m\\n'
            printf '{}'; sleep 0.2; printf '{}\\n'
            echo 'error {KEY}' >&2
            printf '{KEY}' | base64\n",
            &KEY[..7],
            &KEY[7..]
        ),
    );
    let output = scene.worker(&[]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stdout} {stderr}");
    assert!(stdout.contains("\x1b[32mkey ***\x1b[0m\n***\n") && stderr == "error ***\n", "{stdout} {stderr}");
    assert!(!(stdout.clone() + &stderr).contains(KEY) && !stdout.contains("Y2FuYXJ5LXBya"), "{stdout}");
}

#[test]
fn a_question_without_end_of_line_is_shown_at_once() {
    let scene = Scene::new();
    let go = scene.path("go");
    scene.commit(
        "ask",
        &format!("#!/bin/sh\nprintf 'Continue? '\nwhile ! test -e {}; do sleep 0.05; done\n", go.display()),
    );
    let mut child = scene.worker(&[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut seen = Vec::new();
    while !seen.ends_with(b"Continue? ") {
        assert!(reader.read_until(b' ', &mut seen).unwrap() > 0, "{}", String::from_utf8_lossy(&seen));
    }
    std::fs::write(go, "").unwrap();
    reader.read_to_end(&mut seen).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_lot_of_output_comes_through_whole() {
    let scene = Scene::new();
    scene.commit("talk", "#!/bin/sh\nseq 1 300000\n");
    let output = scene.worker(&[]).output().unwrap();
    let log = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u32> = log.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=300_000), "{}", numbers.len());
}
