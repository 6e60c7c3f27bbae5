//! Fetches submodules, each by the commit that the repository records and by the same rules as the repository itself. git's own
//! `submodule` command is not used: it would take configuration and names from the repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use contract::{GitUrl, Project};

use super::pointers::{Pointers, Submodule};
use super::{QUESTION_TIME_LIMIT, Repository, make_directories, place};
use crate::failure::{Failure, Kind, OrFail};

/// Most submodules of one deployment, those of submodules included.
const MAX_SUBMODULES: usize = 64;

/// A repository whose submodules are to be fetched.
struct Parent<'a> {
    repository: Repository<'a>,
    url: GitUrl,
    /// Where it lies in the whole checkout.
    path: PathBuf,
}

/// A fetched tree, and the empty directory that it belongs into.
struct Move {
    from: PathBuf,
    checkout: PathBuf,
    path: PathBuf,
}

impl<'a> Repository<'a> {
    /// Fetches `submodules` of this repository's checkout, and theirs, from the origin of the project and from no other, and
    /// puts them where they belong. What they point to beside submodules is returned, as paths of the whole checkout.
    ///
    /// # Errors
    /// If one is of another origin, is not described in `.gitmodules`, or cannot be fetched.
    pub async fn fetch_submodules(&self, project: &Project, submodules: &[Submodule]) -> Result<Pointers, Failure> {
        let mut moves = Vec::new();
        let mut pointers = Pointers::default();
        let mut parents = Vec::new();
        self.fetch_those(project, (&project.git_url, Path::new("")), submodules, &mut moves, &mut parents).await?;
        while let Some(Parent { repository, url, path }) = parents.pop() {
            let found = repository.pointers(&url, Path::new(".")).await?;
            pointers.large_files.extend(found.large_files.into_iter().map(|file| file.below(&path)));
            let place = (&url, path.as_path());
            repository.fetch_those(project, place, &found.submodules, &mut moves, &mut parents).await?;
        }
        // The last one found lies deepest.
        moves
            .iter()
            .rev()
            .try_for_each(put)
            .or_fail(Kind::IncompleteTree, "see what is special about this submodule")?;
        Ok(pointers)
    }

    /// Fetches `submodules` of this one repository, whose URL and place in the whole checkout are `(url, path)`.
    async fn fetch_those(
        &self,
        project: &Project,
        (url, path): (&GitUrl, &Path),
        submodules: &[Submodule],
        moves: &mut Vec<Move>,
        parents: &mut Vec<Parent<'a>>,
    ) -> Result<(), Failure> {
        if submodules.is_empty() {
            return Ok(());
        }
        let urls = self.submodule_urls().await?;
        for submodule in submodules {
            let whole_path = path.join(&submodule.path);
            let url = urls
                .get(&submodule.path)
                .ok_or_else(|| anyhow!("no submodule of .gitmodules has this path"))
                .and_then(|text| own_url(project, url, text))
                .with_context(|| format!("looking for the URL of submodule {}", whole_path.display()))
                .or_fail(
                    Kind::IncompleteTree,
                    "only submodules of gitUrl's own scheme, host and port are fetched; relative URLs (../name.git) are \
                     safest",
                )?;
            if moves.len() == MAX_SUBMODULES {
                let error =
                    anyhow!("fetching submodule {}: it is one of more than {MAX_SUBMODULES}", whole_path.display());
                return Err(Failure::new(Kind::IncompleteTree, error, "keep fewer submodules below deployDir"));
            }
            self.git.narration.say("submodule", &format!("{} {}", whole_path.display(), submodule.commit));
            let scratch = self.scratch.join(format!("submodule-{}", moves.len()));
            make_directories(&[&scratch])?;
            let repository = self.sibling(&scratch).await?;
            repository.fetch_commit(project, &url, &submodule.commit).await?;
            repository.check_out(&submodule.commit).await?;
            moves.push(Move {
                from: repository.git.repository.clone(),
                checkout: self.git.repository.clone(),
                path: submodule.path.clone(),
            });
            parents.push(Parent { repository, url, path: whole_path });
        }
        Ok(())
    }

    /// Path and URL of every submodule, as `.gitmodules` of the checked-out commit has them. Nothing else in there counts: no
    /// name, no branch, no command.
    async fn submodule_urls(&self) -> Result<BTreeMap<PathBuf, String>, Failure> {
        let mut command = self.git.command();
        command.args(["config", "--no-includes", "--blob", ":.gitmodules", "--null", "--list"]);
        let answer = self.git.run("reading .gitmodules", command, QUESTION_TIME_LIMIT).await?;
        let text =
            if answer.status.success() { String::from_utf8_lossy(&answer.stdout).into_owned() } else { String::new() };
        Ok(parse_gitmodules(&text))
    }
}

