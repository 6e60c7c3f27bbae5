//! What becomes of a trigger when the launcher has looked at it: it stands beside the outcome, which does not always tell.

use crate::word::words;

words! {
    /// The word under `fate`.
    pub enum Fate {
        /// It has left the queue for good.
        Answered = "answered",
        /// It lies in the dead-letter queue.
        GivenUp = "given_up",
        /// It comes back.
        Waits = "waits",
    }
}
