//! An object store in a bucket of S3.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use percent_encoding::utf8_percent_encode;
use sandgate_core::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::form::URI_PATH;
use super::object_store::{Download, Object, ObjectStore, StoreError};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an object may take, the SDK's own attempts included, beyond its bytes' time.
const PATIENCE: Duration = Duration::from_secs(30);
/// A transfer that is slower than this, in bytes a second, is given up and begun again.
const SLOWEST: u64 = 256 << 10;
/// What a shortened key ends with besides `~`: bytes of a hash, in hex.
const HASH_CHARS: usize = 32;

/// Where in S3 outputs go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with: empty, or a path that ends with `/`.
    pub prefix: String,
    /// Whether the bucket is named in the path of URLs instead of in their host, as most servers
    /// other than S3 want it.
    pub path_style: bool,
    /// Most objects that are put at once.
    pub concurrency: usize,
    /// The longest key that the store takes, in bytes. S3 takes 1,024. A longer one, which a guest
    /// can bring about by the name of a file, is cut and ends with a hash.
    pub max_key_bytes: usize,
}

impl S3Config {
    /// The defaults for `bucket`: no prefix, 16 at once, keys as long as S3 takes them.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            path_style: false,
            concurrency: 16,
            max_key_bytes: 1_024,
        }
    }
}

/// Objects in a bucket.
///
/// Needs `s3:PutObject` and `s3:GetObject` on the keys below the prefix, and `s3:ListBucket` on the
/// bucket: without the last, S3 says of what is missing that it may not be read.
#[derive(Clone, Debug)]
pub struct S3Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    config: S3Config,
    places: Arc<Semaphore>,
    /// Where connections live. The spool's deliverer has a runtime of its own, which ends first.
    runtime: Handle,
}

impl S3Store {
    /// A store in `config`'s bucket, as the caller that `sdk` names; its retries and time limits
    /// are replaced.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(config: S3Config, sdk: Builder) -> Self {
        let sdk = sdk
            .force_path_style(config.path_style)
            .retry_config(RetryConfig::standard())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
        let places = config.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            inner: Arc::new(Inner {
                client: Client::from_conf(sdk.build()),
                config,
                places: Arc::new(Semaphore::new(places)),
                runtime: Handle::current(),
            }),
        }
    }
}

impl ObjectStore for S3Store {
    fn put_all(&self, objects: Vec<Object>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // Dropped, at an error or with this future, it ends what is under way.
            let mut puts = JoinSet::new();
            for object in objects {
                let inner = Arc::clone(&self.inner);
                puts.spawn_on(async move { inner.put(object).await }, &self.inner.runtime);
            }
            while let Some(put) = puts.join_next().await {
                put.unwrap_or_else(|stopped| Err(failed("write", "", stopped)))?;
            }
            Ok(())
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(self.inner.get(key))
    }

    fn uri(&self, key: &str) -> String {
        let key = self.inner.key(key);
        format!(
            "s3://{}/{}",
            self.inner.config.bucket,
            utf8_percent_encode(&key, URI_PATH)
        )
    }

    fn presigned_get<'a>(
        &'a self,
        key: &'a str,
        download: &'a Download,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let inner = &self.inner;
            let sign = || failed_to("sign a URL of", key);
            let presigning =
                PresigningConfig::expires_in(download.validity).map_err(|e| sign()(e.into()))?;
            let request = inner
                .client
                .get_object()
                .bucket(&inner.config.bucket)
                .key(inner.key(key))
                .response_content_type(&download.content_type)
                .response_content_disposition(&download.content_disposition)
                .presigned(presigning)
                .await
                .map_err(|error| sign()(inner.problem(error).into()))?;
            Ok(Some(request.uri().to_owned()))
        })
    }
}

impl Inner {
    /// The key in the bucket: with the prefix, and no longer than the store takes.
    fn key(&self, key: &str) -> String {
        let mut whole = format!("{}{key}", self.config.prefix);
        if whole.len() > self.config.max_key_bytes {
            let hash = blake3::hash(whole.as_bytes()).to_hex();
            let room = self.config.max_key_bytes.saturating_sub(HASH_CHARS + 1);
            whole.truncate(whole.floor_char_boundary(room));
            // No part of a key is ever empty, nor the folder of another's.
            whole.push('~');
            whole.push_str(&hash[..HASH_CHARS]);
        }
        whole
    }

