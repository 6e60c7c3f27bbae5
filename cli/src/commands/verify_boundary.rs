//! `iwomp verify-boundary`: starts the proof of what each principal of a pipeline can do. The proof itself is a program in Python
//! (boundary/) which judges policies over all actions of AWS; so this is the one command that needs a checkout, and it says so.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arguments::{Place, VerifyBoundaryArguments};
use crate::exit::{Exit, Failure};
use crate::json::{self, Shape};
use crate::terminal::Terminal;

const PROOF: &str = "boundary/iwomp_boundary/__main__.py";
/// Made by make, at the versions of local/requirements.txt.
const PYTHON: &str = ".tools/venv/bin/python";
const STARTING: &str = "starting the proof, python -m iwomp_boundary";
/// Left by `make up`; see crate::local.
const LOCAL: &str = ".local/default";

/// What the proof found, as it says itself.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    holds: bool,
    principals: Vec<Principal>,
    /// What was tried, or asked of AWS's own judges.
    tried: Vec<Tried>,
}

/// What the policies allow somebody.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Principal {
    principal: String,
    /// What they are in the pipeline.
    who: String,
    /// How many requests were judged.
    judged: u64,
    /// The actions that may go through.
    may: Vec<String>,
    /// What is wrong. Empty: nothing.
    findings: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tried {
    /// By whom, or by which judge.
    by: String,
    what: String,
    /// Whether it was denied, or the judge agreed.
    held: bool,
    said: String,
}

impl Shape for Boundary {
    const NAME: &'static str = "verify-boundary";
    const VERSION: u32 = 1;
}

/// # Errors
/// If what the proof needs is not there, or nothing can be said.
pub fn run(place: &Place, arguments: &VerifyBoundaryArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let here = std::env::current_dir().context("finding the folder that this is")?;
    let checkout = checkout(&here)?;
    let python = python(&checkout)?;
    let mut proof = Command::new(python);
    proof.args(["-m", "iwomp_boundary"]).env("PYTHONPATH", checkout.join("boundary"));
    if let Some(config_path) = &place.config_path {
        proof.args(["--config-path", config_path.as_str()]);
    }
    if let Some(profile) = &place.profile {
        proof.env("AWS_PROFILE", profile);
    }
    if let Some(region) = &place.region {
        proof.env("AWS_REGION", region).env("AWS_DEFAULT_REGION", region);
    }
    let is_named = place.is_named() || arguments.account.is_some() || std::env::var_os("AWS_ENDPOINT_URL").is_some();
    let local = checkout.join(LOCAL);
    if !is_named && local.join("iwomp.json").exists() {
        terminal.note("(the local stack of this checkout; make down ends it)");
        proof.arg("--local").arg(local);
    }
    for (option, value) in [("--account", &arguments.account), ("--ci-profile", &arguments.ci_profile)] {
        if let Some(value) = value {
            proof.args([option, value]);
        }
    }
    if !arguments.output.json {
        return exit(proof.status().context(STARTING)?);
    }
    let proof = proof.arg("--json").stdin(Stdio::inherit()).stderr(Stdio::inherit()).output().context(STARTING)?;
    let exit = exit(proof.status)?;
    let found: Boundary = serde_json::from_slice(&proof.stdout).context("reading what the proof found")?;
    terminal.json(&json::document(&found)?);
    Ok(exit)
}

/// The checkout in which one stands.
fn checkout(here: &Path) -> Result<PathBuf, Failure> {
    here.ancestors().find(|folder| folder.join(PROOF).exists()).map(Path::to_owned).ok_or_else(|| {
        let what = format!("the proof needs Python and a checkout of iwomp, and {} is in none", here.display());
        Failure::new(Exit::Usage, what).advise("git clone iwomp's repository, and run it there: make verify-boundary")
    })
}

/// What runs the proof.
fn python(checkout: &Path) -> Result<PathBuf, Failure> {
    let python = checkout.join(PYTHON);
    if python.exists() {
        return Ok(python);
    }
    // Not "failed", which says that the proof has found something.
    let what = format!("the proof is written in Python, and {} is not there", python.display());
    Err(Failure::new(Exit::Unknown, what).advise("make verify-boundary installs it, in this checkout alone"))
}

/// What the proof's own exit status means here.
fn exit(ended: ExitStatus) -> Result<Exit, Failure> {
    match ended.code() {
        Some(0) => Ok(Exit::Done),
        Some(1) => Ok(Exit::Failed),
        _ => Err(Failure::new(Exit::Unknown, "nothing can be said of the boundary: the proof did not come to its end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_proof_needs_is_said_where_it_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let failure = checkout(folder.path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.what.contains("Python and a checkout"), "{}", failure.what);

        let proof = folder.path().join(PROOF);
        std::fs::create_dir_all(proof.parent().unwrap()).unwrap();
        std::fs::write(proof, "").unwrap();
        assert_eq!(checkout(&folder.path().join("boundary")).unwrap(), folder.path());
        let failure = python(folder.path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Unknown, "nothing was found, for nothing was looked at");
        assert!(failure.what.contains(PYTHON), "{failure}");
    }
}
