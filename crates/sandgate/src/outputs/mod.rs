//! Where executions' outputs are kept.
//!
//! Every execution has a folder of objects, `executions/<yyyy>/<mm>/<dd>/<id>/`: `result.json`
//! (the answer itself), `stdout` and `stderr` where they are too large for it, and the files the
//! guest left below `files/`.

pub(crate) mod directory;
pub(crate) mod form;
mod memory;
mod object_store;
#[cfg(feature = "aws")]
mod s3;
mod spooled;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::{BoxFuture, Durability, ErrorKind, Execution, Outcome, OutputsState, Uuid};

pub use directory::DirectoryStore;
pub(crate) use form::{files_url, folder};
pub use memory::MemoryOutputs;
pub use object_store::{Download, Object, ObjectStore, StoreError};
#[cfg(feature = "aws")]
pub use s3::{S3Config, S3Store};
pub use spooled::{SpoolConfig, SpooledOutputs};

/// Keeps executions' outputs, and gives them back.
pub trait OutputStore: Send + Sync + fmt::Debug {
    /// Whether more outputs can be taken now. Cheap: asked before every execution.
    ///
    /// # Errors
    /// [`OutputError::Full`] or [`OutputError::Closed`].
    fn accepts(&self) -> Result<(), OutputError>;

    /// Where the outputs of `id` are, or will be.
    fn uri(&self, id: Uuid) -> String;

    /// Keeps an execution's outputs. Once this returns they are as safe as the answer says, and
    /// can be read with [`get`](Self::get). `execution` says that they are stored.
    fn put<'a>(
        &'a self,
        execution: &'a Execution,
        outcome: &'a Arc<Outcome>,
        durability: Durability,
    ) -> BoxFuture<'a, Result<OutputsState, OutputError>>;

    /// The execution `id`, if it is known.
    fn get(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Execution>, OutputError>>;

    /// A file that the execution `id` left, if both are known.
    fn file<'a>(
        &'a self,
        id: Uuid,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredFile>, OutputError>>;

    /// A URL under which the store itself serves that file, if it can, both are known, and the file
    /// is there already. The file's media type decides, by `download`, how.
    fn file_url<'a>(
        &'a self,
        _id: Uuid,
        _path: &'a str,
        _download: &'a (dyn Fn(&str) -> Download + Send + Sync),
    ) -> BoxFuture<'a, Result<Option<String>, OutputError>> {
        Box::pin(async { Ok(None) })
    }

    /// Takes nothing more, and delivers what is under way for at most `patience`.
    fn shutdown(&self, patience: Duration) -> BoxFuture<'_, ()>;
}

/// A file that an execution left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// The bytes.
    pub content: Bytes,
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
    /// Media type by the file's name and content. The guest chose both: serve it with care.
    pub media_type: String,
}

/// A failure to keep or read outputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// There is no room until some outputs are delivered.
    #[error("the output spool is full, the store takes outputs more slowly than they come")]
    Full,
    /// Shutting down.
    #[error("the output store is shutting down")]
    Closed,
    /// One execution's outputs are larger than the spool can ever hold.
    #[error("the outputs have {bytes} bytes, the spool holds at most {maximum}")]
    TooLarge {
        /// Their size.
        bytes: u64,
        /// The most that is possible.
        maximum: u64,
    },
    /// The local disk failed.
    #[error("cannot {action}")]
    Disk {
        /// What was tried.
        action: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process has the spool open.
    #[error("the spool {0} is in use by another process, give each its own data directory")]
    InUse(String),
    /// What is stored cannot be read back.
    #[error("the stored outputs of {id} are damaged: {problem}")]
    Damaged {
        /// The execution.
        id: Uuid,
        /// What is wrong.
        problem: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OutputError {
    /// What kind of failure it is, and so whether a retry can help.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Full => ErrorKind::Overloaded,
            Self::Closed | Self::Disk { .. } | Self::Store(_) => ErrorKind::Unavailable,
            Self::TooLarge { .. } => ErrorKind::Rejected,
            Self::InUse(_) | Self::Damaged { .. } => ErrorKind::Internal,
        }
    }

    pub(crate) fn disk(action: impl Into<String>, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull {
            return Self::Full;
        }
        Self::Disk {
            action: action.into(),
            source,
        }
    }
}
