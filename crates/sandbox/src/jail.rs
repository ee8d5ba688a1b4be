//! The walls round a worker process.
//!
//! The first wall is the engine: a guest reaches nothing but its own memory and the functions the
//! host gives it. These are the second: a guest that breaks out of the engine finds itself in a
//! process that owns nothing, sees nothing and may ask the kernel for next to nothing.
//!
//! Two walls stand from the start ([`clear_inheritance`]), the others are raised once the guests
//! are loaded and everything that runs later has run once ([`raise`]). The process has one thread,
//! so what the kernel applies to a thread it applies to all there is.
//!
//! What is deliberately absent: `RLIMIT_AS`, because the engine reserves hundreds of gigabytes of
//! address space that it never touches (`RLIMIT_DATA` bounds what counts); a process namespace,
//! because it would only hold the children that the worker cannot have.

mod filter;

use std::fmt;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus,
    Scope,
};
use rustix::process::{DumpableBehavior, Gid, Pid, Resource, Rlimit, Signal, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use crate::SandboxError;

/// The user and group that own nothing, where the worker may choose.
const NOBODY: u32 = 65_534;

/// One wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wall {
    /// No environment variables.
    Environment,
    /// No descriptors but the socket, the null device and the pipe for panics.
    Descriptors,
    /// Network and System V IPC of its own, both empty.
    Namespaces,
    /// No capabilities, and no user of consequence.
    Privileges,
    /// No files, no ports, no signals to others, by Landlock.
    Landlock,
    /// No new descriptors, no file growth, no core dumps, bounded memory.
    Resources,
    /// Dies with its parent.
    Orphan,
    /// Cannot be inspected by others, and leaves no core.
    Dump,
    /// Only the system calls that running a guest takes.
    Seccomp,
}

impl Wall {
    /// Every wall, in the order they are raised.
    pub(crate) const ALL: [Self; 9] = [
        Self::Environment,
        Self::Descriptors,
        Self::Namespaces,
        Self::Privileges,
        Self::Landlock,
        Self::Resources,
        Self::Orphan,
        Self::Dump,
        Self::Seccomp,
    ];

    /// Its name in messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Descriptors => "descriptors",
            Self::Namespaces => "namespaces",
            Self::Privileges => "privileges",
            Self::Landlock => "landlock",
            Self::Resources => "resources",
            Self::Orphan => "orphan",
            Self::Dump => "dump",
            Self::Seccomp => "seccomp",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of walls. Workers have all of them; the tests take some out to see what each holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walls(u16);

impl Walls {
    /// All of them.
    pub(crate) const ALL: Self = Self((1 << Wall::ALL.len()) - 1);

    /// Whether `wall` is in the set.
    pub(crate) const fn has(self, wall: Wall) -> bool {
        self.0 & (1 << wall as u8) != 0
    }

    /// The set of `walls`.
    #[cfg(feature = "test-probes")]
    pub(crate) fn of(walls: impl IntoIterator<Item = Wall>) -> Self {
        Self(walls.into_iter().fold(0, |set, wall| set | 1 << wall as u8))
    }
}

/// What the walls depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    /// The process that started this one.
    pub(crate) parent: u32,
    /// The most private memory that honest work can need.
    pub(crate) data_bytes: u64,
}

/// Closes what this process should not have been given. To be called before anything else.
///
/// # Errors
/// If an environment was passed on, which cannot be taken back: its text stays in memory.
pub(crate) fn clear_inheritance(walls: Walls) -> Result<(), SandboxError> {
    if walls.has(Wall::Environment)
        && let Some((name, _)) = std::env::vars_os().next()
    {
        return Err(SandboxError::Worker(format!(
            "started with `{}` in its environment, which must be empty",
            name.display()
        )));
    }
    if walls.has(Wall::Descriptors) {
        close_descriptors_from(3).map_err(failed("close inherited descriptors"))?;
    }
    Ok(())
}

