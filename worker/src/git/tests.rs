//! Real git against real repositories. The fetch goes through everything but the network: an `ssh` of ours, first on the
//! path, starts `git-upload-pack` on this machine.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use contract::register::{Document, GitFault, Storage, Tags};
use contract::{Credentials, Project};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::forward::{Direction, direction};
use crate::process::{Stop, Stopped};

const KEY: &str = "canary-key-1";

/// An origin to fetch from, a scratch directory to fetch into, and an `ssh` that joins them.
struct Scene {
    folder: TempDir,
    bounds: Bounds,
    narration: Narration,
}

impl Scene {
    fn new() -> Self {
        Self::with_stop(Stop::channel().1)
    }

    fn with_stop(stop: Stop) -> Self {
        let bounds = Bounds::new(Duration::from_secs(300), stop);
        let scene = Self { folder: tempfile::tempdir().unwrap(), bounds, narration: Narration::default() };
        for directory in ["bin", "origin", "scratch"] {
            fs::create_dir(scene.path(directory)).unwrap();
        }
        scene.origin(&["init", "--quiet", "--initial-branch=main", "."]);
        scene.origin(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        scene.ssh("for last; do :; done; exec sh -c \"$last\"");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `script` the `ssh` that git starts.
    fn ssh(&self, script: &str) {
        let path = self.path("bin/ssh");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs git in the origin, as its owner would.
    fn origin(&self, arguments: &[&str]) -> String {
        naive_git(&self.path("origin"), arguments).unwrap()
    }

    /// Runs a shell in the origin, for what git itself would not do.
    fn shell(&self, script: &str) -> String {
        let output = std::process::Command::new("sh").args(["-c", script]).current_dir(self.path("origin")).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, subject: &str) -> CommitId {
        fs::write(self.path("origin/file"), subject).unwrap();
        self.origin(&["add", "--all"]);
        self.origin(&["commit", "--quiet", "--allow-empty", "-m", subject]);
        CommitId::parse(&self.origin(&["rev-parse", "HEAD"])).unwrap()
    }

    fn environment(&self) -> Environment {
        let path = std::env::var("PATH").unwrap();
        [("PATH".into(), format!("{}:{path}", self.path("bin").display()).into())].into()
    }

    fn project(&self) -> Project {
        let text = format!(
            r#"{{"gitUrl":"ssh://git@origin.example{}","command":"deploy.sh"}}"#,
            self.path("origin").display()
        );
        let mut project = Project::read(Document { text: &text, storage: Storage::Plain }, None).unwrap();
        let credentials = format!(r#"{{"sshPrivateKey":"{KEY}","knownHosts":"h"}}"#);
        project.credentials = Some(Credentials::parse(&credentials).unwrap());
        project
    }

    async fn empty(&self) -> Repository<'_> {
        Repository::create(&self.path("scratch"), &self.environment(), &self.bounds, &self.narration).await.unwrap()
    }

    /// Once more, in a new directory.
    async fn anew(&self) -> Repository<'_> {
        fs::remove_dir_all(self.path("scratch")).unwrap();
        fs::create_dir(self.path("scratch")).unwrap();
        self.empty().await
    }

    async fn fetched(&self) -> (Repository<'_>, History) {
        let mut repository = self.empty().await;
        let history = repository.fetch(&self.project(), &main_branch(), None).await.unwrap();
        (repository, history)
    }
}

fn main_branch() -> Branch {
    Branch::parse("main").unwrap()
}

/// git as a first draft of the worker would call it; `None` if it fails.
fn naive_git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let identity = ["-c", "user.name=Åsa", "-c", "user.email=asa@example.org", "-c", "protocol.file.allow=always"];
    let output =
        std::process::Command::new("git").args(identity).args(arguments).current_dir(directory).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[tokio::test]
async fn the_branch_is_deployed_and_not_the_tag_of_the_same_name() {
    let scene = Scene::new();
    let evil = scene.commit("evil");
    scene.origin(&["tag", "main"]);
    let head = scene.commit("good");
    assert_eq!(*scene.fetched().await.1.head(), head);

    // A short name means the tag.
    let origin = scene.path("origin").display().to_string();
    let checkout = scene.path("scratch/checkout");
    naive_git(&checkout, &["fetch", "--quiet", &origin, "main"]).unwrap();
    assert_eq!(naive_git(&checkout, &["rev-parse", "FETCH_HEAD"]).unwrap(), evil.as_str());
}

#[tokio::test]
async fn a_tag_does_not_stand_in_for_a_branch_that_is_absent() {
    let scene = Scene::new();
    scene.commit("one");
    scene.origin(&["tag", "release"]);
    let branch = Branch::parse("release").unwrap();
    let failure = scene.empty().await.fetch(&scene.project(), &branch, None).await.unwrap_err();
    assert!(format!("{:#}", failure.error).contains("the branch does not exist there"));

    let origin = scene.path("origin").display().to_string();
    assert!(
        naive_git(&scene.path("scratch"), &["clone", "--quiet", "--branch", "release", &origin, "naive"]).is_some()
    );
}

#[tokio::test]
async fn a_ref_called_like_the_full_name_of_an_absent_branch_does_not_stand_in_for_it() {
    for lookalike in [
        "refs/refs/heads/release",
        "refs/tags/refs/heads/release",
        "refs/heads/refs/heads/release",
        "refs/remotes/refs/heads/release",
        "refs/remotes/refs/heads/release/HEAD",
    ] {
        let scene = Scene::new();
        scene.commit("one");
        scene.origin(&["update-ref", lookalike, "HEAD"]);
        let branch = Branch::parse("release").unwrap();
        let failure = scene.empty().await.fetch(&scene.project(), &branch, None).await.unwrap_err();
        assert!(format!("{:#}", failure.error).contains("the branch does not exist there"), "{lookalike}: {failure:?}");

        let (origin, naive) = (scene.path("origin").display().to_string(), scene.path("naive"));
        std::fs::create_dir(&naive).unwrap();
        naive_git(&naive, &["init", "--quiet", "."]).unwrap();
        let fetched = naive_git(&naive, &["fetch", "--quiet", &origin, "+refs/heads/release:refs/naive"]);
        assert!(fetched.is_some(), "git itself takes {lookalike}");
    }
}

#[tokio::test]
async fn a_fetch_has_the_transport_and_no_other_program_of_gits() {
    let scene = Scene::new();
    scene.commit("one");
    let told = scene.path("told");
    scene.ssh(&format!("echo \"$GIT_EXEC_PATH\" >> {}; for last; do :; done; exec sh -c \"$last\"", told.display()));
    scene.fetched().await;
    let directory = scene.path("scratch/git-programs");
    let names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["git-remote-https"]);
    // Both of its requests look there, and nowhere else.
    let directory = directory.display().to_string();
    assert_eq!(fs::read_to_string(told).unwrap().lines().collect::<Vec<_>>(), [&directory, &directory]);
}

#[tokio::test]
async fn nothing_but_the_branch_is_fetched() {
    let scene = Scene::new();
    scene.commit("one");
    scene.origin(&["branch", "other"]);
    scene.origin(&["tag", "-m", "release", "v1"]);
    scene.origin(&["update-ref", "refs/pull/1/head", "HEAD"]);
    scene.fetched().await;
    let checkout = scene.path("scratch/checkout");
    assert_eq!(naive_git(&checkout, &["for-each-ref", "--format=%(refname)"]).unwrap(), REF);
    assert!(!checkout.join(".git/FETCH_HEAD").exists());
}

#[tokio::test]
async fn a_commit_that_the_server_has_but_the_branch_has_not_is_not_on_the_branch() {
    let scene = Scene::new();
    let base = scene.commit("base");
    scene.origin(&["checkout", "--quiet", "--detach"]);
    let fork = scene.commit("from a fork");
    scene.origin(&["update-ref", "refs/pull/1/head", fork.as_str()]);
    scene.origin(&["checkout", "--quiet", "main"]);
    let head = scene.commit("head");
    let (_, history) = scene.fetched().await;
    assert_eq!(history.standing(&base), Standing::FirstParentLine);
    assert_eq!(history.standing(&head), Standing::FirstParentLine);
    assert_eq!(history.standing(&fork), Standing::Elsewhere);
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    assert_eq!(history.standing(&unknown), Standing::Elsewhere);

    // The server hands it out to whoever asks by id, and even then it is not on the branch.
    let origin = scene.path("origin").display().to_string();
    naive_git(&scene.path("scratch/history"), &["fetch", "--quiet", &origin, fork.as_str()]).unwrap();
    assert_eq!(history.standing(&fork), Standing::Elsewhere);
}

/// main: base - one - merge - head; side: base - two - three, merged; and a second root, merged into base.
#[tokio::test]
async fn the_line_of_first_parents_is_told_from_what_was_merged() {
    let scene = Scene::new();
    let root = scene.commit("root");
    scene.origin(&["checkout", "--quiet", "--orphan", "vendor"]);
    let vendor = scene.commit("vendor");
    scene.origin(&["checkout", "--quiet", "main"]);
    let merge = |branch: &str, first: &CommitId| {
        let tree = format!("{first}^{{tree}}");
        let id = scene.origin(&["commit-tree", "-p", first.as_str(), "-p", branch, "-m", "merge", &tree]);
        scene.origin(&["reset", "--quiet", "--hard", &id]);
        CommitId::parse(&id).unwrap()
    };
    let base = merge("vendor", &root);
    scene.origin(&["checkout", "--quiet", "-b", "side"]);
    let two = scene.commit("two");
    let three = scene.commit("three");
    scene.origin(&["checkout", "--quiet", "main"]);
    let one = scene.commit("one");
    let merged = merge("side", &one);
    // Its date lies before everything: dates are the committer's words, and nothing may depend on them.
    let old = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", "old"];
    scene.shell(&format!("GIT_COMMITTER_DATE='2001-01-01T00:00:00Z' git {}", old.join(" ")));
    let old = CommitId::parse(&scene.origin(&["rev-parse", "HEAD"])).unwrap();
    let head = scene.commit("head");

    let (_, history) = scene.fetched().await;
    for commit in [&root, &base, &one, &merged, &old, &head] {
        assert_eq!(history.standing(commit), Standing::FirstParentLine, "{commit}");
    }
    for commit in [&vendor, &two, &three] {
        assert_eq!(history.standing(commit), Standing::Merged, "{commit}");
    }
}

#[tokio::test]
async fn a_file_or_a_tag_is_no_commit_on_the_branch() {
    let scene = Scene::new();
    scene.commit("one");
    let blob = CommitId::parse(&scene.origin(&["rev-parse", "HEAD:file"])).unwrap();
    assert_eq!(scene.fetched().await.1.standing(&blob), Standing::Elsewhere);
}

#[tokio::test]
async fn forward_is_the_same_commit_or_a_descendant_of_what_is_live() {
    let scene = Scene::new();
    let (old, live) = (scene.commit("old"), scene.commit("live"));
    let new = scene.commit("new");
    let (_, history) = scene.fetched().await;
    for (commit, expected) in [(&new, Direction::Forward), (&live, Direction::Forward), (&old, Direction::Backward)] {
        assert_eq!(direction(&history, &live, commit), expected);
    }
}

#[tokio::test]
async fn a_rewritten_branch_is_unrelated_to_what_is_live() {
    let scene = Scene::new();
    scene.commit("base");
    let live = scene.commit("live");
    scene.origin(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let rewritten = scene.commit("rewritten");
    let (_, history) = scene.fetched().await;
    assert_eq!(direction(&history, &live, &rewritten), Direction::Unrelated);
}

#[tokio::test]
async fn a_commit_is_described_with_its_author_and_subject() {
    let scene = Scene::new();
    let id = scene.commit("Change\tthe \u{1b}[31mcolour\n\nbody");
    let commit = scene.fetched().await.0.describe(&id).await.unwrap();
    assert_eq!((commit.author.as_str(), commit.subject.as_str()), ("Åsa", "Change\\tthe \\u{1b}[31mcolour"));
    assert!(commit.date.contains('T'), "{}", commit.date);
}

#[tokio::test]
async fn a_replaced_commit_is_described_as_what_its_id_stands_for() {
    let scene = Scene::new();
    let (other, head) = (scene.commit("other"), scene.commit("head"));
    let (repository, _) = scene.fetched().await;
    let history = scene.path("scratch/history");
    naive_git(&history, &["replace", head.as_str(), other.as_str()]).unwrap();
    assert_eq!(naive_git(&history, &["log", "-1", "--format=%s", head.as_str()]).unwrap(), "other");
    assert_eq!(repository.describe(&head).await.unwrap().subject, "head");
}

#[tokio::test]
async fn a_commit_in_an_unknown_encoding_is_described_all_the_same() {
    let scene = Scene::new();
    scene.commit("one");
    let latin_1 = r"git cat-file commit HEAD | LC_ALL=C sed 's/one/caf\xe9/' | git hash-object -t commit -w --stdin";
    let commit = scene.shell(latin_1);
    scene.origin(&["update-ref", "refs/heads/main", &commit]);
    let (repository, history) = scene.fetched().await;
    let head = history.head().clone();
    assert_eq!(repository.describe(&head).await.unwrap().subject, "caf\u{fffd}");
}

#[tokio::test]
async fn the_checkout_is_the_commit_and_its_git_directory_knows_no_key() {
    let scene = Scene::new();
    let (pinned, _) = (scene.commit("pinned"), scene.commit("head"));
    let (repository, history) = scene.fetched().await;
    repository.fetch_files(&scene.project(), &main_branch(), &pinned).await.unwrap();
    repository.check_out(&pinned).await.unwrap();
    repository.name_branch(&scene.project().git_url, &main_branch(), &pinned, history.head()).await.unwrap();
    let checkout = repository.into_checkout();
    assert_eq!(fs::read_to_string(checkout.join("file")).unwrap(), "pinned");
    assert_eq!(naive_git(&checkout, &["rev-parse", "HEAD"]).unwrap(), pinned.as_str());
    assert_eq!(naive_git(&checkout, &["status", "--short"]).unwrap(), "");
    assert!(!checkout.join(".git/hooks").exists(), "the machine's template was used");
    for needle in [KEY, "known_hosts", "helper"] {
        let found =
            std::process::Command::new("grep").args(["-rl", needle, "."]).current_dir(checkout.join(".git")).output();
        assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "", "{needle}");
    }
}

#[tokio::test]
async fn submodules_are_not_fetched() {
    let scene = Scene::new();
    fs::create_dir(scene.path("sibling")).unwrap();
    naive_git(&scene.path("sibling"), &["init", "--quiet", "."]).unwrap();
    naive_git(&scene.path("sibling"), &["commit", "--quiet", "--allow-empty", "-m", "private"]).unwrap();
    let sibling = scene.path("sibling").display().to_string();
    scene.origin(&["submodule", "--quiet", "add", &sibling, "sub"]);
    let commit = scene.commit("with submodule");
    let (repository, _) = scene.fetched().await;
    repository.check_out(&commit).await.unwrap();
    let checkout = repository.into_checkout();
    assert_eq!(fs::read_dir(checkout.join("sub")).unwrap().count(), 0);
    assert!(!checkout.join(".git/modules").exists());
}

#[tokio::test]
async fn a_branch_that_does_not_exist_is_said_to_be_missing() {
    let scene = Scene::new();
    scene.commit("one");
    let branch = Branch::parse("absent").unwrap();
    let failure = scene.empty().await.fetch(&scene.project(), &branch, None).await.unwrap_err();
    let text = format!("{:#}", failure.error);
    assert!(text.contains("fetching branch absent of ssh://git@origin.example/"), "{text}");
    assert!(text.contains("the branch does not exist there"), "{text}");
}

#[tokio::test]
async fn a_repository_with_sha256_ids_is_said_to_be_unsupported() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.path("origin/.git")).unwrap();
    scene.origin(&["init", "--quiet", "--initial-branch=main", "--object-format=sha256", "."]);
    scene.commit("one");
    let failure = scene.empty().await.fetch(&scene.project(), &main_branch(), None).await.unwrap_err();
    assert!(format!("{:#}", failure.error).contains("SHA-256"), "{:#}", failure.error);
}

