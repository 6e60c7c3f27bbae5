//! `iwomp release`: takes the hold off a branch, and keeps in its record who did so.

use anyhow::Context;
use aws_sdk_ssm::types::ParameterType;
use contract::{Deployed, Release, parameter};
use iwomp_aws::aws_error;
use jiff::Timestamp;

use crate::arguments::ReleaseArguments;
use crate::builds;
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::Terminal;

pub async fn run(pipeline: &Pipeline, arguments: &ReleaseArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let ReleaseArguments { project, branch, change } = arguments;
    register::entry(pipeline, project).await?;
    if let Some(build) = builds::running(pipeline, project).await? {
        let id = build.id().unwrap_or_default();
        let what = format!("{id} runs, and may write the same record: nothing was done");
        return Err(Failure::new(Exit::Waiting, what).advise("say it again when that is over"));
    }
    let name = parameter::deployed(&pipeline.config_path, project, branch);
    let Some(mut record) = read(pipeline, &name).await? else {
        terminal.line([format!("nothing of {project} {branch} is live").into()]);
        return Ok(Exit::Done);
    };
    let Some(held) = record.held.take() else {
        terminal.line([format!("nothing of {project} {branch} is held").into()]);
        return Ok(Exit::Done);
    };
    let would = format!("release {held} of {project} {branch}");
    if !is_wanted(&format!("Let {} of {project} {branch} be deployed again?", held.short()), &would, change, terminal)?
    {
        return Ok(Exit::Done);
    }
    let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    record.release = Some(Release { held: held.clone(), by: Some(pipeline.caller().await?), time });
    let call = pipeline.ssm.put_parameter().name(&name).value(record.to_json());
    let writing = call.r#type(ParameterType::String).overwrite(true).send().await;
    writing.map_err(aws_error).with_context(|| format!("writing {name}"))?;
    terminal.line([format!("{held} of {project} {branch} is held no more").into()]);
    terminal.note(&format!("nothing was started; to deploy it: iwomp trigger {project} {branch}, or the next trigger"));
    Ok(Exit::Done)
}

/// What is live, if anything is.
async fn read(pipeline: &Pipeline, name: &str) -> Result<Option<Deployed>, Failure> {
    let answer = pipeline.ssm.get_parameters().names(name).with_decryption(false).send().await;
    let answer = answer.map_err(aws_error).with_context(|| format!("reading {name}"))?;
    let Some(parameter) = answer.parameters().first() else { return Ok(None) };
    Deployed::parse(parameter.value().unwrap_or_default()).map(Some).map_err(|error| {
        Failure::new(Exit::Failed, format!("the record {name} {error}"))
            .advise("docs/operations.md, \"A record that cannot be read\"")
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::StatusType;
    use contract::CommitId;

    use super::*;
    use crate::fixtures::{
        Aws, BUILD, CALLER, Done, branch, build, change, entry, parameter, project, record, terminal,
    };

    const NAME: &str = "/iwomp-in-aws-deployed/demo/main";

    fn aws(record: &str) -> Aws {
        Aws::with([entry("demo", "{}"), parameter(NAME, record)])
    }

    fn held() -> Deployed {
        Deployed { held: Some(CommitId::parse(&"b".repeat(40)).unwrap()), ..record(BUILD) }
    }

    async fn release(aws: Aws) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let arguments = ReleaseArguments { project: project("demo"), branch: branch("main"), change: change() };
        let ended = run(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn a_release_is_kept_with_who_gave_it() {
        let (ended, done, said) = release(aws(&held().to_json())).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        let [(name, written)] = &done.written[..] else { panic!("{:?}", done.written) };
        let written = Deployed::parse(written).unwrap();
        let release = written.release.clone().unwrap();
        assert_eq!((name.as_str(), &release.held, release.by.as_deref()), (NAME, &held().held.unwrap(), Some(CALLER)));
        assert_eq!(Deployed { release: None, held: held().held, ..written }, held());
        assert!(said.contains("is held no more"), "{said}");
    }

    #[tokio::test]
    async fn what_is_not_held_cannot_be_read_or_may_change_is_left_alone() {
        let building = Aws { builds: vec![build(7, StatusType::InProgress)], ..aws(&held().to_json()) };
        for (aws, exit, said) in [
            (aws(&record(BUILD).to_json()), None, "nothing of demo main is held"),
            (Aws::with([entry("demo", "{}")]), None, "nothing of demo main is live"),
            (aws("{}"), Some(Exit::Failed), "the record /iwomp-in-aws-deployed/demo/main"),
            (building, Some(Exit::Waiting), "iwomp-in-aws--demo:7 runs, and may write the same record"),
        ] {
            let (ended, done, text) = release(aws).await;
            assert_eq!(done.written, []);
            let text = ended.as_ref().err().map_or(text, |failure| failure.what.clone());
            assert!(text.contains(said), "{text}");
            assert_eq!(ended.err().map(|failure| failure.exit), exit);
        }
    }
}
