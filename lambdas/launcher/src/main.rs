//! The launcher's wiring: environment, clients, and the runtime of Lambda.

use std::convert::Infallible;
use std::time::SystemTime;

use iwomp_aws::lambda;
use lambda_runtime::{Error, LambdaEvent, service_fn};

use launcher::aws::BOUNDS;
use launcher::environment::Environment;
use launcher::{Aws, Launcher};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::log();
    let environment = Environment::read()?;
    let aws = Aws::new(lambda::config(&BOUNDS)?);
    let launcher = &Launcher::new(environment, aws, SystemTime::now);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, Infallible>(launcher.handle(event.payload).await)
    }))
    .await
}
