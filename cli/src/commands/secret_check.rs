//! `iwomp secret check`: whether the worker will take a project's stored Git credentials. Their form, age and size are told, and of
//! their value nothing. Who may not read them is told what SSM says of them.

use anyhow::Context;
use aws_sdk_ssm::types::ParameterMetadata;
use contract::register::CredentialSource;
use contract::{Credentials, GitUrl, ProjectName, parameter};
use iwomp_aws::aws_error;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::arguments::SecretCheckArguments;
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::pipeline::Pipeline;
use crate::question::{self, Answer};
use crate::register;
use crate::stored::{Keeping, Stored};
use crate::terminal::{Meaning, Terminal};
use crate::when::ago;

/// What can be told of stored credentials.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Check {
    #[schemars(with = "String")]
    project: ProjectName,
    parameter: String,
    kept: Keeping,
    #[schemars(with = "Option<String>")]
    since: Option<Timestamp>,
    /// How often they were stored.
    times: Option<i64>,
    /// None: they could not be read.
    content: Option<Content>,
    /// Why they could not be read.
    unread: Option<String>,
    /// Why the worker will not take them.
    faults: Vec<String>,
    /// What the Git host said to a build, if it was asked.
    in_build: Option<Answer>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Content {
    bytes: usize,
    /// None: they have none that the worker knows.
    form: Option<Form>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Form {
    Token,
    UserAndPassword,
    SshKey,
}

impl Shape for Check {
    const NAME: &'static str = "secret-check";
    const VERSION: u32 = 1;
}

pub async fn run(
    pipeline: &Pipeline,
    arguments: &SecretCheckArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let project = &arguments.project;
    let entry = register::entry(pipeline, project).await?;
    let stored = Stored::of(pipeline, project).await?;
    let name = parameter::credentials(&pipeline.config_path, project);
    let Some(metadata) = stored.find(&name) else {
        let read = entry.project.as_ref().and_then(|read| read.as_ref().ok());
        if read.is_some_and(|entry| entry.credential_source == CredentialSource::GitHubApp) {
            let why = format!("{project} has none stored: each build gets a token of the GitHub App");
            return Err(
                Failure::new(Exit::NotThere, why).advise(format!("iwomp doctor {project} --in-build tries one"))
            );
        }
        return Err(Failure::new(
            Exit::NotThere,
            format!("{project} has no stored Git credentials: no parameter {name}"),
        )
        .advise(format!("a repository that anybody can read needs none; else iwomp secret set {project}")));
    };
    // Of an encrypted entry, or a broken one, the URL is not known: then the rules that need it are the worker's alone.
    let url = entry.project.as_ref().and_then(|read| read.as_ref().ok()).map(|project| &project.git_url);
    let mut check = look(pipeline, project, metadata, url).await;
    if arguments.in_build {
        let spinner = terminal.spinner(&format!("a build of {project} asks its Git host"));
        let Some(answer) = spinner.during(question::ask_git_host(pipeline, project)).await.transpose()? else {
            terminal.note(&question::goes_on(Some(project)));
            return Ok(Exit::Interrupted);
        };
        check.in_build = Some(answer);
    }
    show(&check, &arguments.output, terminal, view)?;
    Ok(check.exit())
}

impl Check {
    fn exit(&self) -> Exit {
        match (&self.in_build, self.faults.is_empty(), &self.unread) {
            // The worker has read them, and the host has taken them.
            (Some(Answer { is_taken: true, .. }), ..) => Exit::Done,
            (Some(_), ..) | (None, false, _) => Exit::Failed,
            (None, true, Some(_)) => Exit::Unknown,
            (None, true, None) => Exit::Done,
        }
    }
}

async fn look(pipeline: &Pipeline, project: &ProjectName, metadata: &ParameterMetadata, url: Option<&GitUrl>) -> Check {
    let mut check = Check {
        project: project.clone(),
        parameter: parameter::credentials(&pipeline.config_path, project),
        kept: Keeping::of(pipeline, metadata),
        since: metadata.last_modified_date().and_then(|date| Timestamp::from_second(date.secs()).ok()),
        times: Some(metadata.version()).filter(|&version| version > 0),
        content: None,
        unread: None,
        faults: Vec::new(),
        in_build: None,
    };
    match check.kept {
        Keeping::OwnKey | Keeping::SharedKey => {}
        Keeping::ForeignKey => check.faults.push("they are encrypted with a key that no build may use".to_owned()),
        Keeping::Plain => check.faults.push("they are stored in the clear: withdraw them at the Git host".to_owned()),
    }
    match read(pipeline, &check.parameter).await {
        Err(error) => check.unread = Some(format!("{error:#}")),
        Ok(text) => {
            let bytes = text.expose_secret().len();
            let (form, fault) = judge(&text, url);
            check.content = Some(Content { bytes, form });
            check.faults.extend(fault);
        }
    }
    check
}

/// By the worker's own reader. Its errors name a key and a rule, never a value.
fn judge(text: &SecretString, url: Option<&GitUrl>) -> (Option<Form>, Option<String>) {
    let credentials = match Credentials::parse(text.expose_secret()) {
        Ok(credentials) => credentials,
        Err(error) => return (None, Some(format!("the document {error}"))),
    };
    let form = match &credentials {
        Credentials::Token { .. } => Form::Token,
        Credentials::Basic { .. } => Form::UserAndPassword,
        Credentials::Ssh { .. } => Form::SshKey,
    };
    let fits = url.map_or(Ok(()), |url| credentials.check(url));
    (Some(form), fits.err().map(|error| format!("the document {error}")))
}

async fn read(pipeline: &Pipeline, name: &str) -> anyhow::Result<SecretString> {
    let answer = pipeline.ssm.get_parameter().name(name).with_decryption(true).send().await;
    let answer = answer.map_err(aws_error).with_context(|| format!("reading {name}"))?;
    let value = answer.parameter.and_then(|parameter| parameter.value);
    value.map(SecretString::from).with_context(|| format!("{name} has no value"))
}

fn view(check: &Check, terminal: &mut Terminal) {
    let form = match &check.content {
        None => "not read",
        Some(Content { form: None, .. }) => "of no form that the worker knows",
        Some(Content { form: Some(Form::Token), .. }) => "a token",
        Some(Content { form: Some(Form::UserAndPassword), .. }) => "a user name and a password",
        Some(Content { form: Some(Form::SshKey), .. }) => "an SSH key with known hosts",
    };
    let size = check.content.as_ref().map(|content| format!(", {} bytes", content.bytes)).unwrap_or_default();
    let since = check.since.map(|since| format!(", stored {}", ago(since, Timestamp::now()))).unwrap_or_default();
    let kept = match check.kept {
        Keeping::OwnKey => "encrypted with the pipeline's key",
        Keeping::SharedKey => "encrypted with AWS's key for all of SSM, which many may use",
        Keeping::ForeignKey => "encrypted with another key",
        Keeping::Plain => "not encrypted",
    };
    let name = Meaning::Subject.of(check.parameter.as_str());
    terminal.line([name, format!(": {form}{size}{since}, {kept}").into()]);
    for fault in &check.faults {
        terminal.line([Meaning::Bad.of("wrong"), format!(": {fault}; the worker will not take them").into()]);
        terminal.line([Meaning::Quiet.of("  to do: "), format!("iwomp secret set {}", check.project).into()]);
    }
    // What a build could read and the host has taken is known.
    let is_taken = check.in_build.as_ref().is_some_and(|answer| answer.is_taken);
    if let Some(why) = check.unread.as_ref().filter(|_| !is_taken) {
        terminal.line([Meaning::Pending.of("unknown"), format!(": {why}").into()]);
        let who = "only builds of the project and credential_keeper_arns may read them, and so whoever looks must be one of those";
        terminal.line([Meaning::Quiet.of("  to do: "), who.into()]);
    }
    if let Some(answer) = &check.in_build {
        let meaning = if answer.is_taken { Meaning::Good.of("good") } else { Meaning::Bad.of("wrong") };
        terminal.line([meaning, format!(": {}", answer.reason).into()]);
        terminal.line([Meaning::Quiet.of(format!("  by build {}", answer.build))]);
    } else if check.faults.is_empty() && check.unread.is_none() {
        terminal.line([Meaning::Good.of("good"), ": the worker will take them".into()]);
        let ask = format!("iwomp secret check {} --in-build", check.project);
        terminal.line([Meaning::Quiet.of("  whether the Git host does: "), ask.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Output;
    use crate::fixtures::{Aws, entry, project, terminal};

    async fn check(aws: Aws) -> (Result<Exit, Failure>, String) {
        let (pipeline, _) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let arguments =
            SecretCheckArguments { project: project("demo"), in_build: false, output: Output { json: false } };
        (run(&pipeline, &arguments, &mut terminal).await, said.text())
    }

    fn demo(secret: &str) -> Aws {
        Aws { secret: Some(secret.to_owned()), ..Aws::with([entry("demo", "{}")]) }
    }

    #[tokio::test]
    async fn the_form_the_size_and_the_age_are_told_and_never_the_value() {
        let (ended, said) = check(demo(r#"{"authToken":"canary-7"}"#)).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        assert!(said.starts_with("/iwomp-in-aws-credentials/demo: a token, 24 bytes, stored "), "{said}");
        assert!(said.contains("encrypted with the pipeline's key") && !said.contains("canary-7"), "{said}");
    }

    #[tokio::test]
    async fn what_the_worker_will_not_take_is_told_by_its_own_rules() {
        for (secret, told) in [
            ("canary-7", "is not a JSON object"),
            (r#"{"authToken":"canary-7\n"}"#, "must be one non-empty line"),
            (r#"{"sshPrivateKey":"canary-7","knownHosts":"h"}"#, "is of no use for an HTTPS URL"),
            (r#"{"canary-7":"x"}"#, "unknown key"),
        ] {
            let (ended, said) = check(demo(secret)).await;
            assert_eq!(ended.unwrap(), Exit::Failed, "{said}");
            assert!(said.contains(told) && !said.contains("canary-7"), "{said}");
        }
    }

    #[tokio::test]
    async fn what_nobody_stored_or_may_read_has_not_passed() {
        let (ended, _) = check(Aws::with([entry("demo", "{}")])).await;
        assert_eq!(ended.unwrap_err().exit, Exit::NotThere);
        let (ended, _) = check(Aws::with([entry("demo", r#"{"githubApp":true}"#)])).await;
        assert!(ended.unwrap_err().what.contains("GitHub App"));
        let (ended, said) = check(Aws { is_sealed: true, ..demo("x") }).await;
        assert_eq!(ended.unwrap(), Exit::Unknown, "{said}");
        assert!(said.contains("AccessDenied") && said.contains("credential_keeper_arns"), "{said}");
    }
}
