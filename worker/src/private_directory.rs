//! Directories that only we may enter, removed when they are dropped; and the removal of those that a worker left which was
//! killed and could not drop anything. The SSH key lies in one of them.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

/// In front of every name, with the process id behind it.
const PREFIX: &str = "iwomp-";
/// A file system in memory, on every Linux that CodeBuild runs.
const MEMORY: &str = "/dev/shm";

/// A directory of ours. While it exists it is locked, and the kernel takes the lock away with the process.
#[derive(Debug)]
pub struct PrivateDirectory {
    directory: TempDir,
    _lock: File,
}

impl PrivateDirectory {
    /// Makes one in the temporary directory.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create() -> io::Result<Self> {
        Self::create_in(&std::env::temp_dir())
    }

    /// Makes one in memory. Where that cannot be written to, the temporary directory has to do.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_in_memory() -> io::Result<Self> {
        Self::create_in(Path::new(MEMORY)).or_else(|_| Self::create())
    }

    /// Makes one in `place`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_in(place: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let directory = builder
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(place)?;
        let lock = File::open(directory.path())?;
        // Where a file system has no locks, the process id has to do.
        let _ = lock.try_lock();
        Ok(Self { directory, _lock: lock })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a new file `name` that only we can read.
    ///
    /// # Errors
    /// If it cannot be written, or is there.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path().join(name);
        let writing = || format!("writing {}", path.display());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(writing)?;
        file.write_all(text.as_bytes()).with_context(writing)
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // There is nobody to tell, and the build's machine is thrown away.
        let _ = remove(self.path());
    }
}

/// Removes what dead workers left in memory and in the temporary directory, and returns how many directories that were.
/// Theirs are those of our user, with our prefix and the id of a process that is no more, which nobody has locked.
#[must_use]
pub fn remove_leftovers() -> usize {
    let places = [PathBuf::from(MEMORY), std::env::temp_dir()];
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_leftover(path)).filter(|path| remove(path).is_ok()).count()
}

fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let process = name.strip_prefix(PREFIX).and_then(|name| name.split('-').next()).unwrap_or_default();
    let is_ours = || {
        let known = fs::symlink_metadata(path).ok();
        known.is_some_and(|known| known.is_dir() && known.uid() == rustix::process::geteuid().as_raw())
    };
    process.parse::<u32>().is_ok_and(|process| !Path::new(&format!("/proc/{process}")).exists())
        && is_ours()
        && File::open(path).is_ok_and(|directory| directory.try_lock().is_ok())
}

/// Removes `directory` with all that is in it, however deep and whatever its modes: the standard library keeps every level of a
/// path open, and has no more to open in the end.
fn remove(directory: &Path) -> io::Result<()> {
    if fs::remove_dir_all(directory).is_ok() {
        return Ok(());
    }
    make_flat(directory)?;
    fs::remove_dir(directory)
}

/// Empties `directory`: what is in a directory of it is moved up, until only things without contents are left.
fn make_flat(directory: &Path) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let entries: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            if !entry.file_type()?.is_dir() {
                fs::remove_file(entry.path())?;
                continue;
            }
            // One that may not be written to keeps what is in it.
            fs::set_permissions(entry.path(), Permissions::from_mode(0o700))?;
            let inner: Vec<_> = fs::read_dir(entry.path())?.collect::<Result<_, _>>()?;
            for inner in inner {
                moved += 1;
                if inner.file_type()?.is_dir() {
                    // Moving a directory means to write its "..".
                    fs::set_permissions(inner.path(), Permissions::from_mode(0o700))?;
                }
                fs::rename(inner.path(), directory.join(format!("{PREFIX}moved-{moved}")))?;
            }
            fs::remove_dir(entry.path())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ours_alone_and_gone_when_it_is_dropped() {
        let place = tempfile::tempdir().unwrap();
        let directory = PrivateDirectory::create_in(place.path()).unwrap();
        assert_eq!(fs::metadata(directory.path()).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(directory.path().join("a")).unwrap();
        drop(directory);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_tree_is_removed_level_by_level_whatever_its_modes() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        let deep = root.join("a/b/c/d/e");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", root.join("a/link")).unwrap();
        fs::set_permissions(deep, Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(root.join("a/b"), Permissions::from_mode(0o500)).unwrap();
        make_flat(&root).unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
        assert!(Path::new("/etc").exists());
    }

    #[test]
    fn only_what_a_dead_worker_of_this_user_left_is_a_leftover() {
        let place = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        // No process has this id: it is over the kernel's highest limit.
        let dead = made("iwomp-4194999-abc");
        assert!(is_leftover(&dead));
        let locked = File::open(&dead).unwrap();
        locked.try_lock().unwrap();
        assert!(!is_leftover(&dead), "somebody holds it");
        for other in ["iwomp-abc", "iwomp-", "other-4194999-abc", &format!("iwomp-{}-abc", std::process::id())] {
            assert!(!is_leftover(&made(other)), "{other}");
        }
        std::os::unix::fs::symlink("/etc", place.path().join("iwomp-4194998-abc")).unwrap();
        assert!(!is_leftover(&place.path().join("iwomp-4194998-abc")));
    }
}
