//! The deploy role: where the register names one, the command gets a session of it instead of the build's own credentials.
//! The session says what it deploys, to CloudTrail and to the policies of the role.

use anyhow::{Context, anyhow};
use aws_sdk_sts::Client;
use aws_sdk_sts::error::BuildError;
use aws_sdk_sts::types::{Credentials, Tag};
use contract::register::RoleArn;
use contract::{Branch, CommitId};
use iwomp_aws::aws_error;
use secrecy::{ExposeSecret, SecretString};

use crate::aws;
use crate::environment::{CREDENTIALS, Environment};
use crate::failure::{Failure, Kind, OrFail};
use crate::variables::{Question, Variables};

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const MAX_NAME_CHARS: usize = 64;
const MAX_TAG_VALUE_CHARS: usize = 256;

/// Credentials for one command.
pub struct Session {
    access_key_id: String,
    pub secret_access_key: SecretString,
    pub session_token: SecretString,
}

/// Takes `role` for the deployment of `commit`. The session lasts an hour: AWS gives no more to a session that was taken
/// from another, as the build's is, whatever the role allows. A command that takes longer fails with expired credentials.
///
/// # Errors
/// If AWS does not answer, or does not allow it.
pub async fn take(
    client: &Client,
    role: &RoleArn,
    variables: &Variables,
    commit: &CommitId,
) -> Result<Session, Failure> {
    assume(client, role, name(variables, commit), tags(variables, commit)).await
}

/// Whether the build of `question` may take `role`, as it would to deploy `branch`. What is taken is dropped unused.
///
/// # Errors
/// Like [`take`].
pub async fn try_to_take(
    client: &Client,
    role: &RoleArn,
    question: &Question,
    branch: Option<&Branch>,
) -> Result<(), Failure> {
    let build = question.build.as_deref().and_then(|build| build.rsplit(':').next());
    let mut name = format!("iwomp-{}", build.unwrap_or(question.project.as_str()));
    name.truncate(MAX_NAME_CHARS);
    let branch = branch.map(Branch::encoded);
    let known = [("project", Some(question.project.as_str())), ("branch", branch.as_deref())];
    assume(client, role, name, tagged(known)).await.map(drop)
}

async fn assume(
    client: &Client,
    role: &RoleArn,
    name: String,
    tags: Result<Vec<Tag>, BuildError>,
) -> Result<Session, Failure> {
    let doing = || format!("taking the deploy role {}", role.as_str());
    let tags = tags.map_err(anyhow::Error::new).with_context(doing).or_fail(Kind::Machine, "trigger again")?;
    client
        .assume_role()
        .role_arn(role.as_str())
        .role_session_name(name)
        .set_tags(Some(tags))
        .send()
        .await
        .map_err(|error| {
            let advice = aws::advice(
                &error,
                "the project's role must be allowed sts:AssumeRole and sts:TagSession on that role (deploy_role_arn in \
                 Terraform does it), and that role's trust policy must allow both to the project's role",
            );
            Failure::new(Kind::Aws, aws_error(error).context(doing()), advice)
        })
        .and_then(|output| {
            let credentials = output.credentials.ok_or_else(|| anyhow!("AWS's answer holds no credentials"));
            credentials.with_context(doing).or_fail(Kind::Aws, "trigger again")
        })
        .map(Session::from)
}

impl From<Credentials> for Session {
    fn from(credentials: Credentials) -> Self {
        Self {
            access_key_id: credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.into(),
            session_token: credentials.session_token.into(),
        }
    }
}

impl Session {
    /// Puts these credentials into `environment`, in the place of all that are in it.
    pub fn enter(&self, environment: &mut Environment) {
        environment.retain(|name, _| !name.to_str().is_some_and(|name| CREDENTIALS.contains(&name)));
        let own = [
            ("AWS_ACCESS_KEY_ID", self.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.expose_secret()),
            ("AWS_SESSION_TOKEN", self.session_token.expose_secret()),
        ];
        environment.extend(own.map(|(name, value)| (name.into(), value.into())));
    }
}

/// What CloudTrail shows beside each call of the command: the trigger, by which everything else is found, and the commit. A
/// rollback has no trigger but a build.
fn name(variables: &Variables, commit: &CommitId) -> String {
    let build = variables.build.as_deref().and_then(|build| build.rsplit(':').next());
    let mut name = format!("iwomp-{}", variables.trigger.as_deref().or(build).unwrap_or(variables.project.as_str()));
    name.retain(|c| c.is_ascii_alphanumeric() || "_=,.@+-".contains(c));
    let commit = commit.short();
    name.truncate(MAX_NAME_CHARS - 1 - commit.len());
    format!("{name}-{commit}")
}

