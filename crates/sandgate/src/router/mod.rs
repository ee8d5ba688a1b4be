//! The router: validate, plan, look in the cache, run, store.

mod attempts;
mod batch;
mod missing;
mod sink;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{
    ArtifactLink, BackendKind, CacheInfo, CacheStatus, CancellationToken, DiscardOutput,
    Durability, ExecuteRequest, Execution, Language, Outcome, OutputSink, OutputsInfo,
    OutputsState, RequestRules, Route, Runtime, Task, Usage, Uuid,
};
use sandgate_sandbox::SandboxExecutor;
use tracing::Instrument as _;

use crate::cache::ResultCache;
use crate::outputs::{Download, OutputStore, StoredFile, files_url};
use crate::plan::{CodeKey, Decision, Job, Plan, Planner, Wanted, unknown};
use crate::{Error, RouterBuilder};
use attempts::{Attempts, Done};
use waiting::Waited;

/// Decides where a snippet runs, runs it there, answers repeated work from the cache, and keeps
/// the outputs of every execution. Clones share everything.
#[derive(Clone, Debug)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) planner: Planner,
    /// The sandbox that belongs to this router, and is shut down with it.
    pub(crate) sandbox: Option<Arc<SandboxExecutor>>,
    pub(crate) rules: RequestRules,
    pub(crate) cache: ResultCache,
    pub(crate) outputs: Arc<dyn OutputStore>,
    pub(crate) durability: Durability,
    pub(crate) url_base: String,
}

/// A request on its way: what is to be run, and where first.
#[derive(Debug)]
struct Prepared {
    wanted: Wanted,
    /// As it is executed, with the limits that were granted.
    task: Arc<Task>,
    code: CodeKey,
    decision: Decision,
    /// How long it may still wait for a backend to say what it has.
    patience: Duration,
}

/// What planning came to.
#[derive(Debug)]
enum Planned<T> {
    /// The plan, and how much of the patience is left.
    Made(Job, T, Duration),
    /// It was cancelled while it waited.
    Cancelled(Job),
}

impl Prepared {
    fn new(job: Job, decision: Decision, patience: Duration) -> Self {
        let mut task = job.task;
        job.analysis.make_runnable(&mut task);
        Self {
            wanted: job.wanted,
            task: Arc::new(task),
            code: job.code,
            decision,
            patience,
        }
    }
}

impl<T> Planned<T> {
    fn language(&self) -> Language {
        match self {
            Self::Made(job, ..) | Self::Cancelled(job) => job.task.language,
        }
    }
}

/// What else belongs to an execution besides its request.
#[derive(Clone)]
#[non_exhaustive]
pub struct ExecuteOptions {
    /// Takes the output while it is printed. An answer from the cache is written to it at once.
    pub sink: Arc<dyn OutputSink>,
    /// Ends the execution with [`Status::Cancelled`](crate::Status::Cancelled), keeping what was
    /// printed.
    pub cancel: CancellationToken,
    /// A tenant's name. Results are only shared, through the cache, within one scope, and a backend
    /// that reuses anything between executions reuses it only within one scope.
    pub scope: Arc<str>,
    /// How long a request may wait for a backend that has not said yet what it has, where its plan
    /// depends on that. It is not part of the request's own time limit.
    pub patience: Duration,
}

impl Default for ExecuteOptions {
    /// Discards output, is never cancelled, is in the unnamed scope, and has the default patience.
    fn default() -> Self {
        Self {
            sink: Arc::new(DiscardOutput),
            cancel: CancellationToken::new(),
            scope: Arc::from(""),
            patience: Self::DEFAULT_PATIENCE,
        }
    }
}

