//! Times how long outputs take to be kept: nobody else sees that part of an execution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sandgate::{
    BoxFuture, Durability, Execution, Outcome, OutputError, OutputStore, OutputsState, StoredFile,
    Uuid,
};

/// A store that remembers how long each execution took it.
#[derive(Clone, Debug)]
pub(crate) struct TimedOutputs {
    inner: Arc<dyn OutputStore>,
    took: Arc<Mutex<HashMap<Uuid, Duration>>>,
}

/// What a [`TimedOutputs`] remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreTimes(Arc<Mutex<HashMap<Uuid, Duration>>>);

impl StoreTimes {
    /// `store`, timed.
    pub(crate) fn of(&self, store: Arc<dyn OutputStore>) -> Arc<dyn OutputStore> {
        Arc::new(TimedOutputs {
            inner: store,
            took: Arc::clone(&self.0),
        })
    }

    /// How long the execution `id` took to be kept; asked once.
    pub(crate) fn take(&self, id: Uuid) -> Option<Duration> {
        let mut took = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        took.remove(&id)
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
