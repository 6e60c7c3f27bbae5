//! The pipeline's own functions: that they are there, ready, as applied and not switched off, and that the queue wakes the launcher.

use anyhow::{Context, Result};
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, LastUpdateStatus, State};
use aws_smithy_types::base64;
use contract::description::Function;
use iwomp_aws::aws_error;

use super::{About, Finding, Look, Patient, look};
use crate::account::Account;
use crate::queue;

const APPLY: &str = "terraform apply";

pub fn looks<'a>(patient: &'a Patient<'_>, account: &'a Account) -> Vec<Look<'a>> {
    let described = &patient.pipeline.description;
    let mut looks = Vec::new();
    let functions =
        [("launcher", &described.launcher), ("notifier", &described.notifier), ("courier", &described.courier)];
    let broker = described.broker.as_ref().map(|broker| ("broker", broker));
    for (check, function) in functions.into_iter().chain(broker) {
        let about = About::the(check);
        looks.push(look(about, state(about, account, function)));
        looks.push(look(about, concurrency(about, account, function)));
    }
    let about = About::the("mapping");
    looks.push(look(about, mapping(about, patient, account)));
    looks.push(look(About::the("functions"), account_limit(account)));
    looks
}

async fn state(about: About<'_>, account: &Account, function: &Function) -> Result<Vec<Finding>> {
    let name = &function.name;
    match account.functions.get_function_configuration().function_name(name).send().await {
        Ok(found) => Ok(judge_state(about, function, &found)),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
            Ok(vec![about.problem(format!("the function {name} is not there"), APPLY)])
        }
        Err(error) => Err(aws_error(error).context(format!("reading the function {name}"))),
    }
}

fn judge_state(about: About<'_>, function: &Function, found: &GetFunctionConfigurationOutput) -> Vec<Finding> {
    let name = &function.name;
    let mut findings = Vec::new();
    match found.state() {
        // Inactive: it was not called for long, and the next call wakes it.
        None | Some(State::Active | State::Inactive) => {}
        Some(state) => {
            let why = found.state_reason().unwrap_or("AWS gives no reason");
            findings.push(about.problem(format!("the function {name} is {}: {why}", state.as_str()), APPLY));
        }
    }
    if found.last_update_status() == Some(&LastUpdateStatus::Failed) {
        let why = found.last_update_status_reason().unwrap_or("AWS gives no reason");
        findings
            .push(about.problem(format!("the last update of {name} failed, and the code before runs: {why}"), APPLY));
    }
    let runs = found.code_sha256().and_then(|text| base64::decode(text).ok()).map(|bytes| hex(&bytes));
    if runs.is_some_and(|runs| runs != function.sha256) {
        findings.push(about.warning(
            format!("{name} runs other code than was applied"),
            "find out who changed it (CloudTrail, UpdateFunctionCode), and terraform apply",
        ));
    }
    if findings.is_empty() {
        findings.push(about.good(format!("{name} is there, with the code that was applied")));
    }
    findings
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn concurrency(about: About<'_>, account: &Account, function: &Function) -> Result<Vec<Finding>> {
    let name = &function.name;
    let answer = account.functions.get_function_concurrency().function_name(name).send().await;
    let answer = match answer {
        // That is said already.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
            return Ok(Vec::new());
        }
        answer => answer.map_err(aws_error).with_context(|| format!("reading the concurrency of {name}"))?,
    };
    Ok(match answer.reserved_concurrent_executions() {
        Some(0) => vec![about.problem(
            format!("{name} is throttled to nothing: its reserved concurrency is 0"),
            format!("if nobody meant to stop it: aws lambda delete-function-concurrency --function-name {name}"),
        )],
        _ => vec![about.good("it is not throttled")],
    })
}

async fn mapping(about: About<'_>, patient: &Patient<'_>, account: &Account) -> Result<Vec<Finding>> {
    let described = &patient.pipeline.description;
    let queue = queue::arn(described, &described.queue_url);
    let pages = account.functions.list_event_source_mappings().event_source_arn(&queue).into_paginator().items();
    let found: Result<Vec<_>, _> = pages.send().collect().await;
    let found = found.map_err(aws_error).with_context(|| format!("reading what takes from {queue}"))?;
    Ok(judge_mappings(about, &described.launcher.name, &found))
}

fn judge_mappings(about: About<'_>, launcher: &str, found: &[EventSourceMappingConfiguration]) -> Vec<Finding> {
    let function = |mapping: &EventSourceMappingConfiguration| {
        let arn = mapping.function_arn().unwrap_or_default().to_owned();
        // A version or an alias follows the name, if one is mapped.
        arn.split(':').nth(6).map(str::to_owned).unwrap_or(arn)
    };
    let (ours, others): (Vec<_>, Vec<_>) = found.iter().partition(|mapping| function(mapping) == launcher);
    let mut findings: Vec<_> = others
        .iter()
        .map(|mapping| {
            about.problem(
                format!("{} takes triggers out of the queue, and it is not the launcher", function(mapping)),
                remove(mapping),
            )
        })
        .collect();
    if ours.is_empty() {
        findings.push(about.problem("nothing wakes the launcher when a trigger is in the queue", APPLY));
    }
    for mapping in &ours {
        findings.extend(judge_mapping(about, mapping));
    }
    if findings.is_empty() {
        findings.push(about.good("the queue wakes the launcher, and nobody else takes from it"));
    }
    findings
}

