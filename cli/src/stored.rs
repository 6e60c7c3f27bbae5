//! What SSM tells of stored Git credentials, and of the secrets of targets, without showing them: that they are there, since when, how, and under which key.

use anyhow::{Context, Result};
use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter, ParameterType};
use contract::{ProjectName, parameter};
use iwomp_aws::aws_error;
use schemars::JsonSchema;
use serde::Serialize;

use crate::pipeline::Pipeline;

/// Of some projects.
pub struct Stored(Vec<ParameterMetadata>);

/// How such a parameter is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keeping {
    /// Encrypted with the pipeline's key, as it has to be.
    OwnKey,
    /// With AWS's key for all of SSM, which many may use.
    SharedKey,
    /// With a key that no build may use.
    ForeignKey,
    /// Not at all.
    Plain,
}

impl Stored {
    /// The credentials of all projects, in a call for each 50.
    ///
    /// # Errors
    /// If SSM fails.
    pub async fn all(pipeline: &Pipeline) -> Result<Self> {
        let tree = format!("/{}-credentials", pipeline.config_path);
        Self::read(pipeline, "Path", "OneLevel", tree).await
    }

    /// The secrets of the targets of one project or of all, likewise.
    ///
    /// # Errors
    /// If SSM fails.
    pub async fn of_targets(pipeline: &Pipeline, only: Option<&ProjectName>) -> Result<Self> {
        let of = only.map(|project| format!("/{project}")).unwrap_or_default();
        Self::read(pipeline, "Path", "Recursive", format!("/{}-notify{of}", pipeline.config_path)).await
    }

    /// The credentials of one.
    ///
    /// # Errors
    /// If SSM fails.
    pub async fn of(pipeline: &Pipeline, project: &ProjectName) -> Result<Self> {
        Self::read(pipeline, "Name", "Equals", parameter::credentials(&pipeline.config_path, project)).await
    }

    async fn read(pipeline: &Pipeline, key: &str, option: &str, value: String) -> Result<Self> {
        let reading = || format!("reading what SSM tells of {value}");
        let filter = ParameterStringFilter::builder().key(key).option(option).values(&value).build();
        let filter = filter.with_context(reading)?;
        let pages = pipeline.ssm.describe_parameters().parameter_filters(filter).into_paginator();
        let found: Result<Vec<_>, _> = pages.send().collect().await;
        let pages = found.map_err(aws_error).with_context(reading)?;
        Ok(Self(pages.into_iter().filter_map(|page| page.parameters).flatten().collect()))
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ParameterMetadata> {
        self.0.iter().find(|metadata| metadata.name() == Some(name))
    }
}

impl Keeping {
    #[must_use]
    pub fn of(pipeline: &Pipeline, metadata: &ParameterMetadata) -> Self {
        if metadata.r#type() != Some(&ParameterType::SecureString) {
            return Self::Plain;
        }
        let arn = pipeline.description.kms_key_arn.as_str();
        let id = arn.rsplit('/').next().unwrap_or_default();
        let alias = format!("alias/{}", pipeline.config_path);
        match metadata.key_id() {
            // As whoever stored them named it: SSM repeats that.
            Some(key) if [arn, id, &alias].contains(&key) || key.ends_with(&format!(":{alias}")) => Self::OwnKey,
            None => Self::SharedKey,
            Some(key) if key.ends_with("alias/aws/ssm") => Self::SharedKey,
            Some(_) => Self::ForeignKey,
        }
    }
}
