//! What the notifier is called with: by EventBridge, or by its scheduler. No more is taken from an event than where to look;
//! only of a change to the register it is all that there is.

use aws_sdk_codebuild::types::StatusType;
use contract::{ConfigPath, ProjectName, parameter};
use serde_json::Value;

use crate::launcher_log::{self, Line};
use crate::register::Change;

#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Look at everything.
    Sweep,
    /// A build of this project has begun, it says, and which.
    BuildBegan(ProjectName, String),
    /// A build of this project has ended, it says.
    BuildEnded(ProjectName),
    /// A parameter of the register was written or deleted.
    RegisterChanged(Change),
    /// The launcher wrote these lines.
    LauncherLog(Vec<Line>),
    /// A call to SSM that changed nothing of the register.
    Harmless,
    /// Nothing that Terraform sends here.
    Foreign,
}

impl Event {
    pub fn read(input: &Value, config_path: &ConfigPath) -> Self {
        if input.get("sweep") == Some(&Value::Bool(true)) {
            return Self::Sweep;
        }
        if let Some(lines) = launcher_log::lines(input) {
            return Self::LauncherLog(lines);
        }
        let text = |pointer| input.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match (text("/source"), text("/detail-type")) {
            ("aws.codebuild", "CodeBuild Build State Change") => {
                let project = parameter::project_of_build(config_path, text("/detail/project-name"));
                let build = text("/detail/build-id").rsplit('/').next().unwrap_or_default();
                match project {
                    None => Self::Foreign,
                    Some(project) if text("/detail/build-status") == StatusType::InProgress.as_str() => {
                        Self::BuildBegan(project, build.to_owned())
                    }
                    Some(project) => Self::BuildEnded(project),
                }
            }
            ("aws.ssm", "AWS API Call via CloudTrail") => {
                Change::read(&input["detail"], config_path).map_or(Self::Harmless, Self::RegisterChanged)
            }
            _ => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{build_ended, config_path, put_parameter};
    use serde_json::json;

    fn read(input: &Value) -> Event {
        Event::read(input, &config_path())
    }

    #[test]
    fn a_state_change_of_codebuild_names_a_project_and_nothing_else() {
        let demo = ProjectName::parse("demo").unwrap();
        let mut event = build_ended("iwomp-in-aws--demo");
        assert_eq!(read(&event), Event::BuildEnded(demo.clone()));
        event["detail"]["build-status"] = json!("IN_PROGRESS");
        let build = "iwomp-in-aws--demo:8745a7a9-c340-456a-9166-edf953571bEX".to_owned();
        assert_eq!(read(&event), Event::BuildBegan(demo, build));
    }

    #[test]
    fn a_build_project_that_is_not_the_pipelines_is_foreign() {
        for name in ["", "demo", "iwomp-in-aws", "iwomp-in-aws--", "iwomp-in-aws-demo", "x-iwomp-in-aws--demo"] {
            assert_eq!(read(&build_ended(name)), Event::Foreign, "{name}");
        }
        for name in ["iwomp-in-aws--_default", "iwomp-in-aws--a:b", "iwomp-in-aws--a/b", "iwomp-in-aws--demo\n"] {
            assert_eq!(read(&build_ended(name)), Event::Foreign, "{name:?}");
        }
    }

    #[test]
    fn only_the_word_true_is_a_sweep() {
        assert_eq!(read(&json!({"sweep": true})), Event::Sweep);
        for other in
            [json!({"sweep": "true"}), json!({"sweep": false}), json!({}), json!([]), json!(null), json!("sweep")]
        {
            assert_eq!(read(&other), Event::Foreign, "{other}");
        }
    }

    #[test]
    fn a_written_parameter_is_a_change_only_under_the_register() {
        assert!(matches!(read(&put_parameter("/iwomp-in-aws/demo")), Event::RegisterChanged(_)));
        assert_eq!(read(&put_parameter("/iwomp-in-aws-reported/demo")), Event::Harmless);
    }
}
