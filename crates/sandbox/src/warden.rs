//! The thread that keeps a pool's worker processes alive.
//!
//! It starts them, waits for them to be ready, notices their end, reaps them and starts others in
//! their place. A thread of its own rather than tasks, for two reasons: a worker asks the kernel to
//! die with the *thread* that started it, so that thread must last; and no worker is left behind
//! when an async runtime is dropped.

use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use tokio::sync::oneshot;

use crate::compiled::CompiledGuest;
use crate::pool::Pool;
use crate::process::{Exit, Process, Started, last_words};
use crate::protocol::{FrameBuffer, Hello, MAX_READY_FRAME, Ready};
use crate::{SandboxError, WorkerCommand};

/// How long a worker may take from its start to being ready.
const START: Duration = Duration::from_secs(30);
/// How long the next attempt waits after the first failure; doubles with each one more.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The longest it waits.
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// After this many failures in a row, those who wait for a worker are sent away.
const PATIENCE: u32 = 3;
/// A failure this long after the last one is a first one.
const FORGIVEN: Duration = Duration::from_secs(60);

/// What to keep alive.
#[derive(Debug)]
pub(crate) struct Roster {
    /// How a worker is started.
    pub(crate) command: WorkerCommand,
    /// What it is told first, encoded.
    pub(crate) hello: Vec<u8>,
    /// The guests it is given.
    pub(crate) guests: Vec<CompiledGuest>,
    /// How many there are to be.
    pub(crate) size: usize,
}

impl Roster {
    /// The roster of `size` workers that run `guests`.
    pub(crate) fn new(
        command: WorkerCommand,
        guests: Vec<CompiledGuest>,
        maximum: sandgate_core::Limits,
        size: usize,
    ) -> Result<Self, SandboxError> {
        let hello = Hello {
            parent: std::process::id(),
            maximum,
            guests: guests.iter().map(|guest| guest.info.clone()).collect(),
        };
        let mut bytes = Vec::new();
        hello
            .encode(&mut bytes)
            .map_err(|error| SandboxError::Worker(error.to_string()))?;
        Ok(Self {
            command,
            hello: bytes,
            guests,
            size,
        })
    }
}

/// The way to tell the thread to stop. Stops it when dropped.
#[derive(Debug)]
pub(crate) struct WardenHandle {
    stops: Sender<oneshot::Sender<()>>,
    bell: Arc<OwnedFd>,
}

impl WardenHandle {
    /// Kills every worker. The receiver hears when all are reaped.
    pub(crate) fn stop(&self) -> oneshot::Receiver<()> {
        let (done, stopped) = oneshot::channel();
        // A thread that has ended drops the sender, which is heard as well.
        let _ = self.stops.send(done);
        self.ring();
        stopped
    }

    fn ring(&self) {
        // Fails only when the counter is full, and then the bell is ringing.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for WardenHandle {
    fn drop(&mut self) {
        // Nobody waits for it.
        drop(self.stop());
    }
}

/// A warden that is not at work yet.
#[derive(Debug)]
pub(crate) struct Warden {
    roster: Roster,
    stops: Receiver<oneshot::Sender<()>>,
    bell: Arc<OwnedFd>,
}

impl Warden {
    /// A warden, and the way to stop it.
    pub(crate) fn new(roster: Roster) -> Result<(Self, WardenHandle), SandboxError> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = eventfd(0, flags).map_err(|error| SandboxError::System {
            action: "make an event descriptor",
            source: error.into(),
        })?;
        let bell = Arc::new(bell);
        let (sender, stops) = channel();
        let handle = WardenHandle {
            stops: sender,
            bell: Arc::clone(&bell),
        };
        let warden = Self {
            roster,
            stops,
            bell,
        };
        Ok((warden, handle))
    }

