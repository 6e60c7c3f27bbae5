//! `iwomp completions` and `iwomp man`: what a shell and `man` know of the program, made from its command line.

use std::io::{self, Write};

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::exit::{Exit, Failure};

pub fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "iwomp", &mut script);
    write(&script, "the completions")
}

/// One page of the program, and behind it one of each command.
pub fn man() -> Result<Exit, Failure> {
    let mut pages = Vec::new();
    let mut program = Arguments::command();
    program.build();
    page(&program, &mut pages)?;
    program
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
        .try_for_each(|command| page(command, &mut pages))?;
    write(&pages, "the manual")
}

fn page(command: &clap::Command, pages: &mut Vec<u8>) -> Result<(), Failure> {
    Ok(clap_mangen::Man::new(command.clone()).render(pages).context("writing the manual")?)
}

fn write(text: &[u8], what: &str) -> Result<Exit, Failure> {
    io::stdout().write_all(text).with_context(|| format!("writing {what}"))?;
    Ok(Exit::Done)
}