fn judge_mapping(about: About<'_>, mapping: &EventSourceMappingConfiguration) -> Vec<Finding> {
    let id = mapping.uuid().unwrap_or_default();
    let mut findings = Vec::new();
    match mapping.state().unwrap_or_default() {
        "Enabled" | "Updating" => {}
        state => findings.push(about.problem(
            format!("the queue does not wake the launcher: the mapping is {state}"),
            format!("if nobody meant to stop it: aws lambda update-event-source-mapping --uuid {id} --enabled"),
        )),
    }
    if mapping.filter_criteria().is_some_and(|criteria| !criteria.filters().is_empty()) {
        findings.push(about.problem(
            "the mapping has a filter, and what it does not let through is deleted unread",
            format!("aws lambda update-event-source-mapping --uuid {id} --filter-criteria '{{}}'"),
        ));
    }
    let partial = mapping.function_response_types().iter().any(|kind| kind.as_str() == "ReportBatchItemFailures");
    if !partial {
        findings.push(
            about.problem(
                "the mapping does not heed which triggers are to come back, and deletes those that wait",
                APPLY,
            ),
        );
    }
    findings
}

fn remove(mapping: &EventSourceMappingConfiguration) -> String {
    let id = mapping.uuid().unwrap_or_default();
    format!("find out who made it, then: aws lambda delete-event-source-mapping --uuid {id}")
}

/// Two launchers, which is the least that a mapping may be bounded to, and a notifier.
const FUNCTIONS: i32 = 3;

async fn account_limit(account: &Account) -> Result<Vec<Finding>> {
    let answer = account.functions.get_account_settings().send().await.map_err(aws_error);
    let answer = answer.context("reading how many functions may run at once")?;
    let about = About::the("functions");
    let limit = answer.account_limit().context("Lambda did not say how many functions may run at once")?;
    let all = limit.concurrent_executions();
    let free = limit.unreserved_concurrent_executions().unwrap_or(all);
    let saw = format!("{free} of {all} concurrent executions of functions are not reserved");
    Ok(vec![if free < FUNCTIONS {
        about.problem(
            saw,
            format!("reserve fewer for other functions, or ask AWS for more: launcher and notifier need {FUNCTIONS}"),
        )
    } else {
        about.good(saw)
    }])
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    const ABOUT: About<'_> = About { check: "launcher", project: None };

    fn function() -> Function {
        serde_json::from_value(serde_json::json!({"function": "p--launcher", "log_group": "g", "sha256": "00ff"}))
            .unwrap()
    }

    fn mapping(function: &str) -> aws_sdk_lambda::types::builders::EventSourceMappingConfigurationBuilder {
        let arn = format!("arn:aws:lambda:eu-central-1:123456789012:function:{function}");
        let partial = aws_sdk_lambda::types::FunctionResponseType::ReportBatchItemFailures;
        EventSourceMappingConfiguration::builder()
            .uuid("u-1")
            .function_arn(arn)
            .state("Enabled")
            .function_response_types(partial)
    }

    fn grades(findings: &[Finding]) -> Vec<Grade> {
        findings.iter().map(|finding| finding.grade).collect()
    }

    #[test]
    fn a_function_has_to_be_ready_and_as_applied() {
        let output = GetFunctionConfigurationOutput::builder;
        for (found, grade, says) in [
            (output().state(State::Active).code_sha256("AP8="), Grade::Good, "with the code that was applied"),
            (output().state(State::Inactive).code_sha256("AP8="), Grade::Good, "is there"),
            (output().state(State::Failed).state_reason("no key"), Grade::Problem, "is Failed: no key"),
            (
                output().last_update_status(LastUpdateStatus::Failed),
                Grade::Problem,
                "the last update of p--launcher failed",
            ),
            (output().code_sha256("AAAA"), Grade::Warning, "other code than was applied"),
        ] {
            let findings = judge_state(ABOUT, &function(), &found.build());
            assert_eq!(grades(&findings), [grade], "{findings:?}");
            assert!(findings[0].saw.contains(says), "{findings:?}");
        }
    }

    #[test]
    fn whatever_keeps_the_queue_from_waking_the_launcher_is_found() {
        use aws_sdk_lambda::types::{Filter, FilterCriteria};
        let filter = FilterCriteria::builder().filters(Filter::builder().pattern("{}").build()).build();
        let deaf =
            EventSourceMappingConfiguration::builder().uuid("u-1").function_arn("a:b:c:d:e:function:p--launcher:2");
        for (found, grade, says) in [
            (vec![mapping("p--launcher")], Grade::Good, "the queue wakes the launcher"),
            (vec![], Grade::Problem, "nothing wakes the launcher"),
            (vec![mapping("p--launcher").state("Disabled")], Grade::Problem, "the mapping is Disabled"),
            (vec![mapping("p--launcher").filter_criteria(filter)], Grade::Problem, "has a filter"),
            (vec![deaf.state("Enabled")], Grade::Problem, "does not heed which triggers are to come back"),
            (vec![mapping("p--launcher"), mapping("thief")], Grade::Problem, "thief takes triggers out of the queue"),
        ] {
            let found: Vec<_> = found.into_iter().map(|mapping| mapping.build()).collect();
            let findings = judge_mappings(ABOUT, "p--launcher", &found);
            assert_eq!(grades(&findings), [grade], "{findings:?}");
            assert!(findings[0].saw.contains(says), "{findings:?}");
        }
    }
}
