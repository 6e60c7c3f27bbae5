//! What one running launcher remembers between triggers, to spare calls: of a project that has a flood of triggers, nearly
//! all are answered from here. Everything is short-lived or only makes a trigger wait; nothing here can start a build, and
//! a launcher that knows nothing is right, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use contract::{Branch, CommitId, MAX_WAITING_COMMITS, ProjectName, Seen, Trigger};

use crate::builds::History;
use crate::fate::{Busy, Place};
use crate::register::Entry;

/// How long an answer of AWS is believed by which a trigger may be started or answered. That a build runs is believed for
/// longer, see turn.rs: it only makes a trigger wait. A start that the answer does not show yet is younger than CodeBuild's
/// idempotency tokens, which live five minutes.
const FRESHNESS: Duration = Duration::from_secs(2);

/// How much later than its delay the first in line may come, for SQS and Lambda take their time.
pub const LATENESS: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Memory {
    /// By project. Only names of build projects and from the register get in, so their number bounds this.
    projects: Mutex<HashMap<ProjectName, Known>>,
    register_failed: Mutex<Option<SystemTime>>,
}

#[derive(Default)]
struct Known {
    entry: Option<(SystemTime, Arc<Entry>)>,
    history: Option<(SystemTime, Arc<History>)>,
    busy: Option<(SystemTime, (Busy, String))>,
    last_start: Option<SystemTime>,
    first: Option<First>,
    /// Pinned triggers that wait, the newest so many.
    pins: Vec<Pin>,
}

/// Most pinned triggers of a project that are remembered; a few times as many as one build is handed over.
const MAX_PINS: usize = 4 * MAX_WAITING_COMMITS;

/// A pinned trigger that waits.
struct Pin {
    trigger_id: String,
    published: SystemTime,
    branch: Branch,
    commit: CommitId,
    /// When it was there last.
    since: SystemTime,
}

/// The first in line of the waiting triggers that are known, and until when it should have come back.
struct First {
    who: Waiting,
    since: SystemTime,
    until: SystemTime,
}

/// A trigger that waits, in the order in which they go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Those of the head go first: one build of it answers every older trigger of the branch, while each pinned commit needs a
    /// build of its own, and whoever can pin could make the line as long as they like.
    pub is_pinned: bool,
    /// Then the older ones.
    pub published: SystemTime,
    pub trigger_id: String,
    pub branch: Branch,
}

impl Waiting {
    /// Whether a build of either answers both.
    fn is_alike(&self, other: &Self) -> bool {
        !self.is_pinned && !other.is_pinned && self.branch == other.branch
    }
}

impl Known {
    /// Whether the first in line goes before this one: it is expected back, and no build is known that is its own.
    fn goes_before(&self, who: &Waiting, now: SystemTime) -> bool {
        let is_started = |id: &str| self.history.as_ref().is_some_and(|(_, history)| history.has_build_of(id));
        let first = self.first.as_ref();
        first.is_some_and(|first| first.until > now && first.who < *who && !is_started(&first.who.trigger_id))
    }
}

impl Memory {
    /// The register entry, and when it was asked for.
    pub fn entry(&self, project: &ProjectName, now: SystemTime) -> Option<(SystemTime, Arc<Entry>)> {
        fresh(self.known().get(project)?.entry.as_ref(), now)
    }

    pub fn note_register_failure(&self, now: SystemTime) {
        *self.register_failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether SSM gave no answer after `time`.
    pub fn register_failed_since(&self, time: SystemTime) -> bool {
        self.register_failed.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|failed| failed > time)
    }

    /// Whether an entry that was read some time ago lets the trigger in: enough to let it wait.
    pub fn let_in(&self, trigger: &Trigger) -> bool {
        let known = self.known();
        let entry = known.get(&trigger.project).and_then(|known| known.entry.as_ref());
        entry.is_some_and(|(_, entry)| entry.check(trigger).is_ok())
    }

    pub fn keep_entry(&self, project: &ProjectName, now: SystemTime, entry: Arc<Entry>) {
        self.of(project, |known| known.entry = Some((now, entry)));
    }

    /// The history of its builds, and when it was asked for.
    pub fn history(&self, project: &ProjectName, now: SystemTime) -> Option<(SystemTime, Arc<History>)> {
        fresh(self.known().get(project)?.history.as_ref(), now)
    }

    /// The same, however old.
    pub fn last_history(&self, project: &ProjectName) -> Option<(SystemTime, Arc<History>)> {
        self.known().get(project)?.history.clone()
    }

    pub fn keep_history(&self, project: &ProjectName, now: SystemTime, history: Arc<History>) {
        self.of(project, |known| {
            // A build has begun since: the first one's own, or one that answers it.
            let began = history.running().map(|(_, began)| began);
            known.first = known.first.take().filter(|first| began.is_none_or(|began| began < first.since));
            known.history = Some((now, history));
        });
    }

