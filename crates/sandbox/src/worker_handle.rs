//! One worker, ready for work, as its parent holds it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::{
    CancellationToken, GuestError, Limits, Outcome, OutputSink, OutputStream, Status, Task,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::process::Process;
use crate::protocol::{Done, Frame, FrameBuffer, Kind, MAX_TASK_FRAME, Order, ProtocolError};

/// How long a worker may take to end an execution that is cancelled.
pub(crate) const CANCEL_GRACE: Duration = Duration::from_millis(50);
/// How much longer it may take to hand over an outcome it has begun to send.
const TRANSFER: Duration = Duration::from_secs(2);
/// How long a dead worker's exit is waited for.
const AFTERMATH: Duration = Duration::from_secs(1);
/// An outcome of more bytes is checked and hashed on another thread.
const QUICK: usize = 256 << 10;
/// How much memory for outgoing messages a worker's handle keeps.
const KEPT: usize = 256 << 10;

/// How much beyond its time an execution's worker may take to say so, before it is killed.
fn timeout_grace(timeout: Duration) -> Duration {
    (timeout / 20).clamp(Duration::from_millis(25), Duration::from_millis(250))
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for a task.
    Idle,
    /// It runs this execution, which can be cancelled.
    Running(u64),
    /// What it would make of another message is not known.
    Lost,
}

/// A worker.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Arc<Process>,
    socket: UnixStream,
    frames: FrameBuffer,
    outgoing: Vec<u8>,
    state: State,
    executions: u64,
}

/// An execution that nobody waits for any more.
#[derive(Debug)]
pub(crate) struct Abandoned(u64);

/// Why a worker did not begin a task.
#[derive(Debug)]
pub(crate) enum NotBegun {
    /// The task cannot be sent. The worker is idle.
    TooLarge(ProtocolError),
    /// The worker had died before it had the whole task. Another one may take it.
    Dead,
}

impl Worker {
    /// The worker in `process`, which has said that it is ready.
    pub(crate) fn new(process: Arc<Process>, socket: UnixStream) -> Self {
        Self {
            process,
            socket,
            frames: FrameBuffer::default(),
            outgoing: Vec::new(),
            state: State::Idle,
            executions: 0,
        }
    }

