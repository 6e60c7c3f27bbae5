//! A program of its own, since it changes what holds for the whole process.

use rustix::process::{DumpableBehavior, dumpable_behavior};
use worker::process::privacy;

#[test]
fn our_memory_is_closed_to_other_processes_of_the_same_user() {
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
    privacy::close_memory().unwrap();
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
}
