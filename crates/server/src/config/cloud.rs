//! The settings of what runs elsewhere: Lambda, the bucket, and their stand-ins on this machine.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use sandgate::S3Config;
use sandgate_lambda::{
    BreakerConfig, LambdaConfig, Prices, RetryConfig, Target, TargetError, Transfer, TransferConfig,
};

use super::raw::{Raw, StoreChoice};
use super::{Enabled, size};

/// The function that the local cloud has, at the alias that it is deployed under on AWS.
pub(crate) const LOCAL_FUNCTION: &str = "sandgate-runner";
const LOCAL_ALIAS: &str = "live";

/// Everything about Lambda and S3, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudConfig {
    /// How the Lambda executor works. Its target is the function on AWS if there is one, and the
    /// local cloud's otherwise.
    pub lambda: LambdaConfig,
    /// Whether that function is on AWS.
    pub on_aws: bool,
    /// Where tasks and outcomes that are too large for a message pass through; none for nowhere,
    /// or the local cloud's bucket.
    pub transfer: Option<TransferConfig>,
    /// Most bytes of one of these.
    pub transfer_bytes: u64,
    /// Where outputs end up.
    pub store: Store,
    /// The local cloud.
    pub local: LocalCloudConfig,
}

/// Where outputs end up.
#[derive(Clone, Debug, PartialEq)]
pub enum Store {
    /// In the local cloud's bucket if there is one, in a directory otherwise.
    Local,
    /// In a directory.
    Directory,
    /// In a bucket on AWS, or of whatever the SDK is pointed to.
    S3(S3Config),
}

/// S3 and Lambda on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalCloudConfig {
    /// Whether there is one.
    pub enabled: Enabled,
    /// The folder with the image's files; none to look for it beside the binary.
    pub image: Option<PathBuf>,
    /// Memory of an environment, in MiB.
    pub memory_mb: u32,
    /// Most environments; none for one a core.
    pub concurrency: Option<NonZeroUsize>,
    /// How long an unused environment is kept.
    pub idle_expiry: Duration,
}

impl CloudConfig {
    /// Whether the local cloud may be used: nothing on AWS is named, or it is asked for.
    pub fn wants_local(&self) -> bool {
        let on_aws = self.on_aws || matches!(self.store, Store::S3(_));
        match self.local.enabled {
            Enabled::Auto => !on_aws,
            Enabled::Always => true,
            Enabled::Never => false,
        }
    }

    pub(super) fn check(raw: &Raw, problem: &mut impl FnMut(&str, String)) -> Option<Self> {
        check_numbers(raw, problem);
        let on_aws = !raw.lambda.function.is_empty();
        let target = target(raw, problem);
        if on_aws && raw.local_cloud.enabled == Enabled::Always {
            problem(
                "local_cloud.enabled",
                "is `always`, but lambda.function names a function on AWS: keep one of them"
                    .to_owned(),
            );
        }
        for (key, prefix) in [
            ("outputs.prefix", &raw.outputs.prefix),
            ("lambda.transfer_prefix", &raw.lambda.transfer_prefix),
        ] {
            if !is_prefix(prefix) {
                problem(
                    key,
                    format!("must be empty or a path like `some/folder/`, not `{prefix}`"),
                );
            }
        }
        let store = store(raw, problem);
        let mut lambda = LambdaConfig::new(target?);
        let milliseconds = Duration::from_millis;
        let count = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let from = &raw.lambda;
        lambda.tenant_isolation = from.tenant_isolation;
        lambda.memory_mb = count(from.memory_mb);
        lambda.timeout = milliseconds(from.timeout_ms);
        lambda.concurrency = size(from.concurrency);
        lambda.queue = size(from.queue);
        lambda.inline_bytes = size(from.inline_bytes);
        lambda.margin = milliseconds(from.margin_ms);
        lambda.connect_timeout = milliseconds(from.connect_timeout_ms);
        lambda.prices = Prices {
            gb_second: from.price_gb_second,
            request: from.price_request,
        };
        lambda.retry = RetryConfig {
            attempts: count(from.retry_attempts),
            first_pause: milliseconds(from.retry_pause_ms),
            budget: count(from.retry_budget),
            ..RetryConfig::default()
        };
        lambda.breaker = BreakerConfig {
            failures: count(from.breaker_failures),
            first_pause: milliseconds(from.breaker_pause_ms),
            longest_pause: milliseconds(from.breaker_longest_pause_ms),
        };
        let bucket = [&from.transfer_bucket, &raw.outputs.bucket];
        let bucket = bucket.into_iter().find(|bucket| !bucket.is_empty());
        let local = &raw.local_cloud;
        Some(Self {
            lambda,
            on_aws,
            transfer: bucket.map(|bucket| TransferConfig {
                bucket: bucket.clone(),
                prefix: from.transfer_prefix.clone(),
                path_style: raw.outputs.path_style,
                max_bytes: from.transfer_bytes,
                patience: Transfer::DEFAULT_PATIENCE,
            }),
            transfer_bytes: from.transfer_bytes,
            store: store?,
            local: LocalCloudConfig {
                enabled: local.enabled,
                image: (!local.image.is_empty()).then(|| PathBuf::from(&local.image)),
                memory_mb: count(local.memory_mb),
                concurrency: NonZeroUsize::new(size(local.concurrency)),
                idle_expiry: Duration::from_secs(local.idle_expiry_s),
            },
        })
    }
}

