//! What the image around the worker must have: programs, certificates, a user, places to write to.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use contract::finding::{About, Finding};
use contract::register::AllowedSigners;
use contract::{Project, Scheme};
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

use crate::build_tree;
use crate::environment::{self, Environment};
use crate::git;
use crate::private_directory::PrivateDirectory;
use crate::process;
use crate::program;
use crate::tools::Tool;
use crate::user::User;

/// The oldest with which our tests pass, that of Debian 12. 2.30 takes settings from the machine's owner, and checks no signature by
/// an SSH key.
const MIN_GIT: (u32, u32) = (2, 39);
/// A checkout with a provider or two of Terraform's.
const MIN_FREE_BYTES: u64 = 1 << 30;

/// Looks at everything. Without a project, what only some projects need is a warning.
pub(super) fn look(
    own: &Environment,
    user: &anyhow::Result<Option<User>>,
    tools: &[Tool],
    project: Option<&Project>,
) -> Vec<Finding> {
    let path = environment::for_command(own).remove(OsStr::new("PATH")).unwrap_or_default();
    let known = super::known(user);
    let [home, place] = [home(own, known), temporary_directory(&std::env::temp_dir(), known)];
    let mut findings = vec![git(tools), certificates(), of_user(user, project), home, place];
    findings.extend(ssh(&path, project));
    findings.extend(signatures(&path, project));
    findings.extend(command(&path, project));
    findings.extend(of_tools(tools));
    findings
}

fn git(tools: &[Tool]) -> Finding {
    let about = About::the("git");
    let (major, minor) = MIN_GIT;
    let install = format!("install git {major}.{minor} or newer in the image, as Debian 12 and later have it");
    match tools.iter().find(|tool| tool.name == "git").map(|tool| &tool.version) {
        None => about.problem("it is not on the PATH of the image", install),
        Some(Err(why)) => about.problem(format!("it does not start: {why}"), install),
        Some(Ok(said)) => match git::parse_version(said) {
            Some(version) if version >= MIN_GIT => about.good(said),
            Some(_) => about.problem(format!("{said} is too old for the worker"), install),
            None => about.problem(format!("it says of itself \"{said}\", which is no version"), install),
        },
    }
}

fn ssh(path: &OsStr, project: Option<&Project>) -> Option<Finding> {
    let about = About::the("ssh");
    let install = "install the OpenSSH client in the image";
    let is_needed = project.map(|project| project.git_url.scheme() == Scheme::Ssh);
    match (process::find("ssh", path), is_needed) {
        (_, Some(false)) => None,
        (Some(found), _) => Some(about.good(found.display().to_string())),
        (None, Some(true)) => {
            Some(about.problem("gitUrl is an SSH URL, and no ssh is on the PATH of the image", install))
        }
        (None, None) => Some(
            about.warning("it is not on the PATH of the image: no project with an SSH URL can be fetched", install),
        ),
    }
}

fn signatures(path: &OsStr, project: Option<&Project>) -> Option<Finding> {
    let (program, package) = match project?.allowed_signers.as_ref()? {
        AllowedSigners::Ssh(_) => ("ssh-keygen", "the OpenSSH client"),
        AllowedSigners::Gpg(_) => ("gpg", "gpg"),
    };
    let about = About::the("signatures");
    Some(match process::find(program, path) {
        Some(found) => about.good(format!("{} checks them", found.display())),
        None => about.problem(
            format!("allowedSigners needs {program}, which is not on the PATH of the image"),
            format!("install {package} in the image"),
        ),
    })
}

/// A command that is a path, or may be one, is in the repository, where nobody looks now.
fn command(path: &OsStr, project: Option<&Project>) -> Option<Finding> {
    let name = program::of_the_image(&project?.command)?;
    let about = About::the("command");
    Some(match process::find(name, path) {
        Some(found) => about.good(found.display().to_string()),
        None => about.problem(
            format!("the registered command starts with {name}, which is not on the PATH of the image"),
            format!(
                "install {name} in the image, or write ./{name} in the register, if it is a file of the repository"
            ),
        ),
    })
}

