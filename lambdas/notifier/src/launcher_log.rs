//! What the launcher's log says of triggers that wait, or that ended without a build: nobody else learns of them. CloudWatch Logs hands its
//! lines over, soon after they were written; only the launcher writes there.

use std::io::Read;
use std::ops::Range;

use anyhow::{Context, Result};
use aws_smithy_types::base64;
use contract::{Branch, Class, CommitId, Fate, Outcome, ProjectName, is_trigger_id, printable};
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::courier::parcel::Parcel;
use crate::notifier::MAX_REASON_CHARS;

/// CloudWatch hands over some hundred kilobytes at most; more is something else.
const MAX_BYTES: u64 = 16 << 20;
/// Of one kind of refusal a project is told once in this time: as long as SQS takes what has one id for one.
const WINDOW_SECONDS: u64 = 300;
/// Who waits is told once, after a minute. In seconds; as long as that window, so that of its looks in here the first counts.
const WAITS_SECONDS: Range<u64> = 60..60 + WINDOW_SECONDS;

/// What the launcher wrote, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// In seconds since 1970.
    pub time: u64,
    pub text: String,
}

/// News of a trigger, and what makes them one with others.
#[derive(Debug, PartialEq)]
pub struct News {
    pub parcel: Parcel,
    pub id: String,
}

/// The lines of the launcher that an event of CloudWatch Logs brings. None: it is no such event.
pub fn lines(input: &Value) -> Option<Vec<Line>> {
    let data = input.pointer("/awslogs/data")?.as_str()?;
    let lines = unpack(data).inspect_err(|error| tracing::warn!("reading the launcher's lines: {error:#}"));
    Some(lines.unwrap_or_default())
}

fn unpack(data: &str) -> Result<Vec<Line>> {
    let packed = base64::decode(data).context("base64")?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).take(MAX_BYTES).read_to_string(&mut text)?;
    let json: Value = serde_json::from_str(&text)?;
    let events = json["logEvents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |event: &Value| {
        let (time, text) = (event["timestamp"].as_u64()? / 1000, event["message"].as_str()?.to_owned());
        Some(Line { time, text })
    };
    Ok(events.iter().filter_map(line).collect())
}