    /// Its process.
    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Whether it can be given a task.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle && self.process.exit().is_none()
    }

    /// Runs `task`. Whatever the worker does, this ends, at the latest a moment after the task's
    /// time is up or `cancel` is cancelled; a worker that does not keep up is killed.
    ///
    /// Dropping the future leaves the execution running: see [`Self::abandon`].
    ///
    /// # Errors
    /// If the task was not begun.
    pub(crate) async fn run(
        &mut self,
        task: &Task,
        sink: &dyn OutputSink,
        cancel: &CancellationToken,
    ) -> Result<Outcome, NotBegun> {
        self.executions += 1;
        let id = self.executions;
        self.outgoing.clear();
        Order::encode_run(&mut self.outgoing, id, task).map_err(NotBegun::TooLarge)?;
        let mut watch = Watch::new(sink, &task.limits);
        self.state = State::Lost;
        let ended = match self.drive(id, &mut watch, cancel).await {
            Ok(frame) => {
                self.rest();
                conclude(id, frame, &watch).await
            }
            Err(end) => Err(end),
        };
        let mut outcome = match ended {
            Ok(outcome) => outcome,
            Err(End::Unbegun) => {
                self.state = State::Lost;
                return Err(NotBegun::Dead);
            }
            Err(end) => {
                self.state = State::Lost;
                self.process.kill();
                self.explain(end, &watch).await
            }
        };
        outcome.stdout = Bytes::from(watch.stdout);
        outcome.stderr = Bytes::from(watch.stderr);
        Ok(outcome)
    }

    /// After the frame that ends an execution, which nothing may follow.
    fn rest(&mut self) {
        if self.frames.is_partial() {
            self.state = State::Lost;
            self.process.kill();
        } else {
            self.state = State::Idle;
            // One large task must not keep its memory for good.
            self.outgoing.clear();
            self.outgoing.shrink_to(KEPT);
        }
    }

    /// Sends what is to be sent and takes what comes, up to the frame that ends the execution.
    async fn drive(
        &mut self,
        id: u64,
        watch: &mut Watch<'_>,
        cancel: &CancellationToken,
    ) -> Result<Frame, End> {
        let deadline = tokio::time::sleep_until(watch.deadline);
        tokio::pin!(deadline);
        tokio::select! {
            biased;
            sent = self.socket.write_all(&self.outgoing) => sent.map_err(|_| End::Unbegun)?,
            () = &mut deadline => return Err(End::Overdue),
        }
        self.state = State::Running(id);
        self.process.use_it();
        let cancelled = cancel.cancelled();
        tokio::pin!(cancelled);
        let allowed = watch.allowed;
        let mut extended = false;
        loop {
            while let Some(frame) = self.frames.next(allowed)? {
                match frame.kind {
                    Kind::Stdout => watch.print(OutputStream::Stdout, &frame.payload)?,
                    Kind::Stderr => watch.print(OutputStream::Stderr, &frame.payload)?,
                    Kind::Done => return Ok(frame),
                    Kind::Hello | Kind::Run | Kind::Cancel | Kind::Ready => {
                        return Err(End::Broke(frame.unexpected()));
                    }
                }
            }
            // In this order: a flood of output must not hide that time is up.
            tokio::select! {
                biased;
                () = &mut deadline => {
                    if extended || !self.frames.is_partial() {
                        return Err(End::Overdue);
                    }
                    extended = true;
                    deadline.as_mut().reset(Instant::now() + TRANSFER);
                }
                () = &mut cancelled, if !watch.cancelled => {
                    watch.cancelled = true;
                    self.send_cancel(id).await?;
                    let soon = Instant::now() + CANCEL_GRACE;
                    let earlier = soon.min(deadline.deadline());
                    deadline.as_mut().reset(earlier);
                }
                read = self.socket.read_buf(self.frames.space()) => match read {
                    Ok(0) => return Err(End::Died),
                    Err(error) => return Err(watch.lost(&error)),
                    Ok(_) => {}
                },
            }
        }
    }

    async fn send_cancel(&mut self, id: u64) -> Result<(), End> {
        self.outgoing.clear();
        Order::encode_cancel(&mut self.outgoing, id)?;
        // A few bytes into an empty buffer: this waits only for a worker that is broken.
        let sent = tokio::time::timeout(CANCEL_GRACE, self.socket.write_all(&self.outgoing)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Died),
            Err(_) => Err(End::Overdue),
        }
    }

    /// The execution that was left running, if one was and can be ended by [`Self::end`].
    pub(crate) fn abandon(&mut self) -> Option<Abandoned> {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Running(id) => Some(Abandoned(id)),
            State::Idle | State::Lost => None,
        }
    }

    /// Ends an execution that nobody waits for. The worker is idle or dead afterwards.
    pub(crate) async fn end(&mut self, Abandoned(id): Abandoned) {
        let drained = tokio::time::timeout(CANCEL_GRACE, async {
            self.send_cancel(id).await?;
            loop {
                while let Some(frame) = self.frames.next(MAX_TASK_FRAME)? {
                    if frame.kind == Kind::Done {
                        return Ok::<_, End>(());
                    }
                }
                match self.socket.read_buf(self.frames.space()).await {
                    Ok(0) | Err(_) => return Err(End::Died),
                    Ok(_) => {}
                }
            }
        });
        match drained.await {
            Ok(Ok(())) => self.rest(),
            Ok(Err(_)) | Err(_) => self.process.kill(),
        }
    }

    /// The outcome of an execution that the worker did not bring to its end.
    async fn explain(&self, end: End, watch: &Watch<'_>) -> Outcome {
        let mut status = Status::Crashed;
        let message = match end {
            End::Overdue => {
                status = Status::Timeout;
                None
            }
            End::Died | End::Unbegun => {
                let exit = tokio::time::timeout(AFTERMATH, self.process.exited()).await;
                Some(match exit {
                    Ok(exit) => format!("the worker process {exit}"),
                    Err(_) => "the worker process closed its socket".to_owned(),
                })
            }
            End::Broke(error) => Some(format!("the worker process sent {error}")),
        };
        if watch.cancelled {
            status = Status::Cancelled;
        }
        let error = message.map(|message| {
            tracing::warn!(
                pid = self.process.pid(),
                "lost a worker in mid-execution: {message}"
            );
            GuestError {
                kind: "Crash".to_owned(),
                message,
                traceback: String::new(),
                line: None,
            }
        });
        let mut outcome = Outcome::empty(status);
        outcome.error = error;
        outcome.usage.wall_ms = watch.elapsed_ms();
        outcome
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// How an execution ended that the worker did not bring to its end.
#[derive(Debug)]
enum End {
    /// It was dead before it could begin.
    Unbegun,
    /// It did not say so in time.
    Overdue,
    /// It closed its socket.
    Died,
    /// It did not keep to the protocol.
    Broke(ProtocolError),
}

impl From<ProtocolError> for End {
    fn from(error: ProtocolError) -> Self {
        Self::Broke(error)
    }
}

/// What the parent sees of a running execution.
struct Watch<'a> {
    sink: &'a dyn OutputSink,
    limits: &'a Limits,
    started: Instant,
    deadline: Instant,
    allowed: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    cancelled: bool,
}