    /// Why the project cannot start a build, if it was seen to just now. Of one project only, also where the account is full:
    /// its limits are of one kind of build each, and another project's kind may have room.
    pub fn busy(&self, project: &ProjectName, now: SystemTime) -> Option<(Busy, String)> {
        fresh(self.known().get(project)?.busy.as_ref(), now).map(|(_, busy)| busy)
    }

    pub fn keep_busy(&self, project: &ProjectName, now: SystemTime, class: Busy, reason: String) {
        self.of(project, |known| known.busy = Some((now, (class, reason))));
    }

    /// A build of the project was started: since when it runs, and which it is.
    pub fn started(&self, project: &ProjectName, now: SystemTime, with_started: impl FnOnce(&History) -> History) {
        self.of(project, |known| {
            let before = known.history.take().map(|(_, history)| history).unwrap_or_default();
            known.history = Some((now, Arc::new(with_started(&before))));
            known.last_start = Some(now);
            known.first = None;
        });
    }

    /// Whether this launcher started a build of the project after `time`.
    pub fn started_since(&self, project: &ProjectName, time: SystemTime) -> bool {
        self.known().get(project).and_then(|known| known.last_start).is_some_and(|start| start > time)
    }

    /// Whether another trigger of the project goes before this one, waits, and is expected back.
    pub fn is_behind(&self, project: &ProjectName, who: &Waiting, now: SystemTime) -> bool {
        let known = self.known();
        let Some(known) = known.get(project).filter(|known| known.goes_before(who, now)) else { return false };
        !known.first.as_ref().is_some_and(|first| first.who.is_alike(who))
    }

    /// Puts a trigger that must wait for a build of its own into the line; the first is expected back within `delay`.
    pub fn line_up(&self, project: &ProjectName, who: Waiting, now: SystemTime, delay: Duration) -> Place {
        let mut place = Place::First;
        self.of(project, |known| {
            if known.goes_before(&who, now) {
                place = Place::Behind;
            } else {
                known.first = Some(First { who, since: now, until: now + delay + LATENESS });
            }
        });
        place
    }

    /// A trigger waits no more.
    pub fn leave_line(&self, project: &ProjectName, trigger_id: &str) {
        // It may be of a project that there is not.
        if let Some(known) = self.known().get_mut(project) {
            known.first = known.first.take().filter(|first| first.who.trigger_id != trigger_id);
            known.pins.retain(|pin| pin.trigger_id != trigger_id);
        }
    }

    /// A trigger is here; if it is pinned and has to wait, a build for another one of its branch may answer it.
    pub fn note_pin(&self, trigger: &Trigger, trigger_id: &str, published: SystemTime, now: SystemTime) {
        let Some(commit) = trigger.commit.clone() else { return };
        let (trigger_id, branch) = (trigger_id.to_owned(), trigger.branch.clone());
        self.of(&trigger.project, |known| {
            known.pins.retain(|pin| (&pin.branch, &pin.commit) != (&branch, &commit));
            let place = known.pins.partition_point(|pin| pin.published > published);
            known.pins.insert(place, Pin { trigger_id, published, branch, commit, since: now });
            known.pins.truncate(MAX_PINS);
        });
    }

    /// The commits that wait beside this trigger's own for its branch: those first that a build has `seen` on it, then the ones
    /// that were published last. What was not there for longer than it may stay away has left the queue.
    pub fn commits_beside(
        &self,
        trigger: &Trigger,
        seen: Option<&Seen>,
        now: SystemTime,
        longest_delay: Duration,
    ) -> Vec<CommitId> {
        let known = self.known();
        let pins = known.get(&trigger.project).map(|known| known.pins.as_slice()).unwrap_or_default();
        let is_here = |pin: &&Pin| pin.branch == trigger.branch && pin.since + longest_delay + LATENESS > now;
        let mut commits = Vec::new();
        for commit in pins.iter().filter(is_here).map(|pin| &pin.commit) {
            if Some(commit) != trigger.commit.as_ref() && !commits.contains(commit) {
                commits.push(commit.clone());
            }
        }
        let seen = seen.and_then(|seen| seen.of(&trigger.branch));
        commits.sort_by_key(|commit| !seen.is_some_and(|seen| seen.commits.contains(commit)));
        commits.truncate(MAX_WAITING_COMMITS);
        commits
    }

    fn of(&self, project: &ProjectName, change: impl FnOnce(&mut Known)) {
        change(self.known().entry(project.clone()).or_default());
    }

