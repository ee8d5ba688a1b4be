//! The runner's side of a zygote.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sandgate_zygote::lowered::{Wall, stands};
use sandgate_zygote::protocol::{Notice, Order, Reaped, receive, send};

/// How long an interpreter may take to load its packages.
const START_PATIENCE: Duration = Duration::from_secs(120);

/// How long a zygote may take to fork, or to say how a child ended.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// How a zygote is started.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// The interpreter.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Its whole environment.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

/// An interpreter that forks on demand.
#[derive(Debug)]
pub(crate) struct Zygote {
    process: Process,
    socket: OwnedFd,
    started: Instant,
    is_ready: bool,
    /// A child that was ordered, and perhaps forked.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    socket: OwnedFd,
    pid: Option<i32>,
}

/// A forked child.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its number, which stands for it until it is reaped.
    pub(crate) pid: u32,
    /// Readable when it has ended.
    pub(crate) ended: OwnedFd,
    /// Where it waits for its task.
    pub(crate) socket: OwnedFd,
}

impl Zygote {
    /// Starts an interpreter, which then loads its packages, with its own files in `temporary`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(recipe: &Recipe, temporary: &Path) -> io::Result<Self> {
        let (ours, theirs) = pair()?;
        let mut command = Command::new(&recipe.program);
        if stands(Wall::Environment) {
            command.env_clear();
        }
        let process = command
            .args(&recipe.arguments)
            .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
            .env("TMPDIR", temporary)
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            // What it prints is for the log, and the log is stderr.
            .stdout(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?))
            .stderr(Stdio::inherit())
            .spawn()?;
        Ok(Self {
            process,
            socket: ours,
            started: Instant::now(),
            is_ready: false,
            next: None,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The child that waits for a task, where it is known.
    pub(crate) fn waiting(&mut self) -> Option<u32> {
        if self.next.as_ref().is_some_and(|next| next.pid.is_none()) {
            // It answers soon; if not, whoever wants the child finds out.
            let _ = self.settle(Duration::from_secs(1));
        }
        self.next.as_ref()?.pid?.try_into().ok()
    }

    /// Whether it was seen to have loaded its packages.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Waits until the packages are loaded, but not past `until`; false if they are not then.
    ///
    /// # Errors
    /// If it ended, or takes too long.
    pub(crate) fn wait_until_ready(&mut self, until: Instant) -> io::Result<bool> {
        if self.is_ready {
            return Ok(true);
        }
        let end = self.started + START_PATIENCE;
        match self.notice(until.min(end))? {
            Some(Notice::Ready) => {
                self.is_ready = true;
                Ok(true)
            }
            Some(other) => Err(unexpected(&other)),
            None if Instant::now() >= end => {
                Err(io::Error::other("its packages are not loaded in time"))
            }
            None => Ok(false),
        }
    }

    /// Orders a child for a task to come.
    ///
    /// # Errors
    /// If the zygote is gone.
    pub(crate) fn order(&mut self) -> io::Result<()> {
        if self.next.is_some() {
            return Ok(());
        }
        let (ours, theirs) = pair()?;
        send(self.socket.as_fd(), &Order::Fork, &[theirs.as_fd()])?;
        self.next = Some(Next {
            socket: ours,
            pid: None,
        });
        Ok(())
    }

    /// A child that waits for its task.
    ///
    /// # Errors
    /// If the zygote cannot give one.
    pub(crate) fn child(&mut self) -> io::Result<Child> {
        self.order()?;
        self.settle(ANSWER_PATIENCE)?;
        match self.next.take() {
            Some(Next {
                socket,
                pid: Some(pid),
            }) => {
                let process = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
                Ok(Child {
                    pid: pid.unsigned_abs(),
                    ended: pidfd_open(process, PidfdFlags::empty())?,
                    socket,
                })
            }
            Some(_) | None => Err(io::Error::other("it does not fork in time")),
        }
    }

    /// How a child ended, that has ended.
    ///
    /// # Errors
    /// If the zygote does not say so in time.
    pub(crate) fn reap(&mut self, pid: u32) -> io::Result<Reaped> {
        let order = Order::Reap(i32::try_from(pid).map_err(io::Error::other)?);
        send(self.socket.as_fd(), &order, &[])?;
        match self.notice(Instant::now() + ANSWER_PATIENCE)? {
            Some(Notice::Reaped(reaped)) => Ok(reaped),
            Some(other) => Err(unexpected(&other)),
            None => Err(io::Error::other("it does not answer in time")),
        }
    }

    /// Learns of the child that was ordered.
    fn settle(&mut self, patience: Duration) -> io::Result<()> {
        if self.next.as_ref().is_none_or(|next| next.pid.is_some()) {
            return Ok(());
        }
        match self.notice(Instant::now() + patience)? {
            Some(Notice::Forked(pid)) => {
                if let Some(next) = &mut self.next {
                    next.pid = Some(pid);
                }
                Ok(())
            }
            Some(other) => {
                self.next = None;
                Err(unexpected(&other))
            }
            None => Ok(()),
        }
    }

    /// The next notice, or none by `until`.
    fn notice(&mut self, until: Instant) -> io::Result<Option<Notice>> {
        if !readable(self.socket.as_fd(), until)? {
            return Ok(None);
        }
        match receive(self.socket.as_fd())? {
            Some((notice, _)) => Ok(Some(notice)),
            None => Err(io::Error::other(match self.process.wait() {
                Ok(status) => format!("the interpreter ended ({status})"),
                Err(error) => format!("the interpreter ended: {error}"),
            })),
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // Its waiting child ends by itself: nobody has the other end of its socket.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

fn unexpected(notice: &Notice) -> io::Error {
    io::Error::other(match notice {
        Notice::Failed(reason) => reason.clone(),
        Notice::Ready | Notice::Forked(_) | Notice::Reaped(_) => {
            format!("an answer to something else: {notice:?}")
        }
    })
}

/// Waits until something can be read, or the other side is gone; false if neither is so by
/// `until`.
fn readable(descriptor: BorrowedFd<'_>, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut descriptors = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
