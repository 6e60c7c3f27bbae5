//! What GitHub is asked as the App, and what its answers mean: <https://docs.github.com/en/rest/apps/apps> and
//! <https://docs.github.com/en/rest/apps/installations>.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use contract::broker::{Minted, token_of};
use iwomp_aws::host::{self, Answer, Message, Verdict, headers_of_github};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::environment::Api;
use crate::handler::Refusal;

/// What every token of an App has.
const ALWAYS: (&str, &str) = ("metadata", "read");

/// A GitHub, asked for one repository.
pub struct GitHub<'a> {
    pub connector: &'a SharedHttpConnector,
    pub api: &'a Api,
}

impl GitHub<'_> {
    /// A token for the one repository, with these rights and no others.
    pub async fn mint(
        &self,
        jwt: &SecretString,
        (owner, name): (&str, &str),
        rights: &[(&'static str, &'static str)],
    ) -> Result<Minted, Refusal> {
        let repository = &format!("{owner}/{name}");
        let found = self.ask("GET", &format!("repos/{repository}/installation"), jwt, Value::Null).await?;
        let installation = match found.status {
            200 => parsed(&found, repository)?,
            _ => return Err(not_found(&found, repository)),
        };
        if !installation["suspended_at"].is_null() {
            return Err(Refusal::never(format!("{INSTALLATION} {repository}: {SUSPENDED}")));
        }
        let id = installation["id"].as_u64().ok_or_else(|| not_understood(repository))?;
        let permissions: Map<_, _> = rights.iter().map(|(name, level)| ((*name).to_owned(), json!(level))).collect();
        let body = json!({"repositories": [name], "permissions": permissions});
        let made = self.ask("POST", &format!("app/installations/{id}/access_tokens"), jwt, body).await?;
        let token = match made.status {
            201 => parsed(&made, repository)?,
            _ => return Err(not_made(&made, repository, rights)),
        };
        let minted = token_of(&token["token"]).zip(token["expires_at"].as_str());
        let (secret, expires) = minted.ok_or_else(|| not_understood(repository))?;
        if let Err(more) = check(&token, repository, rights) {
            // It is nobody's.
            let revoked = self.revoke(&secret).await;
            let left = revoked.err().map(|refusal| format!("; and it is not revoked: {}", refusal.reason));
            return Err(Refusal::never(format!(
                "GitHub made a token for {repository} that {more}, which is given to nobody{}",
                left.unwrap_or_default()
            )));
        }
        Ok(Minted { token: secret, expires: expires.to_owned(), api: self.api.url.clone() })
    }

    pub async fn revoke(&self, token: &SecretString) -> Result<(), Refusal> {
        let answer = self.ask("DELETE", "installation/token", token, Value::Null).await?;
        match answer.status {
            // Of one that lets nobody in already, GitHub says 401.
            204 | 401 => Ok(()),
            status => Err(Refusal::never(format!("revoking a token: GitHub answered {status}"))),
        }
    }

    async fn ask(
        &self,
        method: &'static str,
        path: &str,
        token: &SecretString,
        body: Value,
    ) -> Result<Answer, Refusal> {
        let url = format!("{}/{path}", self.api.url);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let message = Message { method, url, headers: headers_of_github(token.expose_secret()), body };
        host::send(self.connector, &message).await.map_err(|verdict| {
            let asking = |reason| format!("asking {}: {reason}", self.api.url);
            match verdict {
                Verdict::Later { reason, .. } => Refusal::later(asking(reason)),
                Verdict::Never { reason } => Refusal::never(asking(reason)),
            }
        })
    }
}

const INSTALLATION: &str = "the App's installation for";
const SUSPENDED: &str = "it is suspended: an owner of the account can unsuspend it, in its settings under GitHub Apps";
const NOT_THE_KEYS: &str = "GitHub does not know the App by this key (401): app_id and key in Terraform's github_app have to be of \
     one App, and its key must not have been deleted there; iwomp github-app import-key takes a new one";

fn not_found(answer: &Answer, repository: &str) -> Refusal {
    let looking = format!("looking for {INSTALLATION} {repository}");
    passing(answer, &looking).unwrap_or_else(|| {
        let why = match answer.status {
            401 => NOT_THE_KEYS.to_owned(),
            300..=399 => "the repository has another name now: put its new URL into gitUrl".to_owned(),
            403 => format!("GitHub answered 403: it refuses the App; is its owner's account in order? If {SUSPENDED}"),
            404 => "the App is not installed there, or there is no such repository: correct gitUrl, or let an owner of the \
                 account install the App, or add the repository to its installation"
                .to_owned(),
            status => format!("GitHub answered {status}: see what it says of its API"),
        };
        Refusal::never(format!("{looking}: {why}"))
    })
}

fn not_made(answer: &Answer, repository: &str, rights: &[(&str, &str)]) -> Refusal {
    let making = format!("making a token for {repository}");
    passing(answer, &making).unwrap_or_else(|| {
        let wanted: Vec<_> = rights.iter().map(|(name, level)| format!("{name}: {level}")).collect();
        let why = match answer.status {
            401 => NOT_THE_KEYS.to_owned(),
            403 => format!("GitHub answered 403: the installation lacks the right, or {SUSPENDED}"),
            404 => "the installation is gone: let an owner of the account install the App".to_owned(),
            422 => format!(
                "GitHub answered 422: the installation does not have {}, or not this repository. Give the App these rights, and let an \
                 owner of the account accept them",
                wanted.join(" and ")
            ),
            status => format!("GitHub answered {status}: see what it says of its API"),
        };
        Refusal::never(format!("{making}: {why}"))
    })
}

/// What may be otherwise in a while.
fn passing(answer: &Answer, doing: &str) -> Option<Refusal> {
    let wait = answer.after.map(|after| format!(", in {} s", after.as_secs())).unwrap_or_default();
    match answer.status {
        429 => Some(Refusal::later(format!("{doing}: GitHub wants fewer requests{wait}"))),
        403 if answer.is_limited => Some(Refusal::later(format!("{doing}: GitHub wants fewer requests{wait}"))),
        status @ (408 | 500..) => {
            Some(Refusal::later(format!("{doing}: GitHub answered {status}, as in a disturbance")))
        }
        _ => None,
    }
}

fn parsed(answer: &Answer, repository: &str) -> Result<Value, Refusal> {
    serde_json::from_str(&answer.text).map_err(|_| not_understood(repository))
}

fn not_understood(repository: &str) -> Refusal {
    Refusal::later(format!("GitHub's answer for {repository} is cut short, or not as its API has it"))
}

/// That `token` is for this repository alone, and has no other rights.
fn check(token: &Value, repository: &str, rights: &[(&str, &str)]) -> Result<(), &'static str> {
    let repositories = token["repositories"].as_array().map(Vec::as_slice);
    let is_it = |found: &Value| found["full_name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(repository));
    if token["repository_selection"] != "selected" || !matches!(repositories, Some([one]) if is_it(one)) {
        return Err("is not for this repository alone");
    }
    let is_meant = |(name, level): (&String, &Value)| {
        rights.iter().chain([&ALWAYS]).any(|right| *name == right.0 && *level == right.1)
    };
    match token["permissions"].as_object() {
        Some(permissions) if permissions.iter().all(is_meant) => Ok(()),
        _ => Err("has other rights than were asked for"),
    }
}
