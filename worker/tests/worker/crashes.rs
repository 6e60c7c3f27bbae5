//! A worker that dies, at whatever point, leaves nothing that keeps the next one from being right.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::LIVE;
use crate::scene::{Run, Scene, signal};

/// Waits until `happened`, for as long as a busy machine may need.
fn wait_until(happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !happened() {
        assert!(Instant::now() < deadline, "what was waited for did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts the worker, kills it once it is where `is_there` says, and with it what a container would take along.
fn killed(scene: &Scene, is_there: impl Fn() -> bool) {
    let mut child = scene.worker(&[]).stdout(Stdio::null()).spawn().unwrap();
    wait_until(is_there);
    kill_all(&mut child);
}

fn kill_all(child: &mut Child) {
    let offspring = offspring(child.id());
    signal(child.id(), "KILL");
    child.wait().unwrap();
    for process in offspring {
        // It may have ended with its parent.
        let _ = Command::new("/bin/sh").args(["-c", &format!("kill -KILL {process} 2>/dev/null")]).status();
    }
}

fn offspring(process: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.flat_map(|child| [child].into_iter().chain(offspring(child))).collect()
}

/// What the killed worker left in its temporary directory went with its container.
fn next_container(scene: &Scene) {
    std::fs::remove_dir_all(scene.path("tmp")).unwrap();
    std::fs::create_dir(scene.path("tmp")).unwrap();
}

fn live(scene: &Scene) -> Option<serde_json::Value> {
    scene.ssm.value(LIVE).map(|record| serde_json::from_str(&record).unwrap())
}

fn deploys(scene: &Scene, commit: &str) {
    next_container(scene);
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("deployed")), "{}", run.log);
    assert_eq!(live(scene).unwrap()["commit"], commit);
}

#[test]
fn after_a_worker_was_killed_in_any_call_of_aws_the_next_one_deploys() {
    let scene = Scene::new();
    for (position, operation) in ["GetParameters", "PutParameter"].into_iter().enumerate() {
        let before = live(&scene);
        let commit = scene.commit(operation, &format!("#!/bin/sh\necho {operation}\n"));
        scene.ssm.never_answer(operation);
        killed(&scene, || scene.ssm.asked().len() > position);
        assert_eq!(live(&scene), before);
        scene.ssm.answer_all();
        deploys(&scene, &commit);
    }
}

#[test]
fn after_a_worker_was_killed_while_it_fetched_the_next_one_deploys() {
    let scene = Scene::new();
    let commit = scene.commit("first", "#!/bin/sh\n");
    let there = scene.path("fetching");
    scene.ssh(&format!("touch {}; exec sleep 600", there.display()));
    killed(&scene, || there.exists());
    assert_eq!(live(&scene), None);
    scene.ssh("for last; do :; done; exec sh -c \"$last\"");
    deploys(&scene, &commit);
}

/// Directories in memory of the process `worker`.
fn in_memory(worker: u32) -> usize {
    let prefix = format!("iwomp-{worker}-");
    let entries = std::fs::read_dir("/dev/shm").unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(&prefix)).count()
}

#[test]
fn the_key_that_a_killed_worker_left_in_memory_is_removed_by_the_next_one() {
    let scene = Scene::new();
    let commit = scene.commit("first", "#!/bin/sh\n");
    let there = scene.path("fetching");
    scene.ssh(&format!("touch {}; exec sleep 600", there.display()));
    let mut child = scene.worker(&[]).stdout(Stdio::null()).spawn().unwrap();
    wait_until(|| there.exists());
    let worker = child.id();
    // One for each fetch that has begun. Looked at while it lives, for the worker of another test may be the next one.
    assert!((1..=2).contains(&in_memory(worker)));
    kill_all(&mut child);
    scene.ssh("for last; do :; done; exec sh -c \"$last\"");
    // On the same machine this time, with all that it left in its temporary directory.
    let run = scene.run();
    assert!(run.status == 0 && run.outcome()["commit"] == commit.as_str(), "{}", run.log);
    assert_eq!(in_memory(worker), 0, "{}", run.log);
}

#[test]
fn after_a_worker_was_killed_while_the_command_ran_the_next_one_runs_it_again() {
    let scene = Scene::new();
    let there = scene.path("running");
    let script = format!("#!/bin/sh\ntest -e {0} && exit 0\ntouch {0}; exec sleep 600\n", there.display());
    // The command's user, who is not the worker's, makes that file.
    open_to_all(there.parent().unwrap());
    let commit = scene.commit("slow", &script);
    killed(&scene, || there.exists());
    assert_eq!(live(&scene), None);
    deploys(&scene, &commit);
}

fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[test]
fn a_full_disk_is_said_to_be_one_and_nothing_is_live() {
    let scene = Scene::new();
    // Of noise, because git would pack anything else into a few bytes.
    let noise = "head -c 3000000 /dev/urandom > large";
    assert!(Command::new("/bin/sh").args(["-c", noise]).current_dir(scene.path("origin")).status().unwrap().success());
    scene.commit("large", "#!/bin/sh\n");
    let worker = scene.worker(&[]);
    let mount = format!("mount -t tmpfs -o size=1m,mode=1777 full {}; exec \"$0\"", scene.path("tmp").display());
    let mut command = Command::new("unshare");
    // A file system of one megabyte, seen by this worker only.
    command.args(["--map-root-user", "--mount", "/bin/sh", "-c", &mount]).arg(worker.get_program()).env_clear();
    command.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = Run::of(command.output().unwrap());
    let outcome = run.outcome();
    assert_eq!((run.status, outcome["class"].as_str()), (69, Some("git")), "{}", run.log);
    assert!(outcome["reason"].as_str().unwrap().contains("the build's disk is full"), "{}", run.log);
    assert!(!run.log.contains("trying again"), "{}", run.log);
    assert_eq!(live(&scene), None);
}
