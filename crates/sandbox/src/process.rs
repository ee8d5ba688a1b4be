//! A worker process as its parent holds it: started, watched, killed and reaped through a process
//! descriptor, which unlike a process number never comes to mean another process.

use std::fmt;
use std::io::{self, IoSlice, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::sync::Notify;

use crate::compiled::CompiledGuest;
use crate::protocol::MAX_GUESTS;
use crate::{SandboxError, WorkerCommand};

/// How much of a dead worker's last words is kept.
const LAST_WORDS: u64 = 4 << 10;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// On its own, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Somebody else has reaped it.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(number) => {
                let name = match number {
                    libc::SIGABRT => " (SIGABRT: aborted)",
                    libc::SIGBUS => " (SIGBUS)",
                    libc::SIGILL => " (SIGILL)",
                    libc::SIGKILL => " (SIGKILL)",
                    libc::SIGSEGV => " (SIGSEGV)",
                    libc::SIGSYS => " (SIGSYS: it made a forbidden system call)",
                    libc::SIGTERM => " (SIGTERM)",
                    _ => "",
                };
                write!(f, "was killed by signal {number}{name}")
            }
            Self::Unknown => f.write_str("ended, how is not known"),
        }
    }
}

/// A worker's process.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    descriptor: OwnedFd,
    exit: OnceLock<Exit>,
    exited: Notify,
    used: AtomicBool,
}

/// A process that has just been started, and the ends of its socket and of its descriptor 2.
pub(crate) struct Started {
    pub(crate) process: Arc<Process>,
    pub(crate) socket: std::os::unix::net::UnixStream,
    pub(crate) last_words: OwnedFd,
}

impl Process {
    /// Starts a worker and sends it `hello`, an encoded message, with the `guests` it announces.
    ///
    /// The thread that calls this must outlive the worker, which asks to die with it.
    pub(crate) fn start(
        command: &WorkerCommand,
        hello: &[u8],
        guests: &[CompiledGuest],
    ) -> Result<Started, SandboxError> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(system("make a socket for a worker"))?;
        let (last_words, stderr) =
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(system("make a pipe"))?;
        let spawned = Command::new(&command.program)
            .args(&command.args)
            .env_clear()
            .current_dir("/")
            // A signal for the service's group, as a terminal sends, is not for its workers.
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::from(stderr))
            .spawn();
        let child = spawned.map_err(|source| SandboxError::Io {
            action: "start the worker program",
            path: command.program.clone(),
            source,
        })?;
        let pid = Pid::from_child(&child);
        let descriptor = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                // Unwatched, it must not live on.
                let mut child = child;
                let _ = child.kill();
                let _ = child.wait();
                return Err(system("watch a worker")(error));
            }
        };
        let process = Arc::new(Self {
            pid,
            descriptor,
            exit: OnceLock::new(),
            exited: Notify::new(),
            used: AtomicBool::new(false),
        });
        match send_with_descriptors(ours.as_fd(), hello, guests) {
            Ok(()) => {}
            // It has ended already: its exit and its last words say more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(source) => {
                process.kill();
                process.reap_blocking();
                return Err(SandboxError::System {
                    action: "send a worker its guests",
                    source,
                });
            }
        }
        let socket = std::os::unix::net::UnixStream::from(ours);
        socket
            .set_nonblocking(true)
            .map_err(system("set up a worker's socket"))?;
        Ok(Started {
            process,
            socket,
            last_words,
        })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Notes that it has been given work.
    pub(crate) fn use_it(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether it has been given work.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Readable once the process has ended.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Ends it. Does nothing to one that has ended.
    pub(crate) fn kill(&self) {
        if let Err(error) = rustix::process::pidfd_send_signal(&self.descriptor, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::error!(pid = self.pid(), %error, "cannot kill a worker");
        }
    }

    /// Reaps it if it has ended, and tells those who wait for that.
    pub(crate) fn reap(&self) -> Option<Exit> {
        self.wait(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Waits for its end and reaps it.
    pub(crate) fn reap_blocking(&self) {
        self.wait(WaitIdOptions::EXITED);
    }

    fn wait(&self, options: WaitIdOptions) -> Option<Exit> {
        if let Some(exit) = self.exit.get() {
            return Some(*exit);
        }
        let exit = loop {
            match rustix::process::waitid(WaitId::PidFd(self.descriptor.as_fd()), options) {
                Ok(None) => return None,
                Ok(Some(status)) => {
                    let signal = status.terminating_signal().map(Exit::Signal);
                    let code = status.exit_status().map(Exit::Code);
                    break signal.or(code).unwrap_or(Exit::Unknown);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break Exit::Unknown,
            }
        };
        let exit = *self.exit.get_or_init(|| exit);
        self.exited.notify_waiters();
        Some(exit)
    }

    /// How it ended, if it has been reaped.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// Waits until it has been reaped.
    pub(crate) async fn exited(&self) -> Exit {
        loop {
            let notified = self.exited.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(exit) = self.exit() {
                return exit;
            }
            notified.await;
        }
    }
}

fn send_with_descriptors(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    guests: &[CompiledGuest],
) -> io::Result<()> {
    let descriptors: Vec<BorrowedFd<'_>> = guests.iter().map(|guest| guest.code.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_GUESTS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other(format!(
            "{} guests are more than the {MAX_GUESTS} that a worker can be given",
            guests.len()
        )));
    }
    let flags = SendFlags::NOSIGNAL;
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?;
    if sent == bytes.len() {
        Ok(())
    } else {
        // The socket is empty and the message far smaller than its buffer.
        Err(io::Error::from(io::ErrorKind::WriteZero))
    }
}

/// What a dead worker wrote to its descriptor 2, bounded, on one line.
pub(crate) fn last_words(pipe: OwnedFd) -> String {
    let mut words = Vec::new();
    // Nobody else holds the other end once the worker is dead, so this ends.
    let _ = std::fs::File::from(pipe)
        .take(LAST_WORDS)
        .read_to_end(&mut words);
    let words = String::from_utf8_lossy(&words);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |source| SandboxError::System {
        action,
        source: source.into(),
    }
}
