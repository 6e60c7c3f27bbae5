//! What each kind of target wants to read: one request, written from its host's public documentation, which is named beside it.

use std::time::{SystemTime, UNIX_EPOCH};

use contract::register::{State, Target, TargetKind};
use contract::{GitUrl, TargetSecret, printable};
use hmac::{Hmac, KeyInit, Mac};
use iwomp_aws::host::{Message, headers_of_github};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::deployment::Deployment;
use super::hex;
use super::parcel::Parcel;

/// What a host shows of a status; GitHub takes no more than 140 characters.
const MAX_DESCRIPTION_CHARS: usize = 120;
/// Of a message in a chat; Discord takes no more than 2000 characters in all, and escaping may double them.
const MAX_REASON_CHARS: usize = 300;
/// The name under which a host keeps a commit's status: one a project, so that two of one repository do not hide each other.
const CONTEXT: &str = "iwomp";

/// The request that tells `target` of `parcel`. None: of this it is not told. A Git host is told of builds: whoever may publish
/// could otherwise put a state on any commit, by a trigger that is refused, or that is answered with nothing.
///
/// # Errors
/// Says what does not fit, and no secret.
pub fn message(
    parcel: &Parcel,
    state: State,
    target: &Target,
    secret: &TargetSecret,
    git_url: &GitUrl,
    link: Option<String>,
    now: SystemTime,
) -> Result<Option<Message>, &'static str> {
    let url = secret.url.expose_secret();
    let story = Story { parcel, state, link };
    let kind = target.kind;
    if let TargetKind::Slack | TargetKind::Teams | TargetKind::Discord = kind {
        return Ok(Some(Message {
            method: "POST",
            url: url.to_owned(),
            headers: Vec::new(),
            body: story.chat(kind).to_string(),
        }));
    }
    if kind == TargetKind::Webhook {
        let body = story.webhook().to_string();
        let key = secret.key.as_ref().ok_or("its secret has no key")?;
        return Ok(Some(Message {
            method: "POST",
            url: url.to_owned(),
            headers: signed(&body, key, &story.id(), now)?,
            body,
        }));
    }
    let Some(light) = Light::of(state, target).filter(|_| !parcel.text("build").is_empty()) else { return Ok(None) };
    let Some(commit) = parcel.commit() else { return Ok(None) };
    let base = url.trim_end_matches('/');
    let token = secret.token.as_ref().ok_or("its secret has no token")?.expose_secret();
    let path = Path::of(git_url);
    let (url, authorization) = match kind {
        // https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
        TargetKind::GitHub => {
            (format!("{base}/repos/{}/statuses/{commit}", path.two()?), ("authorization", format!("Bearer {token}")))
        }
        // https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
        TargetKind::GitLab => (
            format!("{base}/projects/{}/statuses/{commit}", path.whole().replace('/', "%2F")),
            ("private-token", token.to_owned()),
        ),
        // https://docs.gitea.com/api/#tag/repository/operation/repoCreateStatus
        TargetKind::Gitea => {
            (format!("{base}/repos/{}/statuses/{commit}", path.two()?), ("authorization", format!("token {token}")))
        }
        // https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/
        TargetKind::Bitbucket => (
            format!("{base}/repositories/{}/commit/{commit}/statuses/build", path.two()?),
            ("authorization", format!("Bearer {token}")),
        ),
        // https://developer.atlassian.com/server/bitbucket/rest/v906/api-group-builds-and-deployments/
        TargetKind::BitbucketServer => {
            let [project, repository] = path.last_two().ok_or(NO_SUCH_PATH)?;
            let url = format!("{base}/api/latest/projects/{project}/repos/{repository}/commits/{commit}/builds");
            (url, ("authorization", format!("Bearer {token}")))
        }
        // https://learn.microsoft.com/en-us/rest/api/azure/devops/git/statuses/create
        TargetKind::AzureDevOps => {
            let [organisation, project, repository] = path.of_azure().ok_or(NO_SUCH_PATH)?;
            let repositories = format!("{base}/{organisation}/{project}/_apis/git/repositories");
            (
                format!("{repositories}/{repository}/commits/{commit}/statuses?api-version=7.1"),
                ("authorization", basic(token)),
            )
        }
        TargetKind::Slack | TargetKind::Teams | TargetKind::Discord | TargetKind::Webhook | TargetKind::EventBridge => {
            return Ok(None);
        }
    };
    let headers = if kind == TargetKind::GitHub { headers_of_github(token) } else { vec![authorization] };
    Ok(Some(Message { method: "POST", url, headers, body: story.status(kind, light).to_string() }))
}

