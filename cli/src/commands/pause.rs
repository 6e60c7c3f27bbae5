//! `iwomp pause` and `iwomp resume`: a parameter that the launcher looks for. While it is there, the project's triggers wait.
//! Nobody can call a message back before its time; so what is first in line is published once more.

use std::time::Duration;

use anyhow::Context;
use aws_sdk_ssm::types::ParameterType;
use contract::{CommitId, ProjectName, Trigger, parameter};
use iwomp_aws::aws_error;
use jiff::Timestamp;
use tokio::time::sleep;

use crate::arguments::{PauseArguments, ProjectArguments};
use crate::builds;
use crate::commands::is_wanted;
use crate::commands::trigger::{message, publish};
use crate::exit::{Exit, Failure};
use crate::launcher_log::{self, Lines};
use crate::pipeline::Pipeline;
use crate::register;
use crate::terminal::{Meaning, Terminal};
use crate::when;

/// Between two looks at a trigger whose project is paused, in steps of the retry delay: the launcher's longest.
const LONGEST_DELAYS: u64 = 5;
/// A launcher that has looked just now believes in the pause for two seconds more.
const BELIEVED: Duration = Duration::from_millis(2500);

pub async fn pause(pipeline: &Pipeline, arguments: &PauseArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let PauseArguments { project, reason, change } = arguments;
    if let Some(pause) = register::entry(pipeline, project).await?.paused {
        terminal.note(&format!("{project} is paused already: {}", pause.reason));
    }
    let reason = match reason {
        Some(reason) => reason.clone(),
        None => format!("by {}", pipeline.caller().await?),
    };
    let name = parameter::paused(&pipeline.config_path, project);
    if !is_wanted(&format!("Pause {project}?"), &format!("write {name}: {reason}"), change, terminal)? {
        return Ok(Exit::Done);
    }
    let call = pipeline.ssm.put_parameter().name(&name).value(reason).r#type(ParameterType::String).overwrite(true);
    call.send().await.map_err(aws_error).with_context(|| format!("writing {name}"))?;
    terminal.line([format!("{project} is paused: its triggers wait, for {} at most", longest_wait(pipeline)).into()]);
    terminal.note("those that have waited longer become dead letters, which iwomp redrive brings back");
    if builds::running(pipeline, project).await?.is_some() {
        terminal.note(&format!("a build of it runs; to end it, too: iwomp stop {project}"));
    }
    terminal.note(&format!("when it may deploy again: iwomp resume {project}"));
    Ok(Exit::Done)
}

pub async fn resume(
    pipeline: &Pipeline,
    arguments: &ProjectArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let ProjectArguments { project, change } = arguments;
    let entry = register::entry(pipeline, project).await?;
    if entry.paused.is_none() {
        terminal.line([format!("{project} is not paused").into()]);
        return Ok(Exit::Done);
    }
    let first = First::find(pipeline, &entry, project).await;
    let name = parameter::paused(&pipeline.config_path, project);
    let also = match &first {
        Ok(Some(first)) => format!(", and publish {} again", message(&first.trigger)),
        Ok(None) | Err(_) => String::new(),
    };
    if !is_wanted(&format!("Resume {project}?"), &format!("delete {name}{also}"), change, terminal)? {
        return Ok(Exit::Done);
    }
    match pipeline.ssm.delete_parameter().name(&name).send().await {
        // Somebody else was faster.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => (),
        answer => drop(answer.map_err(aws_error).with_context(|| format!("deleting {name}"))?),
    }
    let seconds = i64::try_from(LONGEST_DELAYS * pipeline.description.retry_seconds).unwrap_or(i64::MAX);
    let line = format!("{project} deploys again: what waits comes back by itself, within {}", when::lasted(seconds));
    terminal.line([line.into()]);
    match first {
        Ok(Some(first)) => first.publish(pipeline, terminal).await,
        Ok(None) => terminal.note("nothing was published: no trigger waits, as far as the launcher has said"),
        Err(failure) => terminal.note(&format!("nothing was published: {failure}")),
    }
    Ok(Exit::Done)
}

