//! Chance, from a seed: a run can be repeated.

use std::sync::Mutex;
use std::time::Duration;

use fastrand::Rng;

pub struct Dice(Mutex<Rng>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        fastrand::seed(seed); // the launcher's jitter and the SDK's
        Self(Mutex::new(Rng::with_seed(seed)))
    }

    pub fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.0.lock().unwrap().f64() < probability
    }

    pub fn below(&self, bound: usize) -> usize {
        self.0.lock().unwrap().usize(..bound.max(1))
    }

    /// All milliseconds between the two are as likely.
    pub fn between(&self, least: Duration, most: Duration) -> Duration {
        let (least, most) = (millis(least), millis(most));
        Duration::from_millis(self.0.lock().unwrap().u64(least..=most.max(least)))
    }

    /// All orders of magnitude between the two are as likely.
    pub fn any_magnitude(&self, least: Duration, most: Duration) -> Duration {
        let exponent = self.0.lock().unwrap().f64();
        least.mul_f64((most.as_secs_f64() / least.as_secs_f64()).powf(exponent))
    }

    /// The time until the next of events that come independently of each other.
    pub fn until_next(&self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.0.lock().unwrap().f64()).ln())
    }

    pub fn around_zero(&self, most: i64) -> i64 {
        self.0.lock().unwrap().i64(-most..=most)
    }

    pub fn shuffle<T>(&self, list: &mut [T]) {
        self.0.lock().unwrap().shuffle(list);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}
