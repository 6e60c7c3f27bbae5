//! `iwomp trigger`: publishes what CI would publish, after the checks that would refuse it.

use anyhow::Context;
use contract::{ProjectName, Trigger};
use iwomp_aws::aws_error;
use serde_json::json;

use crate::arguments::{Output, TriggerArguments};
use crate::commands::is_wanted;
use crate::commands::wait::until_done;
use crate::exit::{Exit, Failure};
use crate::follow::{Deadline, Which};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::{Meaning, Terminal};

pub async fn run(pipeline: &Pipeline, arguments: &TriggerArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let TriggerArguments { project, branch, commit, wait, timeout, change } = arguments;
    let trigger = Trigger { project: project.clone(), branch: branch.clone(), commit: commit.clone() };
    let entry = register::entry(pipeline, project).await?;
    entry.check(&trigger)?;
    let message = message(&trigger);
    if let Some(pause) = &entry.paused {
        terminal.note(&format!(
            "{project} is paused ({}): the trigger will wait until iwomp resume {project}",
            pause.reason
        ));
    }
    let what = commit.as_ref().map_or_else(|| "the head".to_owned(), |commit| format!("commit {}", commit.short()));
    let question = format!("Deploy {what} of {project} {branch}?");
    if !is_wanted(&question, &format!("publish {message}"), change, terminal)? {
        return Ok(Exit::Done);
    }
    let trigger_id = publish(pipeline, project, &message).await?;
    terminal.line(["published as trigger ".into(), Meaning::Subject.of(trigger_id.as_str())]);
    if *wait {
        let (which, deadline) = (Which::Trigger(&trigger_id), Deadline::within(timeout.0));
        return until_done(pipeline, which, deadline, &Output { json: false }, terminal).await;
    }
    terminal.note(&format!("next: iwomp status {project}"));
    Ok(Exit::Done)
}

/// What CI publishes for it.
pub fn message(trigger: &Trigger) -> String {
    let mut message = json!({"project": trigger.project, "branch": trigger.branch});
    if let Some(commit) = &trigger.commit {
        message["commit"] = json!(commit);
    }
    message.to_string()
}

