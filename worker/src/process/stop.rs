//! The wish to stop: SIGTERM from CodeBuild when somebody stops the build, SIGINT from a terminal. It is heard in one place
//! and asked for wherever the worker waits.

use std::future::Future;
use std::io;

use contract::failure::Stopped;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Tells whoever waits that the worker was asked to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<Stopped>>);

impl Stop {
    /// Takes SIGTERM and SIGINT over from their default, which would leave our children running.
    ///
    /// # Errors
    /// If the signals cannot be listened for.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, stop) = Self::channel();
        tokio::spawn(async move {
            let stopped = tokio::select! {
                _ = terminate.recv() => Stopped::Terminated,
                _ = interrupt.recv() => Stopped::Interrupted,
            };
            sender.send(Some(stopped))
        });
        Ok(stop)
    }

    /// A wish that is made by sending it.
    #[must_use]
    pub fn channel() -> (watch::Sender<Option<Stopped>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Returns when the worker was asked to stop; otherwise never.
    pub async fn requested(&self) -> Stopped {
        let mut receiver = self.0.clone();
        // The guard of the watch must not live across an await, hence the copy out of it.
        let stopped = receiver.wait_for(Option::is_some).await.ok().and_then(|stopped| *stopped);
        match stopped {
            Some(stopped) => stopped,
            None => std::future::pending().await,
        }
    }

    /// What `work` gives, unless the wish to stop comes first.
    ///
    /// # Errors
    /// The signal that came first.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            stopped = self.requested() => Err(stopped),
            output = work => Ok(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_given_up_when_the_wish_to_stop_comes_first() {
        let (sender, stop) = Stop::channel();
        assert_eq!(stop.or(async { 1 }).await, Ok(1));
        sender.send(Some(Stopped::Terminated)).unwrap();
        assert_eq!(stop.or(std::future::pending::<()>()).await, Err(Stopped::Terminated));
    }
}
