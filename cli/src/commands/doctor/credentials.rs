//! The projects' Git credentials, and the secrets of who is told, as far as SSM tells of them; and the key that opens them.

use anyhow::{Context, Result};
use aws_sdk_kms::types::KeyState;
use aws_sdk_ssm::types::ParameterMetadata;
use contract::register::{CredentialSource, Target, TargetKind};
use contract::{Project, ProjectName, Scheme, TargetSecret, parameter};
use iwomp_aws::aws_error;

use super::{About, Finding, Look, Patient, look};
use crate::account::Account;
use crate::register;
use crate::stored::{Keeping, Stored};

pub fn looks<'a>(patient: &'a Patient<'_>, account: &'a Account) -> Vec<Look<'a>> {
    let [key, credentials, notify] = ["key", "credentials", "notify"].map(About::the);
    vec![
        look(key, of_key(key, patient, account)),
        look(credentials, of_projects(patient)),
        look(notify, of_targets(patient)),
    ]
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
        let metadata = stored.find(&parameter::credentials(&pipeline.config_path, project));
        let about = About::of(project, "credentials");
        let store = format!("iwomp secret set {project}");
        if entry(patient, project).is_some_and(|entry| entry.credential_source == CredentialSource::GitHubApp) {
            return of_app(about, metadata);
        }
        let Some(metadata) = metadata else {
            let url = entry(patient, project).map(|entry| entry.git_url.scheme());
            return without_credentials(about, url, store);
        };
        judge(about, "they are", store, metadata, Keeping::of(pipeline, metadata))
    };
    Ok(patient.projects.iter().map(of_one).collect())
}

/// Of those who are told, where there are any.
async fn of_targets(patient: &Patient<'_>) -> Result<Vec<Finding>> {
    let pipeline = patient.pipeline;
    let told: Vec<_> =
        patient.projects.iter().filter_map(|project| Some((project, entry(patient, project)?))).collect();
    if told.iter().all(|(_, entry)| entry.notify.is_empty()) {
        return Ok(Vec::new());
    }
    let stored = Stored::of_targets(pipeline, patient.only).await?;
    let of_one = |project: &'_ ProjectName, target: &Target, by_app: bool| {
        let about = About::of(project, "notify");
        let store = format!("iwomp secret set {project} --target {}", target.name);
        match stored.find(&parameter::notify(&pipeline.config_path, project, &target.name)) {
            None if target.kind == TargetKind::GitHub && by_app => {
                about.good(format!("{} is told with tokens of the GitHub App", target.name))
            }
            None => about.problem(format!("{} has no secret, and is not told", target.name), store),
            Some(metadata) => {
                let what = format!("the secret of {} is", target.name);
                judge(about, &what, store, metadata, Keeping::of(pipeline, metadata))
            }
        }
    };
    let mut findings = Vec::new();
    for (project, entry) in &told {
        let with_secret = entry.notify.iter().filter(|target| TargetSecret::is_of(target.kind));
        let by_app = entry.credential_source == CredentialSource::GitHubApp;
        findings.extend(with_secret.map(|target| of_one(project, target, by_app)));
    }
    Ok(findings)
}

/// None: it cannot be read without decryption, or is broken, which is said elsewhere.
fn entry(patient: &Patient<'_>, project: &ProjectName) -> Option<Project> {
    let (config_path, entries) = (&patient.pipeline.config_path, patient.register.as_ref().ok()?);
    let entry = entries.find(&parameter::register(config_path, project))?;
    register::read(entry, entries.find(&parameter::default(config_path)))?.ok()
}

fn of_app(about: About<'_>, stored: Option<&ParameterMetadata>) -> Finding {
    match stored.and_then(ParameterMetadata::name) {
        None => about.good("each build gets a token of the GitHub App"),
        Some(name) => about.warning(
            "some are stored, and not used: each build gets a token of the GitHub App",
            format!("withdraw them at GitHub, and aws ssm delete-parameter --name {name}"),
        ),
    }
}

fn without_credentials(about: About<'_>, scheme: Option<Scheme>, store: String) -> Finding {
    match scheme {
        Some(Scheme::Ssh) => about.problem("there are none, and its gitUrl is SSH's, which needs a key", store),
        _ => about.good("none are stored: its repository has to be one that anybody can read"),
    }
}

fn judge(about: About<'_>, what: &str, store: String, metadata: &ParameterMetadata, keeping: Keeping) -> Finding {
    match keeping {
        Keeping::OwnKey => about.good(format!("{what} stored, encrypted with the pipeline's key")),
        Keeping::SharedKey => about.warning(
            format!("{what} encrypted with AWS's key for all of SSM, which many may use"),
            format!("{store}, which uses the pipeline's"),
        ),
        Keeping::ForeignKey => about.problem(
            format!(
                "{what} encrypted with {}, which nothing of the pipeline may use",
                metadata.key_id().unwrap_or("an unknown key")
            ),
            store,
        ),
        Keeping::Plain => about.problem(
            format!("{what} stored in the clear, and not taken from there"),
            format!("withdraw what is there where it was made; then {store}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Grade;
    use crate::fixtures::project;

    #[test]
    fn secrets_are_judged_by_what_ssm_tells_of_them() {
        let (demo, metadata) = (project("demo"), ParameterMetadata::builder().key_id("alias/theirs").build());
        let about = About::of(&demo, "credentials");
        for (scheme, grade) in
            [(Some(Scheme::Ssh), Grade::Problem), (Some(Scheme::Https), Grade::Good), (None, Grade::Good)]
        {
            assert_eq!(without_credentials(about, scheme, String::new()).grade, grade, "{scheme:?}");
        }
        let stored = ParameterMetadata::builder().name("/x-credentials/demo").build();
        assert_eq!(of_app(about, None).grade, Grade::Good);
        assert_eq!(of_app(about, Some(&stored)).grade, Grade::Warning);
        for (keeping, grade) in [
            (Keeping::OwnKey, Grade::Good),
            (Keeping::SharedKey, Grade::Warning),
            (Keeping::ForeignKey, Grade::Problem),
            (Keeping::Plain, Grade::Problem),
        ] {
            let found = judge(about, "they are", String::new(), &metadata, keeping);
            assert_eq!(found.grade, grade, "{found:?}");
        }
    }
}
