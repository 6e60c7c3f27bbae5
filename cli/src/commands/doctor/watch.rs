//! Who is told: alarms that ring, alarms that nobody hears, and the events that tell the notifier how builds end.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use aws_sdk_eventbridge::types::{Rule, RuleState};
use aws_sdk_sns::types::Subscription;
use contract::parameter::SEPARATOR;
use iwomp_aws::aws_error;

use super::queues::subscriptions;
use super::{About, Finding, Look, Patient, look};
use crate::account::Account;
use crate::pipeline::Pipeline;

const APPLY: &str = "terraform apply";

pub fn looks<'a>(patient: &'a Patient<'_>, account: &'a Account) -> Vec<Look<'a>> {
    let pipeline = patient.pipeline;
    let (alarms, events, reports) = (About::the("alarms"), About::the("events"), About::the("reports"));
    vec![
        look(alarms, of_alarms(alarms, pipeline, account)),
        look(events, of_events(events, pipeline, account)),
        look(reports, async move {
            let arn = pipeline.description.reports_topic_arn.as_str();
            let found = subscriptions(pipeline, arn).await?;
            Ok(vec![heard(reports, "the reports of how deployments ended", arn, found.as_deref())])
        }),
    ]
}

fn prefix(pipeline: &Pipeline) -> String {
    format!("{}{SEPARATOR}", pipeline.config_path)
}

async fn of_alarms(about: About<'_>, pipeline: &Pipeline, account: &Account) -> Result<Vec<Finding>> {
    let pages = account.alarms.describe_alarms().alarm_name_prefix(prefix(pipeline)).into_paginator().send();
    let pages: Result<Vec<_>, _> = pages.collect().await;
    let pages = pages.map_err(aws_error).context("reading the alarms")?;
    let alarms: Vec<_> = pages.into_iter().filter_map(|page| page.metric_alarms).flatten().collect();
    let mut findings = judge_alarms(about, &alarms);
    let topics: BTreeSet<_> =
        alarms.iter().flat_map(MetricAlarm::alarm_actions).filter(|arn| arn.contains(":sns:")).collect();
    for arn in topics {
        findings.push(heard(about, "alarms", arn, subscriptions(pipeline, arn).await?.as_deref()));
    }
    Ok(findings)
}

fn judge_alarms(about: About<'_>, alarms: &[MetricAlarm]) -> Vec<Finding> {
    if alarms.is_empty() {
        return vec![about.problem("there are none: nobody is told when the pipeline stands still", APPLY)];
    }
    let mut findings = Vec::new();
    for alarm in alarms.iter().filter(|alarm| alarm.state_value() == Some(&StateValue::Alarm)) {
        let name = alarm.alarm_name().unwrap_or_default();
        let heading = name.split_once(SEPARATOR).map_or(name, |(_, heading)| heading);
        let what = alarm.alarm_description().unwrap_or_default().lines().next().unwrap_or_default();
        findings.push(about.warning(format!("{name} rings: {what}"), format!("docs/operations.md#{heading}")));
    }
    let deaf = alarms.iter().filter(|alarm| alarm.actions_enabled() == Some(false)).count();
    if deaf > 0 {
        findings.push(about.warning(
            format!("{deaf} of {} alarms are muted", alarms.len()),
            "aws cloudwatch enable-alarm-actions, once whoever muted them is done",
        ));
    }
    if alarms.iter().all(|alarm| alarm.alarm_actions().is_empty()) {
        findings.push(about.warning("they ring where nobody hears them", "set alarm_actions, and terraform apply"));
    }
    if findings.is_empty() {
        findings.push(about.good(format!("none of {} rings", alarms.len())));
    }
    findings
}

/// Whether somebody gets what is published on a topic.
fn heard(about: About<'_>, what: &str, arn: &str, found: Option<&[Subscription]>) -> Finding {
    let Some(found) = found else {
        return about.problem(format!("{what} go to {arn}, which is not there"), APPLY);
    };
    let (there, pending): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|subscription| subscription.subscription_arn().is_some_and(|arn| arn.starts_with("arn:")));
    match (there.len(), pending.len()) {
        (0, 0) => about.warning(
            format!("nobody gets {what}: no subscription to {arn}"),
            format!("aws sns subscribe --topic-arn {arn} --protocol email --notification-endpoint ..."),
        ),
        (0, pending) => about.warning(
            format!("nobody gets {what}: of {pending} subscriptions to {arn} none is confirmed"),
            "follow the link in the message that SNS has sent there",
        ),
        (there, 0) => about.good(format!("{there} subscriptions get {what}")),
        (there, pending) => about.warning(
            format!("{pending} of {} subscriptions to {arn} are not confirmed", there + pending),
            "follow the link in the message that SNS has sent there",
        ),
    }
}

async fn of_events(about: About<'_>, pipeline: &Pipeline, account: &Account) -> Result<Vec<Finding>> {
    let answer = account.events.list_rules().name_prefix(prefix(pipeline)).send().await.map_err(aws_error);
    Ok(judge_rules(about, answer.context("reading the rules of EventBridge")?.rules()))
}

fn judge_rules(about: About<'_>, rules: &[Rule]) -> Vec<Finding> {
    if rules.is_empty() {
        return vec![about.problem("no rule tells the notifier how builds end: reports come late", APPLY)];
    }
    let off = rules.iter().filter(|rule| rule.state() == Some(&RuleState::Disabled));
    let findings: Vec<_> = off
        .map(|rule| {
            let name = rule.name().unwrap_or_default();
            about.problem(
                format!("the rule {name} is disabled: the notifier is not told of what happens"),
                format!("if nobody meant to stop it: aws events enable-rule --name {name}"),
            )
        })
        .collect();
    match findings.is_empty() {
        true => vec![about.good("they get to the notifier")],
        false => findings,
    }
}