/// The deployment that tells that a commit is live, where the entry names an environment.
///
/// # Errors
/// Says what does not fit, and no secret.
pub fn deployment(
    parcel: &Parcel,
    state: State,
    target: &Target,
    secret: &TargetSecret,
    git_url: &GitUrl,
    link: Option<String>,
) -> Result<Option<Deployment>, &'static str> {
    let (Some(environment), Some(Light::Green), Some(commit)) =
        (&target.environment, Light::of(state, target), parcel.commit())
    else {
        return Ok(None);
    };
    let token = secret.token.as_ref().ok_or("its secret has no token")?.expose_secret();
    let base = secret.url.expose_secret().trim_end_matches('/');
    Ok(Some(Deployment {
        url: format!("{base}/repos/{}/deployments", Path::of(git_url).two()?),
        headers: headers_of_github(token),
        commit: commit.to_string(),
        environment: environment.clone(),
        task: format!("deploy:{CONTEXT}/{}", parcel.text("project")),
        description: Story { parcel, state, link: None }.description(),
        link,
    }))
}

/// Gives a token of the GitHub App back: <https://docs.github.com/en/rest/apps/installations#revoke-an-installation-access-token>
pub fn revocation(secret: &TargetSecret) -> Message {
    let token = secret.token.as_ref().map_or("", ExposeSecret::expose_secret);
    let url = format!("{}/installation/token", secret.url.expose_secret());
    Message { method: "DELETE", url, headers: headers_of_github(token), body: String::new() }
}

/// What a webhook is sent, for whom it is no secret where: JSON.
pub fn event(parcel: &Parcel, state: State, link: Option<String>) -> Value {
    Story { parcel, state, link }.webhook()
}

/// Whether a Git host is told of it at all, as [`message`] has it.
pub fn is_shown(parcel: &Parcel, state: State, target: &Target) -> bool {
    Light::of(state, target).is_some() && !parcel.text("build").is_empty() && parcel.commit().is_some()
}

/// Whether a Git host shows success or failure of it.
pub fn is_decided(state: State, target: &Target) -> bool {
    matches!(Light::of(state, target), Some(Light::Green | Light::Red))
}

/// What a Git host shows of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Light {
    Running,
    Green,
    Red,
    /// What was said to run has come to nothing.
    Neither,
}

impl Light {
    /// None: a build that has not run the command, of which nobody was told that it runs.
    fn of(state: State, target: &Target) -> Option<Self> {
        match state {
            State::Running => Some(Self::Running),
            // What is live stands in the record.
            State::Succeeded | State::Unchanged => Some(Self::Green),
            State::Failed | State::Stopped | State::TimedOut => Some(Self::Red),
            State::Refused | State::Superseded | State::Held | State::Expired => {
                target.on.contains(&State::Running).then_some(Self::Neither)
            }
            State::Waiting => None,
        }
    }

    /// Each host's own word, in the order of the lights.
    fn word(self, kind: TargetKind) -> &'static str {
        let [running, green, red, neither] = match kind {
            TargetKind::GitLab => ["running", "success", "failed", "canceled"],
            TargetKind::Bitbucket => ["INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"],
            TargetKind::BitbucketServer => ["INPROGRESS", "SUCCESSFUL", "FAILED", "CANCELLED"],
            TargetKind::AzureDevOps => ["pending", "succeeded", "failed", "notApplicable"],
            TargetKind::Gitea => ["pending", "success", "failure", "warning"],
            // GitHub has none that is neither: so it goes on to wait, with the reason beside it.
            _ => ["pending", "success", "failure", "pending"],
        };
        match self {
            Self::Running => running,
            Self::Green => green,
            Self::Red => red,
            Self::Neither => neither,
        }
    }
}

