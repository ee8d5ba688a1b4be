//! Outputs by way of the local spool.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::{ArtifactLink, BoxFuture, Durability, Execution, Outcome, OutputsState, Uuid};

use super::form::{self, RESULT};
use super::object_store::{Download, ObjectStore};
use super::{OutputError, OutputStore, StoredFile};
use crate::spool::Spool;
use crate::spool::frame::Record;

/// How the spool behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolConfig {
    /// Most bytes on disk. When they are in use, executions are refused until the store has
    /// taken some.
    pub max_bytes: u64,
    /// Whether outputs are forced to the disk before they count as spooled, so that they survive
    /// a power failure and not only a killed process. Costs milliseconds for each answer.
    pub sync: bool,
}

impl SpoolConfig {
    /// The smallest spool that makes sense.
    pub const MIN_BYTES: u64 = 1 << 20;

    /// How large a segment grows before the next one is begun.
    pub(crate) fn segment_bytes(&self) -> u64 {
        (self.max_bytes / 4).min(8 << 20)
    }
}

impl Default for SpoolConfig {
    /// 512 MiB, not forced to the disk.
    fn default() -> Self {
        Self {
            max_bytes: 512 << 20,
            sync: false,
        }
    }
}

/// An output store that appends to a local spool and delivers to an [`ObjectStore`] in the
/// background, until that has everything. What is not delivered is found again at the next start.
#[derive(Debug)]
pub struct SpooledOutputs {
    spool: Arc<Spool>,
    store: Arc<dyn ObjectStore>,
}

/// One execution's folder, wherever it is.
enum Folder {
    Spooled(Record),
    Stored(Uuid),
}

impl SpooledOutputs {
    /// Opens the spool in the directory `spool`, which no other process may use.
    ///
    /// # Errors
    /// When the directory cannot be used. What is damaged in it is skipped, with an error logged.
    pub fn open(
        spool: impl AsRef<Path>,
        config: SpoolConfig,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Self, OutputError> {
        let spool = Spool::open(spool.as_ref(), &config, Arc::clone(&store))?;
        Ok(Self {
            spool: Arc::new(spool),
            store,
        })
    }

    /// How many bytes wait in the spool.
    #[cfg(test)]
    pub(crate) fn spooled_bytes(&self) -> u64 {
        self.spool.used()
    }

    /// Whether `id` waits in the spool.
    #[cfg(test)]
    pub(crate) fn holds(&self, id: Uuid) -> bool {
        self.spool.holds(id)
    }

    /// Looks for `id`: in the spool first, since the store has nothing, or half of it, as long as
    /// the spool holds it.
    async fn folder(&self, id: Uuid) -> Result<Folder, OutputError> {
        if !self.spool.holds(id) {
            return Ok(Folder::Stored(id));
        }
        let spool = Arc::clone(&self.spool);
        let read = tokio::task::spawn_blocking(move || spool.read(id))
            .await
            .unwrap_or(Err(OutputError::Closed))?;
        Ok(read.map_or(Folder::Stored(id), Folder::Spooled))
    }

    async fn object(&self, folder: &Folder, name: &str) -> Result<Option<Bytes>, OutputError> {
        match folder {
            Folder::Spooled(record) => Ok(record
                .objects
                .iter()
                .find(|object| object.name == name)
                .map(|object| object.content.clone())),
            Folder::Stored(id) => {
                let key = format!("{}{name}", form::folder(*id));
                Ok(self.store.get(&key).await?)
            }
        }
    }

    /// The file `path` by the list of what `folder` was left with, whatever `path` is.
    async fn link(
        &self,
        id: Uuid,
        folder: &Folder,
        path: &str,
    ) -> Result<Option<ArtifactLink>, OutputError> {
        let Some(json) = self.object(folder, RESULT).await? else {
            return Ok(None);
        };
        let (execution, _) = form::read_document(id, &json)?;
        Ok(execution.artifacts.into_iter().find(|a| a.path == path))
    }

    async fn execution(&self, id: Uuid) -> Result<Option<Execution>, OutputError> {
        let folder = self.folder(id).await?;
        let Some(json) = self.object(&folder, RESULT).await? else {
            return Ok(None);
        };
        let (mut execution, detached) = form::read_document(id, &json)?;
        for stream in detached {
            let name = form::detached_name(stream);
            let bytes = self.object(&folder, name).await?;
            let bytes = bytes.ok_or_else(|| form::damaged(id, format!("`{name}` is missing")))?;
            form::attach(&mut execution, stream, &bytes);
        }
        execution.outputs.state = match folder {
            Folder::Spooled(_) => OutputsState::Spooled,
            Folder::Stored(_) => OutputsState::Stored,
        };
        Ok(Some(execution))
    }
}

impl OutputStore for SpooledOutputs {
    fn accepts(&self) -> Result<(), OutputError> {
        self.spool.accepts()
    }

    fn uri(&self, id: Uuid) -> String {
        self.store.uri(&form::folder(id))
    }

    fn put<'a>(
        &'a self,
        execution: &'a Execution,
        outcome: &'a Arc<Outcome>,
        durability: Durability,
    ) -> BoxFuture<'a, Result<OutputsState, OutputError>> {
        Box::pin(async move {
            let parts = form::parts(execution, outcome)?;
            let wait = durability == Durability::Stored;
            let appended = self.spool.append(execution.id, &parts, wait).await?;
            if wait {
                appended.delivered().await?;
                Ok(OutputsState::Stored)
            } else {
                Ok(OutputsState::Spooled)
            }
        })
    }

    fn get(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Execution>, OutputError>> {
        Box::pin(self.execution(id))
    }

    fn file<'a>(
        &'a self,
        id: Uuid,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredFile>, OutputError>> {
        Box::pin(async move {
            let folder = self.folder(id).await?;
            let Some(link) = self.link(id, &folder, path).await? else {
                return Ok(None);
            };
            let content = self.object(&folder, &form::file_name(path)).await?;
            let content =
                content.ok_or_else(|| form::damaged(id, format!("file `{path}` is missing")))?;
            Ok(Some(StoredFile {
                content,
                sha256: link.sha256,
                media_type: link.media_type,
            }))
        })
    }

    fn file_url<'a>(
        &'a self,
        id: Uuid,
        path: &'a str,
        download: &'a (dyn Fn(&str) -> Download + Send + Sync),
    ) -> BoxFuture<'a, Result<Option<String>, OutputError>> {
        Box::pin(async move {
            let folder @ Folder::Stored(_) = self.folder(id).await? else {
                return Ok(None);
            };
            let Some(link) = self.link(id, &folder, path).await? else {
                return Ok(None);
            };
            let key = format!("{}{}", form::folder(id), form::file_name(path));
            let download = download(&link.media_type);
            Ok(self.store.presigned_get(&key, &download).await?)
        })
    }

    fn shutdown(&self, patience: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.spool.shutdown(patience))
    }
}
