//! Looks projects up in the register, without decryption: the launcher has no right to any key.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use contract::register::{Document, Storage};
use contract::{Class, ConfigPath, Project, ProjectName, Seen, Trigger, parameter, printable};
use futures::channel::oneshot;
use iwomp_aws::error::{self, AwsError, Effect};

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

/// Who wants which project's entry.
type Asker = (ProjectName, oneshot::Sender<Result<Entry, Stop>>);

/// The projects of a batch are looked up side by side, and those that ask at the same moment ask together.
#[derive(Default)]
pub struct Register {
    wanted: Mutex<Vec<Asker>>,
}

impl Register {
    /// Reads the project's entry.
    ///
    /// # Errors
    /// As `read`.
    pub async fn read(&self, ssm: &Client, config_path: &ConfigPath, project: &ProjectName) -> Result<Entry, Stop> {
        let (answer, answered) = oneshot::channel();
        self.wanted().push((project.clone(), answer));
        // Meanwhile the batch's other projects say what they want. Then each takes up to three of what nobody has taken, until
        // nothing is left; its own is among another's three, or was.
        tokio::task::yield_now().await;
        let (projects, askers): (Vec<_>, Vec<_>) = self.take().into_iter().unzip();
        if !projects.is_empty() {
            for (asker, entry) in askers.into_iter().zip(read(ssm, config_path, &projects).await) {
                // Who has run out of time listens no more.
                let _ = asker.send(entry);
            }
        }
        let out_of_time = || Stop::TimedOut { reason: "SSM did not answer in time: will be tried again".to_owned() };
        answered.await.unwrap_or_else(|_| Err(out_of_time()))
    }

    /// What one call reads for those that still listen.
    fn take(&self) -> Vec<Asker> {
        let mut wanted = self.wanted();
        wanted.retain(|(_, asker)| !asker.is_canceled());
        let count = wanted.len().min(AT_ONCE);
        wanted.drain(..count).collect()
    }

    fn wanted(&self) -> MutexGuard<'_, Vec<Asker>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many entries as one call gives: SSM takes ten names, of which each project has three and one is everybody's.
const AT_ONCE: usize = 3;

/// Reads of at most [`AT_ONCE`] projects the entry, what lies under it, whether the project is paused, and what its builds saw:
/// in one call.
///
/// # Errors
/// For a project, if there is no entry, or it breaks the contract: such triggers are refused. For all, if SSM fails: they wait.
async fn read(ssm: &Client, config_path: &ConfigPath, projects: &[ProjectName]) -> Vec<Result<Entry, Stop>> {
    let default_name = parameter::default(config_path);
    let own =
        |project| [parameter::register, parameter::paused, parameter::seen].map(|name| name(config_path, project));
    let own_names: Vec<_> = projects.iter().map(own).collect();
    let names = own_names.iter().flatten().chain([&default_name]).cloned().collect();
    let answer = ssm
        .get_parameters()
        .set_names(Some(names))
        .with_decryption(false)
        .send()
        .await
        .map_err(|error| error::explain("GetParameters", Effect::None, error));
    let entry = |own: [String; 3]| match &answer {
        Ok(answer) => find_entry(answer.parameters(), own, &default_name),
        Err(AwsError { kind, reason }) => {
            let reason = format!("reading the register entry {}: {reason}", own[0]);
            Err(Stop::Failed { kind: *kind, reason })
        }
    };
    own_names.into_iter().map(entry).collect()
}

/// What the answer says of one project.
fn find_entry(
    parameters: &[Parameter],
    [name, paused_name, seen_name]: [String; 3],
    default_name: &str,
) -> Result<Entry, Stop> {
    let find = |name: &str| parameters.iter().find(|parameter| parameter.name() == Some(name));

    let Some(entry) = find(&name) else {
        let reason = format!("there is no register entry {name}: register the project, or correct the message");
        return Err(Stop::refused(Class::UnknownProject, reason));
    };
    let default = find(default_name);
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