const NO_SUCH_PATH: &str = "the path of gitUrl is none of this kind of host: look at the target's \"to\"";

/// The path of a repository, as hosts put it into their APIs' paths.
struct Path(Vec<String>);

impl Path {
    fn of(git_url: &GitUrl) -> Self {
        Self(git_url.repository().split('/').map(str::to_owned).collect())
    }

    fn whole(&self) -> String {
        self.0.join("/")
    }

    fn two(&self) -> Result<String, &'static str> {
        if self.0.len() == 2 { Ok(self.whole()) } else { Err(NO_SUCH_PATH) }
    }

    /// `/scm/PROJECT/repository` over HTTPS, `/PROJECT/repository` over SSH.
    fn last_two(&self) -> Option<[&String; 2]> {
        match self.0.as_slice() {
            [project, repository] => Some([project, repository]),
            [scm, project, repository] if scm == "scm" => Some([project, repository]),
            _ => None,
        }
    }

    /// `/organisation/[project/]_git/repository` over HTTPS, `/v3/organisation/project/repository` over SSH.
    fn of_azure(&self) -> Option<[&String; 3]> {
        match self.0.as_slice() {
            [organisation, project, git, repository] if git == "_git" => Some([organisation, project, repository]),
            // The repository that is called like its project.
            [organisation, git, repository] if git == "_git" => Some([organisation, repository, repository]),
            [version, organisation, project, repository] if version == "v3" => {
                Some([organisation, project, repository])
            }
            _ => None,
        }
    }
}

/// User name and password, of which Azure DevOps wants the second.
fn basic(token: &str) -> String {
    format!("Basic {}", aws_smithy_types::base64::encode(format!(":{token}")))
}

/// As <https://github.com/standard-webhooks/standard-webhooks> orders it: the time is signed with the body, so that nobody can send
/// an old message again, and the id is the same in every try.
fn signed(
    body: &str,
    key: &SecretString,
    id: &str,
    now: SystemTime,
) -> Result<Vec<(&'static str, String)>, &'static str> {
    let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).map_err(|_| "its key cannot sign")?;
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let signature = hex(&mac.finalize().into_bytes());
    Ok(vec![
        ("x-iwomp-timestamp", timestamp),
        ("x-iwomp-signature", format!("sha256={signature}")),
        ("idempotency-key", id.to_owned()),
    ])
}

/// What is told, in the words of each host.
struct Story<'a> {
    parcel: &'a Parcel,
    state: State,
    /// To the build's page.
    link: Option<String>,
}

