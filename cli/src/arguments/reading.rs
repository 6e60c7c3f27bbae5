//! The arguments of commands that read and follow.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use contract::{Branch, CommitId, ConfigPath, ProjectName};

use super::{Patience, branch, patience, trigger_id};

#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Of this project only, with more of it
    #[arg(value_parser = ProjectName::parse)]
    pub project: Option<ProjectName>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct VerifyBoundaryArguments {
    /// The account in which to try the CI's key, which has to be one of it
    #[arg(long, value_name = "NUMBER", requires = "ci_profile")]
    pub account: Option<String>,
    /// Profile of the AWS configuration with the CI's key
    #[arg(long, value_name = "PROFILE", requires = "account")]
    pub ci_profile: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// Name of the new pipeline, which is another than the old one's: both may then stand side by side
    #[arg(long, value_name = "NAME", default_value = "iwomp", value_parser = ConfigPath::parse)]
    pub to: ConfigPath,
}

#[derive(Debug, Args)]
pub struct HistoryArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    /// Of this branch only
    #[arg(value_parser = branch)]
    pub branch: Option<Branch>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Where to write the page; unless given, to standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub out: Option<PathBuf>,
    /// How many days of UTC to look at, today among them
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = clap::value_parser!(u16).range(1..=365))]
    pub days: u16,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct ProjectsArguments {
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum RegisterCommand {
    /// A project's entry as it holds, and which parameter each value is from
    #[command(after_help = example!("iwomp register show demo"))]
    Show(ShowArguments),
    /// Every fault of each parameter of the register, with its key
    #[command(after_help = example!("iwomp register lint"))]
    Lint(ProjectsArguments),
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct LogsArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    /// Of the build that this trigger started; unless given, of the newest build
    #[arg(long, value_name = "ID", value_parser = trigger_id, conflicts_with = "build")]
    pub trigger: Option<String>,
    /// Of this build: its id, or the part behind the colon
    #[arg(long, value_name = "ID")]
    pub build: Option<String>,
    /// Go on until the build is over
    #[arg(long, short)]
    pub follow: bool,
    /// How long to follow, at most
    #[arg(long, value_name = "TIME", default_value = "9h", value_parser = patience)]
    pub timeout: Patience,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
#[command(override_usage = "iwomp wait <TRIGGER>\n       iwomp wait --project <PROJECT> --commit <COMMIT>")]
pub struct WaitArguments {
    /// The id that SNS gave it, as `iwomp trigger` and `aws sns publish` print it
    #[arg(value_parser = trigger_id, required_unless_present_all = ["project", "commit"], conflicts_with_all = ["project", "commit"])]
    pub trigger: Option<String>,
    /// The latest trigger of this project that pinned the commit
    #[arg(long, requires = "commit", value_parser = ProjectName::parse)]
    pub project: Option<ProjectName>,
    #[arg(long, requires = "project", value_parser = CommitId::parse)]
    pub commit: Option<CommitId>,
    /// How long to wait, at most
    #[arg(long, value_name = "TIME", default_value = "9h", value_parser = patience)]
    pub timeout: Patience,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct TraceArguments {
    /// The id that SNS gave it
    #[arg(value_parser = trigger_id)]
    pub trigger: String,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct SecretCheckArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    /// Start a build that asks the Git host whether it takes them; it fetches and runs nothing
    #[arg(long)]
    pub in_build: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Of this project, and of the pipeline around it
    #[arg(value_parser = ProjectName::parse)]
    pub project: Option<ProjectName>,
    /// Publish a trigger that is to be refused, as a CI publishes others, and see that the launcher does so
    #[arg(long)]
    pub publish: bool,
    /// Start a build of the project, or of one for each image, that looks at image, role and Git host, and deploys nothing
    #[arg(long)]
    pub in_build: bool,
    #[command(flatten)]
    pub output: Output,
}

/// Of commands that read.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Print JSON instead of text: one document, of a log one a line; docs/schemas/ has the shapes
    #[arg(long)]
    pub json: bool,
}
