//! Files of Git LFS, fetched from the repository's own host and from no other. Neither `.lfsconfig` nor anything else of the
//! repository says where from: a pointer names a content, and the register names the host.

mod batch;
mod host;
mod pointer;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use contract::{GitUrl, Project};

use super::command::MAX_FILE_BYTES;
use super::patience::Patience;
use super::pointers::{LargeFile, MAX_POINTER_BYTES};
use super::progress::Bytes;
use super::{Repository, place};
use crate::failure::{Failure, Kind, OrFail};
use crate::narration;
use batch::BatchError;
use host::{Host, Setback};
use pointer::Object;

/// Most objects of one deployment.
const MAX_OBJECTS: usize = 1000;
/// Most bytes of all files together, which is also what git may write into one.
const MAX_BYTES: u64 = MAX_FILE_BYTES;
/// Objects of one question. Few, for an answer may be good for minutes only.
const BATCH: usize = 20;

/// Objects of each repository, with the places where they belong.
type Wanted = BTreeMap<String, (GitUrl, BTreeMap<Object, Vec<PathBuf>>)>;

impl Repository<'_> {
    /// Puts the content of `files` in the place of their pointers, as far as the host of `project` has it.
    ///
    /// # Errors
    /// If a pointer is not understood, if there are too many, if the host has them elsewhere, or if it sends something else.
    pub async fn fetch_large_files(&self, project: &Project, files: &[LargeFile]) -> Result<(), Failure> {
        if files.is_empty() {
            return Ok(());
        }
        let doing = "fetching files of Git LFS";
        let wanted = self.wanted(files)?;
        let host = Host::of(project)
            .context(doing)
            .or_fail(Kind::Register, "correct caBundle or the credentials of the project, then trigger again")?;
        let bounds = self.git.bounds;
        let work = async {
            tokio::time::timeout(bounds.remaining(), self.fetch_objects(&host, &wanted))
                .await
                .unwrap_or_else(|_| Err(Failure::time_limit(doing)))
        };
        bounds.or_stop(doing, work).await
    }

    /// What the files' pointers stand for. All of it is known and bounded before anybody is asked.
    fn wanted(&self, files: &[LargeFile]) -> Result<Wanted, Failure> {
        let mut wanted = Wanted::new();
        let mut bytes: u64 = 0;
        for LargeFile { path, repository } in files {
            let object = self
                .read_pointer(path)
                .with_context(|| format!("reading the pointer {}", path.display()))
                .or_fail(Kind::IncompleteTree, "write the pointer anew by git lfs")?;
            bytes = bytes.saturating_add(object.size);
            let of_repository = wanted.entry(repository.as_str().to_owned());
            let (_, objects) = of_repository.or_insert_with(|| (repository.clone(), BTreeMap::new()));
            objects.entry(object).or_default().push(path.clone());
        }
        let objects: usize = wanted.values().map(|(_, objects)| objects.len()).sum();
        if objects > MAX_OBJECTS || bytes > MAX_BYTES {
            let error = anyhow!(
                "fetching files of Git LFS: there are {objects} of {} below deployDir, and {MAX_OBJECTS} of {} are the most",
                Bytes(bytes.into()),
                Bytes(MAX_BYTES.into())
            );
            return Err(Failure::new(
                Kind::IncompleteTree,
                error,
                "keep fewer below deployDir, or set lfs to ignore and let the command get what it needs",
            ));
        }
        let what = format!("{objects} of Git LFS, {}", Bytes(bytes.into()));
        self.git.narration.say("large files", &what);
        Ok(wanted)
    }

    fn read_pointer(&self, path: &Path) -> anyhow::Result<Object> {
        let place = place::file(&self.git.repository, path)?;
        let mut text = String::new();
        fs::File::open(place)?.take(MAX_POINTER_BYTES).read_to_string(&mut text)?;
        Object::of_pointer(&text)
    }

    async fn fetch_objects(&self, host: &Host, wanted: &Wanted) -> Result<(), Failure> {
        for (repository, objects) in wanted.values() {
            let objects: Vec<_> = objects.iter().collect();
            for objects in objects.chunks(BATCH) {
                self.fetch_batch(host, repository, objects).await?;
            }
        }
        Ok(())
    }

    async fn fetch_batch(
        &self,
        host: &Host,
        repository: &GitUrl,
        objects: &[(&Object, &Vec<PathBuf>)],
    ) -> Result<(), Failure> {
        let doing = format!("asking {} for files of Git LFS", repository.origin());
        let names: Vec<_> = objects.iter().map(|(object, _)| *object).collect();
        let batch = self.patiently(&doing, async || host.batch(repository, &names).await).await?;
        for (object, paths) in objects {
            let first = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
            let doing = format!("fetching {first} (Git LFS {}) from {}", object.hash, repository.origin());
            let download = batch.download(object, repository).map_err(|error| {
                let kind = match error {
                    BatchError::Elsewhere(..) => Kind::IncompleteTree,
                    _ => Kind::Git,
                };
                let advice = advice(&error);
                Failure::new(kind, anyhow::Error::new(error).context(doing.clone()), advice)
            })?;
            let file = self.scratch.join("large-file");
            self.patiently(&doing, async || host.download(&download, object, &file).await).await?;
            paths
                .iter()
                .try_for_each(|path| put(&file, &self.git.repository, path))
                .context(doing)
                .or_fail(Kind::Machine, "make sure that the build's machine has room on its disk (compute_type)")?;
        }
        Ok(())
    }

    /// Sends a request until it succeeds, or until sending it again is of no use.
    async fn patiently<T>(&self, doing: &str, mut send: impl AsyncFnMut() -> Result<T, Setback>) -> Result<T, Failure> {
        let mut patience = Patience::new(self.git.bounds.remaining());
        loop {
            let Setback { error, advice, nature, retry_after } = match send().await {
                Ok(answer) => return Ok(answer),
                Err(setback) => setback,
            };
            let Some(pause) = patience.pause(nature, retry_after) else {
                return Err(Failure::new(Kind::Git, error.context(doing.to_owned()), advice));
            };
            let problem = match retry_after {
                Some(wait) => format!("{error:#}; it asks to be left alone for {}", narration::duration(wait)),
                None => format!("{error:#}"),
            };
            self.git.pause(doing, &problem, pause).await?;
        }
    }
}

