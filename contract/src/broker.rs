//! How the broker is called, and what it answers: a token of a GitHub App for one repository. Which project's and for what, it
//! learns from the alias of its function by which it is called, and from nothing else: IAM says who may call which.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::parameter::SEPARATOR;
use crate::word::words;
use crate::{ConfigPath, ProjectName};

/// The key of what is asked for, if it is not a token: one that is to be revoked.
const REVOKE: &str = "revoke";
/// What GitHub begins the token of an installation with: no other is anything to the broker.
const OF_AN_INSTALLATION: &str = "ghs_";
/// GitHub's have 40 characters, and are announced to become some 500.
const MAX_TOKEN_BYTES: usize = 2048;

words! {
    /// What a token is for.
    pub enum Purpose {
        /// To read the repository's files: for the worker.
        Fetch = "fetch",
        /// To tell of its deployments: for the courier.
        Notify = "notify",
    }
}

/// The broker's function: `<config path>--broker`.
#[must_use]
pub fn function(config_path: &ConfigPath) -> String {
    format!("{config_path}{SEPARATOR}broker")
}

/// The alias by which the broker is called: `<purpose>-<project>`. Neither a version nor `$LATEST` can be called so.
#[must_use]
pub fn alias(purpose: Purpose, project: &ProjectName) -> String {
    format!("{purpose}-{project}")
}

/// [`alias`] backwards, from the ARN by which the function was called. `None`: it is no alias of a project.
#[must_use]
pub fn called_by(function_arn: &str) -> Option<(Purpose, ProjectName)> {
    let parts: Vec<_> = function_arn.split(':').collect();
    let [_, _, _, _, _, _, _, alias] = parts[..] else { return None };
    let (purpose, project) = alias.split_once('-')?;
    let purpose = Purpose::ALL.iter().copied().find(|known| known.as_str() == purpose)?;
    Some((purpose, ProjectName::parse(project).ok()?))
}

/// What the broker is asked.
#[derive(Debug)]
pub enum Question {
    Mint,
    /// It lets nobody in any more.
    Revoke(SecretString),
}

impl Question {
    /// `None`: it is neither.
    #[must_use]
    pub fn read(payload: &Value) -> Option<Self> {
        let object = payload.as_object()?;
        match (object.len(), object.get(REVOKE)) {
            (0, None) => Some(Self::Mint),
            (1, Some(token)) => {
                let token = token_of(token)?;
                token.expose_secret().starts_with(OF_AN_INSTALLATION).then_some(Self::Revoke(token))
            }
            _ => None,
        }
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Mint => json!({}),
            Self::Revoke(token) => json!({REVOKE: token.expose_secret()}),
        }
    }
}

/// A token for one repository.
#[derive(Debug)]
pub struct Minted {
    pub token: SecretString,
    /// When it ends by itself, as GitHub writes it.
    pub expires: String,
    /// The base of GitHub's API.
    pub api: String,
}

impl Minted {
    /// `None`: the broker has answered something else.
    #[must_use]
    pub fn read(answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let text = |key: &str| answer.get(key)?.as_str().map(str::to_owned);
        Some(Self { token: token_of(answer.get("token")?)?, expires: text("expires")?, api: text("api")? })
    }

    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"token": self.token.expose_secret(), "expires": self.expires, "api": self.api})
    }
}

/// One word of printable ASCII: so it can stand in a header and in a line to git.
#[must_use]
pub fn token_of(value: &Value) -> Option<SecretString> {
    let token = value.as_str()?;
    let is_word = (1..=MAX_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    is_word.then(|| token.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:iwomp-in-aws--broker";

    fn called(qualifier: &str) -> Option<(Purpose, String)> {
        called_by(&format!("{FUNCTION}{qualifier}")).map(|(purpose, project)| (purpose, project.to_string()))
    }

    #[test]
    fn only_an_alias_of_a_project_says_for_whom_a_token_is() {
        assert_eq!(called(":fetch-shop"), Some((Purpose::Fetch, "shop".to_owned())));
        assert_eq!(called(":notify-fetch-7"), Some((Purpose::Notify, "fetch-7".to_owned())));
        for other in ["", ":", ":$LATEST", ":7", ":fetch", ":fetch-", ":Fetch-shop", ":shop", ":fetch-_default"] {
            assert_eq!(called(other), None, "{other}");
        }
        for other in [":fetch-shop:x", ":x:fetch-shop", ":fetch-a/b", ":fetch-shop ", ":delete-shop"] {
            assert_eq!(called(other), None, "{other}");
        }
        let (config_path, shop) = (ConfigPath::parse("iwomp-in-aws").unwrap(), ProjectName::parse("shop").unwrap());
        let arn = FUNCTION.replace("iwomp-in-aws--broker", &function(&config_path));
        assert_eq!(called_by(&format!("{arn}:{}", alias(Purpose::Notify, &shop))), Some((Purpose::Notify, shop)));
    }

    #[test]
    fn whoever_asks_can_name_no_project_no_repository_and_no_right() {
        assert!(matches!(Question::read(&json!({})), Some(Question::Mint)));
        let revoke = Question::read(&json!({"revoke": "ghs_x"}));
        assert!(matches!(&revoke, Some(Question::Revoke(token)) if token.expose_secret() == "ghs_x"));
        assert_eq!(revoke.unwrap().to_json(), json!({"revoke": "ghs_x"}));
        assert_eq!(Question::Mint.to_json(), json!({}));
        for wrong in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"project": "shop"}),
            json!({"repositories": ["shop"]}),
            json!({"revoke": "ghs_a\nb"}),
            json!({"revoke": ""}),
            json!({"revoke": "ghp_of-a-person"}),
            json!({"revoke": 7}),
            json!({"revoke": format!("ghs_{}", "x".repeat(MAX_TOKEN_BYTES))}),
            json!({"revoke": "ghs_x", "permissions": {"contents": "write"}}),
        ] {
            assert!(Question::read(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_read_as_it_was_written_and_shows_no_token() {
        let minted = Minted { token: "ghs_x".into(), expires: "soon".to_owned(), api: "https://x".to_owned() };
        let read = Minted::read(minted.to_json().to_string().as_bytes()).unwrap();
        assert_eq!((read.token.expose_secret(), &*read.expires, &*read.api), ("ghs_x", "soon", "https://x"));
        assert!(!format!("{read:?}").contains("ghs_x"));
        for wrong in ["null", "{}", r#"{"token":"a b","expires":"","api":""}"#, r#"{"token":"x","api":""}"#] {
            assert!(Minted::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
