//! Tasks and outcomes that are too large for a message go through the bucket.
//!
//! The function has no right to the bucket. For each execution it is handed at most two URLs: one
//! to read the task, and one to write the outcome.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use sandgate_core::{Slot, Stored, Uuid};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::{Failure, FailureKind};

const JSON: &str = "application/json";
/// S3 answers in milliseconds; what takes so long is lost.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// What is slower than this, in bytes a second, is given up.
const SLOWEST: u64 = 256 << 10;
/// The unit in which memory is reserved.
const UNIT: u64 = 1 << 10;

/// The part of a bucket that large tasks and outcomes pass through.
///
/// Objects are deleted once they were used. What is left when a process dies, or when an outcome
/// arrives after its caller has gone, is for a lifecycle rule of the bucket: a day is plenty.
#[derive(Clone, Debug)]
pub struct Transfer {
    client: Client,
    bucket: String,
    prefix: String,
    max_bytes: u64,
    patience: Duration,
    memory: Arc<Semaphore>,
}

/// Which part of which bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferConfig {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with: empty, or a path that ends with `/`.
    pub prefix: String,
    /// Whether the bucket is named in the path of URLs instead of in their host, as most servers
    /// other than S3 want it.
    pub path_style: bool,
    /// Most bytes that a task or an outcome may have as JSON, and that all outcomes being read may
    /// have together.
    pub max_bytes: u64,
    /// How long reading or writing one may take, further attempts included, beyond a second for
    /// every 256 KiB.
    pub patience: Duration,
}

impl Transfer {
    /// Of [`max_bytes`](TransferConfig::max_bytes).
    pub const DEFAULT_MAX_BYTES: u64 = 512 << 20;

    /// Of [`patience`](TransferConfig::patience): for what is small, no longer than a caller would
    /// wait.
    pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

