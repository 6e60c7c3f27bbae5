//! A part of a large repository, seen through the binary: only its files come, whatever the server can do, and what the command
//! would miss is said before it runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::scene::{Run, Scene};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
const UNKNOWN: &str = "1111111111111111111111111111111111111111";
/// Lists the checkout, and what of the commit is not here.
const LIST: &str = "#!/bin/sh
cd \"$(git rev-parse --show-toplevel)\"
find . -name .git -prune -o ! -type d -print | sort | sed 's/^/FOUND /'
git status --short | sed 's/^/CHANGED /'
git ls-tree -r --format='%(objectname) %(path)' HEAD | while read -r id path; do
  GIT_NO_LAZY_FETCH=1 git cat-file -e $id 2>/dev/null || echo \"LACKS $path\"
done
";

/// A repository of which `infra/shop` is registered alone.
fn monorepo() -> Scene {
    let scene = Scene::new();
    scene.git(&["config", "uploadpack.allowFilter", "true"]);
    for path in ["README", "infra/common.tf", "infra/shop/sub/a.tf", "infra/net/vpc.tf", "app/main.rs"] {
        write(&scene, path, path);
    }
    write(&scene, "infra/shop/deploy.sh", LIST);
    scene.register(r#""deployDir":"infra/shop","sparse":true"#);
    scene
}

fn write(scene: &Scene, path: &str, text: &str) {
    let file = scene.path("origin").join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn link(scene: &Scene, target: &str, path: &str) {
    symlink(target, scene.path("origin").join(path)).unwrap();
}

fn said(run: &Run, word: &str) -> Vec<String> {
    run.log.lines().filter_map(|line| line.strip_prefix(word)).map(|rest| rest.trim().to_owned()).collect()
}

/// That the command found the part, and its repository in order.
fn assert_part(run: &Run) {
    assert_eq!(run.status, 0, "{}", run.log);
    let found = ["./README", "./deploy.sh", "./infra/common.tf", "./infra/shop/deploy.sh", "./infra/shop/sub/a.tf"];
    assert_eq!(said(run, "FOUND "), found, "{}", run.log);
    assert!(!run.log.contains("CHANGED") && !run.log.contains("invalid object"), "{}", run.log);
    assert!(
        run.log.contains("iwomp: sparse      infra/shop alone, and what stands in a directory above it"),
        "{}",
        run.log
    );
}

#[test]
fn of_a_part_only_its_own_files_come_and_those_above_it() {
    let scene = monorepo();
    let commits = ["one", "two", "three"].map(|subject| scene.commit(subject, ""));
    let deployed = |run: &Run, commit: usize| {
        assert_part(run);
        assert_eq!(said(run, "LACKS "), ["app/main.rs", "infra/net/vpc.tf"], "{}", run.log);
        assert_eq!(run.outcome()["commit"], commits[commit].as_str());
    };
    deployed(&scene.run_with(&[("GITCOMMIT", &commits[0])]), 0);
    deployed(&scene.run_with(&[("GITCOMMIT", &commits[1])]), 1);
    deployed(&scene.run(), 2);
    deployed(&scene.run_operators(&[("ROLLBACKTO", &commits[0])]), 0);
}

#[test]
fn where_the_server_cannot_send_a_part_all_files_are_fetched_and_that_is_said() {
    let refused = "sparse      the server hands out no part of a commit; fetching all of its files";
    let without_version_2 = "unset GIT_PROTOCOL; for last; do :; done; exec sh -c \"$last\"";
    let by_id_alone = ["config", "uploadpack.allowReachableSHA1InWant", "true"];
    type Server<'a> = (&'a [&'a [&'a str]], Option<&'a str>, &'a [&'a str]);
    let servers: [Server<'_>; 4] = [
        // It knows no filters.
        (
            &[&["config", "uploadpack.allowFilter", "false"]],
            None,
            &["sparse      the server leaves out nothing, and sent all files of the commit"],
        ),
        // It refuses this one.
        (&[&["config", "uploadpackfilter.blob:none.allow", "false"]], None, &[refused]),
        // It knows filters, and hands out no object by its id: neither files nor commits.
        (&[&["config", "uploadpack.allowAnySHA1InWant", "false"]], Some(without_version_2), &[refused]),
        // It looks for each object whether a branch leads there.
        (&[&["config", "uploadpack.allowAnySHA1InWant", "false"], &by_id_alone], Some(without_version_2), &[]),
    ];
    for (settings, ssh, words) in servers {
        let scene = monorepo();
        let one = scene.commit("one", "");
        let two = scene.commit("two", "");
        for setting in settings {
            scene.git(setting);
        }
        if let Some(ssh) = ssh {
            scene.ssh(ssh);
        }
        for more in [vec![("GITCOMMIT", one.as_str())], vec![], vec![("GITCOMMIT", two.as_str())]] {
            let run = scene.run_with(&more);
            assert_part(&run);
            for word in words {
                assert!(run.log.contains(&format!("iwomp: {word}")), "{settings:?}: {}", run.log);
            }
            let says_so = run.log.contains("all of its files") || run.log.contains("sent all files");
            assert_eq!(says_so, !words.is_empty(), "{}", run.log);
        }
    }
}

#[test]
fn a_directory_with_an_odd_name_is_itself_and_no_other() {
    for directory in
        [r"we[i]rd *dir\", ":(top)x", "#a", "!b", "-c", "a b ", ".hidden", "übung", "\"quoted\"", "a\tb", "a\rb"]
    {
        let scene = Scene::new();
        scene.git(&["config", "uploadpack.allowFilter", "true"]);
        write(&scene, &format!("in/{directory}/deploy.sh"), LIST);
        for other in ["weird xdir", "weiird dir", "x", "a", "b", "c", "hidden"] {
            write(&scene, &format!("in/{other}/file"), "");
        }
        scene.commit("one", "");
        let entry = serde_json::json!(format!("./in//{directory}/"));
        scene.register(&format!(r#""deployDir":{entry},"sparse":true"#));
        let run = scene.run();
        assert_eq!(run.status, 0, "{directory}: {}", run.log);
        assert_eq!(said(&run, "FOUND ").len(), 2, "{directory}: {}", run.log);
        assert!(!run.log.contains("CHANGED"), "{directory}: {}", run.log);
    }
}

#[test]
fn a_deploy_dir_that_is_no_directory_of_its_own_is_named() {
    let scene = monorepo();
    link(&scene, "shop", "infra/current");
    link(&scene, "infra", "i");
    scene.commit("one", "");
    scene.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{UNKNOWN},vendor")]);
    scene.git(&["commit", "--quiet", "-m", "submodule"]);
    for (directory, problem) in [
        ("infra/shops", "infra/shops is not in the commit"),
        ("infras/shop", "infras is not in the commit"),
        ("infra/current", "infra/current is a symbolic link, which sparse does not follow"),
        ("i/shop", "i is a symbolic link, which sparse does not follow"),
        ("vendor/x", "vendor is a submodule, of which sparse knows no part"),
        ("infra/common.tf", "infra/common.tf is not a directory"),
    ] {
        scene.register(&format!(r#""deployDir":"{directory}","sparse":true"#));
        let run = scene.run();
        let outcome = run.outcome();
        assert_eq!(
            (outcome["outcome"].as_str(), outcome["class"].as_str()),
            (Some("failed"), Some("command")),
            "{}",
            run.log
        );
        let reason = format!("looking for deployDir {directory} in the commit: {problem}");
        assert!(outcome["reason"].as_str().unwrap().contains(&reason), "{}", run.log);
        assert!(!run.log.contains("FOUND"), "{}", run.log);
    }
}

#[test]
fn links_that_lead_to_what_is_left_out_are_refused_and_others_are_not() {
    let scene = monorepo();
    link(&scene, "../common.tf", "infra/shop/common.tf");
    link(&scene, "../../nowhere", "infra/shop/nowhere");
    link(&scene, "/etc/hosts", "infra/shop/hosts");
    link(&scene, "../app", "infra/net/app");
    scene.commit("one", "");
    assert_eq!(scene.run().status, 0);
    link(&scene, "../net", "infra/shop/net");
    link(&scene, "../../../app/main.rs", "infra/shop/sub/main.rs");
    scene.commit("two", "");
    let run = scene.run();
    let links = "2 links that lead to what sparse leaves out: infra/shop/net, infra/shop/sub/main.rs";
    run.is_refused(77, "incomplete_tree", links);
    assert!(
        !run.log.contains("FOUND") && run.log.contains("give a directory above all of it as deployDir"),
        "{}",
        run.log
    );
    scene.register(r#""deployDir":"infra/shop""#);
    assert_eq!(scene.run().status, 0);
}

#[test]
fn what_the_part_only_points_to_counts_and_what_others_point_to_does_not() {
    let scene = monorepo();
    fs::create_dir(scene.path("lib")).unwrap();
    let lib = |arguments: &[&str]| scene.git(&[&["-C", "../lib"], arguments].concat());
    lib(&["init", "--quiet", "--initial-branch=main", "."]);
    fs::write(scene.path("lib/file"), "").unwrap();
    lib(&["add", "--all"]);
    lib(&["commit", "--quiet", "-m", "x"]);
    let head = lib(&["rev-parse", "HEAD"]);
    write(&scene, "app/large", POINTER);
    let modules = "[submodule \"lib\"]\n\tpath = infra/shop/lib\n\turl = ../lib\n";
    write(&scene, ".gitmodules", modules);
    scene.commit("one", "");
    for (commit, path) in [(UNKNOWN, "app/lib"), (UNKNOWN, "top"), (&head, "infra/shop/lib")] {
        scene.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
    }
    scene.git(&["commit", "--quiet", "-m", "submodules"]);
    scene.run().is_refused(77, "incomplete_tree", "1 submodules: infra/shop/lib");
    scene.register(r#""deployDir":"infra/shop","sparse":true,"submodules":"fetch""#);
    let run = scene.run();
    assert_eq!(run.status, 0, "{}", run.log);
    assert!(said(&run, "FOUND ").contains(&"./infra/shop/lib/file".to_owned()), "{}", run.log);
}

#[test]
fn attributes_of_the_directories_above_hold_and_faults_in_their_files_are_found() {
    let scene = monorepo();
    write(&scene, ".gitattributes", "*.tf text eol=crlf\n");
    write(&scene, "infra/shop/a.tf", "a\nb\n");
    write(&scene, "infra/shop/deploy.sh", "#!/bin/sh\nod -c a.tf\n");
    scene.commit("one", "");
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains(r"a  \r  \n"), "{}", run.log);
    // Not one of the trees that name them comes with these, so that git does not look at them as what they are.
    for (path, text) in [
        (".gitmodules", "[submodule \"a\"]\n\tpath = a\n\turl = -u./payload\n".to_owned()),
        ("infra/.gitattributes", format!("*.tf {}\n", "x".repeat(3000))),
    ] {
        write(&scene, path, &text);
        scene.commit("evil", "");
        let run = scene.run();
        assert_eq!(run.outcome()["class"], "git", "{path}: {}", run.log);
        let reason = "checking the files above deployDir: the repository holds objects that git's own check refuses";
        assert!(run.outcome()["reason"].as_str().unwrap().contains(reason), "{path}: {}", run.log);
        fs::remove_file(scene.path("origin").join(path)).unwrap();
    }
}

#[test]
fn more_files_above_than_can_be_asked_for_are_refused() {
    let scene = monorepo();
    for number in 0..1500 {
        write(&scene, &format!("f{number}"), "");
    }
    scene.commit("one", "");
    let run = scene.run();
    let reason = "looking for infra/shop: 1505 files and directories are above it, and 1500 the most";
    assert!(run.outcome()["reason"].as_str().unwrap().contains(reason), "{}", run.log);
}

#[test]
fn a_command_whose_git_is_let_in_gets_more_of_the_commit() {
    let scene = monorepo();
    write(&scene, "infra/shop/deploy.sh", "#!/bin/sh\ngit -C ../.. sparse-checkout add app && cat ../../app/main.rs\n");
    scene.commit("one", "");
    scene.register(r#""deployDir":"infra/shop","sparse":true,"gitAccess":true"#);
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("app/main.rs"), "{}", run.log);
}
