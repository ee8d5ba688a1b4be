//! The service's configuration: flags, then the environment, then a file, then defaults.
//!
//! Only this module turns text into settings, and nothing here reads the environment: it is handed
//! in, so that tests can hand in their own. All problems are reported at once.

mod cloud;
mod layers;
mod raw;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandgate::{CacheConfig, Durability, LimitPolicy, Limits, RequestRules, SpoolConfig};
use serde::Deserialize as _;
use toml::{Table, Value};

pub(crate) use cloud::LOCAL_FUNCTION;
pub use cloud::{CloudConfig, LocalCloudConfig, Store};
pub use layers::Problem;
use layers::{CONFIG_VARIABLE, Layers};
use raw::Raw;
pub use raw::{Enabled, LogFormat};

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The folder of built guests; none to look for it beside the binary.
    pub guests: Option<PathBuf>,
    /// The HTTP service.
    pub http: HttpConfig,
    /// Worker processes; none for one a core.
    pub workers: Option<NonZeroUsize>,
    /// Executions that may wait for a worker.
    pub queue: usize,
    /// The most the sandbox grants; what asks for more goes to Lambda, if that grants it.
    pub sandbox_maximum: Limits,
    /// Sizes and limits that requests are held to.
    pub rules: RequestRules,
    /// The cache of results.
    pub cache: CacheConfig,
    /// Whether proven results are kept in the outputs' store as well.
    pub cache_in_store: bool,
    /// Where the outputs' directory form is.
    pub outputs_dir: PathBuf,
    /// When outputs count as safe, for requests that do not say.
    pub durability: Durability,
    /// The output spool.
    pub spool: SpoolConfig,
    /// Lambda and S3.
    pub cloud: CloudConfig,
    /// Which log lines are written, in `tracing`'s filter syntax.
    pub log_filter: String,
    /// How they look.
    pub log_format: LogFormat,
    /// All of it as it would be written to a file.
    effective: Table,
}

/// What the HTTP service needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Most connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// Most bytes of a request's body.
    pub body_bytes: usize,
    /// Most bytes of all bodies that are being read or executed.
    pub pending_body_bytes: usize,
    /// How long a client may take for a request's head, and how long a connection may idle.
    pub header_timeout: Duration,
    /// How long a client may take for a request's body.
    pub body_timeout: Duration,
    /// How long a request may wait beyond its own time limit.
    pub queue_timeout: Duration,
    /// Whether files that executions left are answered with a redirect to the bucket, where that
    /// can serve them.
    pub redirect_files: bool,
    /// How long running executions may take to end, and outputs to be delivered, at shutdown.
    pub shutdown_timeout: Duration,
}

/// Everything that is wrong with a configuration. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// What flags say, as `(flag, key, value)`.
pub type Flags<'a> = &'a [(&'a str, &'a str, String)];

impl Config {
    /// Puts the configuration together. `file` is what `--config` says; without it the
    /// environment may name a file.
    ///
    /// # Errors
    /// Names every problem with where it comes from.
    pub fn load(
        flags: Flags<'_>,
        file: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let defaults = Value::try_from(Raw::default()).map_err(|error| {
            ConfigError(vec![Problem {
                source: "defaults".to_owned(),
                message: error.to_string(),
            }])
        })?;
        let Value::Table(defaults) = defaults else {
            return Err(ConfigError(Vec::new()));
        };
        let mut layers = Layers::new(defaults);
        let named = environment
            .get(CONFIG_VARIABLE)
            .filter(|path| !path.is_empty());
        if let Some(file) = file.or(named.map(Path::new)) {
            let name = file.display().to_string();
            match std::fs::read_to_string(file) {
                Ok(text) => layers.file(&name, &text),
                Err(error) => layers.problems.push(Problem {
                    source: name,
                    message: format!("cannot be read: {error}"),
                }),
            }
        }
        layers.environment(environment);
        for (flag, key, value) in flags {
            layers.text(flag, key, value);
        }
        Self::check(layers, environment)
    }

    fn check(
        mut layers: Layers,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let mut problems = std::mem::take(&mut layers.problems);
        let sources = |key: &str| layers.source(key);
        let mut problem = |key: &str, message: String| {
            problems.push(Problem {
                source: sources(key),
                message,
            });
        };
        let raw = match Raw::deserialize(Value::Table(layers.merged().clone())) {
            Ok(raw) => raw,
            // Types are right by now; what is left are words from a fixed set and negative or
            // too large numbers.
            Err(_) => {
                for (key, message) in misfits(layers.merged()) {
                    problem(&key, message);
                }
                return Err(ConfigError(problems));
            }
        };
        let checked = Checked::new(&raw, environment, &mut problem);
        match checked {
            Some(checked) if problems.is_empty() => Ok(checked.config(raw, layers.into_table())),
            Some(_) | None => Err(ConfigError(problems)),
        }
    }

