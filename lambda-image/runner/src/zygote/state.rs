//! The zygote's and the child's side of the protocol.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::id;
use std::sync::Mutex;

use rustix::process::setsid;

use crate::lowered::{Wall, stands};
use crate::protocol::{
    Ending, Frame, Notice, Order, REPORT, Reaped, Setup, TASK, ZYGOTE_SOCKET, receive, send,
};
use crate::{clock, walls};

/// The socket of the child that is about to be forked.
static NEXT_CHILD: Mutex<Option<OwnedFd>> = Mutex::new(None);

fn broken(text: &str) -> io::Error {
    io::Error::other(text.to_owned())
}

#[expect(unsafe_code, reason = "a descriptor that this process was born with")]
fn runner() -> BorrowedFd<'static> {
    // SAFETY: the runner starts zygotes with their socket there, and nothing closes it.
    unsafe { BorrowedFd::borrow_raw(ZYGOTE_SOCKET) }
}

pub(crate) fn start() -> io::Result<()> {
    send(runner(), &Notice::Ready, &[])
}

pub(crate) fn next() -> io::Result<()> {
    loop {
        match receive(runner())? {
            Some((Order::Fork, descriptors)) => {
                let socket = descriptors.into_iter().next();
                let mut next = NEXT_CHILD
                    .lock()
                    .map_err(|_| broken("a call before failed"))?;
                *next = Some(socket.ok_or_else(|| broken("no socket for the child"))?);
                return Ok(());
            }
            Some((Order::Reap(pid), _)) => {
                let notice = match reap(pid) {
                    Ok(ending) => Notice::Reaped(ending),
                    Err(error) => Notice::Failed(format!("waiting for {pid}: {error}")),
                };
                send(runner(), &notice, &[])?;
            }
            None => return Err(broken("the runner is gone")),
        }
    }
}

#[expect(
    unsafe_code,
    reason = "waiting with the child's usage has no safe form"
)]
fn reap(pid: i32) -> io::Result<Reaped> {
    let mut status = 0;
    // SAFETY: plain numbers, for which all zeroes are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both addresses are valid for the length of the call.
    while unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == -1 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let ending = if libc::WIFSIGNALED(status) {
        Ending::Killed(libc::WTERMSIG(status))
    } else {
        Ending::Exited(libc::WEXITSTATUS(status))
    };
    Ok(Reaped {
        ending,
        // Linux counts it in KiB.
        peak_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10,
    })
}

fn take_next_child() -> io::Result<OwnedFd> {
    let mut next = NEXT_CHILD
        .lock()
        .map_err(|_| broken("a call before failed"))?;
    next.take().ok_or_else(|| broken("no child was asked for"))
}

pub(crate) fn forked(pid: i32) -> io::Result<()> {
    drop(take_next_child()?);
    let notice = if pid > 0 {
        Notice::Forked(pid)
    } else {
        Notice::Failed("the interpreter cannot fork".to_owned())
    };
    send(runner(), &notice, &[])
}

pub(crate) fn enter() -> io::Result<()> {
    let socket = take_next_child()?;
    // A session and process group of its own, so that signals to the group stay in it.
    setsid()?;
    let Some((setup, descriptors)) = receive::<Setup>(socket.as_fd())? else {
        // Not needed any more.
        return Err(broken("the runner is gone"));
    };
    drop(socket);
    arrange(descriptors)?;
    let raised = walls::raise(&setup, id());
    match raised.and_then(|started| setup.now.map_or(Ok(()), clock::set).map(|()| started)) {
        Ok(started) => report(Frame::Started, &serde_json::to_vec(&started)?),
        Err(error) => {
            report(Frame::Refused, error.to_string().as_bytes())?;
            Err(error)
        }
    }
}

/// Puts the descriptors at their places and closes all others.
fn arrange(descriptors: Vec<OwnedFd>) -> io::Result<()> {
    let places = [0, 1, 2, TASK, REPORT];
    if descriptors.len() != places.len() {
        return Err(broken("not the descriptors that a child needs"));
    }
    // First out of each other's way.
    let high = descriptors
        .iter()
        .map(|descriptor| rustix::io::fcntl_dupfd_cloexec(descriptor, 64))
        .collect::<Result<Vec<OwnedFd>, _>>()?;
    drop(descriptors);
    for (descriptor, place) in high.iter().zip(places) {
        put(descriptor.as_raw_fd(), place)?;
    }
    // What is closed here by number, its owners must not close again.
    high.into_iter().for_each(std::mem::forget);
    if stands(Wall::Descriptors) {
        close_from(REPORT + 1)?;
    }
    Ok(())
}

#[expect(
    unsafe_code,
    reason = "descriptors that the interpreter owns by number"
)]
fn put(from: i32, to: i32) -> io::Result<()> {
    // Programs that the guest starts have no use for the task and the report.
    let flags = if to > 2 { libc::O_CLOEXEC } else { 0 };
    // SAFETY: touches no memory. What was at `to` is replaced: the zygote's socket and log, which
    // are not the child's, and whatever the interpreter kept, which the child does not use.
    match unsafe { libc::dup3(from, to, flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[expect(unsafe_code, reason = "descriptors that nothing in the child uses")]
fn close_from(first: i32) -> io::Result<()> {
    // SAFETY: touches no memory. What an interpreter with its packages loaded keeps open is not
    // to be had by its child.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn report(frame: Frame, text: &[u8]) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|_| broken("the report is too long"))?;
    let mut bytes = vec![frame.byte()];
    bytes.extend(length.to_le_bytes());
    bytes.extend(text);
    write(REPORT, &bytes)
}

#[expect(unsafe_code, reason = "a descriptor by its number")]
fn numbered(descriptor: i32) -> io::Result<BorrowedFd<'static>> {
    if descriptor < 0 {
        return Err(broken("not a descriptor"));
    }
    // SAFETY: not -1. Used for one call only; if it is not open, that call fails.
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}

pub(crate) fn read(descriptor: i32, buffer: &mut [u8]) -> io::Result<usize> {
    let descriptor = numbered(descriptor)?;
    loop {
        match rustix::io::read(descriptor, &mut *buffer) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

pub(crate) fn write(descriptor: i32, mut bytes: &[u8]) -> io::Result<()> {
    let descriptor = numbered(descriptor)?;
    while !bytes.is_empty() {
        match rustix::io::write(descriptor, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