impl<'a> Watch<'a> {
    fn new(sink: &'a dyn OutputSink, limits: &'a Limits) -> Self {
        let started = Instant::now();
        let timeout = Duration::from_millis(limits.timeout_ms);
        // A task may name a time so long that the clock has no such moment.
        let far = started + Duration::from_secs(86_400);
        let allowance = timeout.saturating_add(timeout_grace(timeout));
        Self {
            sink,
            limits,
            started,
            deadline: started.checked_add(allowance).unwrap_or(far).min(far),
            allowed: Done::allowed(limits)
                .max(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX)),
            stdout: Vec::new(),
            stderr: Vec::new(),
            cancelled: false,
        }
    }

    fn print(&mut self, stream: OutputStream, bytes: &[u8]) -> Result<(), ProtocolError> {
        let kept = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        let total = u64::try_from(kept.len() + bytes.len()).unwrap_or(u64::MAX);
        if total > self.limits.output_bytes {
            return Err(ProtocolError::Implausible("more output than was granted"));
        }
        kept.extend_from_slice(bytes);
        self.sink.write(stream, bytes);
        Ok(())
    }

    /// What it means that nothing more can be read.
    ///
    /// The kernel resets the connection, rather than end it, when the other end closes with
    /// something in it unread. A worker reads a task whole before it begins it, and nothing but an
    /// order to end it comes later. (One that printed all the same is not to be believed.)
    fn lost(&self, error: &io::Error) -> End {
        let silent = self.stdout.is_empty() && self.stderr.is_empty();
        if error.kind() == io::ErrorKind::ConnectionReset && silent && !self.cancelled {
            End::Unbegun
        } else {
            End::Died
        }
    }

    fn elapsed_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1e3
    }
}

/// The outcome that the worker's last frame stands for, but for what was printed.
async fn conclude(id: u64, frame: Frame, watch: &Watch<'_>) -> Result<Outcome, End> {
    let (limits, cancelled, elapsed_ms) = (*watch.limits, watch.cancelled, watch.elapsed_ms());
    let size = frame.payload.len();
    let conclude = move || {
        let done = Done::decode(&frame.payload)?;
        if done.id != id {
            return Err(ProtocolError::Implausible("the end of another execution"));
        }
        done.into_outcome(&frame.payload, &limits, cancelled, elapsed_ms)
    };
    if size <= QUICK {
        return Ok(conclude()?);
    }
    // Hashing megabytes would hold up everything else on this thread.
    match tokio::task::spawn_blocking(conclude).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(End::Broke(ProtocolError::Implausible(
            "an outcome that could not be taken in",
        ))),
    }
}
