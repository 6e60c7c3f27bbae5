//! The project's Git credential, lent to its command where the register says so: files that the command's user can read, and
//! variables that lead git to them, for the origin of `gitUrl` and no other. It is no secret from the command any more.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use contract::{Credentials, Project, Scheme};
use secrecy::ExposeSecret;

use super::access::{self, HttpsCredential};
use super::ssh;
use crate::environment::Environment;
use crate::private_directory::PrivateDirectory;
use crate::user::User;

/// As git's helper answers it.
const CREDENTIAL: &str = "credential";
/// The user of the command gets through, to files whose names it is told, and cannot change what is there. The directory stays
/// ours, so that it is found and removed even if we are killed.
const PASSAGE: u32 = 0o711;

/// What the command is lent. The files are gone when it is dropped.
pub struct LentAccess {
    variables: Vec<(String, String)>,
    has_credential: bool,
    _files: PrivateDirectory,
}

impl LentAccess {
    /// Writes what `user`, or the user that we are, needs to get at the host of `project`.
    ///
    /// # Errors
    /// If the files cannot be written or given away.
    pub fn prepare(project: &Project, user: Option<&User>) -> anyhow::Result<Self> {
        let files = PrivateDirectory::create_in_memory().context("making a directory for the Git credential")?;
        let variables = match (project.git_url.scheme(), &project.credentials) {
            (Scheme::Ssh, Some(Credentials::Ssh { private_key, known_hosts })) => {
                ssh::fill(&files, private_key, known_hosts)?;
                vec![
                    ("GIT_SSH_COMMAND".to_owned(), ssh::command_for_origin(&files, &project.git_url)?),
                    ("GIT_SSH_VARIANT".to_owned(), "ssh".to_owned()),
                ]
            }
            (Scheme::Ssh, _) => Vec::new(),
            (Scheme::Https, _) => as_variables(https_settings(project, &files)?),
        };
        if let Some(user) = user {
            give(files.path(), user)?;
        }
        Ok(Self { variables, has_credential: project.credentials.is_some(), _files: files })
    }

    /// Whether there was a credential to lend.
    #[must_use]
    pub fn has_credential(&self) -> bool {
        self.has_credential
    }

    /// Puts the way to the files into `environment`, which has no variable of git.
    pub fn enter(&self, environment: &mut Environment) {
        environment.extend(self.variables.iter().map(|(name, value)| (name.into(), value.into())));
    }
}

