//! Every message of `messages.txt` against the strict reader, and against careless ones for comparison.

#![allow(clippy::panic, clippy::unwrap_used)]

mod naive;

use std::collections::BTreeSet;
use std::io::{Write, stderr};

use contract::class::OF_TRIGGERS;
use contract::{Class, Outcome, ProjectName, Trigger, TriggerError};

const TABLE: &str = include_str!("messages.txt");
const ACCEPTED: &str = "accepted";
const BYTE_ORDER_MARK: char = '\u{feff}';

struct Case {
    name: &'static str,
    expected: &'static str,
    message: String,
    /// The message with each word of an attacker replaced by a canary of the same length.
    tainted: String,
}

fn cases() -> Vec<Case> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let [name, expected, written] = line.splitn(3, " | ").collect::<Vec<_>>()[..] else {
                panic!("not three columns: {line}");
            };
            let tainted = written.replace("demo", "Zqx1").replace("main", "Zqx2").replace("evil", "Zqx3");
            Case { name, expected, message: expand(written), tainted: expand(&tainted) }
        })
        .collect()
}

/// Resolves `<U+001B>`, `<text*count>` and, last, `<FILL=bytes>`.
fn expand(written: &str) -> String {
    let mut message = String::new();
    let mut fill = None;
    let mut rest = written;
    while let Some((before, tail)) = rest.split_once('<') {
        let (token, after) = tail.split_once('>').unwrap();
        message.push_str(before);
        if let Some(code) = token.strip_prefix("U+") {
            message.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        } else if let Some(bytes) = token.strip_prefix("FILL=") {
            fill = Some((message.len(), bytes.parse::<usize>().unwrap()));
        } else {
            let (text, count) = token.rsplit_once('*').unwrap();
            message.push_str(&text.repeat(count.parse().unwrap()));
        }
        rest = after;
    }
    message.push_str(rest);
    if let Some((place, bytes)) = fill {
        message.insert_str(place, &"x".repeat(bytes - message.len()));
    }
    message
}

fn outcome(result: &Result<Trigger, TriggerError>) -> &'static str {
    result.as_ref().map_or_else(|error| error.class().as_str(), |_| ACCEPTED)
}

#[test]
fn every_message_has_the_class_that_the_table_says() {
    let cases = cases();
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    let wrong: Vec<_> = cases
        .iter()
        .map(|case| (case, outcome(&Trigger::parse(&case.message))))
        .filter(|(case, found)| case.expected != *found)
        .map(|(case, found)| format!("{}: {found}, not {}", case.name, case.expected))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let refused = OF_TRIGGERS.iter().find(|(outcome, _)| *outcome == Outcome::Refused).unwrap().1;
    let listed = |class: &str| refused.iter().any(|known| known.as_str() == class);
    assert!(cases.iter().all(|case| case.expected == ACCEPTED || listed(case.expected)));
}

#[test]
fn careless_readers_fall_for_them() {
    let cases = cases();
    let hostile: Vec<_> = cases.iter().filter(|case| case.expected != ACCEPTED).collect();
    assert!(hostile.len() >= 150, "only {} hostile messages", hostile.len());
    let caught = hostile.iter().filter(|case| Trigger::parse(&case.message).is_err()).count();
    let mut table = format!("{} hostile messages, {caught} refused by contract::Trigger; taken by\n", hostile.len());
    for variant in naive::VARIANTS {
        // serde_json by itself stumbles over a byte order mark.
        let honest_taken =
            cases.iter().filter(|case| case.expected == ACCEPTED && !case.message.starts_with(BYTE_ORDER_MARK));
        assert!(honest_taken.clone().all(|case| (variant.accepts)(&case.message)), "{} is no reader", variant.name);
        let fallen = hostile.iter().filter(|case| (variant.accepts)(&case.message)).count();
        assert!(fallen >= 15, "{} falls for {fallen} only: is it naive?", variant.name);
        table += &format!("  {fallen:>3}  {}\n", variant.name);
    }
    // Past the test harness's capture: the figures are part of what a run shows.
    write!(stderr(), "{table}").unwrap();
}

#[test]
fn an_error_shows_nothing_of_the_message_but_an_unknown_key_that_is_a_short_word() {
    for Case { name, expected, tainted, .. } in cases() {
        let result = Trigger::parse(&tainted);
        assert_eq!(outcome(&result), expected, "{name}, with canaries");
        let Err(error) = result else { continue };
        let shown = error.to_string();
        let everything = format!("{shown}{error:?}{:?}", chain(&error));
        let invisible = ['\u{61c}', '\u{200b}', '\u{2028}', '\u{202e}', '\u{feff}', '\u{e0041}'];
        assert!(!shown.contains(char::is_control) && !shown.contains(invisible), "{name}: {shown:?}");
        assert!(shown.len() < 360, "{name}: {} bytes: {shown}", shown.len());
        assert!(shown.is_ascii(), "{name}: {shown}");
        assert!(expected == "unknown_key" || !everything.contains("Zqx"), "{name}: {everything}");
        // The canaries of a message with an unknown key stand in values, in all cases but those whose key is the attack.
        assert!(!everything.contains("Zqx3.example") && !everything.contains("role/Zqx3"), "{name}: {everything}");
    }
}

/// All errors below `error`, as a program would log them.
fn chain(error: &TriggerError) -> Vec<String> {
    let mut chain = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        chain.push(format!("{error} {error:?}"));
        source = error.source();
    }
    chain
}

#[test]
fn on_a_projects_own_topic_no_message_reaches_another_project() {
    let own = ProjectName::parse("own").unwrap();
    let mut without_project = 0;
    for Case { name, expected, message, .. } in cases() {
        match Trigger::parse_for(&own, &message) {
            Ok(trigger) => {
                assert_eq!(trigger.project, own, "{name}");
                assert_eq!(expected, "missing_key", "{name}: only the project's name may be left out here");
                without_project += 1;
            }
            Err(error) if expected == ACCEPTED => assert_eq!(error.class(), Class::WrongProject, "{name}"),
            Err(error) => {
                assert!(error.class().as_str() == expected || error == TriggerError::WrongProject, "{name}: {error}")
            }
        }
    }
    assert_eq!(without_project, 1, "the table has one message that lacks nothing but its project");
}

#[test]
fn an_accepted_message_is_understood_as_any_json_reader_would() {
    for Case { name, message, .. } in cases().into_iter().filter(|case| case.expected == ACCEPTED) {
        let trigger = Trigger::parse(&message).unwrap();
        let value: serde_json::Value = serde_json::from_str(message.trim_start_matches(BYTE_ORDER_MARK)).unwrap();
        let branch = value["branch"].as_str().unwrap();
        assert_eq!(value["project"], trigger.project.as_str(), "{name}");
        assert_eq!(branch.strip_prefix("refs/heads/").unwrap_or(branch), trigger.branch.as_str(), "{name}");
        assert_eq!(value["commit"].as_str(), trigger.commit.as_ref().map(|commit| commit.as_str()), "{name}");
    }
}
