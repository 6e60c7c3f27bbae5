//! The class beside an outcome or an event: one word for the kind of refusal, wait or failure. One vocabulary for all programs,
//! so that no word means two things.

use crate::Outcome;
use crate::word::words;

words! {
    /// One word for logs, metrics and reports.
    pub enum Class {
        // Of a message that is no trigger.
        /// It lay in a queue that is not the launcher's.
        ForeignQueue = "foreign_queue",
        /// It did not come by SNS and a topic of this pipeline.
        ForeignEnvelope = "foreign_envelope",
        TooLong = "too_long",
        WrongEncoding = "wrong_encoding",
        MalformedJson = "malformed_json",
        NotAnObject = "not_an_object",
        RepeatedKey = "repeated_key",
        UnknownKey = "unknown_key",
        MissingKey = "missing_key",
        WrongType = "wrong_type",
        BadName = "bad_name",
        /// It came by the topic of another project.
        WrongProject = "wrong_project",

        // Of what the register does not allow; launcher and worker both look.
        /// There is no register entry.
        UnknownProject = "unknown_project",
        /// The launcher cannot read the register entry.
        MalformedRegister = "malformed_register",
        /// The register does not allow this branch.
        BranchNotAllowed = "branch_not_allowed",
        /// The trigger names no commit, and the register wants one.
        CommitRequired = "commit_required",

        // Of a trigger that waits although nothing failed.
        /// The project's build runs, one at a time.
        Building = "building",
        /// The account runs as many builds of this kind as AWS lets it, whosoever they are.
        AccountLimit = "account_limit",
        /// Another trigger of the project goes first.
        InLine = "in_line",
        /// The project has had its builds of this hour.
        HourlyCap = "hourly_cap",
        /// An operator said so.
        Paused = "paused",

        // Of a trigger that needs no build.
        /// Its commit is not newer than what is live, or not on the branch, as the build saw that fetched it since.
        NotAhead = "not_ahead",
        /// What it asks for was tried often enough since it was published, and always failed.
        KeepsFailing = "keeps_failing",

        // Of a trigger for which a call of AWS failed.
        /// AWS wants fewer calls.
        Throttled = "throttled",
        /// AWS is down, or the way to it.
        AwsUnavailable = "aws_unavailable",
        /// The call may have had its effect although nobody answered.
        UnknownOutcome = "unknown_outcome",
        /// The launcher's role lacks a right.
        AccessDenied = "access_denied",
        /// What was asked for is not there, or AWS does not take it.
        Misconfigured = "misconfigured",
        /// The launcher ran out of time.
        Timeout = "timeout",

        // Of a build, as the worker says it; see `failure::Kind`.
        Variables = "variables",
        Register = "register",
        CommitNotOnBranch = "commit_not_on_branch",
        NotSigned = "not_signed",
        IncompleteTree = "incomplete_tree",
        NotForward = "not_forward",
        Aws = "aws",
        Git = "git",
        Command = "command",
        CommandFailed = "command_failed",
        NotRecorded = "not_recorded",
        TimeLimit = "time_limit",
        /// The notifier's, too.
        Stopped = "stopped",
        Machine = "machine",

        // Of a build that ended, as CodeBuild tells the notifier.
        /// It succeeded and wrote no record.
        NothingRun = "nothing_run",
        Failed = "failed",
        TimedOut = "timed_out",
        /// CodeBuild itself failed.
        Fault = "fault",

        // Of an event.
        /// A parameter of the register was.
        Written = "written",
        /// A parameter of the register was.
        Deleted = "deleted",
        /// The register does not allow the branch of a record any more.
        NotAllowed = "not_allowed",
        /// Of the branch of a record nothing was deployed for long.
        Unused = "unused",
    }
}

/// The classes of an outcome.
pub type Said = (Outcome, &'static [Class]);

/// What the launcher says of a trigger. One that has `expired` keeps the class of what it waited for.
pub const OF_TRIGGERS: &[Said] = {
    use Class::*;
    &[
        (Outcome::Started, &[]),
        (Outcome::Covered, &[]),
        (Outcome::Superseded, &[NotAhead]),
        (
            Outcome::Refused,
            &[
                ForeignQueue,
                ForeignEnvelope,
                TooLong,
                WrongEncoding,
                MalformedJson,
                NotAnObject,
                RepeatedKey,
                UnknownKey,
                MissingKey,
                WrongType,
                BadName,
                WrongProject,
                UnknownProject,
                MalformedRegister,
                BranchNotAllowed,
                CommitRequired,
            ],
        ),
        (Outcome::Busy, &[Building, AccountLimit, InLine, HourlyCap, Paused]),
        (
            Outcome::Failed,
            &[Throttled, AwsUnavailable, UnknownOutcome, Timeout, AccessDenied, Misconfigured, KeepsFailing],
        ),
        (Outcome::Expired, &[]),
    ]
};

/// After these the launcher is done with a trigger. After `failed` it is where a try more is of no use.
pub const ENDS_OF_TRIGGERS: &[Outcome] =
    &[Outcome::Started, Outcome::Covered, Outcome::Superseded, Outcome::Refused, Outcome::Expired];

/// With these a build ends well: the worker's exit status is 0.
pub const ENDS_OF_BUILDS: &[Outcome] = &[Outcome::Deployed, Outcome::Superseded, Outcome::Unchanged, Outcome::Held];

/// What the notifier says of a build that ended.
pub const OF_ENDED_BUILDS: &[Said] = &[
    (Outcome::Deployed, &[]),
    (Outcome::Superseded, &[Class::NothingRun]),
    (Outcome::Unchanged, &[Class::NothingRun]),
    (Outcome::Held, &[Class::NothingRun]),
    (Outcome::Refused, &[]),
    (Outcome::Failed, &[Class::Failed, Class::Stopped, Class::TimedOut, Class::Fault]),
];