/// Every name has the origin in it, by which git holds it back from every other one, other ports included.
fn https_settings(project: &Project, files: &PrivateDirectory) -> anyhow::Result<Vec<(String, String)>> {
    let origin = project.git_url.origin();
    let mut settings = vec![
        // A redirect can lead anywhere; the worker itself follows none.
        (format!("http.{origin}.followRedirects"), "false".to_owned()),
        // Where the image turned this off, anybody in between could ask for the credential.
        (format!("http.{origin}.sslVerify"), "true".to_owned()),
    ];
    if let Some(bundle) = &project.ca_bundle {
        let trust = access::trust_only(bundle, files.path())?;
        settings.extend(trust.map(|(name, path)| (format!("http.{origin}.{name}"), path)));
    }
    if let Some(credential) = HttpsCredential::of(project)? {
        files.write(CREDENTIAL, credential.answer().expose_secret())?;
        let helper = format!("credential.{origin}.helper");
        let directory = ssh::plain(files.path())?;
        // Without text: git forgets the helpers it knows so far. One of them could keep what this one answers.
        settings.push((helper.clone(), String::new()));
        settings.push((helper, format!(r#"!f() {{ if test "$1" = get; then cat {directory}/{CREDENTIAL}; fi; }}; f"#)));
    }
    Ok(settings)
}

/// Settings of git as variables: they reach every git that the command starts, at whatever depth, and no file of the checkout or
/// the home is touched. <https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT>
fn as_variables(settings: Vec<(String, String)>) -> Vec<(String, String)> {
    let count = ("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string());
    let pairs = settings.into_iter().enumerate().flat_map(|(index, (name, value))| {
        [(format!("GIT_CONFIG_KEY_{index}"), name), (format!("GIT_CONFIG_VALUE_{index}"), value)]
    });
    std::iter::once(count).chain(pairs).collect()
}

/// Makes `user` the owner of what is in `directory`, which only we own. Nothing of that user runs yet.
fn give(directory: &Path, user: &User) -> anyhow::Result<()> {
    let giving = || format!("giving {} to {}", directory.display(), user.name());
    for entry in fs::read_dir(directory).with_context(giving)? {
        user.own(&entry.with_context(giving)?.path())?;
    }
    fs::set_permissions(directory, Permissions::from_mode(PASSAGE)).with_context(giving)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use contract::register::{Document, Storage};

    use super::*;

    const TOKEN: &str = "canary-lent-token";

    fn lend(url: &str, more: &str, credentials: Option<&str>) -> LentAccess {
        let text = format!(r#"{{"gitUrl":"{url}","command":"deploy.sh","gitAccess":true{more}}}"#);
        let mut project = Project::read(Document { text: &text, storage: Storage::Plain }, None).unwrap();
        project.credentials = credentials.map(|text| Credentials::parse(text).unwrap());
        LentAccess::prepare(&project, None).unwrap()
    }

    fn lend_token(more: &str) -> LentAccess {
        lend("https://git.example:8443/demo.git", more, Some(&format!(r#"{{"authToken":"{TOKEN}"}}"#)))
    }

    /// git with what the command gets, and nothing else.
    fn git(lent: &LentAccess, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new("git");
        command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")]);
        command.envs(lent.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn git_gets_the_lent_credential_for_its_own_origin_every_time_and_for_no_other() {
        let lent = lend_token("");
        let fill = |url: &str| git(&lent, &["credential", "fill"], &format!("url={url}\n\n"));
        for own in ["https://git.example:8443/demo.git", "https://git.example:8443/group/module.git"] {
            assert!(fill(own).contains(&format!("password={TOKEN}\n")), "{own}");
        }
        for other in [
            "https://git.example/demo.git",
            "https://git.example:8444/demo.git",
            "http://git.example:8443/demo.git",
            "https://sub.git.example:8443/demo.git",
            "https://git.example.evil.example:8443/demo.git",
            "https://evil.example:8443/git.example:8443",
            "https://git.example:8443@evil.example/demo.git",
        ] {
            assert!(!fill(other).contains(TOKEN), "{other}");
        }
    }

    #[test]
    fn the_lent_token_is_in_no_variable() {
        let lent = lend_token("");
        assert!(!format!("{:?}", lent.variables).contains(TOKEN), "{:?}", lent.variables);
        assert!(lent.has_credential());
    }

    #[test]
    fn trust_and_redirects_are_settled_for_the_own_origin_alone() {
        let bundle = r#","caBundle":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n""#;
        let lent = lend_token(bundle);
        let ask = |name: &str, url: &str| git(&lent, &["config", "--get-urlmatch", name, url], "");
        let (own, other) = ("https://git.example:8443/x", "https://other.example:8443/x");
        assert!(fs::read_to_string(ask("http.sslCAInfo", own).trim()).unwrap().starts_with("-----BEGIN"));
        assert_eq!(ask("http.followRedirects", own), "false\n");
        assert_eq!(ask("http.sslVerify", own), "true\n");
        for name in ["http.sslCAInfo", "http.sslCAPath", "http.followRedirects", "http.sslVerify"] {
            assert_eq!(ask(name, other), "", "{name}");
        }
    }

    #[test]
    fn ssh_offers_the_lent_key_to_the_own_host_and_port_and_to_no_other() {
        let key = r#"{"sshPrivateKey":"-----BEGIN PRIVATE KEY-----\nk\n-----END PRIVATE KEY-----\n","knownHosts":"h"}"#;
        for (url, own) in [
            ("ssh://git@git.example/demo.git", &["git.example", "-p 22 git.example"][..]),
            ("ssh://git@git.example:2222/demo.git", &["-p 2222 git.example", "-o Port=2222 git.example"]),
        ] {
            let lent = lend(url, "", Some(key));
            let command = &lent.variables[0].1;
            let offers = |to: &str| {
                let shown = Command::new("sh").args(["-c", &format!("{command} -G {to}")]).output().unwrap();
                String::from_utf8(shown.stdout).unwrap().contains(lent._files.path().join("key").to_str().unwrap())
            };
            for own in own {
                assert!(offers(own), "{url} {own}");
            }
            for host in
                ["evil.example", "git.example.evil.example", "sub.git.example", "-o HostName=git.example e.example"]
            {
                assert!(!offers(host) && !offers(&format!("-p 2222 {host}")), "{url} {host}");
            }
            for port in ["222", "22222", "2223"] {
                assert!(!offers(&format!("-p {port} git.example")), "{url} {port}");
            }
        }
    }

    #[test]
    fn what_was_lent_is_gone_afterwards_and_was_ours_alone() {
        let lent = lend_token("");
        let directory = lent._files.path().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&directory.join(CREDENTIAL))), (0o700, 0o600));
        drop(lent);
        assert!(!directory.exists());
    }

    #[test]
    fn where_there_is_no_credential_none_is_lent() {
        let lent = lend("https://git.example/demo.git", "", None);
        assert!(!lent.has_credential());
        assert_eq!(git(&lent, &["credential", "fill"], "url=https://git.example/demo.git\n\n"), "");
    }
}
