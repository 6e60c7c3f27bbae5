//! A command that tries to steal: from a worker that is root and runs it as somebody else, from a worker that is not root, and
//! from a naive shell, which shows that what it tries does work.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::cage;
use crate::scene::{Run, Scene, credentials};

const KEY: &str = "canary-thief-key";
const BUILD: (&str, &str) = ("AWS_SESSION_TOKEN", "canary-thief-build");
/// What somebody else's process does not let happen, nor one of ours that is not dumpable.
const FORBIDDEN: [&str; 8] = [
    "environ of the parent",
    "maps of the parent",
    "stack of the parent",
    "auxv of the parent",
    "memory of the parent",
    "descriptors of the parent",
    "a tracer on the parent",
    "a descriptor taken from the parent",
];

/// The thief, and where it puts its loot.
fn thief(scene: &Scene) -> (String, PathBuf) {
    let loot = scene.path("loot/all");
    fs::create_dir(scene.path("loot")).unwrap();
    for directory in [".", "loot", "tmp"] {
        fs::set_permissions(scene.path(directory), PermissionsExt::from_mode(0o777)).unwrap();
    }
    (include_str!("thief.py").replace("LOOT_PATH", loot.to_str().unwrap()), loot)
}

/// A project whose credentials and build hold canaries, with the thief as its command.
fn robbed_scene() -> (Scene, PathBuf) {
    let scene = Scene::new();
    let (script, loot) = thief(&scene);
    scene.commit("thief", &script);
    scene.ssm.put("/iw-credentials/demo", "SecureString", &credentials(KEY));
    scene.register(r#""deployRoleArn":"arn:aws:iam::210987654321:role/deploy""#);
    (scene, loot)
}

fn got_nothing(run: &Run, loot: PathBuf) {
    assert_eq!(run.status, 0, "{}", run.log);
    let attempts: Vec<&str> = run.log.lines().filter_map(|line| line.strip_prefix("attempt ")).collect();
    assert_eq!(attempts.len(), 20, "{}", run.log);
    for name in FORBIDDEN {
        let attempt = attempts.iter().find(|attempt| attempt.starts_with(name)).unwrap();
        assert!(["Permission denied", "Operation not permitted"].iter().any(|no| attempt.ends_with(no)), "{attempt}");
    }
    assert!(attempts.contains(&"inherited descriptors: got nothing"), "{}", run.log);
    let loot = String::from_utf8_lossy(&fs::read(loot).unwrap()).into_owned();
    // It looked, and found its own.
    assert!(loot.contains("canary-session-secret") && loot.contains("IWOMP_COMMIT"), "{}", run.log);
    for canary in [KEY, BUILD.1] {
        let before = loot.find(canary).map(|at| &loot[..at]);
        let place = before.and_then(|before| before.lines().rfind(|line| line.starts_with('[')));
        assert!(before.is_none(), "{canary} was found in {place:?}");
    }
}

#[test]
fn a_thief_gets_nothing_from_a_worker_that_is_root() {
    if !cage::may_unshare() {
        return;
    }
    let (scene, loot) = robbed_scene();
    got_nothing(&cage::run_as_root(&scene, &[BUILD]), loot);
}

#[test]
fn a_thief_gets_nothing_from_a_worker_that_is_the_same_user() {
    let (scene, loot) = robbed_scene();
    let worker = scene.worker(&[BUILD]);
    let mut command = as_nobody(&scene);
    command.arg(worker.get_program()).env_clear();
    command.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    got_nothing(&Run::of(command.output().unwrap()), loot);
}

/// `env`, to be told what to start; as a user who is not root, if we are.
fn as_nobody(scene: &Scene) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new("env");
    }
    let folder = scene.path(".");
    assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(folder).status().unwrap().success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command
}

/// As a first draft would do it: a token in the environment and in a variable, a descriptor left open, files in the home, in
/// memory and in the temporary directory, a remote with a password, and a helper left running.
const NAIVE: &str = r#"
    half=memory; secret="canary-$half"
    printf canary-inherited > "$TMPDIR/open"; exec 9< "$TMPDIR/open"; rm "$TMPDIR/open"
    printf canary-netrc > "$HOME/.netrc"
    printf canary-temporary > "$TMPDIR/askpass"
    printf canary-shm > "$SHM"
    git init --quiet checkout && cd checkout && git remote add origin https://canary-remote@git.example/r
    tail -f /dev/null canary-argument > "$TMPDIR/helper" 2>&1 & helper=$!
    "$THIEF"
    kill $helper; : "$secret"; rm "$SHM"
"#;

#[test]
fn the_thief_gets_everything_from_a_naive_shell() {
    let scene = Scene::new();
    let (script, loot) = thief(&scene);
    let path = scene.path("thief");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(scene.path("home")).unwrap();
    let memory = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o777)).tempdir_in("/dev/shm").unwrap();
    let mut command = as_nobody(&scene);
    command.args(["sh", "-c", NAIVE]).current_dir(scene.path("home")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("TOKEN", "canary-environ").env("THIEF", path);
    command.env("HOME", scene.path("home")).env("TMPDIR", scene.path("tmp")).env("SHM", memory.path().join("key"));
    let run = Run::of(command.output().unwrap());
    let loot = String::from_utf8_lossy(&fs::read(loot).unwrap()).into_owned();
    let mut canaries = vec!["environ", "inherited", "netrc", "temporary", "shm", "remote", "argument"];
    // A kernel that lets no process look into its parent's memory protects even this one.
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    if scope.map_or(true, |scope| scope.trim() == "0") {
        canaries.push("memory");
    }
    for canary in canaries {
        assert!(loot.contains(&format!("canary-{canary}")), "canary-{canary} was not found: {}", run.log);
    }
}
