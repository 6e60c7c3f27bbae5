//! `iwomp secret`: a project's Git credentials, and the secrets of those who are told of its deployments. They are held to the rules of
//! who will read them before they are stored, and never shown.

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use anyhow::Context;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use contract::credentials::{MAX_DOCUMENT_BYTES, handed_over};
use contract::register::CredentialSource;
use contract::{TargetSecret, parameter};
use iwomp_aws::aws_error;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::arguments::SecretArguments;
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::Terminal;

const HAND_OVER: &str = "iwomp secret set PROJECT --yes < token.txt, or --file token.txt";

pub async fn set(pipeline: &Pipeline, arguments: &SecretArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let SecretArguments { project, target, file, change } = arguments;
    // Before anything is read: a secret for a project that is not there has no place.
    let entry = register::entry(pipeline, project).await?;
    let bytes = match file {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("reading {}", path.display()));
            read(file.map_err(|error| Failure::new(Exit::Usage, format!("{error:#}")))?)?
        }
        None if io::stdin().is_terminal() => {
            return Err(Failure::new(Exit::Usage, "a terminal would show the secret").advise(HAND_OVER));
        }
        None => read(io::stdin().lock())?,
    };
    store(pipeline, &entry, arguments, &bytes, terminal).await?;
    if !change.dry_run {
        let next = if target.is_some() { "news of" } else { "build of" };
        terminal.note(&format!("the next {next} {project} uses it"));
    }
    Ok(Exit::Done)
}

/// Twice as many bytes as a document may have, for UTF-16 shall be told what it is; no more, whatever comes.
fn read(from: impl Read) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let reading = from.take(2 * MAX_DOCUMENT_BYTES as u64 + 2).read_to_end(&mut bytes);
    reading.map_err(|error| Failure::new(Exit::Usage, format!("reading the credentials: {error}")))?;
    Ok(bytes)
}

async fn store(
    pipeline: &Pipeline,
    entry: &register::Entry,
    arguments: &SecretArguments,
    bytes: &[u8],
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let SecretArguments { project, target, change, .. } = arguments;
    let (name, what, document) = match target {
        Some(target) => {
            let document = of_target(entry, target, bytes)?;
            (parameter::notify(&pipeline.config_path, project, target), format!("the secret of {target}"), document)
        }
        None => {
            let document = of_git_host(entry, bytes)?;
            (parameter::credentials(&pipeline.config_path, project), "new Git credentials".to_owned(), document)
        }
    };
    if !is_wanted(&format!("Store {what} of {project}?"), &format!("write {name}"), change, terminal)? {
        return Ok(());
    }
    // An SSH key with known hosts may exceed the 4 KB of the standard tier.
    let call = pipeline.ssm.put_parameter().name(&name).tier(ParameterTier::IntelligentTiering).overwrite(true);
    let call = call.r#type(ParameterType::SecureString).key_id(&pipeline.description.kms_key_arn);
    let storing = call.value(document.expose_secret()).send().await;
    storing.map_err(aws_error).with_context(|| format!("writing {name}"))?;
    terminal.line([format!("stored in {name}").into()]);
    Ok(())
}

fn of_git_host(entry: &register::Entry, bytes: &[u8]) -> Result<SecretString, Failure> {
    // Of an encrypted entry, or a broken one, the URL is not known: then the rules that need it are the worker's alone.
    let project = entry.project.as_ref().and_then(|read| read.as_ref().ok());
    if project.is_some_and(|project| project.credential_source == CredentialSource::GitHubApp) {
        return Err(Failure::new(
            Exit::Refused,
            "the entry says githubApp, with which no stored credential is used; nothing was stored",
        ));
    }
    let url = project.map(|project| &project.git_url);
    handed_over(bytes, url).map_err(|error| {
        Failure::new(Exit::Refused, format!("{error}; nothing was stored"))
            .advise("docs/register.md#credentials has the forms")
    })
}

