//! CodeBuild's own tree in the container, which it leaves open to everybody: in `output/tmp/env.sh` stand all variables of the
//! build, those that the command is not handed included, and the path of its credentials. That path is a password: whoever
//! knows it gets the project's role from an address that the whole container reaches.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};

use crate::user::User;

const TREE: &str = "/codebuild";
const OTHERS: u32 = 0o077;

/// Closes the tree to `user`, whom the command runs as. CodeBuild itself goes on as root, whom no mode keeps out.
///
/// # Errors
/// If it cannot be closed.
pub fn close_to(user: &User) -> anyhow::Result<()> {
    close(Path::new(TREE)).with_context(|| format!("closing {TREE} to {}", user.name()))
}

/// For a command that runs as the same user as the worker, from whom nothing can be kept.
///
/// # Errors
/// If there is such a tree.
pub fn require_none() -> anyhow::Result<()> {
    if Path::new(TREE).try_exists().with_context(|| format!("looking for {TREE}"))? {
        bail!("the command runs as the worker's own user, who can read the build's own credentials under {TREE}");
    }
    Ok(())
}

/// Takes all rights of group and others from `path`; where that cannot be done, as on a read-only mount, from what is in it.
fn close(path: &Path) -> anyhow::Result<()> {
    let doing = || format!("taking the rights of others from {}", path.display());
    let known = match fs::symlink_metadata(path) {
        // What a link leads to is closed, or not, where it is.
        Ok(known) if known.is_symlink() => return Ok(()),
        Ok(known) => known,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(doing),
    };
    let mode = known.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) else { return Ok(()) };
    if !known.is_dir() {
        return Err(error).with_context(doing);
    }
    for entry in fs::read_dir(path).with_context(doing)? {
        close(&entry.with_context(doing)?.path())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_tree_is_closed_to_others_at_its_root_and_stays_open_to_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("codebuild");
        fs::create_dir_all(tree.join("output/tmp")).unwrap();
        fs::write(tree.join("output/tmp/env.sh"), "export A='b'\n").unwrap();
        fs::set_permissions(&tree, Permissions::from_mode(0o755)).unwrap();
        close(&tree).unwrap();
        assert_eq!(mode(&tree), 0o700);
        assert_eq!(fs::read_to_string(tree.join("output/tmp/env.sh")).unwrap(), "export A='b'\n");
        close(&tree).unwrap();
    }

    #[test]
    fn where_there_is_no_tree_nothing_is_to_be_closed() {
        let folder = tempfile::tempdir().unwrap();
        close(&folder.path().join("codebuild")).unwrap();
    }

    #[test]
    fn what_cannot_be_closed_is_an_error_that_names_it() {
        // A file of the kernel's, whose mode not even root changes.
        let error = close(Path::new("/proc/self/status")).unwrap_err();
        assert!(format!("{error:#}").contains("/proc/self/status"), "{error:#}");
    }
}