    /// The whole configuration as a file would have it.
    pub fn to_toml(&self) -> String {
        self.effective.to_string()
    }
}

/// The values that do not fit their key, found by trying each alone over the defaults.
fn misfits(merged: &Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Ok(Value::Table(defaults)) = Value::try_from(Raw::default()) else {
        return found;
    };
    layers::for_each_leaf(merged, &mut |path, value| {
        let mut alone = defaults.clone();
        layers::replace(&mut alone, path, value.clone());
        if let Err(error) = Raw::deserialize(Value::Table(alone)) {
            found.push((path.to_owned(), error.message().to_owned()));
        }
    });
    found
}

/// What needed more than a look at one value.
struct Checked {
    listen: SocketAddr,
    data_dir: PathBuf,
    cloud: CloudConfig,
}

impl Checked {
    fn new(
        raw: &Raw,
        environment: &BTreeMap<String, String>,
        problem: &mut impl FnMut(&str, String),
    ) -> Option<Self> {
        let listen = match raw.listen.parse::<SocketAddr>() {
            Ok(listen) => Some(listen),
            Err(_) => {
                problem(
                    "listen",
                    format!(
                        "must be an address and a port like 127.0.0.1:8080, not `{}`",
                        raw.listen
                    ),
                );
                None
            }
        };
        if let Some(listen) = listen
            && !listen.ip().is_loopback()
            && !raw.http.allow_public
        {
            problem(
                "listen",
                format!(
                    "{listen} can be reached from other machines, and the service asks nobody who \
                     they are: set http.allow_public (--allow-public) if something in front does"
                ),
            );
        }
        let data_dir = data_dir(raw, environment);
        if data_dir.is_none() {
            problem(
                "data_dir",
                "cannot be found out without HOME: set data_dir (--data-dir)".to_owned(),
            );
        }
        check_numbers(raw, problem);
        check_limits(&raw.limits.default, &raw.limits.maximum, problem);
        let cloud = CloudConfig::check(raw, problem);
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&raw.log.filter) {
            problem("log.filter", format!("is not a log filter: {error}"));
        }
        Some(Self {
            listen: listen?,
            data_dir: data_dir?,
            cloud: cloud?,
        })
    }

    fn config(self, raw: Raw, effective: Table) -> Config {
        let Self {
            listen,
            data_dir,
            mut cloud,
        } = self;
        cloud.lambda.catalogue = Some(data_dir.join("lambda-catalogue.json"));
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        Config {
            listen,
            guests: path(&raw.guests),
            http: HttpConfig {
                max_connections: size(raw.http.max_connections),
                body_bytes: size(raw.http.body_bytes),
                pending_body_bytes: size(raw.http.pending_body_bytes),
                header_timeout: Duration::from_millis(raw.http.header_timeout_ms),
                body_timeout: Duration::from_millis(raw.http.body_timeout_ms),
                queue_timeout: Duration::from_millis(raw.http.queue_timeout_ms),
                redirect_files: raw.outputs.redirect_files,
                shutdown_timeout: Duration::from_millis(raw.http.shutdown_timeout_ms),
            },
            workers: NonZeroUsize::new(size(raw.sandbox.workers)),
            queue: size(raw.sandbox.queue),
            sandbox_maximum: sandbox_maximum(&raw),
            rules: RequestRules {
                limits: LimitPolicy {
                    default: raw.limits.default,
                    maximum: raw.limits.maximum,
                },
                code_bytes: size(raw.limits.code_bytes),
                stdin_bytes: size(raw.limits.stdin_bytes),
                ..RequestRules::default()
            },
            cache: CacheConfig {
                bytes: raw.cache.bytes,
                time_to_live: Duration::from_secs(raw.cache.ttl_s),
            },
            cache_in_store: raw.cache.in_store,
            outputs_dir: path(&raw.outputs.directory).unwrap_or_else(|| data_dir.join("outputs")),
            data_dir,
            durability: raw.outputs.durability,
            spool: SpoolConfig {
                max_bytes: raw.outputs.spool_bytes,
                sync: raw.outputs.sync,
            },
            cloud,
            log_filter: raw.log.filter,
            log_format: raw.log.format,
            effective,
        }
    }
}

