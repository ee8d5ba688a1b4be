//! What is kept, who waits for whom, and who is left alone.

use std::sync::atomic::AtomicUsize;

use sandgate_core::{ErrorKind, ExecuteRequest, RequestRules};
use tokio::sync::Semaphore;

use super::*;
use crate::outputs::DirectoryStore;

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
    Arc::new(ResultCache::new(CacheConfig::default(), None))
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
    let config = CacheConfig {
        bytes: 64 << 10,
        ..CacheConfig::default()
    };
    let cache = ResultCache::new(config, None);
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
    entries.memory.run_pending_tasks().await;
    assert!(entries.memory.weighted_size() <= 64 << 10);
    assert!(entries.memory.entry_count() > 0);
}

#[tokio::test]
async fn proven_results_survive_in_the_second_tier() {
    let dir = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(dir.path(), false).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let cache = || ResultCache::new(CacheConfig::default(), Some(Arc::clone(&store)));
    let work = Work::ready(ok("x"));
    let first = cache();
    assert_eq!(
        ask(&first, CacheMode::Auto, &work).await.status,
        CacheStatus::Miss
    );
    let name = format!("cache/{}", key("a").to_hex());
    while store.get(&name).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Another process, after the first one's end.
    let second = cache();
    let hit = ask(&second, CacheMode::Auto, &work).await;
    assert_eq!((hit.status, work.started()), (CacheStatus::Hit, 1));
    assert_eq!(hit.outcome.stdout, "x");
    // It is in memory now.
    std::fs::remove_file(dir.path().join(&name)).unwrap();
    assert_eq!(
        ask(&second, CacheMode::Auto, &work).await.status,
        CacheStatus::Hit
    );
    // What is damaged is run again, and replaced.
    std::fs::write(dir.path().join(&name), "sandgate-result-1 x\n{}").unwrap();
    let third = cache();
    assert_eq!(
        ask(&third, CacheMode::Auto, &work).await.status,
        CacheStatus::Miss
    );
}

#[tokio::test]
async fn what_varies_or_was_only_asked_for_is_not_in_the_second_tier() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(DirectoryStore::new(dir.path(), false).unwrap());
    let cache = ResultCache::new(CacheConfig::default(), Some(store as _));
    let work = Work::ready(varying());
    for mode in [CacheMode::Auto, CacheMode::Always, CacheMode::Refresh] {
        ask(&cache, mode, &work).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!dir.path().join("cache").exists());
}

#[tokio::test]
async fn a_second_tier_that_fails_costs_a_run_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let store = Arc::new(DirectoryStore::new(&root, false).unwrap());
    std::fs::remove_dir(&root).unwrap();
    std::fs::write(&root, "").unwrap();
    let cache = ResultCache::new(CacheConfig::default(), Some(store as _));
    let work = Work::ready(ok("x"));
    assert_eq!(
        ask(&cache, CacheMode::Auto, &work).await.status,
        CacheStatus::Miss
    );
    assert_eq!(
        ask(&cache, CacheMode::Auto, &work).await.status,
        CacheStatus::Hit
    );
}
