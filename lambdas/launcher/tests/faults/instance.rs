//! One running copy of the launcher's function: the real handler with the real SDK's clients, wired as `main.rs` does it.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_codebuild::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_codebuild::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use contract::ConfigPath;
use iwomp_aws::client::SdkConfig;
use launcher::aws::BOUNDS;
use launcher::environment::{Environment, Limits};
use launcher::{Aws, Launcher};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::{self, InstanceTime, SKEW_MILLISECONDS};
use crate::connection::Connection;
use crate::queue;
use crate::world::{CONFIG_PATH, TOPIC_ARN, World};

/// Terraform's.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(15);
pub const BUILDS_PER_HOUR: usize = 30;
/// A crash at an await strikes at one of the first so many, if there are.
const AWAITS: usize = 80;

pub struct Instance {
    launcher: Launcher,
    skew_milliseconds: i64,
    death: Arc<Notify>,
    /// When Lambda takes it away.
    pub until: Duration,
}

impl Instance {
    pub fn new(world: &Arc<World>, lifetime: Duration) -> Self {
        let death = Arc::new(Notify::new());
        let environment = Environment {
            config_path: ConfigPath::parse(CONFIG_PATH).unwrap(),
            topic_arn: TOPIC_ARN.to_owned(),
            queue_arn: queue::ARN.to_owned(),
            queue_url: queue::url(queue::NAME),
            dead_letter_queue_url: queue::url(queue::DEAD_LETTERS_NAME),
            limits: Limits {
                retry: queue::RETRY,
                visibility: queue::VISIBILITY,
                max_wait: queue::MAX_WAIT,
                builds_per_hour: BUILDS_PER_HOUR,
            },
        };
        let config = sdk_config(Connection::new(world.clone(), death.clone()));
        // An instance's own, as in a process of its own.
        let partition = || RetryPartition::custom("instance").token_bucket(TokenBucket::default()).build();
        let ssm = aws_sdk_ssm::config::Builder::from(&config).retry_partition(partition());
        let codebuild = aws_sdk_codebuild::config::Builder::from(&config).retry_partition(partition());
        let sqs = aws_sdk_sqs::config::Builder::from(&config).retry_partition(partition());
        let aws = Aws {
            ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
            codebuild: aws_sdk_codebuild::Client::from_conf(codebuild.build()),
            sqs: LazyLock::new(Box::new(move || aws_sdk_sqs::Client::from_conf(sqs.build()))),
        };
        Self {
            launcher: Launcher::new(environment, aws, clock::of_instance),
            skew_milliseconds: world.dice.around_zero(world.faults.rates().skew_milliseconds),
            death,
            until: clock::now() + lifetime,
        }
    }

    /// The function's answer, unless the instance dies of it.
    pub async fn invoke(&self, world: &World, records: Vec<SqsMessage>) -> Option<SqsBatchResponse> {
        let mut event = SqsEvent::default();
        event.records = records;
        let dies = world.dice.chance(world.faults.rates().crash_at_await);
        let handle = Mortal {
            polls_left: if dies { world.dice.below(AWAITS) } else { usize::MAX },
            handle: Box::pin(SKEW_MILLISECONDS.scope(self.skew_milliseconds, self.launcher.handle(event))),
        };
        let answer = tokio::select! {
            biased;
            () = self.death.notified() => return None,
            answer = handle => answer,
            () = sleep(FUNCTION_TIMEOUT) => {
                world.faults.count("function timed out");
                return None;
            }
        };
        if answer.is_none() {
            world.faults.count("crash at an await");
        }
        let lost = world
            .faults
            .strikes(&world.dice, "crash before the function's answer is taken", |rates| rates.crash_before_answer);
        answer.filter(|_| !lost)
    }
}

pub fn sdk_config(connection: Connection) -> SdkConfig {
    let credentials = Credentials::for_tests();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(connection)
        .time_source(InstanceTime)
        .timeout_config(BOUNDS.timeouts())
        .retry_config(BOUNDS.retries())
        .build()
}

/// A future that is dropped at one of its awaits.
struct Mortal<F> {
    polls_left: usize,
    handle: Pin<Box<F>>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left == 0 {
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        self.handle.as_mut().poll(context).map(Some)
    }
}
