//! The notifier says how builds ended, from what CodeBuild knows of them, and finds what nobody heard of. An event says only
//! where to look: it may come twice, late or never, and nothing that it tells is believed. So a sweep looks everywhere, four
//! times an hour, with the same code. The notifier starts nothing, decrypts nothing and has no role of a project.
//!
//! [`event`] says what to look at, [`settle`] looks at one project and [`sweep`] at all. Around them: [`news`] finds
//! the builds that nobody was told of, [`early`] tells of what has not ended, [`mark`] keeps up to which they were, [`report`] says things; how a build ended is
//! judged in `iwomp_aws`. [`register`] tells of the register's changes, [`launcher_log`] of triggers that ended without a build.
//! [`courier`] is a function of its own, and carries all that to whom a project's entry names.
//! [`records`] removes what was live of branches that are gone, by the rules of [`retention`].

mod courier;
mod early;
mod environment;
mod event;
#[cfg(test)]
mod fixtures;
mod handler;
mod launcher_log;
mod mark;
mod news;
mod notifier;
mod queues;
mod records;
mod register;
mod report;
mod retention;
mod settle;
mod sweep;

use std::time::Duration;

use anyhow::Result;
use iwomp_aws::client::Bounds;
use iwomp_aws::lambda;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};

use crate::environment::{CourierEnvironment, Environment};
use crate::notifier::Notifier;

/// As the launcher's: what answers at all answers within tens of milliseconds, and what fails here is done by the next sweep.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(4),
    call: Duration::from_secs(6),
    // One more than the launcher's: a sweep asks CodeBuild once for every project, and may be told to go slower.
    attempts: 3,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::log();
    // Two functions have this program, each with a role and variables of its own.
    if CourierEnvironment::is_meant() {
        return courier::run().await;
    }
    let environment = Environment::read()?;
    let aws = lambda::config(&BOUNDS)?;
    let notifier = &Notifier {
        environment,
        codebuild: aws_sdk_codebuild::Client::new(&aws),
        sns: aws_sdk_sns::Client::new(&aws),
        sqs: aws_sdk_sqs::Client::new(&aws),
        ssm: aws_sdk_ssm::Client::new(&aws),
    };
    // An error makes Lambda try the event twice more, and counts for the alarm.
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| async move {
        notifier
            .handle(&event.payload)
            .await
            .map_err(|error_message| Diagnostic { error_type: "notifier".to_owned(), error_message })
    }))
    .await
}
