//! The part of a register entry that says who learns how a deployment went. Where a target is and with what it lets us in is
//! a secret of its own, see [`crate::TargetSecret`]: so whoever may write the entry can lead no secret to another host.

use serde_json::Value;

use crate::DocumentError;
use crate::document::Object;
use crate::word::words;

const KEY: &str = "notify";
pub(super) const MAX_TARGETS: usize = 10;
pub(super) const MAX_NAME_BYTES: usize = 32;
pub(super) const MAX_ENVIRONMENT_BYTES: usize = 100;

words! {
    /// What kind of thing is told.
    pub enum TargetKind {
        /// A commit status of GitHub, or of an Enterprise Server.
        GitHub = "github",
        /// A commit status of GitLab.
        GitLab = "gitlab",
        /// A commit status of Gitea or Forgejo.
        Gitea = "gitea",
        /// A build status of Bitbucket Cloud.
        Bitbucket = "bitbucket",
        /// A build status of Bitbucket Data Center.
        BitbucketServer = "bitbucketServer",
        /// A commit status of Azure DevOps.
        AzureDevOps = "azureDevops",
        /// An incoming webhook of Slack.
        Slack = "slack",
        /// A workflow of Microsoft Teams that waits for webhooks.
        Teams = "teams",
        /// A webhook of Discord.
        Discord = "discord",
        /// JSON of ours, signed.
        Webhook = "webhook",
        /// The same JSON, on the bus of EventBridge that the platform team has named.
        EventBridge = "eventbridge",
    }
}

words! {
    /// How a trigger or its build stands, in the words that the targets are told.
    pub enum State {
        /// It has waited for a minute, and goes on waiting.
        Waiting = "waiting",
        /// Its build has begun.
        Running = "running",
        Succeeded = "succeeded",
        Failed = "failed",
        /// A rule of the register, of the launcher or of the worker forbids it.
        Refused = "refused",
        /// It waited for longer than is allowed.
        Expired = "expired",
        Stopped = "stopped",
        TimedOut = "timedOut",
        /// A newer commit was live already, or another build had deployed it; nothing was run.
        Superseded = "superseded",
        /// This very commit is live already; nothing was run.
        Unchanged = "unchanged",
        /// An operator has rolled back and holds another; nothing was run.
        Held = "held",
    }
}

impl State {
    /// Whether more is to come.
    #[must_use]
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }

    /// Whether a target is told of it that does not say of what. Not of what has not ended, and not of what ran nothing because
    /// nothing was to be done: a schedule makes that every few minutes.
    fn is_usual(self) -> bool {
        !self.goes_on() && !matches!(self, Self::Superseded | Self::Unchanged | Self::Held)
    }
}

impl TargetKind {
    /// Whether it shows one state of each commit.
    #[must_use]
    pub fn is_git_host(self) -> bool {
        !matches!(self, Self::Slack | Self::Teams | Self::Discord | Self::Webhook | Self::EventBridge)
    }
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub kind: TargetKind,
    /// The last part of the name of its secret. The kind, unless there are two of a kind.
    pub name: String,
    /// Of what it is told, as the entry says it or as is usual.
    pub on: Vec<State>,
    /// GitHub's name of what is deployed to, if its deployments are told as well.
    pub environment: Option<String>,
    /// Whether it may have an address that no network outside of one's own has.
    pub may_be_private: bool,
}

pub(super) fn take(object: &mut Object) -> Result<Vec<Target>, DocumentError> {
    let items = match object.take(KEY) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) if items.len() <= MAX_TARGETS => items,
        Some(_) => return Err(invalid("must be an array of at most 10 objects")),
    };
    let targets = items.into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let is_twice = |(place, target): (usize, &Target)| targets[..place].iter().any(|other| other.name == target.name);
    if targets.iter().enumerate().any(is_twice) {
        return Err(invalid("has a name twice: give each of two targets of a kind a \"name\" of its own"));
    }
    Ok(targets)
}

