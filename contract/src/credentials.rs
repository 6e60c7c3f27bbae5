//! Git credentials. The secrets in them have no `Display`, their `Debug` is blank, and they are wiped when dropped.

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::document::{self, Object};
use crate::{DocumentError, GitUrl, Scheme, ssh_key};

/// The keys of a credentials document.
const KEYS: [&str; 5] = ["authToken", "basicUsername", "basicPassword", "sshPrivateKey", "knownHosts"];

/// What a Git host asks for.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// An access token, sent as [`crate::register::AuthScheme`] says.
    Token { token: SecretString, username: Option<String> },
    /// User name and password over HTTPS.
    Basic { username: String, password: SecretString },
    /// An SSH private key in OpenSSH or PEM form, and the `known_hosts` lines of the host: without them anyone on the way
    /// could pose as the host.
    Ssh { private_key: SecretString, known_hosts: String },
}

impl Credentials {
    /// Reads the document of `/<config path>-credentials/<project>`.
    ///
    /// # Errors
    /// Names the key and the rule, never a value.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        Self::take(&mut Object::read_secret(text, &KEYS)?)?.ok_or(DocumentError::MissingKey("authToken"))
    }

    /// That they can be of use for `url`, as far as that can be seen without asking its host: by their kind, and for SSH by a
    /// key that needs no passphrase and by known hosts that have this one.
    ///
    /// # Errors
    /// Names the key and the rule, never a value.
    pub fn check(&self, url: &GitUrl) -> Result<(), DocumentError> {
        let invalid = |key, rule| Err(DocumentError::Invalid { key, rule });
        match (self, url.scheme()) {
            (Self::Token { .. }, Scheme::Ssh) => invalid(
                "authToken",
                "is of no use for an SSH URL: store sshPrivateKey and knownHosts, or use the HTTPS URL",
            ),
            (Self::Basic { .. }, Scheme::Ssh) => invalid(
                "basicPassword",
                "is of no use for an SSH URL: store sshPrivateKey and knownHosts, or use the HTTPS URL",
            ),
            (Self::Ssh { .. }, Scheme::Https) => {
                invalid("sshPrivateKey", "is of no use for an HTTPS URL: store an authToken, or use the SSH URL")
            }
            (Self::Ssh { private_key, known_hosts }, Scheme::Ssh) => {
                ssh_key::check_private(private_key.expose_secret())
                    .map_err(|rule| DocumentError::Invalid { key: "sshPrivateKey", rule })?;
                match ssh_key::knows_host(known_hosts, url.host(), url.port()) {
                    true => Ok(()),
                    false => invalid(
                        "knownHosts",
                        "has no line for the host of gitUrl: add what `ssh-keyscan HOST` prints (-p PORT, if the URL has \
                         one), once it was compared with what the host publishes",
                    ),
                }
            }
            (Self::Token { .. } | Self::Basic { .. }, Scheme::Https) => Ok(()),
        }
    }

    /// Takes the credentials out of `object`, if there are any.
    pub(crate) fn take(object: &mut Object) -> Result<Option<Self>, DocumentError> {
        let token = take_secret_line(object, "authToken")?;
        let username = take_username(object)?;
        let password = take_secret_line(object, "basicPassword")?;
        let private_key = take_secret(object, "sshPrivateKey")?;
        let known_hosts = object.take_string("knownHosts")?;
        let invalid = |key, rule| Err(DocumentError::Invalid { key, rule });
        match (token, username, password, private_key, known_hosts) {
            (None, None, None, None, None) => Ok(None),
            (Some(token), username, None, None, None) => Ok(Some(Self::Token { token, username })),
            (None, Some(username), Some(password), None, None) => Ok(Some(Self::Basic { username, password })),
            (None, None, None, Some(private_key), Some(known_hosts)) => {
                Ok(Some(Self::Ssh { private_key, known_hosts }))
            }
            (None, None, None, Some(_), None) => Err(DocumentError::MissingKey("knownHosts")),
            (None, None, None, None, Some(_)) => Err(DocumentError::MissingKey("sshPrivateKey")),
            (None, Some(_), None, None, None) => Err(DocumentError::MissingKey("basicPassword")),
            (None, None, Some(_), None, None) => Err(DocumentError::MissingKey("basicUsername")),
            (Some(_), _, Some(_), _, _) => invalid("authToken", "and basicPassword exclude each other"),
            _ => invalid("sshPrivateKey", "and authToken or basicUsername exclude each other"),
        }
    }
}

/// Longest document that is taken: what SSM takes in its largest tier.
pub const MAX_DOCUMENT_BYTES: usize = 8192;

