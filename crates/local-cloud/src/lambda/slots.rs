//! How many invocations run at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of places, and the reason that Lambda gives when all are taken.
#[derive(Debug)]
pub(crate) struct Slots {
    limit: usize,
    reason: &'static str,
    free: Arc<Semaphore>,
}

/// A place that is taken until this is dropped.
pub(crate) type Slot = OwnedSemaphorePermit;

/// All places are taken.
#[derive(Debug)]
pub(crate) struct Throttled {
    /// A `ThrottleReason` of the Invoke API.
    pub(crate) reason: &'static str,
}

impl Slots {
    pub(crate) fn reserved(limit: u32) -> Arc<Self> {
        Self::new(limit, "ReservedFunctionConcurrentInvocationLimitExceeded")
    }

    pub(crate) fn unreserved(limit: u32) -> Arc<Self> {
        Self::new(limit, "ConcurrentInvocationLimitExceeded")
    }

    fn new(limit: u32, reason: &'static str) -> Arc<Self> {
        let limit = usize::try_from(limit).map_or(Semaphore::MAX_PERMITS, |limit| {
            limit.min(Semaphore::MAX_PERMITS)
        });
        Arc::new(Self {
            limit,
            reason,
            free: Arc::new(Semaphore::new(limit)),
        })
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes a place.
    pub(crate) fn take(&self) -> Result<Slot, Throttled> {
        Arc::clone(&self.free)
            .try_acquire_owned()
            .map_err(|_| Throttled {
                reason: self.reason,
            })
    }
}
