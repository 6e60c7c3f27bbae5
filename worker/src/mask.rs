//! Takes a project's secrets out of text: as they are, and as programs write them in URLs, in JSON and in base64, of one line or
//! of many. It helps
//! against accidents; who wants to print a secret finds a form that is not known here.

use contract::Credentials;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::process::Filter;

const MARK: &[u8] = b"***";
/// A shorter secret, or line of a secret, is not masked: replacing it would make the log unreadable and reveal where it was.
const MIN_SECRET_BYTES: usize = 6;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Begins and ends a key, and is the same in every key.
const ARMOUR: &str = "-----";

/// Most bytes of line ends and indentation between two letters of what is written over several lines.
const MAX_BREAK_BYTES: usize = 40;

type Secret = Zeroizing<Vec<u8>>;

/// A secret as it may be written.
#[derive(Clone, PartialEq, Eq)]
struct Form {
    letters: Secret,
    lines: Lines,
}

/// Whether a form may be written over several lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    /// As `base64` and PEM do, each with a length of line of its own.
    Several,
}

/// What must not be seen.
#[derive(Default)]
pub struct Mask {
    /// By their first byte.
    forms: Vec<Vec<Form>>,
    /// Which two bytes a form may begin with: most of a text is passed by, as none does there.
    beginnings: Option<Box<[bool; 1 << 16]>>,
}

impl Mask {
    /// From now on, these credentials are masked.
    pub fn hide(&mut self, credentials: &Credentials) {
        let secret = match credentials {
            Credentials::Token { token, .. } => token,
            Credentials::Basic { password, .. } => password,
            Credentials::Ssh { private_key, .. } => private_key,
        };
        self.hide_secret(secret);
    }

    /// From now on, this secret is masked, line by line.
    pub fn hide_secret(&mut self, secret: &SecretString) {
        for line in secret.expose_secret().lines().map(str::trim) {
            if line.len() >= MIN_SECRET_BYTES && !line.starts_with(ARMOUR) {
                forms(line).into_iter().for_each(|form| self.add(form));
            }
        }
    }

    fn add(&mut self, form: Form) {
        self.forms.resize(256, Vec::new());
        let beginnings = self.beginnings.get_or_insert_with(|| Box::new([false; 1 << 16]));
        for second in form.second_bytes() {
            beginnings[pair(form.letters[0], second)] = true;
        }
        let same_start = &mut self.forms[usize::from(form.letters[0])];
        if !same_start.contains(&form) {
            same_start.push(form);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// `text` without secrets.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut stream = self.stream();
        let mut masked = stream.push(text.as_bytes());
        masked.extend(stream.rest());
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// For text that comes in pieces.
    #[must_use]
    pub fn stream(&self) -> MaskedStream<'_> {
        MaskedStream { mask: self, held: Zeroizing::default() }
    }

    fn starting_with(&self, byte: u8) -> &[Form] {
        self.forms.get(usize::from(byte)).map_or(&[], Vec::as_slice)
    }

    /// How many bytes at the start of `text` no form begins with. A form may begin with the last byte, whatever comes next.
    fn clear_bytes(&self, text: &[u8]) -> usize {
        // Several at a time: nothing but this costs something for every byte.
        const STEP: usize = 8;
        let Some(beginnings) = &self.beginnings else { return text.len() };
        let begins = |two: &[u8]| beginnings[pair(two[0], two[1])];
        let mut start = 0;
        while let Some(block) = text.get(start..=start + STEP)
            && !block.windows(2).any(begins)
        {
            start += STEP;
        }
        let found = text[start..].windows(2).position(begins);
        found.map(|place| start + place).unwrap_or_else(|| match text.last() {
            Some(&last) if !self.starting_with(last).is_empty() => text.len() - 1,
            _ => text.len(),
        })
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(u16::from_le_bytes([first, second]))
}

/// Text on its way through a [`Mask`]. It holds back what may be the beginning of a secret, and nothing else.
pub struct MaskedStream<'a> {
    mask: &'a Mask,
    held: Zeroizing<Vec<u8>>,
}

impl Filter for MaskedStream<'_> {
    fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        self.show(false)
    }

    fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    fn rest(&mut self) -> Vec<u8> {
        self.show(true)
    }
}

