//! The spool against a store that can be held up, and against what a disk may do to it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use sandgate_core::{BoxFuture, Durability, Execution, Outcome, OutputsState, Status};

use super::*;
use crate::outputs::{
    DirectoryStore, Object, ObjectStore, OutputStore, SpooledOutputs, StoreError,
};
use crate::testing::{artifact, execution};

/// A store in memory that refuses everything until it is opened.
#[derive(Debug, Default)]
struct TestStore {
    open: AtomicBool,
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl TestStore {
    fn new(open: bool) -> Arc<Self> {
        let store = Self::default();
        store.open.store(open, Ordering::SeqCst);
        Arc::new(store)
    }

    fn results(&self) -> usize {
        let objects = self.objects.lock().unwrap();
        objects
            .keys()
            .filter(|k| k.ends_with("/result.json"))
            .count()
    }
}

impl ObjectStore for TestStore {
    fn put_all(&self, objects: Vec<Object>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            if !self.open.load(Ordering::SeqCst) {
                return Err(StoreError {
                    action: "write",
                    key: objects[0].key.clone(),
                    source: "closed".into(),
                });
            }
            let named = objects
                .into_iter()
                .map(|object| (object.key, object.content));
            self.objects.lock().unwrap().extend(named);
            Ok(())
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { Ok(self.objects.lock().unwrap().get(key).cloned()) })
    }

    fn uri(&self, key: &str) -> String {
        format!("test:{key}")
    }
}

const SMALL: SpoolConfig = SpoolConfig {
    max_bytes: SpoolConfig::MIN_BYTES,
    sync: false,
};

fn open(dir: &Path, store: &Arc<TestStore>) -> SpooledOutputs {
    let store: Arc<dyn ObjectStore> = Arc::clone(store) as _;
    SpooledOutputs::open(dir, SMALL, store).unwrap()
}

fn outcome(stdout: impl Into<Bytes>) -> Arc<Outcome> {
    let mut outcome = Outcome::empty(Status::Ok);
    outcome.stdout = stdout.into();
    Arc::new(outcome)
}

async fn put(outputs: &SpooledOutputs, outcome: &Arc<Outcome>) -> Result<Execution, OutputError> {
    let execution = execution(outcome);
    outputs
        .put(&execution, outcome, Durability::Spooled)
        .await
        .map(|_| execution)
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .expect("it never happens");
}

/// The segment files, oldest first.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

/// What a process killed in the middle leaves: the files as they are, and no goodbye.
fn after_a_kill(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(dir, "log") {
        fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    copy
}

#[tokio::test]
async fn outputs_are_readable_before_and_after_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::new(false);
    let outputs = open(dir.path(), &store);
    let mut whole = Outcome::empty(Status::Ok);
    whole.stdout = vec![b'x'; 100_000].into();
    whole.stderr = Bytes::from_static(b"\xff\xfe");
    // Names that a guest could hope to collide with.
    whole.artifacts = ["result.json", "stdout", "a/b"]
        .map(|path| artifact(path, path))
        .into();
    let whole = Arc::new(whole);
    let mut execution = put(&outputs, &whole).await.unwrap();

    for (open, state) in [(false, OutputsState::Spooled), (true, OutputsState::Stored)] {
        if open {
            store.open.store(true, Ordering::SeqCst);
            until(|| !outputs.holds(execution.id)).await;
        }
        execution.outputs.state = state;
        assert_eq!(
            outputs.get(execution.id).await.unwrap(),
            Some(execution.clone())
        );
        for path in ["result.json", "stdout", "a/b"] {
            let file = outputs.file(execution.id, path).await.unwrap().unwrap();
            assert_eq!(file.content, path);
        }
        for path in ["a", "../result.json", "stderr", ""] {
            assert_eq!(outputs.file(execution.id, path).await.unwrap(), None);
        }
    }
    let objects = store.objects.lock().unwrap();
    let raw = objects.iter().find(|(key, _)| key.ends_with("/stderr"));
    assert_eq!(raw.unwrap().1, &whole.stderr, "bytes that are not text");
}

#[tokio::test]
async fn stored_waits_for_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::new(false);
    let outputs = open(dir.path(), &store);
    let outcome = outcome("x");
    let execution = execution(&outcome);
    let put = outputs.put(&execution, &outcome, Durability::Stored);
    tokio::pin!(put);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut put).await;
    assert!(early.is_err(), "{early:?}");
    store.open.store(true, Ordering::SeqCst);
    assert_eq!(put.await.unwrap(), OutputsState::Stored);
    assert_eq!(store.results(), 1);
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let outputs = open(dir.path(), &TestStore::new(false));
    let mut all = Vec::new();
    for n in 0..700 {
        all.push(put(&outputs, &outcome(format!("{n}"))).await.unwrap());
    }
    assert!(files(dir.path(), "log").len() > 1, "more than one segment");
    let killed = after_a_kill(dir.path());

    let closed = TestStore::new(false);
    let again = open(killed.path(), &closed);
    let last = all.last().unwrap();
    let read = again.get(last.id).await.unwrap().unwrap();
    assert_eq!(read.stdout, last.stdout, "readable before it is delivered");
    closed.open.store(true, Ordering::SeqCst);
    until(|| closed.results() == all.len()).await;
    for execution in &all {
        let read = again.get(execution.id).await.unwrap().unwrap();
        assert_eq!(read.stdout, execution.stdout);
    }
    // A second replay of the same files changes nothing.
    let killed = after_a_kill(dir.path());
    let twice = open(killed.path(), &closed);
    until(|| !twice.holds(last.id)).await;
    assert_eq!(closed.results(), all.len());
}

