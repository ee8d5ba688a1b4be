//! The port between the spool and where outputs end up.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::BoxFuture;

/// One object on its way to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name: components joined by `/`, none of them empty, `.` or `..`.
    pub key: String,
    /// Its bytes.
    pub content: Bytes,
    /// Its media type, for stores that keep one.
    pub media_type: String,
}

/// A failure of the store. All are taken as passing: the spool tries until the store takes it.
#[derive(Debug, thiserror::Error)]
#[error("the output store failed to {action} `{key}`")]
pub struct StoreError {
    /// What was tried: `write`, `read`.
    pub action: &'static str,
    /// With which object.
    pub key: String,
    /// What the store said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Named, immutable blobs: a directory, or a bucket.
///
/// Putting the same object again is harmless; the spool does so after a failure or a restart.
pub trait ObjectStore: Send + Sync + fmt::Debug {
    /// Puts `objects`, in any order. When it returns they are as durable as the store makes
    /// things.
    ///
    /// # Errors
    /// When any of them was not put; others may have been.
    fn put_all(&self, objects: Vec<Object>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The bytes of `key`, if it is there.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;

    /// A URI of the folder or object `key`.
    fn uri(&self, key: &str) -> String;

    /// A URL under which anybody can fetch the object `key` for a while, from a store that has
    /// such. Whether the object is there is not looked at.
    fn presigned_get<'a>(
        &'a self,
        _key: &'a str,
        _download: &'a Download,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
}

/// How an object is to be served under a presigned URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// How long the URL is good for.
    pub validity: Duration,
    /// The `Content-Type` to answer with.
    pub content_type: String,
    /// The `Content-Disposition` to answer with.
    pub content_disposition: String,
}
