//! Holds the ledger of triggers against the builds, without a thought of what the launcher said or meant: what became of each
//! trigger, and was anything done that must not be.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::build::{Build, Status};
use crate::clock;
use crate::figures::Figures;
use crate::repository::Branch;
use crate::trigger::{Asked, Event, Trigger};
use crate::world::{Design, World};

/// Failed builds of what a trigger asks for, begun after its publication, that make another one needless.
const ENOUGH_FAILURES: usize = 3;
/// How long whoever published with the article's design waits for somebody else's build before they call their trigger lost.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What is wrong in a world that has come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A trigger that was accepted, and for which nothing was done.
    Lost,
    /// A second build of a trigger.
    Doubled,
    /// A build that began while another of its project ran.
    Overlapped,
    /// An older commit became live.
    Backward,
    /// A build of a trigger that had to be refused.
    Forbidden,
    /// A build of something else than its trigger asks for.
    Mistaken,
    /// After quiet and a last trigger, the head is not live.
    Stale,
}

impl Finding {
    pub const ALL: [Self; 7] =
        [Self::Lost, Self::Doubled, Self::Overlapped, Self::Backward, Self::Forbidden, Self::Mistaken, Self::Stale];
}

pub struct Judgement {
    pub findings: BTreeMap<Finding, usize>,
    pub figures: Figures,
    /// The first few of what is wrong, told from the beginning.
    pub stories: String,
    pub triggers: Vec<Trigger>,
    /// By project.
    pub builds: Vec<Vec<Build>>,
}

impl Judgement {
    pub fn count(&self, finding: Finding) -> usize {
        self.findings.get(&finding).copied().unwrap_or_default()
    }

    /// Panics, telling the stories, if anything is wrong.
    pub fn assert_nothing_wrong(&self) {
        assert!(self.findings.is_empty(), "{:?}\n{}", self.findings, self.stories);
    }

    fn found(&mut self, finding: Finding, story: impl FnOnce(&Self) -> String) {
        let count = self.findings.entry(finding).or_default();
        *count += 1;
        if *count <= 3 {
            let story = story(self);
            _ = writeln!(self.stories, "{finding:?}: {story}");
        }
    }

    /// Everything that happened to a trigger, and the builds of its project around it.
    pub fn story(&self, number: usize) -> String {
        let trigger = &self.triggers[number];
        let mut story = format!(
            "trigger {number} of project {}, {} {}, owed {:?}, published {:?}\n",
            trigger.project,
            trigger.branch,
            trigger.commit.as_deref().unwrap_or("head"),
            trigger.asked,
            trigger.published,
        );
        for (at, event) in &trigger.events {
            _ = writeln!(story, "  {at:?} {event:?}");
        }
        let after = |build: &&Build| build.ended.is_none_or(|ended| ended > trigger.published);
        for build in self.builds[trigger.project].iter().filter(after).take(8) {
            _ = writeln!(story, "  {build:?}");
        }
        story
    }
}

pub fn judge(world: &World) -> Judgement {
    let projects = world.projects.len();
    let mut judgement = Judgement {
        findings: BTreeMap::new(),
        figures: Figures::of(world),
        stories: String::new(),
        triggers: world.ledger.take(),
        builds: (0..projects).map(|project| std::mem::take(&mut world.codebuild.yard(project).builds)).collect(),
    };
    judge_triggers(&mut judgement, world);
    judge_builds(&mut judgement);
    for project in &world.projects {
        for branch in project.branches.lock().unwrap().iter() {
            judge_branch(&mut judgement, &project.name, branch);
        }
    }
    judgement.figures.finish(&judgement.triggers, &judgement.builds);
    judgement
}

fn judge_triggers(judgement: &mut Judgement, world: &World) {
    let design = world.design;
    let mut own = vec![Vec::new(); judgement.triggers.len()];
    for (project, builds) in judgement.builds.iter().enumerate() {
        for (number, build) in builds.iter().enumerate() {
            own[build.trigger].push((project, number));
        }
    }
    for (number, own) in own.iter().enumerate() {
        let story = |judgement: &Judgement| judgement.story(number);
        for _ in own.iter().skip(1) {
            judgement.found(Finding::Doubled, story);
        }
        let trigger = &judgement.triggers[number];
        if trigger.asked == Asked::Refusal {
            if !own.is_empty() {
                judgement.found(Finding::Forbidden, story);
            }
            judgement.figures.refused += 1;
            continue;
        }
        let is_mistaken = |(project, build): &(usize, usize)| {
            let build = &judgement.builds[*project][*build];
            *project != trigger.project || build.branch != trigger.branch || build.commit != trigger.commit
        };
        if own.iter().any(is_mistaken) {
            judgement.found(Finding::Mistaken, story);
            continue;
        }
        let builds = &judgement.builds[trigger.project];
        // What leaves the queue has its answer then. Where there is no queue, some time must do.
        let left = left_queue(trigger);
        let by = if design == Design::Ours { left } else { Some(trigger.published + PATIENCE) };
        let answered = match (own.first(), by) {
            (Some((_, build)), _) => Some(builds[*build].began),
            (None, Some(by))
                if is_covered(trigger, builds, by)
                    || keeps_failing(trigger, builds, by)
                    || is_not_ahead(trigger, builds, world, by) =>
            {
                left.or(Some(by))
            }
            _ => None,
        };
        match answered {
            None if trigger.events.last().is_some_and(|(_, event)| *event == Event::DeadLettered) => {}
            Some(at) => judgement.figures.waits.push(at.saturating_sub(trigger.published)),
            None => judgement.found(Finding::Lost, story),
        }
        if own.is_empty() {
            judgement.figures.without_build += 1;
        }
    }
}