impl MaskedStream<'_> {
    fn show(&mut self, is_end: bool) -> Vec<u8> {
        if self.mask.is_empty() {
            return std::mem::take(&mut *self.held);
        }
        let mut shown = Vec::with_capacity(self.held.len());
        let mut position = 0;
        while position < self.held.len() {
            let clear = self.mask.clear_bytes(&self.held[position..]);
            shown.extend_from_slice(&self.held[position..position + clear]);
            position += clear;
            let ahead = &self.held[position..];
            let Some(&first) = ahead.first() else { break };
            let (mut found, mut may_come) = (None, false);
            for form in self.mask.starting_with(first) {
                match form.compare(ahead) {
                    Comparison::Other => {}
                    Comparison::StartOf => may_come = true,
                    Comparison::Is { bytes } => found = found.max(Some(bytes)),
                }
            }
            if may_come && !is_end {
                break;
            }
            match found {
                Some(_) => shown.extend_from_slice(MARK),
                None => shown.push(first),
            }
            position += found.unwrap_or(1);
        }
        self.held.drain(..position);
        shown
    }
}

/// What a form is to a text.
enum Comparison {
    /// The text does not begin with it.
    Other,
    /// The text ends before it is clear.
    StartOf,
    /// The text begins with it, in so many bytes.
    Is { bytes: usize },
}

impl Form {
    /// What may come after its first letter, as [`Self::compare`] has it.
    fn second_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.letters[1]];
        if self.letters[1] == b'/' {
            bytes.push(b'\\');
        }
        if self.lines == Lines::Several {
            bytes.extend(b"\n\r\\");
        }
        bytes
    }

    /// Compares with the start of `text`. Two ways of writing are the same for every form: a slash as JSON may escape it, and, for
    /// what may be written over several lines, the break between two letters: a line end, the two characters by which JSON
    /// writes one, and the indentation of the next line.
    fn compare(&self, text: &[u8]) -> Comparison {
        let mut place = 0;
        for (index, &letter) in self.letters.iter().enumerate() {
            let mut break_bytes = 0;
            loop {
                let Some(&byte) = text.get(place) else { return Comparison::StartOf };
                if byte == letter {
                    place += 1;
                    break;
                }
                let next = text.get(place + 1);
                let skipped = match (byte, next) {
                    (b'\\', None) => return Comparison::StartOf,
                    (b'\\', Some(b'/')) if letter == b'/' => 1,
                    _ if index == 0 || self.lines == Lines::One => 0,
                    (b'\n' | b'\r', _) => 1,
                    (b' ' | b'\t', _) if break_bytes > 0 => 1,
                    (b'\\', Some(b'n' | b'r')) => 2,
                    _ => 0,
                };
                break_bytes += skipped;
                if skipped == 0 || break_bytes > MAX_BREAK_BYTES {
                    return Comparison::Other;
                }
                place += skipped;
            }
        }
        Comparison::Is { bytes: place }
    }
}

/// A secret as programs may write it.
fn forms(secret: &str) -> Vec<Form> {
    let mut forms = vec![Zeroizing::new(secret.as_bytes().to_vec())];
    for is_plain in [is_unreserved, is_sub_delimiter_or_unreserved] {
        for upper_case in [true, false] {
            forms.push(percent_encoded(secret, is_plain, upper_case));
        }
    }
    // As most write JSON; as Go does, for browsers; as those do who keep to ASCII.
    forms.extend([|_: char| false, is_of_html, |c: char| !c.is_ascii()].map(|escaped| json_escaped(secret, escaped)));
    let mut forms: Vec<_> = forms.into_iter().map(|letters| Form { letters, lines: Lines::One }).collect();
    // What stands before it decides on which of three ways its bits fall into letters: `user:secret`, for one.
    for bytes_before in 0..3 {
        let letters = base64_inside(secret.as_bytes(), bytes_before);
        let url_safe = letters.iter().map(|&letter| match letter {
            b'+' => b'-',
            b'/' => b'_',
            other => other,
        });
        let url_safe = Zeroizing::new(url_safe.collect());
        forms.extend([url_safe, letters].map(|letters| Form { letters, lines: Lines::Several }));
    }
    forms.retain(|form| form.letters.len() >= MIN_SECRET_BYTES);
    forms
}

/// <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// What may stand in the user information of a URL as it is, and what browsers' `encodeURI` and its kin leave.
fn is_sub_delimiter_or_unreserved(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=".contains(&byte)
}

