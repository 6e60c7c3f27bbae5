//! What the notifier reads from SSM, and the one thing it writes there. Nothing is decrypted; of the register's values it
//! wants no more than which branches they name.

use anyhow::{Context, Result, bail};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use contract::{Branch, ConfigPath, Deployed, ProjectName, parameter};
use iwomp_aws::aws_error;

use crate::mark::Mark;

/// Of 50 versions each. SSM keeps 100 versions of a parameter, so two are enough; the third is for empty ones.
const MAX_HISTORY_PAGES: usize = 3;
const HISTORY_PAGE: i32 = 50;
/// Of 10 names each, which is all that SSM gives: 2,000 projects, about as many as a sweep can look at in its time.
const MAX_REGISTER_PAGES: usize = 200;

/// The register as it stands, undecrypted. No `Debug`: its values are for nobody's log.
pub struct Register(pub Vec<Parameter>);

impl Register {
    /// The names of the registered projects; `_default`, and what no trigger could name, are left out.
    pub fn projects(&self) -> Vec<ProjectName> {
        let names = self.0.iter().filter_map(|parameter| parameter.name()?.rsplit('/').next());
        names.filter_map(|name| ProjectName::parse(name).ok()).collect()
    }

    pub fn find(&self, name: &str) -> Option<&Parameter> {
        self.0.iter().find(|parameter| parameter.name() == Some(name))
    }
}

pub async fn register(ssm: &Client, config_path: &ConfigPath) -> Result<Register> {
    let path = format!("/{config_path}");
    let mut entries = Vec::new();
    let mut token = None;
    for _ in 0..MAX_REGISTER_PAGES {
        let page = ssm.get_parameters_by_path().path(&path).with_decryption(false).set_next_token(token).send().await;
        let page = page.map_err(aws_error).with_context(|| format!("reading the names under {path}/"))?;
        entries.extend(page.parameters.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return Ok(Register(entries));
        }
    }
    bail!("reading the names under {path}/: there are more than {MAX_REGISTER_PAGES} pages of them")
}

pub async fn mark(ssm: &Client, config_path: &ConfigPath, project: &ProjectName) -> Result<Option<Mark>> {
    let name = parameter::reported(config_path, project);
    let answer = match ssm.get_parameter().name(&name).with_decryption(false).send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => return Ok(None),
        answer => answer.map_err(aws_error).with_context(|| format!("reading the mark {name}"))?,
    };
    let text = answer.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
    let advice =
        || format!("the mark {name} cannot be read (delete it: then builds of the last day are reported once more)");
    Mark::parse(text).map(Some).with_context(advice)
}

pub async fn set_mark(ssm: &Client, config_path: &ConfigPath, project: &ProjectName, mark: &Mark) -> Result<()> {
    let name = parameter::reported(config_path, project);
    let put = ssm.put_parameter().name(&name).value(mark.to_json()?).r#type(ParameterType::String).overwrite(true);
    let answer = put.send().await.map_err(aws_error);
    answer.with_context(|| format!("setting the mark {name}: what was reported will be reported again"))?;
    Ok(())
}

/// What the record of a branch says of a build.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What it wrote itself, if it has deployed anything.
    pub by_build: Option<Deployed>,
    /// Whether a commit is held, since a rollback.
    pub holds: bool,
}

impl From<Option<Deployed>> for Recorded {
    fn from(by_build: Option<Deployed>) -> Self {
        Self { by_build, holds: false }
    }
}

/// What the build wrote, after its command had succeeded, into the record of what is live. SSM keeps the versions; later
/// builds may have written newer ones.
pub async fn deployed_by(
    ssm: &Client,
    config_path: &ConfigPath,
    project: &ProjectName,
    branch: &Branch,
    build: &str,
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
            page => page.map_err(aws_error).with_context(|| format!("reading the history of {name}"))?,
        };
        // A version that is no record was not written by a worker.
        for record in page.parameters().iter().filter_map(|version| Deployed::parse(version.value()?).ok()) {
            // The oldest version comes first, so that the last word is the newest's.
            recorded.holds = record.held.is_some();
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
    use crate::fixtures::{Aws, BUILD, config_path, project, record};

    #[tokio::test]
    async fn only_names_that_a_trigger_could_name_are_projects() {
        let mut register: Vec<_> = (0..25).map(|number| format!("/iwomp-in-aws/p{number}")).collect();
        register.extend(["/iwomp-in-aws/_default", "/iwomp-in-aws/no.project"].map(str::to_owned));
        let (notifier, _) = Aws { register, ..Aws::default() }.notifier();
        let projects = super::register(&notifier.ssm, &config_path()).await.unwrap().projects();
        assert_eq!((projects.len(), projects[24].as_str()), (25, "p24"));
    }

    #[tokio::test]
    async fn a_register_without_end_is_an_error() {
        let register = vec!["/iwomp-in-aws/demo".to_owned(); 2001];
        let (notifier, _) = Aws { register, ..Aws::default() }.notifier();
        let error = super::register(&notifier.ssm, &config_path()).await.err().unwrap().to_string();
        assert!(error.contains("more than 200 pages"), "{error}");
    }

    async fn deployed(live: Vec<String>, branch: &str) -> Option<Deployed> {
        let (notifier, _) = Aws { live, ..Aws::default() }.notifier();
        let branch = Branch::parse(branch).unwrap();
        deployed_by(&notifier.ssm, &config_path(), &project("demo"), &branch, BUILD).await.unwrap().by_build
    }

    #[tokio::test]
    async fn a_build_that_was_live_once_is_found_in_the_history() {
        let mut live = vec![record(BUILD).to_json(), "by hand".to_owned()];
        live.extend((8..107).map(|number| record(&format!("iwomp-in-aws--demo:{number}")).to_json()));
        assert_eq!(deployed(live.clone(), "main").await, Some(record(BUILD)));
        live.rotate_left(1);
        assert_eq!(deployed(live.clone(), "main").await, Some(record(BUILD)), "on the last page");
        assert_eq!(deployed(live[..100].to_vec(), "main").await, None);
        assert_eq!(deployed(live, "never-deployed").await, None);
    }
}
