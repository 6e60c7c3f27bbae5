//! The role of each project's builds, and the role that its deployments take: that both are there, and can be taken.

use anyhow::Result;
use aws_sdk_codebuild::types::Project as BuildProject;
use aws_sdk_iam::types::Role;
use contract::register::RoleArn;
use contract::{ProjectName, parameter};
use iwomp_aws::aws_error;

use super::policy::{lets_in, trusts, unescaped};
use super::{About, Finding, Look, Patient, look};
use crate::account::Account;
use crate::register;

const APPLY: &str = "terraform apply";

pub fn looks<'a>(patient: &'a Patient<'_>, account: &'a Account) -> Vec<Look<'a>> {
    let mut looks = Vec::new();
    for project in &patient.projects {
        let Some(build) = patient.build_project(project) else { continue };
        let Some(role) = build.service_role() else { continue };
        let about = About::of(project, "role");
        looks.push(look(about, own(about, account, build, role)));
        if let Some(wanted) = deploy_role(patient, project) {
            let about = About::of(project, "deploy role");
            looks.push(look(about, to_take(about, patient, account, role, wanted)));
        }
    }
    looks
}

/// None: it has none, or its entry cannot be read.
fn deploy_role(patient: &Patient<'_>, project: &ProjectName) -> Option<RoleArn> {
    let (config_path, entries) = (&patient.pipeline.config_path, patient.register.as_ref().ok()?);
    let entry = entries.find(&parameter::register(config_path, project))?;
    register::read(entry, entries.find(&parameter::default(config_path)))?.ok()?.deploy_role
}

/// None: there is no such role.
async fn find(account: &Account, arn: &str) -> Result<Option<Role>> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    match account.roles.get_role().role_name(name).send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => Ok(None),
        // Of the same name, but under another path, it is another role.
        Ok(found) => Ok(found.role.filter(|role| role.arn() == arn)),
        Err(error) => Err(aws_error(error).context(format!("reading the role {arn}"))),
    }
}

fn trust_policy(role: &Role) -> String {
    unescaped(role.assume_role_policy_document().unwrap_or_default())
}

async fn own(about: About<'_>, account: &Account, build: &BuildProject, arn: &str) -> Result<Vec<Finding>> {
    let Some(role) = find(account, arn).await? else {
        return Ok(vec![about.problem(format!("the role of its builds is not there: {arn}"), APPLY)]);
    };
    let source = build.arn().unwrap_or_default();
    Ok(vec![match lets_in(&trust_policy(&role), "codebuild.amazonaws.com", "sts:AssumeRole", source) {
        Some(true) => about.good("the role of its builds is there"),
        Some(false) => about.problem(format!("CodeBuild may not take the role of its builds: {arn}"), APPLY),
        None => about.unknown(
            format!("the trust policy of {arn} is not the one that was applied"),
            "terraform plan shows the difference",
        ),
    }])
}

async fn to_take(
    about: About<'_>,
    patient: &Patient<'_>,
    account: &Account,
    taker: &str,
    wanted: RoleArn,
) -> Result<Vec<Finding>> {
    let (arn, ours) = (wanted.as_str(), &patient.pipeline.description.account);
    if arn.split(':').nth(4) != Some(ours) {
        let saw = format!("{arn} is in another account: whether it trusts the project's role cannot be told from here");
        return Ok(vec![
            about.unknown(saw, format!("see there that it trusts {taker}, for sts:AssumeRole and sts:TagSession")),
        ]);
    }
    let Some(role) = find(account, arn).await? else {
        return Ok(vec![about.problem(format!("{arn} is not there"), "make it, or correct deployRoleArn")]);
    };
    let policy = trust_policy(&role);
    let mut findings = Vec::new();
    for action in ["sts:AssumeRole", "sts:TagSession"] {
        let to_do = format!("let its trust policy allow {action} to {taker}");
        match trusts(&policy, taker, ours, action) {
            Some(true) => {}
            Some(false) => {
                findings.push(about.problem(format!("{arn} does not let the project's role {action}"), to_do))
            }
            None => findings.push(about.unknown(
                format!("whether {arn} lets the project's role {action} hangs on conditions that only IAM judges"),
                to_do,
            )),
        }
    }
    if findings.is_empty() {
        findings.push(about.good(format!("{arn} trusts the project's role")));
    }
    Ok(findings)
}
