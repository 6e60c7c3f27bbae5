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
