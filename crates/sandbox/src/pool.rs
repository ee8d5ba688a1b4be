//! The pool of worker processes: who works, who waits.
//!
//! There is one process more than there are places to run, so that the place of a worker that dies
//! is taken at once while the [warden](crate::warden) starts another. An execution holds a
//! [`Lease`] on a worker and speaks to it on its own task: no other task or thread stands between
//! the caller and the worker.

use std::collections::VecDeque;
use std::mem;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sandgate_core::{
    CancellationToken, ErrorKind, ExecutorError, Outcome, OutputSink, Status, Task,
};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::eager;
use crate::process::Process;
use crate::queue::{Pace, closing, milliseconds, overloaded};
use crate::warden::{Roster, Warden, WardenHandle};
use crate::worker_handle::{NotBegun, Worker};
use crate::{SandboxError, SandboxStatus};

/// How long the first worker is waited for.
const FIRST: Duration = Duration::from_secs(60);

/// Worker processes, and the executions that wait for one.
#[derive(Debug)]
pub(crate) struct Pool {
    /// How many executions run at once.
    places: usize,
    /// How many may wait.
    queue: usize,
    runtime: Handle,
    warden: WardenHandle,
    state: Mutex<State>,
    /// Rung whenever a place becomes free or a worker is ready.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The last one to have worked is the first to work again: its memory is warm.
    idle: Vec<Worker>,
    waiting: VecDeque<Waiting>,
    /// Places taken.
    running: usize,
    /// Workers that are ready, idle or not.
    alive: Vec<Arc<Process>>,
    /// Why there are fewer than there should be.
    failure: Option<Failure>,
    closing: bool,
    pace: Pace,
}

/// A worker that could not be started.
#[derive(Debug)]
struct Failure {
    reason: String,
    /// When the next one is tried.
    retry: Instant,
    /// Whether there is a point in waiting for that.
    hopeless: bool,
}

type Waiting = oneshot::Sender<Result<Lease, ExecutorError>>;

impl Pool {
    /// Starts a pool and waits until its first worker is ready.
    pub(crate) async fn start(
        roster: Roster,
        places: usize,
        queue: usize,
    ) -> Result<Arc<Self>, SandboxError> {
        let (warden, handle) = Warden::new(roster)?;
        let pool = Arc::new(Self {
            places,
            queue,
            runtime: Handle::current(),
            warden: handle,
            state: Mutex::default(),
            changed: Notify::new(),
        });
        warden.start(Arc::downgrade(&pool))?;
        let first = tokio::time::timeout(FIRST, pool.first());
        match first.await {
            Ok(Ok(())) => Ok(pool),
            Ok(Err(reason)) => Err(SandboxError::Worker(reason)),
            Err(_) => Err(SandboxError::Worker(
                "none was ready within a minute".to_owned(),
            )),
        }
    }

