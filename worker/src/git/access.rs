//! How one fetch gets at its repository: the protocol, whom to trust, and the credential, which reaches git through a pipe
//! (HTTPS) or a file in memory (SSH) and never stands in an argument, a variable, a URL or the checkout.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, bail};
use aws_smithy_types::base64;
use command_fds::{CommandFdExt, FdMapping};
use contract::register::AuthScheme;
use contract::{Credentials, Project, Scheme, credentials};
use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::heard::Heard;
use super::ssh;
use crate::private_directory::PrivateDirectory;

/// Where git's helper finds the credential.
const PIPE: i32 = 3;
/// Where git writes down what HTTP it spoke.
const TRACE: i32 = 4;
/// What is read of it, from its end.
const MAX_TRACE_BYTES: u64 = 256 * 1024;
/// A pipe holds at least this much without a reader, so that writing to it does not wait.
const MAX_CREDENTIAL_BYTES: usize = 4096;
/// git runs this with the word `get` when it wants a credential. `store` and `erase` are none of its business.
const HELPER: &str = r#"!f() { if test "$1" = get; then cat <&3; fi; }; f"#;

/// What a fetch is given. Files of it are gone when it is dropped.
pub(super) struct Access {
    settings: Vec<String>,
    variables: Vec<(&'static str, OsString)>,
    pipe: Option<OwnedFd>,
    /// What HTTP was spoken, without credentials and without data, in memory.
    trace: Option<fs::File>,
    _ssh_files: Option<PrivateDirectory>,
}

impl Access {
    /// Prepares the access to the repository of `project`. Certificates are put into `scratch`, which is not the checkout.
    pub(super) fn prepare(project: &Project, scratch: &Path) -> anyhow::Result<Self> {
        match project.git_url.scheme() {
            Scheme::Https => Self::https(project, scratch),
            Scheme::Ssh => Self::ssh(project),
        }
    }

    fn https(project: &Project, scratch: &Path) -> anyhow::Result<Self> {
        let mut access = Self::allowing("https");
        access.trace = Some(memory_file().context("making a file in memory")?);
        if let Some(bundle) = &project.ca_bundle {
            let trust = trust_only(bundle, scratch)?;
            access.settings.extend(trust.map(|(name, path)| format!("http.{name}={path}")));
        }
        if let Some(credential) = HttpsCredential::of(project)? {
            access.settings.push(format!("credential.{}.helper={HELPER}", project.git_url.origin()));
            access.pipe = Some(pipe_holding(&credential.answer()).context("handing the credential to git")?);
        }
        Ok(access)
    }

    fn ssh(project: &Project) -> anyhow::Result<Self> {
        let Some(Credentials::Ssh { private_key, known_hosts }) = &project.credentials else {
            bail!("gitUrl is an SSH URL, but there are no sshPrivateKey and knownHosts in the credentials");
        };
        let files = ssh::write_files(private_key, known_hosts)?;
        let mut access = Self::allowing("ssh");
        access.variables.push(("GIT_SSH_COMMAND", ssh::command(files.path())?.into()));
        // Without it, git runs the command once more to find out how its options are written.
        access.variables.push(("GIT_SSH_VARIANT", "ssh".into()));
        access._ssh_files = Some(files);
        Ok(access)
    }

    fn allowing(protocol: &'static str) -> Self {
        let variables = vec![("GIT_ALLOW_PROTOCOL", protocol.into())];
        Self { settings: Vec::new(), variables, pipe: None, trace: None, _ssh_files: None }
    }

    /// Gives `command`, which has no subcommand yet, this access. The pipe can be read only once, so it can be given only
    /// once.
    pub(super) fn give_to(&mut self, command: &mut Command) -> anyhow::Result<()> {
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut files = Vec::new();
        if let Some(pipe) = self.pipe.take() {
            files.push(FdMapping { parent_fd: pipe, child_fd: PIPE });
        }
        if let Some(trace) = &self.trace {
            files.push(FdMapping {
                parent_fd: trace.try_clone().context("sharing a file in memory")?.into(),
                child_fd: TRACE,
            });
            command.env("GIT_TRACE_CURL", TRACE.to_string());
            command.envs([("GIT_TRACE_CURL_NO_DATA", "1"), ("GIT_TRACE_REDACT", "1")]);
        }
        if !files.is_empty() {
            command.fd_mappings(files)?;
        }
        Ok(())
    }

