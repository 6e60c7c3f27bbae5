//! The CodeBuild project of each registered project: that it is there, and still the lock that a deployment relies on.

use anyhow::{Context, Result};
use aws_sdk_codebuild::types::{Project as BuildProject, SourceType};
use contract::ProjectName;
use iwomp_aws::aws_error;

use super::{About, Finding, Look, Patient, look};
use crate::parallel::each;
use crate::pipeline::Pipeline;

/// What CodeBuild describes in one call.
const IN_A_CALL: usize = 100;

/// As CodeBuild knows them; those that it does not know are left out.
pub async fn registered(pipeline: &Pipeline, projects: &[ProjectName]) -> Result<Vec<BuildProject>> {
    let names: Vec<_> = projects.iter().map(|project| pipeline.build_project(project)).collect();
    let found = each(names.chunks(IN_A_CALL), |names| async move {
        let answer = pipeline.codebuild.batch_get_projects().set_names(Some(names.to_vec())).send().await;
        let answer = answer.map_err(aws_error).context("reading the projects of CodeBuild")?;
        Ok(answer.projects.unwrap_or_default())
    });
    Ok(found.await?.concat())
}

pub fn looks<'a>(patient: &'a Patient<'_>) -> Vec<Look<'a>> {
    let about = About::the("build projects");
    if let Err(error) = &patient.builds {
        return vec![look(about, async move { Err(anyhow::anyhow!("{error:#}")) })];
    }
    let looks = patient.projects.iter().map(|project| {
        let about = About::of(project, "build project");
        look(about, async move { Ok(judge(about, patient.build_project(project))) })
    });
    looks.collect()
}

fn judge(about: About<'_>, found: Option<&BuildProject>) -> Vec<Finding> {
    let Some(found) = found else {
        return vec![about.problem("CodeBuild has no project for it", "terraform apply")];
    };
    let mut findings = Vec::new();
    if found.concurrent_build_limit() != Some(1) {
        findings.push(
            about.problem("CodeBuild does not keep two of its deployments from running at once", "terraform apply"),
        );
    }
    // A buildspec in the repository would choose what runs before the worker's checks.
    if found.source().is_some_and(|source| *source.r#type() != SourceType::NoSource) {
        findings.push(
            about.problem("CodeBuild fetches the source itself, past the checks of the worker", "terraform apply"),
        );
    }
    if findings.is_empty() {
        findings.push(about.good("it is there, for one deployment at a time"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use aws_sdk_codebuild::types::ProjectSource;

    use super::*;
    use crate::commands::doctor::Grade;

    #[test]
    fn a_build_project_is_the_lock_of_its_deployments() {
        let source = |kind| ProjectSource::builder().r#type(kind).build().unwrap();
        let project =
            |limit, kind| BuildProject::builder().set_concurrent_build_limit(limit).source(source(kind)).build();
        for (found, grade) in [
            (None, Grade::Problem),
            (Some(project(Some(1), SourceType::NoSource)), Grade::Good),
            (Some(project(None, SourceType::NoSource)), Grade::Problem),
            (Some(project(Some(1), SourceType::Github)), Grade::Problem),
        ] {
            let findings = judge(About::the("build project"), found.as_ref());
            assert_eq!(findings.iter().map(|finding| finding.grade).collect::<Vec<_>>(), [grade], "{findings:?}");
        }
    }
}
