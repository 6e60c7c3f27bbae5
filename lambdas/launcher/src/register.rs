//! Looks the project up in the register, without decryption: the launcher has no right to any key.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use contract::register::{Document, Storage};
use contract::{Class, ConfigPath, Project, ProjectName, Seen, Trigger, parameter, printable};
use iwomp_aws::error::{self, Effect};

use crate::fate::{Busy, Stop};

/// Longest reason of a pause that is repeated in a line, in characters.
const MAX_REASON_CHARS: usize = 200;

/// What the register says of a project, as far as that can be read without decryption.
pub struct Entry {
    name: String,
    /// `None`: it is encrypted, or what lies under it; all that is known is that the project exists.
    project: Option<Project>,
    /// Why an operator paused it.
    paused: Option<String>,
    /// What the latest builds of pinned commits saw, if that can be read: a build has written it.
    pub seen: Option<Seen>,
}

/// Reads the entry, what lies under it, whether the project is paused, and what its builds saw: in one call.
///
/// # Errors
/// If there is no entry, or it breaks the contract: such triggers are refused. If SSM fails: they wait.
pub async fn read(ssm: &Client, config_path: &ConfigPath, project: &ProjectName) -> Result<Entry, Stop> {
    let name = parameter::register(config_path, project);
    let default_name = parameter::default(config_path);
    let paused_name = parameter::paused(config_path, project);
    let seen_name = parameter::seen(config_path, project);
    let answer = ssm
        .get_parameters()
        .set_names(Some(vec![name.clone(), default_name.clone(), paused_name.clone(), seen_name.clone()]))
        .with_decryption(false)
        .send()
        .await
        .map_err(|error| error::explain(&format!("reading the register entry {name}"), Effect::None, error))?;
    let find = |name: &str| answer.parameters().iter().find(|parameter| parameter.name() == Some(name));

    let Some(entry) = find(&name) else {
        let reason = format!("there is no register entry {name}: register the project, or correct the message");
        return Err(Stop::refused(Class::UnknownProject, reason));
    };
    let default = find(&default_name);
    let paused = find(&paused_name).map(|parameter| parameter.value().unwrap_or_default().to_owned());
    let seen = find(&seen_name).and_then(|parameter| Seen::parse(parameter.value()?).ok());
    let project = if is_encrypted(entry) || default.is_some_and(is_encrypted) {
        None
    } else {
        let project = Project::read(document(entry), default.map(document))
            .map_err(|error| Stop::refused(Class::MalformedRegister, format!("register entry {name} {error}")))?;
        Some(project)
    };
    Ok(Entry { name, project, paused, seen })
}

impl Entry {
    /// Checks that the trigger may be answered, and now. The worker makes every check of a rule again.
    ///
    /// # Errors
    /// If a rule of the entry forbids the trigger, or if its project is paused.
    pub fn check(&self, trigger: &Trigger) -> Result<(), Stop> {
        if let Some(project) = &self.project {
            if !project.branches.allow(&trigger.branch) {
                let (name, branch) = (&self.name, &trigger.branch);
                let reason = format!("register entry {name} does not allow branch {branch}: see its branches");
                return Err(Stop::refused(Class::BranchNotAllowed, reason));
            }
            if !project.accepts(trigger.commit.as_ref()) {
                let reason = format!("register entry {} requires a commit: name the one that CI tested", self.name);
                return Err(Stop::refused(Class::CommitRequired, reason));
            }
        }
        if let Some(why) = &self.paused {
            let project = &trigger.project;
            let why = printable(why, MAX_REASON_CHARS);
            let reason = format!("{project} is paused ({why}): the trigger waits until `iwomp resume {project}`");
            return Err(Stop::Busy { class: Busy::Paused, reason });
        }
        Ok(())
    }
}

fn is_encrypted(parameter: &Parameter) -> bool {
    parameter.r#type() == Some(&ParameterType::SecureString)
}

fn document(parameter: &Parameter) -> Document<'_> {
    Document { text: parameter.value().unwrap_or_default(), storage: Storage::Plain }
}