/// Puts the calling process behind `walls`. There is no way back.
///
/// Gives what this system does not let it have, a line for each; all of it is an extra in front of
/// walls that are there.
///
/// # Errors
/// If a wall cannot be raised that a worker must not be without.
pub(crate) fn raise(walls: Walls, around: &Surroundings) -> Result<Vec<String>, SandboxError> {
    let mut missing = Vec::new();
    let mut lacking = |wall: Wall, why: &dyn fmt::Display| missing.push(format!("{wall}: {why}"));
    if walls.has(Wall::Resources) {
        // When the machine runs out of memory, a worker is to go, not the service. Where there is
        // no such file, the kernel's own choice stands.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    }
    // Before the privileges go that this takes.
    if walls.has(Wall::Namespaces)
        && let Err(error) = leave_namespaces()
    {
        lacking(Wall::Namespaces, &error);
    }
    if walls.has(Wall::Privileges)
        && let Err(error) = drop_privileges()
    {
        lacking(Wall::Privileges, &error);
    }
    // Without it, an unprivileged process may use neither Landlock nor seccomp.
    rustix::thread::set_no_new_privs(true).map_err(failed("give up new privileges"))?;
    if walls.has(Wall::Landlock) {
        match deny_files_and_ports() {
            Ok(RulesetStatus::FullyEnforced) => {}
            Ok(RulesetStatus::PartiallyEnforced) => {
                lacking(Wall::Landlock, &"this kernel enforces a part of it");
            }
            Ok(RulesetStatus::NotEnforced) => {
                lacking(Wall::Landlock, &"this kernel does not have it");
            }
            Err(error) => lacking(Wall::Landlock, &error),
        }
    }
    if walls.has(Wall::Resources) {
        limit_resources(around.data_bytes)?;
    }
    // After the change of user, which takes these two back.
    if walls.has(Wall::Orphan) {
        die_with(around.parent)?;
    }
    if walls.has(Wall::Dump) {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(failed("forbid core dumps"))?;
    }
    if walls.has(Wall::Seccomp) {
        filter::apply()?;
    }
    Ok(missing)
}

/// The error of a failed system call.
fn failed<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |source| SandboxError::System {
        action,
        source: source.into(),
    }
}

#[expect(
    unsafe_code,
    reason = "closing descriptors that nothing in this process owns"
)]
fn close_descriptors_from(first: u32) -> io::Result<()> {
    // SAFETY: the call touches no memory. The descriptors it closes were inherited: this runs
    // first in a worker's life (see `worker_main`), so nothing here owns one beyond the first
    // three.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn leave_namespaces() -> io::Result<()> {
    let inner = UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
    // A user namespace gives an ordinary user the right to the others.
    match unshare(inner) {
        Err(error) if error == rustix::io::Errno::PERM => unshare(inner | UnshareFlags::NEWUSER)?,
        result => result?,
    }
    Ok(())
}

#[expect(unsafe_code, reason = "leaving namespaces")]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    debug_assert!(!flags.contains(UnshareFlags::FILES));
    // SAFETY: unsafe only where descriptor tables are unshared between threads: none are, and
    // there is one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

fn drop_privileges() -> io::Result<()> {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::KILL;
    let held = rustix::thread::capabilities(None)?.effective;
    // A root without the right to signal other users could not end a worker that is nobody.
    if rustix::process::geteuid().is_root() && held.contains(needed) {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(group, group, group)?;
        rustix::thread::set_thread_res_uid(user, user, user)?;
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none)?;
    Ok(())
}

fn deny_files_and_ports() -> Result<RulesetStatus, landlock::RulesetError> {
    // A ruleset without rules: what it handles, it denies.
    let abi = ABI::V7;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset)
}

fn limit_resources(data_bytes: u64) -> Result<(), SandboxError> {
    let limits = [
        // One more than the highest descriptor that may still be opened. Those that are open stay
        // so, and 1 lets the worker poll its socket.
        (Resource::Nofile, 1),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        // Does not bind root; seccomp does.
        (Resource::Nproc, 0),
        (Resource::Data, data_bytes),
    ];
    for (resource, value) in limits {
        // An outer limit that is lower still stands.
        let outer = rustix::process::getrlimit(resource).maximum;
        let value = Some(outer.map_or(value, |outer| outer.min(value)));
        let limit = Rlimit {
            current: value,
            maximum: value,
        };
        rustix::process::setrlimit(resource, limit).map_err(failed("limit its resources"))?;
    }
    Ok(())
}

fn die_with(parent: u32) -> Result<(), SandboxError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed("ask to die with its parent"))?;
    // The parent may have died before the request was made.
    let now = rustix::process::getppid().map(Pid::as_raw_nonzero);
    match now {
        Some(pid) if u32::try_from(pid.get()) == Ok(parent) => Ok(()),
        Some(_) | None => Err(SandboxError::Worker("its parent is gone".to_owned())),
    }
}

/// Puts the calling process behind the walls named in `names` only, so that a test can see what
/// each of them holds.
///
/// # Errors
/// If a name is not that of a wall, or a wall cannot be raised.
#[cfg(feature = "test-probes")]
#[doc(hidden)]
pub fn raise_for_test(names: &[&str]) -> Result<Vec<String>, SandboxError> {
    let mut chosen = Vec::new();
    for name in names {
        let known = Wall::ALL.into_iter().find(|wall| wall.as_str() == *name);
        chosen.push(known.ok_or_else(|| SandboxError::Worker(format!("no wall `{name}`")))?);
    }
    let walls = Walls::of(chosen);
    clear_inheritance(walls)?;
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let around = Surroundings {
        parent: parent.unsigned_abs(),
        data_bytes: 1 << 30,
    };
    raise(walls, &around)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_have_every_wall() {
        for wall in Wall::ALL {
            assert!(Walls::ALL.has(wall), "{wall}");
        }
    }
}
