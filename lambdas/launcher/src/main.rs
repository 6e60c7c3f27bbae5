//! The launcher's wiring: environment, clients, and the runtime of Lambda.

use std::convert::Infallible;
use std::time::SystemTime;

use iwomp_aws::client;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tracing_subscriber::EnvFilter;

use launcher::aws::BOUNDS;
use launcher::environment::Environment;
use launcher::{Aws, Launcher};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt().json().with_env_filter(filter).without_time().init();

    let environment = Environment::read()?;
    let aws = Aws::new(&client::config(&BOUNDS).await);
    let launcher = &Launcher::new(environment, aws, SystemTime::now);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, Infallible>(launcher.handle(event.payload).await)
    }))
    .await
}
