//! `iwomp redrive`: sends triggers that were given up through the launcher's checks again.

use crate::arguments::RedriveArguments;
use crate::commands::is_wanted;
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::queue;
use crate::terminal::Terminal;

pub async fn run(pipeline: &Pipeline, arguments: &RedriveArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let RedriveArguments { triggers, change } = arguments;
    let count = queue::depth(pipeline, &pipeline.description.dead_letter_queue_url).await?;
    if count == 0 {
        terminal.line(["no trigger was given up: nothing to send".into()]);
        return Ok(Exit::Done);
    }
    let what = match triggers.len() {
        0 if count == 1 => "the one trigger that was given up".to_owned(),
        0 => format!("all {count} triggers that were given up"),
        chosen => format!("{chosen} of the {count} triggers that were given up"),
    };
    let question = format!("Send {what} through the checks again?");
    if !is_wanted(&question, &format!("send {what} through the checks again"), change, terminal)? {
        return Ok(Exit::Done);
    }
    let spinner = terminal.spinner("moving dead letters");
    let is_chosen = |trigger: Option<&str>| {
        triggers.is_empty() || trigger.is_some_and(|trigger| triggers.iter().any(|chosen| chosen == trigger))
    };
    let moved = queue::redrive(pipeline, count, is_chosen).await?;
    drop(spinner);
    for trigger in &moved {
        terminal.line([format!("sent {}", trigger.as_deref().unwrap_or("one that names no trigger")).into()]);
    }
    let is_moved = |trigger: &String| moved.iter().flatten().any(|moved| moved == trigger);
    let missing: Vec<_> = triggers.iter().filter(|trigger| !is_moved(trigger)).map(String::as_str).collect();
    if missing.is_empty() {
        terminal.note("what becomes of them: iwomp status, iwomp wait TRIGGER");
        return Ok(Exit::Done);
    }
    let what = format!("not among what was given up: {}", missing.join(", "));
    Err(Failure::new(Exit::NotThere, what)
        .advise("iwomp status shows which were; one that somebody looks at comes back in two minutes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Aws, Done, TRIGGER_ID, change, dry_run, terminal};

    const OTHER: &str = "00000000-ee98-5cb9-9903-4c221d41eb5e";
    const UNKNOWN: &str = "11111111-ee98-5cb9-9903-4c221d41eb5e";

    async fn redrive(
        dead: &[&'static str],
        triggers: &[&str],
        change: crate::arguments::Change,
    ) -> (Result<Exit, Failure>, Done, String) {
        let (pipeline, done) =
            Aws { dead: dead.to_vec(), messages: [0, dead.len() as u64], ..Aws::default() }.pipeline();
        let (mut terminal, said) = terminal();
        let triggers = triggers.iter().map(|&trigger| trigger.to_owned()).collect();
        let ended = run(&pipeline, &RedriveArguments { triggers, change }, &mut terminal).await;
        (ended, std::mem::take(&mut *done.lock().unwrap()), said.text())
    }

    #[tokio::test]
    async fn all_that_was_given_up_is_sent_again_or_what_is_chosen() {
        let (ended, done, said) = redrive(&[TRIGGER_ID, OTHER], &[], change()).await;
        assert_eq!((ended.unwrap(), done.sent_again), (Exit::Done, vec![TRIGGER_ID.to_owned(), OTHER.to_owned()]));
        assert_eq!(said, format!("sent {TRIGGER_ID}\nsent {OTHER}\n"));

        let (ended, done, _) = redrive(&[TRIGGER_ID, OTHER], &[OTHER], change()).await;
        assert_eq!((ended.unwrap(), done.sent_again, done.shown_again), (Exit::Done, vec![OTHER.to_owned()], 1));
    }

    #[tokio::test]
    async fn what_is_not_there_is_named_and_what_is_only_tried_is_left() {
        let (ended, done, _) = redrive(&[TRIGGER_ID], &[TRIGGER_ID, UNKNOWN], change()).await;
        let failure = ended.unwrap_err();
        assert_eq!((failure.exit, done.sent_again.len()), (Exit::NotThere, 1));
        assert_eq!(failure.what, format!("not among what was given up: {UNKNOWN}"));

        let (ended, done, said) = redrive(&[TRIGGER_ID], &[], dry_run()).await;
        assert_eq!((ended.unwrap(), done.sent_again.len()), (Exit::Done, 0));
        assert_eq!(said, "would send the one trigger that was given up through the checks again\n");
        let (ended, _, said) = redrive(&[], &[], change()).await;
        assert_eq!((ended.unwrap(), said.as_str()), (Exit::Done, "no trigger was given up: nothing to send\n"));
    }
}
