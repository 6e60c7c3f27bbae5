//! One build answers all that waits for its branch, seen through the binary.

use contract::{Branch, Seen};

use crate::LIVE;
use crate::scene::Scene;

const SEEN: &str = "/iw-deployed/demo";

fn script(name: &str) -> String {
    format!("#!/bin/sh\necho RAN-{name}\n")
}

#[test]
fn of_the_commits_that_wait_the_newest_that_may_run_is_deployed_and_never_one_that_nobody_named() {
    let scene = Scene::new();
    let [one, two, three, _four] = ["one", "two", "three", "four"].map(|name| scene.commit(name, &script(name)));
    scene.git(&["checkout", "--quiet", "-b", "fork"]);
    let fork = scene.commit("fork", &script("fork"));
    scene.git(&["checkout", "--quiet", "main"]);
    let waiting = [fork, three.clone(), two.clone(), "0".repeat(40)].join(" ");
    let run = scene.run_with(&[("GITCOMMIT", &one), ("WAITINGCOMMITS", &waiting)]);
    assert_eq!((run.status, run.outcome()["commit"].as_str()), (0, Some(three.as_str())), "{}", run.log);
    assert!(run.log.contains("RAN-three"), "{}", run.log);
    for (commit, fate) in [(&one, "superseded: a newer one"), (&two, "superseded: a newer one"), (&three, "covered")] {
        assert!(run.log.contains(&format!("iwomp: waits       {commit} is {fate}")), "{}", run.log);
    }
    // The other way round: the own commit is the newest.
    let four = scene.git(&["rev-parse", "main"]);
    let run = scene.run_with(&[("GITCOMMIT", &four), ("WAITINGCOMMITS", &two)]);
    assert!(run.log.contains("RAN-four"), "{}", run.log);
    // Nothing that is handed over goes back.
    let run = scene.run_with(&[("GITCOMMIT", &one), ("WAITINGCOMMITS", &format!("{two} {three}"))]);
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("superseded")), "{}", run.log);
}

#[test]
fn a_commit_that_waits_runs_although_the_own_one_is_refused() {
    let scene = Scene::new();
    let good = scene.commit("good", &script("good"));
    let run = scene.run_with(&[("GITCOMMIT", &"0".repeat(40)), ("WAITINGCOMMITS", &good)]);
    assert!(run.status == 0 && run.log.contains("RAN-good"), "{}", run.log);
    // And without one that may run, the own one is refused as ever.
    let nowhere = "1".repeat(40);
    let run = scene.run_with(&[("GITCOMMIT", &"0".repeat(40)), ("WAITINGCOMMITS", &nowhere)]);
    run.is_refused(77, "commit_not_on_branch", &"0".repeat(40));
}

#[test]
fn a_pinned_build_notes_which_commits_are_not_older_than_what_is_live() {
    let scene = Scene::new();
    let [one, two, three] = ["one", "two", "three"].map(|name| scene.commit(name, &script(name)));
    let seen = || {
        let seen = Seen::parse(&scene.ssm.value(SEEN).unwrap()).unwrap();
        let branch = seen.of(&Branch::parse("main").unwrap()).unwrap().clone();
        (branch.commits.iter().map(|commit| commit.as_str().to_owned()).collect::<Vec<_>>(), branch.whole)
    };
    assert_eq!(scene.run_with(&[("GITCOMMIT", &two)]).status, 0);
    assert_eq!(seen(), (vec![three.clone(), two.clone()], true));
    // Superseded, refused or failed: what is live stays, and so does what may come.
    assert_eq!(scene.run_with(&[("GITCOMMIT", &one)]).outcome()["outcome"], "superseded");
    assert_eq!(seen(), (vec![three.clone(), two.clone()], true));
    assert_eq!(scene.run_with(&[("GITCOMMIT", &"0".repeat(40))]).status, 77);
    assert_eq!(seen(), (vec![three.clone(), two], true));
    let broken = scene.commit("broken", "#!/bin/sh\nexit 1\n");
    assert_eq!(scene.run_with(&[("GITCOMMIT", &three)]).status, 0);
    assert_eq!(scene.run_with(&[("GITCOMMIT", &broken)]).status, 1);
    assert_eq!(seen(), (vec![broken, three], true));
}

#[test]
fn a_branch_that_is_not_there_is_noted_as_one_of_which_nothing_may_run() {
    let scene = Scene::new();
    let commit = scene.commit("one", &script("one"));
    let seen = || {
        let seen = Seen::parse(&scene.ssm.value(SEEN)?).unwrap();
        seen.of(&Branch::parse("master").unwrap()).map(|branch| (branch.commits.len(), branch.whole))
    };
    // For the head there is nothing to note.
    assert_eq!(scene.run_with(&[("GITBRANCH", "master")]).status, 69);
    assert_eq!(seen(), None);
    assert_eq!(scene.run_with(&[("GITBRANCH", "master"), ("GITCOMMIT", &commit)]).status, 69);
    assert_eq!(seen(), Some((0, true)));
}

#[test]
fn a_build_of_the_head_notes_nothing_and_a_note_that_cannot_be_read_is_written_anew() {
    let scene = Scene::new();
    let commit = scene.commit("one", &script("one"));
    assert_eq!(scene.run().status, 0);
    assert!(scene.ssm.value(SEEN).is_none() && scene.ssm.value(LIVE).is_some());
    scene.ssm.put(SEEN, "String", "garbage");
    assert_eq!(scene.run_with(&[("GITCOMMIT", &commit)]).status, 0);
    assert!(Seen::parse(&scene.ssm.value(SEEN).unwrap()).is_ok());
}
