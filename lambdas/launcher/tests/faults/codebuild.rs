//! CodeBuild: one project for each registered one, with a concurrent limit of one, idempotency tokens of five minutes, and a
//! history. What a build does is in `build.rs`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::build::{self, Build, Status};
use crate::clock;
use crate::dice::Dice;
use crate::trigger::{self, Event, Start};
use crate::world::{Answer, CONFIG_PATH, Flaw, Project, World};

const TOKEN_LIFE: Duration = Duration::from_secs(300);
const PAGE: usize = 100;
/// How long a new build may be missing in the list.
const LIST_LAG: Duration = Duration::from_millis(1500);
/// A clock that is so far ahead is a flaw: the launcher allows for five seconds.
const FAR_AHEAD_MILLISECONDS: i64 = 60_000;

pub struct CodeBuild {
    names: HashMap<String, usize>,
    yards: Vec<Mutex<Yard>>,
    skew_milliseconds: i64,
    pub running: AtomicUsize,
}

/// One project's builds.
#[derive(Default)]
pub struct Yard {
    pub builds: Vec<Build>,
    tokens: HashMap<String, (Duration, usize, Value)>,
}

impl CodeBuild {
    pub fn new(projects: &[Project], dice: &Dice, skew_milliseconds: i64, flaw: Flaw) -> Self {
        let name = |project: &Project| format!("{CONFIG_PATH}--{}", project.name);
        let skew_milliseconds = match flaw {
            Flaw::ClockAhead => FAR_AHEAD_MILLISECONDS,
            _ => dice.around_zero(skew_milliseconds),
        };
        Self {
            names: projects.iter().enumerate().map(|(number, project)| (name(project), number)).collect(),
            yards: projects.iter().map(|_| Mutex::default()).collect(),
            skew_milliseconds,
            running: AtomicUsize::new(0),
        }
    }

