//! The second function of this program: it carries news to those whom a project's entry names. Only it has their secrets and only
//! it talks to other hosts; it starts nothing, and nobody waits for it.
//!
//! News come by a FIFO queue: one group a project, then one a target, so that no old news overtake newer ones and what comes
//! twice within five minutes is one. [`parcel`] is what lies in the queue, [`handler`] takes it out, [`message`] writes what a
//! host wants to read and [`deployment`] what GitHub's deployments want, and [`host`] asks it.

#[cfg(test)]
mod contract_tests;
mod deployment;
mod handler;
mod host;
mod message;
pub mod parcel;
#[cfg(test)]
mod standin;

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use iwomp_aws::client::Bounds;
use iwomp_aws::{broker, lambda};
use lambda_runtime::{Error, LambdaEvent, service_fn};

use crate::environment::CourierEnvironment;

/// A delivery has 60 s in all, of which the other host gets 40.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(4),
    call: Duration::from_secs(6),
    attempts: 2,
};

pub struct Courier {
    environment: CourierEnvironment,
    events: aws_sdk_eventbridge::Client,
    lambda: broker::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    ssm: aws_sdk_ssm::Client,
}

/// In hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Answers the function's events, one message each.
///
/// # Errors
/// If a variable is missing.
pub async fn run() -> Result<(), Error> {
    let environment = CourierEnvironment::read()?;
    let aws = lambda::config(&BOUNDS)?;
    let courier = &Courier {
        environment,
        events: aws_sdk_eventbridge::Client::new(&aws),
        lambda: broker::client(&aws),
        sns: aws_sdk_sns::Client::new(&aws),
        sqs: aws_sdk_sqs::Client::new(&aws),
        ssm: aws_sdk_ssm::Client::new(&aws),
    };
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, Infallible>(courier.handle(event.payload).await)
    }))
    .await
}