#[tokio::test]
async fn objects_made_to_confuse_git_are_refused() {
    let scene = Scene::new();
    scene.commit("one");
    // A tree with an entry named .git: a checkout would let it configure the repository.
    let tree = "git cat-file tree HEAD | LC_ALL=C sed 's/file/.git/' | git hash-object -t tree --literally -w --stdin";
    let tree = scene.shell(tree);
    let commit = scene.origin(&["commit-tree", "-p", "HEAD", "-m", "evil", &tree]);
    scene.origin(&["update-ref", "refs/heads/main", &commit]);
    let failure = scene.empty().await.fetch(&scene.project(), &main_branch(), None).await.unwrap_err();
    assert!(format!("{:#}", failure.error).contains("git's own check refuses"), "{:#}", failure.error);
}

#[tokio::test]
async fn the_whole_history_is_fetched_and_one_that_is_cut_off_is_refused() {
    let scene = Scene::new();
    let first = scene.commit("first");
    scene.commit("second");
    let (_, history) = scene.fetched().await;
    assert_eq!(history.standing(&first), Standing::FirstParentLine);
    assert!(!scene.path("scratch/history/.git/shallow").exists());

    fs::rename(scene.path("origin"), scene.path("whole")).unwrap();
    let whole = format!("file://{}", scene.path("whole").display());
    naive_git(scene.folder.path(), &["clone", "--quiet", "--depth=1", &whole, "origin"]).unwrap();
    fs::remove_dir_all(scene.path("scratch")).unwrap();
    fs::create_dir(scene.path("scratch")).unwrap();
    let failure = scene.empty().await.fetch(&scene.project(), &main_branch(), None).await.unwrap_err();
    assert!(format!("{:#}", failure.error).contains("only the end of its history"), "{:#}", failure.error);
}

