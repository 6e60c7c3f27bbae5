//! Where a target of `notify` is, and with what it lets us in: one document, so that neither goes anywhere without the other.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::DocumentError;
use crate::broker::Minted;
use crate::document::Object;
use crate::register::TargetKind;

const KEYS: [&str; 3] = ["url", "token", "key"];
/// A signature with less can be guessed.
const MIN_KEY_BYTES: usize = 16;

/// The document of `/<config path>-notify/<project>/<target>`, a `SecureString`.
#[derive(Debug, Clone)]
pub struct TargetSecret {
    /// Where to: the API of a Git host, or all of a webhook's URL, which is a secret itself.
    pub url: SecretString,
    /// The host of the URL, for people and for lines.
    pub host: String,
    /// What a Git host wants.
    pub token: Option<SecretString>,
    /// With what a webhook's body is signed.
    pub key: Option<SecretString>,
}

impl TargetSecret {
    /// Whether targets of this kind have one.
    #[must_use]
    pub fn is_of(kind: TargetKind) -> bool {
        takes(kind) != Takes::Nothing
    }

    /// Reads the document for a target of this kind.
    ///
    /// # Errors
    /// Names the key and the rule, never a value.
    pub fn parse(text: &str, kind: TargetKind) -> Result<Self, DocumentError> {
        let mut object = Object::read_secret(text, &KEYS)?;
        let url = object.take_string("url")?.map_or_else(|| known(kind).ok_or(DocumentError::MissingKey("url")), Ok)?;
        let host =
            host(&url).ok_or(invalid("url", "must be an https:// URL with a DNS name, without user and fragment"))?;
        let token = secret(&mut object, "token")?;
        let key = secret(&mut object, "key")?;
        match (takes(kind), &token, &key) {
            (Takes::Token, None, _) => return Err(DocumentError::MissingKey("token")),
            (Takes::Key, _, None) => return Err(DocumentError::MissingKey("key")),
            (Takes::Token, _, Some(_)) => return Err(invalid("key", "is for a webhook; this target takes a token")),
            (Takes::Key, Some(_), _) => return Err(invalid("token", "is for a Git host; this target takes a key")),
            (Takes::UrlAlone, None, None) | (Takes::Token, Some(_), None) => {}
            (Takes::UrlAlone, _, _) => return Err(invalid("url", "is all that this target takes")),
            (Takes::Key, None, Some(key)) if key.expose_secret().len() < MIN_KEY_BYTES => {
                return Err(invalid(
                    "key",
                    "must have at least 16 characters: take what `openssl rand -hex 32` prints",
                ));
            }
            (Takes::Key, None, Some(_)) => {}
            (Takes::Nothing, ..) => return Err(invalid("url", "is not for this target, which has no secret")),
        }
        if url.contains('?') && takes(kind) == Takes::Token {
            return Err(invalid("url", "must be the base of the host's API, without a query"));
        }
        Ok(Self { url: url.into(), host, token, key })
    }
}

impl From<Minted> for TargetSecret {
    /// Of a Git host that the pipeline's GitHub App is let in by.
    fn from(minted: Minted) -> Self {
        let host = host(&minted.api).unwrap_or_default();
        Self { url: minted.api.into(), host, token: Some(minted.token), key: None }
    }
}

/// What stands in a target's document beside the URL.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Token,
    Key,
    UrlAlone,
    /// There is no document at all.
    Nothing,
}

fn takes(kind: TargetKind) -> Takes {
    match kind {
        TargetKind::EventBridge => Takes::Nothing,
        TargetKind::Webhook => Takes::Key,
        TargetKind::Slack | TargetKind::Teams | TargetKind::Discord => Takes::UrlAlone,
        TargetKind::GitHub
        | TargetKind::GitLab
        | TargetKind::Gitea
        | TargetKind::Bitbucket
        | TargetKind::BitbucketServer
        | TargetKind::AzureDevOps => Takes::Token,
    }
}

/// The API of a host that there is only one of.
fn known(kind: TargetKind) -> Option<String> {
    match kind {
        TargetKind::GitHub => Some("https://api.github.com"),
        TargetKind::GitLab => Some("https://gitlab.com/api/v4"),
        TargetKind::Bitbucket => Some("https://api.bitbucket.org/2.0"),
        TargetKind::AzureDevOps => Some("https://dev.azure.com"),
        _ => None,
    }
    .map(str::to_owned)
}

fn host(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_plain =
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    match url.host()? {
        url::Host::Domain(host) if is_plain => Some(host.to_owned()),
        _ => None,
    }
}

fn secret(object: &mut Object, key: &'static str) -> Result<Option<SecretString>, DocumentError> {
    let Some(text) = object.take_string(key)? else { return Ok(None) };
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(invalid(key, "must be one word of printable ASCII characters"));
    }
    Ok(Some(text.into()))
}

fn invalid(key: &'static str, rule: &'static str) -> DocumentError {
    DocumentError::Invalid { key, rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_of(text: &str, kind: TargetKind) -> Result<String, String> {
        TargetSecret::parse(text, kind).map(|secret| secret.host).map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_host_that_there_is_one_of_needs_no_url() {
        assert_eq!(host_of(r#"{"token":"t"}"#, TargetKind::GitHub).unwrap(), "api.github.com");
        assert_eq!(
            host_of(r#"{"token":"t","url":"https://git.example/api/v3"}"#, TargetKind::GitHub).unwrap(),
            "git.example"
        );
        assert_eq!(host_of(r#"{"token":"t"}"#, TargetKind::Gitea).unwrap_err(), "lacks the key \"url\"");
        assert_eq!(
            host_of(r#"{"url":"https://hooks.slack.com/services/x"}"#, TargetKind::Slack).unwrap(),
            "hooks.slack.com"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_not_shown() {
        use TargetKind::{EventBridge, GitHub, Slack, Webhook};
        let key = "k".repeat(MIN_KEY_BYTES);
        for (text, kind) in [
            (r#"{"url":"http://git.example"}"#.to_owned(), Slack),
            (r#"{"url":"https://user:canary@git.example"}"#.to_owned(), Slack),
            (r#"{"url":"https://10.0.0.1/canary"}"#.to_owned(), Slack),
            (r#"{"url":"https://127.0.0.1/canary"}"#.to_owned(), Slack),
            (r#"{"url":"https://169.254.169.254/canary"}"#.to_owned(), Slack),
            (r#"{"url":"https://[::1]/canary"}"#.to_owned(), Slack),
            (r#"{"url":"https://2130706433/canary"}"#.to_owned(), Slack),
            (r#"{"url":"https://git.example/#canary"}"#.to_owned(), Slack),
            (r#"{"url":"https://hooks.example/canary","token":"canary"}"#.to_owned(), Slack),
            (r#"{"token":"canary\n"}"#.to_owned(), GitHub),
            (r#"{"token":"canary","url":"https://git.example/?x=1"}"#.to_owned(), GitHub),
            (r#"{"token":"canary","key":"canary"}"#.to_owned(), GitHub),
            (r#"{"url":"https://hooks.example/canary"}"#.to_owned(), Webhook),
            (r#"{"url":"https://hooks.example/canary","key":"short"}"#.to_owned(), Webhook),
            (format!(r#"{{"url":"https://hooks.example/canary","key":"{key}","token":"canary"}}"#), Webhook),
            (r#"{"canary":"canary"}"#.to_owned(), GitHub),
            (r#"{"url":"https://hooks.example/canary"}"#.to_owned(), EventBridge),
        ] {
            let error = host_of(&text, kind).unwrap_err();
            assert!(!error.contains("canary"), "{text}: {error}");
        }
    }
}
