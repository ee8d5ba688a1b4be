//! More and more callers, until more of them give no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sandgate::CancellationToken;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::measured::Throughput;
use super::stats::FEWEST;

/// How long a number of callers is kept up for something that takes `took`: some dozens of runs,
/// within the given bounds.
pub(crate) fn window(took: Duration, (least, most): (Duration, Duration)) -> Duration {
    (took * 4 * FEWEST).clamp(least, most)
}

/// Runs what `make` makes with 1, 2, 4 … callers, each in a window of time.
pub(crate) async fn saturate<M, F>(
    most: u32,
    window: Duration,
    stop: &CancellationToken,
    make: M,
) -> Vec<Throughput>
where
    M: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut found: Vec<Throughput> = Vec::new();
    let mut callers = 1;
    while callers <= most && !stop.is_cancelled() {
        // Too many callers for what the backend admits: that is where it ends.
        let Some(rate) = rate(callers, window, stop, &make).await else {
            break;
        };
        found.push(rate);
        if is_saturated(&found) {
            break;
        }
        callers *= 2;
    }
    found
}

/// Twice in a row less than a twentieth gained.
fn is_saturated(found: &[Throughput]) -> bool {
    let gained = |pair: &[Throughput]| pair[1].per_second > pair[0].per_second * 1.05;
    found.len() > 2 && !found[found.len() - 3..].windows(2).any(gained)
}

/// None when a run failed, or it was stopped.
async fn rate<M, F>(
    callers: u32,
    window: Duration,
    stop: &CancellationToken,
    make: &M,
) -> Option<Throughput>
where
    M: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let done = Arc::new(AtomicU64::new(0));
    let ended = CancellationToken::new();
    let ready = Arc::new(Barrier::new(callers as usize + 1));
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (make, done) = (make.clone(), Arc::clone(&done));
        let (ended, ready) = (ended.clone(), Arc::clone(&ready));
        tasks.spawn(async move {
            // Not counted: as many environments may have to start for it.
            let mut last = make().await;
            ready.wait().await;
            while last.is_ok() && !ended.is_cancelled() {
                last = make().await;
                done.fetch_add(1, Ordering::Relaxed);
                // What comes from the cache waits for nothing, and would keep the thread for good:
                // nobody would look at the clock any more.
                tokio::task::yield_now().await;
            }
            last
        });
    }
    ready.wait().await;
    let mut slices = Vec::new();
    for _ in 0..FEWEST {
        let (start, before) = (Instant::now(), done.load(Ordering::Relaxed));
        tokio::select! {
            () = tokio::time::sleep(window / FEWEST) => {}
            () = stop.cancelled() => break,
        }
        let ran = done.load(Ordering::Relaxed) - before;
        slices.push((ran as f64, start.elapsed().as_secs_f64()));
    }
    ended.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.ok()?.ok()?;
    }
    let (runs, time) = slices
        .iter()
        .fold((0.0, 0.0), |(runs, time), (r, t)| (runs + r, time + t));
    let rates = || slices.iter().map(|(runs, time)| runs / time);
    (!stop.is_cancelled() && runs > 0.0).then(|| Throughput {
        callers,
        per_second: runs / time,
        interval: (
            rates().fold(f64::INFINITY, f64::min),
            rates().fold(0.0, f64::max),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn callers_are_added_until_they_give_no_more() {
        // Two at once, whoever asks.
        let places = Arc::new(tokio::sync::Semaphore::new(2));
        let make = move || {
            let places = Arc::clone(&places);
            async move {
                let _place = places.acquire().await;
                // Long against what others on the machine make of it.
                tokio::time::sleep(Duration::from_millis(30)).await;
                Ok(())
            }
        };
        let window = Duration::from_millis(900);
        let mut attempts = Vec::new();
        let found = loop {
            let stop = CancellationToken::new();
            let found = saturate(256, window, &stop, make.clone()).await;
            // A machine that stands still in one of the windows spoils the comparison.
            let rates: Vec<f64> = found.iter().map(|point| point.per_second).collect();
            if rates.len() < 8 && rates[1] > rates[0] * 1.3 {
                break found;
            }
            attempts.push(rates);
            assert!(attempts.len() < 10, "{attempts:?}");
        };
        for point in &found {
            let (low, high) = point.interval;
            assert!(
                low <= point.per_second && point.per_second <= high,
                "{point:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_backend_that_admits_no_more_ends_it() {
        let places = Arc::new(tokio::sync::Semaphore::new(2));
        let make = move || {
            let places = Arc::clone(&places);
            async move {
                let _place = places.try_acquire().map_err(|error| error.to_string())?;
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(())
            }
        };
        let window = Duration::from_millis(60);
        let found = saturate(1_024, window, &CancellationToken::new(), make).await;
        assert!(found.len() <= 2, "{found:?}");
        let stopped = CancellationToken::new();
        stopped.cancel();
        let found = saturate(8, window, &stopped, || std::future::ready(Ok(()))).await;
        assert_eq!(found, []);
    }

    #[tokio::test]
    async fn work_that_never_waits_ends_as_well() {
        let window = Duration::from_millis(30);
        let stop = CancellationToken::new();
        let found = saturate(4, window, &stop, || std::future::ready(Ok(()))).await;
        assert!(!found.is_empty());
    }

    #[test]
    fn the_window_follows_the_work() {
        let bounds = (Duration::from_millis(500), Duration::from_secs(3));
        let of = |ms| window(Duration::from_millis(ms), bounds).as_millis();
        assert_eq!([of(1), of(50), of(1_000)], [500, 1_200, 3_000]);
    }
}
