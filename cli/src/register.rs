//! The register entry of one project, with what lies under it and whether it is paused: what can be said of a trigger before it is
//! published.

use anyhow::Context;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use contract::register::{Document, Storage, faults_of_default};
use contract::{DocumentError, Project, ProjectName, Trigger, parameter};
use iwomp_aws::aws_error;
use iwomp_aws::parameters::Register;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::pipeline::Pipeline;

/// What is known of a project. Nothing is decrypted: an encrypted entry is read by the worker alone.
pub struct Entry {
    /// The parameter.
    pub name: String,
    /// None: it is encrypted, or what lies under it.
    pub project: Option<Result<Project, DocumentError>>,
    pub paused: Option<Pause>,
}

/// An operator's word that a project's triggers shall wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pause {
    pub reason: String,
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
}

impl Pause {
    #[must_use]
    pub fn of(parameter: &Parameter) -> Self {
        let since = parameter.last_modified_date().and_then(|date| Timestamp::from_second(date.secs()).ok());
        Self { reason: parameter.value().unwrap_or_default().to_owned(), since }
    }
}

/// Reads the entry of a project.
///
/// # Errors
/// If it is not registered: that says which ones are.
pub async fn entry(pipeline: &Pipeline, project: &ProjectName) -> Result<Entry, Failure> {
    let config_path = &pipeline.config_path;
    let name = parameter::register(config_path, project);
    let (default, paused) = (parameter::default(config_path), parameter::paused(config_path, project));
    let names = Some(vec![name.clone(), default.clone(), paused.clone()]);
    let answer = pipeline.ssm.get_parameters().set_names(names).with_decryption(false).send().await;
    let answer = answer.map_err(aws_error).with_context(|| format!("reading the register entry {name}"))?;
    let find = |name: &str| answer.parameters().iter().find(|parameter| parameter.name() == Some(name));
    match find(&name) {
        Some(entry) => Ok(Entry { project: read(entry, find(&default)), paused: find(&paused).map(Pause::of), name }),
        None => Err(unknown(pipeline, project).await),
    }
}

/// What an entry says, unless it is encrypted.
#[must_use]
pub fn read(entry: &Parameter, default: Option<&Parameter>) -> Option<Result<Project, DocumentError>> {
    (!is_encrypted(entry) && !default.is_some_and(is_encrypted))
        .then(|| Project::read(document(entry), default.map(document)))
}

/// All that is wrong with an entry, but for what is wrong with what lies under it by itself. Nothing is known of what is encrypted.
#[must_use]
pub fn faults(entry: &Parameter, default: Option<&Parameter>) -> Vec<DocumentError> {
    if is_encrypted(entry) || default.is_some_and(is_encrypted) {
        return Vec::new();
    }
    let of = |default| Project::read_whole(document(entry), default).err().unwrap_or_default();
    let (own, inherited) = (of(None), default.map(faults_under_all).unwrap_or_default());
    of(default.map(document)).into_iter().filter(|fault| own.contains(fault) || !inherited.contains(fault)).collect()
}

/// All that is wrong with what lies under every entry.
#[must_use]
pub fn faults_under_all(default: &Parameter) -> Vec<DocumentError> {
    faults_of_default(document(default))
}

#[must_use]
pub fn is_encrypted(parameter: &Parameter) -> bool {
    parameter.r#type() == Some(&ParameterType::SecureString)
}

fn document(parameter: &Parameter) -> Document<'_> {
    Document { text: parameter.value().unwrap_or_default(), storage: Storage::Plain }
}

/// More names would hide the one that was meant.
const NAMED: usize = 10;

/// That there is no such project, and which ones there are.
pub async fn unknown(pipeline: &Pipeline, project: &ProjectName) -> Failure {
    let failure =
        Failure::new(Exit::NotThere, format!("{project} is not a registered project of {}", pipeline.config_path));
    match Register::read(&pipeline.ssm, &pipeline.config_path).await {
        Ok(register) => {
            let projects: Vec<_> = register.projects().iter().map(ToString::to_string).collect();
            failure.advise(match projects.as_slice() {
                [] => "register it first: none is registered yet".to_owned(),
                known if known.len() <= NAMED => format!("name one that is registered: {}", known.join(", ")),
                known => format!("name one of the {} that are registered: iwomp projects", known.len()),
            })
        }
        Err(_) => failure,
    }
}

impl Entry {
    /// Why a trigger would be refused, as far as that can be known from outside; launcher and worker check again.
    ///
    /// # Errors
    /// Names the rule.
    pub fn check(&self, trigger: &Trigger) -> Result<(), Failure> {
        let refused = |what| Err(Failure::new(Exit::Refused, what));
        match &self.project {
            None => Ok(()),
            Some(Err(error)) => {
                refused(format!("the register entry {} {error}: every trigger of it is refused", self.name))
                    .map_err(|failure: Failure| failure.advise("correct it where it is written"))
            }
            Some(Ok(project)) if !project.branches.allow(&trigger.branch) => {
                refused(format!("the register entry {} does not allow the branch {}", self.name, trigger.branch))
                    .map_err(|failure: Failure| failure.advise("see its `branches`"))
            }
            Some(Ok(project)) if !project.accepts(trigger.commit.as_ref()) => {
                refused(format!("the register entry {} requires a commit", self.name))
                    .map_err(|failure: Failure| failure.advise("name the one that CI tested: --commit"))
            }
            Some(Ok(_)) => Ok(()),
        }
    }
}
