//! The register's rules about which trigger may deploy which commit: the branch, a commit that CI tested, its place on the
//! branch, its signature, forward only. A rule that says no is a refusal, which trying again does not change.

use anyhow::anyhow;
use contract::register::{Lineage, Pinned};
use contract::{CommitId, Project, parameter};

use crate::failure::{Failure, Kind};
use crate::forward::{Direction, direction};
use crate::git::{History, Repository, Standing};
use crate::variables::Variables;

/// The rules that can be judged before anything is fetched. The launcher asked them already, but could not see into an
/// encrypted entry; and whoever may start builds is not bound by it.
///
/// # Errors
/// The rule that is broken.
pub fn require_allowed_trigger(variables: &Variables, project: &Project) -> Result<(), Failure> {
    let register = parameter::register(&variables.config_path, &variables.project);
    if !project.branches.allow(&variables.branch) {
        let error = anyhow!("branch {} is not among the branches that {register} allows", variables.branch);
        return Err(Failure::new(Kind::BranchNotAllowed, error, "if it should be deployed, add it to branches there"));
    }
    if !project.accepts(variables.commit.as_ref().or(variables.rollback.as_ref())) {
        let error =
            anyhow!("the trigger names no commit, and requireCommit of {register} wants the one that CI tested");
        return Err(Failure::new(Kind::CommitRequired, error, "trigger with the commit that CI tested"));
    }
    Ok(())
}

/// Why nothing is run where the register wants the head.
pub const BRANCH_HAS_GONE_ON: &str = "the branch has gone on from this commit, and the register wants its head (pinned: \
    head); nothing was run; the newer head needs a trigger of its own";

/// What a pinned commit, or none, comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Choice {
    /// This commit stands where the register wants it.
    Deploy(CommitId),
    /// The branch has gone on from this commit, and the register wants the head.
    Superseded(CommitId),
}

/// The commit to deploy: the pinned one, if it stands where the register wants it, otherwise the head of the branch.
///
/// # Errors
/// If the pinned commit may not be deployed.
pub fn choose_commit(variables: &Variables, project: &Project, history: &History) -> Result<Choice, Failure> {
    let Some(pinned) = &variables.commit else { return Ok(Choice::Deploy(history.head().clone())) };
    judge_pinned(pinned, project.pinned, variables, project, history)
}

/// Whether a trigger may have `commit` run, as far as its place on the branch tells.
#[must_use]
pub fn may_be_named(commit: &CommitId, variables: &Variables, project: &Project, history: &History) -> bool {
    let judged = judge_pinned(commit, project.pinned, variables, project, history);
    judged.is_ok_and(|choice| choice == Choice::Deploy(commit.clone()))
}

/// That the branch has `commit`, where the register wants commits. For an operator it need not be the head.
///
/// # Errors
/// If it does not stand there.
pub fn require_place(
    commit: &CommitId,
    variables: &Variables,
    project: &Project,
    history: &History,
) -> Result<(), Failure> {
    judge_pinned(commit, Pinned::OnBranch, variables, project, history).map(drop)
}

/// git keeps the history of commits, not the history of a branch: which commits were its head, nobody can ask it. So the
/// rules are about where a commit stands in the history of the head that was fetched.
fn judge_pinned(
    pinned: &CommitId,
    wanted: Pinned,
    variables: &Variables,
    project: &Project,
    history: &History,
) -> Result<Choice, Failure> {
    let head = history.head();
    let branch = &variables.branch;
    let (problem, advice) = match (history.standing(pinned), wanted, project.lineage) {
        (Standing::Elsewhere, _, _) => (
            format!("branch {branch} does not have it (its head is {head})"),
            "trigger with a commit that was pushed to this branch; a rewritten branch no longer has its old commits",
        ),
        (_, Pinned::Head, _) if pinned == head => return Ok(Choice::Deploy(pinned.clone())),
        (_, Pinned::Head, _) => return Ok(Choice::Superseded(pinned.clone())),
        (Standing::FirstParentLine, ..) | (Standing::Merged, _, Lineage::AnyAncestor) => {
            return Ok(Choice::Deploy(pinned.clone()));
        }
        (Standing::Merged, _, Lineage::FirstParent) => (
            format!(
                "branch {branch} has it by way of a merge: it is an ancestor of the head {head}, but not on the head's \
                 first-parent line"
            ),
            "trigger with the merge, or a later commit of the branch. If it was the head until somebody merged the branch \
             into their own and pushed that (a foxtrot merge), the same: the line now leads along theirs. Set firstParent \
             to false in the register only if every commit of a merged branch may be deployed on its own",
        ),
    };
    Err(Failure::new(Kind::CommitNotOnBranch, anyhow!("looking for the pinned commit {pinned}: {problem}"), advice))
}

/// That an allowed signer signed `commit`, if the register asks for it. The commits before it need no signature: it names
/// them, and all files, by their hashes.
///
/// # Errors
/// If nobody of them did, or if that cannot be found out.
pub async fn require_signature(
    project: &Project,
    repository: &Repository<'_>,
    commit: &CommitId,
) -> Result<(), Failure> {
    if has_signature(project, repository, commit).await? {
        return Ok(());
    }
    let error = anyhow!("checking the signature of {commit}: it has no good signature by one of allowedSigners");
    Err(Failure::new(
        Kind::NotSigned,
        error,
        "git's own words are in the lines above; sign the commit, or add the signer's key to the register",
    ))
}

/// Whether an allowed signer signed `commit`, or none has to.
///
/// # Errors
/// If that cannot be found out.
pub async fn has_signature(project: &Project, repository: &Repository<'_>, commit: &CommitId) -> Result<bool, Failure> {
    match &project.allowed_signers {
        Some(signers) => repository.is_signed(commit, signers).await,
        None => Ok(true),
    }
}

/// Whether `commit` may follow the commit that is `live`. `false` means that a descendant of it is live already.
///
/// # Errors
/// If neither descends from the other.
pub fn is_forward(
    variables: &Variables,
    history: &History,
    live: Option<&CommitId>,
    commit: &CommitId,
) -> Result<bool, Failure> {
    let Some(live) = live else { return Ok(true) };
    match direction(history, live, commit) {
        Direction::Forward => Ok(true),
        Direction::Backward => Ok(false),
        Direction::Beside => Err(beside(variables, live, commit)),
        Direction::Unrelated => Err(rewritten(variables, live, commit)),
    }
}

/// No rewriting, and nothing to roll back: the merge, which the branch has, holds both.
fn beside(variables: &Variables, live: &CommitId, commit: &CommitId) -> Failure {
    let branch = &variables.branch;
    let error = anyhow!(
        "comparing with {live}, which is live: branch {branch} has it and {commit} too, on two lines that a merge joined, \
         and neither descends from the other; to deploy the one would take back what the other brought"
    );
    Failure::new(Kind::NotForward, error, "trigger with the merge that joined them, or a later commit of the branch")
}

/// To delete the record instead would not do: without it, any old commit could be pinned.
fn rewritten(variables: &Variables, live: &CommitId, commit: &CommitId) -> Failure {
    let (project, branch) = (&variables.project, &variables.branch);
    let error = anyhow!(
        "comparing with {live}, which is live: branch {branch} as fetched does not have it; the branch was rewritten, \
         or what is live never was on it"
    );
    Failure::new(
        Kind::NotForward,
        error,
        format!(
            "see what the live commit did that the branch lacks; to go on with the rewritten branch, an operator runs \
             `iwomp rollback {project} {branch} {commit}`"
        ),
    )
}
