//! An operator's way back, seen through the binary: checked like any other commit, recorded after success, and what it was
//! rolled back from is held.

use serde_json::Value;

use crate::LIVE;
use crate::scene::{Run, Scene};

fn record(scene: &Scene) -> Value {
    serde_json::from_str(&scene.ssm.value(LIVE).unwrap()).unwrap()
}

/// A branch of two commits, of which the second is live.
fn bad_head(scene: &Scene) -> (String, String) {
    let good = scene.commit("good", "#!/bin/sh\necho RAN-good\n");
    let bad = scene.commit("bad", "#!/bin/sh\necho RAN-bad\n");
    assert_eq!(scene.run().status, 0);
    (good, bad)
}

fn assert_held(run: &Run) {
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("held")), "{}", run.log);
    assert!(run.log.contains("iwomp release") && !run.log.contains("RAN"), "{}", run.log);
}

#[test]
fn a_rollback_runs_the_older_commit_and_keeps_who_when_from_and_to() {
    let scene = Scene::new();
    let (good, bad) = bad_head(&scene);
    scene.register(r#""requireCommit":true"#);
    let run = scene.run_operators(&[("ROLLBACKTO", &good)]);
    assert_eq!((run.status, run.outcome()["outcome"].as_str()), (0, Some("deployed")), "{}", run.log);
    assert!(run.log.contains("RAN-good") && run.log.contains("says operators/ada"), "{}", run.log);
    let live = record(&scene);
    assert_eq!(
        (&live["commit"], &live["held"], &live["rollback"]["from"], &live["rollback"]["by"]),
        (&good.clone().into(), &bad.clone().into(), &bad.into(), &"operators/ada".into())
    );
    assert!(live["time"].as_str().unwrap().ends_with('Z') && live["trigger"].is_null(), "{live}");
}

#[test]
fn what_was_rolled_back_from_is_held_for_every_trigger_until_something_newer_is_deployed() {
    let scene = Scene::new();
    let (good, bad) = bad_head(&scene);
    assert_eq!(scene.run_operators(&[("ROLLBACKTO", &good)]).status, 0);
    let rolled_back = scene.ssm.value(LIVE);
    assert_held(&scene.run());
    assert_held(&scene.run_with(&[("GITCOMMIT", &bad)]));
    assert_held(&scene.run_with(&[("GITCOMMIT", &good)]));
    assert_held(&scene.run_with(&[("GITCOMMIT", &bad), ("WAITINGCOMMITS", &good)]));
    assert_eq!(scene.ssm.value(LIVE), rolled_back);

    let mended = scene.commit("mended", "#!/bin/sh\necho RAN-mended\n");
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("RAN-mended"), "{}", run.log);
    let live = record(&scene);
    assert!(live["commit"] == mended.as_str() && live["held"].is_null() && live["rollback"].is_null(), "{live}");
}

#[test]
fn a_hold_that_an_operator_released_holds_no_more() {
    let scene = Scene::new();
    let (good, _) = bad_head(&scene);
    assert_eq!(scene.run_operators(&[("ROLLBACKTO", &good)]).status, 0);
    let mut released = record(&scene);
    let held = released.as_object_mut().unwrap().remove("held").unwrap();
    released["release"] = serde_json::json!({"held": held, "by": "ada", "time": "2026-11-23T06:00:00Z"});
    scene.ssm.put(LIVE, "String", &released.to_string());
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("RAN-bad"), "{}", run.log);
}

#[test]
fn a_rollback_that_is_mistyped_or_fails_leaves_nothing_behind() {
    let scene = Scene::new();
    let (good, bad) = bad_head(&scene);
    scene.git(&["checkout", "--quiet", "-b", "fork"]);
    let fork = scene.commit("fork", "#!/bin/sh\necho RAN-fork\n");
    scene.git(&["checkout", "--quiet", "main"]);
    let live = scene.ssm.value(LIVE);
    let nowhere = "0".repeat(40);
    for (name, value, status) in [
        ("GITBRANCH", "mian", 77),
        ("ROLLBACKTO", fork.as_str(), 77),
        ("ROLLBACKTO", &nowhere, 77),
        ("ROLLBACKTO", "main", 78),
        ("PROJECTNAME", "deom", 77),
    ] {
        let run = scene.run_operators(&[("ROLLBACKTO", &good), (name, value)]);
        assert!(run.status == status && !run.log.contains("RAN"), "{value}: {}", run.log);
    }
    assert_eq!(scene.ssm.value(LIVE), live);
    assert!(scene.ssm.value("/iw-deployed/demo/mian").is_none());

    let broken = scene.commit("broken", "#!/bin/sh\nexit 3\n");
    assert_eq!(scene.run_operators(&[("ROLLBACKTO", &broken)]).status, 3);
    assert_eq!(scene.ssm.value(LIVE), live, "the command failed");
    assert_eq!(scene.run_operators(&[("ROLLBACKTO", &bad)]).status, 0);
}

#[test]
fn a_rollback_needs_the_signature_too() {
    let scene = Scene::new();
    let (good, _) = bad_head(&scene);
    scene.register(r#""allowedSigners":"a@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS""#);
    scene.run_operators(&[("ROLLBACKTO", &good)]).is_refused(77, "not_signed", &good);
}
