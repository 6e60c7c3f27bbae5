//! Any text as a message: never a panic, and what is accepted means the same when it is written again.
#![no_main]

use contract::{ProjectName, Trigger};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let own = ProjectName::parse("own").unwrap();
    if let Ok(trigger) = Trigger::parse_for(&own, text) {
        assert_eq!(trigger.project, own);
    }
    match Trigger::parse(text) {
        Ok(trigger) => {
            let mut message = serde_json::json!({"project": trigger.project, "branch": trigger.branch});
            if let Some(commit) = &trigger.commit {
                message["commit"] = commit.as_str().into();
            }
            assert_eq!(Trigger::parse(&message.to_string()), Ok(trigger));
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.len() < 640 && !shown.contains(char::is_control), "{shown:?}");
        }
    }
});
