//! The simulated account: its parts, and which service answers which call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::Seen;
use serde_json::{Value, json};

use crate::codebuild::CodeBuild;
use crate::dice::Dice;
use crate::faults::{Faults, Rates};
use crate::queue::Queue;
use crate::repository::Branch;
use crate::trigger::Ledger;

pub const CONFIG_PATH: &str = "iwomp-in-aws";
pub const TOPIC_ARN: &str = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws";

/// Who answers the triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Design {
    Ours,
    Article,
}

/// How AWS and the worker behave. Each `false` and each flaw makes a world in which the judge must find something.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// CodeBuild's concurrent limit of one for each project.
    pub one_at_a_time: bool,
    /// CodeBuild's idempotency tokens.
    pub tokens: bool,
    /// The worker does not go back behind what is live.
    pub forward_only: bool,
    pub flaw: Flaw,
    /// A build's time from clone to end.
    pub build: (Duration, Duration),
}

/// What a world can have that contradicts what the launcher relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// The history shows no pinned commits, so that the launcher takes every build for one of the head.
    PinsHidden,
    /// The history shows no trigger ids.
    TriggersHidden,
    /// CodeBuild's clock is ahead by more than the launcher allows for.
    ClockAhead,
    /// The queue forgets a message now and then.
    QueueForgets,
}

impl Rules {
    pub const OURS: Self = Self {
        one_at_a_time: true,
        tokens: true,
        forward_only: true,
        flaw: Flaw::None,
        build: (Duration::from_secs(20), Duration::from_secs(300)),
    };
    /// What the article has: every trigger begins a build at once, and every build deploys what it finds.
    pub const ARTICLE: Self = Self { one_at_a_time: false, forward_only: false, ..Self::OURS };
}

pub struct Project {
    pub name: String,
    /// The register entry.
    pub entry: String,
    pub branches: Mutex<Vec<Branch>>,
    /// What its pinned builds have noted.
    pub seen: Mutex<Option<Seen>>,
    pub paused: AtomicBool,
    /// The launcher's role has lost its right to start this project's builds.
    pub denied: AtomicBool,
}

impl Project {
    pub fn new(name: String, entry: String, branches: Vec<Branch>) -> Self {
        let (paused, denied) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { name, entry, branches: Mutex::new(branches), seen: Mutex::default(), paused, denied }
    }
}

pub struct World {
    pub design: Design,
    pub rules: Rules,
    pub dice: Dice,
    pub faults: Faults,
    pub ledger: Ledger,
    pub projects: Vec<Project>,
    pub codebuild: CodeBuild,
    pub queue: Queue,
    /// Answered calls by action, and what is on its way between SNS and the queue.
    calls: Mutex<BTreeMap<String, u64>>,
    pub undelivered: AtomicUsize,
}

/// What a service answers.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self { status, body: json!({"__type": code, "message": message}) }
    }
}

impl World {
    pub fn new(seed: u64, design: Design, rules: Rules, rates: Rates, projects: Vec<Project>) -> Arc<Self> {
        let dice = Dice::new(seed);
        let codebuild = CodeBuild::new(&projects, &dice, rates.skew_milliseconds, rules.flaw);
        Arc::new(Self {
            design,
            rules,
            dice,
            faults: Faults::new(rates),
            ledger: Ledger::default(),
            projects,
            codebuild,
            queue: Queue::default(),
            calls: Mutex::default(),
            undelivered: AtomicUsize::new(0),
        })
    }

    /// Does what a call asks for, and says what came of it.
    pub fn serve(self: &Arc<Self>, action: &str, body: &Value) -> Answer {
        *self.calls.lock().unwrap().entry(action.to_owned()).or_default() += 1;
        match action {
            "GetParameters" => self.get_parameters(body),
            "StartBuild" => self.codebuild.start(self, body),
            "ListBuildsForProject" => self.codebuild.list(body),
            "BatchGetBuilds" => self.codebuild.get(self, body),
            "ChangeMessageVisibilityBatch" => self.queue.change_visibilities(self, body),
            "SendMessage" => self.queue.take_dead_letter(self, body),
            _ => Answer::error(400, "UnknownOperationException", "the world has no such call"),
        }
    }

    /// SSM's `GetParameters`: what there is of the names, the others left out.
    fn get_parameters(&self, body: &Value) -> Answer {
        let names = body["Names"].as_array().unwrap().iter().filter_map(Value::as_str);
        let parameters: Vec<_> = names
            .filter_map(|name| {
                let (path, project) = name.rsplit_once('/')?;
                let project = self.project(project)?;
                let value = match path.strip_prefix("/iwomp-in-aws")? {
                    "" => project.entry.clone(),
                    "-paused" if project.paused.load(Ordering::Relaxed) => "the simulation says so".to_owned(),
                    "-deployed" => project.seen.lock().unwrap().as_ref()?.to_json(),
                    _ => return None,
                };
                Some(json!({"Name": name, "Type": "String", "Value": value, "Version": 1}))
            })
            .collect();
        Answer::ok(json!({"Parameters": parameters, "InvalidParameters": []}))
    }

    pub fn project(&self, name: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.name == name)
    }

    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.calls.lock().unwrap().clone()
    }
}