impl std::fmt::Debug for ExecuteOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecuteOptions")
            .field("cancel", &self.cancel)
            .field("scope", &self.scope)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl ExecuteOptions {
    /// Of [`patience`](Self::patience): several cold starts of Lambda.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

    /// Writes output to `sink` while it is printed.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn OutputSink>) -> Self {
        self.sink = sink;
        self
    }

    /// Ends the execution when `cancel` is cancelled.
    #[must_use]
    pub fn cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Shares results only within `scope`.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Waits for at most `patience` for a backend to say what it has.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Router {
    /// Sets up a router.
    pub fn builder() -> RouterBuilder {
        RouterBuilder::default()
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Executes `request` and keeps its outputs. Dropping the future cancels the execution.
    ///
    /// # Errors
    /// When sandgate failed, or will not take the request. What the guest did is in the answer.
    pub async fn execute(&self, request: ExecuteRequest) -> Result<Execution, Error> {
        self.execute_with(request, ExecuteOptions::default()).await
    }

    /// Executes `request` with more than the defaults: see [`ExecuteOptions`].
    ///
    /// # Errors
    /// Like [`execute`](Self::execute).
    pub async fn execute_with(
        &self,
        mut request: ExecuteRequest,
        options: ExecuteOptions,
    ) -> Result<Execution, Error> {
        let started = Instant::now();
        let inner = &*self.inner;
        let wanted = Wanted::take(&mut request);
        let mode = request.cache;
        let durability = request.durability.unwrap_or(inner.durability);
        let task = inner.rules.task(request)?;
        let planned = self.planned(wanted, task, &options, Planner::decide);
        let planned = planned.await?;
        inner.outputs.accepts()?;

        let id = Uuid::now_v7();
        let span = tracing::debug_span!("execution", %id, language = %planned.language());
        let (done, hints) = match planned {
            Planned::Made(job, decision, patience) => {
                let prepared = Prepared::new(job, decision, patience);
                let attempts = Attempts {
                    inner,
                    prepared: &prepared,
                    mode,
                    options: &options,
                };
                let done = attempts.run().instrument(span).await?;
                (done, prepared.decision.hints)
            }
            Planned::Cancelled(job) => (Done::cancelled(&job.task, &options.scope), Vec::new()),
        };
        let mut execution = inner.execution(id, &done, hints, started);
        let outcome = &done.answer.outcome;
        execution.outputs.state = inner.outputs.put(&execution, outcome, durability).await?;
        Ok(execution)
    }

    /// What would happen to `request`, and why, without running it. Of a batch, what would happen
    /// to its first input. Waits like an execution for a backend that has not said yet what it has.
    ///
    /// # Errors
    /// When the request breaks rules, or nothing can run it.
    pub async fn plan(&self, request: ExecuteRequest) -> Result<Plan, Error> {
        self.plan_with(request, ExecuteOptions::default()).await
    }

    /// Like [`plan`](Self::plan), for an execution with `options`. One that is cancelled while it
    /// waits is planned with what is known.
    ///
    /// # Errors
    /// Like [`plan`](Self::plan).
    pub async fn plan_with(
        &self,
        mut request: ExecuteRequest,
        options: ExecuteOptions,
    ) -> Result<Plan, Error> {
        let rules = &self.inner.rules;
        if request.inputs.is_some() {
            rules.check_batch(&request)?;
            request = request.with_input(0).unwrap_or(request);
        }
        let wanted = Wanted::take(&mut request);
        let task = rules.task(request)?;
        match self.planned(wanted, task, &options, Planner::plan).await? {
            Planned::Made(_, plan, _) => Ok(plan),
            Planned::Cancelled(job) => self.inner.planner.plan(&job, true),
        }
    }

    /// Analyses `task` and lets `plan` make something of it: at once where it can, else when the
    /// backends have said what they have.
    async fn planned<T: Send + 'static>(
        &self,
        wanted: Wanted,
        task: Task,
        options: &ExecuteOptions,
        plan: fn(&Planner, &Job, bool) -> Result<T, Error>,
    ) -> Result<Planned<T>, Error> {
        let quick = Planner::is_quick(&task);
        let scope = Arc::clone(&options.scope);
        let first = self.work(quick, move |planner| {
            let job = planner.job(wanted, task, &scope);
            let made = plan(planner, &job, false);
            (job, made)
        });
        let (job, made) = first.await?;
        if !matches!(made, Err(Error::NotYet { .. })) {
            return Ok(Planned::Made(job, made?, options.patience));
        }
        let started = Instant::now();
        let backends = &self.inner.planner.backends;
        let waited = waiting::described(backends, options.patience, &options.cancel).await;
        let failed = match waited {
            Waited::Described => None,
            Waited::Cancelled => return Ok(Planned::Cancelled(job)),
            Waited::Failed(undescribed) => Some(undescribed),
        };
        let again = self.work(quick, move |planner| {
            let made = plan(planner, &job, true);
            (job, made)
        });
        let (job, made) = again.await?;
        match (made, failed) {
            (Err(Error::NotYet { reason, .. }), Some(undescribed)) => {
                Err(undescribed.error(&reason))
            }
            (made, _) => {
                let left = options.patience.saturating_sub(started.elapsed());
                Ok(Planned::Made(job, made?, left))
            }
        }
    }

    /// Lets `work` do something with the planner; on a thread where that may take its time, unless
    /// it is `quick`.
    async fn work<T: Send + 'static>(
        &self,
        quick: bool,
        work: impl FnOnce(&Planner) -> T + Send + 'static,
    ) -> Result<T, Error> {
        if quick {
            return Ok(work(&self.inner.planner));
        }
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner.planner)).await;
        done.map_err(|error| Error::Internal(format!("the analysis ended: {error}")))
    }

    /// Waits until every backend has said what it has, as a request does that depends on it: for
    /// [`DEFAULT_PATIENCE`](ExecuteOptions::DEFAULT_PATIENCE) at most.
    ///
    /// # Errors
    /// Says why it is not known yet.
    pub async fn described(&self) -> Result<(), NotReady> {
        let backends = &self.inner.planner.backends;
        let patience = ExecuteOptions::DEFAULT_PATIENCE;
        match waiting::described(backends, patience, &CancellationToken::new()).await {
            Waited::Described | Waited::Cancelled => Ok(()),
            Waited::Failed(undescribed) => {
                Err(NotReady(undescribed.reason(&unknown(BackendKind::Lambda))))
            }
        }
    }

    /// Every runtime that the backends have at the moment.
    pub fn runtimes(&self) -> Vec<Arc<Runtime>> {
        self.inner.planner.backends.runtimes()
    }

    /// The configured backends, whether or not they know yet what they have, and whether each
    /// could start an execution now.
    pub fn backends(&self) -> impl Iterator<Item = (BackendKind, bool)> {
        let executors = self.inner.planner.backends.executors();
        executors.map(|executor| (executor.backend(), executor.is_ready()))
    }

    /// The execution `id`, if it is kept.
    ///
    /// # Errors
    /// When the store failed, or what it holds is damaged.
    pub async fn execution(&self, id: Uuid) -> Result<Option<Execution>, Error> {
        Ok(self.inner.outputs.get(id).await?)
    }

    /// A file that the execution `id` left, if both are kept.
    ///
    /// # Errors
    /// When the store failed, or what it holds is damaged.
    pub async fn file(&self, id: Uuid, path: &str) -> Result<Option<StoredFile>, Error> {
        Ok(self.inner.outputs.file(id, path).await?)
    }

    /// A URL under which the store itself serves that file, if it can: see
    /// [`OutputStore::file_url`].
    ///
    /// # Errors
    /// When the store failed, or what it holds is damaged.
    pub async fn file_url(
        &self,
        id: Uuid,
        path: &str,
        download: &(dyn Fn(&str) -> Download + Send + Sync),
    ) -> Result<Option<String>, Error> {
        Ok(self.inner.outputs.file_url(id, path, download).await?)
    }

    /// Whether an execution would be taken now: a backend is ready and outputs have room.
    ///
    /// # Errors
    /// Says what is not ready.
    pub fn ready(&self) -> Result<(), NotReady> {
        if let Err(error) = self.inner.outputs.accepts() {
            return Err(NotReady(error.to_string()));
        }
        let mut executors = self.inner.planner.backends.executors();
        if executors.any(|executor| executor.is_ready()) {
            Ok(())
        } else {
            Err(NotReady("no backend is ready to run anything".to_owned()))
        }
    }

    /// Ends the sandbox that was set up with [`RouterBuilder::sandbox`], and whatever still runs
    /// in it; then takes no more outputs, and delivers for at most `patience` those that are under
    /// way. Call it when no execution runs any more.
    pub async fn shutdown(&self, patience: Duration) {
        if let Some(sandbox) = &self.inner.sandbox {
            sandbox.shutdown(Duration::ZERO).await;
        }
        self.inner.outputs.shutdown(patience).await;
    }
}