/// The trigger that goes first when its project is resumed.
struct First {
    trigger: Trigger,
    /// How many wait, with this one.
    of: usize,
}

impl First {
    /// As the launcher has said. None: nothing waits.
    async fn find(
        pipeline: &Pipeline,
        entry: &register::Entry,
        project: &ProjectName,
    ) -> Result<Option<Self>, Failure> {
        let since = launcher_log::horizon(pipeline, Timestamp::now());
        let heard = launcher_log::since(pipeline, since, Lines::OfProject(project)).await?;
        let waiting = launcher_log::in_line(heard.said);
        let of = waiting.len();
        let named = waiting.into_iter().find_map(|said| Some((said.branch()?, said.commit())));
        let Some((branch, commit)) = named else { return Ok(None) };
        let trigger = Trigger { project: project.clone(), branch, commit };
        entry.check(&trigger)?;
        Ok(Some(Self { trigger, of }))
    }

    /// It has been answered for once this one is: by a build of the head, or of its commit.
    async fn publish(self, pipeline: &Pipeline, terminal: &mut Terminal) {
        let Self { trigger, of } = self;
        let commit = trigger.commit.as_ref().map(CommitId::short);
        let what =
            commit.map_or_else(|| trigger.branch.to_string(), |commit| format!("{} at {commit}", trigger.branch));
        sleep(BELIEVED).await;
        match publish(pipeline, &trigger.project, &message(&trigger)).await {
            Ok(id) => {
                let published = format!("{what} is published again, so that it begins now: trigger ");
                terminal.line([published.into(), Meaning::Subject.of(id)]);
                terminal.note(&match of {
                    1 => "the one that waits is answered by its build".to_owned(),
                    of => format!("of the {of} that wait, its build answers those for the same, and the others follow"),
                });
            }
            Err(failure) => {
                terminal.note(&format!("{what} could not be published again, and comes back by itself: {failure}"));
            }
        }
    }
}

