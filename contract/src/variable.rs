//! The environment variables of a build: a closed list, set by Terraform or by the launcher and read by the worker.

/// Set by Terraform: the [`crate::ConfigPath`].
pub const CONFIG_PATH: &str = "CONFIGPATH";
/// Set by Terraform: the longest time that the command may run, in seconds.
pub const TIME_LIMIT_SECONDS: &str = "TIMELIMITSECONDS";

/// Set by the launcher: the [`crate::ProjectName`].
pub const PROJECT: &str = "PROJECTNAME";
/// Set by the launcher: the [`crate::Branch`].
pub const BRANCH: &str = "GITBRANCH";
/// Set by the launcher if the trigger is pinned: the [`crate::CommitId`].
pub const COMMIT: &str = "GITCOMMIT";
/// Set by the launcher: the message id that SNS gave the trigger.
pub const TRIGGER: &str = "TRIGGERID";
