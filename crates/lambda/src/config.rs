//! What an executor has to know.

use std::path::PathBuf;
use std::time::Duration;

use sandgate_core::Limits;

/// Memory, in MiB, that the runner and its warm interpreters take.
const RUNNER_MB: u32 = 512;
/// Time that the runner takes before and after a snippet, files included.
const RUNNER_TIME: Duration = Duration::from_secs(2);

/// A function at a fixed version.
///
/// `$LATEST` is whatever was deployed last, so neither a cached catalogue nor a cached result could
/// be held against it: a published version or an alias has to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(crate) function: String,
    pub(crate) qualifier: String,
}

/// Why a [`Target`] is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The function's name is not one.
    #[error(
        "`{0}` is not a function's name or ARN: names have 1 to 64 letters, digits, `-` and `_`"
    )]
    Function(String),
    /// No version is named.
    #[error(
        "function `{0}` is named without a version: publish one, or point an alias at one, and \
         name that as the qualifier"
    )]
    Unpinned(String),
    /// `$LATEST`.
    #[error(
        "the qualifier `$LATEST` stands for whatever was deployed last: publish a version, or \
         point an alias at one, and name that"
    )]
    Latest,
    /// The qualifier is not one.
    #[error("`{0}` is not a version's number or an alias")]
    Qualifier(String),
    /// Two of them.
    #[error("the function's name ends with the qualifier `{named}`, but `{given}` is given too")]
    TwoQualifiers {
        /// In the function's name or ARN.
        named: String,
        /// Beside it.
        given: String,
    },
}

impl Target {
    /// `function` (a name, a partial or a full ARN, which may end with its qualifier) at the
    /// version or alias `qualifier`.
    ///
    /// # Errors
    /// When a name is malformed, or no version is pinned.
    pub fn new(function: &str, qualifier: Option<&str>) -> Result<Self, TargetError> {
        let (name, named) = split(function);
        check_function(function, name)?;
        let qualifier = match (named, qualifier) {
            (Some(named), Some(given)) if named != given => {
                return Err(TargetError::TwoQualifiers {
                    named: named.to_owned(),
                    given: given.to_owned(),
                });
            }
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => return Err(TargetError::Unpinned(function.to_owned())),
        };
        if qualifier == "$LATEST" {
            return Err(TargetError::Latest);
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if qualifier.is_empty() || qualifier.len() > 128 || !qualifier.chars().all(legal) {
            return Err(TargetError::Qualifier(qualifier.to_owned()));
        }
        Ok(Self {
            function: name.to_owned(),
            qualifier: qualifier.to_owned(),
        })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.function, self.qualifier)
    }
}

/// Takes a qualifier off a name or an ARN.
fn split(function: &str) -> (&str, Option<&str>) {
    let after_function = match function.rfind("function:") {
        Some(at) => at + "function:".len(),
        // The ARN of something else.
        None if function.starts_with("arn:") => return (function, None),
        None => 0,
    };
    match function[after_function..].split_once(':') {
        Some((name, qualifier)) => (&function[..after_function + name.len()], Some(qualifier)),
        None => (function, None),
    }
}

fn check_function(whole: &str, name: &str) -> Result<(), TargetError> {
    let parts: Vec<_> = name.split(':').collect();
    let (name, place) = match parts.as_slice() {
        [name] => (*name, true),
        [_, "function", name] => (*name, true),
        ["arn", partition, "lambda", _, _, "function", name] => {
            (*name, partition.starts_with("aws"))
        }
        _ => ("", false),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if place && !name.is_empty() && name.len() <= 64 && name.chars().all(legal) {
        Ok(())
    } else {
        Err(TargetError::Function(whole.to_owned()))
    }
}

/// How a [`LambdaExecutor`](crate::LambdaExecutor) works.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LambdaConfig {
    /// The function.
    pub target: Target,
    /// Whether the function was created with tenant isolation. Then every invocation names its
    /// tenant, and Lambda never lets an environment serve two of them. Executions without a tenant
    /// share one that no caller can name.
    pub tenant_isolation: bool,
    /// The function's memory, in MiB. It decides what an execution costs, and how much memory one
    /// may be granted.
    pub memory_mb: u32,
    /// The function's own time limit. No execution is granted all of it.
    pub timeout: Duration,
    /// Most invocations at once. At least 1; not more than the concurrency that is reserved for
    /// the function.
    pub concurrency: usize,
    /// Most executions that wait for one of these places; more are refused.
    pub queue: usize,
    /// Most bytes of JSON that a task or an outcome may have to be passed in the message itself.
    /// What is larger goes through the bucket. At most
    /// [`MAX_INLINE_BYTES`](Self::MAX_INLINE_BYTES).
    pub inline_bytes: usize,
    /// How long an invocation may take beyond its task's own time limit: a cold start, and the way
    /// there and back.
    pub margin: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// What an invocation costs.
    pub prices: Prices,
    /// What is tried again.
    pub retry: RetryConfig,
    /// When the function counts as down.
    pub breaker: BreakerConfig,
    /// A file that keeps the function's catalogue, so that the next start knows it at once.
    pub catalogue: Option<PathBuf>,
    /// Whether the function is asked for its catalogue at the start, even where the file has it. It
    /// costs an invocation, and makes the first environment warm. Otherwise it is asked when
    /// somebody waits for a catalogue that the file has not.
    pub describe_at_start: bool,
}

