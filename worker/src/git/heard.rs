//! What a server said by HTTP beside git's own words, as git's trace has it: headers only.

use std::time::Duration;

/// How the media types of git's answers begin. <https://git-scm.com/docs/http-protocol>
const TYPES_OF_GIT: &str = "application/x-git-";

/// What the headers of a server's answers say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// How long it asked to be left alone, in its last answer that did.
    pub(super) retry_after: Option<Duration>,
    /// Whether its last successful answer was none of git's: a page, as a sign-in page or a proxy sends it. git looks at the type
    /// only to tell its protocol from files, takes a page of one line for an empty list of branches, and goes on to ask for HEAD.
    pub(super) is_a_page: bool,
    /// Whether it wanted to know who asks. git keeps the credential to itself until then.
    pub(super) wants_credentials: bool,
}

impl Heard {
    pub(super) fn read(trace: &str) -> Self {
        let headers: Vec<_> =
            trace.lines().filter_map(|line| Some(line.split_once("<= Recv header:")?.1.trim())).collect();
        let named = |headers: &[&'_ str], wanted: &str| {
            let mut pairs = headers.iter().rev().filter_map(|header| header.split_once(':'));
            pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
        };
        let last = headers.iter().rposition(|header| status(header).is_some_and(|code| code.starts_with('2')));
        let answer = last.and_then(|start| headers.get(start..)).unwrap_or_default();
        let length = answer.iter().position(|header| header.is_empty()).unwrap_or(answer.len());
        let kind = named(&answer[..length], "content-type");
        Self {
            retry_after: named(&headers, "retry-after").and_then(|value| wait_asked_for(&value)),
            is_a_page: last.is_some() && !kind.is_some_and(|kind| kind.starts_with(TYPES_OF_GIT)),
            wants_credentials: headers.iter().any(|header| status(header) == Some("401")),
        }
    }
}

/// The status in the first line of an answer.
fn status(header: &str) -> Option<&str> {
    header.starts_with("HTTP/").then(|| header.split(' ').nth(1)).flatten()
}

/// The value of a `Retry-After` header: seconds, or a date. <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
pub(super) fn wait_asked_for(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(date.duration_since(jiff::Timestamp::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_long_to_wait_in_seconds_or_by_a_date() {
        let trace = |header: &str| {
            format!(
                "1 http.c:872 => Send header: Retry-After: 9\n2 http.c:872 <= Recv header: {header}\n3 http.c:872 <= Recv header:\n"
            )
        };
        let wait = |header: &str| Heard::read(&trace(header)).retry_after;
        assert_eq!(wait("Retry-After: 7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("retry-after: 120 "), Some(Duration::from_secs(120)));
        for nothing in
            ["Content-Length: 7", "Retry-After: soon", "Retry-After: -1", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"]
        {
            assert_eq!(wait(nothing), None, "{nothing}");
        }
        let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3600);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&later).unwrap();
        let wait = wait(&format!("Retry-After: {date}")).unwrap().as_secs();
        assert!((3500..=3600).contains(&wait), "{wait}");
    }

    #[test]
    fn a_page_is_told_from_an_answer_of_git() {
        let is_a_page = |headers: &[&str]| {
            let lines = headers.iter().map(|header| format!("1 http.c:872 <= Recv header: {header}\n"));
            Heard::read(&lines.collect::<String>()).is_a_page
        };
        let (ok, git) = ("HTTP/2 200", "content-type: application/x-git-upload-pack-advertisement");
        assert!(is_a_page(&[ok, "content-type: text/html; charset=utf-8", ""]));
        assert!(is_a_page(&["HTTP/1.1 200 OK", "Server: x", ""]), "without a type");
        assert!(is_a_page(&[ok, git, "", ok, "content-type: text/html"]), "to the second question");
        assert!(is_a_page(&[ok, "content-type: text/html", "", "HTTP/2 404", "x: y"]), "git asked for HEAD, too");
        assert!(!is_a_page(&[ok, git, ""]));
        assert!(!is_a_page(&["HTTP/1.1 401 Unauthorized", "Content-Type: text/html", "", ok, git]));
        assert!(!is_a_page(&["HTTP/1.1 503 Unavailable", "Content-Type: text/html"]), "git names the status");
        assert!(!is_a_page(&[]), "nobody answered");
    }

    #[test]
    fn who_asks_for_credentials_is_told_from_who_does_not() {
        let wants = |headers: &[&str]| {
            let lines = headers.iter().map(|header| format!("1 http.c:872 <= Recv header: {header}\n"));
            Heard::read(&lines.collect::<String>()).wants_credentials
        };
        assert!(wants(&["HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Basic", "", "HTTP/1.1 200 OK", ""]));
        assert!(wants(&["HTTP/2 401", "", "HTTP/2 200"]));
        assert!(!wants(&["HTTP/2 200", "x-status: 401"]) && !wants(&["HTTP/2 403"]) && !wants(&[]));
    }
}
