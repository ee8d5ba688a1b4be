//! The cache of results: what was run before is not run again.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moka::future::Cache;
use sandgate_core::{
    CacheKey, CacheMode, CacheStatus, CancellationToken, ExecutorError, Outcome, Status, Truncated,
};

/// How much the cache keeps, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Bytes of results kept; 0 switches the cache off.
    pub bytes: u64,
    /// How long a result is kept.
    pub time_to_live: Duration,
}

impl Default for CacheConfig {
    /// 64 MiB for one hour.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            time_to_live: Duration::from_secs(3_600),
        }
    }
}

/// An execution's outcome and the cache's part in it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) status: CacheStatus,
}

/// Finds results by [`CacheKey`], and lets concurrent equal requests share one run.
#[derive(Debug)]
pub(crate) struct ResultCache {
    entries: Option<Cache<Slot, Entry>>,
}

/// Results that are proven reproducible and results kept because somebody asked for it never
/// share a slot: only who asks for the latter may get them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Slot {
    key: CacheKey,
    proven: bool,
}

#[derive(Clone, Debug)]
enum Entry {
    Kept(Arc<Outcome>),
    /// It ran, and saw the clock or entropy. Such requests each run by themselves, and do not wait
    /// for one another first.
    Varies,
}

/// Why a run gave nothing to keep.
#[derive(Debug)]
enum Unkept {
    /// The backend failed. Those who waited for the run are told the same.
    Failed(Arc<ExecutorError>),
    /// The caller who ran it cancelled it. One of those who waited takes over.
    Cancelled,
    /// It was killed or cut off. Those who waited run by themselves.
    Incomplete,
}

/// What an entry costs beyond its bytes: the key, the outcome's own size, the cache's bookkeeping.
const ENTRY_OVERHEAD: usize = 512;

impl ResultCache {
    pub(crate) fn new(config: CacheConfig) -> Self {
        let entries = (config.bytes > 0).then(|| {
            Cache::builder()
                .max_capacity(config.bytes)
                .weigher(|_, entry: &Entry| u32::try_from(weight(entry)).unwrap_or(u32::MAX))
                .time_to_live(config.time_to_live)
                .build()
        });
        Self { entries }
    }

    /// Answers from the cache or from `run`, which is called at most once.
    ///
    /// A caller that waits for another's run and is dropped, or whose `cancel` is cancelled, leaves
    /// that run alone. A caller that runs and is dropped or cancelled does not fail those who wait
    /// for it.
    pub(crate) async fn answer<F>(
        &self,
        key: CacheKey,
        mode: CacheMode,
        cancel: &CancellationToken,
        run: impl Fn() -> F,
    ) -> Result<Answer, Arc<ExecutorError>>
    where
        F: Future<Output = Result<Outcome, ExecutorError>> + Send,
    {
        let (Some(entries), false) = (&self.entries, mode == CacheMode::Off) else {
            return run_alone(run, CacheStatus::Off).await;
        };
        let proven = Slot { key, proven: true };
        let asked_for = Slot { key, proven: false };
        match mode {
            CacheMode::Off | CacheMode::Refresh => {
                let answer = run_alone(run, CacheStatus::Miss).await?;
                replace(entries, proven, &answer.outcome).await;
                if entries.contains_key(&asked_for) {
                    replace(entries, asked_for, &answer.outcome).await;
                }
                Ok(answer)
            }
            CacheMode::Auto => {
                if let Some(Entry::Varies) = entries.get(&proven).await {
                    return run_alone(run, CacheStatus::Miss).await;
                }
                shared(entries, proven, cancel, run).await
            }
            CacheMode::Always => {
                if let Some(Entry::Kept(outcome)) = entries.get(&proven).await {
                    return Ok(hit(outcome));
                }
                let answer = shared(entries, asked_for, cancel, run).await?;
                if answer.status == CacheStatus::Miss {
                    replace(entries, proven, &answer.outcome).await;
                }
                Ok(answer)
            }
        }
    }
}

fn hit(outcome: Arc<Outcome>) -> Answer {
    Answer {
        outcome,
        status: CacheStatus::Hit,
    }
}

async fn run_alone<F>(
    run: impl Fn() -> F,
    status: CacheStatus,
) -> Result<Answer, Arc<ExecutorError>>
where
    F: Future<Output = Result<Outcome, ExecutorError>>,
{
    let outcome = Arc::new(run().await?);
    Ok(Answer { outcome, status })
}

