//! GitHub's deployments: with them the page of a repository shows what is live in which environment. From
//! <https://docs.github.com/en/rest/deployments>. Only what is live is told, by the record: a deployment that is made wakes
//! whoever listens for such, and a state of one says what its environment has.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use iwomp_aws::host::{Message, Verdict};
use serde_json::{Value, json};
use url::Url;

use super::host;

/// That a commit is live.
#[derive(Debug)]
pub struct Deployment {
    /// `https://api.github.com/repos/acme/shop/deployments`
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub commit: String,
    pub environment: String,
    /// One a project, so that two of one repository do not answer for each other.
    pub task: String,
    pub description: String,
    pub link: Option<String>,
}

impl Deployment {
    /// Tells it. Whoever is interrupted begins anew, and finds the deployment that was made.
    pub async fn tell(&self, connector: &SharedHttpConnector) -> Result<(), Verdict> {
        let newest = newest(&host::ask(connector, &self.search()).await?)?;
        match newest {
            Some((id, sha)) if sha == self.commit => self.say(connector, id, "success").await,
            before => {
                let made: Value =
                    serde_json::from_str(&host::ask(connector, &self.creation()).await?).map_err(cut_short)?;
                let id = made["id"].as_u64().ok_or_else(|| Verdict::Never {
                    reason: "the host made no deployment: see what it says of its API".to_owned(),
                })?;
                self.say(connector, id, "success").await?;
                // GitHub itself does so for some environments, and for older deployments only: not after a rollback.
                match before {
                    Some((before, _)) => self.say(connector, before, "inactive").await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn say(&self, connector: &SharedHttpConnector, id: u64, state: &str) -> Result<(), Verdict> {
        let mut body = json!({"state": state, "description": self.description});
        if let Some(link) = &self.link {
            body["log_url"] = json!(link);
        }
        host::ask(connector, &self.post(format!("{}/{id}/statuses", self.url), &body)).await.map(drop)
    }

    /// For the newest deployment of the environment.
    fn search(&self) -> Message {
        let query = [("environment", self.environment.as_str()), ("task", &self.task), ("per_page", "1")];
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

    fn post(&self, url: String, body: &Value) -> Message {
        Message { method: "POST", url, headers: self.headers.clone(), body: body.to_string() }
    }
}

/// The id and the commit of the first of a list.
fn newest(answer: &str) -> Result<Option<(u64, String)>, Verdict> {
    let list: Vec<Value> = serde_json::from_str(answer).map_err(cut_short)?;
    Ok(list.first().and_then(|first| Some((first["id"].as_u64()?, first["sha"].as_str()?.to_owned()))))
}

fn cut_short(_: serde_json::Error) -> Verdict {
    Verdict::Later { reason: "the host's answer is cut short, or no JSON".to_owned(), after: None }
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

    async fn told(known: &'static str) -> Vec<(String, String, Value)> {
        let github = GitHub(known, Arc::default());
        let deployment = Deployment {
            url: URL.to_owned(),
            headers: vec![("authorization", "Bearer t".to_owned())],
            commit: COMMIT.to_owned(),
            environment: "pre production&x".to_owned(),
            task: "deploy:iwomp/demo".to_owned(),
            description: "deployed".to_owned(),
            link: Some("https://console.example/x".to_owned()),
        };
        let told = deployment.tell(&SharedHttpConnector::new(github.clone())).await;
        assert_eq!(told.is_ok(), serde_json::from_str::<Value>(known).is_ok(), "{told:?}");
        let asked = github.1.lock().unwrap();
        asked.clone()
    }

    const URL: &str = "https://api.github.com/repos/acme/shop/deployments";

    #[tokio::test]
    async fn a_deployment_is_made_where_the_newest_is_of_another_commit_which_is_live_no_more() {
        let [search, creation, status] = told("[]").await.try_into().unwrap();
        let query = "environment=pre+production%26x&task=deploy%3Aiwomp%2Fdemo&per_page=1";
        assert_eq!(search, ("GET".to_owned(), format!("{URL}?{query}"), Value::Null));
        assert_eq!((creation.0.as_str(), creation.1.as_str()), ("POST", URL));
        assert_eq!((&creation.2["ref"], &creation.2["required_contexts"]), (&json!(COMMIT), &json!([])));
        assert_eq!((status.1, &status.2["state"]), (format!("{URL}/2/statuses"), &json!("success")));
        assert_eq!(status.2["log_url"], "https://console.example/x");

        let [_, _, status, before] = told(r#"[{"id":7,"sha":"b"},{"id":1}]"#).await.try_into().unwrap();
        assert_eq!((status.1, &status.2["state"]), (format!("{URL}/2/statuses"), &json!("success")));
        assert_eq!((before.1, &before.2["state"]), (format!("{URL}/7/statuses"), &json!("inactive")));
    }

    #[tokio::test]
    async fn what_is_the_newest_already_is_not_made_twice_and_a_broken_answer_makes_none() {
        let known: &str = format!(r#"[{{"id":7,"sha":"{COMMIT}"}}]"#).leak();
        let [_, status] = told(known).await.try_into().unwrap();
        assert_eq!((status.1, &status.2["state"]), (format!("{URL}/7/statuses"), &json!("success")));
        assert_eq!(told("[{\"id\":").await.len(), 1);
    }
}
