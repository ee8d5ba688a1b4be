//! Outputs in this process's memory.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use sandgate_core::{BoxFuture, Durability, Execution, Outcome, OutputsState, Uuid};

use super::{OutputError, OutputStore, StoredFile};

/// Keeps the outputs of the last executions in memory, up to a number of bytes. For embedders and
/// tools that have no use for outputs once they have the answer.
#[derive(Debug)]
pub struct MemoryOutputs {
    kept: Cache<Uuid, Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    execution: Arc<Execution>,
    outcome: Arc<Outcome>,
}

impl MemoryOutputs {
    /// Keeps about `bytes` bytes.
    pub fn new(bytes: u64) -> Self {
        let weigh = |_: &Uuid, kept: &Kept| {
            let bytes = 1_024 + 2 * crate::cache::outcome_bytes(&kept.outcome);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            kept: Cache::builder()
                .max_capacity(bytes)
                .weigher(weigh)
                // What is new counts, not what is asked for often.
                .eviction_policy(moka::policy::EvictionPolicy::lru())
                .build(),
        }
    }
}

impl Default for MemoryOutputs {
    /// Keeps about 64 MiB.
    fn default() -> Self {
        Self::new(64 << 20)
    }
}

impl OutputStore for MemoryOutputs {
    fn accepts(&self) -> Result<(), OutputError> {
        Ok(())
    }

    fn uri(&self, id: Uuid) -> String {
        format!("memory:{}", super::folder(id))
    }

    fn put<'a>(
        &'a self,
        execution: &'a Execution,
        outcome: &'a Arc<Outcome>,
        _: Durability,
    ) -> BoxFuture<'a, Result<OutputsState, OutputError>> {
        Box::pin(async move {
            let kept = Kept {
                execution: Arc::new(execution.clone()),
                outcome: Arc::clone(outcome),
            };
            self.kept.insert(execution.id, kept).await;
            Ok(OutputsState::Stored)
        })
    }

    fn get(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Execution>, OutputError>> {
        Box::pin(async move {
            let kept = self.kept.get(&id).await;
            Ok(kept.map(|kept| (*kept.execution).clone()))
        })
    }

    fn file<'a>(
        &'a self,
        id: Uuid,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredFile>, OutputError>> {
        Box::pin(async move {
            let kept = self.kept.get(&id).await;
            Ok(kept.and_then(|kept| {
                let artifacts = &kept.outcome.artifacts;
                let artifact = artifacts.iter().find(|artifact| artifact.path == path)?;
                Some(StoredFile {
                    content: artifact.content.clone(),
                    sha256: artifact.sha256.clone(),
                    media_type: artifact.media_type.clone(),
                })
            }))
        })
    }

    fn shutdown(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
