//! The command line: every command with its options and an example of it, and nothing that happens because of them.

/// One for each command, as it stands in a shell.
macro_rules! example {
    ($line:literal) => {
        concat!("Example:\n  ", $line)
    };
}

mod changing;
mod reading;

use std::time::Duration;

use anstream::ColorChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use contract::{Branch, ConfigPath, NameError, is_trigger_id};

pub use changing::{
    Change, ImportKeyArguments, PauseArguments, ProjectArguments, RedriveArguments, ReleaseArguments,
    RollbackArguments, SecretArguments, TriggerArguments,
};
pub use reading::{
    DoctorArguments, HistoryArguments, LogsArguments, MigrateArguments, Output, ProjectsArguments, RegisterCommand,
    ReportArguments, SecretCheckArguments, ShowArguments, StatusArguments, TraceArguments, VerifyBoundaryArguments,
    WaitArguments,
};

/// Looks at a deployment pipeline and works with it, from wherever AWS can be reached.
#[derive(Debug, Parser)]
#[command(name = "iwomp", version = env!("IWOMP_VERSION"), max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
    /// Whether to use colours; NO_COLOR is heeded, too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Colour,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  iwomp status                                     what is live, runs and waits
  iwomp trigger demo main                          ask for a deployment, as CI does
  iwomp status demo --json | jq '.projects[0].live'

Exit statuses: 0 done, 1 failed, 2 usage, 3 refused, 4 waiting or timed out, 5 no such thing, 6 AWS could not be asked.
All of them, and the shapes of --json, are in docs/commands.md.";

/// Which pipeline is meant. Unless one is named, a local stack that is up.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Name of the pipeline [default: iwomp-in-aws]
    #[arg(long, global = true, env = "IWOMP_CONFIG_PATH", value_name = "NAME", value_parser = ConfigPath::parse)]
    pub config_path: Option<ConfigPath>,
    /// AWS region; unless given, as the AWS CLI finds it
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of the AWS configuration to take credentials and region from
    #[arg(long, global = true, value_name = "PROFILE")]
    pub profile: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    OfPipeline(OfPipeline),
    /// Prove what each principal of a pipeline can do; needs Python and a checkout
    #[command(after_help = example!("iwomp verify-boundary --account 123456789012 --ci-profile ci"))]
    VerifyBoundary(VerifyBoundaryArguments),
    /// What the parameters of the original article's set-up become here, as a file for Terraform
    #[command(after_help = example!("iwomp migrate --config-path iwomp-in-aws --to iwomp >terraform.tfvars"))]
    Migrate(MigrateArguments),
    /// The GitHub App whose tokens take the place of stored Git credentials
    #[command(subcommand)]
    GithubApp(GithubAppCommand),
    /// What a shell completes
    #[command(after_help = example!("iwomp completions bash >~/.local/share/bash-completion/completions/iwomp"))]
    Completions { shell: Shell },
    /// The manual
    #[command(after_help = example!("iwomp man | man -l -"))]
    Man,
}

/// What needs a pipeline.
#[derive(Debug, Subcommand)]
pub enum OfPipeline {
    /// What is live, what runs, what waits, how it ended, and what was refused or given up
    #[command(after_help = example!("iwomp status demo --json | jq '.projects[0].live'"))]
    Status(StatusArguments),
    /// What was live when, by which build, and who went back
    #[command(after_help = example!("iwomp history demo main"))]
    History(HistoryArguments),
    /// One page of all projects, for a browser: what is live, what failed, and how well it goes
    #[command(after_help = example!("iwomp report --out report.html --days 90"))]
    Report(ReportArguments),
    /// The registered projects
    #[command(after_help = example!("iwomp projects --json | jq '.projects[].git_url'"))]
    Projects(ProjectsArguments),
    /// What the register says, and what is wrong in it
    #[command(subcommand)]
    Register(RegisterCommand),
    /// The log of a build, and its result
    #[command(after_help = example!("iwomp logs demo --follow --json | jq -r .text"))]
    Logs(LogsArguments),
    /// Follow a trigger from the queue to the end of its build, and end as that does
    #[command(after_help = example!("iwomp wait 95df01b4-ee98-5cb9-9903-4c221d41eb5e --timeout 30m --json | jq -r .outcome"))]
    Wait(WaitArguments),
    /// Everything that is known of a trigger, in the order in which it happened
    #[command(after_help = example!("iwomp trace 95df01b4-ee98-5cb9-9903-4c221d41eb5e"))]
    Trace(TraceArguments),
    /// Ask for a deployment, as CI does, after the checks that would refuse it
    #[command(after_help = example!("iwomp trigger demo main --yes --wait --timeout 30m"))]
    Trigger(TriggerArguments),
    /// Keep a project's triggers in the queue
    #[command(after_help = example!("iwomp pause demo --reason 'we repair the database'"))]
    Pause(PauseArguments),
    /// Let a paused project deploy again
    #[command(after_help = example!("iwomp resume demo"))]
    Resume(ProjectArguments),
    /// End the build that a project runs; its command gets SIGTERM and some time
    #[command(after_help = example!("iwomp stop demo"))]
    Stop(ProjectArguments),
    /// Go back to an older commit, and hold what is newer
    #[command(after_help = example!("iwomp rollback demo main 0123456789abcdef0123456789abcdef01234567 --wait 30m"))]
    Rollback(RollbackArguments),
    /// Let the head be deployed again that was rolled back from
    #[command(after_help = example!("iwomp release demo main"))]
    Release(ReleaseArguments),
    /// Send triggers that were given up through the same checks again
    #[command(after_help = example!("iwomp redrive 95df01b4-ee98-5cb9-9903-4c221d41eb5e"))]
    Redrive(RedriveArguments),
    /// The Git credentials of a project
    #[command(subcommand)]
    Secret(SecretCommand),
    /// What would keep a deployment from working, and what to do about it
    #[command(after_help = example!("iwomp doctor --publish --in-build"))]
    Doctor(DoctorArguments),
}