impl Story<'_> {
    /// The same of everything that is the same news.
    fn id(&self) -> String {
        let of = [self.parcel.text("build"), self.parcel.text("trigger")].into_iter().find(|id| !id.is_empty());
        // Who has seen the end already is to take it once more, after what came too late.
        let again = if self.parcel.corrects { "/again" } else { "" };
        format!("{}/{}{again}", of.unwrap_or("none"), self.state)
    }

    /// `demo main failed`
    fn headline(&self) -> String {
        let mut words = vec![self.parcel.text("project"), self.parcel.text("branch")];
        words.retain(|word| !word.is_empty());
        format!("{} {}", words.join(" "), self.word())
    }

    fn word(&self) -> &'static str {
        match self.state {
            State::Waiting => "waits",
            State::Running => "is being deployed",
            State::Succeeded => "deployed",
            State::TimedOut => "timed out",
            other => other.as_str(),
        }
    }

    fn reason(&self) -> String {
        printable(self.parcel.text("reason"), MAX_REASON_CHARS)
    }

    fn description(&self) -> String {
        match self.parcel.text("reason") {
            "" => self.word().to_owned(),
            reason => printable(&format!("{}: {reason}", self.word()), MAX_DESCRIPTION_CHARS),
        }
    }

    fn status(&self, kind: TargetKind, light: Light) -> Value {
        let state = light.word(kind);
        let context = format!("{CONTEXT}/{}", self.parcel.text("project"));
        let description = self.description();
        let mut status = match kind {
            TargetKind::GitLab => json!({"state": state, "name": context, "description": description}),
            TargetKind::Bitbucket | TargetKind::BitbucketServer => {
                json!({"key": key_of(&context), "state": state, "name": context, "description": description})
            }
            TargetKind::AzureDevOps => {
                json!({"state": state, "description": description, "context": {"genre": CONTEXT, "name": self.parcel.text("project")}})
            }
            _ => json!({"state": state, "context": context, "description": description}),
        };
        let key = match kind {
            TargetKind::Bitbucket | TargetKind::BitbucketServer => "url",
            TargetKind::AzureDevOps => "targetUrl",
            _ => "target_url",
        };
        // GitLab takes 255 characters, and without a link it is told all the same. Bitbucket takes nothing without one.
        let fits = |link: &&String| kind != TargetKind::GitLab || link.len() <= 255;
        if let Some(link) = self.link.as_ref().filter(fits) {
            status[key] = json!(link);
        }
        status
    }

    /// The lines of a message, each already as the chat wants it.
    fn lines(&self, escape: impl Fn(&str) -> String, link: impl Fn(&str) -> String) -> Vec<String> {
        let mut lines = vec![escape(&self.headline())];
        lines.extend(
            Some(self.parcel.text("commit"))
                .filter(|it| !it.is_empty())
                .map(|commit| escape(&format!("commit {commit}"))),
        );
        lines.extend(Some(self.reason()).filter(|it| !it.is_empty()).map(|reason| escape(&reason)));
        lines.extend(self.link.as_deref().map(link));
        lines.extend(
            Some(self.parcel.text("trigger"))
                .filter(|it| !it.is_empty())
                .map(|id| escape(&format!("iwomp trace {id}"))),
        );
        lines
    }

    fn chat(&self, kind: TargetKind) -> Value {
        match kind {
            // https://docs.slack.dev/messaging/formatting-message-text#escaping: without these three, nothing is a mention or a link.
            TargetKind::Slack => {
                let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let text = self.lines(escape, |link| format!("<{link}|the build>")).join("\n");
                json!({"text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false})
            }
            // https://discord.com/developers/docs/resources/webhook#execute-webhook
            TargetKind::Discord => {
                let text = self.lines(escape_markdown, |link| format!("<{link}>")).join("\n");
                json!({"content": text, "allowed_mentions": {"parse": []}})
            }
            // https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
            _ => {
                let texts = self.lines(escape_markdown, |link| format!("[the build]({link})"));
                let blocks: Vec<_> =
                    texts.iter().map(|text| json!({"type": "TextBlock", "text": text, "wrap": true})).collect();
                json!({"type": "message", "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": blocks,
                    },
                }]})
            }
        }
    }

    fn webhook(&self) -> Value {
        let mut news = json!({"version": 1, "id": self.id(), "state": self.state});
        for key in ["project", "branch", "commit", "trigger", "build", "class", "reason", "ended"] {
            match self.parcel.text(key) {
                "" => {}
                text => news[key] = json!(text),
            }
        }
        if let Some(link) = &self.link {
            news["link"] = json!(link);
        }
        news
    }
}

/// Of a key Bitbucket takes 40 characters; two long names that begin alike are to stay two.
fn key_of(context: &str) -> String {
    match context.get(..31) {
        Some(start) if context.len() > 40 => {
            format!("{start}-{}", hex(&Sha256::digest(context)[..4]))
        }
        _ => context.to_owned(),
    }
}

