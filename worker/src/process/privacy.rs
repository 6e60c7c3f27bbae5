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

/// Fewer would not do for a fetch, its pipes and AWS side by side.
const MIN_DESCRIPTORS: usize = 48;

/// That there is room for the descriptors that we need: what runs out of them in the middle fails in places that do not expect
/// it, and says so in words that nobody understands.
///
/// # Errors
/// If there is not, with the number that there is.
pub fn require_descriptors() -> anyhow::Result<()> {
    let mut opened = Vec::with_capacity(MIN_DESCRIPTORS);
    while opened.len() < MIN_DESCRIPTORS {
        let opening = fs::File::open("/dev/null");
        opened.push(opening.with_context(|| {
            format!("opening files: {} more can be opened, and {MIN_DESCRIPTORS} are needed", opened.len())
        })?);
    }
    Ok(())
}

#[allow(unsafe_code)]
fn mark(descriptor: i32) -> rustix::io::Result<()> {
    // SAFETY: it is open, for /proc has just listed it and nothing else runs yet, and it is borrowed for this call only.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    fcntl_setfd(descriptor, FdFlags::CLOEXEC)
}
