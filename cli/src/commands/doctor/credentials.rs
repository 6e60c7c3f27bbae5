//! The projects' Git credentials as far as SSM tells of them, and the key that opens them.

use anyhow::{Context, Result};
use aws_sdk_kms::types::KeyState;
use aws_sdk_ssm::types::ParameterMetadata;
use contract::{ProjectName, Scheme, parameter};
use iwomp_aws::aws_error;

use super::{About, Finding, Look, Patient, look};
use crate::account::Account;
use crate::register;
use crate::stored::{Keeping, Stored};

pub fn looks<'a>(patient: &'a Patient<'_>, account: &'a Account) -> Vec<Look<'a>> {
    let (key, credentials) = (About::the("key"), About::the("credentials"));
    vec![look(key, of_key(key, patient, account)), look(credentials, of_projects(patient))]
}

async fn of_key(about: About<'_>, patient: &Patient<'_>, account: &Account) -> Result<Vec<Finding>> {
    let arn = &patient.pipeline.description.kms_key_arn;
    let answer = match account.keys.describe_key().key_id(arn).send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found_exception()) => {
            let to_do = "terraform apply makes another; then every project's credentials have to be stored again";
            return Ok(vec![about.problem(format!("the key of the Git credentials, {arn}, is not there"), to_do)]);
        }
        answer => answer.map_err(aws_error).with_context(|| format!("reading the key {arn}"))?,
    };
    let state = answer.key_metadata().and_then(|metadata| metadata.key_state()).cloned();
    Ok(vec![match state.context("KMS did not say in which state the key is")? {
        KeyState::Enabled => about.good("the key of the Git credentials is enabled"),
        KeyState::PendingDeletion => about.problem(
            format!("the key of the Git credentials is to be deleted, and opens nothing: {arn}"),
            format!("aws kms cancel-key-deletion --key-id {arn} && aws kms enable-key --key-id {arn}"),
        ),
        state => about.problem(
            format!("the key of the Git credentials is {}, and opens nothing: {arn}", state.as_str()),
            format!("aws kms enable-key --key-id {arn}"),
        ),
    }])
}

async fn of_projects(patient: &Patient<'_>) -> Result<Vec<Finding>> {
    let pipeline = patient.pipeline;
    let stored = match patient.only {
        Some(project) => Stored::of(pipeline, project).await?,
        None => Stored::all(pipeline).await?,
    };
    let of_one = |project| {
        let metadata = stored.find(pipeline, project);
        let keeping = metadata.map(|metadata| Keeping::of(pipeline, metadata));
        judge(About::of(project, "credentials"), project, scheme(patient, project), metadata.zip(keeping))
    };
    Ok(patient.projects.iter().map(of_one).collect())
}

/// None: the entry does not tell.
fn scheme(patient: &Patient<'_>, project: &ProjectName) -> Option<Scheme> {
    let (config_path, entries) = (&patient.pipeline.config_path, patient.register.as_ref().ok()?);
    let entry = entries.find(&parameter::register(config_path, project))?;
    let read = register::read(entry, entries.find(&parameter::default(config_path)))?;
    read.ok().map(|project| project.git_url.scheme())
}

fn judge(
    about: About<'_>,
    project: &ProjectName,
    scheme: Option<Scheme>,
    stored: Option<(&ParameterMetadata, Keeping)>,
) -> Finding {
    let store = format!("iwomp secret set {project}");
    match (stored, scheme) {
        (None, Some(Scheme::Ssh)) => about.problem("there are none, and its gitUrl is SSH's, which needs a key", store),
        (None, _) => about.good("none are stored: its repository has to be one that anybody can read"),
        (Some((_, Keeping::OwnKey)), _) => about.good("they are stored, encrypted with the pipeline's key"),
        (Some((_, Keeping::SharedKey)), _) => about.warning(
            "they are encrypted with AWS's key for all of SSM, which many may use",
            format!("{store}, which uses the pipeline's"),
        ),
        (Some((metadata, Keeping::ForeignKey)), _) => about.problem(
            format!(
                "they are encrypted with {}, which no build may use",
                metadata.key_id().unwrap_or("an unknown key")
            ),
            store,
        ),
        (Some((_, Keeping::Plain)), _) => about.problem(
            "they are stored in the clear, and the worker refuses them",
            format!("withdraw them at the Git host; then {store}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Grade;
    use crate::fixtures::project;

    #[test]
    fn credentials_are_judged_by_what_ssm_tells_of_them() {
        let (demo, metadata) = (project("demo"), ParameterMetadata::builder().key_id("alias/theirs").build());
        for (scheme, keeping, grade) in [
            (Some(Scheme::Ssh), None, Grade::Problem),
            (Some(Scheme::Https), None, Grade::Good),
            (None, None, Grade::Good),
            (Some(Scheme::Ssh), Some(Keeping::OwnKey), Grade::Good),
            (None, Some(Keeping::SharedKey), Grade::Warning),
            (None, Some(Keeping::ForeignKey), Grade::Problem),
            (None, Some(Keeping::Plain), Grade::Problem),
        ] {
            let stored = keeping.map(|keeping| (&metadata, keeping));
            let found = judge(About::of(&demo, "credentials"), &demo, scheme, stored);
            assert_eq!(found.grade, grade, "{found:?}");
        }
    }
}
