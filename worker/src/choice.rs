//! Which commit a build deploys, if any: the one that an operator goes back to, the newest that waits, the trigger's own, or
//! the head. The rules that it has to pass are in [`crate::rules`].

use contract::{CommitId, Deployed, Outcome, Project};

use crate::failure::Failure;
use crate::git::{History, Line, Repository};
use crate::narration::Narration;
use crate::rules;
use crate::variables::Variables;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    Run(CommitId),
    /// Nothing is run; it is a success all the same. With a reason, where the outcome alone does not say it.
    Leave(CommitId, Outcome, Option<&'static str>),
}

/// Chooses, and says what becomes of the commits that wait with this trigger. `line` are the commits that come after what is
/// live, newest first.
///
/// # Errors
/// If the one commit that is asked for may not be deployed, or if git fails.
pub async fn choose(
    variables: &Variables,
    project: &Project,
    repository: &Repository<'_>,
    history: &History,
    live: Option<&Deployed>,
    line: &Line,
    narration: &Narration,
) -> Result<Choice, Failure> {
    if let Some(commit) = &variables.rollback {
        rules::require_place(commit, variables, project, history)?;
        rules::require_signature(project, repository, commit).await?;
        return Ok(Choice::Run(commit.clone()));
    }
    let commit = match newest_waiting(variables, project, repository, history, live, line).await? {
        Some(commit) => commit,
        None => match rules::choose_commit(variables, project, history)? {
            rules::Choice::Deploy(commit) => {
                rules::require_signature(project, repository, &commit).await?;
                commit
            }
            rules::Choice::Superseded(commit) => {
                return Ok(Choice::Leave(commit, Outcome::Superseded, Some(rules::BRANCH_HAS_GONE_ON)));
            }
        },
    };
    say_what_waits(variables, &commit, line, narration);
    if !rules::is_forward(variables, history, live.map(|live| &live.commit), &commit)? {
        return Ok(Choice::Leave(commit, Outcome::Superseded, None));
    }
    if let Some(held) = live.and_then(|live| live.held.as_ref())
        && (*held == commit || !history.descends(&commit, held))
    {
        return Ok(Choice::Leave(commit, Outcome::Held, None));
    }
    Ok(Choice::Run(commit))
}

/// Of all commits that wait, this trigger's own among them, the newest that the rules let run: exactly what some trigger names,
/// and nothing that none does. The others are behind it, or are refused, so that it answers them all. None: the own one is
/// judged by itself, as if none other waited.
async fn newest_waiting(
    variables: &Variables,
    project: &Project,
    repository: &Repository<'_>,
    history: &History,
    live: Option<&Deployed>,
    line: &Line,
) -> Result<Option<CommitId>, Failure> {
    let Some(own) = &variables.commit else { return Ok(None) };
    if variables.waiting.is_empty() {
        return Ok(None);
    }
    let held = live.and_then(|live| live.held.as_ref());
    let live = live.map(|live| &live.commit);
    for commit in line.commits.iter().filter(|commit| *commit == own || variables.waiting.contains(commit)) {
        let is_held = held.is_some_and(|held| held == commit || !history.descends(commit, held));
        let is_forward = live.is_none_or(|live| history.descends(commit, live));
        if is_forward
            && !is_held
            && rules::may_be_named(commit, variables, project, history)
            && rules::has_signature(project, repository, commit).await?
        {
            return Ok(Some(commit.clone()));
        }
    }
    Ok(None)
}

/// One line for each commit that was handed over, so that whoever published it finds it in the build that answered it.
fn say_what_waits(variables: &Variables, chosen: &CommitId, line: &Line, narration: &Narration) {
    let place = |commit: &CommitId| line.commits.iter().position(|known| known == commit);
    for commit in variables.waiting.iter().chain(&variables.commit).filter(|_| !variables.waiting.is_empty()) {
        let fate = match (place(commit), place(chosen)) {
            _ if commit == chosen => "covered: it is what this build is about",
            (Some(its), Some(chosen)) if its > chosen => "superseded: a newer one waits, too",
            (Some(_), _) => "refused: it is newer, and a rule says no",
            (None, _) => "superseded or refused: it is not newer than what is live, or not on the branch",
        };
        narration.say("waits", &format!("{commit} is {fate}"));
    }
}
