//! What all programs of the pipeline agree on: the trigger, the register, the names of everything in AWS, and the words and exit
//! statuses by which they say what happened.
//!
//! Types here prove what they hold: a [`Branch`] exists only if [`Branch::parse`] accepted it. No I/O, no clock, no
//! environment. Errors name the key and the rule, never a value: register documents and messages may hold secrets.

mod branch;
pub mod broker;
pub mod class;
pub mod credentials;
pub mod deployed;
pub mod description;
mod document;
mod environment;
mod event;
pub mod failure;
mod fate;
pub mod finding;
mod git_url;
mod name;
pub mod outcome;
pub mod parameter;
mod printable;
pub mod register;
pub mod seen;
mod ssh_key;
mod target_secret;
mod topic;
mod trigger;
pub mod variable;
mod waiting;
mod word;

pub use class::Class;
pub use credentials::Credentials;
pub use deployed::{Deployed, Release, Rollback};
pub use description::Description;
pub use document::{DocumentError, decode};
pub use event::Event;
pub use fate::Fate;
pub use git_url::{GitUrl, NotOwn, Scheme};
pub use name::{Branch, CommitId, ConfigPath, NameError, ProjectName};
pub use outcome::{Outcome, Report};
pub use printable::printable;
pub use register::Project;
pub use seen::{Seen, SeenBranch};
pub use target_secret::TargetSecret;
pub use topic::Topic;
pub use trigger::{Trigger, TriggerError, is_trigger_id};
pub use waiting::{MAX_WAITING_COMMITS, parse_waiting, write_waiting};
