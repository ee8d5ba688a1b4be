//! The router: validate, plan, look in the cache, run, store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{
    ArtifactLink, CacheInfo, CacheKey, CacheStatus, CancellationToken, DiscardOutput, Durability,
    ExecuteRequest, Execution, ExecutionContext, Outcome, OutputSink, OutputStream, OutputsInfo,
    OutputsState, RequestRules, Route, Runtime, Task, Usage, Uuid,
};
use sandgate_sandbox::SandboxExecutor;
use tracing::Instrument as _;

use crate::artifacts::refuse_unsafe;
use crate::cache::ResultCache;
use crate::outputs::{OutputStore, StoredFile, files_url};
use crate::plan::{Backends, Chosen, Plan, Wanted};
use crate::{Error, RouterBuilder};

/// Decides where a snippet runs, runs it there, answers repeated work from the cache, and keeps
/// the outputs of every execution. Clones share everything.
#[derive(Clone, Debug)]
pub struct Router {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) backends: Backends,
    /// The sandbox that belongs to this router, and is shut down with it.
    pub(crate) sandbox: Option<Arc<SandboxExecutor>>,
    pub(crate) rules: RequestRules,
    pub(crate) cache: ResultCache,
    pub(crate) outputs: Arc<dyn OutputStore>,
    pub(crate) durability: Durability,
    pub(crate) url_base: String,
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
    /// Results are only shared, through the cache, within one scope: a tenant's name.
    pub scope: Arc<str>,
}

impl Default for ExecuteOptions {
    /// Discards output, is never cancelled, and is in the unnamed scope.
    fn default() -> Self {
        Self {
            sink: Arc::new(DiscardOutput),
            cancel: CancellationToken::new(),
            scope: Arc::from(""),
        }
    }
}

impl std::fmt::Debug for ExecuteOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecuteOptions")
            .field("cancel", &self.cancel)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl ExecuteOptions {
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
        let task = Arc::new(inner.rules.task(request)?);
        let chosen = inner.backends.choose(&wanted)?;
        inner.outputs.accepts()?;

        let id = Uuid::now_v7();
        let key = CacheKey::of(&task, &chosen.runtime.digest, &options.scope);
        let span = tracing::debug_span!("execution", %id, language = %task.language);
        let run = || run(&chosen, &task, &options);
        let answer = inner
            .cache
            .answer(key, mode, &options.cancel, run)
            .instrument(span)
            .await
            .map_err(|error| Error::Backend {
                backend: chosen.executor.backend(),
                error,
            })?;
        let outcome = &answer.outcome;
        let usage = match answer.status {
            CacheStatus::Miss | CacheStatus::Off => outcome.usage,
            CacheStatus::Hit => {
                replay_output(outcome, &*options.sink);
                usage_of_hit(outcome, started.elapsed())
            }
        };
        let cache = CacheInfo {
            status: answer.status,
            key: key.to_hex(),
            reproducible: outcome.is_reproducible(),
        };
        let mut execution = inner.execution(id, outcome, &chosen, cache, usage);
        execution.outputs.state = inner.outputs.put(&execution, outcome, durability).await?;
        Ok(execution)
    }

    /// What would happen to `request`, and why, without running it.
    ///
    /// # Errors
    /// When nothing can run it.
    pub fn plan(&self, request: &ExecuteRequest) -> Result<Plan, Error> {
        self.inner.backends.plan(&Wanted::of(request))
    }

    /// Every runtime of every backend.
    pub fn runtimes(&self) -> impl Iterator<Item = &Arc<Runtime>> {
        self.inner.backends.runtimes()
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

    /// Whether an execution would be taken now: a backend is ready and outputs have room.
    ///
    /// # Errors
    /// Says what is not ready.
    pub fn ready(&self) -> Result<(), NotReady> {
        if let Err(error) = self.inner.outputs.accepts() {
            return Err(NotReady(error.to_string()));
        }
        let mut executors = self.inner.backends.executors();
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

/// Why a [`Router`] would not take an execution now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReady(String);

async fn run(
    chosen: &Chosen<'_>,
    task: &Arc<Task>,
    options: &ExecuteOptions,
) -> Result<Outcome, sandgate_core::ExecutorError> {
    let context = ExecutionContext::new(Arc::clone(&options.sink), options.cancel.clone());
    let ran = chosen.executor.execute(Arc::clone(task), context);
    let mut outcome = ran.await?;
    refuse_unsafe(&mut outcome);
    Ok(outcome)
}

fn replay_output(outcome: &Outcome, sink: &dyn OutputSink) {
    for (stream, bytes) in [
        (OutputStream::Stdout, &outcome.stdout),
        (OutputStream::Stderr, &outcome.stderr),
    ] {
        if !bytes.is_empty() {
            sink.write(stream, bytes);
        }
    }
}

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
    fn execution(
        &self,
        id: Uuid,
        outcome: &Outcome,
        chosen: &Chosen<'_>,
        cache: CacheInfo,
        usage: Usage,
    ) -> Execution {
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
                backend: chosen.executor.backend(),
                runtime: chosen.runtime.name(),
                reason: chosen.reason.clone(),
                hops: Vec::new(),
                hints: Vec::new(),
            },
            cache,
            usage,
            outputs: OutputsInfo {
                state: OutputsState::Stored,
                uri: self.outputs.uri(id),
            },
        }
    }
}

#[cfg(test)]
mod tests;
