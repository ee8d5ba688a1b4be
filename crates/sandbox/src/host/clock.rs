//! What a guest sees of time.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::errno::Errno;

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const PROCESS_CPU: u32 = 2;
const THREAD_CPU: u32 = 3;

/// How far a read moves a virtual clock, in nanoseconds.
const TICK: u64 = 1_000;

/// When files were last changed, before anybody looked at the real clock: 2026-01-01, counted up
/// by [`TICK`].
const FILE_EPOCH: u64 = 1_767_225_600_000_000_000;

enum Source {
    Real,
    /// A function of the input: starts at `start` and moves by what is read and slept.
    Virtual {
        start: u64,
        elapsed: u64,
    },
}

/// An execution's clock.
pub(crate) struct Clock {
    source: Source,
    started: Instant,
    observed: bool,
    file_ticks: u64,
}

/// How a sleep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// It is over already.
    Over,
    /// Wait until then.
    Until(Instant),
}

impl Clock {
    pub(crate) fn new(now: Option<Timestamp>, started: Instant) -> Self {
        let source = now.map_or(Source::Real, |now| Source::Virtual {
            // WASI counts from 1970 to 2554.
            start: u64::try_from(now.as_nanosecond().max(0)).unwrap_or(u64::MAX),
            elapsed: 0,
        });
        Self {
            source,
            started,
            observed: false,
            file_ticks: 0,
        }
    }

    /// Whether the guest has seen the real clock.
    pub(crate) fn observed(&self) -> bool {
        self.observed
    }

    /// The resolution of clock `id`.
    pub(crate) fn resolution(id: u32) -> Result<u64, Errno> {
        match id {
            REALTIME | MONOTONIC | PROCESS_CPU | THREAD_CPU => Ok(TICK),
            _ => Err(Errno::Inval),
        }
    }

    /// Reads clock `id`. All but the calendar count from the start of the execution: the age of
    /// the host is not the guest's business.
    pub(crate) fn read(&mut self, id: u32) -> Result<u64, Errno> {
        Self::resolution(id)?;
        match &mut self.source {
            Source::Real => {
                self.observed = true;
                Ok(if id == REALTIME {
                    calendar()
                } else {
                    nanoseconds(self.started.elapsed())
                })
            }
            Source::Virtual { start, elapsed } => {
                *elapsed = elapsed.saturating_add(TICK);
                Ok(if id == REALTIME {
                    start.saturating_add(*elapsed)
                } else {
                    *elapsed
                })
            }
        }
    }

    /// The time to stamp on a file that changes now.
    ///
    /// Looking at a file must not make an execution irreproducible, so stamps come from a clock
    /// that only counts, until the guest has seen the real one.
    pub(crate) fn file_time(&mut self) -> u64 {
        match self.source {
            Source::Virtual { start, elapsed } => start.saturating_add(elapsed),
            Source::Real if self.observed => calendar(),
            Source::Real => {
                self.file_ticks = self.file_ticks.saturating_add(1);
                FILE_EPOCH.saturating_add(self.file_ticks.saturating_mul(TICK))
            }
        }
    }

    /// How long until clock `id` shows `timeout`, or until `timeout` has passed.
    pub(crate) fn left(&self, id: u32, timeout: u64, absolute: bool) -> Result<u64, Errno> {
        Self::resolution(id)?;
        if !absolute {
            return Ok(timeout);
        }
        let now = match self.source {
            Source::Real if id == REALTIME => calendar(),
            Source::Real => nanoseconds(self.started.elapsed()),
            Source::Virtual { start, elapsed } if id == REALTIME => start.saturating_add(elapsed),
            Source::Virtual { elapsed, .. } => elapsed,
        };
        Ok(timeout.saturating_sub(now))
    }

    /// Sleeps for `duration` nanoseconds: a virtual clock just moves on.
    pub(crate) fn sleep(&mut self, duration: u64) -> Sleep {
        match &mut self.source {
            Source::Virtual { elapsed, .. } => {
                *elapsed = elapsed.saturating_add(duration);
                Sleep::Over
            }
            Source::Real if duration == 0 => Sleep::Over,
            // A sleep beyond what an `Instant` can hold ends at the deadline anyway.
            Source::Real => Sleep::Until(
                Instant::now()
                    .checked_add(Duration::from_nanos(duration))
                    .unwrap_or_else(|| Instant::now() + Duration::from_secs(86_400)),
            ),
        }
    }
}

fn calendar() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, nanoseconds)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_clock_is_a_function_of_reads_and_sleeps() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let start = u64::try_from(now.as_nanosecond()).unwrap();
        let mut clock = Clock::new(Some(now), Instant::now());
        assert_eq!(clock.read(REALTIME), Ok(start + TICK));
        assert_eq!(clock.sleep(5_000_000_000), Sleep::Over);
        assert_eq!(clock.read(MONOTONIC), Ok(5_000_000_000 + 2 * TICK));
        assert!(!clock.observed());
        assert_eq!(
            clock.left(MONOTONIC, 6_000_000_000, true),
            Ok(1_000_000_000 - 2 * TICK)
        );
    }

    #[test]
    fn only_a_read_of_the_real_clock_counts_as_observed() {
        let mut clock = Clock::new(None, Instant::now());
        let (first, second) = (clock.file_time(), clock.file_time());
        assert!(first < second);
        assert!(matches!(clock.sleep(1), Sleep::Until(_)));
        assert!(matches!(clock.sleep(u64::MAX), Sleep::Until(_)));
        assert!(!clock.observed());
        assert!(clock.read(REALTIME).is_ok_and(|now| now > second));
        assert!(clock.observed());
        assert_eq!(clock.read(17), Err(Errno::Inval));
    }
}
