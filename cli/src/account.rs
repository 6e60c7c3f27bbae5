//! What a pipeline stands on in its account: clients of the services that only `iwomp doctor` asks.

use aws_config::retry::RetryConfig;

use crate::pipeline::Pipeline;

/// Clients for the pipeline's region.
pub struct Account {
    pub alarms: aws_sdk_cloudwatch::Client,
    pub events: aws_sdk_eventbridge::Client,
    pub functions: aws_sdk_lambda::Client,
    pub images: aws_sdk_ecr::Client,
    pub keys: aws_sdk_kms::Client,
    pub quotas: aws_sdk_servicequotas::Client,
    pub roles: aws_sdk_iam::Client,
}

impl Account {
    #[must_use]
    pub fn of(pipeline: &Pipeline) -> Self {
        // What does not answer the second time is told as unknown: many are asked, and somebody waits for all of them.
        let aws = &pipeline.aws.to_builder().retry_config(RetryConfig::standard().with_max_attempts(2)).build();
        Self {
            alarms: aws_sdk_cloudwatch::Client::new(aws),
            events: aws_sdk_eventbridge::Client::new(aws),
            functions: aws_sdk_lambda::Client::new(aws),
            images: aws_sdk_ecr::Client::new(aws),
            keys: aws_sdk_kms::Client::new(aws),
            quotas: aws_sdk_servicequotas::Client::new(aws),
            roles: aws_sdk_iam::Client::new(aws),
        }
    }
}
