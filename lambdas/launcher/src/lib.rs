//! The launcher is a privilege filter. Whoever may publish to the topic may say a project, a branch and a commit, and nothing
//! else; everything that is run comes from the register and from Git. The launcher reads no secret and holds no role of a
//! project: the most that it can do is start a registered project's own build.
//!
//! [`handler`] is the way of a trigger from the queue to a build, or to the reason why not. Around it: [`delivery`] opens the
//! envelope, [`register`] and [`builds`] ask [`aws`], [`memory`] spares calls, [`turn`] knows who
//! goes next and when to look again, [`cap`] how many builds there may be, [`fate`] says what becomes of the message.

pub mod aws;
pub mod builds;
pub mod cap;
pub mod delivery;
pub mod environment;
pub mod fate;
pub mod handler;
pub mod memory;
pub mod queue;
pub mod register;
pub mod report;
pub mod turn;

pub use aws::Aws;
pub use handler::Launcher;
