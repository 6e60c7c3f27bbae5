//! What a run takes, in numbers that no busy machine changes: calls of AWS, processes of git, requests to the Git host and
//! bytes from it. Whoever adds to them sees it here.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::LIVE;
use crate::scene::{Run, Scene};

/// Random enough that a pack is no smaller.
const FILE_BYTES: usize = 40_000;
const COMMITS: usize = 30;

struct Counted {
    scene: Scene,
    commits: Vec<String>,
}

/// A branch of [`COMMITS`], each of which writes another file of [`FILE_BYTES`] anew, and a `git` and an `ssh` that keep count.
fn counted() -> Counted {
    let scene = Scene::new();
    scene.git(&["config", "uploadpack.allowFilter", "true"]);
    let mut noise = noise();
    let commits = (0..COMMITS)
        .map(|commit| {
            fs::write(scene.path("origin/file"), noise()).unwrap();
            scene.commit(&format!("commit {commit}"), "#!/bin/sh\n")
        })
        .collect();
    counting(scene, commits)
}

/// Texts of [`FILE_BYTES`], each another.
fn noise() -> impl FnMut() -> String {
    let mut number: u64 = 1;
    move || {
        let mut text = String::new();
        while text.len() < FILE_BYTES {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += &(number >> 33).to_string();
        }
        text
    }
}

fn counting(scene: Scene, commits: Vec<String>) -> Counted {
    let path = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&path).map(|directory| directory.join("git"));
    let real = places.find(|place| place.is_file()).unwrap();
    let git = scene.path("bin/git");
    // The worker's own calls begin so; git calls itself, too, in ways that are its own affair.
    fs::write(
        &git,
        format!(
            "#!/bin/sh\ncase \"$1\" in --no-pager) echo \"$*\" >>{} ;; esac\nexec {} \"$@\"\n",
            scene.path("git-calls").display(),
            real.display()
        ),
    )
    .unwrap();
    fs::set_permissions(git, fs::Permissions::from_mode(0o755)).unwrap();
    let place = scene.path("answers");
    fs::create_dir(&place).unwrap();
    scene.ssh(&format!("for last; do :; done; sh -c \"$last\" | tee {}/$$", place.display()));
    Counted { scene, commits }
}

impl Counted {
    fn deploy(&self, more: &[(&str, &str)]) -> Run {
        let run = self.scene.run_with(more);
        assert_eq!(run.status, 0, "{}", run.log);
        run
    }

    /// The subcommands of the worker's calls of git, in the order of the alphabet, for some run at the same time.
    fn subcommands(&self) -> Vec<String> {
        const KNOWN: [&str; 12] = [
            "--exec-path",
            "checkout",
            "fetch",
            "index-pack",
            "init",
            "log",
            "ls-files",
            "ls-tree",
            "pack-objects",
            "rev-list",
            "rev-parse",
            "symbolic-ref",
        ];
        let calls = fs::read_to_string(self.scene.path("git-calls")).unwrap();
        let subcommand = |call: &str| {
            let words = call.split(' ').find(|word| KNOWN.contains(word) || *word == "update-ref");
            words.unwrap_or("another").to_owned()
        };
        let mut found: Vec<_> = calls.lines().map(subcommand).collect();
        found.sort();
        found
    }

    /// How many answers the Git host gave, and their bytes.
    fn answers(&self) -> (usize, u64) {
        let answers =
            fs::read_dir(self.scene.path("answers")).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        let lengths: Vec<u64> = answers.collect();
        (lengths.len(), lengths.iter().sum())
    }

    fn forget(&self) {
        let _ = fs::remove_file(self.scene.path("git-calls"));
        fs::remove_dir_all(self.scene.path("answers")).unwrap();
        fs::create_dir(self.scene.path("answers")).unwrap();
    }
}

#[test]
fn a_run_asks_aws_and_starts_git_as_often_as_it_must_and_no_more() {
    let counted = counted();
    let [.., live, pinned, _] = counted.commits.as_slice() else { panic!() };
    counted.deploy(&[("GITCOMMIT", live)]);
    counted.forget();
    let before = counted.scene.ssm.calls().len();
    counted.deploy(&[("GITCOMMIT", pinned)]);
    // All that is known of the project; then whether another build has deployed meanwhile, and the record; then the note of
    // what was seen, into the one that is there.
    let calls = counted.scene.ssm.calls().split_off(before);
    assert_eq!(calls, ["GetParameters", "GetParameters", "PutParameter", "GetParameters", "PutParameter"]);
    let git = "--exec-path checkout fetch fetch init init log ls-files rev-list rev-parse symbolic-ref update-ref";
    assert_eq!(counted.subcommands().join(" "), git);
}

#[test]
fn a_fetch_brings_the_commits_and_the_files_of_one_and_not_the_files_of_all() {
    let counted = counted();
    let files = FILE_BYTES as u64;
    for (more, requests) in [(vec![], 2), (vec![("GITCOMMIT", counted.commits[COMMITS - 2].as_str())], 2)] {
        counted.scene.ssm.put(
            LIVE,
            "String",
            &format!(r#"{{"commit":"{}","time":"t"}}"#, counted.commits[COMMITS - 5]),
        );
        counted.forget();
        counted.deploy(&more);
        let (answers, bytes) = counted.answers();
        assert_eq!(answers, requests);
        // Digits take half of their bytes; some hundred bytes are a commit's.
        assert!((files / 3..files + COMMITS as u64 * 400).contains(&bytes), "{bytes}");
    }
    counted.scene.register(r#""tags":true"#);
    counted.forget();
    counted.deploy(&[]);
    let (answers, bytes) = counted.answers();
    assert_eq!(answers, 2);
    assert!(bytes > files / 3 * COMMITS as u64, "with tags, all files come: {bytes}");
}

/// [`DIRECTORIES`] of which `d7/shop` is registered, with a file of [`FILE_BYTES`] in each.
fn monorepo() -> Counted {
    const DIRECTORIES: usize = 100;
    let scene = Scene::new();
    scene.git(&["config", "uploadpack.allowFilter", "true"]);
    let mut noise = noise();
    for number in 0..DIRECTORIES {
        let directory = scene.path(&format!("origin/d{number}/shop"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("file"), noise()).unwrap();
    }
    let script = scene.path("origin/d7/shop/deploy.sh");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let commits = vec![scene.commit("one", "")];
    counting(scene, commits)
}

#[test]
fn of_a_part_a_tenth_of_the_bytes_come_at_most_and_one_request_more_is_made() {
    let counted = monorepo();
    for (more, looks) in [(vec![], "log log"), (vec![("GITCOMMIT", counted.commits[0].as_str())], "log log log")] {
        let [all, part] = ["false", "true"].map(|sparse| {
            counted.scene.register(&format!(r#""deployDir":"d7/shop","sparse":{sparse}"#));
            counted.forget();
            counted.deploy(&more);
            counted.answers()
        });
        assert_eq!((all.0, part.0), (2, 3));
        assert!(part.1 * 10 <= all.1, "{} bytes of {}", part.1, all.1);
        // What the part consists of, and whether it is here, is asked while the history is on its way.
        let git = format!(
            "--exec-path checkout fetch fetch fetch index-pack init init {looks} ls-files ls-tree ls-tree pack-objects \
             rev-list rev-list symbolic-ref update-ref"
        );
        assert_eq!(counted.subcommands().join(" "), git);
    }
}