/// Replaces what is kept with a fresh result, or forgets it if it turns out to vary.
async fn replace(entries: &Cache<Slot, Entry>, slot: Slot, outcome: &Arc<Outcome>) {
    if let Ok(entry) = entry(slot, outcome) {
        entries.insert(slot, entry).await;
    }
}

/// What to keep of `outcome`.
fn entry(slot: Slot, outcome: &Arc<Outcome>) -> Result<Entry, Unkept> {
    if outcome.status == Status::Cancelled {
        Err(Unkept::Cancelled)
    } else if !outcome.status.is_complete() || outcome.truncated != Truncated::default() {
        Err(Unkept::Incomplete)
    } else if slot.proven && !outcome.is_reproducible() {
        Ok(Entry::Varies)
    } else {
        Ok(Entry::Kept(Arc::clone(outcome)))
    }
}

async fn shared<F>(
    entries: &Cache<Slot, Entry>,
    slot: Slot,
    cancel: &CancellationToken,
    run: impl Fn() -> F,
) -> Result<Answer, Arc<ExecutorError>>
where
    F: Future<Output = Result<Outcome, ExecutorError>> + Send,
{
    let leading = AtomicBool::new(false);
    loop {
        let mut mine = None;
        let found = {
            let find = pin!(entries.try_get_with(slot, async {
                leading.store(true, Ordering::Relaxed);
                let outcome = Arc::new(run().await.map_err(|e| Unkept::Failed(Arc::new(e)))?);
                mine = Some(Arc::clone(&outcome));
                entry(slot, &outcome)
            }));
            // Who runs leaves cancelling to the executor, which keeps what was printed.
            let given_up = async {
                cancel.cancelled().await;
                if leading.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                found = find => found,
                () = given_up => {
                    return Ok(Answer {
                        outcome: Arc::new(Outcome::empty(Status::Cancelled)),
                        status: CacheStatus::Miss,
                    });
                }
            }
        };
        if let Some(outcome) = mine {
            return Ok(Answer {
                outcome,
                status: CacheStatus::Miss,
            });
        }
        match found {
            Ok(Entry::Kept(outcome)) => return Ok(hit(outcome)),
            Ok(Entry::Varies) => return run_alone(run, CacheStatus::Miss).await,
            Err(unkept) => match &*unkept {
                Unkept::Failed(error) => return Err(Arc::clone(error)),
                Unkept::Cancelled => {}
                Unkept::Incomplete => return run_alone(run, CacheStatus::Miss).await,
            },
        }
    }
}

fn weight(entry: &Entry) -> usize {
    ENTRY_OVERHEAD
        + match entry {
            Entry::Kept(outcome) => outcome_bytes(outcome),
            Entry::Varies => 0,
        }
}

