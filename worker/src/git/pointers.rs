//! What a tree only points to: submodules, and files that Git LFS keeps elsewhere. It is looked for in the checkout, whose files
//! are as git put them there.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use contract::{CommitId, GitUrl};

use super::left_out::LeftOut;
use super::{QUESTION_TIME_LIMIT, Repository, UNEXPECTED};
use crate::failure::{Failure, Kind};

/// A pointer is smaller than this. <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>
pub(super) const MAX_POINTER_BYTES: u64 = 1024;
/// How a pointer begins: as the specification has it, and as the first releases wrote it.
const POINTER_VERSIONS: [&str; 2] =
    ["version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"];

/// What is not in a tree, though it belongs there. Paths are relative to the checkout.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pointers {
    pub submodules: Vec<Submodule>,
    pub large_files: Vec<LargeFile>,
    /// Symbolic links that lead to what was left out of the checkout.
    pub cut_links: Vec<PathBuf>,
}

/// A file that holds a pointer, and the repository whose file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeFile {
    pub path: PathBuf,
    pub repository: GitUrl,
}

impl LargeFile {
    /// The same, seen from a checkout that has its own at `directory`.
    pub(super) fn below(self, directory: &Path) -> Self {
        Self { path: directory.join(self.path), repository: self.repository }
    }
}

/// A directory that is empty, and the commit of another repository that belongs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    pub path: PathBuf,
    pub commit: CommitId,
}

/// A line of `git ls-files --stage`: mode, object and path.
struct Entry {
    mode: String,
    object: String,
    path: PathBuf,
}

impl Repository<'_> {
    /// What the checkout below `directory` only points to, and below every other directory of it that a symbolic link in there
    /// leads to. `url` is where the repository is from.
    ///
    /// # Errors
    /// If git fails.
    pub async fn pointers(&self, url: &GitUrl, directory: &Path) -> Result<Pointers, Failure> {
        let entries = self.entries().await?;
        let root = &self.git.repository;
        let below = directories_to_search(root, directory, &entries);
        let mut pointers = Pointers::default();
        let left_out = LeftOut::of(entries.iter().map(|entry| entry.path.as_path()), self.part.as_ref());
        for entry in &entries {
            if !below.iter().any(|directory| entry.path.starts_with(directory)) {
                continue;
            }
            match entry.mode.as_str() {
                "160000" => pointers.submodules.push(submodule(entry)?),
                "100644" | "100755" if is_pointer(&root.join(&entry.path)) => {
                    pointers.large_files.push(LargeFile { path: entry.path.clone(), repository: url.clone() });
                }
                "120000" if left_out.is_reached_by(&entry.path, root) => pointers.cut_links.push(entry.path.clone()),
                _ => (),
            }
        }
        Ok(pointers)
    }

    async fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let doing = "listing the files of the checkout";
        let mut command = self.git.command();
        command.args(["ls-files", "--stage", "-z"]);
        let lines = self.git.list(doing, command, QUESTION_TIME_LIMIT).await?;
        let entries: Option<_> = lines.iter().map(|line| parse(line)).collect();
        entries.ok_or_else(|| Failure::new(Kind::Git, anyhow!("{doing}: git's answer is not understood"), UNEXPECTED))
    }
}

/// `100644 <object> 0<tab><path>`. A path may hold any byte but NUL.
fn parse(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let path = PathBuf::from(OsStr::from_bytes(&line[tab + 1..]));
    Some(Entry { mode: words.next()?.to_owned(), object: words.next()?.to_owned(), path })
}

fn submodule(entry: &Entry) -> Result<Submodule, Failure> {
    let commit = CommitId::parse(&entry.object)
        .map_err(|error| Failure::new(Kind::Git, anyhow!("reading a submodule's commit: {error}"), UNEXPECTED))?;
    Ok(Submodule { path: entry.path.clone(), commit })
}

/// Relative to the checkout; the whole of it if `directory` is not in there, which is for others to complain of.
fn directories_to_search(root: &Path, directory: &Path, entries: &[Entry]) -> BTreeSet<PathBuf> {
    let inside = |path: &Path| -> Option<PathBuf> {
        Some(root.join(path).canonicalize().ok()?.strip_prefix(root.canonicalize().ok()?).ok()?.to_owned())
    };
    let mut found = BTreeSet::from([inside(directory).unwrap_or_default()]);
    let links: Vec<_> = entries.iter().filter(|entry| entry.mode == "120000").map(|entry| &entry.path).collect();
    loop {
        let reached = links.iter().filter(|link| found.iter().any(|directory| link.starts_with(directory)));
        let further: Vec<_> = reached
            .filter_map(|link| inside(link))
            .filter(|target| !found.iter().any(|directory| target.starts_with(directory)))
            .collect();
        if further.is_empty() {
            return found;
        }
        found.extend(further);
    }
}

/// Whether the file holds a pointer. What cannot be read here cannot be read by the command either.
fn is_pointer(path: &Path) -> bool {
    let is_small = fs::symlink_metadata(path).is_ok_and(|file| file.is_file() && file.len() < MAX_POINTER_BYTES);
    let mut text = Vec::new();
    is_small && fs::File::open(path).is_ok_and(|file| file.take(MAX_POINTER_BYTES).read_to_end(&mut text).is_ok()) && {
        let text = String::from_utf8_lossy(&text);
        POINTER_VERSIONS.iter().any(|version| text.starts_with(version))
            && text.lines().any(|line| line.starts_with("oid "))
            && text.lines().any(|line| line.starts_with("size "))
    }
}
