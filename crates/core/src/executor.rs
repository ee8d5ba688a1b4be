//! The port between the router and what runs snippets.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{BackendKind, Outcome, Runtime, Task};

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
}

/// A sink for callers who only want the [`Outcome`].
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscardOutput;

impl OutputSink for DiscardOutput {
    fn write(&self, _: OutputStream, _: &[u8]) {}
}

/// Runs tasks on one backend.
pub trait Executor: Send + Sync + fmt::Debug {
    /// The backend this is.
    fn backend(&self) -> BackendKind;

    /// What it can run, one entry a language.
    fn runtimes(&self) -> Vec<Arc<Runtime>>;

    /// Whether it could start a task now, or as soon as running ones make room.
    fn is_ready(&self) -> bool {
        true
    }

    /// Runs `task`, writing output to `sink` as it comes.
    ///
    /// When `cancel` is cancelled the execution ends at once, with
    /// [`Status::Cancelled`](crate::Status::Cancelled) and what was printed before. Dropping the
    /// future ends it as well.
    ///
    /// # Errors
    /// Only when the backend failed to run the task; whatever the guest did is in the outcome.
    fn execute<'a>(
        &'a self,
        task: Arc<Task>,
        sink: Arc<dyn OutputSink>,
        cancel: CancellationToken,
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
