//! Part of a commit's files: those below one directory, and those that stand in a directory above it, which git calls a cone. The
//! server is asked for the commit without contents, and then, by their ids, for the contents that are wanted. Both are requests
//! like any other, made by us: git itself fetches nothing on its way.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};
use contract::register::Extent;
use contract::{Branch, CommitId, Project};

use super::command::Git;
use super::fetch::{Settings, Tries, commit_arguments, object_arguments, without_contents};
use super::{QUESTION_TIME_LIMIT, REF, Repository, UNEXPECTED, explain};
use crate::failure::{Failure, Kind, OrFail};

/// Most directories above the one that is wanted, and files that stand in them. Their ids have to fit into a pipe that nobody reads
/// yet, and into the arguments of one call.
const MAX_ABOVE: usize = 1500;

/// What makes git check out a part. That contents are missing on purpose has to be said as well; from where they could be had is not.
pub(super) const SETTINGS: [&str; 3] =
    ["core.sparseCheckout=true", "core.sparseCheckoutCone=true", "remote.origin.promisor=true"];

/// The same, for git in the checkout later on.
pub(super) const KEPT_SETTINGS: &str = "[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = true\n";

/// A directory of the repository, which is not its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part(PathBuf);

/// A line of `git ls-tree`: mode, object and name.
struct Entry {
    mode: String,
    object: String,
    name: Vec<u8>,
}

/// What a part of one commit is made of, by ids.
struct Objects {
    /// The tree of the directory. Who asks for it is sent all that is below.
    directory: String,
    trees_above: Vec<String>,
    files_above: Vec<String>,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl Part {
    /// What `project` wants alone, if it does not want all.
    pub(super) fn wanted(project: &Project) -> Option<Self> {
        let names = project.deploy_dir.as_path().components().filter(|part| matches!(part, Component::Normal(_)));
        (project.checkout.extent == Extent::DeployDir).then(|| Self(names.collect()))
    }

    #[cfg(test)]
    pub(super) fn below(directory: &str) -> Self {
        Self(directory.into())
    }

    /// Whether `path`, relative to the root, belongs to the part.
    pub(super) fn has(&self, path: &Path) -> bool {
        path.starts_with(&self.0) || path.parent().is_some_and(|parent| self.0.starts_with(parent))
    }

    /// As `.git/info/sparse-checkout` has it. <https://git-scm.com/docs/git-sparse-checkout#_internalscone_pattern_set>
    fn patterns(&self) -> Vec<u8> {
        let mut patterns = b"/*\n!/*/\n".to_vec();
        let mut place = Vec::new();
        let mut names = self.0.iter().peekable();
        while let Some(name) = names.next() {
            place.push(b'/');
            for &byte in name.as_bytes() {
                if br"*?[\".contains(&byte) {
                    place.push(b'\\');
                }
                place.push(byte);
            }
            patterns.extend([&place, b"/\n".as_slice()].concat());
            if names.peek().is_some() {
                patterns.extend([b"!", place.as_slice(), b"/*/\n"].concat());
            }
        }
        patterns
    }

    /// Looks up what the part consists of in `commit`, whose tree is `tree`. All trees are here.
    async fn objects(&self, git: &Git<'_>, tree: &str) -> Result<Objects, Failure> {
        let mut objects = Objects { directory: tree.to_owned(), trees_above: Vec::new(), files_above: Vec::new() };
        let mut place = PathBuf::new();
        for name in &self.0 {
            let entries = list(git, &objects.directory).await?;
            place.push(name);
            let next = self.find(&place, name, &entries)?;
            objects.trees_above.push(std::mem::replace(&mut objects.directory, next));
            let files = entries.into_iter().filter(|entry| !["040000", "160000"].contains(&entry.mode.as_str()));
            objects.files_above.extend(files.map(|entry| entry.object));
        }
        let count = objects.trees_above.len() + objects.files_above.len();
        if count > MAX_ABOVE {
            let error =
                anyhow!("looking for {self}: {count} files and directories are above it, and {MAX_ABOVE} the most");
            return Err(Failure::new(Kind::Command, error, "set sparse to false in the register"));
        }
        Ok(objects)
    }

