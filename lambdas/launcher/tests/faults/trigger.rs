//! The triggers that were published, by number, and what happened to each: the ledger that the judge holds against the builds.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock;
use crate::repository::Number;

#[derive(Debug)]
pub struct Trigger {
    pub project: usize,
    /// Branch and commit of the message, as CI wrote them.
    pub branch: String,
    pub commit: Option<String>,
    pub published: Duration,
    pub asked: Asked,
    pub events: Vec<(Duration, Event)>,
}

/// What a trigger is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A deployment that is not older than this commit.
    Commit(Number),
    /// A try: the pinned commit is not on the branch, so that the worker must refuse it.
    Try,
    /// A refusal.
    Refusal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Another copy came into the queue.
    Queued,
    Received {
        tries: u32,
    },
    Postponed {
        seconds: u64,
    },
    /// `StartBuild` had this result, whether or not the launcher learnt it.
    StartAsked(Start),
    /// A copy left the queue.
    Answered,
    DeadLettered,
    Redriven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Began,
    SameAgain,
    LimitExceeded,
    Mismatch,
    Denied,
}

#[derive(Default)]
pub struct Ledger(Mutex<Vec<Trigger>>);

impl Ledger {
    /// Enters a trigger and gives it its number.
    pub fn enter(&self, trigger: Trigger) -> usize {
        let mut triggers = self.0.lock().unwrap();
        triggers.push(trigger);
        triggers.len() - 1
    }

    pub fn note(&self, trigger: usize, event: Event) {
        self.0.lock().unwrap()[trigger].events.push((clock::now(), event));
    }

    /// Project, branch and commit of a trigger, and what it is owed.
    pub fn message(&self, trigger: usize) -> (usize, String, Option<String>, Asked) {
        let Trigger { project, branch, commit, asked, .. } = &self.0.lock().unwrap()[trigger];
        (*project, branch.clone(), commit.clone(), *asked)
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Everything, for the judge.
    pub fn take(&self) -> Vec<Trigger> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// The SNS message id of a trigger: a UUID that tells its number.
pub fn id(number: usize) -> String {
    format!("5eed0000-0000-4000-8000-{number:012x}")
}

pub fn number(id: &str) -> Option<usize> {
    usize::from_str_radix(id.strip_prefix("5eed0000-0000-4000-8000-")?, 16).ok()
}
