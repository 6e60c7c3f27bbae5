//! Reads the record of what is live. A build can write its own, so whatever is none is said to be none, and spoils nothing else.

use anyhow::{Context, Result};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::primitives::DateTime;
use aws_sdk_ssm::types::Parameter;
use contract::{Branch, CommitId, ConfigPath, Deployed, DocumentError, ProjectName, parameter};

use crate::error::{Effect, aws_error, explain};
use crate::parameters::{Depth, below};

/// Of 50 versions each. SSM keeps 100 versions of a parameter, so two are enough; the third is for empty ones.
const MAX_HISTORY_PAGES: usize = 3;
const HISTORY_PAGE: i32 = 50;
/// Of 10 records each: as many as SSM keeps in a region.
const MAX_PAGES: usize = 1000;

/// A parameter where a record of what is live should be.
#[derive(Debug)]
pub struct Found {
    /// The parameter's name. A build may have chosen its end.
    pub name: String,
    /// None: it is no branch's name.
    pub branch: Option<Branch>,
    pub record: Result<Deployed, DocumentError>,
}

/// What is live of all branches of a project.
///
/// # Errors
/// If SSM fails.
pub async fn live(ssm: &Client, config_path: &ConfigPath, project: &ProjectName) -> Result<Vec<Found>> {
    let path = parameter::seen(config_path, project);
    let found = below(ssm, &path, Depth::All, MAX_PAGES).await?;
    let prefix = format!("{path}/");
    Ok(found.into_iter().filter_map(|parameter| Found::read(parameter, &prefix)).collect())
}

impl Found {
    fn read(parameter: Parameter, prefix: &str) -> Option<Self> {
        let name = parameter.name?;
        let branch = name.strip_prefix(prefix).and_then(Branch::decode);
        Some(Self { branch, record: Deployed::parse(parameter.value.as_deref().unwrap_or_default()), name })
    }
}

/// What is live of a branch. None: nothing, or nothing that is known any more.
///
/// # Errors
/// If SSM fails, or if what stands there is no record.
pub async fn deployed(
    ssm: &Client,
    config_path: &ConfigPath,
    project: &ProjectName,
    branch: &Branch,
) -> Result<Option<Deployed>> {
    let name = parameter::deployed(config_path, project, branch);
    let reading = || format!("reading what is live from {name}");
    let answer = match ssm.get_parameter().name(&name).with_decryption(false).send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => return Ok(None),
        answer => answer.map_err(aws_error).with_context(reading)?,
    };
    let text = answer.parameter().and_then(Parameter::value).unwrap_or_default();
    Deployed::parse(text).with_context(reading).map(Some)
}

/// What the record of a branch says of a build.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What it wrote itself, if it has deployed anything.
    pub by_build: Option<Deployed>,
    /// What was live when it ended.
    pub live: Option<CommitId>,
    /// Whether a commit was held then, since a rollback.
    pub holds: bool,
}

impl From<Option<Deployed>> for Recorded {
    fn from(by_build: Option<Deployed>) -> Self {
        Self { by_build, ..Self::default() }
    }
}

