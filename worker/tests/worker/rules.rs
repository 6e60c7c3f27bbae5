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
    run.is_refused(77, "commit_not_on_branch", "not on the head's first-parent line");
    assert!(run.log.contains("Set firstParent to false") && !run.log.contains("RAN"), "{}", run.log);

    scene.register(r#""firstParent":false"#);
    let run = scene.run_with(&[("GITCOMMIT", &side)]);
    assert!(run.status == 0 && run.log.contains("RAN-side"), "{}", run.log);
}

/// Merges the branch into the side branch and pushes that as the branch, which a `git pull` and a `git push` do. Returns the
/// side's commit, the head that the branch had, and the merge.
fn foxtrot(scene: &Scene) -> [String; 3] {
    scene.commit("base", "#!/bin/sh\necho RAN-base\n");
    scene.git(&["checkout", "--quiet", "-b", "side"]);
    let side = scene.commit("side", "#!/bin/sh\necho RAN-side\n");
    scene.git(&["checkout", "--quiet", "main"]);
    let former = scene.commit("former head", "#!/bin/sh\necho RAN-former\n");
    scene.git(&["checkout", "--quiet", "side"]);
    scene.git(&["merge", "--quiet", "--strategy=ours", "-m", "merge main", "main"]);
    scene.git(&["checkout", "--quiet", "-B", "main"]);
    [side, former, scene.git(&["rev-parse", "HEAD"])]
}

#[test]
fn after_a_foxtrot_merge_the_refusals_say_how_the_commits_stand() {
    let scene = Scene::new();
    let [side, former, merge] = foxtrot(&scene);
    let run = scene.run_with(&[("GITCOMMIT", &former)]);
    run.is_refused(77, "commit_not_on_branch", "branch main has it by way of a merge");
    assert!(run.log.contains("foxtrot") && !run.log.contains("never"), "{}", run.log);

    // On the line now, whatever it was before: git keeps no record of heads.
    assert_eq!(scene.run_with(&[("GITCOMMIT", &side)]).status, 0);
    scene.register(r#""firstParent":false"#);
    let run = scene.run_with(&[("GITCOMMIT", &former)]);
    run.is_refused(77, "not_forward", "on two lines that a merge joined");
    for word in ["rewritten", "rollback", "RAN"] {
        assert!(!run.log.contains(word), "{word}: {}", run.log);
    }
    assert!(run.log.contains("trigger with the merge that joined them"), "{}", run.log);
    assert_eq!(scene.run_with(&[("GITCOMMIT", &merge)]).outcome()["outcome"], "deployed");
}

#[test]
fn where_the_register_wants_the_head_an_older_commit_is_superseded() {
    let scene = Scene::new();
    let [side, former, merge] = foxtrot(&scene);
    scene.register(r#""pinned":"head""#);
    for older in [&side, &former] {
        let run = scene.run_with(&[("GITCOMMIT", older)]);
        let outcome = run.outcome();
        assert_eq!((run.status, outcome["outcome"].as_str()), (0, Some("superseded")), "{}", run.log);
        assert_eq!(outcome["commit"], older.as_str());
        assert!(outcome["reason"].as_str().unwrap().contains("the register wants its head"), "{}", run.log);
        assert!(!run.log.contains("RAN"), "{}", run.log);
    }
    scene.git(&["checkout", "--quiet", "-b", "fork"]);
    let fork = scene.commit("fork", "#!/bin/sh\necho RAN\n");
    scene.run_with(&[("GITCOMMIT", &fork)]).is_refused(77, "commit_not_on_branch", "branch main does not have it");
    assert_eq!(scene.run_with(&[("GITCOMMIT", &merge)]).outcome()["outcome"], "deployed");
    assert_eq!(scene.run().outcome()["outcome"], "deployed");
}
