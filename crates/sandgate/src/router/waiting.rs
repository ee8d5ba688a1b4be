//! Waiting for a backend that has not said yet what it has.
//!
//! A backend may have to be asked, as Lambda is after a start: a cold start's time. Until the answer
//! is there, a request that depends on it waits, and is planned with it. All wait for the same
//! answer, and hold nothing while they do; one that does not depend on it never comes here.

use std::time::Duration;

use sandgate_core::{CancellationToken, ExecutorError};

use crate::Error;
use crate::plan::Backends;

/// What came of it.
#[derive(Debug)]
pub(super) enum Waited {
    /// Every backend has said what it has.
    Described,
    /// The caller does not want to know any more.
    Cancelled,
    Failed(Undescribed),
}

/// Why a backend has still not said what it has.
#[derive(Debug)]
pub(super) struct Undescribed {
    how: String,
    cause: Option<ExecutorError>,
}

impl Undescribed {
    /// What a caller is told whose request was not planned because of that, for `reason`.
    pub(super) fn error(self, reason: &str) -> Error {
        Error::NotYet {
            reason: self.reason(reason),
            cause: self.cause,
        }
    }

    /// `reason`, with how it came that it holds.
    pub(super) fn reason(&self, reason: &str) -> String {
        format!("{reason} ({})", self.how)
    }
}

/// Waits for at most `patience`, and no longer than until `cancel` is cancelled.
pub(super) async fn described(
    backends: &Backends,
    patience: Duration,
    cancel: &CancellationToken,
) -> Waited {
    let described = tokio::time::timeout(patience, backends.described());
    let described = tokio::select! {
        biased;
        () = cancel.cancelled() => return Waited::Cancelled,
        described = described => described,
    };
    match described {
        Ok(Ok(())) => Waited::Described,
        Ok(Err(error)) => Waited::Failed(Undescribed {
            how: "asking it failed".to_owned(),
            cause: Some(error),
        }),
        Err(_) => Waited::Failed(Undescribed {
            how: format!("not within {:.1} s", patience.as_secs_f64()),
            cause: None,
        }),
    }
}
