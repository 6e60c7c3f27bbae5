//! The arguments of commands that change something.

use std::path::PathBuf;

use clap::Args;
use contract::{Branch, CommitId, ProjectName};

use super::{Patience, branch, patience, reason, trigger_id};

#[derive(Debug, Args)]
pub struct TriggerArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    #[arg(value_parser = branch)]
    pub branch: Branch,
    /// Deploy exactly this commit, not the head: the full id
    #[arg(long, value_parser = CommitId::parse)]
    pub commit: Option<CommitId>,
    /// Follow it to the end of its build, and end as that does
    #[arg(long)]
    pub wait: bool,
    /// How long to wait, at most
    #[arg(long, value_name = "TIME", default_value = "9h", value_parser = patience)]
    pub timeout: Patience,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct PauseArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    /// What the others should know; unless given, who paused it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    #[command(flatten)]
    pub change: Change,
}

/// Of commands that change something of one project.
#[derive(Debug, Args)]
pub struct ProjectArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct RollbackArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    #[arg(value_parser = branch)]
    pub branch: Branch,
    /// The full id. The worker checks that it is on the branch
    #[arg(value_parser = CommitId::parse)]
    pub commit: CommitId,
    /// How long to wait while another build of the project runs
    #[arg(long, value_name = "TIME", value_parser = patience)]
    pub wait: Option<Patience>,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct ReleaseArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    #[arg(value_parser = branch)]
    pub branch: Branch,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct RedriveArguments {
    /// These only; unless given, all
    #[arg(value_name = "TRIGGER", value_parser = trigger_id)]
    pub triggers: Vec<String>,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct SecretArguments {
    #[arg(value_parser = ProjectName::parse)]
    pub project: ProjectName,
    /// Of this target of the entry's notify; unless given, the Git credentials
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// A bare token, or a JSON document; unless given, standard input
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct ImportKeyArguments {
    /// As GitHub gives it: PEM
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub change: Change,
}

/// Of commands that change something.
#[derive(Debug, Args)]
pub struct Change {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Check, and say what would be done
    #[arg(long)]
    pub dry_run: bool,
}
