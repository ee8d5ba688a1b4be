//! Learning what the function has, and waiting for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sandgate_core::{ErrorKind, Executor, ExecutorError};
use sandgate_lambda::LambdaExecutor;
use tokio::task::JoinSet;

use crate::fake::{Act, Fake, config, executor, ok, run, sdk, task, until};

#[tokio::test]
async fn the_catalogue_is_asked_for_until_it_comes_and_kept_for_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.catalogue = Some(dir.path().join("catalogue.json"));
    config.breaker.failures = 1_000;
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    fake.describes.store(false, Ordering::SeqCst);
    let first = LambdaExecutor::start(config.clone(), sdk(&fake.address), None).unwrap();
    // Describing does no harm, so it is tried again at once.
    until(|| fake.described.load(Ordering::SeqCst) >= 3).await;
    assert!(first.runtimes().is_empty() && !first.is_ready());
    fake.describes.store(true, Ordering::SeqCst);
    until(|| first.is_ready()).await;
    assert!(first.runtimes()[0].has_module("pandas"));
    until(|| config.catalogue.as_ref().unwrap().exists()).await;
    drop(first);

    fake.describes.store(false, Ordering::SeqCst);
    let next = LambdaExecutor::start(config, sdk(&fake.address), None).unwrap();
    assert!(next.is_ready(), "known at once");
    assert!(next.runtimes()[0].has_module("pandas"));
}

/// Many callers who wait for what `executor` has.
async fn waiting(executor: &Arc<LambdaExecutor>) -> JoinSet<Result<(), ExecutorError>> {
    let started = Arc::new(AtomicUsize::new(0));
    let mut waiting = JoinSet::new();
    for _ in 0..100 {
        let (executor, started) = (Arc::clone(executor), Arc::clone(&started));
        waiting.spawn(async move {
            let described = executor.described();
            started.fetch_add(1, Ordering::SeqCst);
            described.await
        });
    }
    until(|| started.load(Ordering::SeqCst) == 100).await;
    waiting
}

#[tokio::test]
async fn all_who_wait_share_one_question() {
    for describe_at_start in [true, false] {
        let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
        fake.held.send_replace(true);
        let mut config = config();
        config.describe_at_start = describe_at_start;
        let executor = LambdaExecutor::start(config, sdk(&fake.address), None).unwrap();
        let executor = Arc::new(executor);
        let mut left = waiting(&executor).await;
        left.abort_all();
        while left.join_next().await.is_some() {}
        let mut all = waiting(&executor).await;
        until(|| fake.described.load(Ordering::SeqCst) == 1).await;
        assert!(all.try_join_next().is_none());
        fake.held.send_replace(false);
        for described in all.join_all().await {
            described.unwrap();
        }
        assert!(executor.runtimes()[0].has_module("pandas"));
        executor.described().await.unwrap();
        // What would be asked twice would be asked by now.
        run(&executor, task("1")).await.unwrap();
        assert_eq!(fake.described.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn nobody_is_asked_what_nobody_wants_to_know() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    let mut config = config();
    config.describe_at_start = false;
    let executor = LambdaExecutor::start(config, sdk(&fake.address), None).unwrap();
    run(&executor, task("1")).await.unwrap();
    assert_eq!(fake.described.load(Ordering::SeqCst), 0);
    assert!(executor.runtimes().is_empty() && !executor.is_ready());
    executor.described().await.unwrap();
    assert!(executor.is_ready());
}

#[tokio::test]
async fn a_question_without_an_answer_is_told_to_all_who_wait() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    fake.held.send_replace(true);
    fake.describes.store(false, Ordering::SeqCst);
    let mut config = config();
    config.breaker.failures = 1_000;
    let executor = LambdaExecutor::start(config, sdk(&fake.address), None).unwrap();
    let executor = Arc::new(executor);
    let all = waiting(&executor).await;
    fake.held.send_replace(false);
    for described in all.join_all().await {
        let error = described.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(
            error.retry_after.unwrap() <= Duration::from_secs(1),
            "{error:?}"
        );
        assert!(error.message.contains("Lambda failed"), "{error}");
    }
    fake.describes.store(true, Ordering::SeqCst);
    // It is asked again without anybody's doing.
    until(|| executor.is_ready()).await;
    executor.described().await.unwrap();
}

#[tokio::test]
async fn an_image_without_a_language_has_not_described_itself() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    fake.runtimes.lock().unwrap().clear();
    let executor = LambdaExecutor::start(config(), sdk(&fake.address), None).unwrap();
    let error = executor.described().await.unwrap_err();
    assert!(error.message.contains("no language"), "{error}");
}

#[tokio::test]
async fn another_version_is_asked_what_it_has() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    let executor = executor(&fake.address, config()).await;
    for _ in 0..3 {
        run(&executor, task("1")).await.unwrap();
    }
    assert_eq!(fake.described.load(Ordering::SeqCst), 1);
    "8".clone_into(&mut fake.version.lock().unwrap());
    run(&executor, task("1")).await.unwrap();
    until(|| fake.described.load(Ordering::SeqCst) == 2).await;
}
