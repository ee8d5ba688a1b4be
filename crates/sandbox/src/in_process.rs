//! The executor's in-process side: threads of this process, each with its own runner.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use sandgate_core::{CancellationToken, ExecutorError, Limits, Outcome, OutputSink, Status, Task};
use tokio::sync::{Notify, oneshot};

use crate::compiled::CompiledGuest;
use crate::control::Control;
use crate::eager::{self, MaySleep, Vigil};
use crate::queue::{Pace, closing, milliseconds, overloaded};
use crate::runner::Runner;
use crate::{SandboxError, SandboxStatus, engine};

/// Runs executions on threads of this process.
#[derive(Debug)]
pub(crate) struct InProcess {
    floor: Arc<Floor>,
    threads: Vec<JoinHandle<()>>,
    queue: usize,
}

/// Where threads and those who wait for them meet.
#[derive(Debug)]
struct Floor {
    state: Mutex<State>,
    /// There is work, or none will come.
    work: Condvar,
    /// An execution ended.
    ended: Notify,
    /// Ends all that run.
    halt: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    running: usize,
    /// Threads that [`Floor::work`] has to wake.
    asleep: usize,
    closing: bool,
    pace: Pace,
}

/// One execution on its way to a thread.
struct Job {
    task: Arc<Task>,
    sink: Arc<dyn OutputSink>,
    /// Ends it: the caller, a dropped future, or the end of the executor.
    end: CancellationToken,
    started: oneshot::Sender<()>,
    reply: oneshot::Sender<Outcome>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

impl State {
    /// Whether there is something for a thread to do, or to end for.
    fn is_news(&self) -> bool {
        self.closing || !self.waiting.is_empty()
    }
}

impl Floor {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next execution; none when no more will come.
    fn next(&self, vigil: &mut Vigil) -> Option<Job> {
        loop {
            let mut state = vigil.wait(|may_sleep| match may_sleep {
                MaySleep::Yes => Some(self.sleep()),
                MaySleep::No => self.state.try_lock().ok().filter(|state| state.is_news()),
            });
            while let Some(job) = state.waiting.pop_front() {
                // Those who gave up have left their entries.
                if !job.end.is_cancelled() {
                    state.running += 1;
                    return Some(job);
                }
            }
            if state.closing {
                return None;
            }
        }
    }

    /// Sleeps until there is news.
    fn sleep(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while !state.is_news() {
            state.asleep += 1;
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.asleep -= 1;
        }
        state
    }

    fn serve(&self, runner: &mut Runner) {
        let mut vigil = Vigil::new();
        while let Some(job) = self.next(&mut vigil) {
            // The caller may be gone; the runner finds out by `end`.
            let _ = job.started.send(());
            let sink = &*job.sink;
            let hand = Hand { end: &job.end };
            let ended = runner.run(
                &job.task,
                &mut |stream, bytes| sink.write(stream, bytes),
                &hand,
            );
            let outcome = ended.into_outcome();
            let mut state = self.state();
            state.running -= 1;
            state.pace.ended(outcome.usage.wall_ms);
            drop(state);
            let _ = job.reply.send(outcome);
            self.ended.notify_waiters();
        }
    }
}

impl InProcess {
    /// `threads` threads that run `guests`.
    pub(crate) fn new(
        guests: &[CompiledGuest],
        maximum: &Limits,
        threads: usize,
        queue: usize,
    ) -> Result<Self, SandboxError> {
        if threads == 0 {
            let message = "threads: at least 1 is needed, not 0";
            return Err(SandboxError::Config(message.to_owned()));
        }
        let mut in_process = Self {
            floor: Arc::new(Floor {
                state: Mutex::default(),
                work: Condvar::new(),
                ended: Notify::new(),
                halt: CancellationToken::new(),
            }),
            threads: Vec::with_capacity(threads),
            queue,
        };
        for _ in 0..threads {
            let loaded = guests
                .iter()
                .map(CompiledGuest::load)
                .collect::<Result<_, _>>()?;
            let mut runner = Runner::new(loaded, maximum)?;
            let floor = Arc::clone(&in_process.floor);
            let thread = thread::Builder::new()
                .name("sandgate-guest".to_owned())
                .stack_size(engine::STACK)
                .spawn(move || floor.serve(&mut runner))
                .map_err(|source| SandboxError::System {
                    action: "start a thread",
                    source,
                })?;
            in_process.threads.push(thread);
        }
        Ok(in_process)
    }

