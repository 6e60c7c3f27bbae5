//! CodeBuild's quotas of builds that may run at once. New accounts begin with 0 or 1 of them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_codebuild::types::{EnvironmentType, ProjectEnvironment};
use aws_sdk_servicequotas::types::ServiceQuota;
use iwomp_aws::aws_error;

use super::{About, Finding, Look, Patient, look};
use crate::account::Account;

pub fn looks<'a>(patient: &'a Patient<'_>, account: &'a Account) -> Vec<Look<'a>> {
    let about = About::the("builds at once");
    let environments = patient.builds.iter().flatten().filter_map(|project| project.environment());
    let mut wanted = BTreeMap::new();
    for environment in environments {
        *wanted.entry(quota_name(environment)).or_insert(0) += 1;
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    vec![look(about, of_builds(about, account, wanted))]
}

/// As Service Quotas calls it, by machine: "Concurrently running builds for Linux/Small environment".
fn quota_name(environment: &ProjectEnvironment) -> String {
    let system = match environment.r#type() {
        EnvironmentType::ArmContainer => "ARM",
        EnvironmentType::LinuxContainer => "Linux",
        other => other.as_str(),
    };
    let size = match environment.compute_type().as_str().rsplit('_').next().unwrap_or_default() {
        "SMALL" => "Small",
        "MEDIUM" => "Medium",
        "LARGE" => "Large",
        "XLARGE" => "XLarge",
        "2XLARGE" => "2XLarge",
        other => other,
    };
    format!("Concurrently running builds for {system}/{size} environment")
}

/// `wanted`: how many projects share a quota.
async fn of_builds(about: About<'_>, account: &Account, wanted: BTreeMap<String, usize>) -> Result<Vec<Finding>> {
    let pages = account.quotas.list_service_quotas().service_code("codebuild").into_paginator().items();
    let found: Result<Vec<_>, _> = pages.send().collect().await;
    let found = found.map_err(aws_error).context("reading CodeBuild's quotas")?;
    let known = |name: &str| found.iter().find(|quota| quota.quota_name() == Some(name));
    let names: BTreeSet<_> = wanted.keys().collect();
    Ok(names.into_iter().map(|name| judge(about, name, wanted.get(name).copied().unwrap_or(0), known(name))).collect())
}

fn judge(about: About<'_>, name: &str, projects: usize, quota: Option<&ServiceQuota>) -> Finding {
    let Some((value, code)) = quota.and_then(|quota| quota.value().zip(quota.quota_code())) else {
        return about.unknown(
            format!("the account shows no quota called {name:?}"),
            "aws service-quotas list-service-quotas --service-code codebuild, and look for it",
        );
    };
    let raise = format!(
        "aws service-quotas request-service-quota-increase --service-code codebuild --quota-code {code} --desired-value 10 \
         (free of charge; minutes to days)"
    );
    if value < 1.0 {
        about.problem(format!("{name}: {value}, so that nothing can be built"), raise)
    } else if value < 2.0 && projects > 1 {
        about.warning(format!("{name}: {value}, so that {projects} projects take turns"), raise)
    } else {
        about.good(format!("{name}: {value}"))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::ComputeType;

    use super::*;
    use crate::commands::doctor::Grade;

    #[test]
    fn a_quota_is_called_by_its_machine() {
        let environment = |kind, size| {
            let environment = ProjectEnvironment::builder().r#type(kind).compute_type(size).image("x");
            quota_name(&environment.build().unwrap())
        };
        assert_eq!(
            environment(EnvironmentType::LinuxContainer, ComputeType::BuildGeneral1Small),
            "Concurrently running builds for Linux/Small environment"
        );
        assert_eq!(
            environment(EnvironmentType::ArmContainer, ComputeType::BuildGeneral12Xlarge),
            "Concurrently running builds for ARM/2XLarge environment"
        );
    }

    #[test]
    fn an_account_that_may_build_nothing_is_told_what_to_ask_for() {
        let quota = |value| ServiceQuota::builder().value(value).quota_code("L-1").build();
        for (found, projects, grade) in [
            (Some(quota(0.0)), 1, Grade::Problem),
            (Some(quota(1.0)), 1, Grade::Good),
            (Some(quota(1.0)), 2, Grade::Warning),
            (Some(quota(60.0)), 9, Grade::Good),
            (None, 1, Grade::Unknown),
        ] {
            let finding = judge(About::the("builds at once"), "x", projects, found.as_ref());
            assert_eq!(finding.grade, grade, "{finding:?}");
        }
    }
}
