//! Looks the project up in the register, without decryption: the launcher has no right to any key.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use contract::register::{Document, Storage};
use contract::{ConfigPath, Project, Trigger, parameter};

use crate::verdict::Stop;

/// Checks that the project is registered and the branch allowed, as far as that can be read without decryption. The worker
/// makes every check again.
pub async fn check(ssm: &Client, config_path: &ConfigPath, trigger: &Trigger) -> Result<(), Stop> {
    let entry_name = parameter::register(config_path, &trigger.project);
    let default_name = parameter::default(config_path);
    let answer = ssm
        .get_parameters()
        .set_names(Some(vec![entry_name.clone(), default_name.clone()]))
        .with_decryption(false)
        .send()
        .await
        .map_err(|error| Stop::failed(&format!("reading the register entry {entry_name}"), error))?;
    let find = |name: &str| answer.parameters().iter().find(|parameter| parameter.name() == Some(name));

    let Some(entry) = find(&entry_name) else {
        let reason = format!("there is no register entry {entry_name}: register the project, or correct the message");
        return Err(Stop::refused("unknown_project", reason));
    };
    let default = find(&default_name);
    if is_encrypted(entry) || default.is_some_and(is_encrypted) {
        return Ok(()); // All that can be known here is that the project exists.
    }
    let project = Project::read(document(entry), default.map(document))
        .map_err(|error| Stop::refused("malformed_register", format!("register entry {entry_name} {error}")))?;
    if !project.branches.allow(&trigger.branch) {
        let reason = format!("register entry {entry_name} does not allow branch {}: see its branches", trigger.branch);
        return Err(Stop::refused("branch_not_allowed", reason));
    }
    if !project.accepts(trigger.commit.as_ref()) {
        let reason = format!("register entry {entry_name} requires a commit: name the one that CI tested");
        return Err(Stop::refused("commit_required", reason));
    }
    Ok(())
}

fn is_encrypted(parameter: &Parameter) -> bool {
    parameter.r#type() == Some(&ParameterType::SecureString)
}

fn document(parameter: &Parameter) -> Document<'_> {
    Document { text: parameter.value().unwrap_or_default(), storage: Storage::Plain }
}
