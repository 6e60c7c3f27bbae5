//! `allowedSigners`, with keys made for the test by the programs that people make theirs with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::scene::Scene;

const ADA: &str = "ada@example.org";
const SCRIPT: &str = "#!/bin/sh\necho RAN\n";

/// Makes an SSH key pair and returns the path of the private one.
fn ssh_key(scene: &Scene, name: &str) -> PathBuf {
    let path = scene.path(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    path
}

/// A line of allowed signers for the key at `path`.
fn line(options: &str, path: &std::path::Path) -> String {
    format!("{ADA} {options} {}", fs::read_to_string(path.with_extension("pub")).unwrap().trim())
}

fn allow(scene: &Scene, signers: &str) {
    scene.register(&format!(r#""allowedSigners":{}"#, serde_json::json!(signers)));
}

/// Signs the head of the origin with an SSH key.
fn sign(scene: &Scene, key: &std::path::Path) {
    let key = format!("user.signingKey={}", key.display());
    scene.git(&["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "--amend", "--no-edit", "--gpg-sign"]);
}

fn is_refused(scene: &Scene) {
    let run = scene.run();
    run.is_refused(77, "not_signed", "no good signature by one of allowedSigners");
    assert!(!run.log.contains("RAN"), "{}", run.log);
}

fn is_deployed(scene: &Scene) {
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("RAN"), "{}", run.log);
}

#[test]
fn only_a_commit_signed_by_an_allowed_ssh_key_is_deployed() {
    let scene = Scene::new();
    let (ada, eve) = (ssh_key(&scene, "ada"), ssh_key(&scene, "eve"));
    allow(&scene, &line("", &ada));
    scene.commit("unsigned", SCRIPT);
    is_refused(&scene);
    // Her commits say that they are Ada's, and their signature is good; only the key is another.
    sign(&scene, &eve);
    is_refused(&scene);
    sign(&scene, &ada);
    is_deployed(&scene);
}

#[test]
fn a_signed_commit_before_an_unsigned_one_does_not_cover_it_but_may_be_pinned() {
    let scene = Scene::new();
    let ada = ssh_key(&scene, "ada");
    allow(&scene, &line("", &ada));
    scene.commit("signed", SCRIPT);
    sign(&scene, &ada);
    let signed = scene.git(&["rev-parse", "HEAD"]);
    scene.commit("unsigned", SCRIPT);
    is_refused(&scene);
    let run = scene.run_with(&[("GITCOMMIT", &signed)]);
    assert!(run.status == 0 && run.log.contains("RAN"), "{}", run.log);
}

#[test]
fn a_commit_that_was_changed_after_it_was_signed_is_refused() {
    let scene = Scene::new();
    let ada = ssh_key(&scene, "ada");
    allow(&scene, &line("", &ada));
    scene.commit("signed", SCRIPT);
    sign(&scene, &ada);
    let changed = scene.path("changed");
    let text = scene.git(&["cat-file", "commit", "HEAD"]) + "\n";
    fs::write(&changed, text.replace("\nsigned", "\nforged")).unwrap();
    let forged = scene.git(&["hash-object", "-t", "commit", "-w", changed.to_str().unwrap()]);
    scene.git(&["reset", "--quiet", "--hard", &forged]);
    is_refused(&scene);
}

#[test]
fn the_options_of_a_signers_line_hold() {
    let scene = Scene::new();
    let ada = ssh_key(&scene, "ada");
    scene.commit("signed", SCRIPT);
    sign(&scene, &ada);
    for options in [r#"valid-before="20200101""#, r#"valid-after="20990101""#, r#"namespaces="file""#] {
        allow(&scene, &line(options, &ada));
        is_refused(&scene);
    }
    allow(&scene, &line(r#"namespaces="git",valid-after="20200101",valid-before="20990101""#, &ada));
    is_deployed(&scene);
}

#[test]
fn a_signature_for_another_purpose_is_not_one_for_git() {
    let scene = Scene::new();
    let ada = ssh_key(&scene, "ada");
    allow(&scene, &line("", &ada));
    scene.commit("signed", SCRIPT);
    let (text, commit) = (scene.path("text"), scene.git(&["cat-file", "commit", "HEAD"]) + "\n");
    let sign_for = |purpose: &str| {
        fs::write(&text, &commit).unwrap();
        let _ = fs::remove_file(text.with_extension("sig"));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", purpose, "-f"]).args([&ada, &text]);
        assert!(command.status().unwrap().success());
        let signature = fs::read_to_string(text.with_extension("sig")).unwrap().trim_end().replace('\n', "\n ");
        fs::write(&text, commit.replacen("\n\n", &format!("\ngpgsig {signature}\n\n"), 1)).unwrap();
        let signed = scene.git(&["hash-object", "-t", "commit", "-w", text.to_str().unwrap()]);
        scene.git(&["reset", "--quiet", "--hard", &signed]);
    };
    sign_for("file");
    is_refused(&scene);
    sign_for("git");
    is_deployed(&scene);
}

/// A GnuPG home with a key of its own.
struct Gpg(PathBuf);

impl Gpg {
    fn new(scene: &Scene, name: &str) -> Self {
        let home = scene.path(name);
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let gpg = Self(home);
        gpg.run(&["--quick-generate-key", ADA, "ed25519", "sign", "never"]);
        gpg
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", &self.0).args(["--quiet", "--batch", "--passphrase", ""]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn public_key(&self) -> String {
        self.run(&["--export", "--armor"])
    }

    /// Signs the head of the origin.
    fn sign(&self, scene: &Scene) {
        let program = scene.path("gpg-of-the-signer");
        fs::write(&program, format!("#!/bin/sh\nGNUPGHOME={} exec gpg \"$@\"\n", self.0.display())).unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let (program, key) = (format!("gpg.program={}", program.display()), format!("user.signingKey={ADA}"));
        scene.git(&["-c", &program, "-c", &key, "commit", "--quiet", "--amend", "--no-edit", "--gpg-sign"]);
    }
}

impl Drop for Gpg {
    /// gpg started an agent to sign with.
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").env("GNUPGHOME", &self.0).args(["--kill", "all"]).status();
    }
}

#[test]
fn only_a_commit_signed_by_an_allowed_gpg_key_is_deployed() {
    let scene = Scene::new();
    let (ada, eve) = (Gpg::new(&scene, "ada"), Gpg::new(&scene, "eve"));
    allow(&scene, &ada.public_key());
    scene.commit("unsigned", SCRIPT);
    is_refused(&scene);
    eve.sign(&scene);
    is_refused(&scene);
    ada.sign(&scene);
    is_deployed(&scene);
}

#[test]
fn a_signature_of_the_other_kind_is_none() {
    let scene = Scene::new();
    let (ssh, gpg) = (ssh_key(&scene, "ssh-key"), Gpg::new(&scene, "gpg-home"));
    scene.commit("signed", SCRIPT);
    gpg.sign(&scene);
    allow(&scene, &line("", &ssh));
    // gpg knows this key; it is not asked all the same.
    let run = scene.run_with(&[("GNUPGHOME", gpg.0.to_str().unwrap()), ("HOME", gpg.0.to_str().unwrap())]);
    run.is_refused(77, "not_signed", "no good signature");
    sign(&scene, &ssh);
    allow(&scene, &gpg.public_key());
    is_refused(&scene);
}

#[test]
fn keys_that_are_none_and_a_program_that_is_missing_are_said_to_be_so() {
    let scene = Scene::new();
    scene.commit("one", SCRIPT);
    allow(&scene, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n");
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["class"].as_str()), (78, Some("register")), "{}", run.log);
    assert!(run.log.contains("gpg --export --armor"), "{}", run.log);

    // A path on which git is, for us and for the server, and nothing that checks signatures.
    for program in ["git", "git-upload-pack", "sh"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        std::os::unix::fs::symlink(found.trim(), scene.path("bin").join(program)).unwrap();
    }
    for (signers, program) in [
        (
            format!("{ADA} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            "ssh-keygen",
        ),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----".to_owned(), "gpg"),
    ] {
        allow(&scene, &signers);
        let run = scene.run_with(&[("PATH", scene.path("bin").to_str().unwrap())]);
        assert_eq!((run.status, run.outcome()["class"].as_str()), (69, Some("machine")), "{}", run.log);
        assert!(run.log.contains(&format!("{program} is not in the build image")), "{}", run.log);
    }
}
