//! What a caller is told who cannot have a place, in whichever process the places are.

use std::time::Duration;

use sandgate_core::{ErrorKind, ExecutorError};

/// How long executions take, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// The last one.
    pub(crate) last: f64,
    /// Smoothed over some sixteen.
    typical: f64,
}

impl Pace {
    /// One has ended that took `wall_ms`.
    pub(crate) fn ended(&mut self, wall_ms: f64) {
        self.last = wall_ms;
        self.typical += (wall_ms - self.typical) / 16.0;
    }
}

/// `waiting` executions wait for `places` already, which is as many as may.
pub(crate) fn overloaded(waiting: usize, places: usize, pace: &Pace) -> ExecutorError {
    let rounds = waiting as f64 / places as f64;
    let seconds = (rounds * pace.typical / 1e3).clamp(1.0, 30.0);
    let message = format!("{waiting} executions are waiting already, which is as many as may");
    ExecutorError::new(ErrorKind::Overloaded, message).retry_after(Duration::from_secs_f64(seconds))
}

/// The sandbox takes no more work.
pub(crate) fn closing() -> ExecutorError {
    ExecutorError::new(ErrorKind::Unavailable, "the sandbox is shutting down")
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