/// What a line tells, if it is of a trigger that waits or ended without a build, and that somebody may wait for.
pub fn news(Line { time, text }: &Line) -> Option<News> {
    let line: Value = serde_json::from_str(text).ok()?;
    let text = |key| line.get(key).and_then(Value::as_str).unwrap_or_default();
    let outcome = Outcome::ALL.iter().find(|outcome| outcome.as_str() == text("outcome"))?;
    let fate = Fate::ALL.iter().find(|fate| fate.as_str() == text("fate"))?;
    let waited = line.get("WaitSeconds").and_then(Value::as_u64).unwrap_or_default();
    let for_topic = match (outcome, fate) {
        (Outcome::Busy, Fate::Waits) if WAITS_SECONDS.contains(&waited) => false,
        (_, Fate::Waits) => return None,
        (Outcome::Covered, _) => false,
        (Outcome::Refused | Outcome::Expired | Outcome::Failed | Outcome::Superseded, _) => true,
        _ => return None,
    };
    let class = Class::ALL.iter().find(|class| class.as_str() == text("class"));
    let mut report = json!({"outcome": outcome, "reason": printable(text("reason"), MAX_REASON_CHARS)});
    if let Some(class) = class {
        report["class"] = json!(class);
    }
    // Who invents names of projects makes one message, not one a name.
    let project = ProjectName::parse(text("project")).ok().filter(|_| class != Some(&Class::UnknownProject));
    if let Some(project) = &project {
        report["project"] = json!(project);
    }
    if let Ok(branch) = Branch::parse(text("branch")) {
        report["branch"] = json!(branch);
    }
    if let Ok(commit) = CommitId::parse(text("commit")) {
        report["commit"] = json!(commit);
    }
    if is_trigger_id(text("trigger")) {
        report["trigger"] = json!(text("trigger"));
    }
    // By when it was said, however often and late it is heard. Of who waits, by when it was published: of all its looks one is
    // told.
    let window = time.saturating_sub(if *outcome == Outcome::Busy { waited } else { 0 }) / WINDOW_SECONDS;
    // Refusals come in floods. What else ends without a build has waited in the queue, and one push is not another's news.
    let commit = text("commit").chars().next().filter(|_| *outcome != Outcome::Refused);
    let class = class.filter(|_| *outcome != Outcome::Busy).map_or("", |class| class.as_str());
    let id = format!("{outcome}/{class}/{window}/{}", commit.unwrap_or('-'));
    Some(News { parcel: Parcel { for_topic, ..Parcel::new(report) }, id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{COMMIT, EPOCH_SECONDS, awslogs};
    use std::collections::HashSet;

    const TRIGGER: &str = "0e6d1a8b-8f8d-5f0c-9c1e-4d6a6f1f2a3b";

    fn refused(class: Class, project: &str) -> String {
        json!({
            "outcome": "refused", "class": class, "fate": "answered", "project": project, "branch": "main", "commit": COMMIT,
            "trigger": TRIGGER, "reason": "a\u{202e}b", "tries": 1, "Triggers": 1, "lie": "x",
        })
        .to_string()
    }

    fn news(text: &str, time: u64) -> Option<News> {
        super::news(&Line { time, text: text.to_owned() })
    }

    #[test]
    fn lines_are_unpacked_and_noise_is_none() {
        let line = |text: &str| Line { time: EPOCH_SECONDS.try_into().unwrap(), text: text.to_owned() };
        assert_eq!(lines(&awslogs(&["a", "b"])), Some(vec![line("a"), line("b")]));
        assert_eq!(lines(&json!({"sweep": true})), None);
        for noise in ["", "!", "YQ=="] {
            assert_eq!(lines(&json!({"awslogs": {"data": noise}})), Some(Vec::new()), "{noise}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_words_that_passed_a_grammar() {
        let news = news(&refused(Class::BranchNotAllowed, "demo"), 600).unwrap();
        assert_eq!(
            news.parcel.report,
            json!({
                "outcome": "refused", "class": "branch_not_allowed", "reason": "a\\u{202e}b", "project": "demo",
                "branch": "main", "commit": COMMIT, "trigger": TRIGGER,
            })
        );
        assert!(news.parcel.for_topic);
        assert_eq!(news.id, "refused/branch_not_allowed/2/-");
    }

    #[test]
    fn of_one_kind_there_is_one_message_in_five_minutes() {
        let id = |class, seconds| news(&refused(class, "demo"), seconds).unwrap().id;
        assert_eq!(id(Class::BranchNotAllowed, 600), id(Class::BranchNotAllowed, 899));
        assert_ne!(id(Class::BranchNotAllowed, 600), id(Class::BranchNotAllowed, 900));
        assert_ne!(id(Class::BranchNotAllowed, 600), id(Class::CommitRequired, 600));
    }

    #[test]
    fn a_project_that_nobody_registered_is_told_to_nobody_but_the_platform_team() {
        let of = |project| news(&refused(Class::UnknownProject, project), 0).unwrap();
        assert_eq!(of("one").parcel.project(), None);
        assert_eq!(of("one").id, of("two").id);
    }

    #[test]
    fn who_waits_for_a_minute_is_told_once() {
        let line = |waited: u64| {
            json!({
                "outcome": "busy", "class": if waited.is_multiple_of(2) { "building" } else { "in_line" }, "fate": "waits",
                "project": "demo", "commit": COMMIT, "trigger": TRIGGER, "WaitSeconds": waited,
            })
            .to_string()
        };
        let published = 700;
        let told: HashSet<_> =
            (0..5000).filter_map(|waited| Some(news(&line(waited), published + waited)?.id)).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        let [before, first] = [59, 60].map(|waited| news(&line(waited), published + waited));
        assert!(before.is_none() && first.is_some_and(|news| !news.parcel.for_topic));
    }

    #[test]
    fn what_has_not_ended_and_what_a_build_tells_are_no_news_here() {
        let line = |outcome: &str, fate: &str| json!({"outcome": outcome, "fate": fate, "project": "demo"}).to_string();
        for (outcome, fate) in [
            ("busy", "waits"),
            ("failed", "waits"),
            ("refused", "waits"),
            ("started", "answered"),
            ("deployed", "answered"),
            ("refused", "x"),
            ("x", "answered"),
        ] {
            assert_eq!(news(&line(outcome, fate), 0), None, "{outcome} {fate}");
        }
        for (outcome, fate, for_topic) in [
            ("refused", "answered", true),
            ("expired", "given_up", true),
            ("failed", "given_up", true),
            ("superseded", "answered", true),
            ("covered", "answered", false),
        ] {
            assert_eq!(news(&line(outcome, fate), 0).unwrap().parcel.for_topic, for_topic, "{outcome} {fate}");
        }
        assert_eq!(news("START RequestId: 1", 0), None);
    }
}
