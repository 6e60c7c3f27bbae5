//! A machine that has too little of something: the outcome says of what.

use std::process::Command;

use crate::scene::{Run, Scene};

/// The worker with so many files that it may have open.
fn run_with_files(scene: &Scene, limit: u32) -> Run {
    let worker = scene.worker(&[]);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\"")]).arg(worker.get_program()).env_clear();
    command.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Run::of(command.output().unwrap())
}

#[test]
fn with_too_few_descriptors_there_is_an_outcome_that_says_so() {
    let scene = Scene::new();
    scene.commit("first", "#!/bin/sh\n");
    // Fewer, and not even its libraries can be loaded.
    for limit in [4, 6, 9, 12, 20, 40] {
        let run = run_with_files(&scene, limit);
        let outcome = run.outcome();
        assert_eq!((run.status, outcome["class"].as_str()), (69, Some("machine")), "{limit}: {}", run.log);
        assert_eq!((outcome["project"].as_str(), outcome["branch"].as_str()), (Some("demo"), Some("main")));
        assert!(!run.log.contains("panicked"), "{limit}: {}", run.log);
    }
    let run = run_with_files(&scene, 64);
    assert_eq!(run.status, 0, "{}", run.log);
}

#[test]
fn a_tree_deeper_than_files_can_be_open_is_deployed_and_removed() {
    let scene = Scene::new();
    let depth = 400;
    let directory = scene.path("origin").join(vec!["d"; depth].join("/"));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("file"), "deep").unwrap();
    scene.commit("deep", &format!("#!/bin/sh\ncat {}/file\n", vec!["d"; depth].join("/")));
    let run = run_with_files(&scene, 64);
    assert!(run.status == 0 && run.log.contains("deep"), "{}", run.log);
    assert_eq!(std::fs::read_dir(scene.path("tmp")).unwrap().count(), 0, "{}", run.log);
}
