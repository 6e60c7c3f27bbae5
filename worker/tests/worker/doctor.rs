//! What keeps a deployment from working, found by the binary in a build or by hand: each fault by its name, with what to do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::scene::{KEY, Run, Scene, credentials};
use crate::ssm::FORBIDDEN_ROLE;

const RECORD: &str = "/iw-deployed/demo/main";
const PROGRAMS: [&str; 4] = ["git", "git-upload-pack", "sh", "cat"];

/// What is done to an image, or to what it finds, and by which fault it is told.
struct Broken {
    how: fn(&Scene, &mut Command),
    check: &'static str,
    saw: &'static str,
    to_do: &'static str,
}

const BROKEN: &[Broken] = &[
    Broken {
        how: |scene, _| fs::remove_file(scene.path("image/git")).unwrap(),
        check: "git",
        saw: "it is not on the PATH of the image",
        to_do: "install git 2.39 or newer in the image",
    },
    Broken {
        how: |scene, _| {
            let real = fs::read_link(scene.path("image/git")).unwrap();
            let old = "#!/bin/sh\nif test \"$1\" = --version; then echo git version 2.30.2; exit; fi\nexec";
            program(&scene.path("image/git"), &format!("{old} {} \"$@\"\n", real.display()));
        },
        check: "git",
        saw: "git version 2.30.2 is too old for the worker",
        to_do: "install git 2.39 or newer in the image",
    },
    Broken {
        how: |scene, _| fs::remove_file(scene.path("bin/ssh")).unwrap(),
        check: "ssh, git host",
        saw: "gitUrl is an SSH URL, and no ssh is on the PATH of the image",
        to_do: "install the OpenSSH client in the image",
    },
    Broken {
        how: |_, worker| _ = worker.env("SSL_CERT_FILE", "/nowhere/ca-certificates.crt"),
        check: "certificates",
        saw: "no certificate authority is trusted here",
        to_do: "install ca-certificates in the image",
    },
    Broken {
        how: |scene, worker| _ = worker.env("HOME", scene.path("nowhere")),
        check: "home",
        saw: "/nowhere, the home of the command's user, cannot be written to: No such file",
        to_do: "make it in the image, owned by that user",
    },
    Broken {
        how: |_, worker| _ = worker.env("TMPDIR", "/proc/nowhere"),
        check: "temporary directory, git host",
        saw: "making a directory in /proc/nowhere: ",
        to_do: "give the image a /tmp with mode 1777",
    },
    Broken {
        how: |scene, _| {
            let key = r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n-----END PGP PUBLIC KEY BLOCK-----\n";
            register(scene, &format!(r#""command":["git","version"],"allowedSigners":"{key}""#));
        },
        check: "signatures",
        saw: "allowedSigners needs gpg, which is not on the PATH of the image",
        to_do: "install gpg in the image",
    },
    Broken {
        how: |scene, _| register(scene, r#""command":["terraform","apply"]"#),
        check: "command",
        saw: "the registered command starts with terraform, which is not on the PATH of the image",
        to_do: "install terraform in the image, or write ./terraform in the register",
    },
    Broken {
        how: |_, worker| _ = worker.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        check: "aws",
        saw: "getting /iw/demo and /iw/_default and /iw-credentials/demo from SSM",
        to_do: "AWS was not reached, so it is not a matter of rights",
    },
    Broken {
        how: |scene, _| scene.ssm.take_for("arn:aws:iam::123456789012:user/left-in-the-image"),
        check: "role",
        saw: "the build is arn:aws:iam::123456789012:user/left-in-the-image, and not the project's role",
        to_do: "take credentials and profiles of AWS out of the image",
    },
    Broken {
        how: |_, worker| _ = worker.env("PROJECTNAME", "nobody"),
        check: "register",
        saw: "looking for the register entry /iw/nobody: there is no such parameter",
        to_do: "register the project",
    },
    Broken {
        how: |scene, _| scene.ssm.put("/iw-credentials/demo", "String", &credentials(KEY)),
        check: "register",
        saw: "reading the credentials /iw-credentials/demo: the parameter is a String",
        to_do: "withdraw the credential at the Git host",
    },
    Broken {
        how: |scene, _| scene.ssm.put_under_a_dead_key("/iw-credentials/demo"),
        check: "aws",
        saw: "a SecureString under a key that this build cannot use",
        to_do: "store the credentials again, `iwomp secret set demo`",
    },
    Broken {
        how: |scene, _| register(scene, &format!(r#""command":"deploy.sh","deployRoleArn":"{FORBIDDEN_ROLE}""#)),
        check: "deploy role",
        saw: "taking the deploy role arn:aws:iam::123456789012:role/forbidden: ",
        to_do: "the project's role must be allowed sts:AssumeRole",
    },
    Broken {
        how: |scene, _| {
            scene.ssh("echo 'ssh: connect to host origin.example port 22: Connection refused' >&2; exit 255");
        },
        check: "git host",
        saw: "the Git host cannot be reached",
        to_do: "see whether it is up and whether the build's network may reach it",
    },
    Broken {
        how: |scene, _| scene.ssh("echo 'git@origin.example: Permission denied (publickey).' >&2; exit 255"),
        check: "git host",
        saw: "the server does not accept the SSH key",
        to_do: "add the public key to the repository as a deploy key",
    },
];

fn program(path: &Path, script: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn register(scene: &Scene, keys: &str) {
    let url = format!("ssh://git@origin.example{}", scene.path("origin").display());
    scene.ssm.put("/iw/demo", "String", &format!(r#"{{"gitUrl":"{url}",{keys}}}"#));
}

/// An image with what a deployment needs and nothing else, and an origin whose command says that it ran.
fn image() -> Scene {
    let scene = Scene::new();
    scene.commit("first", "#!/bin/sh\necho ran-it\n");
    fs::create_dir(scene.path("image")).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in PROGRAMS {
        let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
        symlink(found.unwrap(), scene.path("image").join(name)).unwrap();
    }
    scene
}

fn worker(scene: &Scene) -> Command {
    let mut worker = scene.worker(&[("CODEBUILD_INITIATOR", "operators/ada")]);
    let places = [scene.path("bin"), scene.path("image")];
    worker.env_remove("TRIGGERID").env_remove("GITBRANCH").env("HOME", scene.path("tmp"));
    worker.env("PATH", std::env::join_paths(places).unwrap());
    worker
}

/// The build of an operator who asks whether the project can be deployed.
fn ask(scene: &Scene, how: fn(&Scene, &mut Command)) -> Run {
    let mut worker = worker(scene);
    worker.env("QUESTION", "image");
    how(scene, &mut worker);
    Run::of(worker.output().unwrap())
}

fn findings(log: &str) -> Vec<serde_json::Value> {
    let line = log.lines().find(|line| line.starts_with(r#"{"findings":"#)).unwrap_or_else(|| panic!("{log}"));
    serde_json::from_str::<serde_json::Value>(line).unwrap()["findings"].as_array().unwrap().clone()
}

#[test]
fn each_broken_image_or_account_is_told_by_its_name_with_what_to_do() {
    // They wait for processes, mostly.
    std::thread::scope(|tests| {
        for broken in BROKEN {
            tests.spawn(|| is_told(broken));
        }
    });
}

fn is_told(broken: &Broken) {
    let scene = image();
    let run = ask(&scene, broken.how);
    let outcome = run.outcome();
    assert_eq!((run.status, outcome["class"].as_str()), (69, Some("machine")), "{}", run.log);
    assert!(
        outcome["reason"].as_str().unwrap().contains(&format!("in its way: {}. To do", broken.check)),
        "{}",
        run.log
    );
    let first = &findings(&run.log)[0];
    assert_eq!(first["grade"], "problem", "{}", run.log);
    assert_eq!(first["check"].as_str(), broken.check.split(", ").next(), "{}", run.log);
    assert!(first["saw"].as_str().unwrap().contains(broken.saw), "{}", run.log);
    assert!(first["to_do"].as_str().unwrap().len() > 20, "{}", run.log);
    assert!(first["to_do"].as_str().unwrap().contains(broken.to_do), "{}", run.log);
    assert!(run.log.contains(&format!("iwomp: problem     {}: ", first["check"].as_str().unwrap())), "{}", run.log);
    is_untouched(&scene, &run);
}

/// Nothing ran, was written or was shown that must not be.
fn is_untouched(scene: &Scene, run: &Run) {
    assert!(!run.log.contains("ran-it") && !run.log.contains(KEY), "{}", run.log);
    assert_eq!((scene.ssm.value(RECORD), scene.ssm.value("/iw-deployed/demo")), (None, None));
    assert_eq!(fs::read_dir(scene.path("tmp")).unwrap().count(), 0, "{}", run.log);
}

#[test]
fn in_an_image_that_can_deploy_all_is_looked_at_and_nothing_fetched_run_or_written() {
    let scene = image();
    let role = "arn:aws:iam::123456789012:role/deploys";
    register(&scene, &format!(r#""command":["sh","-c","echo ran-it"],"deployRoleArn":"{role}""#));
    let asked = scene.path("asked");
    let noting = format!("for last; do :; done; echo \"$last\" >>{}; exec sh -c \"$last\"", asked.display());
    scene.ssh(&format!("if test \"$1\" = -V; then exit; fi; {noting}"));
    let run = ask(&scene, |_, _| ());
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("unchanged")), "{}", run.log);
    let findings = findings(&run.log);
    let good: Vec<_> = findings.iter().filter(|finding| finding["grade"] == "good").collect();
    let checks: Vec<_> = good.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    for check in ["git", "ssh", "certificates", "home", "role", "register", "deploy role", "git host", "command"] {
        assert!(checks.contains(&check), "{check}: {}", run.log);
    }
    let host = good.iter().find(|finding| finding["check"] == "git host").unwrap();
    assert_eq!(host["saw"], "the Git host takes the project's credentials");
    assert_eq!(fs::read_to_string(asked).unwrap().lines().count(), 1, "once, and no fetch");
    let expected = ["GetParameters"];
    assert_eq!(scene.ssm.calls(), expected, "and nothing is written");
    is_untouched(&scene, &run);
}

#[test]
fn by_hand_an_image_is_looked_at_without_an_account_and_with_one() {
    let scene = image();
    let by_hand = |arguments: &[&str], project: Option<&str>| {
        let mut worker = worker(&scene);
        for name in ["PROJECTNAME", "CODEBUILD_BUILD_ID", "TIMELIMITSECONDS"] {
            worker.env_remove(name);
        }
        worker.envs(project.map(|project| ("PROJECTNAME", project)));
        Run::of(worker.args(arguments).output().unwrap())
    };
    let alone = by_hand(&["doctor"], None);
    assert_eq!(alone.status, 0, "{}", alone.log);
    assert!(alone.log.contains("iwomp: good        git: git version 2.") && !alone.log.contains("git host"));
    assert!(alone.log.lines().last().unwrap().ends_with("looked at: nothing stands in the way"), "{}", alone.log);
    assert_eq!(scene.ssm.calls(), Vec::<String>::new());
    let with_account = by_hand(&["doctor", "--json"], Some("demo"));
    assert_eq!((with_account.status, with_account.log.lines().count()), (0, 1), "{}", with_account.log);
    assert!(findings(&with_account.log).iter().any(|finding| finding["check"] == "git host"));
    let nobody = by_hand(&["doctor"], Some("nobody"));
    assert!(nobody.status == 1 && nobody.log.contains("in the way: register"), "{}", nobody.log);
    let wrong = by_hand(&["deploy"], None);
    assert!(wrong.status == 2 && wrong.log.contains("iwomp-worker doctor [--json]"), "{}", wrong.log);
}

#[test]
fn the_versions_are_told_of_the_worker_and_of_what_is_there() {
    let scene = image();
    program(&scene.path("image/terraform"), "#!/bin/sh\nenv >&2\necho Terraform v1.11.4\n");
    program(&scene.path("image/cdk"), "#!/nowhere/node\n");
    let run = Run::of(worker(&scene).arg("--versions").output().unwrap());
    let told: Vec<_> = run.log.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(told[0], format!("iwomp-worker {}", env!("CARGO_PKG_VERSION")), "{}", run.log);
    assert!(told[1].starts_with("git git version 2."), "{}", run.log);
    assert!(told.contains(&"terraform Terraform v1.11.4".to_owned()), "{}", run.log);
    assert!(told.iter().any(|line| line.starts_with("cdk does not start: No such file")), "{}", run.log);
    assert_eq!(run.status, 0);
}
