//! What runs inside an environment before the function's entry point.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command};
use std::thread;

use rustix::process::{getpid, set_child_subreaper};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use serde::{Deserialize, Serialize};

use super::{loopback, sockets, tree};

/// Carries the role. Absent, a program is itself.
pub(crate) const VARIABLE: &str = "SANDGATE_LOCAL_CLOUD_SHIM";

/// Exit status of a shim that could not go on; a shell's for a command that cannot run.
const FAILED: i32 = 126;

/// What a shim does before it becomes the entry point.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Role {
    /// Ports of the loopback address to listen on; the sockets go out by standard input.
    pub(crate) ports: Vec<u16>,
    /// Whether it stands in bare namespaces: the loopback is still down, and all capabilities in
    /// them are still held.
    pub(crate) bare: bool,
    /// Whether it stands in no namespace. It then stays, adopts orphans, and ends all that is
    /// below it when the entry point ends, or whoever started it.
    pub(crate) watches: bool,
    /// The entry point and its arguments.
    pub(crate) command: Vec<String>,
}

/// Becomes the entry point of a local function if this process was started for that, and returns
/// at once otherwise.
///
/// A program that [`Shim`](crate::Shim) names calls this before anything else: before it reads
/// arguments, starts threads or opens files. When the role cannot be taken the process ends with
/// status 126 and the reason on standard error.
pub fn run_shim_if_asked() {
    let Some(role) = std::env::var_os(VARIABLE) else {
        return;
    };
    let Err(error) = take_role(role.as_encoded_bytes());
    // Nobody is left to tell if this fails too.
    let _ = writeln!(io::stderr(), "local cloud shim: {error}");
    std::process::exit(FAILED);
}

fn take_role(role: &[u8]) -> io::Result<Infallible> {
    let role: Role = serde_json::from_slice(role)?;
    let channel = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)?;
    let result = become_entry_point(&role, &channel);
    if let Err(error) = &result {
        // Outside, this is told from sockets by coming after them.
        rustix::io::write(&channel, error.to_string().as_bytes())?;
    }
    result
}

fn become_entry_point(role: &Role, channel: &OwnedFd) -> io::Result<Infallible> {
    let step = |what: &'static str| {
        move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
    };
    if role.watches {
        set_child_subreaper(Some(getpid()))?;
    }
    if role.bare {
        loopback::bring_up().map_err(step("cannot bring the loopback interface up"))?;
    }
    let listeners = role
        .ports
        .iter()
        .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)))
        .collect::<io::Result<Vec<_>>>()
        .map_err(step("cannot listen inside the environment"))?;
    sockets::send(channel.as_fd(), &listeners).map_err(step("cannot hand the sockets out"))?;
    drop(listeners);
    if role.bare {
        drop_privileges().map_err(step("cannot drop privileges"))?;
    }
    let nothing = File::open("/dev/null").map_err(step("cannot open /dev/null"))?;
    rustix::stdio::dup2_stdin(nothing)?;
    let (program, arguments) = role
        .command
        .split_first()
        .ok_or_else(|| io::Error::other("the function has no entry point"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_remove(VARIABLE);
    let error = if role.watches {
        match command.spawn() {
            Ok(child) => return watch(child, channel),
            Err(error) => error,
        }
    } else {
        command.exec()
    };
    Err(io::Error::new(
        error.kind(),
        format!("fork/exec {program}: {error}"),
    ))
}

/// Waits for the end of the entry point or of whoever started this, and ends everything else.
fn watch(mut child: Child, channel: &OwnedFd) -> io::Result<Infallible> {
    let channel = channel.try_clone()?;
    thread::Builder::new().spawn(move || {
        // Nothing is ever sent; the channel closes.
        let mut nothing = [0];
        while matches!(rustix::io::read(&channel, &mut nothing), Ok(1..)) {}
        tree::kill_below(getpid());
        std::process::exit(FAILED);
    })?;
    let status = child.wait()?;
    tree::kill_below(getpid());
    let signal = status.signal().map(|signal| 128 + signal);
    std::process::exit(status.code().or(signal).unwrap_or(FAILED));
}

/// Root of bare namespaces becomes an ordinary user of them, for good.
fn drop_privileges() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // A kernel older than this list.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    clear_ambient_capability_set()?;
    set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    Ok(())
}
