//! Names in AWS, all derived from the config path, so that our programs and Terraform cannot disagree.

use crate::{Branch, ConfigPath, ProjectName};

/// Ends the config path in every name but a parameter's. No config path has it or a part of it at its end, so the names of one
/// pipeline are never those of another; Terraform has the same in names.tf.
pub const SEPARATOR: &str = "--";

/// The trees of parameters beside the register's own, each `/<config path>-<tree>`. No config path ends so.
pub const TREES: [&str; 5] = ["credentials", "deployed", "notify", "paused", "reported"];

/// The register entry of a project: `/<config path>/<project>`.
#[must_use]
pub fn register(config_path: &ConfigPath, project: &ProjectName) -> String {
    format!("/{config_path}/{project}")
}

/// What is laid under every register entry: `/<config path>/_default`. No [`ProjectName`] can be `_default`.
#[must_use]
pub fn default(config_path: &ConfigPath) -> String {
    format!("/{config_path}/_default")
}

/// The Git credentials of a project, a `SecureString`: `/<config path>-credentials/<project>`.
#[must_use]
pub fn credentials(config_path: &ConfigPath, project: &ProjectName) -> String {
    format!("/{config_path}-credentials/{project}")
}

/// What is live of a branch: `/<config path>-deployed/<project>/<encoded branch>`, see [`crate::Deployed`] and
/// [`Branch::encoded`].
#[must_use]
pub fn deployed(config_path: &ConfigPath, project: &ProjectName, branch: &Branch) -> String {
    format!("/{config_path}-deployed/{project}/{}", branch.encoded())
}

/// What the latest builds of pinned commits saw of their branches, see [`crate::Seen`]: the name above those of what is live,
/// so that it is no branch's and whoever may write one may write the other.
#[must_use]
pub fn seen(config_path: &ConfigPath, project: &ProjectName) -> String {
    format!("/{config_path}-deployed/{project}")
}

/// While it exists, the project's triggers wait: `/<config path>-paused/<project>`. Its value is the reason, for people.
#[must_use]
pub fn paused(config_path: &ConfigPath, project: &ProjectName) -> String {
    format!("/{config_path}-paused/{project}")
}

/// Up to which build the project's ends were reported: `/<config path>-reported/<project>`.
#[must_use]
pub fn reported(config_path: &ConfigPath, project: &ProjectName) -> String {
    format!("/{config_path}-reported/{project}")
}

/// Where a target of a project's `notify` is, and its secret, see [`crate::TargetSecret`]:
/// `/<config path>-notify/<project>/<target>`.
#[must_use]
pub fn notify(config_path: &ConfigPath, project: &ProjectName, target: &str) -> String {
    format!("/{config_path}-notify/{project}/{target}")
}

/// Where a program learns where everything else is, see [`crate::Description`]: `/<config path>/_pipeline`. It stands where the
/// register does, because what keeps others from writing there shall keep them from this. No [`ProjectName`] can be `_pipeline`.
#[must_use]
pub fn description(config_path: &ConfigPath) -> String {
    format!("/{config_path}/_pipeline")
}

/// The CodeBuild project of a registered project: `<config path>--<project>`.
#[must_use]
pub fn build_project(config_path: &ConfigPath, project: &ProjectName) -> String {
    format!("{config_path}{SEPARATOR}{project}")
}

/// The registered project of a CodeBuild project: [`build_project`] backwards. `None`: it is not the pipeline's.
#[must_use]
pub fn project_of_build(config_path: &ConfigPath, build_project: &str) -> Option<ProjectName> {
    let name = build_project.strip_prefix(config_path.as_str())?.strip_prefix(SEPARATOR)?;
    ProjectName::parse(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_fits_into_ssm() {
        let config_path = ConfigPath::parse(&"c".repeat(32)).unwrap();
        let project = ProjectName::parse(&"p".repeat(63)).unwrap();
        let branch = Branch::parse(&["b"; 12].join("/")).unwrap();
        assert_eq!(deployed(&config_path, &project, &branch).matches('/').count(), 14); // SSM allows 15 levels
        assert!(build_project(&config_path, &project).len() <= 255); // CodeBuild's limit
    }
}
