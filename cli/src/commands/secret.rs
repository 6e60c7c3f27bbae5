//! `iwomp secret`: a project's Git credentials. They are held to the worker's own rules before they are stored, and never shown.

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use anyhow::Context;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use contract::credentials::{MAX_DOCUMENT_BYTES, handed_over};
use contract::parameter;
use iwomp_aws::aws_error;
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;

use crate::arguments::SecretArguments;
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::Terminal;

const HAND_OVER: &str = "iwomp secret set PROJECT --yes < token.txt, or --file token.txt";

pub async fn set(pipeline: &Pipeline, arguments: &SecretArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let SecretArguments { project, file, change } = arguments;
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
        terminal.note(&format!("the next build of {project} uses it"));
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
    let SecretArguments { project, change, .. } = arguments;
    // Of an encrypted entry, or a broken one, the URL is not known: then the rules that need it are the worker's alone.
    let url = entry.project.as_ref().and_then(|read| read.as_ref().ok()).map(|project| &project.git_url);
    let document = handed_over(bytes, url).map_err(|error| {
        Failure::new(Exit::Refused, format!("{error}; nothing was stored"))
            .advise("docs/register.md#credentials has the forms")
    })?;
    let name = parameter::credentials(&pipeline.config_path, project);
    if !is_wanted(&format!("Store new Git credentials of {project}?"), &format!("write {name}"), change, terminal)? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Change;
    use crate::fixtures::{Aws, Done, change, dry_run, entry, project, terminal};

    const NAME: &str = "/iwomp-in-aws-credentials/demo";

    async fn set_to(aws: Aws, secret: &str, change: Change) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, secret).unwrap();
        let arguments = SecretArguments { project: project("demo"), file: Some(path), change };
        let ended = set(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn a_token_is_stored_encrypted_in_its_form_and_never_shown() {
        let (ended, done, said) = set_to(Aws::with([entry("demo", "{}")]), "canary-token\n", change()).await;
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
            (demo(), "canary-token", dry_run(), None),
        ] {
            let (ended, done, said) = set_to(aws, secret, change).await;
            assert_eq!(done.encrypted, [], "{secret}");
            let failure = ended.err();
            let words = failure.as_ref().map(|failure| failure.what.clone()).unwrap_or_default();
            assert!(!words.contains("canary") && !said.contains("canary"), "{words}");
            assert_eq!(failure.map(|failure| failure.exit), exit, "{secret}");
        }
    }
}
