//! What goes wrong, how often, and how often it did.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock;
use crate::dice::Dice;

/// How likely each fault is, for every call, delivery or invocation that it can strike.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// The call is refused before it has an effect.
    pub throttled: f64,
    pub unavailable: f64,
    /// `AccountLimitExceededException` although the project has no build: the account's own limit.
    pub account_limit: f64,
    /// The call had its effect, and the answer is an error of the server, or nothing, or a broken connection.
    pub error_after_effect: f64,
    pub silent_after_effect: f64,
    pub cut_after_effect: f64,
    /// Nothing happens and nobody answers.
    pub silent: f64,
    /// The call has its effect long after the caller gave it up.
    pub late_effect: f64,
    /// Seconds instead of milliseconds.
    pub slow: f64,
    /// One entry of a `ChangeMessageVisibilityBatch` is not set.
    pub entry_failed: f64,
    /// The instance of the function dies: before a call, after its effect, at any other await, before its answer is taken.
    pub crash_before_call: f64,
    pub crash_after_call: f64,
    pub crash_at_await: f64,
    pub crash_before_answer: f64,
    /// Lambda takes the answer but does not get a message deleted.
    pub delete_lost: f64,
    /// SNS or SQS delivers twice, or late.
    pub duplicated: f64,
    pub delayed: f64,
    /// A build ends without having done its work, and not by its own fault.
    pub build_broken: f64,
    /// Most that an instance's and CodeBuild's clocks are wrong.
    pub skew_milliseconds: i64,
}

impl Rates {
    pub const NONE: Self = Self {
        throttled: 0.0,
        unavailable: 0.0,
        account_limit: 0.0,
        error_after_effect: 0.0,
        silent_after_effect: 0.0,
        cut_after_effect: 0.0,
        silent: 0.0,
        late_effect: 0.0,
        slow: 0.0,
        entry_failed: 0.0,
        crash_before_call: 0.0,
        crash_after_call: 0.0,
        crash_at_await: 0.0,
        crash_before_answer: 0.0,
        delete_lost: 0.0,
        duplicated: 0.0,
        delayed: 0.0,
        build_broken: 0.0,
        skew_milliseconds: 0,
    };

    pub const HARSH: Self = Self {
        throttled: 0.02,
        unavailable: 0.02,
        account_limit: 0.02,
        error_after_effect: 0.01,
        silent_after_effect: 0.01,
        cut_after_effect: 0.01,
        silent: 0.01,
        late_effect: 0.005,
        slow: 0.03,
        entry_failed: 0.01,
        crash_before_call: 0.005,
        crash_after_call: 0.005,
        crash_at_await: 0.05,
        crash_before_answer: 0.005,
        delete_lost: 0.01,
        duplicated: 0.02,
        delayed: 0.02,
        build_broken: 0.05,
        skew_milliseconds: 2_000,
    };
}

/// The faults of a world, and their count by kind.
pub struct Faults {
    rates: Mutex<Rates>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    /// Until when a service is out, and whether it then says so or is silent.
    outages: Mutex<BTreeMap<&'static str, (Duration, Outage)>>,
    ended: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    Refuses,
    Silent,
}

impl Faults {
    pub fn new(rates: Rates) -> Self {
        Self {
            rates: Mutex::new(rates),
            counts: Mutex::default(),
            outages: Mutex::default(),
            ended: AtomicBool::new(false),
        }
    }

    pub fn rates(&self) -> Rates {
        *self.rates.lock().unwrap()
    }

    /// Nothing goes wrong any more.
    pub fn end(&self) {
        *self.rates.lock().unwrap() = Rates::NONE;
        self.ended.store(true, Ordering::Relaxed);
        self.outages.lock().unwrap().clear();
    }

    pub fn are_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Whether the fault happens now; counts it.
    pub fn strikes(&self, dice: &Dice, kind: &'static str, rate: impl Fn(&Rates) -> f64) -> bool {
        let struck = dice.chance(rate(&self.rates()));
        if struck {
            self.count(kind);
        }
        struck
    }

    pub fn count(&self, kind: &'static str) {
        *self.counts.lock().unwrap().entry(kind).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap().clone()
    }

    pub fn begin_outage(&self, service: &'static str, length: Duration, outage: Outage) {
        self.count("outage of a service");
        self.outages.lock().unwrap().insert(service, (clock::now() + length, outage));
    }

    pub fn outage(&self, service: &str) -> Option<Outage> {
        let outages = self.outages.lock().unwrap();
        outages.get(service).filter(|(until, _)| *until > clock::now()).map(|(_, outage)| *outage)
    }
}