fn advice(error: &BatchError) -> &'static str {
    match error {
        BatchError::Elsewhere(..) => {
            "lfs fetch asks gitUrl's own scheme, host and port and nobody else: let the host serve the files itself, or set \
             lfs to ignore and let the command get them"
        }
        BatchError::Missing { .. } => "push the file to the Git host (git lfs push --all), then trigger again",
        _ => "see what the Git host answers to a git lfs of yours",
    }
}

/// Puts the content of `file` in the place of the pointer `path`, whose mode stays.
fn put(file: &Path, checkout: &Path, path: &Path) -> anyhow::Result<()> {
    let doing = || format!("putting {} into its place", path.display());
    let place = place::file(checkout, path).with_context(doing)?;
    let permissions = fs::symlink_metadata(&place).with_context(doing)?.permissions();
    // One rename: no program finds half of it, and whatever is at the place is replaced and not written through.
    let copy = file.with_extension("copy");
    fs::copy(file, &copy).with_context(doing)?;
    fs::set_permissions(&copy, permissions).with_context(doing)?;
    fs::rename(&copy, &place).with_context(doing)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_content_takes_the_place_of_a_pointer_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("checkout/a")).unwrap();
        fs::create_dir(path("outside")).unwrap();
        for file in ["checkout/a/script", "checkout/file", "outside/file", "content"] {
            fs::write(path(file), file).unwrap();
        }
        fs::set_permissions(path("checkout/a/script"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(path("outside"), path("checkout/link")).unwrap();
        symlink(path("outside/file"), path("checkout/to-file")).unwrap();
        let try_put = |target: &str| put(&path("content"), &path("checkout"), Path::new(target));
        for target in ["link/file", "to-file", "absent", "a", "../outside/file", "a/../../outside/file", ""] {
            assert!(try_put(target).is_err(), "{target}");
        }
        assert_eq!(fs::read_to_string(path("outside/file")).unwrap(), "outside/file");
        for (target, mode) in [("a/script", 0o755), ("file", 0o644)] {
            try_put(target).unwrap();
            let place = path("checkout").join(target);
            assert_eq!(fs::read_to_string(&place).unwrap(), "content");
            assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o755, mode, "{target}");
        }
    }
}