fn of_tools(tools: &[Tool]) -> Vec<Finding> {
    let about = About::the("tools");
    let mut findings = Vec::new();
    for tool in tools.iter().filter(|tool| tool.name != "git") {
        if let Err(why) = &tool.version {
            findings.push(about.warning(
                format!("{} is there and does not start: {why}", tool.name),
                "install it anew, for the processor and the C library of the image",
            ));
        }
    }
    let told = tools.iter().filter_map(|tool| Some(format!("{} ({})", tool.name, tool.version.as_ref().ok()?)));
    let told: Vec<_> = told.collect();
    if !told.is_empty() {
        findings.push(about.good(told.join(", ")));
    }
    findings
}

/// Whether any authority is trusted here, as the AWS SDK finds them.
pub(super) fn has_certificates() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

fn certificates() -> Finding {
    let about = About::the("certificates");
    match rustls_native_certs::load_native_certs().certs.len() {
        0 => about.problem(
            "no certificate authority is trusted here, so that neither AWS nor a Git host is",
            "install ca-certificates in the image; and see that SSL_CERT_FILE and SSL_CERT_DIR, where they are set, name what \
             is there",
        ),
        count => about.good(format!("{count} authorities are trusted")),
    }
}

fn of_user(user: &anyhow::Result<Option<User>>, project: Option<&Project>) -> Finding {
    let about = About::the("user");
    let on_ours = "build the image on ours, which has the user deployer, and leave its USER root: or `useradd --uid 1000 \
        --user-group --create-home deployer`";
    let saw = match user {
        Err(error) => return about.problem(format!("{error:#}"), on_ours),
        Ok(Some(user)) => return about.good(format!("the command runs as {}", user.name())),
        Ok(None) if rustix::process::geteuid().is_root() => {
            "there is no user deployer, so that the command runs as root, as the worker does"
        }
        Ok(None) => "the worker does not start as root, so that the command runs as the worker's own user",
    };
    let wants_another = project.is_some_and(|project| project.deploy_role.is_some());
    match build_tree::require_none() {
        Err(error) if wants_another => about.problem(format!("{saw}: {error:#}"), on_ours),
        _ => about.warning(format!("{saw}, and can read what the worker can"), on_ours),
    }
}

/// Tools keep caches and settings there.
fn home(own: &Environment, user: Option<&User>) -> Finding {
    let about = About::the("home");
    let place = user.map(|user| user.home().as_os_str().to_owned());
    let Some(place) = place.or_else(|| own.get(OsStr::new("HOME")).cloned()) else {
        return about.warning("HOME is not set", "set it in the image to a directory that the command can write to");
    };
    match may_write(Path::new(&place), user) {
        Ok(true) => about.good(format!("{} can be written to", place.display())),
        denied => {
            let cause = denied.err().map(|error| format!(": {error}")).unwrap_or_default();
            about.problem(
                format!("{}, the home of the command's user, cannot be written to{cause}", place.display()),
                "make it in the image, owned by that user: many tools fail without a home",
            )
        }
    }
}

fn temporary_directory(place: &Path, user: Option<&User>) -> Finding {
    let about = About::the("temporary directory");
    let shown = place.display();
    let advice = "give the image a /tmp with mode 1777, on a file system that is neither read-only nor noexec, or set TMPDIR to \
        such a place";
    if let Err(error) = PrivateDirectory::create_in(place) {
        return about.problem(format!("making a directory in {shown}: {error}"), advice);
    }
    let Ok(system) = statvfs(place) else { return about.good(format!("{shown} can be written to")) };
    if system.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return about.problem(format!("{shown} is mounted noexec: no script of a checkout can start there"), advice);
    }
    if let Some(user) = user
        && !place.ancestors().all(|above| fs::metadata(above).is_ok_and(|it| grants(&it, user, 0o1)))
    {
        return about.problem(format!("{} cannot get at {shown}, where the checkout is put", user.name()), advice);
    }
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let saw = format!("{shown} can be written to, {} MiB free", free >> 20);
    match free {
        MIN_FREE_BYTES.. => about.good(saw),
        _ => about.warning(saw, "a larger compute_type has more"),
    }
}

