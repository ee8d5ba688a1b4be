//! What runner, zygote and child say to each other.
//!
//! The runner and a zygote share a socket that keeps messages apart, and so do the runner and a
//! child until the child has its task. A message is JSON; descriptors travel beside it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest message. Paths are what it mostly holds.
const MAX_MESSAGE: usize = 64 << 10;

/// The most descriptors with a message.
const MAX_DESCRIPTORS: usize = 8;

/// The descriptor that a zygote has its runner's socket on.
pub const ZYGOTE_SOCKET: i32 = 0;

/// The descriptor that a child reads its task from.
pub const TASK: i32 = 3;

/// The descriptor that a child reports on: frames of one byte for the [`Frame`], four for the
/// length in little-endian order, and that many bytes.
pub const REPORT: i32 = 4;

/// What a zygote is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Fork. With it comes the child's end of its socket. Answered by [`Notice::Forked`] or
    /// [`Notice::Failed`].
    Fork,
    /// Wait for the child `.0`, which has ended. Answered by [`Notice::Reaped`] or
    /// [`Notice::Failed`].
    Reap(i32),
}

/// What a zygote answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Notice {
    /// Everything is loaded. Said once, at the start.
    Ready,
    /// The child is there.
    Forked(i32),
    /// The child has ended.
    Reaped(Reaped),
    /// It could not be done.
    Failed(String),
}

/// A child that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaped {
    /// How.
    pub ending: Ending,
    /// The most memory that it, or a child of its own, had at once, in bytes.
    pub peak_bytes: u64,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Killed(i32),
}

/// What a child must know before it runs anything. With it come the descriptors for stdin,
/// stdout, stderr, the task and the report, in this order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Its working directory.
    pub work: PathBuf,
    /// Its directory for temporary files.
    pub temporary: PathBuf,
    /// Whether to go without Landlock where this kernel does not have it: no, where only Landlock
    /// keeps it from files of others.
    pub landlock_is_optional: bool,
    /// What it may read and run besides the system's own folders.
    pub readable: Vec<PathBuf>,
    /// Processes that it must not signal, whatever their number.
    pub spared: Vec<u32>,
    /// Memory it may allocate beyond what the interpreter has, in bytes.
    pub memory_bytes: u64,
    /// The largest file it may write, in bytes.
    pub file_bytes: u64,
    /// How many processes and threads its user may have in all.
    pub processes: u64,
    /// Processor time of one process, in seconds.
    pub cpu_seconds: u64,
    /// What its calendar shows when it starts, if not the real time.
    pub now: Option<Calendar>,
}

/// An instant: so long after, or before, 1970 began in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds after that, less than a second.
    pub nanoseconds: u32,
}

/// What a child says before the guest's code runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Memory that it has from its zygote, in bytes.
    pub resident_bytes: u64,
    /// What this system does not offer for the walls.
    pub missing: Vec<String>,
}

/// What a frame of a report holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The walls stand; whatever comes next is the guest's doing. Holds [`Started`] as JSON.
    Started,
    /// The child could not raise a wall, as the bytes say. Only before [`Frame::Started`].
    Refused,
    /// A result: a JSON object of MIME type to text.
    Result,
    /// The uncaught error, as JSON.
    Error,
}

impl Frame {
    /// The byte it starts with.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Started => b's',
            Self::Refused => b'f',
            Self::Result => b'r',
            Self::Error => b'e',
        }
    }

    /// The frame that starts with `byte`.
    pub const fn of(byte: u8) -> Option<Self> {
        match byte {
            b's' => Some(Self::Started),
            b'f' => Some(Self::Refused),
            b'r' => Some(Self::Result),
            b'e' => Some(Self::Error),
            _ => None,
        }
    }
}

/// Sends one message.
///
/// # Errors
/// If the other side is gone or the message is too long.
pub fn send<T: Serialize>(
    socket: BorrowedFd<'_>,
    message: &T,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > MAX_MESSAGE {
        return Err(io::Error::other("the message is too long"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    sendmsg(
        socket,
        &[IoSlice::new(&bytes)],
        &mut beside,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Waits for one message. None if the other side is gone.
///
/// # Errors
/// If the message cannot be read or is not of the type.
pub fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match recvmsg(
            socket.as_fd(),
            &mut parts,
            &mut beside,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(bytes.get(..received.bytes).unwrap_or_default())?;
    Ok(Some((message, descriptors)))
}
