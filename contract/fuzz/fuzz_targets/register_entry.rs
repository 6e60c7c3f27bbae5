//! Any text as a register entry, alone and over itself as the default: never a panic, and no way out of the checkout.
#![no_main]

use std::path::Component;

use contract::register::{Document, Project, Storage};
use contract::{Branch, GitUrl};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for storage in [Storage::Plain, Storage::Encrypted] {
        let document = Document { text, storage };
        for default in [None, Some(document)] {
            let Ok(project) = Project::read(document, default) else { continue };
            assert!(storage == Storage::Encrypted || project.credentials.is_none());
            assert_eq!(GitUrl::parse(project.git_url.as_str()).as_ref(), Ok(&project.git_url));
            let mut parts = project.deploy_dir.as_path().components();
            assert!(parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)));
            let _ = project.branches.allow(&Branch::parse("main").unwrap());
        }
    }
});
