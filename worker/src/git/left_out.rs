//! What a checkout of a part leaves out, and which symbolic links lead there. Nobody says so to a tool that follows one: it finds
//! nothing, or a directory with half of its files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::part::Part;

/// Links that one link may lead through. The kernel follows no more either.
const MAX_LINKS: usize = 40;

/// Paths of the commit that are not in the checkout, relative to its root.
pub(super) struct LeftOut<'a> {
    paths: HashSet<&'a Path>,
    /// Every directory that one of them is in.
    above: HashSet<&'a Path>,
}

impl<'a> LeftOut<'a> {
    /// Of a commit with `paths`, of which `part` is in the checkout, or everything.
    pub(super) fn of(paths: impl Iterator<Item = &'a Path>, part: Option<&Part>) -> Self {
        let is_left_out = |path: &&Path| part.is_some_and(|part| !part.has(path));
        let mut left_out = Self { paths: paths.filter(is_left_out).collect(), above: HashSet::new() };
        for path in &left_out.paths {
            for directory in path.ancestors().skip(1) {
                if !left_out.above.insert(directory) {
                    break;
                }
            }
        }
        left_out
    }

    /// Whether the symbolic link `link` of the checkout at `root` leads to what is left out, or to a directory that lacks some.
    pub(super) fn is_reached_by(&self, link: &Path, root: &Path) -> bool {
        !self.paths.is_empty()
            && target(link, root).is_some_and(|target| {
                self.above.contains(target.as_path()) || target.ancestors().any(|place| self.paths.contains(place))
            })
    }
}

/// Where `link` leads, relative to `root`, as far as what is there tells. None: out of the checkout, or round in circles.
fn target(link: &Path, root: &Path) -> Option<PathBuf> {
    let mut place = link.parent()?.to_owned();
    // The next one last.
    let mut steps: Vec<OsString> = vec![link.file_name()?.to_owned()];
    let mut links = 0;
    while let Some(step) = steps.pop() {
        match Path::new(&step).components().next()? {
            Component::CurDir => (),
            Component::ParentDir if place.pop() => (),
            Component::Normal(name) => {
                place.push(name);
                if let Ok(further) = fs::read_link(root.join(&place)) {
                    place.pop();
                    links += 1;
                    steps.extend(further.components().rev().map(|part| part.as_os_str().to_owned()));
                }
            }
            _ => return None,
        }
        if links > MAX_LINKS {
            return None;
        }
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Whether `link`, which is `infra/shop/link` of a checkout of `infra/shop` alone, leads to what is left out.
    fn is_cut(link: &str) -> bool {
        let root = tempfile::tempdir().unwrap();
        let paths = [
            "Makefile",
            "infra/common.tf",
            "infra/shop/main.tf",
            "infra/shop/sub/a.tf",
            "infra/net/vpc.tf",
            "lib/x/y",
            "lib/again",
            "module",
        ];
        let part = Part::below("infra/shop");
        for path in paths.map(Path::new).into_iter().filter(|path| part.has(path)) {
            fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            fs::write(root.path().join(path), "").unwrap();
        }
        for (link, target) in [("infra/above", "../lib"), ("infra/shop/sub/round", "round"), ("infra/shop/far", "/etc")]
        {
            symlink(target, root.path().join(link)).unwrap();
        }
        symlink(link, root.path().join("infra/shop/link")).unwrap();
        let left_out = LeftOut::of(paths.iter().map(Path::new), Some(&part));
        left_out.is_reached_by(Path::new("infra/shop/link"), root.path())
    }

    #[test]
    fn a_link_to_what_is_left_out_is_told_from_one_to_what_is_there_or_was_nowhere() {
        for link in [
            "../net",
            "../net/vpc.tf",
            "../../lib/x",
            "./.././net/.",
            "sub/../../net",
            "..",
            "../..",
            "../above",
            "../above/x/y",
            "../../lib/again/anything",
        ] {
            assert!(is_cut(link), "{link}");
        }
        for link in [
            "main.tf",
            "sub",
            ".",
            "sub/a.tf",
            "../common.tf",
            "../../Makefile",
            "../../module",
            "nothing",
            "../nothing",
            "../../lib/x2",
            "/etc",
            "/infra/net",
            "../../../infra/net",
            "far",
            "link",
            "sub/round",
        ] {
            assert!(!is_cut(link), "{link}");
        }
    }

    #[test]
    fn nothing_is_left_out_of_a_whole_checkout() {
        let root = tempfile::tempdir().unwrap();
        symlink("..", root.path().join("link")).unwrap();
        let left_out = LeftOut::of([Path::new("a/b"), Path::new("link")].into_iter(), None);
        assert!(!left_out.is_reached_by(Path::new("link"), root.path()));
    }
}
