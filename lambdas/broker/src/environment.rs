//! The broker's environment, set by Terraform. No other file reads it.

use std::env;

use anyhow::{Context, Result, bail};
use contract::{ConfigPath, GitUrl, variable};
use url::Url;

const APP_ID: &str = "APPID";
const APP_KEY_ARN: &str = "APPKEYARN";
const API_URL: &str = "APIURL";
const CA_BUNDLE: &str = "CABUNDLE";

const PUBLIC_API: &str = "https://api.github.com";

pub struct Environment {
    pub config_path: ConfigPath,
    /// Its number, or its client id.
    pub app_id: String,
    /// Of the key in KMS that signs for the App.
    pub key_arn: String,
    pub api: Api,
    /// Certificates to trust for the API, and no others.
    pub ca_bundle: Option<String>,
}

impl Environment {
    pub fn read() -> Result<Self> {
        let config_path = required(variable::CONFIG_PATH)?;
        Ok(Self {
            config_path: ConfigPath::parse(&config_path)
                .with_context(|| format!("reading the environment variable {}", variable::CONFIG_PATH))?,
            app_id: required(APP_ID)?,
            key_arn: required(APP_KEY_ARN)?,
            api: Api::parse(&required(API_URL)?)
                .with_context(|| format!("reading the environment variable {API_URL}"))?,
            ca_bundle: env::var(CA_BUNDLE).ok().filter(|bundle| !bundle.is_empty()),
        })
    }
}

fn required(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("reading the environment variable {name}, which Terraform sets"))
}

/// The API of the GitHub that the App is registered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Api {
    /// Without a slash at its end.
    pub url: String,
    /// The host of its repositories.
    pub git_host: String,
    /// Whether that is a host of GitHub's own, which has no other port than that of HTTPS.
    is_githubs: bool,
}

impl Api {
    pub fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text)?;
        let Some(host) = url.host_str().filter(|_| url.scheme() == "https" && url.query().is_none()) else {
            bail!("it is no https:// URL of an API");
        };
        // github.com and its tenants have the API on a host of its own; an Enterprise Server has it below /api/v3.
        let githubs = host.strip_prefix("api.").filter(|_| url.path() == "/");
        let (git_host, is_githubs) = (githubs.unwrap_or(host).to_owned(), githubs.is_some());
        Ok(Self { url: text.trim_end_matches('/').to_owned(), git_host, is_githubs })
    }

    /// An Enterprise Server may stand in a network of one's own: whoever writes Terraform says where, and no entry does.
    pub fn may_be_private(&self) -> bool {
        self.url != PUBLIC_API
    }

    /// `owner/name` of a repository of this GitHub.
    pub fn repository<'a>(&self, git_url: &'a GitUrl) -> Option<(&'a str, &'a str)> {
        let (owner, name) = git_url.repository().split_once('/')?;
        let is_name = |name: &str| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            !name.is_empty() && name.bytes().all(is_plain) && ![".", ".."].contains(&name)
        };
        let is_here = git_url.host() == self.git_host && (git_url.port().is_none() || !self.is_githubs);
        (is_here && is_name(owner) && is_name(name)).then_some((owner, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_says_of_which_host_the_repositories_are() {
        for (text, url, git_host, is_public) in [
            ("https://api.github.com", "https://api.github.com", "github.com", true),
            ("https://api.acme.ghe.com/", "https://api.acme.ghe.com", "acme.ghe.com", false),
            ("https://git.acme.example/api/v3", "https://git.acme.example/api/v3", "git.acme.example", false),
            ("https://api.acme.example/api/v3/", "https://api.acme.example/api/v3", "api.acme.example", false),
        ] {
            let api = Api::parse(text).unwrap();
            assert_eq!((&*api.url, &*api.git_host, !api.may_be_private()), (url, git_host, is_public), "{text}");
        }
        for wrong in ["", "api.github.com", "http://api.github.com", "https://x/?a=b"] {
            assert!(Api::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_repository_of_the_apps_own_host_is_asked_for() {
        let api = Api::parse(PUBLIC_API).unwrap();
        let repository = |url: &str| {
            let url = GitUrl::parse(url).unwrap();
            api.repository(&url).map(|(owner, name)| format!("{owner} {name}"))
        };
        for url in ["https://github.com/acme/shop.git", "https://GitHub.com/acme/shop"] {
            assert_eq!(repository(url).as_deref(), Some("acme shop"), "{url}");
        }
        for url in [
            "https://gitlab.com/acme/shop.git",
            "https://github.com.evil.example/acme/shop",
            "https://api.github.com/acme/shop",
            "https://github.com/acme",
            "https://github.com/acme/team/shop",
            "https://github.com:8443/acme/shop",
            "https://github.com/acme/.git",
            "https://github.com/acme/...git",
            "https://github.com/acme/a%20b",
        ] {
            assert_eq!(repository(url), None, "{url}");
        }
    }
}