/// Why what somebody handed over cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandedOverError {
    #[error("nothing was handed over")]
    Empty,
    #[error("this is longer than {MAX_DOCUMENT_BYTES} bytes, which is all that SSM takes")]
    TooLong,
    #[error(
        "an SSH key needs the host's key beside it: hand over a JSON object with sshPrivateKey and knownHosts (from \
         `ssh-keyscan HOST`, compared with what the host publishes)"
    )]
    BareKey,
    #[error("a token is one word; anything else has to be a JSON object")]
    Words,
    #[error("what was handed over {0}")]
    Document(#[from] DocumentError),
}

/// The document to store for what somebody handed over, as a file or a line: a document of one of the forms, or a bare token.
/// Every rule that the worker will apply is applied, those that need the URL of the repository if `url` is known.
///
/// # Errors
/// Says what to hand over instead; never repeats what was.
pub fn handed_over(bytes: &[u8], url: Option<&GitUrl>) -> Result<SecretString, HandedOverError> {
    let text = document::trimmed(document::decode(bytes)?);
    let one_word = text.split_whitespace().nth(1).is_none();
    let document = match text {
        "" => return Err(HandedOverError::Empty),
        _ if text.starts_with('{') => text.to_owned(),
        _ if text.starts_with("-----BEGIN") || text.starts_with("ssh-") => return Err(HandedOverError::BareKey),
        _ if one_word => serde_json::json!({ "authToken": text }).to_string(),
        _ => return Err(HandedOverError::Words),
    };
    let document = SecretString::from(document);
    if document.expose_secret().len() > MAX_DOCUMENT_BYTES {
        return Err(HandedOverError::TooLong);
    }
    let credentials = Credentials::parse(document.expose_secret())?;
    url.map_or(Ok(()), |url| credentials.check(url))?;
    Ok(document)
}

/// The user name with which `host` takes a token as a password, where the register names none. GitLab's and Bitbucket's own
/// documentation ask for theirs; GitHub's names this one for its apps and takes any; most others ignore it.
#[must_use]
pub fn token_username(host: &str) -> &'static str {
    match host {
        "gitlab.com" => "oauth2",
        "bitbucket.org" => "x-token-auth",
        _ => "x-access-token",
    }
}

fn take_secret(object: &mut Object, key: &'static str) -> Result<Option<SecretString>, DocumentError> {
    let Some(text) = object.take_string(key)? else {
        return Ok(None);
    };
    if text.is_empty() {
        return Err(DocumentError::Invalid { key, rule: "must not be empty" });
    }
    Ok(Some(SecretString::from(text)))
}

fn take_secret_line(object: &mut Object, key: &'static str) -> Result<Option<SecretString>, DocumentError> {
    let secret = take_secret(object, key)?;
    match &secret {
        Some(secret) if !is_line(secret.expose_secret()) => Err(not_a_line(key)),
        _ => Ok(secret),
    }
}

pub(crate) fn take_username(object: &mut Object) -> Result<Option<String>, DocumentError> {
    const KEY: &str = "basicUsername";
    match object.take_string(KEY)? {
        Some(text) if text.is_empty() || !is_line(&text) => Err(not_a_line(KEY)),
        text => Ok(text),
    }
}

/// git's credential protocol is lines: a newline in a value would be a second, chosen field.
fn is_line(text: &str) -> bool {
    !text.contains(['\n', '\r', '\0'])
}