    async fn put(&self, object: Object) -> Result<(), StoreError> {
        let Object {
            key,
            content,
            media_type,
        } = object;
        let write = failed_to("write", &key);
        // Nobody closes the semaphore.
        let _place = self.places.acquire().await;
        let patience = patience(content.len() as u64);
        let request = self
            .client
            .put_object()
            .bucket(&self.config.bucket)
            .key(self.key(&key))
            .content_type(media_type)
            .body(ByteStream::from(content));
        match tokio::time::timeout(patience, request.send()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(write(self.problem(error).into())),
            Err(_) => Err(write(self.too_slow(patience).into())),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let read = failed_to("read", key);
        let request = self
            .client
            .get_object()
            .bucket(&self.config.bucket)
            .key(self.key(key));
        let object = match tokio::time::timeout(PATIENCE, request.send()).await {
            Ok(Ok(object)) => object,
            Ok(Err(error)) if is_missing(&error) => return Ok(None),
            Ok(Err(error)) => return Err(read(self.problem(error).into())),
            Err(_) => return Err(read(self.too_slow(PATIENCE).into())),
        };
        let length = object.content_length().unwrap_or_default();
        let patience = patience(u64::try_from(length).unwrap_or_default());
        match tokio::time::timeout(patience, object.body.collect()).await {
            Ok(Ok(body)) => Ok(Some(body.into_bytes())),
            Ok(Err(error)) => Err(read(error.into())),
            Err(_) => Err(read(self.too_slow(patience).into())),
        }
    }

    fn too_slow(&self, patience: Duration) -> S3Error {
        S3Error {
            bucket: self.config.bucket.clone(),
            what: format!("S3 did not finish within {} s", patience.as_secs()),
            check: "the network, and the service's health",
        }
    }

    /// What an error of the SDK means, and what to check.
    fn problem<E>(&self, error: SdkError<E, HttpResponse>) -> S3Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().unwrap_or_default();
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let check = match (code, status) {
            ("NoSuchBucket", _) => "the bucket's name and AWS_REGION: it has to exist",
            (
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
                _,
            )
            | (_, Some(301 | 307)) => "AWS_REGION: the bucket is in another region",
            (
                "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken",
                _,
            ) => "the credentials: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ("RequestTimeTooSkewed", _) => "this machine's clock",
            (_, Some(401 | 403)) => {
                "the rights of these credentials: s3:PutObject, s3:GetObject and s3:ListBucket"
            }
            ("SlowDown" | "ServiceUnavailable" | "RequestTimeout", _) | (_, Some(429 | 500..)) => {
                "nothing yet: S3 is busy or failing"
            }
            (_, None) => {
                "the network, AWS_REGION, the credentials and AWS_ENDPOINT_URL_S3 if it is set"
            }
            (_, Some(_)) => "what S3 says about the request",
        };
        let said = match (error.message(), code) {
            (Some(message), code) if !code.is_empty() => format!("{code}: {message}"),
            // Without an answer the chain of causes says the most.
            _ => DisplayErrorContext(&error).to_string(),
        };
        S3Error {
            bucket: self.config.bucket.clone(),
            what: said,
            check,
        }
    }
}

fn is_missing(error: &SdkError<GetObjectError, HttpResponse>) -> bool {
    error
        .as_service_error()
        .is_some_and(GetObjectError::is_no_such_key)
}

/// How long `bytes` may take.
fn patience(bytes: u64) -> Duration {
    PATIENCE + Duration::from_secs(bytes / SLOWEST)
}

/// What S3 said, and what to check.
#[derive(Debug)]
struct S3Error {
    bucket: String,
    what: String,
    check: &'static str,
}

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bucket,
            what,
            check,
        } = self;
        write!(f, "bucket `{bucket}`: {what} (check {check})")
    }
}

impl std::error::Error for S3Error {}

fn failed(
    action: &'static str,
    key: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    failed_to(action, key)(source.into())
}

fn failed_to(
    action: &'static str,
    key: &str,
) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> StoreError + use<> {
    let key = key.to_owned();
    move |source| StoreError {
        action,
        key,
        source,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::config::BehaviorVersion;

    use super::*;

    fn store(max_key_bytes: usize) -> Inner {
        let mut config = S3Config::new("bucket");
        config.prefix = "p/".to_owned();
        config.max_key_bytes = max_key_bytes;
        let sdk = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest());
        Inner {
            client: Client::from_conf(sdk.build()),
            config,
            places: Arc::new(Semaphore::new(1)),
            runtime: Handle::current(),
        }
    }

    #[tokio::test]
    async fn long_keys_are_cut_and_stay_apart() {
        let store = store(50);
        assert_eq!(store.key("short"), "p/short");
        let long = format!("{}ü", "x/".repeat(40));
        let (one, other) = (
            store.key(&format!("{long}1")),
            store.key(&format!("{long}2")),
        );
        assert_eq!(one, store.key(&format!("{long}1")));
        assert_ne!(one, other);
        for key in [&one, &other, &store.key(&"ü".repeat(60))] {
            assert!(key.len() <= 50 && key.starts_with("p/"), "{key}");
            assert!(key.split('/').all(|part| !part.is_empty()), "{key}");
        }
    }
}