    fn find(&self, place: &Path, name: &OsStr, entries: &[Entry]) -> Result<String, Failure> {
        let found = entries.iter().find(|entry| entry.name == name.as_bytes());
        let (what, advice) = match found.map(|entry| (entry.mode.as_str(), &entry.object)) {
            Some(("040000", object)) => return Ok(object.clone()),
            None => ("is not in the commit", "correct deployDir in the register, or the repository"),
            Some(("120000", _)) => (
                "is a symbolic link, which sparse does not follow",
                "put the directory that it leads to into deployDir, or set sparse to false in the register",
            ),
            Some(("160000", _)) => {
                ("is a submodule, of which sparse knows no part", "set sparse to false in the register")
            }
            Some(_) => ("is not a directory", "correct deployDir in the register, or the repository"),
        };
        let error = anyhow!("looking for deployDir {self} in the commit: {} {what}", place.display());
        Err(Failure::new(Kind::Command, error, advice))
    }
}

impl Objects {
    /// Whether all of them are here, with all that is below the directory.
    async fn are_here(&self, git: &Git<'_>, doing: &str) -> Result<bool, Failure> {
        let mut command = git.command();
        command.args(["rev-list", "--objects", "--quiet", "--end-of-options", &self.directory]);
        command.args(&self.files_above).arg("--");
        Ok(git.unheard().run(doing, command, QUESTION_TIME_LIMIT).await?.status.success())
    }

    fn arguments(&self, url: &str) -> Vec<String> {
        let ids: Vec<_> = std::iter::once(&self.directory).chain(&self.files_above).map(String::as_str).collect();
        object_arguments(url, &ids)
    }

    /// Has git check the files above by their names, too: it sees only what comes with a tree that names it, and a `.gitmodules`
    /// came by its id alone.
    async fn check(&self, git: &Git<'_>, project: &Project, scratch: &Path) -> Result<(), Failure> {
        const DOING: &str = "checking the files above deployDir";
        let mut command = git.command();
        command.args(["pack-objects", "--quiet"]).arg(scratch.join("above"));
        let ids: String = self.trees_above.iter().chain(&self.files_above).map(|id| format!("{id}\n")).collect();
        let name = git.tell(DOING, command, &ids).await?;
        let mut command = git.command();
        command.args(["index-pack", "--fsck-objects"]).arg(scratch.join(format!("above-{}.pack", name.trim_end())));
        let answer = git.run(DOING, command, QUESTION_TIME_LIMIT).await?;
        if answer.status.success() {
            return Ok(());
        }
        let explanation = explain::explain(&answer.stderr, project);
        Err(Failure::new(Kind::Git, anyhow!("{DOING}: {}", explanation.problem), explanation.advice))
    }
}

