//! `iwomp`: what people do with a pipeline. It needs credentials and the name of the pipeline, and nothing of this repository,
//! but for `verify-boundary`.
//!
//! A command in `commands/` takes its arguments, gathers facts, and shows them: as a view for people, or as JSON in a shape of
//! its own. [`pipeline`] finds the pipeline, [`exit`] has the one table of how it ends, [`terminal`] is the last place before the
//! screen. What happened is told by CodeBuild, the records and the launcher's log, never by what a build has printed.

mod account;
mod arguments;
mod builds;
mod commands;
mod end;
mod exit;
#[cfg(test)]
mod fixtures;
mod follow;
mod interrupt;
mod json;
mod launcher_log;
mod local;
mod log_group;
mod parallel;
mod pipeline;
mod question;
mod queue;
mod records;
mod register;
mod stored;
mod terminal;
mod when;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command, GithubAppCommand, OfPipeline, Place, RegisterCommand, SecretCommand};
use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;
use crate::terminal::Terminal;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut terminal = Terminal::new(arguments.color());
    let ended = match &arguments.command {
        Command::Completions { shell } => commands::shell::completions(*shell),
        Command::Man => commands::shell::man(),
        Command::Migrate(asked) => commands::migrate::run(&arguments.place, asked, &mut terminal),
        Command::VerifyBoundary(asked) => commands::verify_boundary::run(&arguments.place, asked, &mut terminal),
        Command::GithubApp(GithubAppCommand::ImportKey(asked)) => {
            commands::github_app::import_key(&arguments.place, asked, &mut terminal)
        }
        Command::OfPipeline(command) => run(command, &arguments.place, &mut terminal),
    };
    let exit = ended.unwrap_or_else(|failure| {
        terminal.failure(&failure);
        failure.exit
    });
    exit.into()
}

#[tokio::main(flavor = "current_thread")]
async fn run(command: &OfPipeline, place: &Place, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let pipeline = &Pipeline::find(place, terminal).await?;
    match command {
        OfPipeline::Status(arguments) => commands::status::run(pipeline, arguments, terminal).await,
        OfPipeline::History(arguments) => commands::history::run(pipeline, arguments, terminal).await,
        OfPipeline::Report(arguments) => commands::report::run(pipeline, arguments, terminal).await,
        OfPipeline::Projects(arguments) => commands::register::projects(pipeline, arguments, terminal).await,
        OfPipeline::Register(RegisterCommand::Show(arguments)) => {
            commands::register::show_entry(pipeline, arguments, terminal).await
        }
        OfPipeline::Register(RegisterCommand::Lint(arguments)) => {
            commands::register::lint(pipeline, arguments, terminal).await
        }
        OfPipeline::Logs(arguments) => commands::logs::run(pipeline, arguments, terminal).await,
        OfPipeline::Trace(arguments) => commands::trace::run(pipeline, arguments, terminal).await,
        OfPipeline::Wait(arguments) => commands::wait::run(pipeline, arguments, terminal).await,
        OfPipeline::Trigger(arguments) => commands::trigger::run(pipeline, arguments, terminal).await,
        OfPipeline::Pause(arguments) => commands::pause::pause(pipeline, arguments, terminal).await,
        OfPipeline::Resume(arguments) => commands::pause::resume(pipeline, arguments, terminal).await,
        OfPipeline::Stop(arguments) => commands::stop::run(pipeline, arguments, terminal).await,
        OfPipeline::Rollback(arguments) => commands::rollback::run(pipeline, arguments, terminal).await,
        OfPipeline::Release(arguments) => commands::release::run(pipeline, arguments, terminal).await,
        OfPipeline::Redrive(arguments) => commands::redrive::run(pipeline, arguments, terminal).await,
        OfPipeline::Secret(SecretCommand::Set(arguments)) => commands::secret::set(pipeline, arguments, terminal).await,
        OfPipeline::Secret(SecretCommand::Check(arguments)) => {
            commands::secret_check::run(pipeline, arguments, terminal).await
        }
        OfPipeline::Doctor(arguments) => commands::doctor::run(pipeline, arguments, terminal).await,
    }
}
