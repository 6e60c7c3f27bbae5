//! One build, and a model of the worker in it: the head at the time of the clone or the pinned commit, forward only, what is
//! live recorded at the end. The real worker has tests of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::seen::MAX_SEEN_COMMITS;
use contract::{Branch, CommitId, SeenBranch};
use tokio::time::sleep;

use crate::clock;
use crate::repository::{self, Number};
use crate::world::World;

const PROVISIONING: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// From the worker's end to the build's: CodeBuild uploads logs and artifacts.
const FINALIZING: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

#[derive(Debug)]
pub struct Build {
    pub number: usize,
    pub trigger: usize,
    pub branch: String,
    /// The pinned commit.
    pub commit: Option<String>,
    pub began: Duration,
    /// From when on the list shows it.
    pub listed: Duration,
    pub ended: Option<Duration>,
    pub status: Status,
    /// The pinned commits that were handed over beside it.
    pub waiting: Vec<String>,
    /// When it looked at the branch, and which commit it then was to deploy.
    pub cloned: Option<Duration>,
    pub reached: Option<Number>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
    Stopped,
    Fault,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
            Self::Fault => "FAULT",
        }
    }
}

/// Runs a build that has begun to its end.
pub async fn run(world: Arc<World>, project: usize, number: usize) {
    sleep(world.dice.between(PROVISIONING.0, PROVISIONING.1)).await;
    let status = match clone(&world, project, number) {
        Err(status) => status,
        Ok(commit) => deploy(&world, project, number, commit).await,
    };
    note_seen(&world, project, number);
    sleep(world.dice.between(FINALIZING.0, FINALIZING.1)).await;
    let mut yard = world.codebuild.yard(project);
    yard.builds[number].status = status;
    yard.builds[number].ended = Some(clock::now());
    world.codebuild.running.fetch_sub(1, Ordering::Relaxed);
}

/// Finds out what is to be deployed: the head, or of the pinned commits the newest one that comes after what is live.
fn clone(world: &World, project: usize, number: usize) -> Result<Number, Status> {
    broken(world)?;
    let mut yard = world.codebuild.yard(project);
    let build = &mut yard.builds[number];
    build.cloned = Some(clock::now());
    let commit = on_branch(world, project, &build.branch, |branch| match &build.commit {
        None => Some(branch.head()),
        Some(own) => {
            let all = build.waiting.iter().chain([own]).filter_map(|id| branch.commit(id));
            all.filter(|commit| branch.live().is_none_or(|live| *commit > live)).max().or_else(|| branch.commit(own))
        }
    });
    let commit = commit.flatten();
    build.reached = commit;
    commit.ok_or(Status::Failed)
}

/// What a pinned build leaves for the launcher when it ends: the commits that are not older than what is live.
fn note_seen(world: &World, project: usize, number: usize) {
    let yard = world.codebuild.yard(project);
    let build = &yard.builds[number];
    let (Some(cloned), Some(_)) = (build.cloned, &build.commit) else { return };
    let seen = on_branch(world, project, &build.branch, |branch| {
        let (head, oldest) = (branch.head_at(cloned), branch.live().unwrap_or_default());
        let commits: Vec<_> = (oldest..=head).rev().take(MAX_SEEN_COMMITS).map(|commit| branch.id(commit)).collect();
        (
            commits.iter().filter_map(|id| CommitId::parse(id).ok()).collect(),
            commits.len() > head.saturating_sub(oldest),
        )
    });
    let (commits, whole) = seen.unwrap_or((Vec::new(), true)); // there is no such branch
    let name = Branch::parse(&build.branch).unwrap();
    let seconds = |at| world.codebuild.seconds(at);
    let seen = SeenBranch { branch: name, fetched: seconds(cloned), build: None, commits, whole };
    let mut note = world.projects[project].seen.lock().unwrap();
    *note = Some(note.take().unwrap_or_default().with(seen, seconds(clock::now())));
}

/// Runs the command, unless a newer commit is live, and records the success.
async fn deploy(world: &World, project: usize, number: usize, commit: Number) -> Status {
    let name = world.codebuild.yard(project).builds[number].branch.clone();
    let branch = on_branch(world, project, &name, |branch| (branch.works(commit), branch.live()));
    let (works, live) = branch.expect("it was cloned");
    if world.rules.forward_only && live.is_some_and(|live| live > commit) {
        return Status::Succeeded; // superseded: nothing is run
    }
    sleep(world.dice.any_magnitude(world.rules.build.0, world.rules.build.1)).await;
    if !works {
        return Status::Failed;
    }
    if let Err(status) = broken(world) {
        return status;
    }
    on_branch(world, project, &name, |branch| branch.records.push((clock::now(), commit)));
    Status::Succeeded
}

/// Whether the build breaks off, and how: the Git host is away, it takes too long, somebody stops it, CodeBuild fails.
fn broken(world: &World) -> Result<(), Status> {
    if !world.faults.strikes(&world.dice, "build broke off", |rates| rates.build_broken / 2.0) {
        return Ok(());
    }
    let ends = [Status::Failed, Status::TimedOut, Status::Stopped, Status::Fault];
    Err(ends[world.dice.below(ends.len())])
}

fn on_branch<T>(
    world: &World,
    project: usize,
    name: &str,
    act: impl FnOnce(&mut repository::Branch) -> T,
) -> Option<T> {
    let mut branches = world.projects[project].branches.lock().unwrap();
    branches.iter_mut().find(|branch| branch.name == name).map(act)
}
