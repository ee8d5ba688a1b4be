//! Pauses between attempts, and how many of them there may be.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::RetryConfig;

/// What a retry takes from the budget; a success gives back one.
const RETRY_COST: u32 = 10;

/// Decides whether something is tried again, and when. The budget keeps a function that is
/// overloaded from getting a multiple of the load.
#[derive(Debug)]
pub(crate) struct Retries {
    config: RetryConfig,
    tokens: AtomicU32,
}

impl Retries {
    pub(crate) fn new(config: RetryConfig) -> Self {
        Self {
            config,
            tokens: AtomicU32::new(config.budget.saturating_mul(RETRY_COST)),
        }
    }

    /// The pause before the attempt that follows attempt number `attempt` (from 1), if there is to
    /// be one. `at_least` is what the other side asked for.
    pub(crate) fn pause(&self, attempt: u32, at_least: Option<Duration>) -> Option<Duration> {
        let too_long = at_least.is_some_and(|asked| asked > self.config.longest_pause);
        if attempt >= self.config.attempts || too_long {
            return None;
        }
        let take = |tokens: u32| tokens.checked_sub(RETRY_COST);
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .ok()?;
        let doubled = 1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX);
        let most = self.config.first_pause.saturating_mul(doubled);
        // Full jitter: those who failed together come back apart.
        let pause = most.min(self.config.longest_pause).mul_f64(fastrand::f64());
        Some(pause + at_least.unwrap_or_default())
    }

    /// An invocation succeeded.
    pub(crate) fn refill(&self) {
        let most = self.config.budget.saturating_mul(RETRY_COST);
        let give = |tokens: u32| (tokens < most).then_some(tokens + 1);
        // An error means that it is full.
        let _ = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(budget: u32) -> Retries {
        Retries::new(RetryConfig {
            attempts: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_millis(300),
            budget,
        })
    }

    #[test]
    fn pauses_are_random_and_bounded() {
        let retries = retries(1_000);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            for (attempt, most) in [(1, 100), (2, 200), (3, 300)] {
                let pause = retries.pause(attempt, None).unwrap();
                assert!(pause <= Duration::from_millis(most), "{attempt}: {pause:?}");
                seen.insert(pause);
            }
            assert_eq!(retries.pause(4, None), None);
        }
        assert!(seen.len() > 100, "{}", seen.len());
    }

    #[test]
    fn what_was_asked_for_is_kept_or_not_waited_for() {
        let retries = retries(10);
        let asked = Duration::from_millis(200);
        assert!(retries.pause(1, Some(asked)).unwrap() >= asked);
        assert_eq!(retries.pause(1, Some(Duration::from_secs(60))), None);
    }

    #[test]
    fn the_budget_runs_out_and_successes_refill_it() {
        let retries = retries(2);
        assert!(retries.pause(1, None).is_some());
        assert!(retries.pause(1, None).is_some());
        assert!(retries.pause(1, None).is_none());
        (0..RETRY_COST).for_each(|_| retries.refill());
        assert!(retries.pause(1, None).is_some());
        assert!(retries.pause(1, None).is_none());
        (0..1_000).for_each(|_| retries.refill());
        assert!(retries.pause(1, None).is_some());
        assert!(retries.pause(1, None).is_some());
        assert!(retries.pause(1, None).is_none());
    }
}
