//! Running a snippet where the plan says, and somewhere else where that turns out wrong.
//!
//! **Sandbox, then Lambda.** The sandbox lacked a module that the image has, or fuel, memory or time
//! ran out and Lambda grants more. Running the snippet again is safe: nothing that it did in the
//! sandbox can have left it, there is no network, no process and no file that outlives it. The
//! time limit holds for both runs together. A limit that the request itself names is the caller's
//! own bound, and running out of it is the answer.
//!
//! **Lambda, then sandbox.** Lambda is throttled or down, and the plan only preferred it. An outcome
//! of the sandbox that shows that Lambda was needed is no answer then: the caller is told to come
//! back.
//!
//! A request that names its backend runs there and nowhere else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{
    BackendChoice, BackendKind, CacheKey, CacheMode, CacheStatus, ErrorKind, ExecutionContext,
    ExecutorError, Hop, Limits, Observed, Outcome, OutputSink, OutputStream, Status, Task,
};

use super::sink::SecondRun;
use super::waiting::{self, Waited};
use super::{ExecuteOptions, Inner, Prepared, missing};
use crate::Error;
use crate::artifacts::refuse_unsafe;
use crate::cache::Answer;
use crate::plan::{Backend, IndexedRuntime, Trouble, name, unknown};

/// With less than this left of its time limit a snippet is not run again: not even the way there
/// and back would fit.
const WORTH_A_RUN: Duration = Duration::from_millis(500);

/// The answer, and how it came about.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) answer: Answer,
    pub(super) key: CacheKey,
    pub(super) backend: BackendKind,
    /// The runtime's name; empty where none was found.
    pub(super) runtime: String,
    pub(super) reason: String,
    pub(super) hops: Vec<Hop>,
}

impl Done {
    /// What became of `task` when it was cancelled before its plan could be made.
    pub(super) fn cancelled(task: &Task, scope: &str) -> Self {
        let waited_for = BackendKind::Lambda;
        Self {
            answer: Answer {
                outcome: Arc::new(Outcome::empty(Status::Cancelled)),
                status: CacheStatus::Off,
            },
            key: CacheKey::of(task, "", scope),
            backend: waited_for,
            runtime: String::new(),
            reason: format!("it was cancelled; {}", unknown(waited_for)),
            hops: Vec::new(),
        }
    }
}

/// One run, on one backend.
struct Attempt {
    answer: Answer,
    key: CacheKey,
    runtime: Arc<IndexedRuntime>,
    /// The limits that were in force.
    limits: Limits,
    took: Duration,
}

impl Attempt {
    fn done(self, backend: BackendKind, reason: String, hops: Vec<Hop>) -> Done {
        Done {
            answer: self.answer,
            key: self.key,
            backend,
            runtime: self.runtime.name.clone(),
            reason,
            hops,
        }
    }

    /// Its outcome, of an execution that was cancelled before it was run again.
    fn cancelled(mut self) -> Self {
        let mut outcome = Outcome::clone(&self.answer.outcome);
        outcome.status = Status::Cancelled;
        outcome.exit_code = None;
        outcome.error = None;
        self.answer.outcome = Arc::new(outcome);
        self
    }
}

/// All attempts at one request.
pub(super) struct Attempts<'a> {
    pub(super) inner: &'a Inner,
    pub(super) prepared: &'a Prepared,
    pub(super) mode: CacheMode,
    pub(super) options: &'a ExecuteOptions,
}

