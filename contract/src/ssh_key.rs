//! SSH keys and known hosts as people hand them over, looked at closely enough to say what is wrong before ssh says something
//! else. No cryptography: whether a key is the right one, its host knows.
//!
//! Formats: <https://www.rfc-editor.org/rfc/rfc4253#section-6.6>, `PROTOCOL.key` of OpenSSH, `sshd(8)` for known hosts.

const ED25519: &str = "ssh-ed25519";
const RSA: &str = "ssh-rsa";
const ECDSA: &str = "ecdsa-sha2-";
const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
const SK_ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
/// OpenSSH takes no shorter modulus.
const MIN_RSA_BYTES: usize = 128;

/// Whether `line` of an `allowed_signers` file has a principal, perhaps options, and a whole public key of a kind that signs.
pub(crate) fn is_signer(line: &str) -> bool {
    let words = words(line);
    let key = words.iter().skip(1).position(|word| is_key_type(word)).map(|place| place + 1);
    let Some([key_type, key]) = key.and_then(|place| words.get(place..place + 2)) else { return false };
    is_public_key(key_type, key)
}

/// What is between blanks, where blanks in quotes do not count: options hold such.
fn words(line: &str) -> Vec<&str> {
    let mut in_quotes = false;
    let is_blank = |c: char| {
        in_quotes ^= c == '"';
        !in_quotes && c.is_whitespace()
    };
    line.split(is_blank).filter(|word| !word.is_empty()).collect()
}

fn is_key_type(word: &str) -> bool {
    [ED25519, RSA, SK_ED25519, SK_ECDSA].contains(&word) || curve(word).is_some()
}

/// The name of the curve and the length of a point on it.
fn curve(key_type: &str) -> Option<(&str, usize)> {
    let name = key_type.strip_prefix(ECDSA)?;
    let point_bytes = match name {
        "nistp256" => 65,
        "nistp384" => 97,
        "nistp521" => 133,
        _ => return None,
    };
    Some((name, point_bytes))
}

fn is_public_key(key_type: &str, key: &str) -> bool {
    let Some(bytes) = from_base64(key) else { return false };
    let mut wire = Wire(&bytes);
    if wire.string() != Some(key_type.as_bytes()) {
        return false;
    }
    let is_point = |wire: &mut Wire<'_>, name: &str, bytes: usize| {
        wire.string() == Some(name.as_bytes()) && wire.string().is_some_and(|point| point.len() == bytes)
    };
    let has_application = |wire: &mut Wire<'_>| wire.string().is_some_and(|name| !name.is_empty());
    let is_whole = match key_type {
        ED25519 => wire.string().is_some_and(|key| key.len() == 32),
        SK_ED25519 => wire.string().is_some_and(|key| key.len() == 32) && has_application(&mut wire),
        SK_ECDSA => is_point(&mut wire, "nistp256", 65) && has_application(&mut wire),
        RSA => {
            let exponent = wire.string().is_some_and(|exponent| !exponent.is_empty());
            exponent && wire.string().is_some_and(|modulus| modulus.len() >= MIN_RSA_BYTES)
        }
        _ => curve(key_type).is_some_and(|(name, bytes)| is_point(&mut wire, name, bytes)),
    };
    is_whole && wire.0.is_empty()
}

/// What keeps `text` from being an SSH private key that can be used without asking anybody.
pub(crate) fn check_private(text: &str) -> Result<(), &'static str> {
    let text = text.trim();
    if text.starts_with("-----BEGIN") && !text.contains('\n') && text.contains("\\n") {
        return Err("has \\n as two characters where its lines end: write real line ends, in JSON one backslash and n");
    }
    if text.starts_with("PuTTY-User-Key-File") {
        return Err("is a key of PuTTY: convert it (puttygen KEY -O private-openssh-new), then store that");
    }
    if is_key_type(text.split_whitespace().next().unwrap_or_default()) || text.contains("PUBLIC KEY-----") {
        return Err("is the public key, which belongs to the Git host: store the private one, the file without .pub");
    }
    let Some((kind, body)) = armoured(text) else {
        return Err("is no private key: store the whole file that ssh-keygen wrote, from -----BEGIN to -----END");
    };
    let has_passphrase = match kind {
        "OPENSSH PRIVATE KEY" => match cipher(&body) {
            None => return Err("is a private key that is cut off or damaged: store the whole file again"),
            Some(cipher) => cipher != b"none",
        },
        _ => {
            kind.starts_with("ENCRYPTED")
                || text.lines().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
        }
    };
    if has_passphrase {
        return Err(
            "has a passphrase, which nobody is there to type: make a key without one (ssh-keygen -p -N '' -f KEY)",
        );
    }
    Ok(())
}

