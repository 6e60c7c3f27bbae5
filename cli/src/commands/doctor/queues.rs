//! The two queues and the topics before them: whether what is published gets to the launcher, and what it gives up is kept.

use std::collections::HashMap;

use anyhow::{Context, Result};
use aws_sdk_sns::types::Subscription;
use aws_sdk_sqs::types::QueueAttributeName;
use contract::ProjectName;
use iwomp_aws::aws_error;

use super::policy::lets_in;
use super::{About, Finding, Look, Patient, look};
use crate::pipeline::Pipeline;
use crate::queue;

const APPLY: &str = "terraform apply";

pub fn looks<'a>(patient: &'a Patient<'_>) -> Vec<Look<'a>> {
    let pipeline = patient.pipeline;
    let (queue, dead) = (About::the("queue"), About::the("dead letters"));
    let mut looks = vec![look(queue, triggers(queue, pipeline)), look(dead, dead_letters(dead, pipeline))];
    if let Some(arn) = pipeline.description.shared_topic_arn() {
        let about = About::the("topic");
        looks.push(look(about, shared_topic(about, pipeline, arn)));
    }
    for project in &patient.projects {
        let about = About::of(project, "topic");
        looks.push(look(about, own_topic(about, pipeline, project)));
    }
    looks
}

type Attributes = HashMap<QueueAttributeName, String>;

/// None: there is no such queue.
async fn attributes(pipeline: &Pipeline, url: &str) -> Result<Option<Attributes>> {
    match pipeline.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_queue_does_not_exist()) => Ok(None),
        answer => {
            let answer = answer.map_err(aws_error).with_context(|| format!("reading the queue {url}"))?;
            Ok(Some(answer.attributes.unwrap_or_default()))
        }
    }
}

async fn triggers(about: About<'_>, pipeline: &Pipeline) -> Result<Vec<Finding>> {
    let described = &pipeline.description;
    let Some(attributes) = attributes(pipeline, &described.queue_url).await? else {
        return Ok(vec![about.problem(format!("the queue {} is not there", described.queue_url), APPLY)]);
    };
    let dead = queue::arn(described, &described.dead_letter_queue_url);
    let mut findings = Vec::new();
    if !attributes.get(&QueueAttributeName::RedrivePolicy).is_some_and(|policy| policy.contains(&format!("\"{dead}\"")))
    {
        findings.push(
            about.problem("what the launcher cannot take in is lost: the queue has not our dead-letter queue", APPLY),
        );
    }
    if let Some(topic) = described.shared_topic_arn() {
        findings.extend(judge_policy(about, &attributes, topic));
    }
    if findings.is_empty() {
        findings.push(about.good("it takes triggers, and keeps what is given up"));
    }
    Ok(findings)
}

/// Whether what is published on the topic may come in.
fn judge_policy(about: About<'_>, attributes: &Attributes, topic: &str) -> Option<Finding> {
    let policy = attributes.get(&QueueAttributeName::Policy).map(String::as_str).unwrap_or("{\"Statement\":[]}");
    match lets_in(policy, "sns.amazonaws.com", "sqs:SendMessage", topic) {
        Some(true) => None,
        Some(false) => Some(about.problem(format!("its policy lets nothing in that comes from {topic}"), APPLY)),
        None => Some(about.unknown(
            "its policy is not the one that was applied, and whether triggers come in cannot be told",
            "terraform plan shows the difference",
        )),
    }
}

async fn dead_letters(about: About<'_>, pipeline: &Pipeline) -> Result<Vec<Finding>> {
    let url = &pipeline.description.dead_letter_queue_url;
    if attributes(pipeline, url).await?.is_none() {
        return Ok(vec![about.problem(format!("the queue {url} is not there"), APPLY)]);
    }
    Ok(vec![match queue::depth(pipeline, url).await? {
        0 => about.good("none"),
        count => about.warning(format!("{count} given up"), "iwomp status tells why; mend it, then iwomp redrive"),
    }])
}

async fn shared_topic(about: About<'_>, pipeline: &Pipeline, arn: &str) -> Result<Vec<Finding>> {
    match subscriptions(pipeline, arn).await? {
        Some(found) => judge_topic(about, pipeline, &found).await,
        None => Ok(vec![about.problem(format!("the topic {arn} is not there"), APPLY)]),
    }
}

async fn own_topic(about: About<'_>, pipeline: &Pipeline, project: &ProjectName) -> Result<Vec<Finding>> {
    let (arn, described) = (pipeline.description.own_topic_arn(project), &pipeline.description);
    let Some(found) = subscriptions(pipeline, &arn).await? else {
        return Ok(match described.shared_topic {
            true => Vec::new(),
            false => vec![about.problem(
                "nobody can ask for its deployment: it has no topic of its own, and there is no shared one",
                "set own_topic for it, or shared_topic, and terraform apply",
            )],
        });
    };
    let mut findings = judge_topic(about, pipeline, &found).await?;
    if let Some(attributes) = attributes(pipeline, &described.queue_url).await? {
        findings.extend(judge_policy(about, &attributes, &arn));
    }
    Ok(findings)
}

/// None: there is no such topic.
pub async fn subscriptions(pipeline: &Pipeline, arn: &str) -> Result<Option<Vec<Subscription>>> {
    let pages = pipeline.sns.list_subscriptions_by_topic().topic_arn(arn).into_paginator().items();
    let found: Result<Vec<_>, _> = pages.send().collect().await;
    match found {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found_exception()) => Ok(None),
        found => found.map(Some).map_err(aws_error).with_context(|| format!("reading who is subscribed to {arn}")),
    }
}

async fn judge_topic(about: About<'_>, pipeline: &Pipeline, found: &[Subscription]) -> Result<Vec<Finding>> {
    let queue = queue::arn(&pipeline.description, &pipeline.description.queue_url);
    let Some(ours) = found.iter().find(|subscription| subscription.endpoint() == Some(&queue)) else {
        return Ok(vec![about.problem("what is published there goes nowhere: the queue is not subscribed", APPLY)]);
    };
    let arn = ours.subscription_arn().unwrap_or_default();
    if !arn.starts_with("arn:") {
        return Ok(vec![
            about.problem("what is published there goes nowhere: the queue's subscription is not confirmed", APPLY),
        ]);
    }
    let answer = pipeline.sns.get_subscription_attributes().subscription_arn(arn).send().await.map_err(aws_error);
    let answer = answer.with_context(|| format!("reading the subscription {arn}"))?;
    let attributes = answer.attributes.unwrap_or_default();
    let mut findings = Vec::new();
    if attributes.get("FilterPolicy").is_some_and(|policy| !policy.is_empty() && policy != "{}") {
        findings.push(about.problem(
            "the queue's subscription has a filter, and what it does not let through is lost",
            format!("aws sns set-subscription-attributes --subscription-arn {arn} --attribute-name FilterPolicy --attribute-value '{{}}'"),
        ));
    }
    if attributes.get("RawMessageDelivery").is_some_and(|raw| raw == "true") {
        findings.push(
            about.problem("the queue gets triggers without SNS's envelope, and the launcher refuses them", APPLY),
        );
    }
    if findings.is_empty() {
        findings.push(about.good("what is published there gets into the queue"));
    }
    Ok(findings)
}
