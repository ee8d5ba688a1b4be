//! The circuit breaker: after some failures in a row nothing is sent for a while, and callers are
//! told at once instead of waiting for another failure.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::BreakerConfig;

#[derive(Debug)]
pub(crate) struct Breaker {
    config: BreakerConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Changes with the phase: what began in an earlier one says nothing about this one.
    generation: u64,
}

#[derive(Debug)]
enum Phase {
    Closed {
        failures: u32,
    },
    /// Nothing is sent until then.
    Open {
        until: Instant,
        pause: Duration,
    },
    /// One invocation is on its way to find out.
    HalfOpen {
        pause: Duration,
    },
}

/// What an invocation says about the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answers.
    Up,
    /// It does not.
    Down,
    /// Neither.
    Unknown,
}

/// Leave for one invocation. Dropped without a verdict it counts as [`Verdict::Unknown`].
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    generation: u64,
}

impl Breaker {
    pub(crate) fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            state: Mutex::new(State {
                phase: Phase::Closed { failures: 0 },
                generation: 0,
            }),
        }
    }

    /// Leave to invoke now, or how long to wait before the next try.
    pub(crate) fn enter(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.state();
        match state.phase {
            Phase::Closed { .. } => {}
            Phase::Open { until, .. } if now < until => return Err(until - now),
            Phase::Open { pause, .. } => state.turn(Phase::HalfOpen { pause }),
            Phase::HalfOpen { .. } => return Err(self.config.first_pause),
        }
        Ok(Pass {
            breaker: self,
            generation: state.generation,
        })
    }

    /// How long nothing will be sent; none when something would.
    pub(crate) fn closed_for(&self, now: Instant) -> Option<Duration> {
        match self.state().phase {
            Phase::Open { until, .. } if now < until => Some(until - now),
            // Whoever comes next finds out.
            Phase::Closed { .. } | Phase::Open { .. } => None,
            Phase::HalfOpen { .. } => Some(self.config.first_pause),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can fail half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, generation: u64, verdict: Verdict, now: Instant) -> bool {
        let mut state = self.state();
        if state.generation != generation {
            return false;
        }
        match (&mut state.phase, verdict) {
            (Phase::Closed { failures }, Verdict::Up) => *failures = 0,
            (Phase::Closed { failures }, Verdict::Down) => {
                *failures += 1;
                if *failures >= self.config.failures.max(1) {
                    let pause = self.config.first_pause;
                    let until = now + pause;
                    state.turn(Phase::Open { until, pause });
                    tracing::warn!(?pause, "the function counts as down");
                }
            }
            (Phase::HalfOpen { .. }, Verdict::Up) => {
                state.turn(Phase::Closed { failures: 0 });
                tracing::info!("the function answers again");
                return true;
            }
            (Phase::HalfOpen { pause }, Verdict::Down) => {
                let pause = (*pause * 2).min(self.config.longest_pause);
                let until = now + pause;
                state.turn(Phase::Open { until, pause });
            }
            // Whoever comes next finds out.
            (Phase::HalfOpen { pause }, Verdict::Unknown) => {
                let pause = *pause;
                state.turn(Phase::Open { until: now, pause });
            }
            (Phase::Closed { .. }, Verdict::Unknown) | (Phase::Open { .. }, _) => {}
        }
        false
    }
}

impl State {
    fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}

impl Pass<'_> {
    /// Says what came of the invocation. True when the function turned out to be up again.
    pub(crate) fn settle(self, verdict: Verdict, now: Instant) -> bool {
        self.breaker.settle(self.generation, verdict, now)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // Without effect where a verdict was given: that has changed the phase, or means as much.
        self.breaker
            .settle(self.generation, Verdict::Unknown, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig {
        failures: 3,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(3),
    };

    fn fail(breaker: &Breaker, now: Instant) {
        breaker.enter(now).unwrap().settle(Verdict::Down, now);
    }

    #[test]
    fn failures_in_a_row_open_it_and_others_do_not() {
        let (breaker, now) = (Breaker::new(CONFIG), Instant::now());
        fail(&breaker, now);
        fail(&breaker, now);
        breaker.enter(now).unwrap().settle(Verdict::Up, now);
        fail(&breaker, now);
        drop(breaker.enter(now).unwrap());
        fail(&breaker, now);
        assert_eq!(breaker.closed_for(now), None);
        fail(&breaker, now);
        let half = Duration::from_millis(500);
        assert_eq!(breaker.closed_for(now + half), Some(half));
        assert_eq!(breaker.enter(now + half).unwrap_err(), half);
    }

    #[test]
    fn one_invocation_finds_out_and_pauses_grow() {
        let (breaker, mut now) = (Breaker::new(CONFIG), Instant::now());
        (0..3).for_each(|_| fail(&breaker, now));
        for pause in [1, 2, 3, 3] {
            now += Duration::from_secs(pause);
            assert_eq!(breaker.closed_for(now), None);
            let probe = breaker.enter(now).unwrap();
            assert!(breaker.enter(now).is_err(), "a second one");
            assert!(breaker.closed_for(now).is_some());
            assert!(!probe.settle(Verdict::Down, now));
            let almost = now + Duration::from_secs(pause) - Duration::from_millis(1);
            assert!(breaker.enter(almost).is_err());
        }
        now += Duration::from_secs(3);
        assert!(breaker.enter(now).unwrap().settle(Verdict::Up, now));
        assert_eq!(breaker.closed_for(now), None);
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let breaker = Breaker::new(CONFIG);
        let earlier = Instant::now() - Duration::from_secs(2);
        (0..3).for_each(|_| fail(&breaker, earlier));
        drop(breaker.enter(Instant::now()).unwrap());
        assert!(breaker.enter(Instant::now()).is_ok());
    }

    #[test]
    fn what_began_before_it_opened_has_no_say() {
        let (breaker, now) = (Breaker::new(CONFIG), Instant::now());
        let early = breaker.enter(now).unwrap();
        (0..3).for_each(|_| fail(&breaker, now));
        assert!(!early.settle(Verdict::Up, now));
        assert!(breaker.closed_for(now).is_some());
    }
}
