//! The tools of an image, and their versions in their own words. They start as the registered command would, and with no
//! credential.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use contract::printable;
use tokio::task::JoinSet;

use crate::environment::{self, Environment};
use crate::process::{self, Ended, Limits, SHORT, Stop};
use crate::user::User;

/// What deployments are made with, and how each is asked for its version.
const TOOLS: &[(&str, &str)] = &[
    ("git", "--version"),
    ("ssh", "-V"),
    ("gpg", "--version"),
    ("aws", "--version"),
    ("terraform", "version"),
    ("tofu", "version"),
    ("terragrunt", "--version"),
    ("node", "--version"),
    ("npm", "--version"),
    ("cdk", "--version"),
    ("sam", "--version"),
    ("pulumi", "version"),
    ("python3", "--version"),
    ("docker", "--version"),
    ("make", "--version"),
    ("jq", "--version"),
];
/// So that none asks its maker for a newer version, or leaves files behind.
const QUIET: [(&str, &str); 4] = [
    ("CHECKPOINT_DISABLE", "1"),
    ("NODE_DISABLE_COMPILE_CACHE", "1"),
    ("PULUMI_SKIP_UPDATE_CHECK", "true"),
    ("npm_config_update_notifier", "false"),
];
/// Some are slow to start, on a small machine and for the first time.
const LIMITS: Limits = Limits { time: Duration::from_secs(30), grace: Duration::from_secs(2) };
const MAX_CHARS: usize = 100;

/// One that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    pub name: &'static str,
    /// What it says of itself, in a line; or why it does not.
    pub version: Result<String, String>,
}

/// Those that `own`, the worker's environment, finds, in the order of the list.
pub async fn look(own: &Environment, user: Option<&User>, stop: &Stop) -> Vec<Tool> {
    let environment = quiet(own, user);
    let path = environment.get(OsStr::new("PATH")).cloned().unwrap_or_default();
    let mut asking = JoinSet::new();
    for (place, &(name, argument)) in TOOLS.iter().enumerate() {
        let Some(program) = process::find(name, &path) else { continue };
        let mut command = process::command(program, &environment);
        command.arg(argument).current_dir("/");
        process::forbid_new_privileges(&mut command);
        if let Some(user) = user {
            process::run_as(&mut command, user.user_id, user.group_id);
        }
        let stop = stop.clone();
        asking.spawn(async move {
            let answer = process::capture(command, LIMITS, &stop, SHORT, |_| ()).await;
            let version = answer.map_err(|error| error.to_string()).and_then(|output| version(&output));
            (place, Tool { name, version })
        });
    }
    let mut found = asking.join_all().await;
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, tool)| tool).collect()
}

/// The ground that a tool stands on.
fn quiet(own: &Environment, user: Option<&User>) -> Environment {
    let mut environment = environment::for_git(own);
    let home = own.get(OsStr::new("HOME")).filter(|home| Path::new(home).is_absolute()).cloned();
    environment.insert("HOME".into(), home.unwrap_or_else(|| "/".into()));
    if let Some(user) = user {
        user.enter(&mut environment);
    }
    environment.extend(QUIET.map(|(name, value)| (name.into(), value.into())));
    environment
}

/// The first line that it printed: ssh writes it where errors go.
fn version(output: &process::Output) -> Result<String, String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let mut lines = stdout.lines().chain(output.stderr.iter().map(String::as_str)).map(str::trim);
    let said = lines.find(|line| !line.is_empty()).map(|line| printable(line, MAX_CHARS));
    match output.ended {
        Ended::Exited(status) if status.success() => Ok(said.unwrap_or_else(|| "it does not say".to_owned())),
        Ended::Exited(status) => {
            let status = format!("exit status {}", process::exit_code(status));
            Err(said.map_or_else(|| status.clone(), |said| format!("{status}: {said}")))
        }
        Ended::TimeLimit => Err(format!("it does not end within {} seconds", LIMITS.time.as_secs())),
        Ended::Stopped(stopped) => Err(format!("stopped by {}", stopped.signal())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn what_is_there_is_told_in_order_with_its_version_or_why_it_does_not_start() {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in [
            ("terraform", "#!/bin/sh\necho \"Terraform v1.11.4$AWS_SECRET_ACCESS_KEY\"\necho on linux\n"),
            ("ssh", "#!/bin/sh\necho OpenSSH_9.2 >&2\n"),
            ("cdk", "#!/bin/sh\necho 'no such module' >&2\nexit 3\n"),
            ("jq", "#!/nowhere/jq\n"),
            ("unlisted", "#!/bin/sh\necho 1\n"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let own = [("PATH".into(), folder.path().into()), ("AWS_SECRET_ACCESS_KEY".into(), "canary".into())].into();
        let found = look(&own, None, &Stop::channel().1).await;
        let said = |tool: &Tool| tool.version.clone().unwrap_or_else(|why| format!("not, {why}"));
        let told: Vec<_> = found.iter().map(|tool| format!("{}: {}", tool.name, said(tool))).collect();
        assert_eq!(
            told[..3],
            ["ssh: OpenSSH_9.2", "terraform: Terraform v1.11.4", "cdk: not, exit status 3: no such module"]
        );
        assert!(told.len() == 4 && told[3].starts_with("jq: not, No such file"), "{told:?}");
    }
}
