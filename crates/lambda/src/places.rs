//! How many invocations there may be at once, and how many may wait for one to end.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bounded places, and a bounded queue in front of them.
#[derive(Debug)]
pub(crate) struct Places {
    places: Semaphore,
    queue: usize,
    waiting: AtomicUsize,
}

/// No place is free, and as many wait as may.
#[derive(Debug)]
pub(crate) struct Full;

/// Somebody who waits, also when the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    pub(crate) fn new(places: usize, queue: usize) -> Self {
        Self {
            places: Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)),
            queue,
            waiting: AtomicUsize::new(0),
        }
    }

    /// A place, at once or once it is this one's turn.
    pub(crate) async fn take(&self) -> Result<SemaphorePermit<'_>, Full> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.queue {
            return Err(Full);
        }
        // Nobody closes the semaphore.
        self.places.acquire().await.map_err(|_| Full)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_and_who_leaves_makes_room() {
        let places = Places::new(1, 1);
        let place = places.take().await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut second = pin!(places.take());
            assert!(second.as_mut().poll(&mut context).is_pending());
            assert!(places.take().await.is_err());
        }
        let mut third = pin!(places.take());
        assert!(third.as_mut().poll(&mut context).is_pending());
        drop(place);
        assert!(third.await.is_ok());
    }
}