    /// What the server said by HTTP. git passes on its status and nothing else.
    pub(super) fn heard(&mut self) -> Heard {
        self.read_trace().map(|trace| Heard::read(&trace)).unwrap_or_default()
    }

    fn read_trace(&mut self) -> Option<String> {
        let trace = self.trace.as_mut()?;
        let length = trace.metadata().ok()?.len();
        trace.seek(SeekFrom::Start(length.saturating_sub(MAX_TRACE_BYTES))).ok()?;
        let mut text = Vec::new();
        trace.take(MAX_TRACE_BYTES).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Settings of `http` by which git trusts the certificates of `bundle`, which go into `directory`, and no others. An empty
/// directory takes the place of the machine's, which is searched beside the file otherwise.
pub(super) fn trust_only(bundle: &str, directory: &Path) -> anyhow::Result<[(&'static str, String); 2]> {
    let (file, others) = (directory.join("ca-bundle.pem"), directory.join("no-certificates"));
    fs::write(&file, bundle).with_context(|| format!("writing caBundle to {}", file.display()))?;
    fs::create_dir_all(&others).with_context(|| format!("creating {}", others.display()))?;
    Ok([("sslCAInfo", file.display().to_string()), ("sslCAPath", others.display().to_string())])
}

/// A file that no directory has, so that nothing of it is ever on a disk.
fn memory_file() -> io::Result<fs::File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("iwomp-http", MemfdFlags::CLOEXEC)?.into())
}

/// What a host is told over HTTPS. The values hold no line break: that is part of their type's promise.
pub(super) enum HttpsCredential<'a> {
    Basic { username: &'a str, password: &'a SecretString },
    Bearer(&'a SecretString),
}

impl<'a> HttpsCredential<'a> {
    /// That of `project`, if it has one.
    pub(super) fn of(project: &'a Project) -> anyhow::Result<Option<Self>> {
        Ok(Some(match &project.credentials {
            None => return Ok(None),
            Some(Credentials::Ssh { .. }) => {
                bail!(
                    "gitUrl is an HTTPS URL, but the credentials are an SSH key; store an authToken, or use the SSH URL"
                )
            }
            Some(Credentials::Basic { username, password }) => Self::Basic { username, password },
            Some(Credentials::Token { token, username }) => match project.auth_scheme {
                AuthScheme::Bearer => Self::Bearer(token),
                AuthScheme::Basic => {
                    let by_host = || credentials::token_username(project.git_url.host());
                    let username = username.as_deref().or(project.token_username.as_deref()).unwrap_or_else(by_host);
                    Self::Basic { username, password: token }
                }
            },
        }))
    }

    /// As a git credential helper answers.
    pub(super) fn answer(&self) -> SecretString {
        SecretString::from(match self {
            Self::Basic { username, password } => {
                format!("username={username}\npassword={}\n", password.expose_secret())
            }
            Self::Bearer(token) => {
                format!("capability[]=authtype\nauthtype=Bearer\ncredential={}\n", token.expose_secret())
            }
        })
    }

    /// As the value of an `Authorization` header.
    pub(super) fn header(&self) -> SecretString {
        SecretString::from(match self {
            Self::Basic { username, password } => {
                let pair = SecretString::from(format!("{username}:{}", password.expose_secret()));
                format!("Basic {}", base64::encode(pair.expose_secret()))
            }
            Self::Bearer(token) => format!("Bearer {}", token.expose_secret()),
        })
    }
}

/// A pipe that holds `text` and whose writing end is closed: the first reader gets all of it, the next one nothing.
fn pipe_holding(text: &SecretString) -> anyhow::Result<OwnedFd> {
    let text = text.expose_secret();
    if text.len() > MAX_CREDENTIAL_BYTES {
        bail!("the credential is longer than {MAX_CREDENTIAL_BYTES} bytes");
    }
    let (reader, mut writer) = io::pipe().context("making a pipe")?;
    writer.write_all(text.as_bytes()).context("writing to a pipe")?;
    Ok(reader.into())
}

#[cfg(test)]
mod tests {
    use contract::register::{Document, Storage};

    use super::*;

