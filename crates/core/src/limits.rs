//! What an execution may use.

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// The limits in force for one execution. All of them are always on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall-clock time from start to end, in milliseconds. Waiting in a queue does not count.
    pub timeout_ms: u64,
    /// Work, in units of fuel. Deterministic: the same snippet on the same input always uses the
    /// same amount. Only the wasm sandbox meters it.
    pub fuel: u64,
    /// Memory in MiB (2^20 bytes) that the snippet may use beyond the interpreter's own.
    pub memory_mb: u32,
    /// Bytes kept of stdout and stderr, each.
    pub output_bytes: u64,
    /// Bytes of all reported results (MIME bundles) together.
    pub result_bytes: u64,
    /// Bytes that the files in the work and temporary directories may hold together.
    pub file_bytes: u64,
    /// How many files and directories there may be.
    pub files: u32,
}

impl Limits {
    /// The defaults: 5 s, 5 G fuel, 256 MiB, 1 MiB of output, 8 MiB of results, 64 MiB in at most
    /// 1,024 files.
    pub const DEFAULT: Self = Self {
        timeout_ms: 5_000,
        fuel: 5_000_000_000,
        memory_mb: 256,
        output_bytes: 1 << 20,
        result_bytes: 8 << 20,
        file_bytes: 64 << 20,
        files: 1_024,
    };

    /// No limit at all: the maximum of a backend that has none of its own.
    pub const UNBOUNDED: Self = Self {
        timeout_ms: u64::MAX,
        fuel: u64::MAX,
        memory_mb: u32::MAX,
        output_bytes: u64::MAX,
        result_bytes: u64::MAX,
        file_bytes: u64::MAX,
        files: u32::MAX,
    };

    /// The most a caller may ask for unless configured otherwise: 60 s, 100 G fuel, 1 GiB, 16 MiB
    /// of output, 32 MiB of results, 256 MiB in at most 8,192 files.
    pub const MAXIMUM: Self = Self {
        timeout_ms: 60_000,
        fuel: 100_000_000_000,
        memory_mb: 1_024,
        output_bytes: 16 << 20,
        result_bytes: 32 << 20,
        file_bytes: 256 << 20,
        files: 8_192,
    };
}

impl Limits {
    /// The smaller of each limit.
    #[must_use]
    pub fn at_most(&self, maximum: &Self) -> Self {
        Self {
            timeout_ms: self.timeout_ms.min(maximum.timeout_ms),
            fuel: self.fuel.min(maximum.fuel),
            memory_mb: self.memory_mb.min(maximum.memory_mb),
            output_bytes: self.output_bytes.min(maximum.output_bytes),
            result_bytes: self.result_bytes.min(maximum.result_bytes),
            file_bytes: self.file_bytes.min(maximum.file_bytes),
            files: self.files.min(maximum.files),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The limits a caller asks for. What is absent takes the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestedLimits {
    /// See [`Limits::timeout_ms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// See [`Limits::fuel`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// See [`Limits::memory_mb`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// See [`Limits::output_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// See [`Limits::result_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_bytes: Option<u64>,
    /// See [`Limits::file_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// See [`Limits::files`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
}

/// Turns requested limits into granted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitPolicy {
    /// What a request gets that does not say.
    pub default: Limits,
    /// The most that a request may ask for.
    pub maximum: Limits,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self {
            default: Limits::DEFAULT,
            maximum: Limits::MAXIMUM,
        }
    }
}

impl LimitPolicy {
    /// Grants `requested`, or pushes one error for every limit that is zero or over its maximum.
    pub fn grant(&self, requested: &RequestedLimits, errors: &mut Vec<FieldError>) -> Limits {
        let mut pick = |name: &str, asked: Option<u64>, default: u64, maximum: u64| match asked {
            None => default,
            Some(0) => {
                errors.push(FieldError::new(
                    format!("limits.{name}"),
                    format!("must be at least 1 (at most {maximum})"),
                ));
                default
            }
            Some(value) if value > maximum => {
                errors.push(FieldError::new(
                    format!("limits.{name}"),
                    format!("{value} is more than the {maximum} this service allows"),
                ));
                default
            }
            Some(value) => value,
        };
        let (d, m) = (&self.default, &self.maximum);
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Limits {
            timeout_ms: pick(
                "timeout_ms",
                requested.timeout_ms,
                d.timeout_ms,
                m.timeout_ms,
            ),
            fuel: pick("fuel", requested.fuel, d.fuel, m.fuel),
            memory_mb: narrow(pick(
                "memory_mb",
                requested.memory_mb.map(u64::from),
                d.memory_mb.into(),
                m.memory_mb.into(),
            )),
            output_bytes: pick(
                "output_bytes",
                requested.output_bytes,
                d.output_bytes,
                m.output_bytes,
            ),
            result_bytes: pick(
                "result_bytes",
                requested.result_bytes,
                d.result_bytes,
                m.result_bytes,
            ),
            file_bytes: pick(
                "file_bytes",
                requested.file_bytes,
                d.file_bytes,
                m.file_bytes,
            ),
            files: narrow(pick(
                "files",
                requested.files.map(u64::from),
                d.files.into(),
                m.files.into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grant_reports_every_bad_limit() {
        let requested = RequestedLimits {
            timeout_ms: Some(0),
            memory_mb: Some(u32::MAX),
            output_bytes: Some(10),
            ..RequestedLimits::default()
        };
        let mut errors = Vec::new();
        let granted = LimitPolicy::default().grant(&requested, &mut errors);
        let fields: Vec<_> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["limits.timeout_ms", "limits.memory_mb"]);
        assert_eq!(granted.output_bytes, 10);
        assert_eq!(granted.fuel, Limits::DEFAULT.fuel);
    }
}