fn not_a_line(key: &'static str) -> DocumentError {
    DocumentError::Invalid { key, rule: "must be one non-empty line" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read() {
        for (text, kind) in [
            (r#"{"authToken":"t"}"#, "Token"),
            (r#"{"authToken":"t","basicUsername":"u"}"#, "Token"),
            (r#"{"basicUsername":"u","basicPassword":"p"}"#, "Basic"),
            (r#"{"sshPrivateKey":"k\n","knownHosts":"h ssh-ed25519 A"}"#, "Ssh"),
        ] {
            assert!(format!("{:?}", Credentials::parse(text).unwrap()).starts_with(kind), "{text}");
        }
    }

    #[test]
    fn half_a_credential_or_two_are_refused() {
        for text in [
            "{}",
            r#"{"authToken":""}"#,
            r#"{"authToken":1}"#,
            r#"{"basicUsername":"u"}"#,
            r#"{"basicPassword":"p"}"#,
            r#"{"sshPrivateKey":"k"}"#,
            r#"{"knownHosts":"h"}"#,
            r#"{"authToken":"t","basicUsername":"u","basicPassword":"p"}"#,
            r#"{"authToken":"t","sshPrivateKey":"k","knownHosts":"h"}"#,
            r#"{"authToken":"t","password":"p"}"#,
        ] {
            assert!(Credentials::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_cannot_add_a_line_to_gits_credential_protocol() {
        for text in [
            r#"{"authToken":"t\nhost=evil.example"}"#,
            r#"{"authToken":"t\r"}"#,
            r#"{"basicUsername":"u\u0000","basicPassword":"p"}"#,
            r#"{"basicUsername":"u","basicPassword":"p\n"}"#,
        ] {
            assert!(Credentials::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_that_cannot_work_for_a_url_are_told_why() {
        const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let ssh = |key: &str, hosts: &str| serde_json::json!({"sshPrivateKey": key, "knownHosts": hosts}).to_string();
        let check = |document: &str, url: &str| {
            let checked = Credentials::parse(document).unwrap().check(&GitUrl::parse(url).unwrap());
            checked.map_err(|error| error.to_string())
        };
        const HTTPS: &str = "https://git.example/r";
        const SSH: &str = "ssh://git@git.example/r";
        assert_eq!(check(&ssh(KEY, "git.example ssh-ed25519 A"), SSH), Ok(()));
        assert_eq!(check(r#"{"authToken":"t"}"#, HTTPS), Ok(()));
        for (document, url, says) in [
            (r#"{"authToken":"t"}"#.to_owned(), SSH, "\"authToken\" is of no use for an SSH URL"),
            (r#"{"basicUsername":"u","basicPassword":"p"}"#.to_owned(), SSH, "\"basicPassword\" is of no use"),
            (ssh(KEY, "git.example ssh-ed25519 A"), HTTPS, "\"sshPrivateKey\" is of no use for an HTTPS URL"),
            (ssh("k", "git.example ssh-ed25519 A"), SSH, "\"sshPrivateKey\" is no private key"),
            (ssh(KEY, "other.example ssh-ed25519 A"), SSH, "\"knownHosts\" has no line for the host of gitUrl"),
        ] {
            let said = check(&document, url).unwrap_err();
            assert!(said.starts_with(says), "{said}");
        }
    }

    #[test]
    fn what_was_handed_over_is_stored_only_if_the_worker_will_take_it() {
        let https = GitUrl::parse("https://git.example/r").unwrap();
        let stored = |bytes: &[u8]| {
            let document = handed_over(bytes, Some(&https)).map_err(|error| error.to_string());
            document.map(|document| document.expose_secret().to_owned())
        };
        assert_eq!(stored(b"\xef\xbb\xbf  token\r\n").unwrap(), r#"{"authToken":"token"}"#);
        assert_eq!(stored(b"\n{ \"authToken\": \"t\" }\n").unwrap(), r#"{ "authToken": "t" }"#);
        for (bytes, says) in [
            (&b""[..], "nothing was handed over"),
            (b" \n\xef\xbb\xbf", "nothing was handed over"),
            (b"two canary-9", "a token is one word"),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-9", "an SSH key needs the host's key"),
            (b"ssh-ed25519 canary-9", "an SSH key needs the host's key"),
            (b"\xff\xfec\0a\0n\0", "what was handed over is in UTF-16"),
            (b"canary-9\xfc", "what was handed over is in Latin-1"),
            (b"{\"authToken\":\"canary-9\"", "what was handed over is not valid JSON"),
            (b"{\"authToken\":\"\"}", "what was handed over \"authToken\" must not be empty"),
            (b"{\"authToken\":\"canary-9\\n\"}", "what was handed over \"authToken\" must be one non-empty line"),
            (
                b"{\"authToken\":\"a\",\"authToken\":\"canary-9\"}",
                "what was handed over has the key \"authToken\" twice",
            ),
            (b"{\"authToken\":[\"canary-9\"]}", "what was handed over \"authToken\" must be a string"),
            (b"{\"canary-9\":\"x\"}", "what was handed over has an unknown key of 8 characters"),
            (b"{\"canary\":\"x\"}", "what was handed over has an unknown key of 6 characters"),
            (b"[\"canary-9\"]", "what was handed over \"authToken\""),
        ] {
            match stored(bytes) {
                Err(said) => assert!(said.starts_with(says) && !said.contains("canary-9"), "{said}"),
                Ok(_) => assert!(bytes.starts_with(b"["), "{}", String::from_utf8_lossy(bytes)),
            }
        }
        assert_eq!(stored("x".repeat(9000).as_bytes()), Err(HandedOverError::TooLong.to_string()));
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_secret() {
        let secret = "canary-1f9a";
        for text in [
            format!(r#"{{"authToken":"{secret}"}}"#),
            format!(r#"{{"basicUsername":"u","basicPassword":"{secret}"}}"#),
            format!(r#"{{"sshPrivateKey":"{secret}","knownHosts":"h"}}"#),
            format!(r#"{{"authToken":"{secret}\n"}}"#),
            format!(r#"{{"authToken":["{secret}"]}}"#),
            format!(r#"{{"authToken":"{secret}"#),
        ] {
            let shown = match Credentials::parse(&text) {
                Ok(credentials) => format!("{credentials:?}"),
                Err(error) => format!("{error:?} {error}"),
            };
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
