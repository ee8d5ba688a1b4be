//! The router over an executor that plays what the code says.

mod batch;
mod hops;
mod waiting;

use std::sync::Mutex;

use sandgate_core::{CacheMode, ErrorKind, OutputStream, Status};

use super::*;
use crate::testing::TestExecutor;
use crate::{DirectoryStore, ObjectStore, SpoolConfig, SpooledOutputs};

async fn router() -> (Router, Arc<TestExecutor>) {
    let executor = Arc::new(TestExecutor::default());
    let router = Router::builder()
        .executor(Arc::clone(&executor) as _)
        .url_base("/v1/executions")
        .build()
        .await
        .unwrap();
    (router, executor)
}

#[tokio::test]
async fn every_field_of_the_answer_is_true() {
    let (router, _) = router().await;
    let request = ExecuteRequest::python("print hi\nfile plots/a b.png");
    let execution = router.execute(request).await.unwrap();
    assert_eq!(execution.id.get_version_num(), 7);
    assert_eq!(execution.status, Status::Ok);
    assert_eq!(execution.stdout, "hi");
    assert_eq!(execution.route.runtime, "python-3.13.5");
    assert_eq!(
        execution.artifacts[0].url,
        format!("/v1/executions/{}/files/plots/a%20b.png", execution.id)
    );
    assert_eq!(execution.cache.status, CacheStatus::Miss);
    assert!(execution.cache.reproducible);
    assert_eq!(
        router.execution(execution.id).await.unwrap(),
        Some(execution.clone())
    );
    let file = router.file(execution.id, "plots/a b.png").await.unwrap();
    assert_eq!(file.unwrap().content, "content");
    assert_eq!(router.file(execution.id, "other").await.unwrap(), None);
    assert_eq!(router.execution(Uuid::now_v7()).await.unwrap(), None);
    assert_eq!(router.execution(Uuid::nil()).await.unwrap(), None);
}

#[tokio::test]
async fn a_hit_is_the_miss_under_a_new_id() {
    let (router, executor) = router().await;
    let request = ExecuteRequest::python("print hi\nfile a");
    let miss = router.execute(request.clone()).await.unwrap();
    let hit = router.execute(request).await.unwrap();
    assert_eq!(executor.started(), 1);
    assert_eq!(hit.cache.status, CacheStatus::Hit);
    assert_ne!(hit.id, miss.id);
    assert_eq!(hit.usage.fuel, miss.usage.fuel);
    let same = |mut execution: Execution| {
        execution.artifacts[0].url = execution.artifacts[0]
            .url
            .replace(&execution.id.to_string(), "ID");
        execution.outputs.uri = String::new();
        execution.id = Uuid::nil();
        execution.cache.status = CacheStatus::Off;
        execution.usage = Usage::default();
        execution
    };
    let kept = router.execution(hit.id).await.unwrap().unwrap();
    assert_eq!(kept, hit, "a hit's outputs are kept as well");
    assert!(router.file(hit.id, "a").await.unwrap().is_some());
    assert_eq!(same(hit), same(miss));
}

