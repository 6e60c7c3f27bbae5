//! The environment variables of a build: a closed list, set by Terraform or by the launcher and read by the worker.

/// Set by Terraform: the [`crate::ConfigPath`].
pub const CONFIG_PATH: &str = "CONFIGPATH";
/// Set by Terraform: how long after the build's start the worker ends the command, in seconds. It is [`MARGIN_SECONDS`] less
/// than what CodeBuild gives the build.
pub const TIME_LIMIT_SECONDS: &str = "TIMELIMITSECONDS";
/// For the worker to end in order before CodeBuild ends it: the command's grace, the last calls to AWS, the last lines.
pub const MARGIN_SECONDS: u64 = 120;

/// Set by the launcher: the [`crate::ProjectName`].
pub const PROJECT: &str = "PROJECTNAME";
/// Set by the launcher: the [`crate::Branch`].
pub const BRANCH: &str = "GITBRANCH";
/// Set by the launcher if the trigger is pinned: the [`crate::CommitId`].
pub const COMMIT: &str = "GITCOMMIT";
/// Set by the launcher: the message id that SNS gave the trigger.
pub const TRIGGER: &str = "TRIGGERID";
/// Set by the launcher if other pinned triggers of the branch wait: their commits, see [`crate::parse_waiting`].
pub const WAITING: &str = "WAITINGCOMMITS";

/// Set by an operator who rolls back, and by nobody else: the launcher's role may not. The [`crate::CommitId`] to go to.
pub const ROLLBACK: &str = "ROLLBACKTO";

/// Set by an operator who asks something from inside a build, and by nobody else: the launcher's role may not. The build deploys
/// nothing, and so no branch and no trigger comes with it. There are two questions, [`GIT_HOST`] and [`IMAGE`].
pub const QUESTION: &str = "QUESTION";
/// Whether the Git host takes the project's credentials.
pub const GIT_HOST: &str = "git-host";
/// Whether the build's image, its role and its register entry are such that the project can be deployed; the Git host is asked, too.
pub const IMAGE: &str = "image";
