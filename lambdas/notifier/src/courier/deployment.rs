//! GitHub's deployments: with them the page of a repository shows what is live in which environment. Three requests, from
//! <https://docs.github.com/en/rest/deployments>: a deployment of the commit is found, or made, and then given a status.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde_json::{Value, json};
use url::Url;

use super::host::{self, Verdict};
use super::message::{Light, Message};

/// What a commit's deployment is told.
#[derive(Debug)]
pub struct Deployment {
    /// `https://api.github.com/repos/acme/shop/deployments`
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub commit: String,
    pub environment: String,
    /// One a project, so that two of one repository do not answer for each other.
    pub task: String,
    pub light: Light,
    pub description: String,
    pub link: Option<String>,
}

impl Deployment {
    /// Tells it. Whoever is interrupted begins anew, and finds the deployment that was made.
    pub async fn tell(&self, connector: &SharedHttpConnector) -> Result<(), Verdict> {
        let found = host::ask(connector, &self.search()).await?;
        let id = match id(&found) {
            Some(id) => id,
            None => id(&host::ask(connector, &self.creation()).await?).ok_or_else(|| Verdict::Never {
                reason: "the host made a deployment and gave it no id: see what it says of its API".to_owned(),
            })?,
        };
        host::ask(connector, &self.status(id)).await.map(drop)
    }

    fn search(&self) -> Message {
        let query = [
            ("sha", self.commit.as_str()),
            ("environment", &self.environment),
            ("task", &self.task),
            ("per_page", "1"),
        ];
        // What cannot be parsed is sent as it is, and is an error there.
        let url = Url::parse_with_params(&self.url, query).map_or_else(|_| self.url.clone(), Into::into);
        Message { method: "GET", url, headers: self.headers.clone(), body: String::new() }
    }

    fn creation(&self) -> Message {
        // No checks and no merge: what is told of has happened.
        let body = json!({
            "ref": self.commit, "task": self.task, "environment": self.environment, "description": self.description,
            "auto_merge": false, "required_contexts": [],
        });
        self.post(self.url.clone(), &body)
    }

    fn status(&self, id: u64) -> Message {
        let state = match self.light {
            Light::Running => "in_progress",
            Light::Green => "success",
            Light::Red => "failure",
            Light::Neither => "inactive",
        };
        let mut body = json!({"state": state, "description": self.description});
        if let Some(link) = &self.link {
            body["log_url"] = json!(link);
        }
        self.post(format!("{}/{id}/statuses", self.url), &body)
    }

    fn post(&self, url: String, body: &Value) -> Message {
        Message { method: "POST", url, headers: self.headers.clone(), body: body.to_string() }
    }
}

/// Of a deployment, or of the first of a list.
fn id(answer: &str) -> Option<u64> {
    let json: Value = serde_json::from_str(answer).ok()?;
    json.get(0).unwrap_or(&json).get("id")?.as_u64()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::fixtures::COMMIT;

    /// Knows deployments with these ids, and writes down what it is asked.
    #[derive(Debug, Clone)]
    struct GitHub(&'static str, Arc<Mutex<Vec<(String, String, Value)>>>);

    impl HttpConnector for GitHub {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap_or_default();
            let (method, url) = (request.method().to_owned(), request.uri().to_owned());
            let (status, answer) = match method.as_str() {
                "GET" => (200, self.0),
                _ if url.ends_with("/deployments") => (201, r#"{"id":2,"task":"x"}"#),
                _ => (201, "{}"),
            };
            self.1.lock().unwrap().push((method, url, body));
            let status = StatusCode::try_from(status).unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
        }
    }

    async fn told(known: &'static str, light: Light) -> Vec<(String, String, Value)> {
        let github = GitHub(known, Arc::default());
        let deployment = Deployment {
            url: "https://api.github.com/repos/acme/shop/deployments".to_owned(),
            headers: vec![("authorization", "Bearer t".to_owned())],
            commit: COMMIT.to_owned(),
            environment: "pre production&x".to_owned(),
            task: "deploy:iwomp/demo".to_owned(),
            light,
            description: "deployed".to_owned(),
            link: Some("https://console.example/x".to_owned()),
        };
        deployment.tell(&SharedHttpConnector::new(github.clone())).await.unwrap();
        let asked = github.1.lock().unwrap();
        asked.clone()
    }

    #[tokio::test]
    async fn a_deployment_is_made_once_and_then_found() {
        let [search, creation, status] = told("[]", Light::Running).await.try_into().unwrap();
        let query = "environment=pre+production%26x&task=deploy%3Aiwomp%2Fdemo&per_page=1";
        let url = "https://api.github.com/repos/acme/shop/deployments";
        assert_eq!(search, ("GET".to_owned(), format!("{url}?sha={COMMIT}&{query}"), Value::Null));
        assert_eq!((creation.0.as_str(), creation.1.as_str()), ("POST", url));
        assert_eq!((&creation.2["ref"], &creation.2["required_contexts"]), (&json!(COMMIT), &json!([])));
        assert_eq!((status.1, &status.2["state"]), (format!("{url}/2/statuses"), &json!("in_progress")));

        let [_, status] = told(r#"[{"id":7},{"id":1}]"#, Light::Green).await.try_into().unwrap();
        assert_eq!((status.1, &status.2["state"]), (format!("{url}/7/statuses"), &json!("success")));
        assert_eq!(status.2["log_url"], "https://console.example/x");
    }
}
