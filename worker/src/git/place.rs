//! Places in a checkout, for what git did not put there. A repository says where; so every part of the way is looked at.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};

/// The directory `path` of `checkout`, to which no symbolic link leads. git made it so, and nothing else has run.
pub(super) fn directory(checkout: &Path, path: &Path) -> anyhow::Result<PathBuf> {
    let mut place = checkout.to_owned();
    for part in path.components() {
        let Component::Normal(name) = part else { bail!("{} leads out of the checkout", path.display()) };
        place.push(name);
        let kind = fs::symlink_metadata(&place).with_context(|| format!("looking at {}", place.display()))?.file_type();
        if !kind.is_dir() {
            bail!("{} is no directory", place.display());
        }
    }
    Ok(place)
}

/// The regular file `path` of `checkout`, to which no symbolic link leads.
pub(super) fn file(checkout: &Path, path: &Path) -> anyhow::Result<PathBuf> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { bail!("{} is no file", path.display()) };
    let place = directory(checkout, parent)?.join(name);
    let kind = fs::symlink_metadata(&place).with_context(|| format!("looking at {}", place.display()))?.file_type();
    if !kind.is_file() {
        bail!("{} is no file", place.display());
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_and_no_dots_lead_to_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = folder.path().join("checkout");
        for directory in ["checkout/a/b", "outside/b"] {
            fs::create_dir_all(folder.path().join(directory)).unwrap();
        }
        for file in ["checkout/f", "checkout/a/b/f", "outside/f", "outside/b/f"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("outside"), checkout.join("link")).unwrap();
        std::os::unix::fs::symlink(checkout.join("f"), checkout.join("to-f")).unwrap();
        assert_eq!(directory(&checkout, Path::new("a/b")).unwrap(), checkout.join("a/b"));
        assert_eq!(directory(&checkout, Path::new("")).unwrap(), checkout);
        for path in ["link", "link/b", "f", "absent", "../outside", "a/../../outside", "/etc", "a/b/f"] {
            assert!(directory(&checkout, Path::new(path)).is_err(), "{path}");
        }
        for path in ["f", "a/b/f"] {
            assert_eq!(file(&checkout, Path::new(path)).unwrap(), checkout.join(path));
        }
        for path in ["", "..", "a", "to-f", "link", "link/f", "link/b/f", "absent", "../outside/f", "/etc/passwd"] {
            assert!(file(&checkout, Path::new(path)).is_err(), "{path}");
        }
    }
}
