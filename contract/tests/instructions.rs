//! What is read for every trigger. local/tests/test_instructions.py counts the processor's instructions in `counted_instructions`,
//! and nowhere else.

#![allow(clippy::unwrap_used)]

use contract::register::{Document, Storage};
use contract::{Project, Trigger};

const MESSAGE: &str =
    r#"{"project":"shop","branch":"release/2026-11","commit":"0123456789abcdef0123456789abcdef01234567"}"#;
const ENTRY: &str = r#"{"gitUrl":"https://git.example/group/shop.git","command":["./deploy.sh","prod"],
    "deployDir":"infra/shop","branches":["main","release/*"],"requireCommit":true,"submodules":"fetch",
    "environment":{"STAGE":"prod"},"deployRoleArn":"arn:aws:iam::123456789012:role/deploy/shop"}"#;
const DEFAULT: &str = r#"{"unchanged":"skip","lfs":"ignore"}"#;

#[inline(never)]
fn counted_instructions() -> (Trigger, Project) {
    let [entry, default] = [ENTRY, DEFAULT].map(|text| Document { text, storage: Storage::Plain });
    (Trigger::parse(MESSAGE).unwrap(), Project::read(entry, Some(default)).unwrap())
}

#[test]
fn a_trigger_and_an_entry_are_read() {
    let (trigger, project) = counted_instructions();
    assert_eq!(trigger.project.as_str(), "shop");
    assert!(project.branches.allow(&trigger.branch) && project.accepts(trigger.commit.as_ref()));
}
