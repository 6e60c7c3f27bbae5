//! Whom the command runs as. Where the worker is root, that is another user: it can then neither read the worker's memory
//! and files nor end it. A worker that is not root can only run commands as what it is itself.

use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::environment::Environment;

/// The image makes this user for commands.
const NAME: &str = "deployer";
const PASSWD: &str = "/etc/passwd";

/// A user of the machine, not root.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub user_id: u32,
    pub group_id: u32,
    name: String,
    home: PathBuf,
    shell: PathBuf,
}

impl User {
    /// The user to run the command as; none if that is the user that we are.
    ///
    /// # Errors
    /// If the machine's list of users cannot be read, or has that user in a form that is of no use.
    pub fn for_command() -> anyhow::Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let list = fs::read_to_string(PASSWD).with_context(|| format!("reading {PASSWD}"))?;
        Self::find(NAME, &list).with_context(|| format!("looking for the user {NAME} in {PASSWD}"))
    }

    /// The user `name` of `list`, lines as in `/etc/passwd`.
    pub(crate) fn find(name: &str, list: &str) -> anyhow::Result<Option<Self>> {
        let mut lines = list.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let Some(fields) = lines.find(|fields| fields[0] == name) else { return Ok(None) };
        let [_, _, user_id, group_id, _, home, shell] = fields[..] else { bail!("its line has not seven fields") };
        let user = Self {
            user_id: user_id.parse().context("its user id")?,
            group_id: group_id.parse().context("its group id")?,
            name: name.to_owned(),
            home: home.into(),
            shell: shell.into(),
        };
        if user.user_id == 0 || user.group_id == 0 {
            bail!("it is root by another name");
        }
        Ok(Some(user))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Puts what programs want to know of their user into `environment`.
    pub fn enter(&self, environment: &mut Environment) {
        let known = [
            ("HOME", self.home.as_os_str()),
            ("USER", self.name.as_ref()),
            ("LOGNAME", self.name.as_ref()),
            ("SHELL", self.shell.as_os_str()),
        ];
        environment.extend(known.map(|(name, value)| (name.into(), value.into())));
    }

    /// Makes this user the owner of `path` and of all that is in it. Symbolic links are not followed. To be called before the
    /// user has a process that could exchange one for another meanwhile.
    ///
    /// # Errors
    /// If something cannot be given away.
    pub fn own(&self, path: &Path) -> anyhow::Result<()> {
        let giving = || format!("making {} own {}", self.name, path.display());
        if fs::symlink_metadata(path).with_context(giving)?.is_dir() {
            // Listed before it is gone into: a tree may be deeper than files can be open.
            let entries: Vec<_> = fs::read_dir(path).with_context(giving)?.collect();
            for entry in entries {
                self.own(&entry.with_context(giving)?.path())?;
            }
        }
        lchown(path, Some(self.user_id), Some(self.group_id)).with_context(giving)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "root:x:0:0:root:/root:/bin/bash\ndeployer:x:1000:1001::/home/deployer:/bin/sh\nshort:x:1:1\n\
        toor:x:0:0::/root:/bin/sh\nwheel:x:5:0::/:/bin/sh\n";

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let user = User::find("deployer", LIST).unwrap().unwrap();
        assert_eq!((user.user_id, user.group_id, user.home.as_path()), (1000, 1001, Path::new("/home/deployer")));
        assert_eq!(User::find("deploy", LIST).unwrap(), None);
    }

    #[test]
    fn root_is_no_user_for_commands_whatever_its_name() {
        for name in ["root", "toor", "wheel", "short"] {
            assert!(User::find(name, LIST).is_err(), "{name}");
        }
    }

    #[test]
    fn the_environment_is_that_of_the_user() {
        let mut environment = Environment::from([("HOME".into(), "/root".into()), ("PATH".into(), "/bin".into())]);
        User::find("deployer", LIST).unwrap().unwrap().enter(&mut environment);
        let value = |name: &str| environment[&std::ffi::OsString::from(name)].clone();
        assert_eq!((value("HOME"), value("USER")), ("/home/deployer".into(), "deployer".into()));
        assert_eq!((value("PATH"), value("SHELL")), ("/bin".into(), "/bin/sh".into()));
    }
}
