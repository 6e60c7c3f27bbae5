//! SSH for git: key and known hosts in memory, and one `ssh` command line that trusts and offers nothing else.

use std::path::Path;

use anyhow::{Context, bail};
use contract::GitUrl;
use secrecy::{ExposeSecret, SecretString};

use crate::private_directory::PrivateDirectory;

const KEY: &str = "key";
const KNOWN_HOSTS: &str = "known_hosts";
const CONFIG: &str = "config";
const SSH_PORT: u16 = 22;

/// `HOSTS_FILE` stands for its path. Each option closes a way in or out:
const OPTIONS: &str = "-o IdentitiesOnly=yes -o IdentityAgent=none -o PreferredAuthentications=publickey -o PasswordAuthentication=no \
    -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=HOSTS_FILE -o GlobalKnownHostsFile=/dev/null \
    -o UpdateHostKeys=no -o ForwardAgent=no -o PermitLocalCommand=no -o ProxyCommand=none -o ControlPath=none \
    -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";

/// Writes key and known hosts, readable by us only, into a directory that is removed when the value is dropped.
pub(super) fn write_files(private_key: &SecretString, known_hosts: &str) -> anyhow::Result<PrivateDirectory> {
    let directory = PrivateDirectory::create_in_memory().context("making a directory for the SSH key")?;
    fill(&directory, private_key, known_hosts)?;
    Ok(directory)
}

/// Writes key and known hosts into `directory`.
pub(super) fn fill(directory: &PrivateDirectory, private_key: &SecretString, known_hosts: &str) -> anyhow::Result<()> {
    let key = SecretString::from(normal(private_key.expose_secret()));
    directory.write(KEY, key.expose_secret())?;
    directory.write(KNOWN_HOSTS, &normal(known_hosts))
}

/// The value of `GIT_SSH_COMMAND`, for files that [`fill`] wrote. It is for one fetch from one host.
pub(super) fn command(directory: &Path) -> anyhow::Result<String> {
    let plain = plain(directory)?;
    Ok(format!("ssh -F /dev/null -i {plain}/{KEY} {}", options(plain)))
}

/// The same, for a command that may speak to other hosts too: the host and port of `url` are offered the key, the others are not.
pub(super) fn command_for_origin(directory: &PrivateDirectory, url: &GitUrl) -> anyhow::Result<String> {
    let plain = plain(directory.path())?;
    let (host, port) = (url.host(), url.port().unwrap_or(SSH_PORT));
    // ssh has no word of its own for a port. It asks a shell, and only where the host is the right one.
    let only = format!("Match originalhost {host} exec \"test %p = {port}\"");
    directory.write(CONFIG, &format!("{only}\n    IdentityFile {plain}/{KEY}\n"))?;
    Ok(format!("ssh -F {plain}/{CONFIG} {}", options(plain)))
}

fn options(directory: &str) -> String {
    OPTIONS.replace("HOSTS_FILE", &format!("{directory}/{KNOWN_HOSTS}"))
}

/// `directory` as a shell and ssh take it for one word.
pub(super) fn plain(directory: &Path) -> anyhow::Result<&str> {
    let Some(directory) = directory.to_str().filter(|path| is_plain(path)) else {
        // The shell and ssh itself would both have to be talked into taking it as one word.
        bail!(
            "the temporary directory {} has a name with unusual characters; set TMPDIR to another",
            directory.display()
        );
    };
    Ok(directory)
}

fn is_plain(path: &str) -> bool {
    path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
}

/// ssh refuses a key with the line ends of Windows, and one without a final line end ("error in libcrypto").
fn normal(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_we_can_read_the_key_and_it_is_gone_afterwards() {
        let files = write_files(&"a\r\nb".to_owned().into(), "host ssh-ed25519 AAAA").unwrap();
        let directory = files.path().to_owned();
        assert_eq!((mode(&directory), mode(&directory.join(KEY))), (0o700, 0o600));
        assert_eq!(fs::read_to_string(directory.join(KEY)).unwrap(), "a\nb\n");
        assert_eq!(fs::read_to_string(directory.join(KNOWN_HOSTS)).unwrap(), "host ssh-ed25519 AAAA\n");
        drop(files);
        assert!(!directory.exists());
    }

    #[test]
    fn ssh_itself_accepts_the_command_line_and_takes_nothing_from_elsewhere() {
        let files = write_files(&"k".to_owned().into(), "h").unwrap();
        let command = command(files.path()).unwrap();
        let shown = std::process::Command::new("sh")
            .args(["-c", &format!("{command} -v -G git@host.example")])
            .output()
            .unwrap();
        let settings = String::from_utf8(shown.stdout).unwrap();
        let known_hosts = format!("userknownhostsfile {}", files.path().join(KNOWN_HOSTS).display());
        for setting in [
            "stricthostkeychecking true",
            "batchmode yes",
            "identitiesonly yes",
            "identityagent none",
            "updatehostkeys false",
            "forwardagent no",
            "passwordauthentication no",
            "globalknownhostsfile /dev/null",
            &known_hosts,
        ] {
            assert!(settings.lines().any(|line| line == setting), "{setting} is missing in {settings}");
        }
        let said = String::from_utf8(shown.stderr).unwrap();
        let read: Vec<_> = said.lines().filter_map(|line| line.split_once("Reading configuration data ")).collect();
        assert!(read.iter().all(|(_, file)| *file == "/dev/null") && read.len() == 1, "{said}");
    }

    #[test]
    fn a_directory_that_a_shell_would_read_otherwise_is_refused() {
        for directory in ["/tmp/a b", "/tmp/$(id)", "/tmp/a;b", "/tmp/%h"] {
            assert!(command(Path::new(directory)).is_err(), "{directory}");
        }
    }
}