fn tags(variables: &Variables, commit: &CommitId) -> Result<Vec<Tag>, BuildError> {
    // Encoded, for a policy may ask for the tag's value, and no two branches may then be one.
    let branch = variables.branch.encoded();
    let known = [
        ("project", Some(variables.project.as_str())),
        ("branch", Some(branch.as_str())),
        ("commit", Some(commit.as_str())),
        ("trigger", variables.trigger.as_deref()),
    ];
    tagged(known)
}

fn tagged<const N: usize>(known: [(&str, Option<&str>); N]) -> Result<Vec<Tag>, BuildError> {
    let known = known.into_iter().filter_map(|(key, value)| Some((key, value?)));
    known.map(|(key, value)| Tag::builder().key(key).value(tag_value(value)).build()).collect()
}

/// `text` with what may not stand in a tag replaced.
fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
    text.chars().take(MAX_TAG_VALUE_CHARS).map(|c| if allowed(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(branch: &str, more: &[(&str, &str)]) -> Variables {
        let required =
            [("CONFIGPATH", "x"), ("PROJECTNAME", "demo"), ("GITBRANCH", branch), ("TIMELIMITSECONDS", "60")];
        let pairs = required.iter().chain(more).map(|(name, value)| (name.into(), value.into()));
        Variables::read(pairs).map_err(|problems| problems.join("; ")).unwrap()
    }

    #[test]
    fn the_name_tells_the_trigger_and_the_commit_in_what_aws_takes() {
        let commit = CommitId::parse(&"a1".repeat(20)).unwrap();
        let name = |more: &[(&str, &str)]| name(&variables("main", more), &commit);
        let trigger = ("TRIGGERID", "0e6d1a8b-8f8d-5f0c-9c1e-4d6a6f1f2a3b");
        let build = ("CODEBUILD_BUILD_ID", "iwomp-in-aws--demo:8745a7a9-c340-456a-9166-edf953571bee");
        assert_eq!(name(&[trigger, build]), "iwomp-0e6d1a8b-8f8d-5f0c-9c1e-4d6a6f1f2a3b-a1a1a1a1a1a1");
        assert_eq!(name(&[build]), "iwomp-8745a7a9-c340-456a-9166-edf953571bee-a1a1a1a1a1a1", "a rollback");
        assert_eq!(name(&[]), "iwomp-demo-a1a1a1a1a1a1");
        let long = name(&[("TRIGGERID", &"x/".repeat(63))]);
        assert!(long.len() == MAX_NAME_CHARS && long.ends_with("x-a1a1a1a1a1a1"), "{long}");
    }

    #[test]
    fn a_tag_holds_only_what_aws_takes() {
        assert_eq!(tag_value("release/1.x_-"), "release/1.x_-");
        assert_eq!(tag_value("a*b<c>"), "a_b_c_");
        assert_eq!(tag_value(&"x".repeat(350)).len(), MAX_TAG_VALUE_CHARS);
    }

    #[test]
    fn no_two_branches_have_one_tag() {
        let value = |branch: &str| {
            let commit = CommitId::parse(&"a".repeat(40)).unwrap();
            let tags = tags(&variables(branch, &[]), &commit).unwrap();
            tags.iter().find(|tag| tag.key() == "branch").unwrap().value().to_owned()
        };
        assert_eq!((value("release/1"), value("x/(y)")), ("release/1".to_owned(), "x/..28y..29".to_owned()));
        assert_ne!(value("x/(y)"), value("x/_y_"));
    }

    #[test]
    fn the_session_takes_the_place_of_every_credential_of_the_build() {
        let mut environment: Environment =
            CREDENTIALS.iter().chain(&["PATH"]).map(|name| (name.into(), "of the build".into())).collect();
        let session = Session {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: "secret".to_owned().into(),
            session_token: "token".to_owned().into(),
        };
        session.enter(&mut environment);
        let seen: Vec<_> =
            environment.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
        assert_eq!(
            seen,
            ["AWS_ACCESS_KEY_ID=ASIA", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token", "PATH=of the build"]
        );
    }
}
