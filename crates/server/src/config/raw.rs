//! The configuration as it is written: every key, its type and its default.
//!
//! The default of [`Raw`], turned into a TOML table, is the schema that files, the environment and
//! flags are checked against: there is no second list of keys.

use sandgate::{CacheConfig, Durability, LimitPolicy, Limits, RequestRules, SpoolConfig};
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
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outputs {
    pub(crate) directory: String,
    pub(crate) durability: Durability,
    pub(crate) spool_bytes: u64,
    pub(crate) sync: bool,
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
            },
            outputs: Outputs {
                directory: String::new(),
                durability: Durability::default(),
                spool_bytes: spool.max_bytes,
                sync: spool.sync,
            },
            log: Log {
                filter: "info".to_owned(),
                format: LogFormat::Text,
            },
        }
    }
}
