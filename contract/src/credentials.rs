//! Git credentials. The secrets in them have no `Display`, their `Debug` is blank, and they are wiped when dropped.

use secrecy::{ExposeSecret, SecretString};

use crate::DocumentError;
use crate::document::Object;

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
        Self::take(&mut Object::read(text, &KEYS)?)?.ok_or(DocumentError::MissingKey("authToken"))
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
