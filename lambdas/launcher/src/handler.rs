//! From a queue message to a build of a registered project, or to the reason why not. Read this file to know what a holder
//! of the CI credential can reach.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use contract::{Outcome, ProjectName, Report, Seen, Trigger};
use futures::future::join_all;
use iwomp_aws::error::AwsError;
use tokio::time::{Instant, timeout, timeout_at};

use crate::aws::Aws;
use crate::builds::{self, History};
use crate::cap;
use crate::delivery::{self, Delivery};
use crate::environment::Environment;
use crate::fate::{self, Busy, Fate, Place, Stop};
use crate::memory::{Memory, Waiting};
use crate::queue::{self, Postponed};
use crate::report;
use crate::turn::{self, Sleep, Standing, Turn};

/// Longest time for a batch's triggers, all calls together. With [`SETTLE_TIMEOUT`] less than the function's timeout of 15 s,
/// so that a slow AWS costs the triggers one try and not the whole batch its answer.
const BATCH_TIMEOUT: Duration = Duration::from_secs(9);
/// Longest time to say to the queue what becomes of the messages.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(4);

const NOT_AHEAD: &str = "a build has fetched the branch since, and there the commit is not newer than what is live, or not on the \
     branch at all: nothing is to be run";

pub struct Launcher {
    environment: Environment,
    aws: Aws,
    /// The time of day; the tests have their own.
    now: fn() -> SystemTime,
    memory: Memory,
}

/// What came of one message, on its way to the queue's answer.
struct Verdict<'a> {
    record: &'a SqsMessage,
    report: Report,
    fate: Fate,
    place: Place,
}

impl Launcher {
    #[must_use]
    pub fn new(environment: Environment, aws: Aws, now: fn() -> SystemTime) -> Self {
        Self { environment, aws, now, memory: Memory::default() }
    }

