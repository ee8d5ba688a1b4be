//! The configuration as it is written: every key, its type and its default.
//!
//! The default of [`Raw`], turned into a TOML table, is the schema that files, the environment and
//! flags are checked against: there is no second list of keys.

use std::time::Duration;

use sandgate::{CacheConfig, Durability, LimitPolicy, Limits, RequestRules, SpoolConfig};
use sandgate_lambda::{BreakerConfig, LambdaConfig, Prices, RetryConfig, Transfer};
use sandgate_sandbox::SandboxConfig;
use serde::{Deserialize, Serialize};

/// Everything that can be configured. An empty string stands for a value that is found out at
/// start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    pub(crate) listen: String,
    pub(crate) data_dir: String,
    pub(crate) guests: String,
    pub(crate) http: Http,
    pub(crate) sandbox: Sandbox,
    pub(crate) limits: LimitTables,
    pub(crate) cache: Cache,
    pub(crate) outputs: Outputs,
    pub(crate) lambda: Lambda,
    pub(crate) local_cloud: LocalCloud,
    pub(crate) log: Log,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) allow_public: bool,
    pub(crate) max_connections: u64,
    pub(crate) body_bytes: u64,
    pub(crate) pending_body_bytes: u64,
    pub(crate) header_timeout_ms: u64,
    pub(crate) body_timeout_ms: u64,
    pub(crate) queue_timeout_ms: u64,
    pub(crate) shutdown_timeout_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sandbox {
    /// 0: one for each core.
    pub(crate) workers: u64,
    pub(crate) queue: u64,
    /// 0: what a request may ask for.
    pub(crate) memory_mb: u64,
    /// 0: what a request may ask for.
    pub(crate) timeout_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitTables {
    pub(crate) default: Limits,
    pub(crate) maximum: Limits,
    pub(crate) code_bytes: u64,
    pub(crate) stdin_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    pub(crate) bytes: u64,
    pub(crate) ttl_s: u64,
    pub(crate) in_store: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outputs {
    pub(crate) store: StoreChoice,
    pub(crate) directory: String,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) path_style: bool,
    pub(crate) redirect_files: bool,
    pub(crate) durability: Durability,
    pub(crate) spool_bytes: u64,
    pub(crate) sync: bool,
}

/// Where outputs end up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreChoice {
    /// In the bucket if one is named, else in the local cloud's if there is one, else in a
    /// directory.
    Auto,
    Directory,
    S3,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lambda {
    /// Empty: none on AWS.
    pub(crate) function: String,
    pub(crate) qualifier: String,
    pub(crate) tenant_isolation: bool,
    pub(crate) memory_mb: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) concurrency: u64,
    pub(crate) queue: u64,
    pub(crate) inline_bytes: u64,
    pub(crate) margin_ms: u64,
    pub(crate) connect_timeout_ms: u64,
    pub(crate) price_gb_second: f64,
    pub(crate) price_request: f64,
    pub(crate) retry_attempts: u64,
    pub(crate) retry_pause_ms: u64,
    pub(crate) retry_budget: u64,
    pub(crate) breaker_failures: u64,
    pub(crate) breaker_pause_ms: u64,
    pub(crate) breaker_longest_pause_ms: u64,
    /// Empty: the outputs' bucket.
    pub(crate) transfer_bucket: String,
    pub(crate) transfer_prefix: String,
    pub(crate) transfer_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalCloud {
    pub(crate) enabled: Enabled,
    pub(crate) image: String,
    pub(crate) memory_mb: u64,
    /// 0: one for each core.
    pub(crate) concurrency: u64,
    pub(crate) idle_expiry_s: u64,
}

/// Whether something is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enabled {
    /// Where it is possible and nothing else is configured.
    Auto,
    /// In any case: it is an error if that is not possible.
    Always,
    /// In no case.
    Never,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the service listens unless configured otherwise: this machine only.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

impl Default for Raw {
    fn default() -> Self {
        let LimitPolicy { default, maximum } = LimitPolicy::default();
        let (rules, cache, spool) = (
            RequestRules::default(),
            CacheConfig::default(),
            SpoolConfig::default(),
        );
        let (prices, retry, breaker) = (
            Prices::default(),
            RetryConfig::default(),
            BreakerConfig::default(),
        );
        Self {
            listen: DEFAULT_LISTEN.to_owned(),
            data_dir: String::new(),
            guests: String::new(),
            http: Http {
                allow_public: false,
                max_connections: 1_024,
                body_bytes: 32 << 20,
                pending_body_bytes: 256 << 20,
                header_timeout_ms: 10_000,
                body_timeout_ms: 30_000,
                queue_timeout_ms: 30_000,
                shutdown_timeout_ms: 10_000,
            },
            sandbox: Sandbox {
                workers: 0,
                queue: SandboxConfig::DEFAULT_QUEUE as u64,
                memory_mb: 0,
                timeout_ms: 0,
            },
            limits: LimitTables {
                default,
                maximum,
                code_bytes: rules.code_bytes as u64,
                stdin_bytes: rules.stdin_bytes as u64,
            },
            cache: Cache {
                bytes: cache.bytes,
                ttl_s: cache.time_to_live.as_secs(),
                in_store: false,
            },
            outputs: Outputs {
                store: StoreChoice::Auto,
                directory: String::new(),
                bucket: String::new(),
                prefix: String::new(),
                path_style: false,
                redirect_files: false,
                durability: Durability::default(),
                spool_bytes: spool.max_bytes,
                sync: spool.sync,
            },
            lambda: Lambda {
                function: String::new(),
                qualifier: String::new(),
                tenant_isolation: false,
                memory_mb: LambdaConfig::DEFAULT_MEMORY_MB.into(),
                timeout_ms: milliseconds(LambdaConfig::DEFAULT_TIMEOUT),
                concurrency: LambdaConfig::DEFAULT_CONCURRENCY as u64,
                queue: LambdaConfig::DEFAULT_QUEUE as u64,
                inline_bytes: LambdaConfig::MAX_INLINE_BYTES as u64,
                margin_ms: milliseconds(LambdaConfig::DEFAULT_MARGIN),
                connect_timeout_ms: milliseconds(LambdaConfig::DEFAULT_CONNECT_TIMEOUT),
                price_gb_second: prices.gb_second,
                price_request: prices.request,
                retry_attempts: retry.attempts.into(),
                retry_pause_ms: milliseconds(retry.first_pause),
                retry_budget: retry.budget.into(),
                breaker_failures: breaker.failures.into(),
                breaker_pause_ms: milliseconds(breaker.first_pause),
                breaker_longest_pause_ms: milliseconds(breaker.longest_pause),
                transfer_bucket: String::new(),
                transfer_prefix: "transfer/".to_owned(),
                transfer_bytes: Transfer::DEFAULT_MAX_BYTES,
            },
            local_cloud: LocalCloud {
                enabled: Enabled::Auto,
                image: String::new(),
                memory_mb: 2_048,
                concurrency: 0,
                idle_expiry_s: 300,
            },
            log: Log {
                // The local cloud has a line for every request it serves.
                filter: "info,sandgate_local_cloud=warn".to_owned(),
                format: LogFormat::Text,
            },
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