impl Repository<'_> {
    /// Fetches the files of `commit`, which is on `branch`, as far as `part` has them, if they are not there yet; and where the
    /// server hands out no part, all of them.
    pub(super) async fn fetch_files_of_part(
        &self,
        project: &Project,
        branch: &Branch,
        part: &Part,
        commit: &CommitId,
    ) -> Result<(), Failure> {
        if self.part_of.as_ref() == Some(commit) {
            return Ok(());
        }
        let fetch = async |tries| {
            let first = commit_arguments(project.git_url.as_str(), commit);
            self.fetch_part(&self.git, project, part, (Some(commit), first), tries).await
        };
        if fetch(Tries::AsLongAsItHelps).await?.is_some() {
            return Ok(());
        }
        self.git.narration.say("sparse", "the server hands out no part of a commit; fetching all of its files");
        self.fetch_all_files(project, branch, commit).await?;
        // Looks whether the commit has the part, and fetches nothing.
        fetch(Tries::One).await.map(drop)
    }

    /// Fetches `part` of a commit, of `commit` if it is known, and says which commit it was. `first` asks for the commit with its
    /// trees. None: the server does not hand out parts.
    ///
    /// # Errors
    /// Like [`Self::fetch`], and if the commit has no such part.
    pub(super) async fn fetch_part(
        &self,
        git: &Git<'_>,
        project: &Project,
        part: &Part,
        (commit, first): (Option<&CommitId>, Vec<String>),
        tries: Tries,
    ) -> Result<Option<CommitId>, Failure> {
        let doing = format!("fetching {part} of {}", project.git_url.as_str());
        let known = match commit {
            Some(commit) => commit_and_tree(git, &doing, commit.as_str()).await?,
            None => None,
        };
        let is_new = known.is_none();
        let (commit, tree) = match known {
            Some(known) => known,
            None => {
                let settings = Settings::of(git)?;
                let is_granted = self.get_if_granted(git, &doing, project, &without_contents(first), tries).await;
                // As with the history: git is not to fetch by itself what was left out.
                settings.restore()?;
                match (is_granted?, commit_and_tree(git, &doing, commit.map_or(REF, CommitId::as_str)).await?) {
                    (true, Some(fetched)) => fetched,
                    _ => return Ok(None),
                }
            }
        };
        let objects = part.objects(git, &tree).await?;
        if !objects.are_here(git, &doing).await? {
            let more = objects.arguments(project.git_url.as_str());
            // git succeeds only if all of them came.
            if !self.get_if_granted(git, &doing, project, &more, tries).await? {
                return Ok(None);
            }
        } else if is_new {
            git.narration.say("sparse", "the server leaves out nothing, and sent all files of the commit");
        }
        objects.check(git, project, &self.scratch).await?;
        Ok(Some(commit))
    }

    /// Has the next checkout put only `part` into its place.
    pub(super) fn narrow(&self, part: &Part) -> Result<(), Failure> {
        let file = self.git.repository.join(".git/info/sparse-checkout");
        file.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&file, part.patterns()))
            .with_context(|| format!("writing {}", file.display()))
            .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")
    }
}

/// The commit `revision` and its tree, if it is there.
async fn commit_and_tree(git: &Git<'_>, doing: &str, revision: &str) -> Result<Option<(CommitId, String)>, Failure> {
    let mut command = git.command();
    command.args(["log", "--max-count=1", "--no-show-signature", "--format=%H %T", "--end-of-options", revision, "--"]);
    let answer = git.unheard().run(doing, command, QUESTION_TIME_LIMIT).await?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let ids = text.trim_end().split_once(' ').filter(|_| answer.status.success());
    Ok(ids.and_then(|(commit, tree)| Some((CommitId::parse(commit).ok()?, tree.to_owned()))))
}

async fn list(git: &Git<'_>, tree: &str) -> Result<Vec<Entry>, Failure> {
    let doing = "listing a directory of the commit";
    let mut command = git.command();
    command.args(["ls-tree", "-z", "--end-of-options", tree]);
    let lines = git.list(doing, command, QUESTION_TIME_LIMIT).await?;
    let entries: Option<_> = lines.iter().map(|line| parse(line)).collect();
    entries.ok_or_else(|| Failure::new(Kind::Git, anyhow!("{doing}: git's answer is not understood"), UNEXPECTED))
}

/// `100644 blob <object><tab><name>`. A name may hold any byte but NUL.
fn parse(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let (mode, _kind, object) = (words.next()?.to_owned(), words.next()?, words.next()?.to_owned());
    Some(Entry { mode, object, name: line[tab + 1..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_is_below_its_directory_or_stands_in_one_above() {
        let part = Part::below("a/b");
        for path in ["x", "a/x", "a/b", "a/b/x", "a/b/c/d/x"] {
            assert!(part.has(Path::new(path)), "{path}");
        }
        for path in ["c/x", "a/c/x", "a/bc/x", "b/x", "x/a/b/x"] {
            assert!(!part.has(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn patterns_are_those_of_a_cone_and_a_name_matches_itself_alone() {
        let patterns = |directory: &str| String::from_utf8(Part::below(directory).patterns()).unwrap();
        assert_eq!(patterns("a"), "/*\n!/*/\n/a/\n");
        assert_eq!(patterns("a/b/c"), "/*\n!/*/\n/a/\n!/a/*/\n/a/b/\n!/a/b/*/\n/a/b/c/\n");
        assert_eq!(patterns(r"#a/[b]*\?"), "/*\n!/*/\n/#a/\n!/#a/*/\n/#a/\\[b]\\*\\\\\\?/\n");
    }
}
