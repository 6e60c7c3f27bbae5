//! The broker makes tokens of the pipeline's GitHub App, whose private key lies in KMS and never leaves it. Each token is for one
//! repository, that of a project's register entry, and has the rights of one purpose. Which project and purpose, the broker learns
//! from the alias by which it was called, and from nothing in the call: IAM says who may call which alias. No token and no
//! signature is logged.
//!
//! [`handler`] is the runbook, [`jwt`] says who the App is, [`github`] asks, and holds the answer to what was asked for.

mod environment;
mod github;
mod handler;
mod jwt;

use std::time::Duration;

use iwomp_aws::client::Bounds;
use iwomp_aws::{host, lambda};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::environment::Environment;
use crate::handler::Broker;

/// As the launcher's: what answers at all answers within tens of milliseconds, and somebody waits.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(3),
    call: Duration::from_secs(5),
    attempts: 2,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::log();
    let environment = Environment::read()?;
    let aws = lambda::config(&BOUNDS)?;
    let github = host::connector(environment.api.may_be_private(), environment.ca_bundle.as_deref())?;
    let broker =
        &Broker { environment, kms: aws_sdk_kms::Client::new(&aws), ssm: aws_sdk_ssm::Client::new(&aws), github };
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        broker.handle(&event.context.invoked_function_arn, &event.payload).await.map_err(|refusal| Diagnostic {
            error_type: refusal.error_type().to_owned(),
            error_message: refusal.reason,
        })
    }))
    .await
}
