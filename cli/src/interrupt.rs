//! Ctrl-C where something is waited for: the waiting ends, and the caller has a word on what goes on. Not where somebody is asked:
//! a question that is being read would not hear of it.

use std::future::Future;

use tokio::signal;

/// What `work` comes to. None: somebody pressed Ctrl-C before, and `work` is dropped where it was.
pub async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = signal::ctrl_c() => None,
    }
}