/// Publishes on the project's own topic, or on the shared one if it has none; gives the message's id. Only SNS knows which topics
/// there are; where we may not publish on one, it hides that too.
///
/// # Errors
/// If SNS does not take it.
pub async fn publish(pipeline: &Pipeline, project: &ProjectName, message: &str) -> Result<String, Failure> {
    let own = pipeline.description.own_topic_arn(project);
    let on = |topic: String| async move {
        let answer = pipeline.sns.publish().topic_arn(&topic).message(message).send().await;
        answer.map_err(|error| {
            let is_closed = error
                .as_service_error()
                .is_some_and(|error| error.is_not_found_exception() || error.is_authorization_error_exception());
            (is_closed, aws_error(error).context(format!("publishing on {topic}")))
        })
    };
    let answer = match (on(own).await, pipeline.description.shared_topic_arn()) {
        (Err((true, _)), Some(shared)) => on(shared.to_owned()).await,
        (answer, _) => answer,
    };
    let answer = answer.map_err(|(_, error)| {
        Failure::from(error)
            .advise("see whether you may do sns:Publish there, and whether the module was applied for the project")
    })?;
    Ok(answer.message_id.context("SNS answered without a message id: whether it took the trigger is not known")?)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::arguments::{Change, Patience};
    use crate::fixtures::{Aws, COMMIT, TRIGGER_ID, branch, commit, entry, project, terminal};

    const SHARED: &str = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws";

    fn arguments() -> TriggerArguments {
        let change = Change { yes: true, dry_run: false };
        let timeout = Patience(std::time::Duration::from_secs(60));
        TriggerArguments {
            project: project("demo"),
            branch: branch("main"),
            commit: None,
            wait: false,
            timeout,
            change,
        }
    }

    /// How it ended, what was published where, and what was said.
    async fn trigger(aws: Aws, arguments: TriggerArguments) -> (Result<Exit, Failure>, Vec<(String, Value)>, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal();
        let ended = run(&pipeline, &arguments, &mut terminal).await;
        let published = done.lock().unwrap().published.clone();
        (ended, published, said.text())
    }

    #[tokio::test]
    async fn a_trigger_goes_to_the_projects_own_topic_and_is_named() {
        let (ended, published, said) = trigger(Aws::with([entry("demo", "{}")]), arguments()).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        assert_eq!(published, [(format!("{SHARED}--demo"), json!({"project": "demo", "branch": "main"}))]);
        assert!(said.contains("published as trigger 95df01b4-ee98-5cb9-9903-4c221d41eb5e"), "{said}");
    }

    #[tokio::test]
    async fn who_waits_ends_as_the_trigger_does() {
        let refused = json!({"trigger": TRIGGER_ID, "project": "demo", "outcome": "refused", "reason": "no"});
        let lines = vec![(jiff::Timestamp::now().as_second(), refused)];
        let aws = Aws { lines, ..Aws::with([entry("demo", "{}")]) };
        let (ended, published, _) = trigger(aws, TriggerArguments { wait: true, ..arguments() }).await;
        assert_eq!((ended.unwrap(), published.len()), (Exit::Refused, 1));
    }

    #[tokio::test]
    async fn without_an_own_topic_it_goes_to_the_shared_one() {
        let aws = Aws { topics: vec![SHARED], ..Aws::with([entry("demo", "{}")]) };
        let (ended, published, _) = trigger(aws, TriggerArguments { commit: Some(commit()), ..arguments() }).await;
        assert_eq!(ended.unwrap(), Exit::Done);
        let message = json!({"project": "demo", "branch": "main", "commit": COMMIT});
        assert_eq!(published, [(SHARED.to_owned(), message)]);
    }

    #[tokio::test]
    async fn a_topic_that_is_not_there_is_said_with_what_to_do() {
        let aws = Aws { topics: vec![], ..Aws::with([entry("demo", "{}")]) };
        let failure = trigger(aws, arguments()).await.0.unwrap_err();
        assert_eq!(failure.exit, Exit::Unknown);
        assert!(
            failure.what.starts_with(&format!("publishing on {SHARED}: service error: NotFoundException")),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn what_would_be_refused_is_said_at_once_and_not_published() {
        let only = r#"{"branches":["release/*"]}"#;
        for (aws, change, exit, said) in [
            (
                Aws::with([entry("other", "{}")]),
                None,
                Exit::NotThere,
                "demo is not a registered project of iwomp-in-aws",
            ),
            (Aws::with([entry("demo", only)]), None, Exit::Refused, "does not allow the branch main"),
            (Aws::with([entry("demo", r#"{"requireCommit":true}"#)]), None, Exit::Refused, "requires a commit"),
            (Aws::with([entry("demo", r#"{"comand":"x"}"#)]), None, Exit::Refused, "every trigger of it is refused"),
            (Aws::with([entry("demo", "{}")]), Some(false), Exit::Usage, "Deploy the head of demo main?"),
        ] {
            let mut arguments = arguments();
            arguments.change.yes = change.unwrap_or(true);
            let (ended, published, _) = trigger(aws, arguments).await;
            let failure = ended.unwrap_err();
            assert_eq!(failure.exit, exit, "{failure}");
            assert!(failure.what.contains(said), "{failure}");
            assert_eq!(published, []);
        }
    }

    #[tokio::test]
    async fn the_known_projects_are_named_where_one_is_not() {
        let failure = trigger(Aws::with([entry("other", "{}"), entry("shop", "{}")]), arguments()).await.0.unwrap_err();
        assert_eq!(failure.advice.unwrap(), "name one that is registered: other, shop");
    }

    #[tokio::test]
    async fn a_dry_run_checks_and_publishes_nothing() {
        let dry = || TriggerArguments { change: Change { yes: false, dry_run: true }, ..arguments() };
        let (ended, published, said) = trigger(Aws::with([entry("demo", "{}")]), dry()).await;
        assert_eq!((ended.unwrap(), published.len()), (Exit::Done, 0));
        assert!(said.starts_with("would publish {") && said.contains(r#""branch":"main""#), "{said}");
        assert!(trigger(Aws::default(), dry()).await.0.is_err());
    }
}
