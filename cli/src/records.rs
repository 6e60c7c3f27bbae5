//! The records of what is live. A build can write its own, so each is read as a stranger's: one that cannot be read spoils no other.

use anyhow::Result;
use aws_sdk_ssm::types::Parameter;
use contract::{Branch, Deployed, DocumentError, ProjectName, parameter};
use iwomp_aws::parameters::{Depth, below};

use crate::pipeline::Pipeline;

/// Of 10 parameters each: as many as SSM keeps in a region.
pub const MAX_PAGES: usize = 1000;

/// The record of a branch. A build may have written it, and chosen its name.
pub struct Record {
    pub project: String,
    /// As it stands in the parameter's name.
    pub encoded: String,
    pub branch: Option<Branch>,
    pub deployed: Result<Deployed, DocumentError>,
}

/// What is live of all projects, or of one: fewer calls than asking project by project.
///
/// # Errors
/// If SSM fails.
pub async fn of(pipeline: &Pipeline, only: Option<&ProjectName>) -> Result<Vec<Record>> {
    let tree = format!("/{}-deployed", pipeline.config_path);
    let path = only.map_or_else(|| tree.clone(), |project| parameter::seen(&pipeline.config_path, project));
    let found = below(&pipeline.ssm, &path, Depth::All, MAX_PAGES).await?;
    Ok(found.iter().filter_map(|parameter| Record::read(parameter, &tree)).collect())
}

impl Record {
    /// None: it stands where no record does.
    fn read(parameter: &Parameter, tree: &str) -> Option<Self> {
        let (project, encoded) = parameter.name()?.strip_prefix(tree)?.strip_prefix('/')?.split_once('/')?;
        Some(Self {
            project: project.to_owned(),
            encoded: encoded.to_owned(),
            branch: Branch::decode(encoded),
            deployed: Deployed::parse(parameter.value().unwrap_or_default()),
        })
    }
}