fn target(raw: &Raw, problem: &mut impl FnMut(&str, String)) -> Option<Target> {
    let (function, qualifier) = (&raw.lambda.function, &raw.lambda.qualifier);
    let qualifier = (!qualifier.is_empty()).then_some(qualifier.as_str());
    let target = match (function.as_str(), qualifier) {
        ("", None) => Target::new(LOCAL_FUNCTION, Some(LOCAL_ALIAS)),
        ("", Some(_)) => {
            problem(
                "lambda.qualifier",
                "is set, but lambda.function is not".to_owned(),
            );
            return None;
        }
        (function, qualifier) => Target::new(function, qualifier),
    };
    target
        .map_err(|error| {
            let key = match &error {
                TargetError::Function(_) => "lambda.function",
                TargetError::Unpinned(_)
                | TargetError::Latest
                | TargetError::Qualifier(_)
                | TargetError::TwoQualifiers { .. } => "lambda.qualifier",
            };
            problem(key, error.to_string());
        })
        .ok()
}

fn store(raw: &Raw, problem: &mut impl FnMut(&str, String)) -> Option<Store> {
    let outputs = &raw.outputs;
    let directory = !outputs.directory.is_empty();
    match (outputs.store, outputs.bucket.as_str()) {
        (StoreChoice::S3, "") => {
            problem(
                "outputs.store",
                "is `s3`, but outputs.bucket does not name a bucket".to_owned(),
            );
            None
        }
        (StoreChoice::Auto, "") if !directory => Some(Store::Local),
        (StoreChoice::Auto, "") | (StoreChoice::Directory, _) => Some(Store::Directory),
        (StoreChoice::S3 | StoreChoice::Auto, bucket) => {
            let mut config = S3Config::new(bucket);
            config.prefix.clone_from(&outputs.prefix);
            config.path_style = outputs.path_style;
            Some(Store::S3(config))
        }
    }
}

/// Whether keys can begin with `prefix`: parts that are none of empty, `.` and `..`.
fn is_prefix(prefix: &str) -> bool {
    prefix.is_empty()
        || prefix
            .strip_suffix('/')
            .is_some_and(|path| sandgate::check_relative_path(path).is_ok())
}

fn check_numbers(raw: &Raw, problem: &mut impl FnMut(&str, String)) {
    let (lambda, local) = (&raw.lambda, &raw.local_cloud);
    let (minute, hour) = (60_000, 3_600_000);
    let inline = LambdaConfig::MAX_INLINE_BYTES as u64;
    for (key, value, least, most) in [
        ("lambda.memory_mb", lambda.memory_mb, 128, 10_240),
        ("lambda.timeout_ms", lambda.timeout_ms, 1_000, 15 * minute),
        ("lambda.concurrency", lambda.concurrency, 1, 1 << 16),
        ("lambda.queue", lambda.queue, 0, 1 << 20),
        ("lambda.inline_bytes", lambda.inline_bytes, 1_024, inline),
        ("lambda.margin_ms", lambda.margin_ms, 0, 15 * minute),
        (
            "lambda.connect_timeout_ms",
            lambda.connect_timeout_ms,
            1,
            minute,
        ),
        ("lambda.retry_attempts", lambda.retry_attempts, 1, 100),
        ("lambda.retry_pause_ms", lambda.retry_pause_ms, 1, minute),
        ("lambda.retry_budget", lambda.retry_budget, 0, 1 << 20),
        (
            "lambda.breaker_failures",
            lambda.breaker_failures,
            1,
            1 << 20,
        ),
        ("lambda.breaker_pause_ms", lambda.breaker_pause_ms, 1, hour),
        (
            "lambda.breaker_longest_pause_ms",
            lambda.breaker_longest_pause_ms,
            lambda.breaker_pause_ms,
            hour,
        ),
        (
            "lambda.transfer_bytes",
            lambda.transfer_bytes,
            1 << 20,
            4 << 30,
        ),
        ("local_cloud.memory_mb", local.memory_mb, 256, 10_240),
        ("local_cloud.concurrency", local.concurrency, 0, 256),
        ("local_cloud.idle_expiry_s", local.idle_expiry_s, 1, 86_400),
    ] {
        if value < least || value > most {
            problem(
                key,
                format!("must be between {least} and {most}, not {value}"),
            );
        }
    }
    for (key, price) in [
        ("lambda.price_gb_second", lambda.price_gb_second),
        ("lambda.price_request", lambda.price_request),
    ] {
        if !(0.0..=1_000.0).contains(&price) {
            problem(
                key,
                format!("must be a price in US dollars from 0 to 1000, not {price}"),
            );
        }
    }
}
