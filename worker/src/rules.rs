//! The register's rules about which trigger may deploy which commit: the branch, a commit that CI tested, its place on the
//! branch, its signature, forward only. A rule that says no is a refusal, which trying again does not change.

use anyhow::anyhow;
use contract::register::Lineage;
use contract::{CommitId, Project, parameter};

use crate::failure::{Failure, Kind};
use crate::forward::{Direction, direction};
use crate::git::{Repository, Standing};
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
    if !project.accepts(variables.commit.as_ref()) {
        let error =
            anyhow!("the trigger names no commit, and requireCommit of {register} wants the one that CI tested");
        return Err(Failure::new(Kind::CommitRequired, error, "trigger with the commit that CI tested"));
    }
    Ok(())
}

/// The commit to deploy: the pinned one, if it stands where the register wants it, otherwise the head of the branch.
///
/// # Errors
/// If the pinned commit may not be deployed, or if git fails.
pub async fn choose_commit(
    variables: &Variables,
    project: &Project,
    repository: &Repository<'_>,
) -> Result<CommitId, Failure> {
    let Some(pinned) = &variables.commit else { return repository.head().await };
    let branch = &variables.branch;
    let (problem, advice) = match (repository.standing(pinned).await?, project.lineage) {
        (Standing::FirstParentLine, _) | (Standing::Merged, Lineage::AnyAncestor) => return Ok(pinned.clone()),
        (Standing::Merged, Lineage::FirstParent) => (
            format!(
                "it came to branch {branch} by a merge and never was its head, so it is not on its first-parent line"
            ),
            "trigger with the merge, or a later commit of the branch; set firstParent to false in the register only if \
             every commit of a merged branch may be deployed on its own",
        ),
        (Standing::Elsewhere, _) => (
            format!("it is not on branch {branch}"),
            "trigger with a commit that was pushed to this branch; a rewritten branch no longer has its old commits",
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
    let Some(signers) = &project.allowed_signers else { return Ok(()) };
    if repository.is_signed(commit, signers).await? {
        return Ok(());
    }
    let error = anyhow!("checking the signature of {commit}: it has no good signature by one of allowedSigners");
    Err(Failure::new(
        Kind::NotSigned,
        error,
        "git's own words are in the lines above; sign the commit, or add the signer's key to the register",
    ))
}

/// Whether `commit` may follow the commit that is `live`. `false` means that a descendant of it is live already.
///
/// # Errors
/// If the branch was rewritten, or if git fails.
pub async fn is_forward(
    variables: &Variables,
    repository: &Repository<'_>,
    live: Option<&CommitId>,
    commit: &CommitId,
) -> Result<bool, Failure> {
    let Some(live) = live else { return Ok(true) };
    match direction(repository, live, commit).await? {
        Direction::Forward => Ok(true),
        Direction::Backward => Ok(false),
        Direction::Unrelated => Err(rewritten(variables, live, commit)),
    }
}

/// To delete the record instead would not do: without it, any old commit could be pinned.
fn rewritten(variables: &Variables, live: &CommitId, commit: &CommitId) -> Failure {
    let error = anyhow!(
        "comparing with {live}, which is live: neither commit descends from the other, so the branch was rewritten"
    );
    let (project, branch) = (&variables.project, &variables.branch);
    Failure::new(
        Kind::NotForward,
        error,
        format!(
            "see what the live commit did that the branch lacks; to go on with the rewritten branch, an operator runs \
             `make rollback PROJECT={project} BRANCH={branch} COMMIT={commit}`"
        ),
    )
}