    /// Answers a batch: reports each trigger's outcome and gives those that must wait back to the queue.
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let mut verdicts = self.launch_all(&event.records).await;
        self.settle(&mut verdicts).await;
        let mut response = SqsBatchResponse::default();
        for Verdict { record, report, fate, .. } in verdicts {
            let now = (self.now)();
            report::print(&report, fate.told(), delivery::tries(record), delivery::waited(record, now), now);
            if !fate.is_settled() {
                response.add_failure(record.message_id.clone().unwrap_or_default());
            }
        }
        response
    }

    /// Takes all messages as far as they get: projects side by side, the triggers of one after another, so that one build
    /// answers for them all.
    async fn launch_all<'a>(&self, records: &'a [SqsMessage]) -> Vec<Verdict<'a>> {
        let deadline = Instant::now() + BATCH_TIMEOUT;
        let mut verdicts = Vec::new();
        let mut by_project = BTreeMap::<ProjectName, Vec<_>>::new();
        for record in records {
            let mut report = Report::new(Outcome::Started);
            match self.open(record, &mut report) {
                Ok((delivery, trigger)) => {
                    by_project.entry(trigger.project.clone()).or_default().push((record, report, delivery, trigger));
                }
                Err(stop) => verdicts.push(self.judge(record, report, stop, Place::Behind)),
            }
        }
        let projects = by_project.into_iter().map(|(project, mut triggers)| async move {
            triggers.sort_by_key(|(_, _, delivery, _)| delivery.published);
            // What came together can be answered together, once it is known that there is such a project.
            if triggers.len() > 1 && matches!(timeout_at(deadline, self.entry(&project)).await, Ok(Ok(_))) {
                for (_, _, delivery, trigger) in &triggers {
                    self.memory.note_pin(trigger, &delivery.trigger_id, delivery.published, (self.now)());
                }
            }
            let mut verdicts = Vec::new();
            for (record, report, delivery, trigger) in triggers {
                verdicts.push(self.launch(record, report, &delivery, &trigger, deadline).await);
            }
            verdicts
        });
        verdicts.extend(join_all(projects).await.into_iter().flatten());
        verdicts
    }

    /// What a message asks for. Notes in `report` what is known of it so far.
    fn open(&self, record: &SqsMessage, report: &mut Report) -> Result<(Delivery, Trigger), Stop> {
        let delivery = Delivery::open(record, &self.environment.queue_arn, &self.environment.topic_arn)?;
        report.trigger = Some(delivery.trigger_id.clone());
        report.project = delivery.project().cloned();
        let trigger = delivery.trigger()?;
        report.project = Some(trigger.project.clone());
        report.branch = Some(trigger.branch.clone());
        report.commit.clone_from(&trigger.commit);
        Ok((delivery, trigger))
    }

    /// Takes one trigger as far as it gets.
    async fn launch<'a>(
        &self,
        record: &'a SqsMessage,
        report: Report,
        delivery: &Delivery,
        trigger: &Trigger,
        deadline: Instant,
    ) -> Verdict<'a> {
        let mut standing = Standing::default();
        let stop = match timeout_at(deadline, self.try_launch(delivery, trigger, &mut standing)).await {
            Ok(Ok(build)) => {
                self.memory.leave_line(&trigger.project, &delivery.trigger_id);
                let report = Report { build: Some(build), ..report };
                return Verdict { record, report, fate: Fate::Leave, place: Place::First };
            }
            Ok(Err(stop)) => stop,
            Err(_) => {
                let reason = format!("AWS did not answer within {} s: will be tried again", BATCH_TIMEOUT.as_secs());
                Stop::TimedOut { reason }
            }
        };
        let place = self.place(&stop, delivery, trigger, standing);
        self.judge(record, report, stop, place)
    }

    /// The way of a trigger to the id of its build. Notes in `standing` what the history says of its place.
    async fn try_launch(
        &self,
        delivery: &Delivery,
        trigger: &Trigger,
        standing: &mut Standing,
    ) -> Result<String, Stop> {
        let project = &trigger.project;
        let limits = &self.environment.limits;
        // Of a paused project nothing expires, whatever the history says. And while SSM is away no build can be started, so
        // that the history need not be read.
        let now = (self.now)();
        if fate::may_expire(delivery.published, now, limits) || self.memory.register_failed_since(now - limits.retry) {
            self.entry(project).await?.1.check(trigger)?;
        }
        if let Some(known) = self.look(delivery, trigger).await? {
            if let Some(answer) = answered(&known.1, trigger, delivery) {
                return answer;
            }
            if known.1.running().is_some() {
                *standing = Standing::of(None, &known, trigger, delivery, (self.now)(), limits);
                return Err(building(project));
            }
        }

        let (entry_read, mut entry) = self.entry(project).await?;
        entry.check(trigger)?;
        let now = (self.now)();
        if delivery.is_fresh(now) && !turn::is_after_others(entry.seen.as_ref(), trigger, now) {
            self.check_busy(project)?;
            if self.memory.started_since(project, now - cap::unwatched_pause(limits)) {
                let (_, history) = self.history(project, now).await?;
                if history.running().is_some() {
                    return Err(building(project));
                }
                cap::check(trigger, &history, standing.turn, now, limits)?;
            }
        } else {
            let known = self.history(project, delivery.published).await?;
            let (read, history) = (known.0, &known.1);
            // A build that ended since has left a note that an older reading of the register lacks.
            if trigger.commit.is_some() && entry_read < read && history.has_pinned_end_since(entry_read) {
                entry = self.read_entry(project).await?;
                entry.check(trigger)?;
            }
            let seen = entry.seen.as_ref();
            if let Some(answer) = answered(history, trigger, delivery) {
                return answer;
            }
            if let Some(stop) = turn::answer(seen, trigger, delivery, now) {
                return Err(stop);
            }
            *standing = Standing::of(seen, &known, trigger, delivery, now, limits);
            // It may have ended since: a newer history shows it, and whose turn it is then.
            if history.running().is_some() {
                return Err(building(project));
            }
            cap::check(trigger, history, standing.turn, (self.now)(), limits)?;
            if turn::lets_others_pass(standing.turn, seen, history, trigger, (self.now)(), limits) {
                let reason = "others go first that the last build passed over, if there are any".to_owned();
                return Err(Stop::Busy { class: Busy::InLine, reason });
            }
            self.check_busy(project)?;
        }
        if standing.turn == Turn::Later && self.memory.is_behind(project, &waiting(delivery, trigger), (self.now)()) {
            let reason = "another trigger of the project goes first".to_owned();
            return Err(Stop::Busy { class: Busy::InLine, reason });
        }
        let started = self.start(delivery, trigger, entry.seen.as_ref()).await;
        // The history tells for how long to sleep, and spares the next trigger this try.
        if matches!(started, Err(Stop::Busy { class: Busy::Building, .. }))
            && let Ok(known) = self.history(project, delivery.published).await
        {
            *standing = Standing::of(entry.seen.as_ref(), &known, trigger, delivery, (self.now)(), limits);
        }
        started
    }

    /// Whether the project cannot start a build, as was seen just now.
    fn check_busy(&self, project: &ProjectName) -> Result<(), Stop> {
        match self.memory.busy(project, (self.now)()) {
            Some((class, reason)) => Err(Stop::Busy { class, reason }),
            None => Ok(()),
        }
    }

    async fn start(&self, delivery: &Delivery, trigger: &Trigger, seen: Option<&Seen>) -> Result<String, Stop> {
        let Environment { config_path, limits, .. } = &self.environment;
        let waiting = match trigger.commit {
            Some(_) => self.memory.commits_beside(trigger, seen, (self.now)(), limits.retry),
            None => Vec::new(),
        };
        let started = builds::start(&self.aws.codebuild, config_path, trigger, &delivery.trigger_id, &waiting).await;
        let now = (self.now)();
        match &started {
            Ok(build) if !build.has_ended => self.memory.started(&trigger.project, now, |before| {
                before.with_started(&build.id, trigger, &delivery.trigger_id, &waiting, now)
            }),
            Err(Stop::Busy { class, reason }) => {
                self.memory.keep_busy(&trigger.project, now, *class, reason.clone());
            }
            _ => {}
        }
        started.map(|build| build.id)
    }

    /// Where a trigger that stopped stands in the line of its project.
    fn place(&self, stop: &Stop, delivery: &Delivery, trigger: &Trigger, standing: Standing) -> Place {
        match stop {
            Stop::Busy { class: Busy::Paused, .. } => Place::Paused,
            Stop::Busy { .. } if let Some(Sleep { first: None, behind }) = standing.sleep => {
                self.memory.leave_line(&trigger.project, &delivery.trigger_id);
                Place::Until(behind)
            }
            Stop::Busy {
                class: class @ (Busy::Building | Busy::AccountLimit | Busy::InLine | Busy::HourlyCap),
                ..
            } => {
                let limits = &self.environment.limits;
                let first = standing.sleep.and_then(|sleep| sleep.first).map_or(Place::First, Place::Until);
                let latest = fate::delay(first, delivery.tries, 0.0, limits);
                let now = (self.now)();
                self.memory.note_pin(trigger, &delivery.trigger_id, delivery.published, now);
                let place = self.memory.line_up(&trigger.project, waiting(delivery, trigger), now, latest);
                match (place, standing.sleep) {
                    _ if standing.turn == Turn::PassedOver && standing.sleep.is_none() => Place::First,
                    (Place::First, _) => first,
                    (Place::Behind, Some(sleep)) if *class != Busy::HourlyCap => Place::Until(sleep.behind),
                    _ => place,
                }
            }
            _ => {
                self.memory.leave_line(&trigger.project, &delivery.trigger_id);
                Place::Behind
            }
        }
    }

    /// What becomes of a message that `stop` stopped, and how that is reported.
    fn judge<'a>(&self, record: &'a SqsMessage, report: Report, stop: Stop, place: Place) -> Verdict<'a> {
        let (tries, waited) = (delivery::tries(record), delivery::waited(record, (self.now)()));
        let fate = fate::fate(&stop, tries, waited, &self.environment.limits);
        let (outcome, class) = stop.outcome();
        let (build, reason) = match stop {
            Stop::Covered { build } => (Some(build), None),
            Stop::NotAhead { build } => (build, Some(NOT_AHEAD.to_owned())),
            Stop::KeepsFailing { build, reason } => (Some(build), Some(reason)),
            Stop::Refused { reason, .. }
            | Stop::Busy { reason, .. }
            | Stop::Failed { reason, .. }
            | Stop::TimedOut { reason } => (None, Some(reason)),
        };
        Verdict { record, report: Report { outcome, class, build, reason, ..report }, fate, place }
    }

    /// Tells the queue what becomes of the messages that do not leave it by themselves.
    async fn settle(&self, verdicts: &mut [Verdict<'_>]) {
        let settled = timeout(SETTLE_TIMEOUT, async {
            join_all(verdicts.iter_mut().map(|verdict| self.give_up(verdict))).await;
            let waiting = verdicts.iter().filter(|verdict| verdict.fate == Fate::Wait);
            let postponed: Vec<_> = waiting.filter_map(|verdict| self.postponed(verdict)).collect();
            queue::postpone(&self.aws.sqs, &self.environment.queue_url, &postponed).await;
        });
        if settled.await.is_err() {
            tracing::warn!("SQS did not answer: the visibility timeout serves");
        }
    }

    /// Makes a message that is to be given up a dead letter. What was wrong stays in its report.
    async fn give_up(&self, verdict: &mut Verdict<'_>) {
        let Fate::GiveUp(outcome) = verdict.fate else { return };
        let body = verdict.record.body.as_deref().unwrap_or_default();
        match queue::give_up(&self.aws.sqs, &self.environment.dead_letter_queue_url, body).await {
            Ok(()) => {
                verdict.fate = Fate::GivenUp;
                verdict.report.outcome = outcome;
            }
            Err(AwsError { reason, .. }) => {
                tracing::warn!(reason, "a trigger that was to be given up waits on");
                verdict.fate = Fate::Wait;
            }
        }
    }

    fn postponed(&self, verdict: &Verdict<'_>) -> Option<Postponed> {
        let tries = delivery::tries(verdict.record);
        let limits = &self.environment.limits;
        let delay = fate::delay(verdict.place, tries, fastrand::f64(), limits);
        // The queue does that by itself: it is its visibility timeout.
        if delay == limits.visibility {
            return None;
        }
        Some(Postponed { receipt_handle: verdict.record.receipt_handle.clone()?, delay })
    }
}

/// What the history alone says: that there is a build of this very trigger, or that none is needed.
fn answered(history: &History, trigger: &Trigger, delivery: &Delivery) -> Option<Result<String, Stop>> {
    if let Some(build) = history.build_of(delivery) {
        return Some(Ok(build.to_owned()));
    }
    history.answer(trigger, delivery).map(Err)
}

fn building(project: &ProjectName) -> Stop {
    Stop::Busy { class: Busy::Building, reason: format!("a build of {project} runs") }
}

fn waiting(delivery: &Delivery, trigger: &Trigger) -> Waiting {
    let is_pinned = trigger.commit.is_some();
    Waiting {
        is_pinned,
        published: delivery.published,
        trigger_id: delivery.trigger_id.clone(),
        branch: trigger.branch.clone(),
    }
}

mod known;
#[cfg(test)]
pub(crate) mod tests;
