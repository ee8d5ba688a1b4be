//! What came of an execution.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How an execution ended. A guest's failure is a status, never an `Err`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Ran to its end with exit code 0.
    Ok,
    /// An uncaught error, or an exit code other than 0.
    Error,
    /// Ran out of wall-clock time.
    Timeout,
    /// Ran out of fuel.
    FuelExhausted,
    /// Needed more memory than it was granted.
    OutOfMemory,
    /// Printed more than it was allowed to.
    OutputLimit,
    /// The interpreter itself failed, or the process that ran it died.
    Crashed,
    /// The caller cancelled it.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Error,
        Self::Timeout,
        Self::FuelExhausted,
        Self::OutOfMemory,
        Self::OutputLimit,
        Self::Crashed,
        Self::Cancelled,
    ];

    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::FuelExhausted => "fuel_exhausted",
            Self::OutOfMemory => "out_of_memory",
            Self::OutputLimit => "output_limit",
            Self::Crashed => "crashed",
            Self::Cancelled => "cancelled",
        }
    }

    /// How a guest ended that came to its own end: with `exit_code`, and perhaps an uncaught error,
    /// which may say that memory ran out. An uncaught error is never a success, whatever the exit
    /// code.
    pub const fn of_exit(exit_code: u8, uncaught: bool, out_of_memory: bool) -> Self {
        match (out_of_memory, exit_code, uncaught) {
            (true, _, _) => Self::OutOfMemory,
            (false, 0, false) => Self::Ok,
            (false, _, _) => Self::Error,
        }
    }

    /// Whether the guest itself came to an end: nothing of ours cut it short.
    pub const fn is_complete(self) -> bool {
        match self {
            Self::Ok | Self::Error => true,
            Self::Timeout
            | Self::FuelExhausted
            | Self::OutOfMemory
            | Self::OutputLimit
            | Self::Crashed
            | Self::Cancelled => false,
        }
    }
}

/// The uncaught error that ended a guest, in the language's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestError {
    /// The error's type: `ValueError`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its message.
    pub message: String,
    /// The traceback as the language prints it.
    pub traceback: String,
    /// The line in the user's code, from 1, where there is one.
    pub line: Option<u32>,
}

/// One displayed object: MIME type to representation. Binary types are in base64.
pub type MimeBundle = BTreeMap<String, String>;

/// A file the guest left in its work directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Path below the work directory, safe by [`check_relative_path`](crate::check_relative_path).
    pub path: String,
    /// The bytes.
    #[serde(with = "crate::blob")]
    pub content: Bytes,
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
    /// Media type by the file's name and content.
    pub media_type: String,
}

/// What was cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// Standard output has more than is kept.
    pub stdout: bool,
    /// Standard error has more than is kept.
    pub stderr: bool,
    /// Results over the limit were dropped.
    pub results: bool,
    /// Files in the work directory could not be returned.
    pub artifacts: bool,
}

/// What the guest looked at that differs from run to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// It read the real clock.
    pub clock: bool,
    /// It drew real entropy.
    pub entropy: bool,
}

impl Observed {
    /// Whether the execution was a pure function of its input.
    pub const fn is_reproducible(self) -> bool {
        !self.clock && !self.entropy
    }
}

/// What an execution used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// From the start of the execution to its end where it ran, in milliseconds: the way to a
    /// backend elsewhere is not in it.
    pub wall_ms: f64,
    /// Waiting for a place, in milliseconds.
    pub queue_ms: f64,
    /// Fuel used; 0 on backends that do not meter it.
    pub fuel: u64,
    /// The most memory in use at once beyond the interpreter's own, in bytes.
    pub peak_memory_bytes: u64,
    /// Milliseconds billed by the backend; 0 for the wasm sandbox.
    pub billed_ms: u64,
    /// Cost from configured prices, in US dollars.
    pub cost_usd: f64,
}

/// Everything that came of an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The guest's exit code, where it came to its end.
    pub exit_code: Option<u8>,
    /// Standard output, up to the limit.
    #[serde(with = "crate::blob")]
    pub stdout: Bytes,
    /// Standard error, up to the limit.
    #[serde(with = "crate::blob")]
    pub stderr: Bytes,
    /// What was cut off.
    pub truncated: Truncated,
    /// The uncaught error.
    pub error: Option<GuestError>,
    /// Displayed objects and the last expression's value, in order.
    pub results: Vec<MimeBundle>,
    /// Files left in the work directory, by path.
    pub artifacts: Vec<Artifact>,
    /// What it looked at that differs from run to run.
    pub observed: Observed,
    /// What it used.
    pub usage: Usage,
}

impl Outcome {
    /// An outcome of `status` with nothing in it.
    pub fn empty(status: Status) -> Self {
        Self {
            status,
            exit_code: None,
            stdout: Bytes::new(),
            stderr: Bytes::new(),
            truncated: Truncated::default(),
            error: None,
            results: Vec::new(),
            artifacts: Vec::new(),
            observed: Observed::default(),
            usage: Usage::default(),
        }
    }

    /// Whether the same request would always give this outcome: the guest came to its own end,
    /// nothing is cut off, and it saw neither clock nor entropy.
    pub fn is_reproducible(&self) -> bool {
        self.status.is_complete()
            && self.truncated == Truncated::default()
            && self.observed.is_reproducible()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_names_match_serde() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn an_uncaught_error_is_never_a_success() {
        assert_eq!(Status::of_exit(0, false, false), Status::Ok);
        assert_eq!(Status::of_exit(0, true, false), Status::Error);
        assert_eq!(Status::of_exit(3, false, false), Status::Error);
        assert_eq!(Status::of_exit(1, true, true), Status::OutOfMemory);
    }

    #[test]
    fn only_a_whole_unobserving_run_is_reproducible() {
        let mut outcome = Outcome::empty(Status::Error);
        assert!(outcome.is_reproducible());
        outcome.observed.clock = true;
        assert!(!outcome.is_reproducible());
        outcome = Outcome::empty(Status::Ok);
        outcome.truncated.results = true;
        assert!(!outcome.is_reproducible());
        assert!(!Outcome::empty(Status::Timeout).is_reproducible());
    }
}
