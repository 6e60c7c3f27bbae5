//! What a pointer of Git LFS says, read by the letter: which content belongs there.
//! <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>

use std::collections::BTreeMap;

use anyhow::{Context, bail};

/// The hash that names an object of Git LFS.
const HASH: &str = "sha256:";
const HASH_DIGITS: usize = 64;

/// A file's content, by the SHA-256 of it and its size in bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Object {
    pub(super) hash: String,
    pub(super) size: u64,
}

impl Object {
    /// The object that a pointer stands for. A pointer with more than hash and size in it is refused: with an extension the
    /// file is not the object, but what some program makes of it.
    pub(super) fn of_pointer(text: &str) -> anyhow::Result<Self> {
        let mut fields = BTreeMap::new();
        for line in text.lines() {
            let (name, value) = line.split_once(' ').context("the pointer has a line without a value")?;
            if fields.insert(name, value).is_some() {
                bail!("the pointer has a line twice");
            }
        }
        let (Some(_), Some(hash), Some(size), 3) =
            (fields.get("version"), fields.get("oid"), fields.get("size"), fields.len())
        else {
            bail!("the pointer has other lines than version, oid and size");
        };
        Ok(Self {
            hash: hash.strip_prefix(HASH).and_then(Self::hash).context("the pointer's oid is no SHA-256")?,
            // A sign would be taken, too.
            size: Some(size)
                .filter(|size| size.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|size| size.parse().ok())
                .context("the pointer's size is no number of bytes")?,
        })
    }

    /// Lower-case digits, as they stand in URLs and file names.
    fn hash(text: &str) -> Option<String> {
        let is_hash = text.len() == HASH_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    fn pointer(rest: &str) -> anyhow::Result<Object> {
        Object::of_pointer(&format!("version https://git-lfs.github.com/spec/v1\n{rest}"))
    }

    #[test]
    fn hash_and_size_are_read() {
        let expected = Object { hash: HASH.to_owned(), size: 12345 };
        assert_eq!(pointer(&format!("oid sha256:{HASH}\nsize 12345\n")).unwrap(), expected);
        assert_eq!(pointer(&format!("oid sha256:{HASH}\r\nsize 12345\r\n")).unwrap(), expected);
    }

    #[test]
    fn a_pointer_that_says_anything_else_is_refused() {
        for rest in [
            "",
            "size 1\n",
            &format!("oid sha256:{HASH}\n"),
            &format!("oid sha256:{HASH}\nsize -1\n"),
            &format!("oid sha256:{HASH}\nsize +1\n"),
            &format!("oid sha256:{HASH}\nsize 1 2\n"),
            &format!("oid sha256:{HASH}\nsize 18446744073709551616\n"),
            &format!("oid sha256:{HASH}\nsize 1\nsize 2\n"),
            &format!("oid sha1:{HASH}\nsize 1\n"),
            &format!("oid {HASH}\nsize 1\n"),
            &format!("oid sha256:{}\nsize 1\n", &HASH[1..]),
            &format!("oid sha256:{}\nsize 1\n", HASH.to_uppercase()),
            &format!("oid sha256:../../{}\nsize 1\n", &HASH[6..]),
            &format!("ext-0-evil sha256:{HASH}\noid sha256:{HASH}\nsize 1\n"),
            &format!("oid sha256:{HASH}\nsize 1\nsingle\n"),
        ] {
            assert!(pointer(rest).is_err(), "{rest}");
        }
    }
}
