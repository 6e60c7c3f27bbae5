//! What all programs that talk to AWS share, so that they ask alike, understand alike and say it alike.
//!
//! [`client`] bounds what a call may take, [`error`] says in one line why it failed. It decides nothing for a program: how
//! long to wait and what to do after a failure is its caller's.

pub mod client;
pub mod error;

pub use error::aws_error;