/// git's check of a pack whose files are left out does not follow the parents.
#[tokio::test]
async fn a_history_with_a_hole_in_it_is_refused() {
    let scene = Scene::new();
    scene.origin(&["config", "uploadpack.allowFilter", "true"]);
    let first = scene.commit("first");
    let (second, head) = (scene.commit("second"), scene.commit("head"));
    let (repository, _) = scene.fetched().await;
    repository.read_history("looking").await.unwrap();
    // The same history without the first commit, in one pack.
    let objects = scene.path("scratch/history/.git/objects");
    let pack = format!(
        "printf '{second}\\n{head}\\n' | git pack-objects --quiet {0}/pack/pack && \
         cd {0}/pack && for old in $(ls pack-*.promisor); do rm ${{old%promisor}}*; done && cat *.pack | wc -c",
        objects.display()
    );
    let _ = scene.shell(&pack);
    assert!(naive_git(&scene.path("scratch/history"), &["cat-file", "-e", first.as_str()]).is_none());
    assert!(naive_git(&scene.path("scratch/history"), &["cat-file", "-e", head.as_str()]).is_some());
    let failure = repository.read_history("looking").await.unwrap_err();
    assert!(format!("{:#}", failure.error).contains("lacks commits"), "{failure:?}");
}

#[tokio::test]
async fn an_old_fault_is_accepted_where_the_register_names_it_and_no_other_is() {
    let scene = Scene::new();
    scene.commit("one");
    let zone = "git cat-file commit HEAD | sed 's/+0000$/+51800/; s/+0[0-9]00$/+51800/' \
        | git hash-object -t commit --literally -w --stdin";
    let commit = scene.shell(zone);
    scene.origin(&["update-ref", "refs/heads/main", &commit]);
    let mut project = scene.project();
    let failure = scene.empty().await.fetch(&project, &main_branch(), None).await.unwrap_err();
    assert!(failure.advice.contains("acceptedGitFaults"), "{failure:?}");

    let accept = |project: &mut Project, name: &str| {
        project.checkout.accepted_faults = GitFault::ALL.into_iter().filter(|fault| fault.as_str() == name).collect();
    };
    accept(&mut project, "zeroPaddedFilemode");
    assert!(scene.anew().await.fetch(&project, &main_branch(), None).await.is_err());
    accept(&mut project, "badTimezone");
    let mut repository = scene.anew().await;
    let history = repository.fetch(&project, &main_branch(), None).await.unwrap();
    assert_eq!(history.head().as_str(), commit);

    // What confuses git is refused all the same.
    let tree = "git cat-file tree HEAD | LC_ALL=C sed 's/file/.git/' | git hash-object -t tree --literally -w --stdin";
    let evil = scene.origin(&["commit-tree", "-p", "HEAD", "-m", "evil", &scene.shell(tree)]);
    scene.origin(&["update-ref", "refs/heads/main", &evil]);
    project.checkout.accepted_faults = GitFault::ALL.to_vec();
    let failure = scene.anew().await.fetch(&project, &main_branch(), None).await.unwrap_err();
    assert!(format!("{:#}", failure.error).contains("git's own check refuses"), "{failure:?}");
}