    fn project(more: &str, credentials: Option<&str>) -> Project {
        let text = format!(r#"{{"gitUrl":"https://git.example:8443/demo.git","command":"deploy.sh"{more}}}"#);
        let mut project = Project::read(Document { text: &text, storage: Storage::Encrypted }, None).unwrap();
        if let Some(text) = credentials {
            project.credentials = Some(Credentials::parse(text).unwrap());
        }
        project
    }

    fn answer(project: &Project) -> String {
        HttpsCredential::of(project).unwrap().unwrap().answer().expose_secret().to_owned()
    }

    /// Everything of a command that `ps` and `/proc/PID/environ` show.
    fn visible(command: &Command) -> String {
        let command = command.as_std();
        format!("{:?} {:?}", command.get_args().collect::<Vec<_>>(), command.get_envs().collect::<Vec<_>>())
    }

    #[test]
    fn the_credential_is_in_the_pipe_and_neither_in_arguments_nor_in_variables() {
        let scratch = tempfile::tempdir().unwrap();
        let mut access = Access::prepare(&project(r#","authToken":"canary-31""#, None), scratch.path()).unwrap();
        let mut pipe = fs::File::from(access.pipe.as_ref().unwrap().try_clone().unwrap());
        let mut command = Command::new("git");
        access.give_to(&mut command).unwrap();
        assert!(!visible(&command).contains("canary"));
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        assert_eq!(text, "username=x-access-token\npassword=canary-31\n");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_credential_is_bound_to_its_origin_and_to_one_protocol() {
        let scratch = tempfile::tempdir().unwrap();
        let mut access = Access::prepare(&project(r#","authToken":"t""#, None), scratch.path()).unwrap();
        let mut command = Command::new("git");
        access.give_to(&mut command).unwrap();
        let text = visible(&command);
        assert!(text.contains("\"credential.https://git.example:8443.helper=!f()"), "{text}");
        assert!(text.contains("(\"GIT_ALLOW_PROTOCOL\", Some(\"https\"))"), "{text}");
    }

    #[test]
    fn a_token_is_sent_as_the_register_says() {
        let token = Some(r#"{"authToken":"t"}"#);
        assert_eq!(answer(&project("", token)), "username=x-access-token\npassword=t\n");
        assert_eq!(answer(&project(r#","basicUsername":"me""#, token)), "username=me\npassword=t\n");
        let named = Some(r#"{"authToken":"t","basicUsername":"you"}"#);
        assert_eq!(answer(&project(r#","basicUsername":"me""#, named)), "username=you\npassword=t\n");
        let bearer = answer(&project(r#","authScheme":"bearer""#, token));
        assert_eq!(bearer, "capability[]=authtype\nauthtype=Bearer\ncredential=t\n");
        let basic = Some(r#"{"basicUsername":"u","basicPassword":"p"}"#);
        assert_eq!(answer(&project("", basic)), "username=u\npassword=p\n");
    }

    #[test]
    fn a_header_says_the_same_as_a_helper() {
        let header = |more: &str, credentials: &str| {
            let project = project(more, Some(credentials));
            HttpsCredential::of(&project).unwrap().unwrap().header().expose_secret().to_owned()
        };
        let (token, basic) = (r#"{"authToken":"t"}"#, r#"{"basicUsername":"u","basicPassword":"p:\u00fc"}"#);
        assert_eq!(header("", token), "Basic eC1hY2Nlc3MtdG9rZW46dA==");
        assert_eq!(header(r#","authScheme":"bearer""#, token), "Bearer t");
        assert_eq!(header("", basic), "Basic dTpwOsO8");
    }

    #[test]
    fn a_public_repository_gets_no_helper() {
        let scratch = tempfile::tempdir().unwrap();
        let access = Access::prepare(&project("", None), scratch.path()).unwrap();
        assert!(access.pipe.is_none() && access.settings.is_empty());
    }

    #[test]
    fn a_ca_bundle_takes_the_place_of_the_machines_certificates() {
        let scratch = tempfile::tempdir().unwrap();
        let bundle = r#","caBundle":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n""#;
        let access = Access::prepare(&project(bundle, None), scratch.path()).unwrap();
        let [file, directory] = access.settings.as_slice() else { panic!("{:?}", access.settings) };
        assert!(fs::read_to_string(file.strip_prefix("http.sslCAInfo=").unwrap()).unwrap().starts_with("-----BEGIN"));
        assert_eq!(fs::read_dir(directory.strip_prefix("http.sslCAPath=").unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn an_ssh_key_does_not_fit_an_https_url() {
        let key = Some(r#"{"sshPrivateKey":"canary-32","knownHosts":"h"}"#);
        let error = Access::prepare(&project("", key), Path::new("/nonexistent")).err().unwrap().to_string();
        assert!(error.contains("HTTPS URL") && !error.contains("canary"), "{error}");
    }
}