/// When the first copy left the queue for good, and not only to the dead-letter queue.
pub fn left_queue(trigger: &Trigger) -> Option<Duration> {
    let mut dead = 0;
    for (at, event) in &trigger.events {
        match event {
            Event::DeadLettered => dead += 1,
            Event::Redriven => dead = 0,
            Event::Answered if dead == 0 => return Some(*at),
            Event::Answered => dead -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a build had done for the trigger by then what a build of its own would have.
fn is_covered(trigger: &Trigger, builds: &[Build], by: Duration) -> bool {
    let serves = |build: &Build| match (trigger.asked, build.reached) {
        (Asked::Commit(owed), Some(reached)) => reached >= owed,
        (Asked::Try, Some(_)) => true, // of a commit that is nowhere, no build owes anything
        _ => false,
    };
    later_builds(trigger, builds, by).any(|build| build.status == Status::Succeeded && serves(build))
}

/// Whether a build had looked at the branch since it was published, and its pinned commit was older than what was live by then,
/// or nowhere.
fn is_not_ahead(trigger: &Trigger, builds: &[Build], world: &World, by: Duration) -> bool {
    let looked = |build: &&Build| {
        build.branch == trigger.branch && build.cloned.is_some_and(|at| at > trigger.published && at <= by)
    };
    let lookers = || builds.iter().filter(looked);
    let handed_over = || lookers().any(|build| build.waiting.iter().any(|id| Some(id) == trigger.commit.as_ref()));
    let branches = world.projects[trigger.project].branches.lock().unwrap();
    let branch = branches.iter().find(|branch| branch.name == trigger.branch);
    let is_older = match trigger.asked {
        Asked::Commit(owed) => {
            // What is live and published again is owed a build, unless it was deployed since; or a build of another commit had
            // it handed over, and saw that it is not newer than what is live.
            let is_later = |at, live| live > owed || (live == owed && (at > trigger.published || handed_over()));
            branch.is_some_and(|branch| branch.records.iter().any(|&(at, live)| at <= by && is_later(at, live)))
        }
        Asked::Try => true,
        Asked::Refusal => false,
    };
    trigger.commit.is_some() && is_older && lookers().next().is_some()
}

/// Whether what it asks for had been tried often enough by then, and failed.
fn keeps_failing(trigger: &Trigger, builds: &[Build], by: Duration) -> bool {
    let failed =
        |build: &&Build| build.commit == trigger.commit && matches!(build.status, Status::Failed | Status::TimedOut);
    later_builds(trigger, builds, by).filter(failed).count() >= ENOUGH_FAILURES
}

/// The builds of the trigger's branch that began after it was published and ended by then.
fn later_builds<'a>(trigger: &'a Trigger, builds: &'a [Build], by: Duration) -> impl Iterator<Item = &'a Build> {
    let first = builds.partition_point(|build| build.began <= trigger.published);
    let ended = move |build: &&Build| build.ended.is_some_and(|ended| ended <= by);
    builds[first..].iter().filter(|build| build.branch == trigger.branch).filter(ended)
}

fn judge_builds(judgement: &mut Judgement) {
    for project in 0..judgement.builds.len() {
        let mut busy_until = Duration::ZERO;
        for build in 0..judgement.builds[project].len() {
            let &Build { began, ended, trigger, .. } = &judgement.builds[project][build];
            if began < busy_until {
                judgement.found(Finding::Overlapped, |judgement| judgement.story(trigger));
            }
            busy_until = busy_until.max(ended.unwrap_or(Duration::MAX));
        }
    }
}

fn judge_branch(judgement: &mut Judgement, project: &str, branch: &Branch) {
    for pair in branch.records.windows(2) {
        let [(_, before), (at, after)] = pair else { continue };
        if after < before {
            judgement.found(Finding::Backward, |_| format!("{project} {} at {at:?}: {before} to {after}", branch.name));
        }
    }
    if branch.live() != Some(branch.head_at(clock::now())) {
        let story = || format!("{project} {}: {:?} is live, head is {}", branch.name, branch.live(), branch.head());
        judgement.found(Finding::Stale, |_| story());
    }
}
