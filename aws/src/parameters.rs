//! Reads what lies below a path of SSM, and a project's entry, undecrypted. No bound of time: that is its caller's.

use anyhow::{Context, Result, bail};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::Parameter;
use contract::register::{Document, Project, Storage};
use contract::{ConfigPath, ProjectName, parameter};

use crate::error::aws_error;

/// Of 10 names each, which is all that SSM gives: 2,000 projects, about as many as a sweep can look at in its time.
const MAX_REGISTER_PAGES: usize = 200;

/// How far down a path is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What lies right below it.
    Children,
    /// All that begins with it.
    All,
}

/// All parameters below `path`, which ends without a slash, with their values as they are stored.
///
/// # Errors
/// If SSM fails, or if there are more than so many pages of 10.
pub async fn below(ssm: &Client, path: &str, depth: Depth, max_pages: usize) -> Result<Vec<Parameter>> {
    let (mut found, mut token) = (Vec::new(), None);
    for _ in 0..max_pages {
        let call = ssm.get_parameters_by_path().path(path).recursive(depth == Depth::All).with_decryption(false);
        let page = call.set_next_token(token).send().await;
        let page = page.map_err(aws_error).with_context(|| format!("reading what is below {path}/"))?;
        found.extend(page.parameters.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
    bail!("reading what is below {path}/: there are more than {max_pages} pages of it")
}

/// The register as it stands, undecrypted. No `Debug`: its values are for nobody's log.
pub struct Register(pub Vec<Parameter>);

impl Register {
    /// # Errors
    /// If SSM fails, or if there are more entries than any pipeline has.
    pub async fn read(ssm: &Client, config_path: &ConfigPath) -> Result<Self> {
        below(ssm, &format!("/{config_path}"), Depth::Children, MAX_REGISTER_PAGES).await.map(Self)
    }

    /// The names of the registered projects; `_default`, and what no trigger could name, are left out.
    #[must_use]
    pub fn projects(&self) -> Vec<ProjectName> {
        let names = self.0.iter().filter_map(|parameter| parameter.name()?.rsplit('/').next());
        names.filter_map(|name| ProjectName::parse(name).ok()).collect()
    }

    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Parameter> {
        self.0.iter().find(|parameter| parameter.name() == Some(name))
    }
}

/// What there is of a project, for who decrypts nothing.
pub enum Entry {
    Missing,
    /// It is broken, or encrypted.
    Unreadable,
    Read(Box<Project>),
}

impl Entry {
    /// # Errors
    /// If SSM fails.
    pub async fn read(ssm: &Client, config_path: &ConfigPath, project: &ProjectName) -> Result<Self> {
        let names = [parameter::register(config_path, project), parameter::default(config_path)];
        let call = ssm.get_parameters().set_names(Some(names.to_vec())).send();
        let answer = call.await.map_err(aws_error).with_context(|| format!("reading {}", names[0]))?;
        let find = |name: &str| answer.parameters().iter().find(|parameter| parameter.name() == Some(name));
        let document = |name| {
            find(name)
                .map(|parameter| Document { text: parameter.value().unwrap_or_default(), storage: Storage::Plain })
        };
        let Some(entry) = document(&names[0]) else { return Ok(Self::Missing) };
        Ok(Project::read(entry, document(&names[1])).map_or(Self::Unreadable, |entry| Self::Read(Box::new(entry))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{config_path, parameter, ssm};

    async fn read(names: impl Iterator<Item = String>) -> Result<Register> {
        let parameters = names.map(|name| parameter(&name, "canary-9")).collect();
        Register::read(&ssm(parameters, Vec::new()), &config_path()).await
    }

    #[tokio::test]
    async fn only_names_that_a_trigger_could_name_are_projects() {
        let names = (0..25).map(|number| format!("/iwomp-in-aws/p{number}"));
        let others = ["/iwomp-in-aws/_default", "/iwomp-in-aws/no.project", "/iwomp-in-aws/a/b", "/iwomp-in-awsx/c"];
        let projects = read(names.chain(others.map(str::to_owned))).await.unwrap().projects();
        assert_eq!((projects.len(), projects[24].as_str()), (25, "p24"));
    }

    #[tokio::test]
    async fn a_register_without_end_is_an_error() {
        let error = read((0..2001).map(|number| format!("/iwomp-in-aws/p{number}"))).await.err().unwrap().to_string();
        assert_eq!(error, "reading what is below /iwomp-in-aws/: there are more than 200 pages of it");
    }

    #[tokio::test]
    async fn what_lies_deeper_is_read_only_if_asked_for() {
        let parameters = || ["/x/a", "/x/a/b", "/xa"].map(|name| parameter(name, "")).to_vec();
        let count = async |depth| below(&ssm(parameters(), Vec::new()), "/x", depth, 1).await.unwrap().len();
        assert_eq!((count(Depth::Children).await, count(Depth::All).await), (1, 2));
    }
}