/// The entry says of what kind the target is, and so what its document has to hold.
fn of_target(entry: &register::Entry, name: &str, bytes: &[u8]) -> Result<SecretString, Failure> {
    let refused = |why: String| {
        Failure::new(Exit::Refused, format!("{why}; nothing was stored"))
            .advise("docs/notifications.md#secrets has the forms")
    };
    let targets = match &entry.project {
        Some(Ok(project)) => project.notify.as_slice(),
        Some(Err(_)) | None => return Err(refused("the entry cannot be read, and so has no targets".to_owned())),
    };
    let Some(target) = targets.iter().find(|target| target.name == name) else {
        let known: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Failure::new(Exit::NotThere, format!("the entry's notify has no such target; it has {known}")));
    };
    let text = contract::decode(bytes).map_err(|error| refused(format!("what was handed over {error}")))?.trim();
    TargetSecret::parse(text, target.kind).map_err(|error| refused(format!("what was handed over {error}")))?;
    Ok(text.to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Change;
    use crate::fixtures::{Aws, Done, change, dry_run, entry, project, terminal};

    const NAME: &str = "/iwomp-in-aws-credentials/demo";

    async fn set_to(
        aws: Aws,
        target: Option<&str>,
        secret: &str,
        change: Change,
    ) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, secret).unwrap();
        let arguments =
            SecretArguments { project: project("demo"), target: target.map(str::to_owned), file: Some(path), change };
        let ended = set(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn a_token_is_stored_encrypted_in_its_form_and_never_shown() {
        let (ended, done, said) = set_to(Aws::with([entry("demo", "{}")]), None, "canary-token\n", change()).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        assert_eq!(done.encrypted, [(NAME.to_owned(), r#"{"authToken":"canary-token"}"#.to_owned())]);
        assert_eq!(said, format!("stored in {NAME}\n"));
    }

    #[tokio::test]
    async fn what_the_worker_would_not_take_is_not_stored_and_not_repeated() {
        let demo = || Aws::with([entry("demo", "{}")]);
        for (aws, secret, change, exit) in [
            (demo(), "", change(), Some(Exit::Refused)),
            (demo(), r#"{"authToken":"canary","authToken":"canary"}"#, change(), Some(Exit::Refused)),
            (demo(), r#"{"sshPrivateKey":"canary","knownHosts":"h"}"#, change(), Some(Exit::Refused)),
            (Aws::default(), "canary", change(), Some(Exit::NotThere)),
            (Aws::with([entry("demo", r#"{"githubApp":true}"#)]), "canary", change(), Some(Exit::Refused)),
            (demo(), "canary-token", dry_run(), None),
        ] {
            let (ended, done, said) = set_to(aws, None, secret, change).await;
            assert_eq!(done.encrypted, [], "{secret}");
            let failure = ended.err();
            let words = failure.as_ref().map(|failure| failure.what.clone()).unwrap_or_default();
            assert!(!words.contains("canary") && !said.contains("canary"), "{words}");
            assert_eq!(failure.map(|failure| failure.exit), exit, "{secret}");
        }
    }

    const TOLD: &str = r#"{"notify":[{"to":"slack","name":"ops"}]}"#;

    #[tokio::test]
    async fn a_targets_secret_is_stored_by_the_rules_of_its_kind() {
        let of_slack = r#"{"url":"https://hooks.slack.com/services/canary"}"#;
        let (ended, done, said) =
            set_to(Aws::with([entry("demo", TOLD)]), Some("ops"), &format!("{of_slack}\n"), change()).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        assert_eq!(done.encrypted, [("/iwomp-in-aws-notify/demo/ops".to_owned(), of_slack.to_owned())]);
        assert!(!said.contains("canary"), "{said}");
        for (target, secret, exit) in [
            ("ops", r#"{"token":"canary"}"#, Exit::Refused),
            ("ops", "canary", Exit::Refused),
            ("slack", of_slack, Exit::NotThere),
        ] {
            let (ended, done, said) = set_to(Aws::with([entry("demo", TOLD)]), Some(target), secret, change()).await;
            let failure = ended.unwrap_err();
            assert_eq!((failure.exit, done.encrypted.len()), (exit, 0), "{}", failure.what);
            assert!(!failure.what.contains("canary") && !said.contains("canary"));
        }
    }
}