    fn known(&self) -> MutexGuard<'_, HashMap<ProjectName, Known>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was learnt at a time, if that was just now: not long ago, and not in the future of a clock that was set back.
fn fresh<T: Clone>(kept: Option<&(SystemTime, T)>, now: SystemTime) -> Option<(SystemTime, T)> {
    let kept = kept?;
    let age = now.duration_since(kept.0).ok()?;
    (age <= FRESHNESS).then(|| kept.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: SystemTime = SystemTime::UNIX_EPOCH;

    fn demo() -> ProjectName {
        ProjectName::parse("demo").unwrap()
    }

    fn after(seconds: u64) -> SystemTime {
        T0 + Duration::from_secs(seconds)
    }

    fn waiting(published: u64, id: &str) -> Waiting {
        let branch = Branch::parse("main").unwrap();
        Waiting { is_pinned: true, published: after(published), trigger_id: id.to_owned(), branch }
    }

    #[test]
    fn what_was_learnt_is_soon_forgotten() {
        let memory = Memory::default();
        let building = (Busy::Building, "it builds".to_owned());
        memory.keep_busy(&demo(), after(100), building.0, building.1.clone());
        assert_eq!(memory.busy(&demo(), after(102)), Some(building));
        assert_eq!(memory.busy(&demo(), after(103)), None);
        assert_eq!(memory.busy(&demo(), after(99)), None, "the clock was set back");
    }

    #[test]
    fn a_start_is_remembered_and_forgets_the_line() {
        let memory = Memory::default();
        memory.line_up(&demo(), waiting(5, "b"), after(1), Duration::from_secs(10));
        memory.started(&demo(), after(1), |_| History::default());
        assert!(memory.history(&demo(), after(1)).is_some());
        assert!(memory.started_since(&demo(), after(0)) && !memory.started_since(&demo(), after(1)));
        assert!(!memory.is_behind(&demo(), &waiting(6, "c"), after(1)));
    }

    #[test]
    fn one_of_the_head_is_not_behind_another_of_its_branch() {
        let memory = Memory::default();
        let head = |published, id| Waiting { is_pinned: false, ..waiting(published, id) };
        memory.line_up(&demo(), head(5, "a"), after(20), Duration::from_secs(10));
        assert!(!memory.is_behind(&demo(), &head(6, "b"), after(21)));
        let other = Waiting { branch: Branch::parse("other").unwrap(), ..head(6, "b") };
        assert!(memory.is_behind(&demo(), &other, after(21)));
        assert_eq!(memory.line_up(&demo(), head(6, "b"), after(21), Duration::from_secs(10)), Place::Behind);
    }

    #[test]
    fn who_leaves_the_line_of_an_unknown_project_leaves_nothing_behind() {
        let memory = Memory::default();
        memory.leave_line(&demo(), "a");
        assert!(memory.known().is_empty());
    }

    #[test]
    fn a_failure_of_the_register_is_remembered() {
        let memory = Memory::default();
        assert!(!memory.register_failed_since(after(0)));
        memory.note_register_failure(after(5));
        assert!(memory.register_failed_since(after(4)) && !memory.register_failed_since(after(5)));
    }

    #[test]
    fn the_oldest_that_is_expected_back_goes_first() {
        let (memory, delay) = (Memory::default(), Duration::from_secs(10));
        assert_eq!(memory.line_up(&demo(), waiting(5, "b"), after(20), delay), Place::First);
        assert_eq!(memory.line_up(&demo(), waiting(6, "c"), after(20), delay), Place::Behind);
        assert!(memory.is_behind(&demo(), &waiting(6, "c"), after(20)));
        // An older one comes to the fore, and is not behind itself.
        assert_eq!(memory.line_up(&demo(), waiting(4, "a"), after(21), delay), Place::First);
        assert!(!memory.is_behind(&demo(), &waiting(4, "a"), after(21)));
        assert!(memory.is_behind(&demo(), &waiting(5, "b"), after(21)));
        // And one of the head, young as it is.
        let head = Waiting { is_pinned: false, ..waiting(7, "d") };
        assert!(!memory.is_behind(&demo(), &head, after(22)));
        assert_eq!(memory.line_up(&demo(), head, after(22), delay), Place::First);
        assert!(memory.is_behind(&demo(), &waiting(4, "a"), after(22)));
    }

    #[test]
    fn who_does_not_come_back_or_has_left_holds_nobody_up() {
        let (memory, delay) = (Memory::default(), Duration::from_secs(10));
        memory.line_up(&demo(), waiting(5, "b"), after(20), delay);
        assert!(memory.is_behind(&demo(), &waiting(6, "c"), after(34)));
        assert!(!memory.is_behind(&demo(), &waiting(6, "c"), after(35)));
        memory.line_up(&demo(), waiting(5, "b"), after(40), delay);
        memory.leave_line(&demo(), "c");
        assert!(memory.is_behind(&demo(), &waiting(6, "c"), after(41)));
        memory.leave_line(&demo(), "b");
        assert!(!memory.is_behind(&demo(), &waiting(6, "c"), after(41)));
    }
}
