//! Between the router and its stores: how long outputs take to be kept, which nobody else sees, and
//! an end of deliveries where they would only disturb.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate::{
    BoxFuture, Download, Durability, Execution, Object, ObjectStore, Outcome, OutputError,
    OutputStore, OutputsState, StoreError, StoredFile, Uuid,
};

use crate::startup::Between;

/// A store that remembers how long each execution took it.
#[derive(Debug)]
struct TimedOutputs {
    inner: Arc<dyn OutputStore>,
    took: Arc<Mutex<HashMap<Uuid, Duration>>>,
}

/// What a [`TimedOutputs`] remembers, and whether anything is delivered.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreTimes {
    took: Arc<Mutex<HashMap<Uuid, Duration>>>,
    dropped: Arc<AtomicBool>,
}

impl StoreTimes {
    /// How long the execution `id` took to be kept; asked once.
    pub(crate) fn take(&self, id: Uuid) -> Option<Duration> {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.remove(&id)
    }

    /// From now on, what leaves the spool is thrown away. Tens of thousands of executions a second
    /// would fill the bucket for minutes, and an emulated one takes its time from the same
    /// processors.
    pub(crate) fn drop_deliveries(&self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}

impl Between for StoreTimes {
    fn objects(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(Deliveries {
            inner: store,
            dropped: Arc::clone(&self.dropped),
        })
    }

    fn outputs(&self, outputs: Arc<dyn OutputStore>) -> Arc<dyn OutputStore> {
        Arc::new(TimedOutputs {
            inner: outputs,
            took: Arc::clone(&self.took),
        })
    }
}

/// A store that can be told to throw everything away.
#[derive(Debug)]
struct Deliveries {
    inner: Arc<dyn ObjectStore>,
    dropped: Arc<AtomicBool>,
}

impl ObjectStore for Deliveries {
    fn put_all(&self, objects: Vec<Object>) -> BoxFuture<'_, Result<(), StoreError>> {
        if self.dropped.load(Ordering::Relaxed) {
            return Box::pin(async { Ok(()) });
        }
        self.inner.put_all(objects)
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        self.inner.get(key)
    }

    fn uri(&self, key: &str) -> String {
        self.inner.uri(key)
    }

    fn presigned_get<'a>(
        &'a self,
        key: &'a str,
        download: &'a Download,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.inner.presigned_get(key, download)
    }
}

impl OutputStore for TimedOutputs {
    fn accepts(&self) -> Result<(), OutputError> {
        self.inner.accepts()
    }

    fn uri(&self, id: Uuid) -> String {
        self.inner.uri(id)
    }

    fn put<'a>(
        &'a self,
        execution: &'a Execution,
        outcome: &'a Arc<Outcome>,
        durability: Durability,
    ) -> BoxFuture<'a, Result<OutputsState, OutputError>> {
        Box::pin(async move {
            let start = Instant::now();
            let state = self.inner.put(execution, outcome, durability).await?;
            let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
            took.insert(execution.id, start.elapsed());
            Ok(state)
        })
    }

    fn get(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Execution>, OutputError>> {
        self.inner.get(id)
    }

    fn file<'a>(
        &'a self,
        id: Uuid,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredFile>, OutputError>> {
        self.inner.file(id, path)
    }

    fn shutdown(&self, patience: Duration) -> BoxFuture<'_, ()> {
        self.inner.shutdown(patience)
    }
}
