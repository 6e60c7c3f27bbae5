//! The article's design, to show that the world is harsh enough to break one: SNS calls the function itself, three times at
//! most; the function reads the register and starts a build, without a token and without a look at what runs.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_codebuild::types::{EnvironmentVariable, EnvironmentVariableType};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::instance;
use crate::trigger::{self, Asked, Event};
use crate::world::{CONFIG_PATH, World};

const FUNCTION_TIMEOUT: Duration = Duration::from_secs(15);
/// Lambda's pauses between the tries of an asynchronous call; after the third the event is dropped.
const PAUSES: [Option<Duration>; 3] = [Some(Duration::from_secs(60)), Some(Duration::from_secs(120)), None];

pub async fn deliver(world: &Arc<World>, number: usize) {
    for pause in PAUSES {
        if launch(world, number).await.is_some() {
            world.ledger.note(number, Event::Answered);
            return;
        }
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
}

/// One try. `None`: it failed, or died.
async fn launch(world: &Arc<World>, number: usize) -> Option<()> {
    let (project, branch, commit, asked) = world.ledger.message(number);
    if asked == Asked::Refusal {
        return Some(()); // whether the article's function would see that is not what is compared here
    }
    let death = Arc::new(Notify::new());
    let config = instance::sdk_config(Connection::new(world.clone(), death.clone()));
    let name = &world.projects[project].name;
    let call = async {
        let ssm = aws_sdk_ssm::Client::new(&config);
        ssm.get_parameters().names(format!("/{CONFIG_PATH}/{name}")).send().await.ok()?;
        let variable = |name: &str, value: &str| {
            let kind = EnvironmentVariableType::Plaintext;
            EnvironmentVariable::builder().name(name).value(value).r#type(kind).build().ok()
        };
        let variables = [
            variable("GITBRANCH", &branch),
            variable("TRIGGERID", &trigger::id(number)),
            commit.as_deref().and_then(|commit| variable("GITCOMMIT", commit)),
        ];
        let codebuild = aws_sdk_codebuild::Client::new(&config);
        let build = codebuild.start_build().project_name(format!("{CONFIG_PATH}--{name}"));
        let build = build.set_environment_variables_override(Some(variables.into_iter().flatten().collect()));
        build.send().await.ok().map(|_| ())
    };
    tokio::select! {
        biased;
        () = death.notified() => None,
        answer = timeout(FUNCTION_TIMEOUT, call) => answer.ok().flatten(),
    }
}
