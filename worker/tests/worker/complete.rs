//! What a commit only points to, seen through the binary: refused, ignored, or fetched from the own host and from no other.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::scene::Scene;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
const UNKNOWN: &str = "1111111111111111111111111111111111111111";

/// Another repository of the same host, beside the origin, with a file `name`. Returns its head.
fn repository(scene: &Scene, name: &str) -> String {
    let directory = scene.path(name);
    fs::create_dir(&directory).unwrap();
    git(&directory, &["init", "--quiet", "--initial-branch=main", "."]);
    fs::write(directory.join(name), name).unwrap();
    commit(&directory)
}

fn commit(directory: &PathBuf) -> String {
    git(directory, &["add", "--all"]);
    git(directory, &["commit", "--quiet", "--allow-empty", "-m", "x"]);
    git(directory, &["rev-parse", "HEAD"])
}

fn git(directory: &PathBuf, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Adds a submodule to the repository `name`, without looking at what it is.
fn add_submodule(scene: &Scene, name: &str, path: &str, url: &str, commit: &str) {
    let directory = scene.path(name);
    let mut modules = fs::read_to_string(directory.join(".gitmodules")).unwrap_or_default();
    modules += &format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n");
    fs::write(directory.join(".gitmodules"), modules).unwrap();
    fs::create_dir_all(directory.join(path)).unwrap();
    git(&directory, &["add", ".gitmodules"]);
    git(&directory, &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
    git(&directory, &["commit", "--quiet", "-m", "submodule"]);
}

/// Every call of `ssh` leaves the command that it was given for the host.
fn watch_the_host(scene: &Scene) {
    let log = scene.path("asked").display().to_string();
    scene.ssh(&format!("for last; do :; done; echo \"$last\" >> {log}; exec sh -c \"$last\""));
}

#[test]
fn a_tree_that_lacks_a_submodule_or_a_large_file_is_refused_with_the_paths() {
    let scene = Scene::new();
    scene.commit("base", "#!/bin/sh\necho RAN\n");
    add_submodule(&scene, "origin", "modules/vpc", "../vpc", UNKNOWN);
    let run = scene.run();
    run.is_refused(77, "incomplete_tree", "1 submodules: modules/vpc");
    assert!(!run.log.contains("RAN") && run.log.contains("set submodules in the register"), "{}", run.log);

    scene.register(r#""submodules":"ignore""#);
    assert_eq!(scene.run().outcome()["outcome"], "deployed");

    for number in 0..8 {
        fs::write(scene.path(&format!("origin/image-{number}")), POINTER).unwrap();
    }
    scene.commit("pointers", "#!/bin/sh\necho RAN\n");
    let run = scene.run();
    run.is_refused(
        77,
        "incomplete_tree",
        "8 files of Git LFS: image-0, image-1, image-2, image-3, image-4, and 3 more",
    );
    assert!(!run.log.contains("RAN"), "{}", run.log);
    scene.register(r#""submodules":"ignore","lfs":"ignore""#);
    assert_eq!(scene.run().outcome()["outcome"], "deployed");
}

#[test]
fn only_what_is_below_the_deploy_dir_counts_and_what_its_links_lead_to() {
    let scene = Scene::new();
    fs::create_dir_all(scene.path("origin/infra")).unwrap();
    fs::create_dir_all(scene.path("origin/lib")).unwrap();
    let script = scene.path("origin/infra/deploy.sh");
    fs::write(&script, "#!/bin/sh\necho RAN\n").unwrap();
    fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(scene.path("origin/lib/large"), POINTER).unwrap();
    fs::write(scene.path("origin/infra/no-pointer"), "version https://git-lfs.github.com/spec/v1 is how one begins\n")
        .unwrap();
    scene.commit("one", "");
    scene.register(r#""deployDir":"infra""#);
    assert_eq!(scene.run().outcome()["outcome"], "deployed");
    std::os::unix::fs::symlink("../lib", scene.path("origin/infra/lib")).unwrap();
    scene.commit("linked", "");
    scene.run().is_refused(77, "incomplete_tree", "1 files of Git LFS: lib/large");
}

#[test]
fn submodules_of_the_own_host_are_fetched_at_their_recorded_commits_with_those_within_them() {
    let scene = Scene::new();
    let inner = repository(&scene, "inner");
    repository(&scene, "outer");
    add_submodule(&scene, "outer", "deep/inner", "../inner", &inner);
    let outer = git(&scene.path("outer"), &["rev-parse", "HEAD"]);
    // Their branches go on: what is recorded counts.
    fs::write(scene.path("outer/outer"), "newer").unwrap();
    commit(&scene.path("outer"));
    scene.commit(
        "base",
        "#!/bin/sh\ncat modules/a/outer modules/a/deep/inner/inner modules/b/inner; git status --short\n",
    );
    add_submodule(&scene, "origin", "modules/a", "../outer", &outer);
    let absolute = format!("ssh://git@origin.example{}", scene.path("inner").display());
    add_submodule(&scene, "origin", "modules/b", &absolute, &inner);
    scene.register(r#""submodules":"fetch""#);
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("outerinnerinner"), "{}", run.log);
    for line in
        [format!("iwomp: submodule   modules/a {outer}"), format!("iwomp: submodule   modules/a/deep/inner {inner}")]
    {
        assert!(run.log.lines().any(|known| known == line), "{line}: {}", run.log);
    }

    // A large file in a submodule is missing as much as one of the repository.
    fs::write(scene.path("inner/large"), POINTER).unwrap();
    let inner = commit(&scene.path("inner"));
    git(&scene.path("origin"), &["update-index", "--cacheinfo", &format!("160000,{inner},modules/b")]);
    git(&scene.path("origin"), &["commit", "--quiet", "-m", "newer"]);
    scene.run().is_refused(77, "incomplete_tree", "modules/b/large");
}

#[test]
fn a_submodule_of_another_origin_is_refused_and_its_host_is_not_asked() {
    for url in [
        "ssh://git@evil.example/stolen",
        "ssh://git@origin.example:2222/stolen",
        "https://origin.example/stolen",
        "git@evil.example:stolen",
        "../../../../../../../../../evil.example/stolen",
        "file:///etc",
        "/etc",
    ] {
        let scene = Scene::new();
        watch_the_host(&scene);
        scene.commit("base", "#!/bin/sh\necho RAN\n");
        add_submodule(&scene, "origin", "modules/a", url, UNKNOWN);
        scene.register(r#""submodules":"fetch""#);
        let run = scene.run();
        run.is_refused(77, "incomplete_tree", "looking for the URL of submodule modules/a");
        assert!(!run.log.contains("RAN"), "{}", run.log);
        let asked = fs::read_to_string(scene.path("asked")).unwrap();
        // For the history and for the files of the repository itself.
        let own = format!("git-upload-pack '{}'", scene.path("origin").display());
        assert_eq!(asked.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(), [&own, &own], "{url}");
    }
}

#[test]
fn what_a_gitmodules_file_says_to_run_is_not_run() {
    // git's check on arrival refuses these; so does ours, which reads a path and a URL and nothing else.
    for (field, value) in [("update", "!touch ran"), ("url", "-u./payload"), ("url", "ext::sh -c touch% ran")] {
        let scene = Scene::new();
        scene.commit("base", "#!/bin/sh\necho RAN\n");
        let modules = format!("[submodule \"a\"]\n\tpath = a\n\turl = ../a\n\t{field} = {value}\n");
        fs::write(scene.path("origin/.gitmodules"), modules).unwrap();
        git(&scene.path("origin"), &["add", ".gitmodules"]);
        git(&scene.path("origin"), &["update-index", "--add", "--cacheinfo", &format!("160000,{UNKNOWN},a")]);
        git(&scene.path("origin"), &["commit", "--quiet", "-m", "evil"]);
        scene.register(r#""submodules":"fetch""#);
        let run = scene.run();
        assert!(run.status != 0 && !run.log.contains("RAN"), "{field} {value}: {}", run.log);
    }
}

#[test]
fn a_submodule_whose_commit_is_not_there_fails_and_one_without_a_description_is_refused() {
    let scene = Scene::new();
    repository(&scene, "lib");
    scene.commit("base", "#!/bin/sh\necho RAN\n");
    add_submodule(&scene, "origin", "modules/a", "../lib", UNKNOWN);
    scene.register(r#""submodules":"fetch""#);
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["class"].as_str()), (69, Some("git")), "{}", run.log);
    fs::remove_file(scene.path("origin/.gitmodules")).unwrap();
    git(&scene.path("origin"), &["commit", "--quiet", "--all", "-m", "undescribed"]);
    scene.run().is_refused(77, "incomplete_tree", "no submodule of .gitmodules has this path");
}
