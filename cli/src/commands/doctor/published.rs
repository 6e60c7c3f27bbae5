//! Whether a trigger gets through: one is published, as a CI would, for a branch that nobody deploys, and the launcher has to refuse
//! it by the register. It starts no build. Whoever is told of the project's refusals is told of this one.

use std::time::Duration;

use anyhow::Context;
use contract::{Branch, Class, Fate, Outcome, ProjectName, Trigger, parameter};
use iwomp_aws::error::AwsError;
use jiff::Timestamp;
use tokio::time::sleep;

use super::{About, Finding, Patient, not_tried};
use crate::commands::trigger::{message, publish};
use crate::exit::{Exit, Failure};
use crate::launcher_log::{self, Lines, Said};
use crate::pipeline::Pipeline;
use crate::register;

const CHECK: &str = "trigger";
/// Nobody has such a branch, and without a `/` it is below no prefix that an entry may allow. It says who asks to whoever is told.
const BRANCH: &str = "iwomp-doctor-only-asks";
const LOOK: Duration = Duration::from_secs(2);
/// Two minutes: a launcher that sleeps and its log take some seconds, a queue that was joined to it just now takes the rest.
const LOOKS: u32 = 60;
/// By how much the clock here may be ahead of the launcher's, whose times its log has.
const SKEW: Duration = Duration::from_secs(5 * 60);
const SEE_WHERE: &str = "mend what else is a problem; then docs/operations.md#nothing-happens-after-a-publish";

/// What became of a trigger that is published now.
pub async fn look(patient: &Patient<'_>) -> Finding {
    let (project, trigger) = match choose(patient) {
        Ok(chosen) => chosen,
        Err(failure) => return not_tried(About { check: CHECK, project: patient.only }, failure),
    };
    let about = About::of(project, CHECK);
    ask(about, patient.pipeline, &trigger).await.unwrap_or_else(|failure| not_tried(about, failure))
}

/// A trigger that the launcher will refuse by the register. It decrypts nothing: where an entry is encrypted, it would start a
/// build. A pause is no hindrance, since the launcher refuses before it lets wait.
fn choose<'a>(patient: &'a Patient<'_>) -> Result<(&'a ProjectName, Trigger), Failure> {
    let not_tried = |why: String| Failure::new(Exit::Unknown, format!("no trigger was published: {why}"));
    let register = patient.register.as_ref().map_err(|error| not_tried(format!("{error:#}")))?;
    let branch = Branch::parse(BRANCH).context("naming a branch that nobody deploys")?;
    let config_path = &patient.pipeline.config_path;
    let default = register.find(&parameter::default(config_path));
    let refuses = |project: &&ProjectName| {
        let entry = register.find(&parameter::register(config_path, project));
        let entry = entry.and_then(|entry| register::read(entry, default)).and_then(Result::ok);
        entry.is_some_and(|entry| !entry.branches.allow(&branch))
    };
    let Some(project) = patient.projects.iter().find(refuses) else {
        return Err(match (patient.projects.as_slice(), patient.only) {
            ([], _) => not_tried("no project is registered".to_owned()).advise("register one, and ask again"),
            (_, only) => {
                let whose = only.map_or_else(
                    || "no entry of the register".to_owned(),
                    |only| format!("{only}'s entry is none that"),
                );
                let why = format!("{whose} can be read by the launcher and does not allow {BRANCH}");
                not_tried(why).advise("correct or decrypt an entry, and ask again")
            }
        });
    };
    Ok((project, Trigger { project: project.clone(), branch, commit: None }))
}

async fn ask(about: About<'_>, pipeline: &Pipeline, trigger: &Trigger) -> Result<Finding, Failure> {
    let since = Timestamp::now().checked_sub(SKEW).unwrap_or(Timestamp::UNIX_EPOCH);
    let id = publish(pipeline, &trigger.project, &message(trigger)).await?;
    Ok(match last_word(pipeline, &id, since).await {
        Ok(said) => judge(about, &id, said.as_ref()),
        Err(error) => about.unknown(
            format!("trigger {id} was published, and what the launcher says of it cannot be read: {error}"),
            format!("with the right to read its log: iwomp trace {id}"),
        ),
    })
}

/// What the launcher has said of the trigger once it is done with it, or when time is up. None: nothing.
async fn last_word(pipeline: &Pipeline, id: &str, since: Timestamp) -> Result<Option<Said>, AwsError> {
    let mut last = Ok(None);
    for look in 0..LOOKS {
        if look > 0 {
            sleep(LOOK).await;
        }
        last = launcher_log::since(pipeline, since, Lines::OfTrigger(id)).await.map(|mut heard| heard.said.pop());
        match &last {
            Ok(Some(said)) if said.fate() != Fate::Waits => break,
            Err(error) if error.kind.is_lasting() => break,
            _ => {}
        }
    }
    last
}

fn judge(about: About<'_>, id: &str, said: Option<&Said>) -> Finding {
    let Some(said) = said else {
        let seconds = (LOOK * LOOKS).as_secs();
        let saw = format!("trigger {id} was published, and in {seconds} s the launcher has said nothing of it");
        return about.problem(saw, SEE_WHERE);
    };
    let line = &said.line;
    let (outcome, class) = (line.outcome.as_str(), line.class.as_deref().unwrap_or_default());
    let reason = line.reason.as_deref().or(line.build.as_deref()).unwrap_or("it does not say why");
    if (outcome, class) == (Outcome::Refused.as_str(), Class::BranchNotAllowed.as_str()) {
        return about
            .good("what is published gets through topic and queue to the launcher, which goes by the register");
    }
    if outcome == Outcome::Busy.as_str() {
        let saw =
            format!("trigger {id} got to the launcher, which lets it wait before it looks into the register: {reason}");
        return about.unknown(saw, format!("iwomp trace {id} tells later whether it was refused, as it has to be"));
    }
    about.problem(
        format!(
            "trigger {id}, for a branch that is not allowed, was not refused for that: {outcome} {class}: {reason}"
        ),
        format!("iwomp trace {id}; what the word means: docs/operations.md#nothing-happens-after-a-publish"),
    )
}
