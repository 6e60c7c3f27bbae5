use super::*;

const T0: SystemTime = SystemTime::UNIX_EPOCH;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Builds of the head of another branch: when each began and ended, in seconds after `since`.
pub(crate) fn history(since: SystemTime, builds: &[(u64, Option<u64>)]) -> History {
    let build = |(number, &(began, ended)): (usize, &(u64, Option<u64>))| PastBuild {
        id: format!("iwomp-in-aws--demo:{number}"),
        trigger: None,
        branch: Some("other".to_owned()),
        commit: None,
        waiting: Vec::new(),
        is_rollback: false,
        status: Some(if ended.is_some() { StatusType::Succeeded } else { StatusType::InProgress }),
        began: since + seconds(began),
        ended: ended.map(|ended| since + seconds(ended)),
    };
    History { builds: builds.iter().enumerate().map(build).collect(), goes_on: false }
}

/// One that began then, and past ones of these lengths.
fn running_since(began: u64, lengths: impl IntoIterator<Item = u64>) -> History {
    let past = lengths.into_iter().map(|length| (0, Some(length)));
    history(T0, &std::iter::once((began, None)).chain(past).collect::<Vec<_>>())
}

#[test]
fn a_look_is_due_when_one_in_ten_would_have_ended_of_those_that_take_longer() {
    let hundreds = || (1..=10).map(|length| 100 * length);
    for (ran, lengths, expected) in [
        (0, (1..=40).map(|length| 10 * length).collect(), 50),
        (250, hundreds().collect(), 50),
        (290, hundreds().collect(), 12),   // ten seconds are too often
        (1200, hundreds().collect(), 150), // longer than all: a quarter of the usual 600
        (0, vec![2400; 3], 600),
        (0, vec![20; 3], 12),
        (900, vec![], 12),
    ] {
        let look = running_since(5000, lengths).next_look(T0 + seconds(5000 + ran));
        assert_eq!(look, Some(seconds(expected)), "after {ran} s");
    }
    assert_eq!(history(T0, &[(0, Some(100))]).next_look(T0 + seconds(200)), None, "nothing runs");
}

#[test]
fn a_build_that_was_started_runs_and_those_that_are_over_are_known_still() {
    let trigger = Trigger::parse(r#"{"project":"demo","branch":"main"}"#).unwrap();
    let before = running_since(50, [400, 400]);
    let now = T0 + seconds(500);
    let after = before.with_started("iwomp-in-aws--demo:new", &trigger, "its-trigger", &[], now);
    assert_eq!(after.running(), Some(("iwomp-in-aws--demo:new", now)), "one at a time: the other has ended");
    assert!(after.has_build_of("its-trigger"));
    assert_eq!(after.usual_length(), Some(seconds(400)));
    let none = History::default().with_started("iwomp-in-aws--demo:new", &trigger, "its-trigger", &[], now);
    assert!(!none.reaches(T0 + seconds(500)), "what else there was is not known");
    assert_eq!(none.next_look(now), Some(SHORTEST_LOOK));
}