impl Attempts<'_> {
    pub(super) async fn run(&self) -> Result<Done, Error> {
        match self.prepared.decision.backend {
            BackendKind::Wasm => self.sandbox_first().await,
            BackendKind::Lambda => self.lambda_first().await,
        }
    }

    async fn sandbox_first(&self) -> Result<Done, Error> {
        let Prepared {
            decision,
            code,
            wanted,
            ..
        } = self.prepared;
        let history = &self.inner.planner.history;
        let sink = &self.options.sink;
        let whole = self.prepared.task.limits.timeout_ms;
        let first = self.attempt(BackendKind::Wasm, sink, whole).await?;
        let reason = decision.reason.clone();
        let waited = self.described_after(&first).await?;
        if matches!(waited, Waited::Cancelled) {
            let cancelled = first.cancelled();
            return Ok(cancelled.done(BackendKind::Wasm, reason, Vec::new()));
        }
        let Some(trouble) = self.trouble(&first) else {
            if first.answer.outcome.status.is_complete() {
                history.ran_in_sandbox(code);
            }
            return Ok(first.done(BackendKind::Wasm, reason, Vec::new()));
        };
        history.failed_in_sandbox(code, trouble.clone());
        let left = self.time_left(&first);
        if wanted.backend != BackendChoice::Auto || left < WORTH_A_RUN {
            return Ok(first.done(BackendKind::Wasm, reason, Vec::new()));
        }
        let (sandbox, lambda) = (name(BackendKind::Wasm), name(BackendKind::Lambda));
        let mut hops = vec![Hop {
            backend: BackendKind::Wasm,
            status: Some(first.answer.outcome.status),
            wall_ms: millis(first.took),
            reason: format!("it {trouble} in {sandbox}"),
        }];
        let outcome = &first.answer.outcome;
        let again = Arc::new(SecondRun::new(Arc::clone(sink), outcome));
        let started = Instant::now();
        let second = self
            .attempt(
                BackendKind::Lambda,
                &(Arc::clone(&again) as _),
                whole_ms(left),
            )
            .await;
        match second {
            Ok(second) => {
                again.accept();
                let reason = format!("it {trouble} in {sandbox}, so it was run again on {lambda}");
                Ok(second.done(BackendKind::Lambda, reason, hops))
            }
            Err(error) => match error.kind() {
                // Coming back later gives the right answer.
                ErrorKind::Overloaded | ErrorKind::Unavailable => Err(error),
                ErrorKind::Rejected | ErrorKind::Unsupported | ErrorKind::Internal => {
                    tracing::warn!(%error, "a second run failed, the first one's outcome stands");
                    again.reject();
                    hops.push(failed_hop(BackendKind::Lambda, error.kind(), started));
                    Ok(first.done(BackendKind::Wasm, reason, hops))
                }
            },
        }
    }

    async fn lambda_first(&self) -> Result<Done, Error> {
        let decision = &self.prepared.decision;
        let sink = &self.options.sink;
        let whole = self.prepared.task.limits.timeout_ms;
        let backends = &self.inner.planner.backends;
        let can_fall_back = !decision.only
            && backends
                .get(BackendKind::Wasm)
                .is_some_and(|backend| backend.runtime(self.prepared.task.language).is_some());
        let started = Instant::now();
        let down = backends
            .get(BackendKind::Lambda)
            .is_some_and(|backend| !backend.executor.is_ready());
        let error = if can_fall_back && down {
            let kind = ErrorKind::Unavailable;
            backend_error(BackendKind::Lambda, ExecutorError::new(kind, "not ready"))
        } else {
            match self.attempt(BackendKind::Lambda, sink, whole).await {
                Ok(first) => {
                    let reason = decision.reason.clone();
                    return Ok(first.done(BackendKind::Lambda, reason, Vec::new()));
                }
                Err(error) => error,
            }
        };
        let passing = matches!(error.kind(), ErrorKind::Overloaded | ErrorKind::Unavailable);
        if !can_fall_back || !passing {
            return Err(error);
        }
        let hops = vec![failed_hop(BackendKind::Lambda, error.kind(), started)];
        let second = self.attempt(BackendKind::Wasm, sink, whole).await?;
        match self.trouble(&second) {
            // It did need Lambda.
            Some(_) => Err(error),
            None => {
                let reason = format!(
                    "{}, but {}; {} has everything it imports",
                    decision.reason,
                    failure(BackendKind::Lambda, error.kind()),
                    name(BackendKind::Wasm)
                );
                Ok(second.done(BackendKind::Wasm, reason, hops))
            }
        }
    }

    /// One run on `kind` with `timeout_ms` left of the time limit, or an answer from the cache.
    async fn attempt(
        &self,
        kind: BackendKind,
        sink: &Arc<dyn OutputSink>,
        timeout_ms: u64,
    ) -> Result<Attempt, Error> {
        let started = Instant::now();
        let Prepared { task, code, .. } = self.prepared;
        let missing = || Error::NoBackend {
            reason: format!("{} has no {} runtime any more", name(kind), task.language),
        };
        let backend = self.inner.planner.backends.get(kind).ok_or_else(missing)?;
        let runtime = backend.runtime(task.language).ok_or_else(missing)?;
        let limits = self.limits_on(kind);
        let task = with_limits(task, limits);
        // The key is that of the whole time limit: a run that came to its end is the same whatever
        // was left of it.
        let key = CacheKey::of(&task, &runtime.runtime.digest, &self.options.scope);
        let timeout_ms = timeout_ms.min(limits.timeout_ms);
        let task = with_limits(
            &task,
            Limits {
                timeout_ms,
                ..limits
            },
        );
        let run = || async {
            let cancel = self.options.cancel.clone();
            let mut context = ExecutionContext::new(Arc::clone(sink), cancel);
            if !self.options.scope.is_empty() {
                context = context.tenant(Arc::clone(&self.options.scope));
            }
            let mut outcome = backend.executor.execute(Arc::clone(&task), context).await?;
            refuse_unsafe(&mut outcome);
            if kind == BackendKind::Lambda {
                // Nobody watched what it looked at.
                outcome.observed = Observed {
                    clock: true,
                    entropy: true,
                };
                let history = &self.inner.planner.history;
                history.ran_on_lambda(code, outcome.usage.wall_ms);
            }
            Ok(outcome)
        };
        let mode = match (kind, self.mode) {
            // Nothing there is proven reproducible, so nothing would be found.
            (BackendKind::Lambda, CacheMode::Auto) => CacheMode::Off,
            (BackendKind::Lambda | BackendKind::Wasm, mode) => mode,
        };
        let cache = &self.inner.cache;
        let answer = cache.answer(key, mode, &self.options.cancel, run).await;
        let answer = answer.map_err(|error| Error::Backend {
            backend: kind,
            error,
        })?;
        if answer.status == CacheStatus::Hit {
            replay(&answer.outcome, &**sink);
        }
        Ok(Attempt {
            answer,
            key,
            runtime,
            limits,
            took: started.elapsed(),
        })
    }

    /// The limits in force on `kind`: what was granted, within what the backend has. On Lambda a
    /// request that does not say how much memory it needs gets what the function has: it is paid
    /// for in any case.
    fn limits_on(&self, kind: BackendKind) -> Limits {
        let granted = self.prepared.task.limits;
        let Some(backend) = self.inner.planner.backends.get(kind) else {
            return granted;
        };
        let maximum = &backend.maximum;
        let mut limits = granted.at_most(maximum);
        let unsaid = self.prepared.wanted.limits.memory_mb.is_none();
        let bounded = maximum.memory_mb < Limits::UNBOUNDED.memory_mb;
        if kind == BackendKind::Lambda && unsaid && bounded {
            limits.memory_mb = maximum.memory_mb;
        }
        limits
    }

    /// Waits for Lambda to say what it has, where it depends on that what `first` means. That a
    /// module is missing is the snippet's failure only if nobody has it. What it ran out of it did
    /// run out of, unless Lambda turns out to have more.
    async fn described_after(&self, first: &Attempt) -> Result<Waited, Error> {
        let Some(trouble) = self.suspected(first) else {
            return Ok(Waited::Described);
        };
        let Prepared {
            wanted, patience, ..
        } = self.prepared;
        let backends = &self.inner.planner.backends;
        let lambda = backends.get(BackendKind::Lambda);
        if wanted.backend != BackendChoice::Auto
            || self.time_left(first) < WORTH_A_RUN
            || !lambda.is_some_and(Backend::is_unknown)
        {
            return Ok(Waited::Described);
        }
        let waited = waiting::described(backends, *patience, &self.options.cancel).await;
        match (waited, trouble) {
            (Waited::Failed(undescribed), Trouble::Missing(module)) => {
                let sandbox = name(BackendKind::Wasm);
                let lambda = unknown(BackendKind::Lambda);
                Err(undescribed.error(&format!("{sandbox} lacks {module}; {lambda}")))
            }
            (waited, _) => Ok(waited),
        }
    }

    /// What in a sandbox's outcome says that Lambda would have been the better place.
    fn trouble(&self, attempt: &Attempt) -> Option<Trouble> {
        let trouble = self.suspected(attempt)?;
        let lambda = self.inner.planner.backends.get(BackendKind::Lambda)?;
        let image = lambda.runtime(self.prepared.task.language)?;
        let better = match &trouble {
            Trouble::Missing(module) => image.index.has_module(module),
            Trouble::RanOut(_) => true,
        };
        better.then_some(trouble)
    }

    /// What in a sandbox's outcome says that Lambda may have been the better place, if it has the
    /// language and the module.
    fn suspected(&self, attempt: &Attempt) -> Option<Trouble> {
        let outcome = &attempt.answer.outcome;
        if outcome.status == Status::Ok {
            return None;
        }
        let task = &self.prepared.task;
        let on_lambda = self.limits_on(BackendKind::Lambda);
        let had = &attempt.limits;
        let ran_out = match outcome.status {
            // Lambda does not meter fuel: only a limit of the request's own would hold there.
            Status::FuelExhausted => {
                let asked = self.prepared.wanted.limits.fuel;
                asked.is_none_or(|fuel| fuel > had.fuel)
            }
            Status::OutOfMemory => on_lambda.memory_mb > had.memory_mb,
            // In the same time a processor does more than an interpreter in the sandbox.
            Status::Timeout => true,
            Status::Error => {
                let module = missing::module(task.language, outcome.error.as_ref()?)?;
                let here = attempt.runtime.index.has_module(module);
                return (!here).then(|| Trouble::Missing(module.to_owned()));
            }
            Status::Ok | Status::OutputLimit | Status::Crashed | Status::Cancelled => false,
        };
        ran_out.then_some(Trouble::RanOut(outcome.status))
    }

    /// What a first attempt left of the time limit. Waiting does not count.
    fn time_left(&self, attempt: &Attempt) -> Duration {
        let granted = Duration::from_millis(self.prepared.task.limits.timeout_ms);
        let used = attempt.answer.outcome.usage.wall_ms.max(0.0) / 1e3;
        let used = Duration::try_from_secs_f64(used).unwrap_or(Duration::MAX);
        granted.saturating_sub(used)
    }
}