#[tokio::test]
async fn git_knows_every_fault_that_can_be_accepted() {
    let scene = Scene::new();
    scene.commit("one");
    let mut project = scene.project();
    project.checkout.accepted_faults = GitFault::ALL.to_vec();
    let mut repository = scene.empty().await;
    repository.fetch(&project, &main_branch(), None).await.unwrap();
    let mut command = repository.git.command();
    for fault in GitFault::ALL {
        command.args(["-c", &format!("fetch.fsck.{}=ignore", fault.as_str())]);
    }
    let origin = scene.path("origin").display().to_string();
    command.env("GIT_ALLOW_PROTOCOL", "file").args(["fetch", "--", &origin, "+refs/heads/main:refs/iwomp/other"]);
    let answer = repository.git.run("fetching", command, QUESTION_TIME_LIMIT).await.unwrap();
    // "warning: Skipping unknown msg id" otherwise.
    assert!(
        answer.status.success() && !answer.stderr.iter().any(|line| line.contains("unknown")),
        "{:?}",
        answer.stderr
    );
}

#[tokio::test]
async fn tags_come_along_where_they_are_wanted_and_only_those_of_the_branchs_history() {
    let scene = Scene::new();
    scene.commit("one");
    scene.origin(&["tag", "-m", "release", "v1"]);
    scene.origin(&["tag", "light"]);
    scene.origin(&["checkout", "--quiet", "-b", "other"]);
    scene.commit("other");
    scene.origin(&["tag", "-m", "elsewhere", "v2"]);
    scene.origin(&["checkout", "--quiet", "main"]);
    let head = scene.commit("two");
    scene.origin(&["tag", "main", "other"]);
    let mut project = scene.project();
    project.checkout.tags = Tags::OfTheBranch;
    let mut repository = scene.empty().await;
    let history = repository.fetch(&project, &main_branch(), None).await.unwrap();
    assert_eq!(*history.head(), head);
    repository.check_out(&head).await.unwrap();
    repository.name_branch(&project.git_url, &main_branch(), &head, history.head()).await.unwrap();
    let checkout = repository.into_checkout();
    assert_eq!(naive_git(&checkout, &["tag"]).unwrap(), "light\nv1");
    assert!(naive_git(&checkout, &["describe"]).unwrap().starts_with("v1-1-g"));
    assert_eq!(naive_git(&checkout, &["for-each-ref", "--format=%(refname)", "refs/iwomp"]).unwrap(), REF);
}