/// The kind of a PEM block of one private key, and what is between its first line and its last.
fn armoured(text: &str) -> Option<(&str, String)> {
    let (kind, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let body = rest.trim_end().strip_suffix("-----")?.strip_suffix(kind)?.strip_suffix("-----END ")?;
    kind.ends_with("PRIVATE KEY").then(|| (kind, body.split_whitespace().collect()))
}

/// The cipher of a key in OpenSSH's own format.
fn cipher(body: &str) -> Option<Vec<u8>> {
    let bytes = from_base64(body)?;
    Wire(bytes.strip_prefix(b"openssh-key-v1\0")?).string().map(<[u8]>::to_vec)
}

/// Whether a line of `known_hosts` can be for `host`. One whose names are hashed may be for any.
pub(crate) fn knows_host(known_hosts: &str, host: &str, port: Option<u16>) -> bool {
    let names = [host.to_owned(), format!("[{host}]:{}", port.unwrap_or(22))];
    known_hosts.lines().any(|line| {
        let mut words = line.split_whitespace().skip_while(|&word| word == "@cert-authority");
        let (Some(patterns), Some(_), Some(_)) = (words.next(), words.next(), words.next()) else { return false };
        if patterns.starts_with(['#', '@']) {
            return false;
        }
        let matching = |pattern: &str| names.iter().any(|name| matches(&pattern.to_ascii_lowercase(), name));
        let mut patterns = patterns.split(',');
        patterns.clone().all(|pattern| !pattern.strip_prefix('!').is_some_and(matching))
            && patterns.any(|pattern| pattern.starts_with("|1|") || matching(pattern))
    })
}

/// Whether `text` is what `pattern` says, where `*` stands for any characters and `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|start| text.get(start..).is_some_and(|text| matches(&pattern[1..], text))),
        Some(first) => text.chars().next().is_some_and(|c| {
            (first == '?' || first == c) && matches(&pattern[first.len_utf8()..], &text[c.len_utf8()..])
        }),
    }
}

/// Reads the strings of SSH's wire format: a length in four bytes, then so many.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (string, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.0 = rest;
        Some(string)
    }
}

/// The bytes of standard base64 with its padding, or nothing.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=');
    if text.is_empty() || !text.len().is_multiple_of(4) || text.len() - letters.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in letters.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = ((bits << 6 | u32::from(value)) & 0xff_ffff, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_signer_has_a_whole_key_of_the_kind_that_it_names() {
        for line in [
            format!("a ssh-ed25519 {KEY}"),
            format!("a,b namespaces=\"git\",valid-after=\"2026 01\" ssh-ed25519 {KEY} comment ssh-rsa"),
        ] {
            assert!(is_signer(&line), "{line}");
        }
        for line in [
            "a ssh-ed25519".to_owned(),
            "a ssh-ed25519 AAAA".to_owned(),
            "a ssh-ed25519 junk".to_owned(),
            format!("ssh-ed25519 {KEY}"),
            format!("a ssh-rsa {KEY}"),
            format!("a ecdsa-sha2-nistp256 {KEY}"),
            format!("a ssh-dss {KEY}"),
            format!("a ssh-ed25519 {}", &KEY[..64]),
            format!("a ssh-ed25519 {KEY}AAAA"),
            format!("a namespaces=\"ssh-ed25519 {KEY}\""),
        ] {
            assert!(!is_signer(&line), "{line}");
        }
    }

    #[test]
    fn what_is_no_usable_private_key_is_told_what_it_is() {
        // As `ssh-keygen -t ed25519` begins a file, without a passphrase and with one.
        let open_ssh =
            |body: &str| format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n");
        let (plain, locked) =
            (open_ssh("b3BlbnNzaC1rZXktdjEAAAAABG5vbmU="), open_ssh("b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI="));
        let pem = |kind: &str, body: &str| format!("-----BEGIN {kind}-----\r\n{body}\r\n-----END {kind}-----");
        for good in [plain.clone(), pem("RSA PRIVATE KEY", "AAAA"), pem("PRIVATE KEY", "AAAA")] {
            assert_eq!(check_private(&good), Ok(()), "{good}");
        }
        for (text, says) in [
            (locked, "has a passphrase"),
            (pem("ENCRYPTED PRIVATE KEY", "AAAA"), "has a passphrase"),
            (pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\r\nDEK-Info: AES\r\n\r\nAAAA"), "has a passphrase"),
            (plain.replace('\n', "\\n"), "has \\n as two characters"),
            (plain[..plain.len() - 20].to_owned(), "is no private key"),
            (open_ssh("b3BlbnNzaC1rZXk="), "is a private key that is cut off"),
            (format!("ssh-ed25519 {KEY} me@host"), "is the public key"),
            (pem("PUBLIC KEY", "AAAA"), "is the public key"),
            ("PuTTY-User-Key-File-3: ssh-ed25519".to_owned(), "is a key of PuTTY"),
            ("k".to_owned(), "is no private key"),
            (pem("CERTIFICATE", "AAAA"), "is no private key"),
        ] {
            assert!(check_private(&text).unwrap_err().starts_with(says), "{text}");
        }
    }

    #[test]
    fn a_host_is_known_by_name_pattern_or_perhaps_by_hash() {
        for (line, known) in [
            ("git.example ssh-ed25519 AAAA", true),
            ("other,GIT.example ssh-ed25519 AAAA", true),
            ("[git.example]:22 ssh-ed25519 AAAA", true),
            ("*.example ssh-ed25519 AAAA", true),
            ("g?t.* ssh-ed25519 AAAA comment", true),
            ("|1|salt=|hash= ssh-ed25519 AAAA", true),
            ("@cert-authority *.example ssh-ed25519 AAAA", true),
            ("@revoked git.example ssh-ed25519 AAAA", false),
            ("*,!git.example ssh-ed25519 AAAA", false),
            ("# git.example ssh-ed25519 AAAA", false),
            ("git.example", false),
            ("[git.example]:2222 ssh-ed25519 AAAA", false),
            ("git.example.evil ssh-ed25519 AAAA", false),
            ("", false),
        ] {
            assert_eq!(knows_host(&format!("# first\n{line}\n"), "git.example", None), known, "{line}");
        }
        assert!(knows_host("[git.example]:2222 ssh-ed25519 A", "git.example", Some(2222)));
        assert!(knows_host("git.example ssh-ed25519 A", "git.example", Some(2222))); // as ssh does it
    }
}
