//! The outermost process of an environment.

use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::{oneshot, watch};

use super::tree;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// A process whose descendants are stopped and killed with it.
#[derive(Debug)]
pub(crate) struct Process {
    /// Absent once it is collected: the number may be somebody else's then.
    pid: Arc<Mutex<Option<Pid>>>,
    exit: watch::Receiver<Option<Exit>>,
    contained: bool,
    stopped: Mutex<Vec<Pid>>,
}

impl Process {
    /// Starts it. With `contained`, its end is the end of all below it.
    ///
    /// A thread of its own starts the process and waits for it: the kernel kills a child that asked
    /// to die with its parent when the *thread* ends that started it, and a runtime's threads come
    /// and go.
    pub(crate) async fn start(mut command: Command, contained: bool) -> io::Result<Self> {
        let (report, reported) = oneshot::channel();
        let (ended, exit) = watch::channel(None);
        thread::Builder::new()
            .name("environment".to_owned())
            .spawn(move || {
                let child = command.spawn();
                // The ends of pipes that the command holds must close for their readers to see it.
                drop(command);
                let mut child = match child {
                    Ok(child) => child,
                    Err(error) => {
                        // Nobody to tell: the start was given up.
                        let _ = report.send(Err(error));
                        return;
                    }
                };
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let shared = Arc::new(Mutex::new(pid));
                if report.send(Ok(Arc::clone(&shared))).is_err() {
                    kill(&shared, contained);
                }
                if let Some(pid) = pid {
                    // Wait without collecting, so that the number stays ours until it is forgotten.
                    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
                }
                lock(&shared).take();
                let exit = child.wait().map_or(Exit::Signal(9), exit_of);
                ended.send_replace(Some(exit));
            })?;
        let pid = reported
            .await
            .map_err(|_| io::Error::other("the thread that starts an environment ended"))??;
        Ok(Self {
            pid,
            exit,
            contained,
            stopped: Mutex::new(Vec::new()),
        })
    }

    /// How it ended, once it has.
    pub(crate) async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::Signal(9)),
            // The thread that waits cannot end without saying so, unless it panics.
            Err(_) => Exit::Signal(9),
        }
    }

    /// Whether it still runs or is stopped.
    pub(crate) fn is_alive(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Stops it and everything below it. Where its end is not the end of all it is a shim that
    /// watches over the others, and goes on. Tells the memory of what was stopped; see [`Memory`].
    pub(crate) fn freeze(&self, peak: Memory) -> Memory {
        let pid = lock(&self.pid);
        let Some(pid) = *pid else {
            return peak;
        };
        let stopped = tree::stop(pid, !self.contained);
        let peak = peak.raised(&stopped);
        *lock(&self.stopped) = stopped;
        peak
    }

    /// Lets everything go on that was stopped. Nothing stopped can have ended and been collected,
    /// because whoever collects it is stopped too.
    pub(crate) fn thaw(&self) {
        let pid = lock(&self.pid);
        let mut stopped = std::mem::take(&mut *lock(&self.stopped));
        if pid.is_some() {
            // Children before parents: nobody wakes to find a child that still sleeps.
            stopped.reverse();
            tree::send(&stopped, Signal::CONT);
        }
    }

    /// Memory of it and everything below it in bytes; see [`Memory`].
    pub(crate) fn memory(&self, peak: Memory) -> Memory {
        let pid = lock(&self.pid);
        pid.map_or(peak, |pid| peak.raised(&tree::members(pid)))
    }

    /// Ends it and everything below it.
    pub(crate) fn kill(&self) {
        kill(&self.pid, self.contained);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The most memory that was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// What processes share counted once.
    pub(crate) bytes: u64,
    /// What they share counted for each: cheap to look at, and never less.
    resident: u64,
}

impl Memory {
    /// Looks closer only when the cheap figure has risen by more than a sixteenth: the close look
    /// walks the processes' page tables.
    fn raised(self, pids: &[Pid]) -> Self {
        let resident = tree::resident_bytes(pids);
        if resident <= self.resident + self.resident / 16 {
            return self;
        }
        Self {
            bytes: self.bytes.max(tree::proportional_bytes(pids)),
            resident,
        }
    }
}

fn kill(pid: &Mutex<Option<Pid>>, contained: bool) {
    let pid = lock(pid);
    let Some(pid) = *pid else {
        return;
    };
    if contained {
        tree::send(&[pid], Signal::KILL);
    } else {
        tree::kill_below(pid);
        tree::send(&[pid], Signal::KILL);
    }
}

/// What is around the entry point reports the signal that ended it as a shell does.
fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) if (129..=192).contains(&code) => Exit::Signal(code - 128),
        (Some(code), _) => Exit::Status(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(9)),
    }
}

/// What a mutex here guards is replaced as a whole, so a panic cannot leave it half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
