//! The port between the router and what runs snippets.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{BackendKind, Limits, Outcome, Runtime, Task};

/// A boxed future, for use in trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One of a guest's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes a guest's output while it is printed.
///
/// Called on the executor's own tasks or threads: it must not block. The chunks of a stream, joined,
/// are what [`Outcome`] holds of it; a chunk may end within a UTF-8 character.
pub trait OutputSink: Send + Sync {
    /// Takes the next chunk of `stream`.
    fn write(&self, stream: OutputStream, chunk: &[u8]);

    /// What was written so far, on both streams, is void: the execution starts again on another
    /// backend, and what comes now is its output from the beginning. Only the router calls it, and
    /// only when the second run prints something else than the first did.
    fn restart(&self) {}
}

/// A sink for callers who only want the [`Outcome`].
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscardOutput;

impl OutputSink for DiscardOutput {
    fn write(&self, _: OutputStream, _: &[u8]) {}
}

/// What belongs to one execution besides its task.
#[derive(Clone)]
#[non_exhaustive]
pub struct ExecutionContext {
    /// Takes the output while it is printed.
    pub sink: Arc<dyn OutputSink>,
    /// When it is cancelled the execution ends at once, with
    /// [`Status::Cancelled`](crate::Status::Cancelled) and what was printed before.
    pub cancel: CancellationToken,
    /// For whom it runs, where the caller said so. A backend that reuses anything between
    /// executions reuses it only within one tenant.
    pub tenant: Option<Arc<str>>,
}

impl ExecutionContext {
    /// An execution whose output goes to `sink` and that ends when `cancel` is cancelled, for
    /// nobody in particular.
    pub fn new(sink: Arc<dyn OutputSink>, cancel: CancellationToken) -> Self {
        Self {
            sink,
            cancel,
            tenant: None,
        }
    }

    /// Runs for `tenant`.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }
}

impl Default for ExecutionContext {
    /// Discards output and is never cancelled.
    fn default() -> Self {
        Self::new(Arc::new(DiscardOutput), CancellationToken::new())
    }
}

impl fmt::Debug for ExecutionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionContext")
            .field("cancel", &self.cancel)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// Runs tasks on one backend.
pub trait Executor: Send + Sync + fmt::Debug {
    /// The backend this is.
    fn backend(&self) -> BackendKind;

    /// What it can run, one entry a language. The same slice until something changes: a backend
    /// may learn only after its start what it has.
    fn runtimes(&self) -> Arc<[Arc<Runtime>]>;

    /// Ends when [`runtimes`](Self::runtimes) says what it can run: at once, unless somebody has to
    /// be asked for that. All who wait share one question, and dropping the future ends nothing but
    /// its own waiting. There is no bound: a caller has one of its own.
    ///
    /// # Errors
    /// When the question was not answered. It is asked again without a caller: see `retry_after`.
    fn described<'a>(&'a self) -> BoxFuture<'a, Result<(), ExecutorError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Whether it could start a task now, or as soon as running ones make room.
    fn is_ready(&self) -> bool {
        true
    }

    /// The most this backend grants of each limit. A backend that has no maxima of its own takes
    /// what a request may ask for.
    fn maximum(&self) -> Limits {
        Limits::UNBOUNDED
    }

    /// What an execution that takes `time` costs here, in US dollars.
    fn cost_usd(&self, time: Duration) -> f64 {
        let _ = time;
        0.0
    }

    /// Runs `task`. Dropping the future ends it.
    ///
    /// # Errors
    /// Only when the backend failed to run the task; whatever the guest did is in the outcome.
    fn execute<'a>(
        &'a self,
        task: Arc<Task>,
        context: ExecutionContext,
    ) -> BoxFuture<'a, Result<Outcome, ExecutorError>>;
}

/// What kind of failure of ours it was, and so whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// This backend has no runtime for the language.
    Unsupported,
    /// The queue is full. Try again later.
    Overloaded,
    /// The backend cannot be reached or is shutting down. Try again later, or elsewhere.
    Unavailable,
    /// The task cannot be run as it is (too large for the backend, say). A retry will not help.
    Rejected,
    /// A defect of ours.
    Internal,
}

/// A failure of the backend itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ExecutorError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What happened, for a person.
    pub message: String,
    /// When a retry has a chance, where that is known.
    pub retry_after: Option<Duration>,
    /// What caused it.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ExecutorError {
    /// A failure of `kind` without a cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}
