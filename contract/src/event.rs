//! What the lines of notifier, courier and broker are about, where they tell of no build's end: the word under `event`.

use crate::word::words;

words! {
    /// What happened.
    pub enum Event {
        /// The notifier was called with nothing that the pipeline sends.
        ForeignEvent = "foreign_event",
        /// A project is registered, and CodeBuild knows nothing of it.
        NoBuildProject = "no_build_project",
        /// What ended in a project could not be told this time.
        NotSettled = "not_settled",
        /// News went to a target, or did not.
        Notification = "notification",
        /// The record of a branch that nobody deploys any more was removed.
        RecordRemoved = "record_removed",
        /// No record of a project is removed, or something among its records is none.
        RecordsLeft = "records_left",
        /// Somebody who is no keeper of the register changed it.
        RegisterChanged = "register_changed",
        /// So many builds ended that the oldest are not told.
        ReportsSkipped = "reports_skipped",
        /// The broker was asked for a token, or to revoke one.
        Token = "token",
        /// Triggers lay in the queue at the moment of a look.
        UntakenTriggers = "untaken_triggers",
    }
}