/// Whether `user`, or else we, may write to the directory `place`.
fn may_write(place: &Path, user: Option<&User>) -> io::Result<bool> {
    let known = fs::metadata(place)?;
    let is_read_only = statvfs(place)?.f_flag.contains(StatVfsMountFlags::RDONLY);
    let granted = user.map_or_else(|| access(place, Access::WRITE_OK).is_ok(), |user| grants(&known, user, 0o3));
    Ok(known.is_dir() && granted && !is_read_only)
}

/// Whether a mode gives `user` all `rights`, the bits of one digit of it.
fn grants(known: &fs::Metadata, user: &User, rights: u32) -> bool {
    let shift = match (known.uid() == user.user_id, known.gid() == user.group_id) {
        (true, _) => 6,
        (false, true) => 3,
        (false, false) => 0,
    };
    known.mode() >> shift & rights == rights
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use contract::finding::Grade;

    use super::*;

    /// Nobody who runs tests.
    fn deployer(home: &Path) -> User {
        let line = format!("deployer:x:64321:64321::{}:/bin/sh", home.display());
        User::find("deployer", &line).unwrap().unwrap()
    }

    /// By the mode of a directory.
    fn grades(look: impl Fn(&Path) -> Finding) -> [Grade; 3] {
        let folder = tempfile::tempdir().unwrap();
        [0o700, 0o755, 0o777].map(|mode| {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            look(folder.path()).grade
        })
    }

    #[test]
    fn the_commands_user_must_get_at_the_checkout() {
        let look = |place: &Path| temporary_directory(place, Some(&deployer(place)));
        assert_eq!(grades(look), [Grade::Problem, Grade::Good, Grade::Good]);
        let ours = |place: &Path| temporary_directory(place, None);
        assert_eq!(grades(ours), [Grade::Good; 3]);
    }

    #[test]
    fn a_home_is_its_users_to_write_to() {
        let look = |place: &Path| home(&Environment::new(), Some(&deployer(place)));
        assert_eq!(grades(look), [Grade::Problem, Grade::Problem, Grade::Good]);
        assert_eq!(home(&Environment::new(), None).grade, Grade::Warning);
    }

    #[test]
    fn a_list_of_users_that_is_of_no_use_is_a_fault_and_no_deployer_is_to_be_known() {
        let broken = User::find("deployer", "deployer:x:0:0::/root:/bin/sh");
        assert_eq!(of_user(&broken, None).grade, Grade::Problem);
        assert_eq!(of_user(&Ok(Some(deployer(Path::new("/")))), None).grade, Grade::Good);
        let nobody = of_user(&Ok(None), None);
        assert!(nobody.grade == Grade::Warning && nobody.to_do.unwrap().contains("useradd"));
    }

    #[test]
    fn a_git_that_says_no_version_is_told_with_its_words() {
        let said = |version: Result<&str, &str>| {
            let version = version.map(str::to_owned).map_err(str::to_owned);
            git(&[Tool { name: "git", version }])
        };
        assert_eq!(said(Ok("git version 2.39.5")).grade, Grade::Good);
        for (version, told) in [
            (Ok("git version 2.38.9"), "too old"),
            (Ok("busybox"), "\"busybox\", which is no version"),
            (Err("exec format error"), "it does not start: exec format error"),
        ] {
            let finding = said(version);
            assert!(finding.grade == Grade::Problem && finding.saw.contains(told), "{finding:?}");
        }
    }
}
