//! What teams do: push, let CI publish, publish twice, push in bursts, break a branch and mend it, sleep at night.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock;
use crate::repository::Branch;
use crate::topic::{Message, Owed, publish};
use crate::world::{Project, World};

const BRANCHES: [&str; 3] = ["main", "develop", "release/1"];
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Nobody works in the last ten hours of a day, nearly.
const NIGHT: Duration = Duration::from_secs(14 * 3600);
const NIGHT_SLOWNESS: u32 = 4;
/// Triggers for each thing that happens, and the part of all time that counts as day, by the choices below.
const TRIGGERS_PER_EVENT: f64 = 2.6;
const DAY_SHARE: f64 = 0.69;

/// How a project's CI names what it tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// It does not: the head is deployed.
    Head,
    /// Always, and the register requires it.
    Pinned,
    Either,
}

fn style(project: usize) -> Style {
    match project % 10 {
        0..=5 => Style::Head,
        6 | 7 => Style::Pinned,
        _ => Style::Either,
    }
}

/// Projects that publish the head are busier, up to four times: what is pinned needs a build of its own.
fn weight(project: usize) -> usize {
    if style(project) == Style::Head { 1 + project % 4 } else { 1 }
}

pub fn projects(count: usize) -> Vec<Project> {
    let project = |number: usize| {
        let name = format!("project-{number}");
        let entry = json!({
            "gitUrl": format!("https://git.example/{name}.git"), "command": "deploy.sh",
            "branches": ["main", "develop", "release/*"], "requireCommit": style(number) == Style::Pinned,
        });
        let mark = |branch| u32::try_from(1 + number * BRANCHES.len() + branch).unwrap();
        let branches = (0..=number % BRANCHES.len()).map(|branch| Branch::new(BRANCHES[branch], mark(branch)));
        Project::new(name, entry.to_string(), branches.collect())
    };
    (0..count).map(project).collect()
}

/// Publishes so many triggers over that time.
pub async fn publish_all(world: &Arc<World>, triggers: usize, span: Duration) {
    let weights: usize = (0..world.projects.len()).map(weight).sum();
    let mut teams = JoinSet::new();
    for project in 0..world.projects.len() {
        let quota = (triggers * weight(project)).div_ceil(weights);
        let gap = span.mul_f64(TRIGGERS_PER_EVENT * DAY_SHARE / quota as f64);
        teams.spawn(Team::new(world, project, quota).work(gap));
    }
    teams.join_all().await;
}

/// Whoever pushes to a project, and its CI.
pub struct Team {
    pub world: Arc<World>,
    project: usize,
    /// How many triggers it still has to publish.
    left: usize,
}

impl Team {
    pub fn new(world: &Arc<World>, project: usize, triggers: usize) -> Self {
        Self { world: world.clone(), project, left: triggers }
    }

    async fn work(mut self, gap: Duration) {
        while self.left > 0 {
            let is_night = clock::now().as_nanos() % DAY.as_nanos() > NIGHT.as_nanos();
            sleep(self.world.dice.until_next(gap) * if is_night { NIGHT_SLOWNESS } else { 1 }).await;
            let branch = self.world.dice.below(self.world.projects[self.project].branches.lock().unwrap().len());
            match self.world.dice.below(100) {
                0..55 => self.push(branch, 1, 1).await,
                55..65 => {
                    self.push(branch, 1, 1).await;
                    self.publish_head(branch); // CI that was told to run again
                }
                65..75 => self.push(branch, 3, 20).await,
                75..80 => {
                    let pushes = 10 + self.world.dice.below(30);
                    self.push(branch, pushes, 2).await;
                }
                80..87 => self.publish_head(branch),
                87..91 => self.publish_old(branch),
                91..96 => self.publish_forbidden(branch),
                96..98 => self.publish_unknown(branch),
                98 => self.fail_and_mend(branch).await,
                _ => sleep(gap * 5).await,
            }
        }
    }

