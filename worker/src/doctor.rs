//! Whether a deployment would work: `iwomp-worker doctor` in an image, and the question `image` in a build. Each thing that the
//! worker needs is looked at, so that all faults are told at once and each with what to do. Nothing is fetched or written, and
//! nothing of the repository runs.

mod account;
mod image;

use anyhow::anyhow;
use contract::finding::{Finding, Findings, Grade};
use contract::{Outcome, Report};

use crate::bounds::Bounds;
use crate::deploy::hide_secrets;
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use crate::narration::Narration;
use crate::question;
use crate::tools;
use crate::user::User;
use crate::variables::Question;
use account::Account;

/// Looks at the image around us alone.
pub async fn examine_image(own: &Environment, bounds: &Bounds) -> Vec<Finding> {
    let user = User::for_command();
    let tools = tools::look(own, known(&user), &bounds.stop).await;
    image::look(own, &user, &tools, None)
}

/// Looks at the image, and at what the project of `question` finds from there: AWS, its entry, its Git host.
///
/// # Errors
/// If we are asked to stop.
pub async fn examine_build(
    question: &Question,
    bounds: &Bounds,
    narration: &mut Narration,
) -> Result<Vec<Finding>, Failure> {
    let own = &question.environment;
    let user = User::for_command();
    let tools = tools::look(own, known(&user), &bounds.stop);
    if !image::has_certificates() {
        // The client panics without.
        return Ok(image::look(own, &user, &tools.await, None));
    }
    let account = Account::new(question, bounds).await;
    let (tools, read) = tokio::join!(tools, account.read());
    let (mut findings, project) = read?;
    if let Some(mut project) = project {
        hide_secrets(&project, narration);
        findings.extend(image::look(own, &user, &tools, Some(&project)));
        let has_git = tools.iter().any(|tool| tool.name == "git" && tool.version.is_ok());
        findings.extend(account.deploy_role(&project).await?);
        if has_git {
            findings.push(account.git_host(&mut project, narration).await?);
        }
    } else {
        findings.extend(image::look(own, &user, &tools, None));
    }
    Ok(findings)
}

fn known(user: &anyhow::Result<Option<User>>) -> Option<&User> {
    user.as_ref().ok().and_then(Option::as_ref)
}

/// Answers the question of an operator in a build.
///
/// # Errors
/// If something keeps the project from being deployed, or if we are asked to stop.
pub async fn answer(
    question: &Question,
    bounds: &Bounds,
    narration: &mut Narration,
    report: &mut Report,
) -> Result<Outcome, Failure> {
    question::announce(question, "can it be deployed in this image?", narration);
    let findings = examine_build(question, bounds, narration).await?;
    let findings = printed(findings, narration);
    tell(&findings, narration);
    narration.tell(&Findings { findings: findings.clone() }.to_line());
    let faults = faults(&findings);
    if faults.is_empty() {
        report.reason = Some(format!("{} looked at, and it can; nothing was fetched or run", findings.len()));
        return Ok(Outcome::Unchanged);
    }
    let error = anyhow!("looking at what a deployment needs: in its way: {}", faults.join(", "));
    Err(Failure::new(Kind::Machine, error, "what the lines above say of each, then ask again"))
}

/// The worst first, in words that can stand in a log.
#[must_use]
pub fn printed(mut findings: Vec<Finding>, narration: &Narration) -> Vec<Finding> {
    for finding in &mut findings {
        finding.saw = narration.line(&finding.saw);
        finding.to_do = finding.to_do.as_deref().map(|to_do| narration.line(to_do));
    }
    findings.sort_by_key(|finding| finding.grade);
    findings
}

/// For people.
pub fn tell(findings: &[Finding], narration: &Narration) {
    for finding in findings {
        narration.say(finding.grade.as_str(), &format!("{}: {}", finding.check, finding.saw));
        if let Some(to_do) = &finding.to_do {
            narration.say("to do", to_do);
        }
    }
}

/// What keeps a deployment from working.
#[must_use]
pub fn faults(findings: &[Finding]) -> Vec<&str> {
    findings.iter().filter(|finding| finding.grade == Grade::Problem).map(|finding| finding.check.as_str()).collect()
}
