//! The grammar of branches, and the form in which a branch stands in names of AWS, whose grammars know fewer characters.

use crate::name::{Branch, Broken};

/// SSM allows 15 levels in a parameter name; `/<config path>-deployed/<project>/` takes two, one is kept in reserve.
const MAX_SEGMENTS: usize = 12;
/// As encoded: what SSM takes in a name and IAM in a tag, with room to spare.
const MAX_ENCODED_BYTES: usize = 200;
/// What people and their tools put into branches beside letters and digits. SSM knows the first three only; the others are
/// encoded. None of them lets a shell do anything but complain, and a word never begins with one.
const PLAIN: &[u8] = b"._-";
const ENCODED: &[u8] = b"#+@(),";
/// Begins an encoded character, two hexadecimal digits follow. No branch holds it: it is a range to git.
const ESCAPE: &str = "..";

impl Branch {
    /// The branch in letters, digits and `.` `_` `-` `/`: itself, if it has no other characters, and else with `..` and two
    /// hexadecimal digits for each of them. No two branches have one form.
    ///
    /// ```
    /// let branch = contract::Branch::parse("fix/#12").unwrap();
    /// assert_eq!(branch.encoded(), "fix/..2312");
    /// assert_eq!(contract::Branch::decode("fix/..2312"), Some(branch));
    /// ```
    #[must_use]
    pub fn encoded(&self) -> String {
        encode(self.as_str())
    }

    /// The branch whose encoded form is `text`, if there is one.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let mut decoded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(place) = rest.find(ESCAPE) {
            // Of three dots, the first is one of the branch's own.
            let place = if rest[place..].starts_with("...") { place + 1 } else { place };
            decoded.push_str(&rest[..place]);
            let digits = rest.get(place + 2..place + 4)?;
            decoded.push(char::from(u8::from_str_radix(digits, 16).ok()?));
            rest = &rest[place + 4..];
        }
        decoded.push_str(rest);
        // What is not the form that we write is not a name that we gave.
        Self::parse(&decoded).ok().filter(|branch| branch.encoded() == text)
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) if ENCODED.contains(&byte) => encoded.push_str(&format!("{ESCAPE}{byte:02x}")),
            _ => encoded.push(c),
        }
    }
    encoded
}

pub(crate) fn check(text: &str) -> Result<(), Broken> {
    if text == "HEAD" || text.starts_with("refs/") {
        return Err("must be the short name of a branch, not HEAD and not a full ref".into());
    }
    if matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("must not look like a commit id".into());
    }
    let is_known = |c: char| c.is_ascii_alphanumeric() || c == '/' || PLAIN.contains(&as_byte(c)) || is_encoded(c);
    if let Some(character) = text.chars().find(|&c| !is_known(c)) {
        return Err(Broken { rule: "must be of A-Z a-z 0-9 . _ - # + @ ( ) , and /", character: Some(character) });
    }
    if encode(text).len() > MAX_ENCODED_BYTES {
        return Err("must be at most 200 bytes long, of which # + @ ( ) and , take four each".into());
    }
    if text.split('/').count() > MAX_SEGMENTS {
        return Err("must have at most 12 segments".into());
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return Err("must start with a letter, digit or _".into());
    }
    text.split('/').try_for_each(check_segment).map_err(Broken::from)
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    if segment.is_empty() || segment.starts_with(['.', '-']) {
        return Err("must not start or end with /, and no segment may be empty or start with . or -");
    }
    if segment.contains(ESCAPE) || segment.ends_with('.') || segment.ends_with(".lock") {
        return Err("must not contain .. and no segment may end in . or .lock");
    }
    Ok(())
}

fn is_encoded(c: char) -> bool {
    ENCODED.contains(&as_byte(c))
}

/// NUL for what is not ASCII: no set of characters here holds it.
fn as_byte(c: char) -> u8 {
    if c.is_ascii() { c as u8 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_a_short_name_that_means_nothing_to_a_shell() {
        for good in [
            "main",
            "release/1.2",
            "feature/a_b-c",
            "_x",
            "1",
            "v1.0.0",
            "a/b/c/d/e/f/g/h/i/j/k/l",
            "dependabot/npm_and_yarn/foo-1.2.3",
            "dependabot/npm_and_yarn/@types/node-20.1.0",
            "renovate/@types+node",
            "feature/ABC-123_(x)",
            "fix/#12",
            "c++",
            "a,b",
        ] {
            assert!(Branch::parse(good).is_ok(), "{good}");
        }
        let (too_long, too_long_encoded) = ("x".repeat(201), format!("{}#", "x".repeat(197)));
        let (sha1, sha256) = ("A".repeat(40), "0".repeat(64));
        for bad in [
            "",
            "/",
            "/main",
            "main/",
            "a//b",
            "-main",
            "a/-b",
            ".main",
            "a/.b",
            "a..b",
            "main.",
            "a./b",
            "main.lock",
            "a.lock/b",
            "HEAD",
            "refs/heads/main",
            "main\n",
            "$(touch${IFS}x)",
            "a;b",
            "a b",
            "a\"b",
            "a'b",
            "mäin",
            "@",
            "a@{1}",
            "a~1",
            "a^",
            "a:b",
            "+a",
            "#a",
            "@a",
            "(a)",
            "--upload-pack=x",
            "a/b/c/d/e/f/g/h/i/j/k/l/m",
            "a\\b",
            "a*",
            "a=b",
            "a&b",
            "a|b",
            "a<b",
            "a`b`",
            "a%b",
            "a!b",
            &too_long,
            &too_long_encoded,
            &sha1,
            &sha256,
        ] {
            assert!(Branch::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Branch::parse(&format!("{}#", "x".repeat(196))).is_ok());
    }

    #[test]
    fn an_error_names_the_character_and_shows_no_other_of_the_text() {
        for (text, named) in [
            ("evil;id", "it has \";\""),
            ("evil$(id)", "it has \"$\""),
            ("evil branch", "it has a blank"),
            ("evil\x1b[31m", "it has U+001B"),
            ("evil\u{202e}", "it has U+202E"),
            ("evilä", "it has U+00E4"),
        ] {
            let error = Branch::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("branch must be of A-Z") && error.ends_with(named), "{error}");
            assert!(!error.contains("evil") && error.is_ascii() && !error.contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn a_plain_name_is_its_own_encoded_form_and_an_encoded_one_has_no_other_reading() {
        for plain in ["main", "release/1.2", "a/b-c_d"] {
            assert_eq!(Branch::parse(plain).unwrap().encoded(), plain);
        }
        for (branch, encoded) in [("a.#b", "a...23b"), ("fix/#12", "fix/..2312"), ("x/@+(),", "x/..40..2b..28..29..2c")]
        {
            assert_eq!(Branch::parse(branch).unwrap().encoded(), encoded);
            assert_eq!(Branch::decode(encoded).unwrap().as_str(), branch);
        }
        for none in ["a..", "a..2", "a..zz", "a..61", "a..2B", "a..2f", "a....23", "a..é", "a..+1", "a#b", "", "a..2e"]
        {
            assert_eq!(Branch::decode(none), None, "{none:?}");
        }
    }
}
