//! SSH for git: key and known hosts in memory, and one `ssh` command line that trusts and offers nothing else.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

use crate::private_directory::{MEMORY, PrivateDirectory};

const KEY: &str = "key";
const KNOWN_HOSTS: &str = "known_hosts";

/// `KEY_FILE` and `HOSTS_FILE` stand for the two paths. Each option closes a way in or out:
const COMMAND: &str = "ssh -F /dev/null -i KEY_FILE \
    -o IdentitiesOnly=yes -o IdentityAgent=none -o PreferredAuthentications=publickey -o PasswordAuthentication=no \
    -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=HOSTS_FILE -o GlobalKnownHostsFile=/dev/null \
    -o UpdateHostKeys=no -o ForwardAgent=no -o PermitLocalCommand=no -o ProxyCommand=none -o ControlPath=none \
    -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";

/// Writes key and known hosts, readable by us only, into a directory that is removed when the value is dropped.
pub(super) fn write_files(private_key: &SecretString, known_hosts: &str) -> anyhow::Result<PrivateDirectory> {
    let directory = private_directory()?;
    let key = SecretString::from(normal(private_key.expose_secret()));
    write_private(directory.path().join(KEY), key.expose_secret())?;
    write_private(directory.path().join(KNOWN_HOSTS), &normal(known_hosts))?;
    Ok(directory)
}

/// The value of `GIT_SSH_COMMAND`, for files that [`write_files`] wrote.
pub(super) fn command(directory: &Path) -> anyhow::Result<String> {
    let Some(directory) = directory.to_str().filter(|path| is_plain(path)) else {
        // The shell and ssh itself would both have to be talked into taking it as one word.
        bail!(
            "the temporary directory {} has a name with unusual characters; set TMPDIR to another",
            directory.display()
        );
    };
    let (key, known_hosts) = (format!("{directory}/{KEY}"), format!("{directory}/{KNOWN_HOSTS}"));
    Ok(COMMAND.replace("KEY_FILE", &key).replace("HOSTS_FILE", &known_hosts))
}

fn is_plain(path: &str) -> bool {
    path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
}

/// In memory. Where that cannot be written to, the temporary directory has to do.
fn private_directory() -> anyhow::Result<PrivateDirectory> {
    PrivateDirectory::create_in(Path::new(MEMORY))
        .or_else(|_| PrivateDirectory::create())
        .context("making a directory for the SSH key")
}

fn write_private(path: PathBuf, text: &str) -> anyhow::Result<()> {
    let writing = || format!("writing {}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(writing)?;
    file.write_all(text.as_bytes()).with_context(writing)
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
