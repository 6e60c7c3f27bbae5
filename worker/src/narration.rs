//! What the worker says in the build log, one fact a line, for somebody who reads it at night. Foreign text is escaped and
//! cut, and the project's secrets are masked, before a line leaves the process.

use std::ffi::OsStr;
use std::time::Duration;

use contract::{Credentials, printable};
use secrecy::SecretString;

use crate::environment::{self, Environment};
use crate::mask::Mask;
use crate::process::log;

/// Longest foreign text in a line, in characters.
const MAX_CHARS: usize = 1000;

/// Writes the log. Nothing else of the worker prints.
#[derive(Default)]
pub struct Narration {
    mask: Mask,
}

impl Narration {
    /// From now on, these credentials cannot appear in a line.
    pub fn hide(&mut self, credentials: &Credentials) {
        self.mask.hide(credentials);
    }

    /// From now on, this secret cannot appear in a line.
    pub fn hide_secret(&mut self, secret: &SecretString) {
        self.mask.hide_secret(secret);
    }

    /// From now on, the credentials of the build itself cannot appear in a line, where they are variables of it.
    pub fn hide_secrets_of(&mut self, environment: &Environment) {
        let secrets = environment::SECRETS.iter().filter_map(|name| environment.get(OsStr::new(name))?.to_str());
        secrets.for_each(|secret| self.mask.hide_secret(&secret.to_owned().into()));
    }

    /// For text that others write into the same log.
    #[must_use]
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Says one fact: `label` is a word of ours, `text` may be foreign.
    pub fn say(&self, label: &str, text: &str) {
        log::stdout().say(&format!("iwomp: {label:<11} {}\n", self.line(text)));
    }

    /// Writes `line`, which is for programs, as it is.
    pub fn tell(&self, line: &str) {
        log::stdout().say(&format!("{}\n", self.mask.apply(line)));
    }

    /// Writes `line`, which is the last one, as it is.
    pub fn end(&self, line: &str) {
        log::stdout().end(&format!("{}\n", self.mask.apply(line)));
    }

    /// `text` as it may stand in the log.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        printable(&self.mask.apply(text), MAX_CHARS)
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

    #[test]
    fn credentials_are_masked_in_every_line() {
        let mut narration = Narration::default();
        narration.hide(&Credentials::parse(r#"{"authToken":"canary-42"}"#).unwrap());
        assert_eq!(narration.line("remote: canary-42"), "remote: ***");
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
