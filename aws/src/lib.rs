//! What all programs that talk to AWS share, so that they ask alike, understand alike and say it alike.
//!
//! [`client`] bounds what a call may take, [`lambda`] starts a function in little time, [`error`] says in one line why it failed. [`parameters`] and [`record`] read what
//! the pipeline keeps in SSM, [`builds`] what CodeBuild knows, and [`ending`] judges from both how a build ended, for every
//! program that says so. [`metric`] writes lines of the log that CloudWatch counts. [`host`] asks others than AWS, and [`broker`] our broker. Nothing here writes, decrypts, or decides what a program does next.

#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "builds")]
pub mod builds;
pub mod client;
#[cfg(feature = "builds")]
pub mod ending;
pub mod error;
#[cfg(feature = "test-util")]
pub mod fixtures;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod metric;
#[cfg(feature = "parameters")]
pub mod parameters;
#[cfg(feature = "parameters")]
pub mod record;

#[cfg(feature = "trust")]
pub mod trust;

pub use error::aws_error;