    /// Uses what `config` says, as the caller that `sdk` names.
    pub fn new(config: TransferConfig, sdk: Builder) -> Self {
        let TransferConfig {
            bucket,
            prefix,
            path_style,
            max_bytes,
            patience,
        } = config;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .read_timeout(READ_TIMEOUT);
        let sdk = sdk
            .timeout_config(timeouts.build())
            .force_path_style(path_style)
            // A presigned PUT must not promise the checksum of a body that is not known yet.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let units = usize::try_from(max_bytes.div_ceil(UNIT)).unwrap_or(usize::MAX);
        Self {
            client: Client::from_conf(sdk.build()),
            bucket,
            prefix,
            max_bytes,
            patience,
            memory: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Room for one execution whose URLs are good for `validity`.
    pub(crate) fn room(&self, validity: Duration) -> Room {
        Room {
            transfer: self.clone(),
            folder: format!("{}{}/", self.prefix, Uuid::now_v7()),
            validity,
            written: Vec::new(),
        }
    }

    fn failed(&self, action: &str, key: &str, error: impl std::error::Error) -> Failure {
        self.lost(action, key, &DisplayErrorContext(error))
    }

    fn lost(&self, action: &str, key: &str, why: &dyn std::fmt::Display) -> Failure {
        let bucket = &self.bucket;
        Failure::new(
            FailureKind::Lost,
            format!("cannot {action} s3://{bucket}/{key}: {why}"),
        )
    }

    /// What comes of `transfer`, which is about an object of `bytes`, unless it takes too long.
    async fn in_time<T>(
        &self,
        action: &str,
        key: &str,
        bytes: u64,
        transfer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let patience = self.patience + Duration::from_secs(bytes / SLOWEST);
        let done = tokio::time::timeout(patience, transfer).await;
        done.unwrap_or_else(|_| {
            let why = format!("S3 did not finish within {} s", patience.as_secs_f32());
            Err(self.lost(action, key, &why))
        })
    }
}

/// One execution's objects. Dropping it deletes them.
#[derive(Debug)]
pub(crate) struct Room {
    transfer: Transfer,
    folder: String,
    validity: Duration,
    /// Keys that have, or may have, an object.
    written: Vec<String>,
}

/// An outcome's JSON, and its share of the memory there is for such.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) json: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

impl Room {
    /// Stores a task's JSON, for the function to read.
    pub(crate) async fn put_task(&mut self, json: Vec<u8>) -> Result<Stored, Failure> {
        let transfer = self.transfer.clone();
        let bytes = json.len() as u64;
        if bytes > transfer.max_bytes {
            return Err(Failure::new(
                FailureKind::TooLarge,
                format!(
                    "the task has {bytes} bytes as JSON, at most {} can be passed on",
                    transfer.max_bytes
                ),
            ));
        }
        let key = format!("{}task.json", self.folder);
        self.written.push(key.clone());
        let sha256 = hex(&Sha256::digest(&json));
        let put = transfer
            .client
            .put_object()
            .bucket(&transfer.bucket)
            .key(&key);
        let put = put.content_type(JSON).body(ByteStream::from(json)).send();
        let put = async {
            let put = put.await;
            put.map_err(|error| transfer.failed("write", &key, error))
        };
        transfer.in_time("write", &key, bytes, put).await?;
        let get = transfer
            .client
            .get_object()
            .bucket(&transfer.bucket)
            .key(&key);
        let presigned = get
            .presigned(self.presigning()?)
            .await
            .map_err(|error| transfer.failed("sign a URL of", &key, error))?;
        Ok(Stored {
            url: Some(presigned.uri().to_owned()),
            bytes,
            sha256,
        })
    }

    /// A place for an outcome of more than `inline_bytes`.
    pub(crate) async fn slot(&mut self, inline_bytes: usize) -> Result<Slot, Failure> {
        let transfer = &self.transfer;
        let key = self.outcome_key();
        let put = transfer
            .client
            .put_object()
            .bucket(&transfer.bucket)
            .key(&key);
        let presigned = put
            .content_type(JSON)
            .presigned(self.presigning()?)
            .await
            .map_err(|error| transfer.failed("sign a URL of", &key, error))?;
        let headers = presigned.headers();
        Ok(Slot {
            url: presigned.uri().to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            inline_bytes: inline_bytes as u64,
        })
    }

    /// Fetches the outcome that the function says it has stored. It may say anything, and may have
    /// stored anything: nothing is read of what is not as long as it says, or longer than `limit`.
    pub(crate) async fn fetch(&mut self, stored: &Stored, limit: u64) -> Result<Fetched, Failure> {
        let key = self.outcome_key();
        self.written.push(key.clone());
        let transfer = &self.transfer;
        let limit = limit.min(transfer.max_bytes);
        if stored.bytes > limit {
            return implausible(format!(
                "the runner stored an outcome of {} bytes, the task's limits allow for {limit}",
                stored.bytes
            ));
        }
        let units = u32::try_from(stored.bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let memory = Arc::clone(&transfer.memory).acquire_many_owned(units).await;
        let Ok(memory) = memory else {
            return implausible("no memory is set aside for outcomes".to_owned());
        };
        let get = transfer
            .client
            .get_object()
            .bucket(&transfer.bucket)
            .key(&key);
        let read = async {
            let object = get.send().await;
            let object = object.map_err(|error| transfer.failed("read", &key, error))?;
            let length = object.content_length().and_then(|n| u64::try_from(n).ok());
            if length != Some(stored.bytes) {
                return implausible(format!(
                    "the runner stored an outcome of {length:?} bytes and says {}",
                    stored.bytes
                ));
            }
            let body = object.body.collect().await;
            let body = body.map_err(|error| transfer.failed("read", &key, error))?;
            Ok(body.to_vec())
        };
        let json = transfer.in_time("read", &key, stored.bytes, read).await?;
        if hex(&Sha256::digest(&json)) != stored.sha256 {
            return implausible(
                "the outcome in the bucket is not the one that was stored".to_owned(),
            );
        }
        Ok(Fetched {
            json,
            _memory: memory,
        })
    }

    fn outcome_key(&self) -> String {
        format!("{}outcome.json", self.folder)
    }

    fn presigning(&self) -> Result<PresigningConfig, Failure> {
        PresigningConfig::expires_in(self.validity).map_err(|error| {
            Failure::new(FailureKind::Defect, "cannot sign URLs for so long").caused_by(error)
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let (transfer, keys) = (self.transfer.clone(), std::mem::take(&mut self.written));
        // Outside of a runtime there is no way to delete, and the lifecycle rule does it.
        let (false, Ok(runtime)) = (keys.is_empty(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            for key in keys {
                let delete = transfer.client.delete_object().bucket(&transfer.bucket);
                if let Err(error) = delete.key(&key).send().await {
                    let error = transfer.failed("delete", &key, error);
                    tracing::debug!(error = %error.message, "left to the bucket's lifecycle rule");
                }
            }
        });
    }
}

fn implausible<T>(what: String) -> Result<T, Failure> {
    Err(Failure::new(FailureKind::Defect, what))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
