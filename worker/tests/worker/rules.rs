//! The register's rules about commits, each seen through the binary.

use crate::scene::Scene;

#[test]
fn a_trigger_without_commit_is_refused_where_the_register_wants_one() {
    let scene = Scene::new();
    let commit = scene.commit("one", "#!/bin/sh\necho RAN\n");
    scene.register(r#""requireCommit":true"#);
    let run = scene.run();
    run.is_refused(77, "commit_required", "the trigger names no commit");
    assert!(!run.log.contains("RAN") && !run.log.contains("fetching"), "{}", run.log);
    let run = scene.run_with(&[("GITCOMMIT", &commit)]);
    assert!(run.status == 0 && run.log.contains("RAN"), "{}", run.log);
}

#[test]
fn a_commit_that_came_by_a_merge_is_refused_unless_the_register_allows_it() {
    let scene = Scene::new();
    scene.commit("base", "#!/bin/sh\n");
    scene.git(&["checkout", "--quiet", "-b", "side"]);
    let side = scene.commit("side", "#!/bin/sh\necho RAN-side\n");
    scene.git(&["checkout", "--quiet", "main"]);
    scene.git(&["merge", "--quiet", "--no-ff", "-m", "merge", "side"]);
    let run = scene.run_with(&[("GITCOMMIT", &side)]);
    run.is_refused(77, "commit_not_on_branch", "not on its first-parent line");
    assert!(run.log.contains("set firstParent to false") && !run.log.contains("RAN"), "{}", run.log);

    scene.register(r#""firstParent":false"#);
    let run = scene.run_with(&[("GITCOMMIT", &side)]);
    assert!(run.status == 0 && run.log.contains("RAN-side"), "{}", run.log);
}
