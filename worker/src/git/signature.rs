//! Whether a commit was signed by one of the project's signers. git answers by its exit status; its words, which hold text of
//! the signature, are only passed on.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use contract::CommitId;
use contract::register::AllowedSigners;

use super::QUESTION_TIME_LIMIT;
use super::command::Git;
use crate::failure::{Failure, Kind, OrFail};
use crate::process;

/// Every way in which git would check a signature. The signature itself says which one it wants, so those that the register
/// does not name must lead nowhere: gpg would go by whatever key ring it finds.
const PROGRAMS: [&str; 3] = ["gpg.ssh.program", "gpg.openpgp.program", "gpg.x509.program"];
const NOWHERE: &str = "/bin/false";
/// No network, no agent, no question; the key ring holds the signers' keys only, so that each of them is trusted.
const GPG_CONF: &str = "batch\nno-tty\nno-autostart\nno-auto-key-retrieve\nno-auto-key-locate\ntrust-model always\n";

/// Asks whether `commit` has a good signature by one of `signers`. Keys are put into `scratch`, which is not the checkout.
///
/// # Errors
/// If the program that checks signatures is missing, if the keys cannot be used, or if git fails.
pub(super) async fn is_by(
    signers: &AllowedSigners,
    commit: &CommitId,
    git: &Git<'_>,
    scratch: &Path,
) -> Result<bool, Failure> {
    let checker = match signers {
        AllowedSigners::Ssh(lines) => Checker::ssh(lines, git, scratch)?,
        AllowedSigners::Gpg(keys) => Checker::gpg(keys, git, scratch).await?,
    };
    let mut command = git.command();
    for setting in checker.settings {
        command.args(["-c", &setting]);
    }
    // The signature is handed over in a temporary file.
    command.env("TMPDIR", scratch).envs(checker.variables);
    command.args(["verify-commit", commit.as_str()]);
    git.ask_yes_or_no(&format!("checking the signature of {commit}"), command, QUESTION_TIME_LIMIT).await
}

struct Checker {
    settings: Vec<String>,
    variables: Vec<(&'static str, OsString)>,
}

impl Checker {
    /// The principal's name in `lines` is free: whoever has one of the keys may sign. Options of a line hold, with the date
    /// of the commit for `valid-before`: a signer writes that date, so what ends a key's life is to take its line out.
    fn ssh(lines: &str, git: &Git<'_>, scratch: &Path) -> Result<Self, Failure> {
        let program = require_program("ssh-keygen", git)?;
        let file = scratch.join("allowed-signers");
        write(&file, lines)?;
        let mut settings = only("gpg.ssh.program", &program);
        settings.push(format!("gpg.ssh.allowedSignersFile={}", file.display()));
        Ok(Self { settings, variables: Vec::new() })
    }

    async fn gpg(keys: &str, git: &Git<'_>, scratch: &Path) -> Result<Self, Failure> {
        let program = require_program("gpg", git)?;
        let home = scratch.join("gnupg");
        // Readable by others, gpg would complain of it.
        DirBuilder::new()
            .mode(0o700)
            .create(&home)
            .with_context(|| format!("creating {}", home.display()))
            .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")?;
        write(&home.join("gpg.conf"), GPG_CONF)?;
        let file = scratch.join("allowed-signers");
        write(&file, keys)?;

        let doing = "reading allowedSigners";
        let mut command = git.program(&program);
        command.env("GNUPGHOME", &home).args(["--quiet", "--import", "--"]).arg(file);
        if !git.run(doing, command, QUESTION_TIME_LIMIT).await?.status.success() {
            let error = anyhow!("{doing}: gpg does not take it for public keys");
            return Err(Failure::new(
                Kind::Register,
                error,
                "put what `gpg --export --armor KEY` prints into the register, then trigger again",
            ));
        }
        Ok(Self { settings: only("gpg.openpgp.program", &program), variables: vec![("GNUPGHOME", home.into())] })
    }
}

/// Settings by which git checks with `program` what belongs to `setting`, and nothing else.
fn only(setting: &str, program: &Path) -> Vec<String> {
    let program_of = |name: &str| if name == setting { program.display().to_string() } else { NOWHERE.to_owned() };
    PROGRAMS.iter().map(|name| format!("{name}={}", program_of(name))).collect()
}

/// Looked for before git does, because to git a missing program is a bad signature.
fn require_program(name: &str, git: &Git<'_>) -> Result<PathBuf, Failure> {
    let path = git.environment.get(OsStr::new("PATH")).map_or(OsStr::new(""), |path| path);
    process::find(name, path).ok_or_else(|| {
        let error = anyhow!("checking signatures as allowedSigners wants it: {name} is not in the build image");
        Failure::new(Kind::Machine, error, format!("take a build image with {name}"))
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text)
        .with_context(|| format!("writing {}", path.display()))
        .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")
}
