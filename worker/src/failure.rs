//! How a deployment failed: its kind, by which the contract says class and exit status, and the sentences that go with it. A
//! failure is made where something goes wrong and printed once, at the end.

pub use contract::failure::Kind;

use crate::process::Stopped;

/// Why a deployment ended without success.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    /// What was tried, on what, and what went wrong.
    pub error: anyhow::Error,
    /// What a person can do about it.
    pub advice: String,
}

impl Failure {
    pub fn new(kind: Kind, error: impl Into<anyhow::Error>, advice: impl Into<String>) -> Self {
        Self { kind, error: error.into(), advice: advice.into() }
    }

    /// The worker was asked to stop while it was `doing` something.
    #[must_use]
    pub fn stopped(stopped: Stopped, doing: &str) -> Self {
        let error = anyhow::anyhow!("{doing}: stopped by {}", stopped.signal());
        Self::new(
            Kind::Stopped(stopped),
            error,
            "if nobody stopped the build, look at its phases in CodeBuild; then trigger again",
        )
    }

    /// The time limit was reached while the worker was `doing` something.
    #[must_use]
    pub fn time_limit(doing: &str) -> Self {
        let error = anyhow::anyhow!("{doing}: the time limit of the build was reached");
        Self::new(
            Kind::TimeLimit,
            error,
            "find what took so long in the lines above, or raise timeout_minutes of the project",
        )
    }
}

/// Turns an error into a [`Failure`] where its meaning is known.
pub trait OrFail<T> {
    /// # Errors
    /// The error of `self`, with what it means and what to do about it.
    fn or_fail(self, kind: Kind, advice: &str) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, kind: Kind, advice: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(kind, error, advice))
    }
}
