//! `iwomp-worker`: takes no arguments, reads its variables from the environment, prints to standard output. Whatever happens,
//! the last line is the outcome.

use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use worker::failure::{Failure, Kind, OrFail};
use worker::process::privacy;
use worker::run;

fn main() -> ExitCode {
    run::end_panics_with_an_outcome();
    let status = match start() {
        Ok(runtime) => {
            let status = runtime.block_on(run::run());
            // What still waits, for a name server perhaps, is not waited for.
            runtime.shutdown_background();
            status
        }
        Err(failure) => run::give_up(failure),
    };
    ExitCode::from(status)
}

fn start() -> Result<Runtime, Failure> {
    const ADVICE: &str = "see what is special about the build image, then trigger again";
    // First of all, while nothing else is open and no other thread runs.
    privacy::close_descriptors().or_fail(Kind::Machine, ADVICE)?;
    privacy::require_descriptors()
        .or_fail(Kind::Machine, "raise the limit of open files (ulimit -n) in the build image, then trigger again")?;
    Builder::new_current_thread().enable_all().build().context("starting").or_fail(Kind::Machine, ADVICE)
}
