//! What the worker says in the build log, one fact a line, for somebody who reads it at night. Foreign text is escaped and
//! cut, and the project's secrets are masked, before a line leaves the process.

use std::io::Write;
use std::time::Duration;

use contract::{Credentials, printable};
use secrecy::{ExposeSecret, SecretString};

/// Longest foreign text in a line, in characters.
const MAX_CHARS: usize = 1000;
/// A shorter secret, or line of a secret, is not masked: replacing it would make the log unreadable and reveal where it was.
const MIN_SECRET_BYTES: usize = 6;

/// Writes the log. Nothing else of the worker prints.
#[derive(Default)]
pub struct Narration {
    secrets: Vec<SecretString>,
}

impl Narration {
    /// From now on, these credentials cannot appear in a line.
    pub fn hide(&mut self, credentials: &Credentials) {
        let secret = match credentials {
            Credentials::Token { token, .. } => token,
            Credentials::Basic { password, .. } => password,
            Credentials::Ssh { private_key, .. } => private_key,
        };
        let lines = secret.expose_secret().lines().map(str::trim).filter(|line| line.len() >= MIN_SECRET_BYTES);
        self.secrets.extend(lines.map(SecretString::from));
    }

    /// Says one fact: `label` is a word of ours, `text` may be foreign.
    pub fn say(&self, label: &str, text: &str) {
        // A log that nobody takes any more is no reason to leave a deployment half done.
        let _ = writeln!(std::io::stdout(), "iwomp: {label:<11} {}", self.line(text));
    }

    /// Writes `line`, which is the last one, as it is.
    pub fn end(&self, line: &str) {
        let _ = writeln!(std::io::stdout(), "{}", self.mask(line));
    }

    /// `text` as it may stand in the log.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        printable(&self.mask(text), MAX_CHARS)
    }

    fn mask(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "***"))
    }
}

/// `1 h 2 min`, `3 min 4 s`, `5.6 s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        3600.. => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        60.. => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hiding(document: &str) -> Narration {
        let mut narration = Narration::default();
        narration.hide(&Credentials::parse(document).unwrap());
        narration
    }

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        for document in [r#"{"authToken":"canary-42"}"#, r#"{"basicUsername":"u","basicPassword":"canary-42"}"#] {
            let line = hiding(document).line("remote: canary-42 is not canary-42, https://canary-42@host");
            assert_eq!(line, "remote: *** is not ***, https://***@host");
        }
    }

    #[test]
    fn each_line_of_a_key_is_masked() {
        let narration = hiding(r#"{"sshPrivateKey":"-----BEGIN KEY-----\r\nabcdefgh\nij\n","knownHosts":"h k v"}"#);
        assert_eq!(narration.line("load key: abcdefgh"), "load key: ***");
    }

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        let line = Narration::default().line(&format!("\x1b[2K\r{}", "x".repeat(2000)));
        assert!(line.starts_with("\\u{1b}[2K\\r") && line.len() < 1030, "{line}");
    }

    #[test]
    fn a_duration_reads_as_people_say_it() {
        for (milliseconds, expected) in [(1234, "1.2 s"), (61_000, "1 min 1 s"), (3_720_000, "1 h 2 min")] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), expected);
        }
    }
}
