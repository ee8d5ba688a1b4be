//! Staying awake for what is about to come.
//!
//! A thread that sleeps on an idle core takes a virtual machine 20 to 40 us to wake, and a small
//! snippet has two to wake: who runs it, and who waits for its outcome. That is as long as it runs.
//! So both look for what they wait for a while before they go to sleep, but only where experience
//! says that it pays, and letting everybody else have the core between two looks.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

/// How long one who runs executions looks for the next. Work that comes in a row comes within this.
const LINGER: Duration = Duration::from_micros(100);
/// How long one who waits for an outcome looks for it: as long as small snippets take.
const PATIENCE: Duration = Duration::from_micros(200);

/// Whether anything can happen while one looks for it.
static SEVERAL_CORES: LazyLock<bool> =
    LazyLock::new(|| thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));

/// Whether one who is asked for work may sleep until there is some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaySleep {
    Yes,
    No,
}

/// The waiting of one who waits for work again and again.
#[derive(Debug)]
pub(crate) struct Vigil {
    several_cores: bool,
    /// Whether work came soon, the last time.
    pays: bool,
}

impl Vigil {
    /// To be made before any walls are up: it asks the system for its cores.
    pub(crate) fn new() -> Self {
        Self {
            several_cores: *SEVERAL_CORES,
            pays: false,
        }
    }

    /// Waits for what `work` gives, which is asked again and again as long as that pays, and then
    /// told that it may sleep until there is some.
    pub(crate) fn wait<T>(&mut self, mut work: impl FnMut(MaySleep) -> Option<T>) -> T {
        let begun = Instant::now();
        if self.pays {
            while begun.elapsed() < LINGER {
                if let Some(work) = work(MaySleep::No) {
                    return work;
                }
                thread::yield_now();
            }
        }
        loop {
            if let Some(work) = work(MaySleep::Yes) {
                self.pays = self.several_cores && begun.elapsed() < LINGER;
                return work;
            }
        }
    }
}

/// Whether it pays to wait awake for an execution: nothing else runs or waits (`alone`), so that
/// there is a core to do it on, and the last one took `last_ms`, not long.
pub(crate) fn pays(alone: bool, last_ms: f64) -> bool {
    alone && last_ms < PATIENCE.as_secs_f64() * 1e3 && *SEVERAL_CORES
}

/// Waits for `future`, at first awake if that `pays`. Other tasks of the runtime get their turns.
pub(crate) async fn awake<F: Future>(pays: bool, future: F) -> F::Output {
    let mut future = pin!(future);
    if pays {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let look = poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
            if let Poll::Ready(output) = look.await {
                return output;
            }
            thread::yield_now();
            tokio::task::yield_now().await;
        }
    }
    future.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looks_only_after_work_that_came_soon() {
        let mut vigil = Vigil::new();
        // Gives how the work came, and after how many looks.
        let mut wait = |found: bool, slept: Duration| {
            let mut looks = 0;
            let how = vigil.wait(|may_sleep| {
                if may_sleep == MaySleep::Yes {
                    thread::sleep(slept);
                    return Some("slept");
                }
                looks += 1;
                found.then_some("found")
            });
            (how, looks)
        };
        assert_eq!(wait(true, Duration::ZERO), ("slept", 0));
        if !*SEVERAL_CORES {
            return;
        }
        // A loaded machine may take longer to do nothing than one looks. Not every time.
        let sometime = |seen: &mut dyn FnMut() -> bool| (0..1_000).any(|_| seen());
        let found = &mut || wait(true, Duration::ZERO) == ("found", 1);
        assert!(
            sometime(found),
            "work that comes at once is never looked for"
        );
        let in_vain = &mut || {
            wait(true, Duration::ZERO);
            let (came, looks) = wait(false, 2 * LINGER);
            came == "slept" && looks > 0
        };
        assert!(
            sometime(in_vain),
            "work that does not come is never looked for"
        );
        // It did not come soon, so nobody looks.
        assert_eq!(wait(true, Duration::ZERO), ("slept", 0));
    }

    #[tokio::test]
    async fn others_get_their_turns() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tokio::spawn(async move { sender.send(1) });
        assert_eq!(awake(true, receiver).await, Ok(1));
    }

    #[tokio::test]
    async fn what_takes_longer_is_waited_for_asleep() {
        let later = tokio::time::sleep(20 * PATIENCE);
        awake(true, later).await;
    }
}