    /// Sets it to work for `pool`, on a thread of its own.
    pub(crate) fn start(self, pool: Weak<Pool>) -> Result<(), SandboxError> {
        let ward = Ward {
            warden: self,
            pool,
            workers: Vec::new(),
            failures: 0,
            spared: 0,
            next_attempt: Instant::now(),
        };
        thread::Builder::new()
            .name("sandgate-warden".to_owned())
            .spawn(move || ward.keep())
            .map(drop)
            .map_err(|source| SandboxError::System {
                action: "start a thread",
                source,
            })
    }
}

/// A worker in the warden's care.
struct Inmate {
    process: Arc<Process>,
    last_words: OwnedFd,
    stage: Stage,
}

enum Stage {
    /// Not ready yet.
    Starting {
        socket: UnixStream,
        frames: FrameBuffer,
        since: Instant,
    },
    /// Handed to the pool.
    Ready,
    /// Killed before it was ready; for a reason, unless its own last words say more.
    Doomed(Option<String>),
}

/// What a starting worker has come to.
enum Progress {
    Waiting,
    Ready(Ready),
    Failed(Option<String>),
}

/// The warden at work.
struct Ward {
    warden: Warden,
    pool: Weak<Pool>,
    workers: Vec<Inmate>,
    failures: u32,
    /// How many have died at rest since one last worked.
    spared: usize,
    /// When the next start may be tried.
    next_attempt: Instant,
}

impl Ward {
    fn keep(mut self) {
        loop {
            match self.warden.stops.try_recv() {
                Ok(done) => return self.end(Some(done)),
                Err(TryRecvError::Disconnected) => return self.end(None),
                Err(TryRecvError::Empty) => {}
            }
            self.fill();
            self.watch();
            self.tend();
        }
    }

    /// Starts what is missing, unless the last attempts failed just now.
    fn fill(&mut self) {
        while self.workers.len() < self.warden.roster.size && Instant::now() >= self.next_attempt {
            let roster = &self.warden.roster;
            match Process::start(&roster.command, &roster.hello, &roster.guests) {
                Ok(Started {
                    process,
                    socket,
                    last_words,
                }) => self.workers.push(Inmate {
                    process,
                    last_words,
                    stage: Stage::Starting {
                        socket,
                        frames: FrameBuffer::default(),
                        since: Instant::now(),
                    },
                }),
                Err(error) => {
                    let cause = std::error::Error::source(&error);
                    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                    self.failed(format!("{error}{cause}"));
                }
            }
        }
    }