    /// Whether a task would be run: at once, or as soon as a thread is free.
    pub(crate) fn is_ready(&self) -> bool {
        !self.floor.state().closing
    }

    /// How it is.
    pub(crate) fn status(&self) -> SandboxStatus {
        let state = self.floor.state();
        SandboxStatus {
            running: state.running,
            waiting: state
                .waiting
                .iter()
                .filter(|job| !job.end.is_cancelled())
                .count(),
            ..SandboxStatus::default()
        }
    }

    /// Takes no more work, and ends what still runs after `patience`.
    pub(crate) async fn shut_down(&self, patience: Duration) {
        // A job that waits will not run: its caller hears so.
        let waiting = {
            let mut state = self.floor.state();
            state.closing = true;
            std::mem::take(&mut state.waiting)
        };
        drop(waiting);
        self.floor.work.notify_all();
        if tokio::time::timeout(patience, self.idle()).await.is_err() {
            self.floor.halt.cancel();
            self.idle().await;
        }
    }

    async fn idle(&self) {
        loop {
            let mut ended = pin!(self.floor.ended.notified());
            ended.as_mut().enable();
            if self.floor.state().running == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Runs `task` as soon as a thread is free.
    pub(crate) async fn execute(
        &self,
        task: Arc<Task>,
        sink: Arc<dyn OutputSink>,
        cancel: CancellationToken,
    ) -> Result<Outcome, ExecutorError> {
        let asked = Instant::now();
        let end = self.floor.halt.child_token();
        // Dropping the future ends the execution.
        let _guard = end.clone().drop_guard();
        let (started, mut has_started) = oneshot::channel();
        let (reply, mut outcome) = oneshot::channel();
        let pays = self.enqueue(Job {
            task,
            sink,
            end: end.clone(),
            started,
            reply,
        })?;
        let answer = async {
            tokio::select! {
                biased;
                begun = &mut has_started => begun.map_err(|_| closing())?,
                () = cancel.cancelled() => {
                    let mut outcome = Outcome::empty(Status::Cancelled);
                    outcome.usage.queue_ms = milliseconds(asked.elapsed());
                    return Ok(outcome);
                }
            }
            let queued = asked.elapsed();
            let ended = tokio::select! {
                biased;
                ended = &mut outcome => ended,
                () = cancel.cancelled() => {
                    end.cancel();
                    outcome.await
                }
            };
            let mut outcome = ended.map_err(|_| closing())?;
            outcome.usage.queue_ms = milliseconds(queued);
            if outcome.status == Status::Cancelled && !cancel.is_cancelled() {
                return Err(closing());
            }
            Ok(outcome)
        };
        eager::awake(pays, answer).await
    }

    /// Puts `job` in the queue. Says whether to wait for its outcome awake.
    fn enqueue(&self, job: Job) -> Result<bool, ExecutorError> {
        let mut state = self.floor.state();
        if state.closing {
            return Err(closing());
        }
        // With a thread free, the job is only passing through.
        let room = self.queue + self.threads.len().saturating_sub(state.running);
        if state.waiting.len() >= room {
            state.waiting.retain(|job| !job.end.is_cancelled());
            if state.waiting.len() >= room {
                let waiting = state.waiting.len();
                return Err(overloaded(waiting, self.threads.len(), &state.pace));
            }
        }
        let alone = state.running == 0 && state.waiting.is_empty();
        let pays = eager::pays(alone, state.pace.last);
        state.waiting.push_back(job);
        let asleep = state.asleep > 0;
        drop(state);
        if asleep {
            self.floor.work.notify_one();
        }
        Ok(pays)
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.floor.state().closing = true;
        self.floor.halt.cancel();
        self.floor.work.notify_all();
        for thread in self.threads.drain(..) {
            // A guest that runs is ended within a slice of fuel.
            let _ = thread.join();
        }
    }
}

/// The control of an execution on a thread of this process.
struct Hand<'a> {
    end: &'a CancellationToken,
}

impl Control for Hand<'_> {
    fn cancelled(&self) -> bool {
        self.end.is_cancelled()
    }

    fn wait(&self, until: Instant) {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut ended = pin!(self.end.cancelled());
        loop {
            if let Poll::Ready(()) = ended.as_mut().poll(&mut context) {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
