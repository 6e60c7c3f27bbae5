//! What the register, the pauses and the records say: an entry that cannot be read, and what somebody has put on hold.

use anyhow::Result;
use contract::parameter;
use iwomp_aws::parameters::{Depth, below};
use jiff::Timestamp;

use super::{About, Finding, Look, Patient, look};
use crate::commands::register::{Lint, lint_of};
use crate::records::{self, MAX_PAGES};
use crate::register::Pause;
use crate::when::ago;

pub fn looks<'a>(patient: &'a Patient<'_>) -> Vec<Look<'a>> {
    let (register, paused, records) = (About::the("register"), About::the("pauses"), About::the("records"));
    vec![
        look(register, async move { entries(register, patient) }),
        look(paused, pauses(paused, patient)),
        look(records, held(records, patient)),
    ]
}

fn entries(about: About<'_>, patient: &Patient<'_>) -> Result<Vec<Finding>> {
    let pipeline = patient.pipeline;
    let register = patient.register.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let Lint { faults, encrypted, looked_at } = lint_of(pipeline, register);
    let default = parameter::default(&pipeline.config_path);
    let is_asked = |name: &str| {
        let own = patient.only.map(|project| parameter::register(&pipeline.config_path, project));
        own.is_none_or(|own| own == name) || name == default
    };
    let mut findings = Vec::new();
    for fault in faults.iter().filter(|fault| is_asked(&fault.parameter)) {
        let saw = format!("{} {}", fault.parameter, fault.fault);
        findings.push(about.problem(saw, "correct it where it is written; until then its triggers are refused"));
    }
    for name in encrypted.iter().filter(|name| is_asked(name)) {
        findings.push(about.unknown(
            format!("{name} is encrypted: only the worker reads it"),
            "keep what is secret in the credentials parameter (iwomp secret set), and the entry plain",
        ));
    }
    if findings.is_empty() {
        findings.push(about.good(format!("no fault in {looked_at} parameters")));
    }
    Ok(findings)
}

async fn pauses(about: About<'_>, patient: &Patient<'_>) -> Result<Vec<Finding>> {
    let config_path = &patient.pipeline.config_path;
    let found = below(&patient.pipeline.ssm, &format!("/{config_path}-paused"), Depth::Children, MAX_PAGES).await?;
    let now = Timestamp::now();
    let mut findings = Vec::new();
    for project in &patient.projects {
        let name = parameter::paused(config_path, project);
        if let Some(parameter) = found.iter().find(|parameter| parameter.name() == Some(&name)) {
            let pause = Pause::of(parameter);
            let since = pause.since.map(|since| format!("{}, ", ago(since, now))).unwrap_or_default();
            let saw = format!("its triggers wait: {since}{}", pause.reason);
            findings.push(About::of(project, "paused").warning(saw, format!("iwomp resume {project}")));
        }
    }
    if findings.is_empty() {
        findings.push(about.good("nothing is paused"));
    }
    Ok(findings)
}

async fn held(about: About<'_>, patient: &Patient<'_>) -> Result<Vec<Finding>> {
    let records = records::of(patient.pipeline, patient.only).await?;
    let mut findings = Vec::new();
    for project in &patient.projects {
        for record in records.iter().filter(|record| record.project == project.as_str()) {
            let branch = record.branch.as_ref().map_or(record.encoded.as_str(), |branch| branch.as_str());
            match &record.deployed {
                Err(error) => findings.push(About::of(project, "record").problem(
                    format!("the record of what is live of {branch} {error}, and nothing of that branch is deployed"),
                    format!("iwomp history {project} {branch} tells who wrote it; put its last good value back"),
                )),
                Ok(deployed) => findings.extend(deployed.held.as_ref().map(|held| {
                    About::of(project, "held").warning(
                        format!(
                            "{} of {branch} is held since a rollback, and all that does not descend from it",
                            held.short()
                        ),
                        format!("push what mends it, or iwomp release {project} {branch}"),
                    )
                })),
            }
        }
    }
    if findings.is_empty() {
        findings
            .push(about.good(format!("{} records of what is live can be read, and nothing is held", records.len())));
    }
    Ok(findings)
}
