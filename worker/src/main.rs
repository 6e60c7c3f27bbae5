//! `iwomp-worker`: takes no arguments, reads its variables from the environment, prints to standard output.

use std::process::ExitCode;

use worker::process::privacy;

fn main() -> ExitCode {
    // First of all, while nothing else is open and no other thread runs.
    if let Err(error) = privacy::close_descriptors() {
        println!("iwomp: {error:#}");
        return ExitCode::FAILURE;
    }
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => ExitCode::from(runtime.block_on(worker::run::run())),
        Err(error) => {
            println!("iwomp: starting: {error}");
            ExitCode::FAILURE
        }
    }
}
