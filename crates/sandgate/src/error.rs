//! What can go wrong on our side.

use std::sync::Arc;
use std::time::Duration;

use sandgate_core::{BackendKind, ErrorKind, ExecutorError, InvalidRequest, Uuid};

use crate::outputs::OutputError;

/// A failure of sandgate. Whatever the guest did is in [`Execution`](crate::Execution) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request breaks rules.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// No configured backend can run the request.
    #[error("no backend can run this: {reason}")]
    NoBackend {
        /// Why each backend cannot.
        reason: String,
    },
    /// No backend that is known can run the request, but one has not said yet what it has.
    #[error("no backend can run this yet: {reason}")]
    NotYet {
        /// Why each backend cannot, and how the one that could was waited for.
        reason: String,
        /// Why the backend did not say it, where that is known.
        #[source]
        cause: Option<ExecutorError>,
    },
    /// The backend failed.
    #[error("the {backend} backend: {error}")]
    Backend {
        /// Which one.
        backend: BackendKind,
        /// How. Shared, because concurrent equal requests share one run.
        #[source]
        error: Arc<ExecutorError>,
    },
    /// The outputs could not be kept or read.
    #[error(transparent)]
    Outputs(#[from] OutputError),
    /// The executions of a batch are too large to be answered together.
    #[error(
        "the executions of this batch have more than {most} bytes of output and results together: \
         this one is left out here, and kept as {id}"
    )]
    LeftOut {
        /// The execution.
        id: Uuid,
        /// How much fits.
        most: usize,
    },
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

/// When a caller should try again who was not told a better time.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Error {
    /// What kind of failure it is, and so whether a retry can help.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::LeftOut { .. } => ErrorKind::Rejected,
            Self::NoBackend { .. } => ErrorKind::Unsupported,
            Self::NotYet { .. } => ErrorKind::Unavailable,
            Self::Backend { error, .. } => error.kind,
            Self::Outputs(error) => error.kind(),
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// When a retry has a chance; none where it has not.
    pub fn retry_after(&self) -> Option<Duration> {
        let known = match self {
            Self::Backend { error, .. } => error.retry_after,
            Self::NotYet { cause, .. } => cause.as_ref().and_then(|error| error.retry_after),
            Self::Invalid(_)
            | Self::NoBackend { .. }
            | Self::Outputs(_)
            | Self::LeftOut { .. }
            | Self::Internal(_) => None,
        };
        match self.kind() {
            ErrorKind::Overloaded | ErrorKind::Unavailable => Some(known.unwrap_or(RETRY_AFTER)),
            ErrorKind::Unsupported | ErrorKind::Rejected | ErrorKind::Internal => None,
        }
    }
}

/// Why a [`Router`](crate::Router) could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Nothing to run snippets with.
    #[error("no executor: call `sandbox` or `executor` on the builder")]
    NoExecutor,
    /// Two executors for the same backend.
    #[error("two executors for the {0} backend, one is enough")]
    TwoExecutors(BackendKind),
    /// The sandbox did not start.
    #[error("the sandbox did not start")]
    Sandbox(#[source] Box<dyn std::error::Error + Send + Sync>),
}