/// The most the sandbox grants of what a request may ask for.
fn sandbox_maximum(raw: &Raw) -> Limits {
    let mut maximum = raw.limits.maximum;
    if let Ok(own @ 1..) = u32::try_from(raw.sandbox.memory_mb) {
        maximum.memory_mb = maximum.memory_mb.min(own);
    }
    if raw.sandbox.timeout_ms > 0 {
        maximum.timeout_ms = maximum.timeout_ms.min(raw.sandbox.timeout_ms);
    }
    maximum
}

/// A count or a size that memory is bounded by.
fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// By the XDG base directory rules, unless set.
fn data_dir(raw: &Raw, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    if !raw.data_dir.is_empty() {
        return Some(PathBuf::from(&raw.data_dir));
    }
    // The rules say that a relative path is to be ignored.
    let absolute = |name: &str| {
        let path = PathBuf::from(environment.get(name)?);
        path.is_absolute().then_some(path)
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/share")))
        .map(|base| base.join("sandgate"))
}

const DAY_MS: u64 = 86_400_000;

fn check_numbers(raw: &Raw, problem: &mut impl FnMut(&str, String)) {
    let Raw {
        http,
        sandbox,
        limits,
        cache,
        outputs,
        ..
    } = raw;
    let one_tib = 1 << 40;
    let spool = SpoolConfig::MIN_BYTES;
    for (key, value, least, most) in [
        ("http.max_connections", http.max_connections, 1, 1 << 20),
        ("http.body_bytes", http.body_bytes, 1_024, 2 << 30),
        (
            "http.pending_body_bytes",
            http.pending_body_bytes,
            http.body_bytes,
            one_tib,
        ),
        ("http.header_timeout_ms", http.header_timeout_ms, 1, DAY_MS),
        ("http.body_timeout_ms", http.body_timeout_ms, 1, DAY_MS),
        ("http.queue_timeout_ms", http.queue_timeout_ms, 0, DAY_MS),
        (
            "http.shutdown_timeout_ms",
            http.shutdown_timeout_ms,
            0,
            DAY_MS,
        ),
        ("sandbox.workers", sandbox.workers, 0, 1_024),
        ("sandbox.queue", sandbox.queue, 0, 1 << 20),
        ("sandbox.memory_mb", sandbox.memory_mb, 0, 1 << 22),
        ("sandbox.timeout_ms", sandbox.timeout_ms, 0, DAY_MS),
        ("limits.code_bytes", limits.code_bytes, 1, 64 << 20),
        ("limits.stdin_bytes", limits.stdin_bytes, 0, 1 << 30),
        ("cache.bytes", cache.bytes, 0, one_tib),
        ("cache.ttl_s", cache.ttl_s, 1, 365 * 86_400),
        (
            "outputs.spool_bytes",
            outputs.spool_bytes,
            spool,
            16 * one_tib,
        ),
    ] {
        if value < least || value > most {
            problem(
                key,
                format!("must be between {least} and {most}, not {value}"),
            );
        }
    }
}

fn check_limits(default: &Limits, maximum: &Limits, problem: &mut impl FnMut(&str, String)) {
    let most_memory = 3_072;
    for (name, default, maximum, most) in [
        ("timeout_ms", default.timeout_ms, maximum.timeout_ms, DAY_MS),
        ("fuel", default.fuel, maximum.fuel, i64::MAX as u64),
        (
            "memory_mb",
            default.memory_mb.into(),
            maximum.memory_mb.into(),
            most_memory,
        ),
        (
            "output_bytes",
            default.output_bytes,
            maximum.output_bytes,
            256 << 20,
        ),
        (
            "result_bytes",
            default.result_bytes,
            maximum.result_bytes,
            256 << 20,
        ),
        (
            "file_bytes",
            default.file_bytes,
            maximum.file_bytes,
            1 << 30,
        ),
        ("files", default.files.into(), maximum.files.into(), 1 << 20),
    ] {
        if maximum == 0 || maximum > most {
            problem(
                &format!("limits.maximum.{name}"),
                format!("must be between 1 and {most}, not {maximum}"),
            );
        }
        if default == 0 || default > maximum {
            problem(
                &format!("limits.default.{name}"),
                format!("must be between 1 and limits.maximum.{name} ({maximum}), not {default}"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
