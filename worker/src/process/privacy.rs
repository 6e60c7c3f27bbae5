//! What children cannot get at: the worker's memory, and files that were open before it started.

use std::fs;
use std::os::fd::BorrowedFd;

use anyhow::Context;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Closes `/proc/PID/mem` and `/proc/PID/environ` of this process to other processes of the same user: credentials pass
/// through our memory, and the command runs as the user that we are.
///
/// # Errors
/// If the kernel refuses.
pub fn close_memory() -> anyhow::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("closing our memory to children")
}

/// Marks every descriptor above standard error close-on-exec, so that children inherit 0 to 2 and what we give them by
/// name. Rust opens files that way already; this is for descriptors that our parent forgot to close. To be called before
/// anything else is opened.
///
/// # Errors
/// If `/proc/self/fd` cannot be read.
pub fn close_descriptors() -> anyhow::Result<()> {
    let listing = "listing /proc/self/fd";
    for entry in fs::read_dir("/proc/self/fd").context(listing)? {
        let name = entry.context(listing)?.file_name();
        if let Some(descriptor @ 3..) = name.to_str().and_then(|name| name.parse().ok()) {
            mark(descriptor).with_context(|| format!("marking descriptor {descriptor} close-on-exec"))?;
        }
    }
    Ok(())
}

#[allow(unsafe_code)]
fn mark(descriptor: i32) -> rustix::io::Result<()> {
    // SAFETY: it is open, for /proc has just listed it and nothing else runs yet, and it is borrowed for this call only.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    fcntl_setfd(descriptor, FdFlags::CLOEXEC)
}
