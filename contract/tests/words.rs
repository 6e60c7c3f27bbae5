//! The words and exit statuses elsewhere: in docs/operations.md, where people look them up, and in words.json, where Python reads
//! them.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use contract::class::{ENDS_OF_BUILDS, ENDS_OF_TRIGGERS, OF_ENDED_BUILDS, OF_TRIGGERS, Said};
use contract::failure::{Kind, exit_status};
use contract::{Class, Event, Fate, Outcome};
use serde_json::{Value, json};

type Classes = BTreeMap<String, Vec<&'static str>>;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn by_outcome(said: &[Said]) -> Classes {
    said.iter().map(|(outcome, classes)| (outcome.to_string(), words(classes))).collect()
}

fn words(classes: &[Class]) -> Vec<&'static str> {
    let mut words: Vec<_> = classes.iter().map(|class| class.as_str()).collect();
    words.sort_unstable();
    words
}

fn by_exit_status() -> Classes {
    let mut classes = BTreeMap::<_, Vec<_>>::new();
    for kind in Kind::WITH_STATUS_OF_OURS {
        classes.entry(kind.exit_status().to_string()).or_default().push(kind.class());
    }
    classes.into_iter().map(|(status, classes)| (status, words(&classes))).collect()
}

/// The rows of the tables under a heading: for each word or number of the first column, the words of the second, in all rows.
fn table(heading: &str) -> Classes {
    let manual: &'static str = fs::read_to_string(repository().join("docs/operations.md")).unwrap().leak();
    let (_, chapter) = manual.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let chapter = chapter.split("\n#").next().unwrap();
    let mut found = Classes::new();
    for row in chapter.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, first, second, ..] = cells[..] else { panic!("no two columns: {row}") };
        for key in first.split(", ") {
            found.entry(key.trim_matches('`').to_owned()).or_default().extend(in_backticks(second));
        }
    }
    found.values_mut().for_each(|words| words.sort_unstable());
    found
}

fn in_backticks(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_manual_has_each_class_under_its_exit_status_and_under_no_other() {
    let mut table = table("## A build fails");
    assert_eq!(table.remove("the command's"), Some(vec![Class::CommandFailed.as_str()]));
    assert_eq!(table, by_exit_status());
}

#[test]
fn the_manual_has_each_class_under_its_outcome_and_under_no_other() {
    assert_eq!(table("## Nothing happens after a publish"), by_outcome(OF_TRIGGERS), "what the launcher says");
    assert_eq!(table("## To be told"), by_outcome(OF_ENDED_BUILDS), "what the notifier says");
}

#[test]
fn the_manual_has_each_event() {
    let table = table("### Events");
    let events: Vec<_> = Event::ALL.iter().map(|event| event.as_str()).collect();
    assert_eq!(table.keys().collect::<Vec<_>>(), events);
    assert!(table.values().flatten().all(|word| Class::ALL.iter().any(|class| class.as_str() == *word)), "{table:?}");
}

#[test]
fn the_manual_has_each_fate() {
    let fates: Vec<_> = Fate::ALL.iter().map(|fate| fate.as_str()).collect();
    assert_eq!(table("### Fates").keys().collect::<Vec<_>>(), fates);
}

#[test]
fn words_json_says_the_same() {
    let expected = json!({
        "classes": Class::ALL,
        "launcher": {"ends": ENDS_OF_TRIGGERS, "fates": Fate::ALL, "says": by_outcome(OF_TRIGGERS)},
        "notifier": {"events": Event::ALL, "says": by_outcome(OF_ENDED_BUILDS)},
        "outcomes": Outcome::ALL,
        "worker": {
            "ends_with_0": ENDS_OF_BUILDS,
            "exit_statuses": by_exit_status(),
            "refused": exit_status::REFUSED,
        },
    });
    let path = repository().join("contract/words.json");
    let text = fs::read_to_string(&path).unwrap_or_default();
    if serde_json::from_str::<Value>(&text).ok().as_ref() != Some(&expected) {
        fs::write(&path, format!("{expected:#}\n")).unwrap();
        panic!(
            "contract/words.json was out of date, and is now what the types say: look at the difference and commit it"
        );
    }
}

#[test]
fn every_word_has_one_meaning() {
    let mut words: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).collect();
    words.sort_unstable();
    let all = words.len();
    words.dedup();
    assert_eq!(words.len(), all);
    let grammar = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let events = Event::ALL.iter().map(|event| event.as_str());
    let outcomes = Outcome::ALL.iter().map(|outcome| outcome.as_str());
    assert!(words.into_iter().chain(events).chain(outcomes).all(grammar));
}