/// How long somebody waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience(pub Duration);

#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Store them, encrypted with the pipeline's key, if they pass the worker's own rules
    #[command(after_help = example!("iwomp secret set demo --yes <token.txt"))]
    Set(SecretArguments),
    /// Whether the worker will take what is stored; nothing of it is shown
    #[command(after_help = example!("iwomp secret check demo --in-build"))]
    Check(SecretCheckArguments),
}

#[derive(Debug, Subcommand)]
pub enum GithubAppCommand {
    /// Put its private key into KMS, where it signs for the pipeline's broker alone, and say what Terraform is told
    #[command(after_help = example!("iwomp github-app import-key acme-deployments.2026-11-26.private-key.pem --yes"))]
    ImportKey(ImportKeyArguments),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl Arguments {
    #[must_use]
    pub fn color(&self) -> ColorChoice {
        match self.color {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        }
    }
}

/// A branch by its name, or as CI systems call it: the one prefix that a trigger may have.
fn branch(text: &str) -> Result<Branch, NameError> {
    Branch::parse(text.strip_prefix("refs/heads/").unwrap_or(text))
}

fn trigger_id(text: &str) -> Result<String, &'static str> {
    is_trigger_id(text)
        .then(|| text.to_owned())
        .ok_or("a trigger's id has 36 letters, as 95df01b4-ee98-5cb9-9903-4c221d41eb5e")
}

/// Something to read, for a parameter that takes 4 KB and people who have a line.
fn reason(text: &str) -> Result<String, &'static str> {
    const MAX_CHARS: usize = 500;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_CHARS {
        return Err("a reason has 1 to 500 letters");
    }
    Ok(text.to_owned())
}

/// `90s`, `10m` or `2h`.
fn patience(text: &str) -> Result<Patience, &'static str> {
    const RULE: &str = "a time is a whole number with s, m or h behind it";
    let split = text.len().checked_sub(1).filter(|&end| text.is_char_boundary(end)).ok_or(RULE)?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(RULE),
    };
    let number: u64 = number.parse().map_err(|_| RULE)?;
    number.checked_mul(seconds).map(Duration::from_secs).map(Patience).ok_or(RULE)
}

impl Place {
    /// Whether the user has said anything of where to look.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.config_path.is_some() || self.region.is_some() || self.profile.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// The commands that do something, each with the words that name it.
    fn commands(command: &clap::Command, words: &str) -> Vec<(String, String)> {
        let below = command.get_subcommands().map(|below| commands(below, &format!("{words} {}", below.get_name())));
        let below: Vec<_> = below.flatten().collect();
        if below.is_empty() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            return vec![(words.to_owned(), help)];
        }
        below
    }

    #[test]
    fn every_command_has_an_example_that_is_one_of_it() {
        let commands = commands(&Arguments::command(), "iwomp");
        assert_eq!(commands.len(), 24, "{commands:?}");
        for (words, help) in commands {
            let example = help.strip_prefix("Example:\n  ").unwrap_or_else(|| panic!("{words} has no example"));
            assert!(example.starts_with(&words) && !example.contains('\n'), "{example}");
            // What the shell keeps for itself, and quotes.
            let typed = example.split(['|', '<', '>']).next().unwrap().replace("'we repair the database'", "repair");
            Arguments::try_parse_from(typed.split_whitespace()).unwrap();
        }
    }

    #[test]
    fn a_time_has_its_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("0s", 0)] {
            assert_eq!(patience(text).unwrap().0.as_secs(), seconds);
        }
        for bad in ["", "9", "h", "-1s", "1.5h", "1d", "18446744073709551615h", "9ä"] {
            assert!(patience(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_is_something_to_read() {
        assert_eq!(reason(" we repair the database ").unwrap(), "we repair the database");
        assert!(reason("  ").is_err() && reason(&"x".repeat(501)).is_err());
    }

    #[test]
    fn names_are_held_to_the_contract_before_anything_is_asked() {
        for (arguments, said) in [
            (["trigger", "_default", "main"], "project must be 1 to 63"),
            (["trigger", "demo", "a b"], "it has a blank"),
            (["trigger", "demo", "refs/tags/v1"], "must be the short name of a branch"),
        ] {
            let error = Arguments::try_parse_from(["iwomp"].into_iter().chain(arguments)).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(crate::exit::Exit::Usage.code()));
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
