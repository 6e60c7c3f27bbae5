//! One file a command, and what commands that read or change have in common.

pub mod doctor;
pub mod github_app;
pub mod history;
pub mod logs;
pub mod migrate;
pub mod pause;
pub mod redrive;
pub mod register;
pub mod release;
pub mod report;
pub mod rollback;
pub mod secret;
pub mod secret_check;
pub mod shell;
pub mod status;
pub mod stop;
pub mod trace;
pub mod trigger;
pub mod verify_boundary;
pub mod wait;

use crate::arguments::{Change, Output};
use crate::exit::{Exit, Failure};
use crate::json::{self, Shape};
use crate::terminal::Terminal;

/// Prints facts: as JSON where that was asked for, else as `view` shows them.
fn show<T: Shape>(
    facts: &T,
    output: &Output,
    terminal: &mut Terminal,
    view: impl FnOnce(&T, &mut Terminal),
) -> Result<(), Failure> {
    if output.json {
        terminal.json(&json::document(facts)?);
    } else {
        view(facts, terminal);
    }
    Ok(())
}

/// Whether `change` is to be made: if it is not only tried, and somebody wants it.
///
/// # Errors
/// If somebody said no, or if there is nobody to ask.
fn is_wanted(question: &str, would: &str, change: &Change, terminal: &mut Terminal) -> Result<bool, Failure> {
    if change.dry_run {
        terminal.line([format!("would {would}").into()]);
        return Ok(false);
    }
    confirm(question, change, terminal).map(|()| true)
}

/// Whether to go on with what changes something.
///
/// # Errors
/// If somebody said no, or if there is nobody to ask.
fn confirm(question: &str, change: &Change, terminal: &mut Terminal) -> Result<(), Failure> {
    if change.yes {
        return Ok(());
    }
    match terminal.ask(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Refused, "nothing was done: you said no")),
        None => Err(Failure::new(Exit::Usage, format!("nothing was done: {question} There is nobody to ask"))
            .advise("say it with --yes")),
    }
}
