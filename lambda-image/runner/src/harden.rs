//! What the runner does to itself before it starts anything.

use std::io;

use rustix::process::{DumpableBehavior, Pid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use sandgate_zygote::lowered::{Wall, stands};

/// Makes the calling process one that its descendants can neither read nor trace nor outlive.
///
/// To be called while it has one thread: capabilities belong to threads.
///
/// # Errors
/// If one of it cannot be had.
pub(crate) fn harden() -> io::Result<()> {
    // A user's processes may trace each other and read each other's memory and environment,
    // where the credentials are; but not those of a process that may not be dumped.
    if stands(Wall::NotDumpable) {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    // Unless they are privileged: on a developer's machine the runner may be root.
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    if rustix::thread::capabilities(None)?.permitted != CapabilitySet::empty() {
        for capability in CapabilitySet::all().iter() {
            // Those that this kernel does not know are not there either.
            let _ = rustix::thread::remove_capability_from_bounding_set(capability);
        }
        rustix::thread::set_capabilities(None, none)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    // Descendants whose parent ends become children of this process, wherever they went.
    if stands(Wall::Subreaper) {
        rustix::process::set_child_subreaper(Some(Pid::INIT))?;
    }
    Ok(())
}
