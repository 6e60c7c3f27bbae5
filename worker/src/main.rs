//! `iwomp-worker`: in a build it takes no arguments, reads its variables from the environment, prints to standard output, and
//! whatever happens, the last line is the outcome. By hand it tells whether the image around it is of use.

use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use worker::failure::{Failure, Kind, OrFail};
use worker::process::privacy;
use worker::run::{self, Output};

const USAGE: &str = "\
iwomp-worker                  in a build: deploys what its variables ask for
iwomp-worker doctor [--json]  says whether a deployment would work in this image: exit status 0, else 1
iwomp-worker --versions       prints the versions of the tools in this image
";

fn main() -> ExitCode {
    run::end_panics_with_an_outcome();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let status = match start() {
        Ok(runtime) => {
            let status = runtime.block_on(async {
                match words.as_slice() {
                    [] => run::run().await,
                    ["doctor"] => run::examine(Output::Text).await,
                    ["doctor", "--json"] => run::examine(Output::Json).await,
                    ["--versions"] => run::tell_versions().await,
                    _ => usage(),
                }
            });
            // What still waits, for a name server perhaps, is not waited for.
            runtime.shutdown_background();
            status
        }
        Err(failure) => run::give_up(failure),
    };
    ExitCode::from(status)
}

fn usage() -> u8 {
    worker::process::log::stderr().end(USAGE);
    2
}

fn start() -> Result<Runtime, Failure> {
    const ADVICE: &str = "see what is special about the build image, then trigger again";
    // First of all, while nothing else is open and no other thread runs.
    privacy::close_descriptors().or_fail(Kind::Machine, ADVICE)?;
    privacy::require_descriptors()
        .or_fail(Kind::Machine, "raise the limit of open files (ulimit -n) in the build image, then trigger again")?;
    Builder::new_current_thread().enable_all().build().context("starting").or_fail(Kind::Machine, ADVICE)
}