#[tokio::test]
async fn scopes_share_nothing() {
    let (router, executor) = router().await;
    for scope in ["one", "two"] {
        let options = ExecuteOptions::default().scope(scope);
        let request = ExecuteRequest::python("print hi");
        let execution = router.execute_with(request, options).await.unwrap();
        assert_eq!(execution.cache.status, CacheStatus::Miss);
    }
    assert_eq!(executor.started(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_of_the_same_work_are_one_run() {
    let (router, executor) = router().await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let router = router.clone();
        let request = ExecuteRequest::python("sleep 100\nprint hi");
        all.spawn(async move { router.execute(request).await.unwrap() });
    }
    let all = all.join_all().await;
    assert_eq!(executor.started(), 1);
    let misses = all
        .iter()
        .filter(|one| one.cache.status == CacheStatus::Miss);
    assert_eq!(misses.count(), 1);
    assert!(all.iter().all(|one| one.stdout == "hi"));
    let ids: std::collections::HashSet<_> = all.iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 1_000);
}

#[tokio::test]
async fn a_leader_that_leaves_does_not_fail_its_followers() {
    let (router, executor) = router().await;
    let ask = || {
        let router = router.clone();
        let request = ExecuteRequest::python("sleep 3000\nprint hi");
        tokio::spawn(async move { router.execute(request).await })
    };
    let leader = ask();
    while executor.started() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let followers: Vec<_> = (0..10).map(|_| ask()).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    leader.abort();
    for follower in followers {
        assert_eq!(follower.await.unwrap().unwrap().stdout, "hi");
    }
    assert_eq!(executor.started(), 2);
}

/// A router over a sandbox and a Lambda, and these two.
struct Two {
    router: Router,
    sandbox: Arc<TestExecutor>,
    lambda: Arc<TestExecutor>,
}

impl Two {
    async fn of(sandbox: TestExecutor, lambda: TestExecutor) -> Self {
        let (sandbox, lambda) = (Arc::new(sandbox), Arc::new(lambda));
        let router = Router::builder()
            .executor(Arc::clone(&sandbox) as _)
            .executor(Arc::clone(&lambda) as _)
            .build()
            .await
            .unwrap();
        Self {
            router,
            sandbox,
            lambda,
        }
    }

    /// How many executions each backend has started.
    fn started(&self) -> (usize, usize) {
        (self.sandbox.started(), self.lambda.started())
    }
}

#[derive(Default)]
struct Recorder(Mutex<Vec<u8>>);

impl OutputSink for Recorder {
    fn write(&self, _: OutputStream, chunk: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(chunk);
    }
}

#[tokio::test]
async fn output_reaches_the_sink_from_the_guest_and_from_the_cache() {
    let (router, _) = router().await;
    for status in [CacheStatus::Miss, CacheStatus::Hit] {
        let sink = Arc::new(Recorder::default());
        let options = ExecuteOptions::default().sink(Arc::clone(&sink) as _);
        let request = ExecuteRequest::python("print hi");
        let execution = router.execute_with(request, options).await.unwrap();
        assert_eq!(execution.cache.status, status);
        assert_eq!(*sink.0.lock().unwrap(), b"hi");
    }
}

#[tokio::test]
async fn cancelling_ends_it_and_keeps_what_was_printed() {
    let (router, _) = router().await;
    let cancel = CancellationToken::new();
    let sink = Arc::new(Recorder::default());
    let options = ExecuteOptions::default().cancel(cancel.clone());
    let options = options.sink(Arc::clone(&sink) as _);
    let request = ExecuteRequest::python("print hi\nsleep 60000");
    let execution = router.execute_with(request, options);
    let (execution, ()) = tokio::join!(execution, async {
        while sink.0.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cancel.cancel();
    });
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::Cancelled);
    assert_eq!(execution.stdout, "hi");
}

#[tokio::test]
async fn failures_of_ours_are_typed() {
    let (router, _) = router().await;
    let fail = async |change: &dyn Fn(&mut ExecuteRequest)| {
        let mut request = ExecuteRequest::python("print hi");
        change(&mut request);
        router.execute(request).await.unwrap_err()
    };
    let error = fail(&|r| r.code.clear()).await;
    assert!(matches!(&error, Error::Invalid(invalid) if invalid.errors[0].field == "code"));
    assert_eq!(error.retry_after(), None);
    let error = fail(&|r| r.packages = vec!["numpy".into()]).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = fail(&|r| r.code = "fail".into()).await;
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.retry_after().is_some());
}

#[tokio::test]
async fn a_full_spool_refuses_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    // A store that cannot take anything: its root is made a file after it was opened.
    let root = dir.path().join("store");
    let store: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::new(&root, false).unwrap());
    std::fs::remove_dir(&root).unwrap();
    std::fs::write(&root, "").unwrap();
    let config = SpoolConfig {
        max_bytes: SpoolConfig::MIN_BYTES,
        sync: false,
    };
    let outputs = SpooledOutputs::open(dir.path().join("spool"), config, store).unwrap();
    let executor = Arc::new(TestExecutor::default());
    let router = Router::builder()
        .executor(Arc::clone(&executor) as _)
        .outputs(Arc::new(outputs))
        .build()
        .await
        .unwrap();
    let mut request = ExecuteRequest::python("bytes 200000");
    request.cache = CacheMode::Off;
    request.limits.output_bytes = Some(1 << 20);
    let error = loop {
        match router.execute(request.clone()).await {
            Ok(execution) => assert_eq!(execution.outputs.state, OutputsState::Spooled),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.retry_after().is_some());
    // Small outputs still fit, until the spool is full to its last corner.
    request.code = "bytes 60000".into();
    while router.execute(request.clone()).await.is_ok() {}
    let before = executor.started();
    assert!(router.execute(request).await.is_err());
    assert_eq!(executor.started(), before);
    assert!(router.ready().is_err());
}