fn with_limits(task: &Arc<Task>, limits: Limits) -> Arc<Task> {
    if task.limits == limits {
        return Arc::clone(task);
    }
    let mut task = Task::clone(task);
    task.limits = limits;
    Arc::new(task)
}

fn replay(outcome: &Outcome, sink: &dyn OutputSink) {
    for (stream, bytes) in [
        (OutputStream::Stdout, &outcome.stdout),
        (OutputStream::Stderr, &outcome.stderr),
    ] {
        if !bytes.is_empty() {
            sink.write(stream, bytes);
        }
    }
}

fn failed_hop(backend: BackendKind, kind: ErrorKind, started: Instant) -> Hop {
    Hop {
        backend,
        status: None,
        wall_ms: millis(started.elapsed()),
        reason: failure(backend, kind),
    }
}

/// What a caller may know of a backend's failure; the rest is for the log.
fn failure(backend: BackendKind, kind: ErrorKind) -> String {
    let what = match kind {
        ErrorKind::Overloaded => "is busy",
        ErrorKind::Unavailable => "is not available",
        ErrorKind::Rejected => "does not take it",
        ErrorKind::Unsupported => "cannot run it",
        ErrorKind::Internal => "failed",
    };
    format!("{} {what}", name(backend))
}

fn backend_error(backend: BackendKind, error: ExecutorError) -> Error {
    Error::Backend {
        backend,
        error: Arc::new(error),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