/// About how many bytes an outcome takes beyond its own size.
pub(crate) fn outcome_bytes(outcome: &Outcome) -> usize {
    let error = outcome.error.as_ref().map_or(0, |error| {
        error.kind.len() + error.message.len() + error.traceback.len()
    });
    let results: usize = outcome
        .results
        .iter()
        .flatten()
        .map(|(kind, value)| kind.len() + value.len() + 64)
        .sum();
    let artifacts: usize = outcome
        .artifacts
        .iter()
        .map(|artifact| artifact.path.len() + artifact.content.len() + 256)
        .sum();
    outcome.stdout.len() + outcome.stderr.len() + error + results + artifacts
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use sandgate_core::{ErrorKind, ExecuteRequest, RequestRules};
    use tokio::sync::Semaphore;

    use super::*;

    /// A run that counts itself, waits to be let go, and gives `outcome`.
    struct Work {
        started: AtomicUsize,
        go: Semaphore,
        outcome: Outcome,
    }

    impl Work {
        fn new(outcome: Outcome) -> Arc<Self> {
            Arc::new(Self {
                started: AtomicUsize::new(0),
                go: Semaphore::new(0),
                outcome,
            })
        }

        fn ready(outcome: Outcome) -> Arc<Self> {
            let work = Self::new(outcome);
            work.go.add_permits(1_000_000);
            work
        }

        async fn run(&self) -> Result<Outcome, ExecutorError> {
            self.started.fetch_add(1, Ordering::SeqCst);
            self.go.acquire().await.unwrap().forget();
            Ok(self.outcome.clone())
        }

        fn started(&self) -> usize {
            self.started.load(Ordering::SeqCst)
        }
    }

    fn ok(text: &'static str) -> Outcome {
        Outcome {
            stdout: text.into(),
            ..Outcome::empty(Status::Ok)
        }
    }

    fn varying() -> Outcome {
        let mut outcome = ok("varies");
        outcome.observed.entropy = true;
        outcome
    }

    fn key(code: &str) -> CacheKey {
        let task = RequestRules::default().task(ExecuteRequest::python(code));
        CacheKey::of(&task.unwrap(), "digest", "")
    }

    fn cache() -> Arc<ResultCache> {
        Arc::new(ResultCache::new(CacheConfig::default()))
    }

    async fn ask(cache: &ResultCache, mode: CacheMode, work: &Work) -> Answer {
        let cancel = CancellationToken::new();
        let answer = cache.answer(key("a"), mode, &cancel, || work.run());
        answer.await.unwrap()
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_thousand_concurrent_equal_requests_are_one_run() {
        let (cache, work) = (cache(), Work::new(ok("x")));
        let all: Vec<_> = (0..1_000)
            .map(|_| {
                let (cache, work) = (Arc::clone(&cache), Arc::clone(&work));
                tokio::spawn(async move { ask(&cache, CacheMode::Auto, &work).await })
            })
            .collect();
        until(|| work.started() > 0).await;
        work.go.add_permits(1_000);
        let mut misses = 0;
        for one in all {
            let answer = one.await.unwrap();
            assert_eq!(answer.outcome.stdout, "x");
            misses += usize::from(answer.status == CacheStatus::Miss);
        }
        assert_eq!((work.started(), misses), (1, 1));
    }

    #[tokio::test]
    async fn a_dropped_leader_does_not_fail_its_followers() {
        let (cache, work) = (cache(), Work::new(ok("x")));
        let ask = || {
            let (cache, work) = (Arc::clone(&cache), Arc::clone(&work));
            tokio::spawn(async move { ask(&cache, CacheMode::Auto, &work).await })
        };
        let leader = ask();
        until(|| work.started() == 1).await;
        let follower = ask();
        tokio::time::sleep(Duration::from_millis(10)).await;
        leader.abort();
        until(|| work.started() == 2).await;
        work.go.add_permits(1);
        let answer = follower.await.unwrap();
        assert_eq!(answer.outcome.stdout, "x");
        assert_eq!(answer.status, CacheStatus::Miss);
    }

    #[tokio::test]
    async fn a_cancelled_leader_does_not_fail_its_followers() {
        let cache = cache();
        let cancel = CancellationToken::new();
        let leader = {
            let (cache, cancel) = (Arc::clone(&cache), cancel.clone());
            tokio::spawn(async move {
                let run = || async {
                    cancel.cancelled().await;
                    Ok(Outcome {
                        stdout: "partial".into(),
                        ..Outcome::empty(Status::Cancelled)
                    })
                };
                cache.answer(key("a"), CacheMode::Auto, &cancel, run).await
            })
        };
        tokio::time::sleep(Duration::from_millis(10)).await;
        let work = Work::ready(ok("whole"));
        let follower = {
            let (cache, work) = (Arc::clone(&cache), Arc::clone(&work));
            tokio::spawn(async move { ask(&cache, CacheMode::Auto, &work).await })
        };
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(work.started(), 0);
        cancel.cancel();
        assert_eq!(leader.await.unwrap().unwrap().outcome.stdout, "partial");
        assert_eq!(follower.await.unwrap().outcome.stdout, "whole");
    }

    #[tokio::test]
    async fn a_cancelled_follower_leaves_at_once() {
        let (cache, work) = (cache(), Work::new(ok("x")));
        let leader = {
            let (cache, work) = (Arc::clone(&cache), Arc::clone(&work));
            tokio::spawn(async move { ask(&cache, CacheMode::Auto, &work).await })
        };
        until(|| work.started() == 1).await;
        let cancel = CancellationToken::new();
        cancel.cancel();
        let answer = cache.answer(key("a"), CacheMode::Auto, &cancel, || work.run());
        assert_eq!(answer.await.unwrap().outcome.status, Status::Cancelled);
        work.go.add_permits(1);
        assert_eq!(leader.await.unwrap().outcome.stdout, "x");
        assert_eq!(work.started(), 1);
    }

    #[tokio::test]
    async fn an_error_of_ours_is_shared_but_not_kept() {
        let cache = cache();
        let cancel = CancellationToken::new();
        let fail = || async { Err(ExecutorError::new(ErrorKind::Internal, "broken")) };
        let error = cache.answer(key("a"), CacheMode::Auto, &cancel, fail).await;
        assert_eq!(error.unwrap_err().message, "broken");
        let work = Work::ready(ok("x"));
        let answer = ask(&cache, CacheMode::Auto, &work).await;
        assert_eq!(answer.status, CacheStatus::Miss);
    }

    #[tokio::test]
    async fn what_was_killed_cut_off_or_varies_is_never_kept() {
        let mut truncated = ok("cut");
        truncated.truncated.stdout = true;
        let mut outcomes = vec![truncated.clone(), varying()];
        outcomes.extend(
            Status::ALL
                .into_iter()
                .filter(|status| !status.is_complete())
                .map(Outcome::empty),
        );
        for outcome in outcomes {
            let (cache, work) = (cache(), Work::ready(outcome));
            for _ in 0..2 {
                let answer = ask(&cache, CacheMode::Auto, &work).await;
                assert_eq!(answer.status, CacheStatus::Miss);
            }
            assert_eq!(work.started(), 2, "{:?}", work.outcome);
        }
        let (cache, work) = (cache(), Work::ready(truncated));
        for _ in 0..2 {
            ask(&cache, CacheMode::Always, &work).await;
        }
        assert_eq!(work.started(), 2);
    }

    #[tokio::test]
    async fn always_keeps_what_varies_for_those_who_ask_for_it() {
        let (cache, work) = (cache(), Work::ready(varying()));
        let status = async |mode| ask(&cache, mode, &work).await.status;
        assert_eq!(status(CacheMode::Always).await, CacheStatus::Miss);
        assert_eq!(status(CacheMode::Always).await, CacheStatus::Hit);
        assert_eq!(status(CacheMode::Auto).await, CacheStatus::Miss);
        assert_eq!(status(CacheMode::Off).await, CacheStatus::Off);
        assert_eq!(work.started(), 3);
    }

    #[tokio::test]
    async fn refresh_runs_again_and_replaces() {
        let cache = cache();
        let (old, new) = (Work::ready(ok("old")), Work::ready(ok("new")));
        ask(&cache, CacheMode::Auto, &old).await;
        let fresh = ask(&cache, CacheMode::Refresh, &new).await;
        assert_eq!(fresh.status, CacheStatus::Miss);
        for mode in [CacheMode::Auto, CacheMode::Always] {
            let answer = ask(&cache, mode, &old).await;
            assert_eq!(answer.status, CacheStatus::Hit);
            assert_eq!(answer.outcome.stdout, "new");
        }
    }

    #[tokio::test]
    async fn off_neither_reads_nor_writes() {
        let (cache, work) = (cache(), Work::ready(ok("x")));
        ask(&cache, CacheMode::Off, &work).await;
        assert_eq!(
            ask(&cache, CacheMode::Auto, &work).await.status,
            CacheStatus::Miss
        );
        assert_eq!(
            ask(&cache, CacheMode::Off, &work).await.status,
            CacheStatus::Off
        );
        assert_eq!(work.started(), 3);
    }

    #[tokio::test]
    async fn it_is_bounded_by_bytes() {
        let cache = ResultCache::new(CacheConfig {
            bytes: 64 << 10,
            ..CacheConfig::default()
        });
        let cancel = CancellationToken::new();
        for n in 0..100 {
            let work = Work::ready(Outcome {
                stdout: vec![b'x'; 8 << 10].into(),
                ..Outcome::empty(Status::Ok)
            });
            let answer = cache.answer(key(&n.to_string()), CacheMode::Auto, &cancel, || work.run());
            answer.await.unwrap();
        }
        let entries = cache.entries.unwrap();
        entries.run_pending_tasks().await;
        assert!(entries.weighted_size() <= 64 << 10);
        assert!(entries.entry_count() > 0);
    }
}
