//! A repository, a register with its project `demo`, and the worker that deploys it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::ssm::Ssm;

pub const KEY: &str = "canary-private-key";

/// A credentials document for the origin, with `key` as the one line of an SSH key.
pub fn credentials(key: &str) -> String {
    let key = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    serde_json::json!({"sshPrivateKey": key, "knownHosts": "origin.example ssh-ed25519 AAAA"}).to_string()
}

pub struct Scene {
    folder: TempDir,
    pub ssm: Ssm,
}

impl Scene {
    pub fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap(), ssm: Ssm::start() };
        for directory in ["bin", "origin", "tmp"] {
            fs::create_dir(scene.path(directory)).unwrap();
        }
        scene.git(&["init", "--quiet", "--initial-branch=main", "."]);
        scene.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        scene.ssh("for last; do :; done; exec sh -c \"$last\"");
        scene.register(r#""deployDir":".""#);
        scene.ssm.put("/iw-credentials/demo", "SecureString", &credentials(KEY));
        scene
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Registers the project with `more`, keys of its entry.
    pub fn register(&self, more: &str) {
        let url = format!("ssh://git@origin.example{}", self.path("origin").display());
        self.ssm.put("/iw/demo", "String", &format!(r#"{{"gitUrl":"{url}","command":"deploy.sh",{more}}}"#));
    }

    /// Makes `script` the `ssh` that git starts.
    pub fn ssh(&self, script: &str) {
        let path = self.path("bin/ssh");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs git in the origin, as its owner would.
    pub fn git(&self, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
        let output =
            Command::new("git").args(identity).args(arguments).current_dir(self.path("origin")).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits `script` as the project's command and returns the commit's id.
    pub fn commit(&self, subject: &str, script: &str) -> String {
        let path = self.path("origin/deploy.sh");
        fs::write(&path, script).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The worker with the variables of a build, and `more` over them.
    pub fn worker(&self, more: &[(&str, &str)]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_iwomp-worker"));
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("TMPDIR", self.path("tmp"))
            .env("AWS_ENDPOINT_URL", self.ssm.url())
            .envs([("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .envs([("CONFIGPATH", "iw"), ("PROJECTNAME", "demo"), ("GITBRANCH", "main")])
            .envs([("TIMELIMITSECONDS", "60"), ("TRIGGERID", "trigger-1"), ("CODEBUILD_BUILD_ID", "iw-demo:1")])
            .envs(more.iter().copied());
        command
    }

    pub fn run(&self) -> Run {
        self.run_with(&[])
    }

    /// A build that an operator started, and no trigger.
    pub fn run_operators(&self, more: &[(&str, &str)]) -> Run {
        let mut worker = self.worker(more);
        worker.env_remove("TRIGGERID").env("CODEBUILD_INITIATOR", "operators/ada");
        Run::of(worker.output().unwrap())
    }

    pub fn run_with(&self, more: &[(&str, &str)]) -> Run {
        let run = Run::of(self.worker(more).output().unwrap());
        assert_eq!(fs::read_dir(self.path("tmp")).unwrap().count(), 0, "files are left behind: {}", run.log);
        run
    }
}

/// What the worker left: its exit status and its log.
pub struct Run {
    pub status: i32,
    pub log: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        let log = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        Self { status: output.status.code().unwrap(), log }
    }

    /// The last line, read as JSON.
    pub fn outcome(&self) -> serde_json::Value {
        serde_json::from_str(self.log.lines().last().unwrap()).unwrap_or_else(|_| panic!("{}", self.log))
    }

    pub fn is_refused(&self, status: i32, class: &str, reason: &str) {
        let outcome = self.outcome();
        assert_eq!((self.status, outcome["outcome"].as_str()), (status, Some("refused")), "{}", self.log);
        assert_eq!(outcome["class"], class, "{}", self.log);
        assert!(outcome["reason"].as_str().unwrap().contains(reason), "{}", self.log);
    }
}

pub fn signal(process: u32, signal: &str) {
    assert!(Command::new("/bin/sh").args(["-c", &format!("kill -{signal} {process}")]).status().unwrap().success());
}