fn percent_encoded(secret: &str, is_plain: impl Fn(u8) -> bool, upper_case: bool) -> Secret {
    let digits: &[u8; 16] = if upper_case { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let mut encoded = Secret::default();
    for byte in secret.bytes() {
        if is_plain(byte) {
            encoded.push(byte);
        } else {
            encoded.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
    }
    encoded
}

fn is_of_html(c: char) -> bool {
    "<>&".contains(c)
}

/// `secret` as in a JSON text, with what is `escaped` by its number, too.
fn json_escaped(secret: &str, escaped: fn(char) -> bool) -> Secret {
    let mut encoded = Secret::default();
    for c in secret.chars() {
        if escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                encoded.extend(format!("\\u{unit:04x}").bytes());
            }
        } else {
            let quoted = Zeroizing::new(serde_json::Value::from(c.to_string()).to_string());
            encoded.extend(&quoted.as_bytes()[1..quoted.len() - 1]);
        }
    }
    encoded
}

/// The letters of base64 that depend on `secret` alone, where so many bytes stand before it. Those at its edges share bits
/// with its neighbours.
fn base64_inside(secret: &[u8], bytes_before: usize) -> Secret {
    let bits = (bytes_before * 8, (bytes_before + secret.len()) * 8);
    let bit = |index: usize| secret[(index - bits.0) / 8] >> (7 - index % 8) & 1;
    let letters = bits.0.div_ceil(6)..bits.1 / 6;
    let letter = |number: usize| (number * 6..number * 6 + 6).fold(0, |value, index| value << 1 | bit(index));
    Zeroizing::new(letters.map(|number| BASE64[usize::from(letter(number))]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hiding(document: &str) -> Mask {
        let mut mask = Mask::default();
        mask.hide(&Credentials::parse(document).unwrap());
        mask
    }

    fn hiding_token(token: &str) -> Mask {
        hiding(&serde_json::json!({ "authToken": token }).to_string())
    }

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        for document in [r#"{"authToken":"canary-42"}"#, r#"{"basicUsername":"u","basicPassword":"canary-42"}"#] {
            let line = hiding(document).apply("remote: canary-42 is not canary-42, https://canary-42@host");
            assert_eq!(line, "remote: *** is not ***, https://***@host");
        }
    }

    #[test]
    fn each_line_of_a_key_is_masked_but_not_its_armour() {
        let mask = hiding(r#"{"sshPrivateKey":"-----BEGIN KEY-----\r\nabcdefgh\nij\n","knownHosts":"h k v"}"#);
        assert_eq!(mask.apply("-----BEGIN KEY-----\nabcdefgh\nij"), "-----BEGIN KEY-----\n***\nij");
    }

    #[test]
    fn what_is_short_is_not_masked() {
        assert!(hiding_token("abc").is_empty());
    }

    /// The encoded forms were made by Python's base64, urllib.parse and json.
    #[test]
    fn a_secret_is_masked_in_the_forms_in_which_programs_write_it() {
        let mask = hiding_token("p+ss/w\"rd?42ÿ");
        for text in [
            "p+ss/w\"rd?42ÿ",
            "p%2Bss%2Fw%22rd%3F42%C3%BF",
            "p%2bss%2fw%22rd%3f42%c3%bf",
            "p+ss%2Fw%22rd%3F42%C3%BF",
            r#"p+ss/w\"rd?42ÿ"#,
        ] {
            assert_eq!(mask.apply(&format!("<{text}>")), "<***>", "{text}");
        }
        for (text, rest) in [
            // p+ss/w"rd?42ÿ, then with u: and with me: before it, standard and for URLs.
            ("cCtzcy93InJkPzQyw78=", "***8="),
            ("cCtzcy93InJkPzQyw78", "***8"),
            ("dTpwK3NzL3cicmQ/NDLDvw==", "dTp***w=="),
            ("dTpwK3NzL3cicmQ_NDLDvw==", "dTp***w=="),
            ("bWU6cCtzcy93InJkPzQyw78=", "bWU6***8="),
        ] {
            assert_eq!(mask.apply(text), rest);
        }
    }

    /// Python's base64.encodebytes, `base64`, `openssl base64` and PHP's json_encode wrote these, of 90 letters after `user:`.
    #[test]
    fn a_long_secret_is_masked_over_the_ends_of_lines_and_with_escaped_slashes() {
        let secret = format!("ghs/{}", "aZ9~??????+".repeat(8));
        let mask = hiding_token(&secret);
        let text = format!("user:{secret}!");
        let letters = base64_of(text.as_bytes());
        assert!(letters.contains('/'), "{letters}");
        let wrapped = |width: usize, end: &str| {
            let lines: Vec<_> =
                letters.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            lines.join(end)
        };
        for (width, end) in
            [(76, "\n"), (64, "\n"), (64, "\r\n"), (76, "\\n"), (60, "\n        "), (1, "\n"), (5, "\n\t")]
        {
            let shown = mask.apply(&wrapped(width, end));
            assert!(shown.contains("***") && shown.len() < 30, "{width}: {shown}");
            let mut stream = mask.stream();
            let mut shown: Vec<u8> = wrapped(width, end).bytes().flat_map(|byte| stream.push(&[byte])).collect();
            shown.extend(stream.rest());
            assert!(shown.len() < 30, "{}", String::from_utf8_lossy(&shown));
        }
        for text in [secret.replace('/', "\\/"), letters.replace('/', "\\/")] {
            let shown = mask.apply(&format!("<{text}>"));
            assert!(shown.contains("***") && shown.len() < 30, "{shown}");
        }
        // What is no secret keeps its line ends.
        for text in ["user:\nghs", "a\n\nb\n", "dXNlcjpnaHM\n"] {
            assert_eq!(mask.apply(text), text);
        }
    }

    /// With its padding, as every library does it.
    fn base64_of(bytes: &[u8]) -> String {
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        let letter = |bits: &[u8]| {
            let bits = format!("{:0<6}", std::str::from_utf8(bits).unwrap());
            char::from(BASE64[usize::from_str_radix(&bits, 2).unwrap()])
        };
        let letters: String = bits.as_bytes().chunks(6).map(letter).collect();
        format!("{letters}{}", "=".repeat((4 - letters.len() % 4) % 4))
    }

    #[test]
    fn a_secret_is_masked_as_go_and_those_who_keep_to_ascii_write_json() {
        let mask = hiding_token("a<b>&c\"ÿ😀d");
        for text in [r#"a\u003cb\u003e\u0026c\"ÿ😀d"#, r#"a<b>&c\"\u00ff\ud83d\ude00d"#, r#"a<b>&c\"ÿ😀d"#] {
            assert_eq!(mask.apply(text), "***", "{text}");
        }
    }

    #[test]
    fn a_secret_is_masked_wherever_the_text_is_cut_and_nothing_else_is_changed() {
        let mask = hiding_token("canary-canary-42");
        let text = b"\x1b[31mcanary-canary-canary-42\x1b[0m can \xff\xfe canary-4\ncanary-canary-42";
        let expected = b"\x1b[31mcanary-***\x1b[0m can \xff\xfe canary-4\n***";
        for pieces in 1..text.len() {
            let mut stream = mask.stream();
            let mut shown: Vec<u8> = text.chunks(pieces).flat_map(|piece| stream.push(piece)).collect();
            shown.extend(stream.rest());
            assert_eq!(shown, expected, "{}", String::from_utf8_lossy(&shown));
        }
    }

    #[test]
    fn only_what_may_become_a_secret_is_held_back() {
        let mask = hiding_token("canary-42");
        let mut stream = mask.stream();
        assert_eq!(stream.push(b"Continue? "), b"Continue? ");
        assert_eq!(stream.push(b"can"), b"");
        assert_eq!(stream.push(b"cel"), b"cancel");
        assert_eq!(stream.push(b"canary"), b"");
        assert_eq!(stream.rest(), b"canary");
    }

    /// For local/tests/test_instructions.py, which counts the processor's instructions here and nowhere else.
    #[inline(never)]
    fn counted_instructions(stream: &mut MaskedStream<'_>, text: &[u8]) -> Vec<u8> {
        let mut masked = stream.push(text);
        masked.extend(stream.rest());
        masked
    }

    const MEASURED_BYTES: usize = 1_000_000;

    #[test]
    fn much_text_without_a_secret_passes() {
        let mask = hiding(r#"{"authToken":"canary-token-3141592653"}"#);
        let line = b"module.network.aws_subnet.private[3]: Refreshing state... [id=subnet-0123456789abcdef0]\n";
        let text = line.repeat(MEASURED_BYTES / line.len());
        assert_eq!(counted_instructions(&mut mask.stream(), &text), text);
    }

    #[test]
    fn much_text_full_of_secrets_is_masked() {
        let mask = hiding(r#"{"authToken":"canary-token-3141592653"}"#);
        let line = b"can a canary-token-31415 be the canary-token-3141592653? canary-token-3141592653\n";
        let masked = counted_instructions(&mut mask.stream(), &line.repeat(MEASURED_BYTES / line.len()));
        let expected = b"can a canary-token-31415 be the ***? ***\n";
        assert_eq!(masked, expected.repeat(MEASURED_BYTES / line.len()));
    }
}