#[tokio::test]
async fn a_torn_tail_costs_only_the_unfinished_record() {
    let dir = tempfile::tempdir().unwrap();
    let outputs = open(dir.path(), &TestStore::new(false));
    for n in 0..3 {
        put(&outputs, &outcome(format!("{n}"))).await.unwrap();
    }
    let killed = after_a_kill(dir.path());
    let file = &files(killed.path(), "log")[0];
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() - 5]).unwrap();

    let store = TestStore::new(true);
    let again = open(killed.path(), &store);
    until(|| store.results() == 2).await;
    again.shutdown(Duration::from_secs(60)).await;
    assert!(files(killed.path(), "damaged").is_empty());
    assert!(files(killed.path(), "log").is_empty(), "nothing is left");
}

#[tokio::test]
async fn a_damaged_record_is_skipped_and_its_segment_kept() {
    let dir = tempfile::tempdir().unwrap();
    let outputs = open(dir.path(), &TestStore::new(false));
    for n in 0..3 {
        put(&outputs, &outcome(format!("{n}"))).await.unwrap();
    }
    let killed = after_a_kill(dir.path());
    let file = &files(killed.path(), "log")[0];
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, &bytes).unwrap();
    fs::write(killed.path().join("00000000000000ff.log"), "not a segment").unwrap();

    let store = TestStore::new(true);
    let again = open(killed.path(), &store);
    until(|| store.results() == 2).await;
    again.shutdown(Duration::from_secs(60)).await;
    assert_eq!(store.results(), 2);
    assert_eq!(files(killed.path(), "damaged").len(), 2);
}

#[tokio::test]
async fn a_full_spool_refuses_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::new(false);
    let outputs = open(dir.path(), &store);
    let mut taken = 0;
    let big = outcome("x".repeat(40_000));
    let refused = loop {
        match put(&outputs, &big).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, OutputError::Full), "{refused}");
    assert!(taken > 5);
    assert!(matches!(outputs.accepts(), Err(OutputError::Full)));
    assert!(outputs.spooled_bytes() <= SMALL.max_bytes);

    store.open.store(true, Ordering::SeqCst);
    until(|| outputs.accepts().is_ok()).await;
    until(|| store.results() == taken).await;
    put(&outputs, &big).await.unwrap();
}

#[tokio::test]
async fn what_can_never_fit_is_told_apart_from_a_full_spool() {
    let dir = tempfile::tempdir().unwrap();
    let outputs = open(dir.path(), &TestStore::new(true));
    let error = put(&outputs, &outcome("x".repeat(2 << 20))).await;
    assert!(matches!(error, Err(OutputError::TooLarge { .. })));
    // The largest that fits does fit, also after others.
    for _ in 0..3 {
        let nearly = outcome("x".repeat((1 << 20) - 5_000));
        until_ok(&outputs, &nearly).await;
    }
}

async fn until_ok(outputs: &SpooledOutputs, outcome: &Arc<Outcome>) {
    for _ in 0..12_000 {
        match put(outputs, outcome).await {
            Ok(_) => return,
            Err(OutputError::Full) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never fits");
}

#[tokio::test]
async fn two_processes_cannot_share_a_spool() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path(), &TestStore::new(true));
    let store: Arc<dyn ObjectStore> = TestStore::new(true);
    let second = SpooledOutputs::open(dir.path(), SMALL, store);
    assert!(matches!(second, Err(OutputError::InUse(_))));
}

#[tokio::test]
async fn a_shut_down_spool_is_empty_and_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = TestStore::new(true);
    let outputs = open(dir.path(), &store);
    for n in 0..100 {
        put(&outputs, &outcome(format!("{n}"))).await.unwrap();
    }
    outputs.shutdown(Duration::from_secs(60)).await;
    assert_eq!(store.results(), 100);
    assert!(files(dir.path(), "log").is_empty());
    assert!(matches!(outputs.accepts(), Err(OutputError::Closed)));
    let late = put(&outputs, &outcome("late")).await;
    assert!(matches!(late, Err(OutputError::Closed)));
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_a_dead_store() {
    let dir = tempfile::tempdir().unwrap();
    let outputs = open(dir.path(), &TestStore::new(false));
    put(&outputs, &outcome("kept")).await.unwrap();
    let started = Instant::now();
    outputs.shutdown(Duration::from_millis(100)).await;
    // The store would never take it.
    assert!(started.elapsed() < Duration::from_secs(30));
    drop(outputs);
    let store = TestStore::new(true);
    let _again = open(dir.path(), &store);
    until(|| store.results() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forced_to_disk_and_concurrent() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    let store: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::new(&root, true).unwrap());
    let config = SpoolConfig {
        max_bytes: 64 << 20,
        sync: true,
    };
    let outputs = SpooledOutputs::open(dir.path().join("spool"), config, store).unwrap();
    let outputs = Arc::new(outputs);
    let all: Vec<_> = (0..50)
        .map(|n| {
            let outputs = Arc::clone(&outputs);
            tokio::spawn(async move { put(&outputs, &outcome(format!("{n}"))).await.unwrap() })
        })
        .collect();
    for one in all {
        let execution = one.await.unwrap();
        let read = outputs.get(execution.id).await.unwrap().unwrap();
        assert_eq!(read.stdout, execution.stdout);
    }
    outputs.shutdown(Duration::from_secs(60)).await;
    assert!(files(&dir.path().join("spool"), "log").is_empty());
}