    /// Waits for something to happen.
    fn watch(&self) {
        let mut until: Option<Instant> = None;
        let mut no_later = |time: Instant| until = Some(until.map_or(time, |u| u.min(time)));
        if self.workers.len() < self.warden.roster.size {
            no_later(self.next_attempt);
        }
        let mut descriptors = vec![PollFd::new(&self.warden.bell, PollFlags::IN)];
        for worker in &self.workers {
            let process = worker.process.descriptor();
            descriptors.push(PollFd::from_borrowed_fd(process, PollFlags::IN));
            if let Stage::Starting { socket, since, .. } = &worker.stage {
                descriptors.push(PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN));
                no_later(*since + START);
            }
        }
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        if let Err(error) = rustix::event::poll(&mut descriptors, timeout.as_ref())
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(%error, "cannot watch the workers");
            // Not in a circle: without a watch, look now and then.
            thread::sleep(FIRST_DELAY);
        }
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.warden.bell, &mut count);
    }

    /// Sees to every worker that something happened to.
    fn tend(&mut self) {
        for index in (0..self.workers.len()).rev() {
            if let Stage::Starting { .. } = self.workers[index].stage {
                match self.workers[index].progress() {
                    Progress::Waiting => {}
                    Progress::Ready(ready) => self.hand_over(index, &ready),
                    Progress::Failed(reason) => {
                        self.workers[index].stage = Stage::Doomed(reason);
                        self.workers[index].process.kill();
                    }
                }
            }
            if let Some(exit) = self.workers[index].process.reap() {
                let worker = self.workers.swap_remove(index);
                self.bury(worker, exit);
            }
        }
    }

    fn hand_over(&mut self, index: usize, ready: &Ready) {
        let worker = &mut self.workers[index];
        let Stage::Starting { socket, .. } = std::mem::replace(&mut worker.stage, Stage::Ready)
        else {
            return;
        };
        let pid = worker.process.pid();
        for wall in &ready.missing {
            // From a worker: bounded by its frame, escaped by the format.
            tracing::debug!(pid, missing = ?wall, "a worker lacks a part of its walls");
        }
        tracing::debug!(pid, "a worker is ready");
        let process = Arc::clone(&worker.process);
        if let Some(pool) = self.pool.upgrade()
            && let Err(error) = pool.admit(Arc::clone(&process), socket)
        {
            process.kill();
            self.failed(format!("cannot use the socket of a worker: {error}"));
        }
    }

    /// Takes leave of a worker that has ended.
    fn bury(&mut self, worker: Inmate, exit: Exit) {
        let pid = worker.process.pid();
        let words = last_words(worker.last_words);
        let said = if words.is_empty() {
            String::new()
        } else {
            format!(", saying {words:?}")
        };
        match worker.stage {
            Stage::Starting { .. } | Stage::Doomed(None) => {
                self.failed(format!("a worker {exit} before it was ready{said}"));
            }
            Stage::Doomed(Some(reason)) => self.failed(format!("{reason}{said}")),
            Stage::Ready => {
                tracing::warn!(pid, "a worker {exit}{said}");
                if let Some(pool) = self.pool.upgrade() {
                    pool.bury(&worker.process);
                }
                if worker.process.was_used() {
                    self.failures = 0;
                    self.spared = 0;
                } else if self.spared < self.warden.roster.size {
                    // It started well, so the next one may. All may be killed at once, by one
                    // who stops every process of that name, say.
                    self.spared += 1;
                } else {
                    // They die of something else than a guest, and will go on to.
                    self.failed(format!("a worker {exit} before it ran anything{said}"));
                }
            }
        }
    }

    fn failed(&mut self, reason: String) {
        tracing::error!("cannot keep the pool of workers whole: {reason}");
        let now = Instant::now();
        if now.saturating_duration_since(self.next_attempt) > FORGIVEN {
            self.failures = 0;
            self.spared = 0;
        }
        let delay = FIRST_DELAY
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST_DELAY);
        self.failures = self.failures.saturating_add(1);
        self.next_attempt = now + delay;
        if let Some(pool) = self.pool.upgrade() {
            pool.failed(reason, delay, self.failures >= PATIENCE);
        }
    }

    /// Kills and reaps all.
    fn end(self, done: Option<oneshot::Sender<()>>) {
        for worker in &self.workers {
            worker.process.kill();
        }
        for worker in &self.workers {
            worker.process.reap_blocking();
        }
        if let Some(done) = done {
            let _ = done.send(());
        }
    }
}

impl Inmate {
    /// Reads what a starting worker has sent.
    fn progress(&mut self) -> Progress {
        let Stage::Starting {
            socket,
            frames,
            since,
        } = &mut self.stage
        else {
            return Progress::Waiting;
        };
        let failed = |reason: String| Progress::Failed(Some(reason));
        let mut bytes = [0; 4096];
        loop {
            match frames.next(MAX_READY_FRAME) {
                Ok(Some(frame)) if !frames.is_partial() => {
                    return match Ready::decode(&frame) {
                        Ok(ready) => Progress::Ready(ready),
                        Err(error) => failed(format!("a starting worker sent {error}")),
                    };
                }
                Ok(Some(_)) => return failed("a starting worker sent too much".to_owned()),
                Ok(None) => {}
                Err(error) => return failed(format!("a starting worker sent {error}")),
            }
            match socket.read(&mut bytes) {
                Ok(0) => return Progress::Failed(None),
                Ok(count) => frames.space().extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return Progress::Failed(None),
            }
        }
        if since.elapsed() < START {
            Progress::Waiting
        } else {
            failed(format!(
                "a worker was not ready within {} s",
                START.as_secs()
            ))
        }
    }
}
