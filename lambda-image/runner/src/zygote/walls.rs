//! The walls round a child.
//!
//! They need no privileges: inside Lambda there are none. What a child may not do is also nothing
//! that its descendants may, whatever program they are.

mod filter;

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit};

use crate::lowered::{Wall, stands};
use crate::protocol::{Setup, Started};

/// What every program may read and run.
const SYSTEM: [&str; 10] = [
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc",
    "/opt",
    "/proc",
    "/sys/devices",
    "/sys/fs",
];

/// Devices that are no way out.
const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// Address space that threads and allocators reserve and never touch. What is private and can be
/// written counts against the memory limit itself.
const RESERVED_BYTES: u64 = 1 << 30;

/// How many descriptors a process may have.
const DESCRIPTORS: u64 = 1_024;

/// Puts the calling process, `pid`, behind all walls. There is no way back.
///
/// # Errors
/// If a wall cannot be raised that must stand.
pub(crate) fn raise(setup: &Setup, pid: u32) -> io::Result<Started> {
    let mut missing = Vec::new();
    let memory = Memory::in_use()?;
    std::env::set_current_dir(&setup.work)?;
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    if stands(Wall::ResourceLimits) {
        limit_resources(setup, &memory)?;
    }
    // Without it, an unprivileged process may use neither Landlock nor seccomp.
    rustix::thread::set_no_new_privs(true)?;
    let lacks = |what: &str| format!("landlock: this kernel {what}");
    let landlock = if stands(Wall::Landlock) {
        restrict_files(setup).map_err(io::Error::other)?
    } else {
        RulesetStatus::FullyEnforced
    };
    match landlock {
        RulesetStatus::FullyEnforced => {}
        RulesetStatus::PartiallyEnforced => missing.push(lacks("enforces a part of it")),
        RulesetStatus::NotEnforced if setup.landlock_is_optional => {
            missing.push(lacks("does not have it"));
        }
        RulesetStatus::NotEnforced => {
            return Err(io::Error::other(format!(
                "{}, so the runner needs an ordinary user and a folder of its own \
                 (SANDGATE_RUNNER_TMP)",
                lacks("does not have it")
            )));
        }
    }
    if stands(Wall::Seccomp) {
        filter::apply(pid, &setup.spared)?;
    }
    Ok(Started {
        resident_bytes: memory.resident,
        missing,
    })
}

fn limit_resources(setup: &Setup, memory: &Memory) -> io::Result<()> {
    let Memory { address, data, .. } = memory;
    let memory = setup.memory_bytes;
    let limits = [
        (Resource::Data, data.saturating_add(memory)),
        (
            Resource::As,
            address
                .saturating_add(memory)
                .saturating_add(RESERVED_BYTES),
        ),
        (Resource::Fsize, setup.file_bytes),
        (Resource::Nproc, setup.processes),
        (Resource::Cpu, setup.cpu_seconds),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Core, 0),
        (Resource::Msgqueue, 0),
    ];
    for (resource, value) in limits {
        // An outer limit that is lower still stands.
        let outer = rustix::process::getrlimit(resource).maximum;
        let value = Some(outer.map_or(value, |outer| outer.min(value)));
        let limit = Rlimit {
            current: value,
            maximum: value,
        };
        rustix::process::setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Memory of this process, in bytes.
struct Memory {
    /// Address space.
    address: u64,
    /// What is really there.
    resident: u64,
    /// Private memory that can be written.
    data: u64,
}

impl Memory {
    fn in_use() -> io::Result<Self> {
        let text = std::fs::read_to_string("/proc/self/statm")?;
        let pages: Vec<u64> = text
            .split_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        let page = rustix::param::page_size() as u64;
        match pages.as_slice() {
            [size, resident, _, _, _, data, ..] => Ok(Self {
                address: size * page,
                resident: resident * page,
                data: data * page,
            }),
            _ => Err(io::Error::other("/proc/self/statm has an unknown form")),
        }
    }
}

fn restrict_files(setup: &Setup) -> Result<RulesetStatus, RulesetError> {
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    let write = AccessFs::from_all(abi) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let readable = SYSTEM
        .iter()
        .map(|path| Path::new(*path))
        .chain(setup.readable.iter().map(PathBuf::as_path));
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        // Handled and never granted.
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules([&setup.work, &setup.temporary], write))?
        .add_rules(path_beneath_rules(DEVICES, device))?
        .restrict_self()?;
    Ok(status.ruleset)
}