/// A backslash before each sign that Markdown could take for one of its own, and before the `@` of a mention.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && !".,:;'\"/%=?! ".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fixtures::COMMIT;

    const LINK: &str = "https://eu-central-1.console.aws.amazon.com/x";
    const EVIL: &str = "<!channel> @everyone [x](http://evil) *b* \u{202e}\n`c` & <@U1>";

    fn parcel(outcome: &str, reason: &str) -> Parcel {
        let report = json!({
            "outcome": outcome, "project": "demo", "branch": "main", "commit": COMMIT, "reason": reason,
            "build": "iwomp-in-aws--demo:1", "trigger": "0e6d1a8b-8f8d-5f0c-9c1e-4d6a6f1f2a3b", "log_group": "x",
        });
        Parcel::new(report)
    }

    fn told(
        kind: TargetKind,
        secret: &str,
        git_url: &str,
        outcome: &str,
        reason: &str,
    ) -> Result<Message, &'static str> {
        let parcel = parcel(outcome, reason);
        let target =
            Target { kind, name: "x".to_owned(), on: State::ALL.to_vec(), environment: None, may_be_private: false };
        let secret = TargetSecret::parse(secret, kind).unwrap();
        let (git_url, link) = (GitUrl::parse(git_url).unwrap(), Some(LINK.to_owned()));
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        message(&parcel, parcel.state().unwrap(), &target, &secret, &git_url, link, now).map(Option::unwrap)
    }

    fn body(message: &Message) -> Value {
        serde_json::from_str(&message.body).unwrap()
    }

    #[test]
    fn no_trigger_puts_a_state_on_a_commit_that_no_build_ran_for() {
        let secret = TargetSecret::parse(r#"{"token":"t"}"#, TargetKind::GitHub).unwrap();
        let mut target = Target {
            kind: TargetKind::GitHub,
            name: "x".to_owned(),
            on: State::ALL.to_vec(),
            environment: None,
            may_be_private: false,
        };
        let git_url = GitUrl::parse("https://github.com/acme/shop.git").unwrap();
        let is_told = |parcel: &Parcel, target: &Target| {
            message(parcel, parcel.state().unwrap(), target, &secret, &git_url, None, UNIX_EPOCH).unwrap().is_some()
        };
        for outcome in ["refused", "expired", "superseded", "held", "failed", "busy", "covered"] {
            let mut parcel = parcel(outcome, "");
            parcel.report.as_object_mut().unwrap().remove("build"); // the launcher's word, not a build's end
            assert!(!is_told(&parcel, &target), "{outcome}");
        }
        target.on = vec![State::Refused, State::Superseded];
        for outcome in ["refused", "superseded", "held"] {
            assert!(!is_told(&parcel(outcome, ""), &target), "{outcome}: nobody said that it runs");
        }
    }

    #[test]
    fn who_shows_that_a_build_runs_is_told_of_its_end_and_nobody_else_of_a_correction() {
        let target = |kind, on: &[State]| Target {
            kind,
            name: "x".to_owned(),
            on: on.to_vec(),
            environment: None,
            may_be_private: false,
        };
        let host = target(TargetKind::GitHub, &[State::Running]);
        let chat = target(TargetKind::Slack, &[State::Running]);
        let usual = target(TargetKind::GitLab, &[State::Failed]);
        let hears = |outcome: &str, corrects, target: &Target| {
            let parcel = Parcel { corrects, ..parcel(outcome, "") };
            parcel.is_for(target, parcel.state().unwrap())
        };
        assert!(hears("refused", false, &host) && !hears("refused", false, &chat) && !hears("refused", false, &usual));
        assert!(hears("failed", false, &usual) && !hears("failed", true, &usual) && hears("failed", true, &host));
        assert!(hears("started", false, &chat) && !hears("busy", false, &host));
        let again =
            Story { parcel: &Parcel { corrects: true, ..parcel("failed", "") }, state: State::Failed, link: None };
        assert_eq!(again.id(), "iwomp-in-aws--demo:1/failed/again");
    }

    #[test]
    fn two_long_names_have_two_keys() {
        let keys = ["a", "b"].map(|end| key_of(&format!("iwomp/{}{end}", "p".repeat(50))));
        assert!(keys[0] != keys[1] && keys.iter().all(|key| key.len() == 40), "{keys:?}");
        assert_eq!(key_of("iwomp/demo"), "iwomp/demo");
    }

    #[test]
    fn a_path_that_is_no_such_hosts_is_an_error_before_anything_is_sent() {
        for (kind, git_url) in [
            (TargetKind::GitHub, "https://git.example/a/b/c.git"),
            (TargetKind::Bitbucket, "https://git.example/a"),
            (TargetKind::AzureDevOps, "https://git.example/a/b.git"),
        ] {
            let error = told(kind, r#"{"token":"t"}"#, git_url, "deployed", "").unwrap_err();
            assert!(error.contains("gitUrl"), "{kind}: {error}");
        }
    }

    #[test]
    fn no_text_of_others_is_a_mention_a_link_or_markup() {
        let url = r#"{"url":"https://hooks.example/x"}"#;
        let slack = told(TargetKind::Slack, url, "https://g.example/a/b", "failed", EVIL).unwrap();
        let text = body(&slack)["text"].as_str().unwrap().to_owned();
        assert!(
            text.contains("&lt;!channel&gt;") && text.contains("&amp; &lt;@U1&gt;") && text.contains("\\n"),
            "{text}"
        );
        assert_eq!(text.matches('<').count(), 1, "our own link: {text}");
        let discord = told(TargetKind::Discord, url, "https://g.example/a/b", "failed", EVIL).unwrap();
        let text = body(&discord)["content"].as_str().unwrap().to_owned();
        assert!(text.contains("\\@everyone \\[x\\]\\(http://evil\\) \\*b\\*"), "{text}");
        assert_eq!(body(&discord)["allowed_mentions"], json!({"parse": []}));
        let teams = told(TargetKind::Teams, url, "https://g.example/a/b", "failed", EVIL).unwrap();
        assert!(teams.body.contains(r"\\[x\\]\\(http://evil\\)"), "{}", teams.body);
        for message in [slack, discord, teams] {
            assert!(!message.body.contains('\u{202e}') && message.url == "https://hooks.example/x");
            assert!(message.body.contains("demo main failed"), "{}", message.body);
        }
    }

    #[test]
    fn a_webhook_is_signed_over_time_and_body_and_has_the_same_id_in_every_try() {
        let key = "k".repeat(32);
        let secret = format!(r#"{{"url":"https://hooks.example/x?a=b","key":"{key}"}}"#);
        let message = told(TargetKind::Webhook, &secret, "https://g.example/a/b", "failed", "why").unwrap();
        let header = |name| message.headers.iter().find(|(key, _)| *key == name).unwrap().1.clone();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("1790000000.{}", message.body).as_bytes());
        let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(header("x-iwomp-signature"), format!("sha256={signature}"));
        assert_eq!(header("idempotency-key"), "iwomp-in-aws--demo:1/failed");
        let body = body(&message);
        assert_eq!((&body["version"], &body["state"], &body["reason"]), (&json!(1), &json!("failed"), &json!("why")));
        assert!(body.get("log_group").is_none());
    }

    #[test]
    fn the_schema_says_what_a_webhook_is_sent() {
        let schema: Value = serde_json::from_str(include_str!("../../../../docs/schemas/webhook.json")).unwrap();
        let states: Vec<_> = State::ALL.iter().map(|state| json!(state)).collect();
        assert_eq!(schema["properties"]["state"]["enum"], json!(states));
        let secret = r#"{"url":"https://hooks.example/x","key":"kkkkkkkkkkkkkkkk"}"#;
        let message = told(TargetKind::Webhook, secret, "https://g.example/a/b", "failed", "why").unwrap();
        let sent = body(&message);
        let known = |key: &String| schema["properties"].get(key).is_some();
        assert!(sent.as_object().unwrap().keys().all(known), "{sent}");
        let required = schema["required"].as_array().unwrap();
        assert!(required.iter().all(|key| sent.get(key.as_str().unwrap()).is_some()), "{sent}");
    }
}