fn target(item: Value) -> Result<Target, DocumentError> {
    let Value::Object(mut item) = item else { return Err(invalid("must be an array of objects")) };
    let kind = match item.remove("to") {
        Some(Value::String(to)) => TargetKind::ALL.iter().copied().find(|kind| kind.as_str() == to),
        _ => None,
    };
    let kind = kind.ok_or(invalid(
        "must say \"to\" what: github, gitlab, gitea, bitbucket, bitbucketServer, azureDevops, slack, teams, discord, webhook or \
         eventbridge",
    ))?;
    let name = match item.remove("name") {
        None => kind.as_str().to_owned(),
        Some(Value::String(name)) if is_target_name(&name) => name,
        Some(_) => return Err(invalid("must have names of at most 32 of a-z A-Z 0-9 -, the first no -")),
    };
    let on = match item.remove("on") {
        None => State::ALL.iter().copied().filter(|state| state.is_usual()).collect(),
        Some(Value::Array(states)) if !states.is_empty() => {
            states.iter().map(state).collect::<Option<_>>().ok_or(invalid(STATES))?
        }
        Some(_) => return Err(invalid(STATES)),
    };
    let may_be_private = match item.remove("private") {
        None => false,
        Some(Value::Bool(private)) => private,
        Some(_) => return Err(invalid("must have true or false as \"private\"")),
    };
    let environment = match item.remove("environment") {
        None => None,
        Some(Value::String(name)) if kind == TargetKind::GitHub && is_environment(&name) => Some(name),
        Some(_) => {
            return Err(invalid(
                "may have an \"environment\" for github only, of at most 100 of a-z A-Z 0-9 space . _ - /, no space at an end",
            ));
        }
    };
    if !item.is_empty() {
        return Err(invalid(
            "may have \"to\", \"name\", \"on\", \"environment\" and \"private\" in each object, and nothing else",
        ));
    }
    Ok(Target { kind, name, on, environment, may_be_private })
}

/// Whether a target can be called so, and its secret after it.
#[must_use]
pub fn is_target_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_environment(name: &str) -> bool {
    (1..=MAX_ENVIRONMENT_BYTES).contains(&name.len())
        && name.trim() == name
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b" ._-/".contains(&b))
}

const STATES: &str = "must have as \"on\" an array of waiting, running, succeeded, failed, refused, expired, stopped, \
     timedOut, superseded, unchanged, held";

fn state(value: &Value) -> Option<State> {
    State::ALL.iter().copied().find(|state| value.as_str() == Some(state.as_str()))
}

fn invalid(rule: &'static str) -> DocumentError {
    DocumentError::Invalid { key: KEY, rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Target>, String> {
        let mut object = Object::read(&format!(r#"{{"notify":{text}}}"#), &[KEY]).unwrap();
        take(&mut object).map_err(|error| error.to_string())
    }

    #[test]
    fn a_target_needs_no_more_than_its_kind() {
        let [target] = read(r#"[{"to":"github"}]"#).unwrap().try_into().unwrap();
        assert_eq!((target.kind, target.name.as_str()), (TargetKind::GitHub, "github"));
        let usual = [State::Succeeded, State::Failed, State::Refused, State::Expired, State::Stopped, State::TimedOut];
        assert_eq!(target.on, usual);
        assert!(!target.may_be_private);
        let [target] = read(r#"[{"to":"slack","name":"on-call","on":["failed","timedOut"],"private":true}]"#)
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(
            (target.name.as_str(), target.on.as_slice()),
            ("on-call", [State::Failed, State::TimedOut].as_slice())
        );
        assert!(target.may_be_private && target.environment.is_none());
        let [target] = read(r#"[{"to":"github","environment":"pre/production 2"}]"#).unwrap().try_into().unwrap();
        assert_eq!(target.environment.as_deref(), Some("pre/production 2"));
        assert!(read("[]").unwrap().is_empty());
    }

    #[test]
    fn the_words_of_an_error_are_all_there_are() {
        let (states, kinds) = (read(r#"[{"to":"slack","on":["x"]}]"#).unwrap_err(), read("[{}]").unwrap_err());
        assert!(State::ALL.iter().all(|state| states.contains(state.as_str())), "{states}");
        assert!(TargetKind::ALL.iter().all(|kind| kinds.contains(kind.as_str())), "{kinds}");
    }

    #[test]
    fn a_malformed_target_is_an_error_and_nobody_else_is_told_instead() {
        let too_many = format!("[{}]", [r#"{"to":"slack"}"#; MAX_TARGETS + 1].join(","));
        for wrong in [
            "{}",
            "\"github\"",
            "[1]",
            "[{}]",
            r#"[{"to":"GitHub"}]"#,
            r#"[{"to":["github"]}]"#,
            r#"[{"to":"slack","name":""}]"#,
            r#"[{"to":"slack","name":"a/b"}]"#,
            r#"[{"to":"slack","name":"-a"}]"#,
            r#"[{"to":"slack","name":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]"#,
            r#"[{"to":"slack","on":[]}]"#,
            r#"[{"to":"slack","on":["deployed"]}]"#,
            r#"[{"to":"slack","on":"failed"}]"#,
            r#"[{"to":"slack","private":"yes"}]"#,
            r#"[{"to":"gitlab","environment":"x"}]"#,
            r#"[{"to":"github","environment":""}]"#,
            r#"[{"to":"github","environment":" x"}]"#,
            r#"[{"to":"github","environment":"a\nb"}]"#,
            r#"[{"to":"slack","url":"https://hooks.slack.com/services/x"}]"#,
            r#"[{"to":"slack"},{"to":"slack"}]"#,
            &too_many,
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.starts_with("\"notify\" ") && !error.contains("hooks.slack"), "{wrong}: {error}");
        }
    }
}