    /// So many commits, each published when its tests are through, a mean time apart.
    pub async fn push(&mut self, branch: usize, pushes: usize, seconds_apart: u64) {
        for _ in 0..pushes.min(self.left) {
            self.with(branch, |branch| branch.push(clock::now(), true));
            sleep(self.world.dice.until_next(Duration::from_secs(seconds_apart))).await;
            self.publish_head(branch);
        }
    }

    async fn fail_and_mend(&mut self, branch: usize) {
        self.with(branch, |branch| branch.push(clock::now(), false));
        for _ in 0..=self.world.dice.below(20.min(self.left)) {
            self.publish_head(branch);
            sleep(self.world.dice.until_next(Duration::from_secs(60))).await;
        }
        self.push(branch, 1, 600).await;
    }

    pub fn publish_head(&mut self, branch: usize) {
        let pins = match style(self.project) {
            Style::Head => false,
            Style::Pinned => true,
            Style::Either => self.world.dice.chance(0.5),
        };
        let (name, head, id) =
            self.with(branch, |branch| (branch.name.clone(), branch.head(), branch.id(branch.head())));
        let (commit, owed) = if pins { (Some(id), Owed::Commit(head)) } else { (None, Owed::Head) };
        self.publish(name, commit, None, owed);
    }

    /// A commit, published as what is to be deployed.
    pub fn push_pinned(&mut self, branch: usize) {
        let (name, head, id) = self.with(branch, |branch| {
            branch.push(clock::now(), true);
            (branch.name.clone(), branch.head(), branch.id(branch.head()))
        });
        self.publish(name, Some(id), None, Owed::Commit(head));
    }

    /// A slow CI run: its commit is the head no more.
    pub fn publish_old(&mut self, branch: usize) {
        let back = 1 + self.world.dice.below(5);
        let (name, commit, id) = self.with(branch, |branch| {
            let commit = branch.head().saturating_sub(back);
            (branch.name.clone(), commit, branch.id(commit))
        });
        self.publish(name, Some(id), None, Owed::Commit(commit));
    }

    /// A commit that is not on the branch.
    fn publish_unknown(&mut self, branch: usize) {
        let name = self.with(branch, |branch| branch.name.clone());
        let commit = format!("{:040x}", 0xbad_0000 + self.world.dice.below(1000));
        self.publish(name, Some(commit), None, Owed::Try);
    }

    fn publish_forbidden(&mut self, branch: usize) {
        let name = self.with(branch, |branch| branch.name.clone());
        let project = &self.world.projects[self.project].name;
        let (name, text) = match self.world.dice.below(5) {
            0 => ("feature/x".to_owned(), None),
            1 => (name, Some(json!({"project": "nowhere", "branch": "main"}).to_string())),
            2 => (name, Some("deploy everything, please".to_owned())),
            3 => (name, Some(json!({"project": project, "branch": "main", "command": "rm -rf /"}).to_string())),
            _ if style(self.project) == Style::Pinned => (name, None),
            _ => (name, Some(json!({"project": project, "branch": "main", "commit": "HEAD~1"}).to_string())),
        };
        self.publish(name, None, text, Owed::Refusal);
    }

    pub fn publish(&mut self, branch: String, commit: Option<String>, text: Option<String>, owed: Owed) {
        self.left = self.left.saturating_sub(1);
        publish(&self.world, Message { project: self.project, branch, commit, text, owed });
    }

    pub fn with<T>(&self, branch: usize, act: impl FnOnce(&mut Branch) -> T) -> T {
        act(&mut self.world.projects[self.project].branches.lock().unwrap()[branch])
    }
}

/// One last trigger for each branch, whose head works.
pub fn publish_last(world: &Arc<World>) {
    for project in 0..world.projects.len() {
        let count = world.projects[project].branches.lock().unwrap().len();
        let mut team = Team::new(world, project, count);
        for branch in 0..count {
            team.with(branch, |branch| branch.push(clock::now(), true));
            team.publish_head(branch);
        }
    }
}
