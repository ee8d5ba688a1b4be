//! What a caller is told who cannot have a place, in whichever process the places are.

use std::time::Duration;

use sandgate_core::{ErrorKind, ExecutorError};

/// `waiting` executions wait for `places` already, which is as many as may. They typically take
/// `typical_ms` each.
pub(crate) fn overloaded(waiting: usize, places: usize, typical_ms: f64) -> ExecutorError {
    let rounds = waiting as f64 / places as f64;
    let seconds = (rounds * typical_ms / 1e3).clamp(1.0, 30.0);
    let message = format!("{waiting} executions are waiting already, which is as many as may");
    ExecutorError::new(ErrorKind::Overloaded, message).retry_after(Duration::from_secs_f64(seconds))
}

/// The sandbox takes no more work.
pub(crate) fn closing() -> ExecutorError {
    ExecutorError::new(ErrorKind::Unavailable, "the sandbox is shutting down")
}

/// What executions typically take, once one of `wall_ms` has ended: smoothed over some sixteen.
pub(crate) fn smoothed(typical_ms: f64, wall_ms: f64) -> f64 {
    typical_ms + (wall_ms - typical_ms) / 16.0
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