    async fn first(&self) -> Result<(), String> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.state();
                if !state.alive.is_empty() {
                    return Ok(());
                }
                if let Some(failure) = &state.failure {
                    return Err(failure.reason.clone());
                }
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `task` on a worker, as soon as there is one.
    pub(crate) async fn execute(
        self: &Arc<Self>,
        task: &Task,
        sink: &dyn OutputSink,
        cancel: &CancellationToken,
    ) -> Result<Outcome, ExecutorError> {
        let asked = Instant::now();
        // All may have died at rest, and all that took their places.
        let mut attempts = 2 * (self.places + 1);
        let (mut outcome, queued) = loop {
            let mut lease = tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    let mut outcome = Outcome::empty(Status::Cancelled);
                    outcome.usage.queue_ms = milliseconds(asked.elapsed());
                    return Ok(outcome);
                }
                lease = self.lease() => lease?,
            };
            let queued = asked.elapsed();
            let pays = self.state().pays();
            match eager::awake(pays, lease.run(task, sink, cancel)).await {
                // Killed while it was idle, and not reaped yet.
                Err(NotBegun::Dead) if attempts > 0 => attempts -= 1,
                Err(NotBegun::Dead) => {
                    let message = "one worker after the other dies before it begins";
                    let error = ExecutorError::new(ErrorKind::Unavailable, message);
                    return Err(error.retry_after(Duration::from_secs(1)));
                }
                Err(NotBegun::TooLarge(error)) => {
                    let message = "the task is too large for a worker process";
                    let error = ExecutorError::new(ErrorKind::Rejected, message).caused_by(error);
                    return Err(error);
                }
                Ok(outcome) => break (outcome, queued),
            }
        };
        outcome.usage.queue_ms = milliseconds(queued);
        let mut state = self.state();
        if state.closing && outcome.status == Status::Crashed {
            return Err(closing());
        }
        state.pace.ended(outcome.usage.wall_ms);
        drop(state);
        Ok(outcome)
    }

    /// Waits for a worker and a place.
    async fn lease(self: &Arc<Self>) -> Result<Lease, ExecutorError> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.state();
            if state.closing {
                return Err(closing());
            }
            if let Some(error) = state.hopeless() {
                return Err(error);
            }
            if state.waiting.is_empty()
                && let Some(lease) = self.next(&mut state)
            {
                return Ok(lease);
            }
            if state.waiting.len() >= self.queue {
                // Those who gave up have left their entries.
                state.waiting.retain(|waiting| !waiting.is_closed());
                if state.waiting.len() >= self.queue {
                    let waiting = state.waiting.len();
                    return Err(overloaded(waiting, self.places, &state.pace));
                }
            }
            state.waiting.push_back(sender);
        }
        // All entries before this one may be of those who gave up.
        self.dispatch();
        receiver.await.unwrap_or_else(|_| Err(closing()))
    }

    /// A lease on an idle worker, if there are one and a place.
    fn next(self: &Arc<Self>, state: &mut State) -> Option<Lease> {
        while state.running < self.places {
            let worker = state.idle.pop()?;
            if worker.is_idle() {
                state.running += 1;
                return Some(Lease {
                    pool: Arc::clone(self),
                    worker: Some(worker),
                });
            }
        }
        None
    }

    /// Gives workers to those who wait.
    fn dispatch(self: &Arc<Self>) {
        loop {
            let (waiting, lease) = {
                let mut state = self.state();
                while state.waiting.front().is_some_and(Waiting::is_closed) {
                    state.waiting.pop_front();
                }
                if state.waiting.is_empty() {
                    return;
                }
                let Some(lease) = self.next(&mut state) else {
                    return;
                };
                let Some(waiting) = state.waiting.pop_front() else {
                    return;
                };
                (waiting, lease)
            };
            // To one who has just given up, the lease comes back as it is dropped.
            let _ = waiting.send(Ok(lease));
        }
    }

    /// Takes in a worker that is ready. Called by the warden.
    pub(crate) fn admit(
        self: &Arc<Self>,
        process: Arc<Process>,
        socket: StdStream,
    ) -> std::io::Result<()> {
        let socket = {
            let _runtime = self.runtime.enter();
            UnixStream::from_std(socket)?
        };
        {
            let mut state = self.state();
            state.alive.push(Arc::clone(&process));
            state.failure = None;
            // To the bottom: those that have worked already are warmer.
            state.idle.insert(0, Worker::new(process, socket));
        }
        self.changed.notify_waiters();
        self.dispatch();
        Ok(())
    }

    /// Forgets a worker that has ended. Called by the warden.
    pub(crate) fn bury(&self, process: &Arc<Process>) {
        let mut state = self.state();
        state.alive.retain(|other| !Arc::ptr_eq(other, process));
        state
            .idle
            .retain(|worker| !Arc::ptr_eq(worker.process(), process));
    }

    /// Notes that a worker could not be started and when that is tried again; `hopeless` if those
    /// who wait shall not wait for it. Called by the warden.
    pub(crate) fn failed(&self, reason: String, retry: Duration, hopeless: bool) {
        let mut dismissed = Vec::new();
        {
            let mut state = self.state();
            state.failure = Some(Failure {
                reason,
                retry: Instant::now() + retry,
                hopeless,
            });
            while let Some(error) = state.hopeless()
                && let Some(waiting) = state.waiting.pop_front()
            {
                dismissed.push((waiting, error));
            }
        }
        for (waiting, error) in dismissed {
            let _ = waiting.send(Err(error));
        }
        self.changed.notify_waiters();
    }

    /// Takes a place back, and its worker if that is fit for more.
    fn take_back(self: &Arc<Self>, worker: Option<Worker>) {
        {
            let mut state = self.state();
            state.running = state.running.saturating_sub(1);
            state.idle.extend(worker);
        }
        self.changed.notify_waiters();
        self.dispatch();
    }

    /// Whether a task would be run: at once, or as soon as a place is free.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.state();
        let mut alive = state.alive.iter();
        !state.closing && alive.any(|process| process.exit().is_none())
    }

    /// How the pool is.
    pub(crate) fn status(&self) -> SandboxStatus {
        let state = self.state();
        let waiting = state.waiting.iter().filter(|waiting| !waiting.is_closed());
        SandboxStatus {
            workers: state.alive.iter().map(|process| process.pid()).collect(),
            running: state.running,
            waiting: waiting.count(),
            failure: state.failure.as_ref().map(|failure| failure.reason.clone()),
        }
    }

    /// Takes no more work, lets what runs come to its end for `patience`, then kills all workers.
    pub(crate) async fn shut_down(&self, patience: Duration) {
        let dismissed = {
            let mut state = self.state();
            state.closing = true;
            mem::take(&mut state.waiting)
        };
        for waiting in dismissed {
            let _ = waiting.send(Err(closing()));
        }
        // In time or not, the workers end now.
        let _ = tokio::time::timeout(patience, self.rested()).await;
        let _ = self.warden.stop().await;
    }

    /// Waits until nothing runs.
    async fn rested(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.state().running == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    /// Whether who has the only lease waits for his outcome awake.
    fn pays(&self) -> bool {
        let alone = self.running == 1 && self.waiting.is_empty();
        eager::pays(alone, self.pace.last)
    }

    /// The error of asking while there is no worker and none to hope for.
    fn hopeless(&self) -> Option<ExecutorError> {
        let failure = self.failure.as_ref()?;
        (failure.hopeless && self.alive.is_empty()).then(|| {
            let message = format!("no worker process can be started: {}", failure.reason);
            ExecutorError::new(ErrorKind::Unavailable, message)
                .retry_after(failure.retry.saturating_duration_since(Instant::now()))
        })
    }
}

/// A worker and a place to run, until dropped.
#[derive(Debug)]
struct Lease {
    pool: Arc<Pool>,
    /// There until the lease is dropped.
    worker: Option<Worker>,
}

impl Lease {
    async fn run(
        &mut self,
        task: &Task,
        sink: &dyn OutputSink,
        cancel: &CancellationToken,
    ) -> Result<Outcome, NotBegun> {
        match &mut self.worker {
            Some(worker) => worker.run(task, sink, cancel).await,
            None => Ok(Outcome::empty(Status::Crashed)),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut worker) = self.worker.take() else {
            return self.pool.take_back(None);
        };
        if worker.is_idle() {
            return self.pool.take_back(Some(worker));
        }
        // The one who waited for the execution has gone. Where the runtime has gone as well, the
        // task is dropped unrun, and the worker with it.
        let Some(abandoned) = worker.abandon() else {
            return self.pool.take_back(None);
        };
        let mut lease = Self {
            pool: Arc::clone(&self.pool),
            worker: Some(worker),
        };
        self.pool.runtime.spawn(async move {
            if let Some(worker) = &mut lease.worker {
                worker.end(abandoned).await;
            }
        });
    }
}
