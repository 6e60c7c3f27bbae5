//! How much of a fetch has arrived, and how fast. It is looked up from outside while git is at work: git removes what it has
//! when it fails, and says nothing of it.

use std::fmt;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::narration::duration;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// What one try to fetch has brought.
pub(super) struct Progress {
    objects: PathBuf,
    started: Instant,
    before: u64,
    most: u64,
}

impl Progress {
    /// Of a fetch into `repository` that is about to begin.
    pub(super) fn of(repository: &Path) -> Self {
        let objects = repository.join(".git/objects");
        let before = size(&objects);
        Self { objects, started: Instant::now(), before, most: before }
    }

    /// What `work` gives, with a look now and then at what it has brought.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = tokio::time::sleep(PERIOD) => self.most = self.most.max(size(&self.objects)),
            }
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.most - self.before, self.started.elapsed())
    }
}

fn write(f: &mut impl fmt::Write, bytes: u64, time: Duration) -> fmt::Result {
    let time_as_said = duration(time);
    if bytes == 0 {
        return write!(f, "nothing had arrived after {time_as_said}");
    }
    let rate = u128::from(bytes) * 1000 / time.as_millis().max(1);
    write!(f, "{} had arrived after {time_as_said}, {} a second", Bytes(bytes.into()), Bytes(rate))
}

/// A number of bytes, as people say it.
pub(super) struct Bytes(pub(super) u128);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1_000_000.. => write!(f, "{}.{} MB", self.0 / 1_000_000, self.0 % 1_000_000 / 100_000),
            1_000.. => write!(f, "{} kB", self.0 / 1_000),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// Of all packs and objects, complete or not. What goes away in the meantime does not count.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_rate_are_said_as_people_say_them() {
        for (bytes, seconds, said) in [
            (0, 4, "nothing had arrived after 4.0 s"),
            (900, 3, "900 bytes had arrived after 3.0 s, 300 bytes a second"),
            (3_250_000, 75, "3.2 MB had arrived after 1 min 15 s, 43 kB a second"),
            (5, 0, "5 bytes had arrived after 0.0 s, 5 kB a second"),
        ] {
            let mut text = String::new();
            write(&mut text, bytes, Duration::from_secs(seconds)).unwrap();
            assert_eq!(text, said);
        }
    }

    #[tokio::test]
    async fn what_arrives_and_is_removed_again_is_counted_and_what_was_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let packs = folder.path().join(".git/objects/pack");
        fs::create_dir_all(&packs).unwrap();
        fs::write(packs.join("old.pack"), "123").unwrap();
        let mut progress = Progress::of(folder.path());
        let seen = progress.objects.clone();
        progress
            .during(async {
                fs::write(packs.join("tmp_pack_x"), "12345").unwrap();
                tokio::time::sleep(PERIOD * 2).await;
                fs::remove_file(packs.join("tmp_pack_x")).unwrap();
            })
            .await;
        assert_eq!((progress.most - progress.before, size(&seen)), (5, 3));
    }
}