/// Why a [`Router`] would not take an execution now, or not every one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReady(String);

/// Fuel and memory tell what the work takes, whoever did it. Time and cost are this request's own.
fn usage_of_hit(outcome: &Outcome, took: Duration) -> Usage {
    Usage {
        wall_ms: took.as_secs_f64() * 1e3,
        queue_ms: 0.0,
        fuel: outcome.usage.fuel,
        peak_memory_bytes: outcome.usage.peak_memory_bytes,
        billed_ms: 0,
        cost_usd: 0.0,
    }
}

impl Inner {
    fn execution(&self, id: Uuid, done: &Done, hints: Vec<String>, started: Instant) -> Execution {
        let outcome = &*done.answer.outcome;
        let status = done.answer.status;
        let artifacts = outcome.artifacts.iter().map(|artifact| ArtifactLink {
            path: artifact.path.clone(),
            bytes: artifact.content.len() as u64,
            sha256: artifact.sha256.clone(),
            media_type: artifact.media_type.clone(),
            url: files_url(&self.url_base, id, &artifact.path),
        });
        Execution {
            id,
            status: outcome.status,
            exit_code: outcome.exit_code,
            stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
            truncated: outcome.truncated,
            error: outcome.error.clone(),
            results: outcome.results.clone(),
            artifacts: artifacts.collect(),
            route: Route {
                backend: done.backend,
                runtime: done.runtime.clone(),
                reason: done.reason.clone(),
                hops: done.hops.clone(),
                hints,
            },
            cache: CacheInfo {
                status,
                key: done.key.to_hex(),
                reproducible: outcome.is_reproducible(),
            },
            usage: match status {
                CacheStatus::Miss | CacheStatus::Off => outcome.usage,
                CacheStatus::Hit => usage_of_hit(outcome, started.elapsed()),
            },
            outputs: OutputsInfo {
                state: OutputsState::Stored,
                uri: self.outputs.uri(id),
            },
        }
    }
}

#[cfg(test)]
mod tests;
