//! From a call to a token, one step a line: the alias says for whom, the register which repository, KMS who the App is, GitHub
//! the rest.

use std::time::SystemTime;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use contract::broker::{Purpose, Question, called_by};
use contract::register::{CredentialSource, Project};
use contract::{Event, ProjectName, parameter, printable};
use iwomp_aws::broker::{LATER, NEVER};
use iwomp_aws::metric;
use iwomp_aws::parameters::Entry;
use serde_json::{Value, json};

use crate::environment::Environment;
use crate::github::GitHub;
use crate::jwt;

/// Longest reason in a line, in characters.
const MAX_REASON_CHARS: usize = 1000;

pub struct Broker {
    pub environment: Environment,
    pub kms: aws_sdk_kms::Client,
    pub ssm: aws_sdk_ssm::Client,
    /// The way to GitHub.
    pub github: SharedHttpConnector,
}

/// Why there is no token: for people, what was tried, what went wrong, and what to do next.
#[derive(Debug)]
pub struct Refusal {
    pub reason: String,
    may_pass: bool,
}

impl Refusal {
    pub fn never(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: false }
    }

    pub fn later(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: true }
    }

    /// By which whoever asked knows whether to ask again.
    pub fn error_type(&self) -> &'static str {
        if self.may_pass { LATER } else { NEVER }
    }
}

impl Broker {
    /// What `payload` asks for, for the project of the alias by which the function was called.
    pub async fn handle(&self, function_arn: &str, payload: &Value) -> Result<Value, Refusal> {
        let Some((purpose, project)) = called_by(function_arn) else {
            return Err(Refusal::never(
                "the broker answers by the alias of a project, as fetch-PROJECT, and by no version: Terraform makes one for each \
                 project with github_app = true",
            ));
        };
        let (asked, answer) = match Question::read(payload) {
            None => ("nothing", Err(Refusal::never("the broker is asked with {} for a token, or to revoke one"))),
            Some(Question::Mint) => ("token", self.mint(purpose, &project).await),
            Some(Question::Revoke(token)) => {
                let answer = self.asks().revoke(&token).await;
                say(purpose, &project, "revocation", answer.as_ref().err());
                // Whatever GitHub said: else it could be asked here which tokens let somebody in.
                return Ok(Value::Null);
            }
        };
        say(purpose, &project, asked, answer.as_ref().err());
        answer
    }

    async fn mint(&self, purpose: Purpose, project: &ProjectName) -> Result<Value, Refusal> {
        let entry = self.entry(project).await?;
        let api = &self.environment.api;
        let repository = api.repository(&entry.git_url).ok_or_else(|| {
            Refusal::never(format!(
                "gitUrl of {project} is no https://{}/OWNER/NAME, where the App is: correct it, or leave githubApp out",
                api.git_host
            ))
        })?;
        let Environment { key_arn, app_id, .. } = &self.environment;
        let jwt = jwt::sign(&self.kms, key_arn, app_id, SystemTime::now()).await.map_err(|error| {
            Refusal::later(format!("{error:#}. See that the key is enabled, and has been imported for this pipeline"))
        })?;
        let minted = self.asks().mint(&jwt, repository, &rights(purpose, &entry)).await?;
        Ok(minted.to_json())
    }

    async fn entry(&self, project: &ProjectName) -> Result<Project, Refusal> {
        let name = parameter::register(&self.environment.config_path, project);
        let read = Entry::read(&self.ssm, &self.environment.config_path, project).await;
        match read.map_err(|error| Refusal::later(format!("{error:#}")))? {
            Entry::Missing => Err(Refusal::never(format!("there is no register entry {name}: register the project"))),
            Entry::Unreadable => Err(Refusal::never(format!(
                "the register entry {name} is broken, or encrypted, and the broker decrypts nothing: see iwomp register lint; with \
                 the App, an entry holds no secret and can be a String"
            ))),
            Entry::Read(entry) if entry.credential_source == CredentialSource::GitHubApp => Ok(*entry),
            Entry::Read(_) => Err(Refusal::never(format!("the register entry {name} does not say githubApp: true"))),
        }
    }

    fn asks(&self) -> GitHub<'_> {
        GitHub { connector: &self.github, api: &self.environment.api }
    }
}

/// The least that the purpose needs.
fn rights(purpose: Purpose, entry: &Project) -> Vec<(&'static str, &'static str)> {
    match purpose {
        Purpose::Fetch => vec![("contents", "read")],
        Purpose::Notify if entry.notify.iter().any(|target| target.environment.is_some()) => {
            vec![("deployments", "write"), ("statuses", "write")]
        }
        Purpose::Notify => vec![("statuses", "write")],
    }
}