fn longest_wait(pipeline: &Pipeline) -> String {
    when::lasted(i64::try_from(pipeline.description.max_wait_seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::StatusType;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{
        Aws, CALLER, COMMIT, Done, build, change, dry_run, entry, parameter, project, terminal_with_notes,
    };

    const NAME: &str = "/iwomp-in-aws-paused/demo";

    async fn pause_it(aws: Aws, reason: Option<&str>) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal_with_notes();
        let reason = reason.map(str::to_owned);
        let arguments = PauseArguments { project: project("demo"), reason, change: change() };
        let ended = pause(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    async fn resume_it(aws: Aws, change: crate::arguments::Change) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) = aws.pipeline();
        let (mut terminal, said) = terminal_with_notes();
        let arguments = ProjectArguments { project: project("demo"), change };
        let ended = resume(&pipeline, &arguments, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn a_pause_is_kept_with_its_reason_or_with_who_made_it() {
        for (reason, written) in [(Some("we repair"), "we repair".to_owned()), (None, format!("by {CALLER}"))] {
            let (ended, done, said) = pause_it(Aws::with([entry("demo", "{}")]), reason).await;
            assert_eq!((ended.unwrap(), done.written), (Exit::Done, vec![(NAME.to_owned(), written)]));
            assert!(said.contains("demo is paused: its triggers wait, for"), "{said}");
            assert!(!said.contains("iwomp stop demo"), "{said}");
        }
        let building = Aws { builds: vec![build(1, StatusType::InProgress)], ..Aws::with([entry("demo", "{}")]) };
        assert!(pause_it(building, None).await.2.contains("to end it, too: iwomp stop demo"));
    }

    #[tokio::test]
    async fn a_project_that_is_not_there_is_not_paused() {
        let (ended, done, _) = pause_it(Aws::with([entry("other", "{}")]), None).await;
        assert_eq!((ended.unwrap_err().exit, done.written.len()), (Exit::NotThere, 0));
    }

    /// Said of a trigger that waits since then, in seconds before now.
    fn waits(ago: i64, trigger: &str, more: Value) -> (i64, Value) {
        let mut line =
            json!({"outcome": "busy", "class": "paused", "fate": "waits", "project": "demo", "trigger": trigger});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (Timestamp::now().as_second() - ago, line)
    }

    fn paused(lines: Vec<(i64, Value)>) -> Aws {
        Aws { lines, ..Aws::with([entry("demo", r#"{"branches":["main","fix/*"]}"#), parameter(NAME, "we repair")]) }
    }

    #[tokio::test]
    async fn a_resumed_project_is_told_when_its_triggers_come_back() {
        let (ended, done, said) = resume_it(paused(vec![]), change()).await;
        assert_eq!((ended.unwrap(), done.deleted, done.published), (Exit::Done, vec![NAME.to_owned()], vec![]));
        assert!(said.contains("demo deploys again: what waits comes back by itself, within"), "{said}");
        assert!(said.contains("nothing was published: no trigger waits"), "{said}");

        let (_, done, said) = resume_it(paused(vec![]), dry_run()).await;
        assert_eq!((done.deleted.len(), said), (0, format!("would delete {NAME}\n")));
        let (ended, done, said) = resume_it(Aws::with([entry("demo", "{}")]), change()).await;
        assert_eq!((ended.unwrap(), done.deleted.len(), said.as_str()), (Exit::Done, 0, "demo is not paused\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_first_in_line_is_published_again_and_nothing_else() {
        let of_head = |ago, trigger, branch| waits(ago, trigger, json!({"branch": branch, "WaitSeconds": 60}));
        let pinned = || waits(90, "p", json!({"branch": "main", "commit": COMMIT, "WaitSeconds": 60}));
        let other = waits(95, "o", json!({"project": "shop", "branch": "main"}));
        let answered = waits(5, "a", json!({"branch": "fix/2", "fate": "answered", "outcome": "covered"}));
        for (lines, message, told) in [
            (
                vec![
                    other.clone(),
                    pinned(),
                    of_head(70, "a", "fix/2"),
                    of_head(60, "b", "main"),
                    answered,
                    of_head(30, "c", "fix/1"),
                ],
                json!({"project": "demo", "branch": "main"}),
                "main is published again, so that it begins now: trigger 95df01b4-ee98-5cb9-9903-4c221d41eb5e\n\
                 of the 3 that wait, its build answers those for the same, and the others follow\n",
            ),
            (
                vec![pinned(), other],
                json!({"project": "demo", "branch": "main", "commit": COMMIT}),
                "main at 0123456789ab is published again, so that it begins now: trigger \
                 95df01b4-ee98-5cb9-9903-4c221d41eb5e\nthe one that waits is answered by its build\n",
            ),
        ] {
            let (_, done, said) = resume_it(paused(lines.clone()), dry_run()).await;
            assert_eq!(said, format!("would delete {NAME}, and publish {message} again\n"));
            assert_eq!((done.deleted.len(), done.published.len()), (0, 0));
            let (ended, done, said) = resume_it(paused(lines), change()).await;
            assert_eq!((ended.unwrap(), done.deleted), (Exit::Done, vec![NAME.to_owned()]));
            assert_eq!(done.published.iter().map(|(_, message)| message).collect::<Vec<_>>(), [&message]);
            assert!(said.ends_with(told), "{said}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_resumed_project_goes_on_where_nothing_can_be_published() {
        let waiting = |branch| vec![waits(60, "a", json!({"branch": branch}))];
        for (aws, told) in [
            (
                Aws { topics: vec![], ..paused(waiting("main")) },
                "main could not be published again, and comes back by itself: ",
            ),
            (paused(waiting("gone")), "nothing was published: the register entry /iwomp-in-aws/demo does not allow"),
            (
                Aws { lines_fault: Some("AccessDeniedException"), ..paused(waiting("main")) },
                "nothing was published: reading the log",
            ),
        ] {
            let (ended, done, said) = resume_it(aws, change()).await;
            assert_eq!((ended.unwrap(), done.deleted, done.published), (Exit::Done, vec![NAME.to_owned()], vec![]));
            assert!(said.contains("deploys again") && said.contains(told), "{said}");
        }
    }
}