/// `submodule.<name>.<field>`, a line feed, the value, a NUL. The name may hold dots.
fn parse_gitmodules(text: &str) -> BTreeMap<PathBuf, String> {
    let mut modules: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for (key, value) in text.split('\0').filter_map(|entry| entry.split_once('\n')) {
        let Some((name, field)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        let module = modules.entry(name).or_default();
        match field {
            "path" => module.0 = Some(value),
            "url" => module.1 = Some(value),
            _ => (),
        }
    }
    modules.into_values().filter_map(|(path, url)| Some((path?.into(), url?.to_owned()))).collect()
}

/// The URL that `.gitmodules` of the repository at `parent` means, if it is one that the project's credential may go to.
fn own_url(project: &Project, parent: &GitUrl, text: &str) -> anyhow::Result<GitUrl> {
    let url = parent.resolve(text)?;
    let (origin, own) = (url.origin(), project.git_url.origin());
    if origin != own {
        bail!("it is at {origin}, and the repository is at {own}");
    }
    Ok(url)
}

/// Puts a fetched tree into its place, an empty directory.
fn put(Move { from, checkout, path }: &Move) -> anyhow::Result<()> {
    let doing = || format!("putting submodule {} into its place", path.display());
    let place = place::directory(checkout, path).with_context(doing)?;
    // Fails if the directory is not empty.
    fs::rename(from, &place).with_context(doing)
}

#[cfg(test)]
mod tests {
    use contract::register::{Document, Storage};

    use super::*;

    #[test]
    fn paths_and_urls_are_read_and_nothing_else() {
        let text = "submodule.a.b.path\nmodules/a\0submodule.a.b.url\n../a.git\0submodule.a.b.update\n!touch /tmp/x\0\
                    submodule.half.path\nx\0core.fsmonitor\nevil\0submodule.two.path\ny\0submodule.two.url\nz\nw\0";
        let expected = [("modules/a", "../a.git"), ("y", "z\nw")].map(|(path, url)| (path.into(), url.to_owned()));
        assert_eq!(parse_gitmodules(text), BTreeMap::from(expected));
    }

    #[test]
    fn only_the_projects_own_origin_is_a_submodules() {
        let text = r#"{"gitUrl":"https://git.example:8443/org/demo.git","command":"x"}"#;
        let project = Project::read(Document { text, storage: Storage::Plain }, None).unwrap();
        let own = |text: &str| own_url(&project, &project.git_url, text);
        for (text, url) in [
            ("../lib.git", "https://git.example:8443/org/lib.git"),
            ("./sub.git", "https://git.example:8443/org/demo.git/sub.git"),
            ("../../other/lib", "https://git.example:8443/other/lib"),
            ("https://git.example:8443/lib", "https://git.example:8443/lib"),
            ("https://GIT.example:8443/lib", "https://git.example:8443/lib"),
        ] {
            assert_eq!(own(text).unwrap().as_str(), url, "{text}");
        }
        for text in [
            "https://git.example/lib",
            "https://evil.example:8443/lib",
            "https://git.example.evil.example:8443/lib",
            "https://git.example:8443@evil.example/lib",
            "http://git.example:8443/lib",
            "ssh://git@git.example:8443/lib",
            "git@git.example:lib",
            "file:///etc",
            "/etc",
            "ext::sh -c id",
            "-u./payload",
            "../../../lib",
            "../../../../evil.example/lib",
            "../..",
            "../%2e%2e/lib",
            "..//evil.example/x\n",
            "../a b",
            "",
        ] {
            assert!(own(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tree_is_put_into_an_empty_directory_of_the_checkout_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for directory in ["checkout/empty", "checkout/full/x", "outside/empty"] {
            fs::create_dir_all(path(directory)).unwrap();
        }
        std::os::unix::fs::symlink(path("outside"), path("checkout/link")).unwrap();
        let try_put = |target: &str| {
            fs::create_dir_all(path("from/new")).unwrap();
            put(&Move { from: path("from"), checkout: path("checkout"), path: target.into() })
        };
        for target in ["link/empty", "link", "full", "absent", "../outside/empty", "empty/../../outside/empty"] {
            assert!(try_put(target).is_err(), "{target}");
        }
        try_put("empty").unwrap();
        assert!(path("checkout/empty/new").exists() && !path("outside/empty/new").exists());
    }
}