impl LambdaConfig {
    /// Of [`concurrency`](Self::concurrency).
    pub const DEFAULT_CONCURRENCY: usize = 50;
    /// Of [`memory_mb`](Self::memory_mb).
    pub const DEFAULT_MEMORY_MB: u32 = 2_048;
    /// Of [`timeout`](Self::timeout).
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    /// Of [`queue`](Self::queue).
    pub const DEFAULT_QUEUE: usize = 256;
    /// Of [`margin`](Self::margin).
    pub const DEFAULT_MARGIN: Duration = Duration::from_secs(15);
    /// Of [`connect_timeout`](Self::connect_timeout).
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
    /// The most [`inline_bytes`](Self::inline_bytes) that make sense: a synchronous invocation
    /// carries 6 MB each way, and a little surrounds a task or an outcome.
    pub const MAX_INLINE_BYTES: usize = (6 << 20) - (64 << 10);

    /// The defaults for `target`: 50 at once, no tenant isolation, 15 s of margin.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            tenant_isolation: false,
            memory_mb: Self::DEFAULT_MEMORY_MB,
            timeout: Self::DEFAULT_TIMEOUT,
            concurrency: Self::DEFAULT_CONCURRENCY,
            queue: Self::DEFAULT_QUEUE,
            inline_bytes: Self::MAX_INLINE_BYTES,
            margin: Self::DEFAULT_MARGIN,
            connect_timeout: Self::DEFAULT_CONNECT_TIMEOUT,
            prices: Prices::default(),
            retry: RetryConfig::default(),
            breaker: BreakerConfig::default(),
            catalogue: None,
            describe_at_start: true,
        }
    }

    /// The most an execution is granted: what the function has, less what the runner needs to keep
    /// its interpreters warm, and to answer in time.
    pub(crate) fn maximum(&self) -> Limits {
        let memory_mb = self.memory_mb.saturating_sub(RUNNER_MB);
        let timeout = self.timeout.saturating_sub(RUNNER_TIME);
        Limits {
            memory_mb: memory_mb.max(self.memory_mb / 2),
            timeout_ms: u64::try_from(timeout.max(self.timeout / 2).as_millis())
                .unwrap_or(u64::MAX),
            ..Limits::UNBOUNDED
        }
    }

    /// What [`inline_bytes`](Self::inline_bytes) means: never over what Lambda carries.
    pub(crate) fn inline(&self) -> usize {
        self.inline_bytes.min(Self::MAX_INLINE_BYTES)
    }
}

/// What Lambda charges, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// For a gigabyte of memory during a second.
    pub gb_second: f64,
    /// For an invocation.
    pub request: f64,
}

impl Default for Prices {
    /// x86 in most regions, in the first tier: see aws.amazon.com/lambda/pricing for yours.
    fn default() -> Self {
        Self {
            gb_second: 0.000_016_666_7,
            request: 0.000_000_2,
        }
    }
}

/// What is tried again: only what did not reach the function, so that no snippet runs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Most attempts, the first included. At least 1.
    pub attempts: u32,
    /// The first pause is a random part of this, the next of twice as much, and so on.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// How many retries a run of failures may take before they stop; ten successes give one back.
    pub budget: u32,
}

impl Default for RetryConfig {
    /// 4 attempts, pauses within 100 ms, 200 ms and 400 ms, 50 retries in a row.
    fn default() -> Self {
        Self {
            attempts: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(2),
            budget: 50,
        }
    }
}

/// When the function counts as down, so that callers are told at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// So many failures in a row. At least 1.
    pub failures: u32,
    /// How long nothing is sent then. Afterwards one invocation tries it; if it fails too, the
    /// next pause is twice as long.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
}

impl Default for BreakerConfig {
    /// 5 failures, pauses from 1 s to 30 s.
    fn default() -> Self {
        Self {
            failures: 5,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_granted_what_the_runner_leaves() {
        let mut config = LambdaConfig::new(Target::new("f", Some("1")).unwrap());
        let maximum = config.maximum();
        assert_eq!((maximum.memory_mb, maximum.timeout_ms), (1_536, 28_000));
        assert_eq!(maximum.fuel, u64::MAX);
        config.memory_mb = 512;
        config.timeout = Duration::from_secs(3);
        let maximum = config.maximum();
        assert_eq!((maximum.memory_mb, maximum.timeout_ms), (256, 1_500));
    }

    #[test]
    fn a_version_or_an_alias_has_to_be_pinned() {
        for (function, qualifier, error) in [
            ("f", None, "without a version"),
            ("f", Some("$LATEST"), "deployed last"),
            ("f:$LATEST", None, "deployed last"),
            ("f:live", Some("2"), "ends with the qualifier `live`"),
            ("f", Some("a b"), "not a version's number"),
            ("f", Some(""), "not a version's number"),
            ("f/g", Some("1"), "not a function's name"),
            ("", Some("1"), "not a function's name"),
            ("arn:aws:s3:::bucket", Some("1"), "not a function's name"),
        ] {
            let found = Target::new(function, qualifier).unwrap_err().to_string();
            assert!(found.contains(error), "{function}: {found}");
        }
    }

    #[test]
    fn names_and_arns_may_end_with_the_qualifier() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:runner";
        for (function, qualifier, name) in [
            ("runner", Some("7"), "runner"),
            ("runner:live", None, "runner"),
            ("runner:live", Some("live"), "runner"),
            (arn, Some("live"), arn),
            (&format!("{arn}:live"), None, arn),
            (
                "123456789012:function:runner",
                Some("live"),
                "123456789012:function:runner",
            ),
        ] {
            let target = Target::new(function, qualifier).unwrap();
            assert_eq!(target.function, name, "{function}");
            assert!(!target.qualifier.is_empty(), "{target}");
        }
    }
}