#[tokio::test]
async fn the_checkout_is_on_its_branch_and_knows_where_that_came_from() {
    let scene = Scene::new();
    let (pinned, head) = (scene.commit("pinned"), scene.commit("head"));
    let (repository, history) = scene.fetched().await;
    repository.fetch_files(&scene.project(), &main_branch(), &pinned).await.unwrap();
    repository.check_out(&pinned).await.unwrap();
    let url = scene.project().git_url;
    repository.name_branch(&url, &main_branch(), &pinned, history.head()).await.unwrap();
    let checkout = repository.into_checkout();
    let git = |arguments: &[&str]| naive_git(&checkout, arguments).unwrap();
    assert_eq!(git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    assert_eq!(git(&["branch", "--show-current"]), "main");
    assert_eq!(git(&["rev-parse", "HEAD"]), pinned.as_str());
    assert_eq!(git(&["rev-parse", "origin/main"]), head.as_str());
    assert_eq!(git(&["rev-parse", "--abbrev-ref", "@{upstream}"]), "origin/main");
    assert_eq!(git(&["remote", "get-url", "origin"]), url.as_str());
    assert_eq!(git(&["status", "--short"]), "");
    assert!(!git(&["config", "--list", "--local"]).contains("credential"));
}

/// Has the `ssh` of the scene write down each call, and the protocol's version with it.
fn counted(scene: &Scene) -> PathBuf {
    let calls = scene.path("calls");
    scene.ssh(&format!("echo x >> {}; for last; do :; done; exec sh -c \"$last\"", calls.display()));
    calls
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn two_requests_bring_all_commits_and_the_files_of_one() {
    let scene = Scene::new();
    scene.origin(&["config", "uploadpack.allowFilter", "true"]);
    let old = scene.commit("old");
    let (pinned, head) = (scene.commit("pinned"), scene.commit("head"));
    let calls = counted(&scene);
    let mut repository = scene.empty().await;
    repository.fetch(&scene.project(), &main_branch(), Some(&pinned)).await.unwrap();
    repository.fetch_files(&scene.project(), &main_branch(), &pinned).await.unwrap();
    assert_eq!(lines(&calls), 2);
    let in_history = |object: &str| naive_git(&scene.path("scratch/history"), &["cat-file", "-e", object]).is_some();
    let in_files = |object: &str| naive_git(&scene.path("scratch/checkout"), &["cat-file", "-e", object]).is_some();
    let tree = |commit: &CommitId| scene.origin(&["rev-parse", &format!("{commit}^{{tree}}")]);
    assert!([&old, &pinned, &head].into_iter().all(|commit| in_history(commit.as_str())));
    assert!([&old, &pinned, &head].into_iter().all(|commit| !in_history(&tree(commit))));
    assert!(in_files(&tree(&pinned)) && !in_files(&tree(&head)) && !in_files(old.as_str()));
}

#[tokio::test]
async fn a_question_about_what_was_not_fetched_asks_nobody() {
    let scene = Scene::new();
    scene.origin(&["config", "uploadpack.allowFilter", "true"]);
    let base = scene.commit("base");
    scene.origin(&["checkout", "--quiet", "--detach"]);
    let fork = scene.commit("from a fork");
    scene.origin(&["checkout", "--quiet", "main"]);
    let calls = counted(&scene);
    let (repository, history) = scene.fetched().await;
    assert_eq!(lines(&calls), 2);
    assert_eq!(history.standing(&fork), Standing::Elsewhere);
    assert!(!history.descends(&fork, &base));
    let mut command = repository.history.command();
    // Not even a git that may fetch what is missing knows where from.
    command.envs([("GIT_ALLOW_PROTOCOL", "ssh"), ("GIT_NO_LAZY_FETCH", "0")]);
    command.args(["cat-file", "-e", &format!("{base}:file")]);
    assert!(!repository.history.run("asking", command, QUESTION_TIME_LIMIT).await.unwrap().status.success());
    assert_eq!(lines(&calls), 2);
}

#[tokio::test]
async fn another_commit_than_was_guessed_is_fetched_by_its_id_and_by_its_branch_where_ids_are_refused() {
    for (ids, requests) in [("true", 3), ("false", 4)] {
        let scene = Scene::new();
        for setting in ["allowAnySHA1InWant", "allowReachableSHA1InWant", "allowTipSHA1InWant"] {
            scene.origin(&["config", &format!("uploadpack.{setting}"), ids]);
        }
        let chosen = scene.commit("chosen");
        scene.commit("head");
        let calls = scene.path("calls");
        // The first version of the protocol: the second hands out every commit.
        scene.ssh(&format!(
            "echo x >> {}; for last; do :; done; unset GIT_PROTOCOL; exec sh -c \"$last\"",
            calls.display()
        ));
        let (repository, history) = scene.fetched().await;
        repository.fetch_files(&scene.project(), &main_branch(), &chosen).await.unwrap();
        assert_eq!(lines(&calls), requests);
        repository.check_out(&chosen).await.unwrap();
        repository.name_branch(&scene.project().git_url, &main_branch(), &chosen, history.head()).await.unwrap();
        let checkout = repository.into_checkout();
        assert_eq!(fs::read_to_string(checkout.join("file")).unwrap(), "chosen");
        assert_eq!(naive_git(&checkout, &["log", "--format=%s", "origin/main"]).unwrap(), "head\nchosen");
    }
}

#[tokio::test]
async fn the_command_finds_all_commits_and_the_files_of_its_own() {
    let scene = Scene::new();
    scene.origin(&["config", "uploadpack.allowFilter", "true"]);
    scene.commit("old");
    let head = scene.commit("head");
    let (repository, history) = scene.fetched().await;
    repository.fetch_files(&scene.project(), &main_branch(), &head).await.unwrap();
    repository.check_out(&head).await.unwrap();
    repository.name_branch(&scene.project().git_url, &main_branch(), &head, history.head()).await.unwrap();
    let checkout = repository.into_checkout();
    let git = |arguments: &[&str]| naive_git(&checkout, arguments);
    assert_eq!(git(&["rev-list", "--count", "HEAD"]).unwrap(), "2");
    assert_eq!(git(&["log", "--format=%s"]).unwrap(), "head\nold");
    assert_eq!(git(&["status", "--short"]).unwrap(), "");
    assert_eq!(git(&["show", "HEAD:file"]).unwrap(), "head");
    assert_eq!(git(&["diff", "HEAD~1"]), None, "the files of other commits are not here");
    assert!(!checkout.join(".git/shallow").exists());
}

/// A server may answer the second request with whatever it likes: what counts is the commit's id.
#[tokio::test]
async fn a_second_answer_that_differs_from_the_first_is_no_deployment() {
    let scene = Scene::new();
    let (old, head) = (scene.commit("old"), scene.commit("head"));
    let calls = scene.path("calls");
    let origin = scene.path("origin").display().to_string();
    // The second request sees another history, and so do all after it.
    scene.ssh(&format!(
        "echo x >> {0}; for last; do :; done
        test $(wc -l < {0}) -lt 2 || git -C {origin} update-ref refs/heads/main {old}
        exec sh -c \"$last\"",
        calls.display()
    ));
    let (repository, history) = scene.fetched().await;
    let seen = history.head().clone();
    assert!(seen == head || seen == old);
    repository.fetch_files(&scene.project(), &main_branch(), &seen).await.unwrap();
    repository.check_out(&seen).await.unwrap();
    let file = fs::read_to_string(scene.path("scratch/checkout/file")).unwrap();
    assert_eq!(file, if seen == head { "head" } else { "old" });

    // One that has the commit no longer.
    let scene = Scene::new();
    let gone = scene.commit("gone");
    scene.origin(&["config", "uploadpack.allowAnySHA1InWant", "false"]);
    let (repository, _) = scene.fetched().await;
    fs::remove_dir_all(scene.path("scratch/checkout/.git")).unwrap();
    naive_git(&scene.path("scratch/checkout"), &["init", "--quiet", "."]).unwrap();
    scene.origin(&["commit", "--quiet", "--amend", "-m", "another"]);
    scene.origin(&["reflog", "expire", "--expire=now", "--all"]);
    scene.origin(&["gc", "--quiet", "--prune=now"]);
    let failure = repository.fetch_files(&scene.project(), &main_branch(), &gone).await.unwrap_err();
    assert!(format!("{:#}", failure.error).contains("has it no longer"), "{failure:?}");
}

#[tokio::test]
async fn a_fetch_that_is_cut_off_is_tried_again_and_what_had_arrived_is_said() {
    let mut scene = Scene::new();
    let head = scene.commit("one");
    let tries = scene.path("tries").display().to_string();
    scene.ssh(&format!(
        "echo x >> {tries}; for last; do :; done
        test $(wc -l < {tries}) -lt 3 || exec sh -c \"$last\""
    ));
    assert_eq!(*scene.fetched().await.1.head(), head);
    assert_eq!(fs::read_to_string(&tries).unwrap().lines().count(), 3);

    scene.bounds = Bounds::new(Duration::from_secs(3), Stop::channel().1);
    scene.ssh("echo 'fatal: early EOF' >&2; exit 128");
    let failure = scene.anew().await.fetch(&scene.project(), &main_branch(), None).await.unwrap_err();
    let text = format!("{:#}", failure.error);
    assert!(failure.kind == Kind::Git && text.contains("nothing had arrived after"), "{text}");
}

#[tokio::test]
async fn a_fetch_that_reaches_the_end_of_the_build_says_what_had_arrived() {
    let mut scene = Scene::new();
    // So many that git keeps them as the pack that they came in.
    scene.shell("for number in $(seq 120); do head -c 30000 /dev/urandom > $number; done");
    scene.commit("one");
    scene.bounds = Bounds::new(Duration::from_secs(6), Stop::channel().1);
    scene.ssh("for last; do :; done; sh -c \"$last\" | (dd bs=4096 count=500 2> /dev/null; sleep 100)");
    let failure = scene.empty().await.fetch(&scene.project(), &main_branch(), None).await.unwrap_err();
    let text = format!("{:#}", failure.error);
    assert!(failure.kind == Kind::TimeLimit && text.contains("MB had arrived after"), "{text}");
}

/// What git says when it asks the server at `url`, with a token to tell, and what is heard besides.
async fn ask(url: &str) -> (command::Answer, Project, heard::Heard) {
    let scene = Scene::new();
    let repository = scene.empty().await;
    let text = r#"{"gitUrl":"https://git.example/demo.git","command":"x","authToken":"canary-9"}"#;
    let project = Project::read(Document { text, storage: Storage::Encrypted }, None).unwrap();
    let mut access = access::Access::prepare(&project, &scene.path("scratch")).unwrap();
    let mut command = repository.git.command();
    access.give_to(&mut command).unwrap();
    command.env("GIT_ALLOW_PROTOCOL", "http");
    // As the credential of this origin, so that it would stand in a trace that is not redacted.
    command.args([
        "-c",
        &format!("credential.{url}.helper=!f() {{ cat <&3; }}; f"),
        "ls-remote",
        "--",
        &format!("{url}/x"),
    ]);
    let answer = repository.git.run("asking", command, QUESTION_TIME_LIMIT).await.unwrap();
    (answer, project, access.heard())
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is_heard() {
    let (answer, project, heard) = ask(&serve_status("429 Too Many Requests\r\nRetry-After: 7")).await;
    assert_eq!(explain::explain(&answer.stderr, &project).nature, explain::Nature::Passing, "{:?}", answer.stderr);
    assert_eq!(heard.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_server_that_asks_who_it_is_is_told_from_one_that_does_not() {
    for (status, wants_credentials) in [
        ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", true),
        ("200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement", false),
        ("403 Forbidden", false),
    ] {
        let (_, _, heard) = ask(&serve_status(status)).await;
        assert_eq!(heard.wants_credentials, wants_credentials, "{status}");
    }
}

/// Serves nothing but `status`, which may have headers behind it.
fn serve_status(status: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let _ = stream
                .write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").as_bytes());
        }
    });
    url
}

/// Serves the files below `root`, as any web server would, and returns its URL. Ends with the test's process.
fn serve_files(root: PathBuf) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let path = lines.next().unwrap_or_default().split([' ', '?']).nth(1).unwrap_or("/").to_owned();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let (status, body) = match fs::read(root.join(path.trim_start_matches('/'))) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

#[tokio::test]
async fn a_server_that_only_hands_out_files_is_refused() {
    let scene = Scene::new();
    scene.commit("one");
    // A tree that git's own check refuses, see above.
    let tree = "git cat-file tree HEAD | LC_ALL=C sed 's/file/.git/' | git hash-object -t tree --literally -w --stdin";
    let tree = scene.shell(tree);
    let commit = scene.origin(&["commit-tree", "-p", "HEAD", "-m", "evil", &tree]);
    scene.origin(&["update-ref", "refs/heads/main", &commit]);
    scene.origin(&["update-server-info"]);
    let url = serve_files(scene.path("origin/.git"));
    let (repository, id) = (scene.empty().await, CommitId::parse(&commit).unwrap());
    let fetch = |arguments: Vec<String>| {
        let mut command = repository.git.command();
        command.env("GIT_ALLOW_PROTOCOL", "http").args(arguments);
        repository.git.run("fetching", command, QUESTION_TIME_LIMIT)
    };
    for arguments in [
        fetch::branch_arguments(&url, &main_branch()),
        fetch::history_arguments(&url, &main_branch()),
        fetch::head_arguments(&url, &main_branch()),
        fetch::commit_arguments(&url, &id),
    ] {
        let answer = fetch(arguments).await.unwrap();
        assert!(!answer.status.success());
        let problem = explain::explain(&answer.stderr, &scene.project()).problem;
        assert!(problem.contains("only hands out files"), "{problem}");
    }

    // Without the depth, git takes it and checks nothing.
    let naive = fetch::branch_arguments(&url, &main_branch()).into_iter().filter(|word| !word.starts_with("--depth"));
    assert!(fetch(naive.collect()).await.unwrap().status.success());
    assert!(is_commit(&repository.git, "looking", &commit).await.unwrap());
}

#[tokio::test]
async fn a_disturbance_that_passes_is_sat_out() {
    let scene = Scene::new();
    let head = scene.commit("one");
    let disturbed = scene.path("disturbed").display().to_string();
    scene.ssh(&format!(
        "if ! test -e {disturbed}; then touch {disturbed}; echo 'ssh: Connection refused' >&2; exit 255; fi
        for last; do :; done; exec sh -c \"$last\""
    ));
    assert_eq!(*scene.fetched().await.1.head(), head);
}

#[tokio::test]
async fn ssh_gets_the_key_as_a_file_that_is_gone_after_the_fetch() {
    let scene = Scene::new();
    scene.commit("one");
    let seen = scene.path("seen");
    // What any process of this user sees of us: arguments and environment, up to this test.
    scene.ssh(&format!(
        "p=$$
        while test $p -gt 1; do cat /proc/$p/cmdline /proc/$p/environ; p=$(cut -d' ' -f4 /proc/$p/stat); done > {0}
        while test \"$1\" != -i; do shift; done; cp \"$2\" {0}.key; echo \"$2\" > {0}.path
        for last; do :; done; exec sh -c \"$last\"",
        seen.display()
    ));
    scene.fetched().await;
    assert_eq!(fs::read_to_string(scene.path("seen.key")).unwrap(), format!("{KEY}\n"));
    assert!(!Path::new(fs::read_to_string(scene.path("seen.path")).unwrap().trim()).exists());
    let seen = String::from_utf8_lossy(&fs::read(seen).unwrap()).into_owned();
    assert!(seen.contains("StrictHostKeyChecking=yes") && seen.contains("--no-write-fetch-head"), "{seen}");
    assert!(!seen.contains(KEY), "{seen}");
}

#[tokio::test]
async fn a_silent_server_ends_with_the_time_limit_and_leaves_no_process() {
    let mut scene = Scene::new();
    let pid = scene.path("pid");
    scene.ssh(&format!("echo $$ > {}; exec sleep 600", pid.display()));
    scene.bounds = Bounds::new(Duration::from_secs(6), Stop::channel().1); // the server has begun by then
    let failure = scene.empty().await.fetch(&scene.project(), &main_branch(), None).await.unwrap_err();
    assert_eq!(failure.kind, Kind::TimeLimit);
    let stat = format!("/proc/{}/stat", fs::read_to_string(pid).unwrap().trim());
    assert!(fs::read_to_string(stat).map_or(true, |stat| stat.contains(") Z ")));
}

#[tokio::test]
async fn a_fetch_ends_when_we_are_asked_to_stop() {
    let (sender, stop) = Stop::channel();
    let scene = Scene::with_stop(stop);
    scene.ssh("exec sleep 600");
    let mut repository = scene.empty().await;
    sender.send(Some(Stopped::Terminated)).unwrap();
    let failure = repository.fetch(&scene.project(), &main_branch(), None).await.unwrap_err();
    assert_eq!((failure.kind, failure.kind.exit_status()), (Kind::Stopped(Stopped::Terminated), 143));
}

/// Asks git for the credential of `url`, with the access of a project at `https://git.example:8443`.
async fn credential_for(url: &str) -> String {
    let scene = Scene::new();
    let repository = scene.empty().await;
    let text = r#"{"gitUrl":"https://git.example:8443/demo.git","command":"x","authToken":"canary-2"}"#;
    let project = Project::read(Document { text, storage: Storage::Encrypted }, None).unwrap();
    let mut command = repository.git.command();
    access::Access::prepare(&project, &scene.path("scratch")).unwrap().give_to(&mut command).unwrap();
    command.args(["credential", "fill"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("url={url}\n\n").as_bytes()).await.unwrap();
    String::from_utf8(child.wait_with_output().await.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn git_gets_the_credential_for_its_origin_and_for_no_other() {
    assert!(credential_for("https://git.example:8443/demo.git").await.contains("password=canary-2\n"));
    for other in [
        "https://git.example/demo.git",
        "https://evil.example:8443/demo.git",
        "https://git.example.evil.example:8443/demo.git",
        "http://git.example:8443/demo.git",
    ] {
        assert!(!credential_for(other).await.contains("canary"), "{other}");
    }
}

#[test]
fn a_version_is_read_as_git_prints_it() {
    assert_eq!(fetch::parse_version("git version 2.47.3\n"), Some((2, 47)));
    assert_eq!(fetch::parse_version("git version 2.39.5 (Apple Git-154)\n"), Some((2, 39)));
    assert_eq!(fetch::parse_version("gut 1"), None);
}

#[tokio::test]
async fn of_a_part_another_commit_than_was_guessed_is_fetched_by_its_id() {
    let scene = Scene::new();
    scene.origin(&["config", "uploadpack.allowFilter", "true"]);
    let commits = ["one", "two", "three"].map(|subject| {
        for directory in ["infra/shop", "infra/net"] {
            fs::create_dir_all(scene.path("origin").join(directory)).unwrap();
            fs::write(scene.path("origin").join(directory).join("file"), subject).unwrap();
        }
        scene.commit(subject)
    });
    let whole = scene.project();
    let text = format!(
        r#"{{"gitUrl":"{}","command":"deploy.sh","deployDir":"infra/shop","sparse":true}}"#,
        whole.git_url.as_str()
    );
    let mut project = Project::read(Document { text: &text, storage: Storage::Plain }, None).unwrap();
    project.credentials = whole.credentials;
    let mut repository = scene.empty().await;
    repository.fetch(&project, &main_branch(), None).await.unwrap();
    for (commit, subject) in commits.iter().zip(["one", "two", "three"]) {
        repository.fetch_files(&project, &main_branch(), commit).await.unwrap();
        repository.check_out(commit).await.unwrap();
        let checkout = scene.path("scratch/checkout");
        assert_eq!(fs::read_to_string(checkout.join("infra/shop/file")).unwrap(), subject);
        assert!(!checkout.join("infra/net").exists());
    }
}
