//! The worker: runs in a CodeBuild build, deploys one commit of one registered project, and says what it does.
//!
//! [`deploy`] is the runbook, [`rules`] says what may be deployed. Around them: [`variables`] reads the environment, [`parameters`] knows AWS, [`git`] knows git,
//! [`process`] starts and ends children, [`narration`] prints.

pub mod app_token;
pub mod aws;
pub mod bounds;
pub mod build_tree;
pub mod choice;
pub mod complete;
pub mod deploy;
pub mod doctor;
pub mod environment;
pub mod failure;
pub mod forward;
pub mod git;
pub mod mask;
pub mod narration;
pub mod parameters;
pub mod private_directory;
pub mod process;
pub mod program;
pub mod question;
pub mod rules;
pub mod run;
pub mod session;
pub mod sight;
pub mod tools;
pub mod user;
pub mod variables;