fn say(purpose: Purpose, project: &ProjectName, asked: &str, refusal: Option<&Refusal>) {
    metric::print(&json!({
        "event": Event::Token,
        "asked": asked,
        "purpose": purpose,
        "project": project.as_str(),
        "result": refusal.map_or("given", Refusal::error_type),
        "reason": refusal.map(|refusal| printable(&refusal.reason, MAX_REASON_CHARS)),
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_kms::operation::sign::{SignError, SignOutput};
    use aws_sdk_kms::primitives::Blob;
    use aws_sdk_kms::types::error::DisabledException;
    use aws_sdk_ssm::operation::get_parameters::GetParametersOutput;
    use aws_sdk_ssm::types::Parameter;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use contract::ConfigPath;

    use super::*;
    use crate::environment::Api;

    const FETCH: &str = "arn:aws:lambda:eu-central-1:123456789012:function:iwomp-in-aws--broker:fetch-shop";
    const NOTIFY: &str = "arn:aws:lambda:eu-central-1:123456789012:function:iwomp-in-aws--broker:notify-shop";
    const TOKEN: &str = "ghs_canary";

    /// Gives one answer after the other, and writes down what it is asked.
    #[derive(Debug, Clone)]
    struct Fake(Arc<Mutex<Vec<(u16, String)>>>, Arc<Mutex<Vec<Asked>>>);

    #[derive(Debug, PartialEq)]
    struct Asked {
        what: String,
        authorization: String,
        body: Value,
    }

    impl HttpConnector for Fake {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let headers = request.headers();
            assert_eq!(headers.get("accept"), Some("application/vnd.github+json"));
            assert_eq!(headers.get("x-github-api-version"), Some("2022-11-28"));
            assert!(headers.get("user-agent").unwrap().starts_with("iwomp/"));
            let url = request.uri().strip_prefix("https://api.github.com/").unwrap();
            self.1.lock().unwrap().push(Asked {
                what: format!("{} {url}", request.method()),
                authorization: headers.get("authorization").unwrap().to_owned(),
                body: serde_json::from_slice(request.body().bytes().unwrap()).unwrap_or_default(),
            });
            let (status, text) = self.0.lock().unwrap().remove(0);
            let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(text));
            if status == 429 {
                response.headers_mut().insert("retry-after", "120");
            }
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    fn installed() -> (u16, String) {
        (200, json!({"id": 7, "suspended_at": null}).to_string())
    }

    fn minted(permissions: Value) -> Value {
        json!({
            "token": TOKEN, "expires_at": "2026-11-26T21:00:00Z", "permissions": permissions,
            "repository_selection": "selected", "repositories": [{"full_name": "Acme/shop"}],
        })
    }

    fn fetching() -> Value {
        minted(json!({"contents": "read", "metadata": "read"}))
    }

    fn signing() -> Rule {
        mock!(aws_sdk_kms::Client::sign)
            .match_requests(|input| {
                input.key_id() == Some("key") && input.message().unwrap().as_ref().starts_with(b"eyJ")
            })
            .then_output(|| SignOutput::builder().signature(Blob::new("signature")).build())
    }

    struct Scene {
        entry: Option<String>,
        answers: Vec<(u16, String)>,
        kms: Rule,
    }

    impl Default for Scene {
        fn default() -> Self {
            let answers = vec![installed(), (201, fetching().to_string())];
            Self { entry: Some(entry("")), answers, kms: signing() }
        }
    }

    fn entry(more: &str) -> String {
        format!(r#"{{"gitUrl":"https://github.com/acme/shop.git","command":"d","githubApp":true{more}}}"#)
    }

    impl Scene {
        async fn call(self, function_arn: &str, payload: Value) -> (Result<Value, Refusal>, Vec<Asked>) {
            let entry = self.entry;
            let parameters = mock!(aws_sdk_ssm::Client::get_parameters)
                .match_requests(|input| input.with_decryption().is_none() && input.names()[0] == "/iwomp-in-aws/shop")
                .then_compute_output(move |_| {
                    let entry =
                        entry.clone().map(|text| Parameter::builder().name("/iwomp-in-aws/shop").value(text).build());
                    GetParametersOutput::builder().set_parameters(Some(entry.into_iter().collect())).build()
                });
            let fake = Fake(Arc::new(Mutex::new(self.answers)), Arc::default());
            let broker = Broker {
                environment: Environment {
                    config_path: ConfigPath::parse("iwomp-in-aws").unwrap(),
                    app_id: "123456".to_owned(),
                    key_arn: "key".to_owned(),
                    api: Api::parse("https://api.github.com").unwrap(),
                    ca_bundle: None,
                },
                kms: mock_client!(aws_sdk_kms, RuleMode::MatchAny, [&self.kms]),
                ssm: mock_client!(aws_sdk_ssm, RuleMode::MatchAny, [&parameters]),
                github: SharedHttpConnector::new(fake.clone()),
            };
            let answer = broker.handle(function_arn, &payload).await;
            let asked = std::mem::take(&mut *fake.1.lock().unwrap());
            (answer, asked)
        }

        async fn refusal(self) -> String {
            let (answer, _) = self.call(FETCH, json!({})).await;
            let refusal = answer.unwrap_err();
            assert!(!refusal.reason.contains("canary"), "{}", refusal.reason);
            format!("{}: {}", refusal.error_type(), refusal.reason)
        }
    }

    fn whats(asked: &[Asked]) -> Vec<&str> {
        asked.iter().map(|asked| asked.what.as_str()).collect()
    }

    #[tokio::test]
    async fn a_token_is_for_the_projects_repository_alone_and_may_read_its_files() {
        let (answer, asked) = Scene::default().call(FETCH, json!({})).await;
        let token = json!({"token": TOKEN, "expires": "2026-11-26T21:00:00Z", "api": "https://api.github.com"});
        assert_eq!(answer.unwrap(), token);
        assert_eq!(whats(&asked), ["GET repos/acme/shop/installation", "POST app/installations/7/access_tokens"]);
        assert!(asked.iter().all(
            |asked| asked.authorization.starts_with("Bearer eyJ") && asked.authorization.ends_with(".c2lnbmF0dXJl")
        ));
        assert_eq!(asked[1].body, json!({"repositories": ["shop"], "permissions": {"contents": "read"}}));
    }

    #[tokio::test]
    async fn the_courier_may_write_statuses_and_deployments_only_where_an_environment_is_named() {
        for (notify, rights) in [
            (r#"{"to":"github"}"#, json!({"statuses": "write"})),
            (r#"{"to":"github","environment":"prod"}"#, json!({"deployments": "write", "statuses": "write"})),
        ] {
            let answers = vec![installed(), (201, minted(rights.clone()).to_string())];
            let scene = Scene { entry: Some(entry(&format!(r#","notify":[{notify}]"#))), answers, ..Scene::default() };
            let (answer, asked) = scene.call(NOTIFY, json!({})).await;
            assert_eq!(answer.unwrap()["token"], TOKEN);
            assert_eq!(asked[1].body["permissions"], rights);
        }
    }

    #[tokio::test]
    async fn whoever_calls_otherwise_than_by_a_projects_alias_or_wants_more_gets_nothing() {
        let function = FETCH.strip_suffix(":fetch-shop").unwrap();
        for arn in ["", function, &format!("{function}:$LATEST"), &format!("{function}:1"), &format!("{function}:shop")]
        {
            let (answer, asked) = Scene::default().call(arn, json!({})).await;
            assert!(answer.unwrap_err().reason.contains("alias"), "{arn}");
            assert_eq!(asked, []);
        }
        for payload in [json!({"project": "other"}), json!({"repositories": ["other"]}), json!(null)] {
            let (answer, asked) = Scene::default().call(FETCH, payload).await;
            assert_eq!((answer.unwrap_err().error_type(), asked), (NEVER, Vec::new()));
        }
    }

    #[tokio::test]
    async fn to_revoke_a_token_tells_nothing_of_it() {
        for status in [204, 401, 403, 404, 422, 500] {
            let scene = Scene { answers: vec![(status, "canary".to_owned())], ..Scene::default() };
            let (answer, asked) = scene.call(FETCH, json!({"revoke": "ghs_old"})).await;
            assert_eq!(answer.unwrap(), Value::Null);
            assert_eq!(
                (whats(&asked), &*asked[0].authorization),
                (vec!["DELETE installation/token"], "Bearer ghs_old")
            );
        }
    }

    #[tokio::test]
    async fn a_token_for_more_than_was_asked_for_is_revoked_and_given_to_nobody() {
        let mut all = fetching();
        all["repository_selection"] = json!("all");
        let mut two = fetching();
        two["repositories"] = json!([{"full_name": "acme/shop"}, {"full_name": "acme/other"}]);
        let mut other = fetching();
        other["repositories"][0]["full_name"] = json!("acme/other");
        let mut none = fetching();
        none.as_object_mut().unwrap().remove("repositories");
        let mut unsaid = fetching();
        unsaid.as_object_mut().unwrap().remove("permissions");
        let writes = minted(json!({"contents": "write", "metadata": "read"}));
        let more = minted(json!({"contents": "read", "actions": "read"}));
        for wrong in [all, two, other, none, unsaid, writes, more] {
            let answers = vec![installed(), (201, wrong.to_string()), (204, String::new())];
            let (answer, asked) = Scene { answers, ..Scene::default() }.call(FETCH, json!({})).await;
            let refusal = answer.unwrap_err();
            assert!(refusal.reason.contains("given to nobody") && !refusal.reason.contains("canary"), "{wrong}");
            assert_eq!((&*asked[2].what, &*asked[2].authorization), ("DELETE installation/token", "Bearer ghs_canary"));
        }
    }

    #[tokio::test]
    async fn every_answer_of_github_says_what_to_do_next() {
        let suspended = (200, json!({"id": 7, "suspended_at": "2026-01-01T00:00:00Z"}).to_string());
        for (answers, said) in [
            (
                vec![(404, "canary")],
                "never: looking for the App's installation for acme/shop: the App is not installed",
            ),
            (
                vec![(401, "canary")],
                "never: looking for the App's installation for acme/shop: GitHub does not know the App",
            ),
            (
                vec![(301, "canary")],
                "never: looking for the App's installation for acme/shop: the repository has another name",
            ),
            (vec![(403, "canary")], "never: looking for the App's installation for acme/shop: GitHub answered 403"),
            (
                vec![(429, "canary")],
                "later: looking for the App's installation for acme/shop: GitHub wants fewer requests, in 120 s",
            ),
            (vec![(502, "canary")], "later: looking for the App's installation for acme/shop: GitHub answered 502"),
            (vec![(200, "{\"id\":")], "later: GitHub's answer for acme/shop is cut short"),
            (vec![(200, &suspended.1)], "never: the App's installation for acme/shop: it is suspended"),
            (
                vec![(200, r#"{"id":7}"#), (401, "canary")],
                "never: making a token for acme/shop: GitHub does not know the App",
            ),
            (vec![(200, r#"{"id":7}"#), (403, "canary")], "never: making a token for acme/shop: GitHub answered 403"),
            (
                vec![(200, r#"{"id":7}"#), (404, "canary")],
                "never: making a token for acme/shop: the installation is gone",
            ),
            (
                vec![(200, r#"{"id":7}"#), (422, "canary")],
                "never: making a token for acme/shop: GitHub answered 422: the installation does not have contents: read",
            ),
            (vec![(200, r#"{"id":7}"#), (429, "canary")], "later: making a token for acme/shop: GitHub wants fewer"),
            (vec![(200, r#"{"id":7}"#), (500, "canary")], "later: making a token for acme/shop: GitHub answered 500"),
            (vec![(200, r#"{"id":7}"#), (201, "{}")], "later: GitHub's answer for acme/shop is cut short"),
        ] {
            let answers = answers.into_iter().map(|(status, text)| (status, text.to_owned())).collect();
            let refusal = Scene { answers, ..Scene::default() }.refusal().await;
            assert!(refusal.starts_with(said), "{refusal}");
        }
    }

    #[tokio::test]
    async fn without_an_entry_of_the_app_or_its_key_github_is_not_asked() {
        let elsewhere = entry("").replace("github.com", "git.example");
        for (text, said) in [
            (None, "never: there is no register entry /iwomp-in-aws/shop"),
            (Some("{}".to_owned()), "never: the register entry /iwomp-in-aws/shop is broken"),
            (
                Some(entry("").replace("true", "false")),
                "never: the register entry /iwomp-in-aws/shop does not say githubApp",
            ),
            (Some(elsewhere), "never: gitUrl of shop is no https://github.com/OWNER/NAME"),
        ] {
            let refusal = Scene { entry: text, answers: Vec::new(), ..Scene::default() }.refusal().await;
            assert!(refusal.starts_with(said), "{refusal}");
        }
        let disabled = mock!(aws_sdk_kms::Client::sign).then_error(|| {
            SignError::DisabledException(DisabledException::builder().message("the key is disabled").build())
        });
        let refusal = Scene { kms: disabled, answers: Vec::new(), ..Scene::default() }.refusal().await;
        assert!(
            refusal.starts_with("later: signing with the App's key key: ") && refusal.contains("enabled"),
            "{refusal}"
        );
    }
}