    pub fn yard(&self, project: usize) -> MutexGuard<'_, Yard> {
        self.yards[project].lock().unwrap()
    }

    pub fn is_quiet(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0
    }

    /// `StartBuild`.
    pub fn start(&self, world: &Arc<World>, body: &Value) -> Answer {
        let Some(&project) = body["projectName"].as_str().and_then(|name| self.names.get(name)) else {
            return Answer::error(400, "ResourceNotFoundException", "Project cannot be found");
        };
        let variable = |name: &str| {
            let variables = body["environmentVariablesOverride"].as_array()?;
            let variable = variables.iter().find(|variable| variable["name"] == name)?;
            Some(variable["value"].as_str()?.to_owned())
        };
        let trigger = variable("TRIGGERID").and_then(|id| trigger::number(&id)).expect("every build has its trigger");
        let note = |start| world.ledger.note(trigger, Event::StartAsked(start));
        if world.projects[project].denied.load(Ordering::Relaxed) {
            note(Start::Denied);
            return Answer::error(400, "AccessDeniedException", "not authorized to perform: codebuild:StartBuild");
        }
        let mut yard = self.yard(project);
        let token = body["idempotencyToken"].as_str().filter(|_| world.rules.tokens);
        let known = token.and_then(|token| yard.tokens.get(token)).cloned();
        // Which is looked at first, token or limit, AWS does not say.
        let limit_first = world.dice.chance(0.5);
        let is_full = world.rules.one_at_a_time && yard.builds.last().is_some_and(|build| build.ended.is_none());
        let known = known.filter(|(since, ..)| *since + TOKEN_LIFE > clock::now());
        if let Some((_, build, first)) = known.filter(|_| !(limit_first && is_full)) {
            if first != body["environmentVariablesOverride"] {
                note(Start::Mismatch);
                let message = "The idempotency token was used for a request with different parameters";
                return Answer::error(400, "InvalidInputException", message);
            }
            note(Start::SameAgain);
            let build = &yard.builds[build];
            return Answer::ok(json!({"build": {"id": id(project, build, world), "buildStatus": build.status.word()}}));
        }
        // One error for both limits, as at AWS; only the account's text is known.
        let refused = if is_full {
            Some("The project has as many builds as it may")
        } else {
            let is_account_full =
                world.faults.strikes(&world.dice, "account limit without a build", |rates| rates.account_limit);
            is_account_full.then_some("Cannot have more than 1 builds in queue for the account")
        };
        if let Some(message) = refused {
            note(Start::LimitExceeded);
            return Answer::error(400, "AccountLimitExceededException", message);
        }
        note(Start::Began);
        let number = yard.builds.len();
        let branch = variable("GITBRANCH").expect("every build has its branch");
        let build = Build {
            number,
            trigger,
            branch,
            commit: variable("GITCOMMIT"),
            began: clock::now(),
            listed: clock::now() + world.dice.between(Duration::ZERO, LIST_LAG),
            ended: None,
            status: Status::InProgress,
            waiting: variable("WAITINGCOMMITS")
                .map(|ids| ids.split(' ').map(str::to_owned).collect())
                .unwrap_or_default(),
            cloned: None,
            reached: None,
        };
        if let Some(token) = token {
            yard.tokens.insert(token.to_owned(), (clock::now(), number, body["environmentVariablesOverride"].clone()));
        }
        let answer = Answer::ok(json!({"build": {"id": id(project, &build, world)}}));
        yard.builds.push(build);
        self.running.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(build::run(world.clone(), project, number));
        answer
    }

    /// `ListBuildsForProject`, newest first. The token of a page is the number of builds that are older than it.
    pub fn list(&self, body: &Value) -> Answer {
        let name = body["projectName"].as_str().unwrap_or_default();
        let Some(&project) = self.names.get(name) else {
            return Answer::error(400, "ResourceNotFoundException", "Project cannot be found");
        };
        let yard = self.yard(project);
        if !body["sortOrder"].is_null() && yard.builds.len() > PAGE {
            return Answer::error(400, "InvalidInputException", "no sort order with more than 100 builds");
        }
        let now = clock::now();
        let end = body["nextToken"].as_str().map_or(yard.builds.len(), |token| token.parse().unwrap());
        let begin = end.saturating_sub(PAGE);
        let listed = yard.builds[begin..end].iter().rev().filter(|build| build.listed <= now);
        let ids: Vec<_> = listed.map(|build| format!("{name}:{}", build.number)).collect();
        Answer::ok(json!({"ids": ids, "nextToken": (begin > 0).then(|| begin.to_string())}))
    }

    /// `BatchGetBuilds`, in no particular order.
    pub fn get(&self, world: &World, body: &Value) -> Answer {
        let ids = body["ids"].as_array().unwrap().iter().filter_map(Value::as_str);
        let mut builds: Vec<_> = ids
            .map(|id| {
                let (name, number) = id.rsplit_once(':').unwrap();
                let yard = self.yard(self.names[name]);
                self.shown(id, &yard.builds[number.parse::<usize>().unwrap()], world.rules.flaw)
            })
            .collect();
        world.dice.shuffle(&mut builds);
        Answer::ok(json!({"builds": builds, "buildsNotFound": []}))
    }

    fn shown(&self, id: &str, build: &Build, flaw: Flaw) -> Value {
        let trigger_id = trigger::id(build.trigger);
        let waiting = (!build.waiting.is_empty()).then(|| build.waiting.join(" "));
        let variables: Vec<_> = [
            ("GITBRANCH", Some(build.branch.as_str())),
            ("GITCOMMIT", build.commit.as_deref().filter(|_| flaw != Flaw::PinsHidden)),
            ("WAITINGCOMMITS", waiting.as_deref().filter(|_| flaw != Flaw::PinsHidden)),
            ("TRIGGERID", Some(trigger_id.as_str()).filter(|_| flaw != Flaw::TriggersHidden)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(json!({"name": name, "value": value?, "type": "PLAINTEXT"})))
        .collect();
        json!({
            "id": id, "buildNumber": build.number + 1, "buildStatus": build.status.word(),
            "startTime": self.shown_time(build.began), "endTime": build.ended.map(|ended| self.shown_time(ended)),
            "environment": {
                "type": "LINUX_CONTAINER", "image": "image", "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": variables,
            },
        })
    }

    /// Whole seconds, by the clock of the machine that builds.
    pub fn seconds(&self, at: Duration) -> u64 {
        clock::time_of_day(at, self.skew_milliseconds).duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    /// Seconds with milliseconds, by CodeBuild's clock.
    fn shown_time(&self, at: Duration) -> f64 {
        let time = clock::time_of_day(at, self.skew_milliseconds).duration_since(UNIX_EPOCH).unwrap();
        (time.as_secs_f64() * 1000.0).floor() / 1000.0
    }
}

fn id(project: usize, build: &Build, world: &World) -> String {
    format!("{CONFIG_PATH}--{}:{}", world.projects[project].name, build.number)
}