/// What the build wrote, after its command had succeeded, into the record of what is live, and what else stood there when it had
/// `ended`. SSM keeps the versions; later builds may have written newer ones.
///
/// # Errors
/// If SSM fails, with the [`crate::error::AwsError`] that says whether another try may help.
pub async fn deployed_by(
    ssm: &Client,
    config_path: &ConfigPath,
    project: &ProjectName,
    branch: &Branch,
    build: &str,
    ended: Option<&DateTime>,
) -> Result<Recorded> {
    let name = parameter::deployed(config_path, project, branch);
    let mut token = None;
    let mut recorded = Recorded::default();
    for _ in 0..MAX_HISTORY_PAGES {
        let call = ssm.get_parameter_history().name(&name).with_decryption(false).max_results(HISTORY_PAGE);
        let page = match call.set_next_token(token).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => {
                return Ok(recorded);
            }
            page => page.map_err(|error| explain(&format!("reading the history of {name}"), Effect::None, error))?,
        };
        // A version that is no record was not written by a worker.
        for version in page.parameters() {
            let Ok(record) = Deployed::parse(version.value().unwrap_or_default()) else { continue };
            let is_later = version.last_modified_date().zip(ended).is_some_and(|(written, ended)| written > ended);
            // The oldest version comes first, so that the last word is the newest's.
            if !is_later {
                recorded.holds = record.held.is_some();
                recorded.live = Some(record.commit.clone());
            }
            if record.build.as_deref() == Some(build) {
                recorded.by_build = Some(record);
            }
        }
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{BUILD, config_path, parameter, project, record, ssm};

    fn main() -> Branch {
        Branch::parse("main").unwrap()
    }

    async fn by_build(versions: Vec<String>, branch: &str) -> Option<Deployed> {
        let branch = Branch::parse(branch).unwrap();
        let ssm = ssm(Vec::new(), versions);
        deployed_by(&ssm, &config_path(), &project("demo"), &branch, BUILD, None).await.unwrap().by_build
    }

    #[tokio::test]
    async fn a_build_that_was_live_once_is_found_in_the_history() {
        let mut live = vec![record(BUILD).to_json(), "by hand".to_owned()];
        live.extend((8..107).map(|number| record(&format!("iwomp-in-aws--demo:{number}")).to_json()));
        assert_eq!(by_build(live.clone(), "main").await, Some(record(BUILD)));
        live.rotate_left(1);
        assert_eq!(by_build(live.clone(), "main").await, Some(record(BUILD)), "on the last page");
        assert_eq!(by_build(live[..100].to_vec(), "main").await, None);
        assert_eq!(by_build(live, "never-deployed").await, None);
    }

    #[tokio::test]
    async fn whether_a_commit_is_held_is_the_newest_records_word() {
        let held = Deployed { held: Some(record(BUILD).commit), ..record(BUILD) };
        for (versions, holds) in [
            (vec![held.to_json()], true),
            (vec![held.to_json(), "garbage".to_owned()], true),
            (vec![held.to_json(), record(BUILD).to_json()], false),
            (vec![], false),
        ] {
            let ssm = ssm(Vec::new(), versions.clone());
            let recorded = deployed_by(&ssm, &config_path(), &project("demo"), &main(), "other", None).await.unwrap();
            assert_eq!((recorded.by_build, recorded.holds), (None, holds), "{versions:?}");
        }
    }

    #[tokio::test]
    async fn what_is_live_is_read_and_what_is_no_record_is_an_error_that_names_it() {
        let at = async |name: &str, value: &str| {
            let ssm = ssm(vec![parameter(name, value)], Vec::new());
            deployed(&ssm, &config_path(), &project("demo"), &main()).await
        };
        let name = "/iwomp-in-aws-deployed/demo/main";
        assert_eq!(at(name, &record(BUILD).to_json()).await.unwrap(), Some(record(BUILD)));
        assert_eq!(at("/iwomp-in-aws-deployed/demo/other", "").await.unwrap(), None);
        let error = format!("{:#}", at(name, "garbage").await.unwrap_err());
        assert!(error.starts_with("reading what is live from /iwomp-in-aws-deployed/demo/main: "), "{error}");
    }

    #[tokio::test]
    async fn one_stranger_among_the_records_spoils_only_itself() {
        let dependabot = Branch::parse("dependabot/npm_and_yarn/@types/node-22").unwrap();
        let parameters = vec![
            parameter("/iwomp-in-aws-deployed/demo", "{}"),
            parameter("/iwomp-in-aws-deployed/demo/-x", &record(BUILD).to_json()),
            parameter("/iwomp-in-aws-deployed/demo/garbage", "{"),
            parameter(
                &contract::parameter::deployed(&config_path(), &project("demo"), &dependabot),
                &record(BUILD).to_json(),
            ),
            parameter("/iwomp-in-aws-deployed/demo2/main", &record(BUILD).to_json()),
        ];
        let found = live(&ssm(parameters, Vec::new()), &config_path(), &project("demo")).await.unwrap();
        let told: Vec<_> =
            found.iter().map(|found| (found.branch.as_ref().map(Branch::as_str), found.record.is_ok())).collect();
        assert_eq!(told, [(None, true), (Some("garbage"), false), (Some(dependabot.as_str()), true)]);
    }
}
