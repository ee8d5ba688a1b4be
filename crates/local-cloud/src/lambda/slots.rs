//! How many invocations run at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A number of places, and the reason that Lambda gives when all are taken.
#[derive(Debug)]
pub(crate) struct Slots {
    limit: u32,
    reason: &'static str,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    taken: u32,
    /// Of those taken, how many have answered and will be free in a moment.
    settling: u32,
}

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
        Arc::new(Self {
            limit,
            reason,
            state: Mutex::default(),
            freed: Notify::new(),
        })
    }

    pub(crate) fn limit(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place. Waits only for one that is about to be free: a caller that has its answer
    /// must not find its own invocation in the way of the next.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Slot, Throttled> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let mut state = self.state();
                if state.taken < self.limit {
                    state.taken += 1;
                    return Ok(Slot {
                        slots: Arc::clone(self),
                        settling: false,
                    });
                }
                if state.settling == 0 {
                    return Err(Throttled {
                        reason: self.reason,
                    });
                }
            }
            freed.await;
        }
    }
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    settling: bool,
}

impl Slot {
    /// Says that it will be free in a moment.
    pub(crate) fn settle(&mut self) {
        if !self.settling {
            self.settling = true;
            self.slots.state().settling += 1;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.taken -= 1;
        state.settling -= u32::from(self.settling);
        drop(state);
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_house_refuses_at_once() {
        let slots = Slots::reserved(1);
        let _taken = slots.take().await.unwrap();
        let refused = slots.take().await.unwrap_err();
        assert_eq!(
            refused.reason,
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
    }

    #[tokio::test]
    async fn a_place_that_settles_is_waited_for() {
        let slots = Slots::unreserved(1);
        let mut taken = slots.take().await.unwrap();
        taken.settle();
        let waiting = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take().await.is_ok() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(taken);
        assert!(waiting.await.unwrap());
    }
}
