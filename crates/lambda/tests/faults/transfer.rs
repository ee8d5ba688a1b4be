//! Large tasks and outcomes through a real bucket, by runners that are honest and by some that are
//! not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sandgate_core::{
    Artifact, ErrorKind, Executor as _, Limits, Outcome, Passed, RunnerReply, Slot, Status, Stored,
    Task, TaskFile,
};
use sandgate_lambda::{LambdaExecutor, Transfer, TransferConfig};
use sandgate_local_cloud::{LocalS3, S3Config};
use sha2::{Digest as _, Sha256};

use crate::fake::{self, Act, Fake, Invoke, config, ok, run, task, until};
use crate::proxy::{Fault, Proxy};

const BUCKET: &str = "bucket";

/// A bucket, and an executor that passes what is over 10 kB through it.
struct Setup {
    dir: tempfile::TempDir,
    s3: LocalS3,
    fake: Fake,
    executor: LambdaExecutor,
}

impl Setup {
    async fn new(handler: impl Fn(usize, Invoke) -> Act + Send + Sync + 'static) -> Self {
        let (dir, s3) = bucket().await;
        let endpoint = s3.endpoint_url();
        Self::with(dir, s3, &endpoint, Transfer::DEFAULT_PATIENCE, handler).await
    }

    /// With a bucket that is reached at `endpoint`.
    async fn with(
        dir: tempfile::TempDir,
        s3: LocalS3,
        endpoint: &str,
        patience: Duration,
        handler: impl Fn(usize, Invoke) -> Act + Send + Sync + 'static,
    ) -> Self {
        let fake = Fake::start(handler).await;
        let transfer = Transfer::new(
            TransferConfig {
                bucket: BUCKET.to_owned(),
                prefix: "transfer/".to_owned(),
                path_style: true,
                max_bytes: 8 << 20,
                patience,
            },
            fake::s3(&s3).endpoint_url(endpoint),
        );
        let mut config = config();
        config.inline_bytes = 10_000;
        let executor = fake::with_transfer(&fake.address, config, Some(transfer)).await;
        Self {
            dir,
            s3,
            fake,
            executor,
        }
    }

    /// Whether anything is left in the bucket.
    fn is_clean(&self) -> bool {
        fn empty(folder: &Path) -> bool {
            let entries = std::fs::read_dir(folder).into_iter().flatten();
            let mut paths = entries.map(|entry| entry.unwrap().path());
            paths.all(|path| path.is_dir() && empty(&path))
        }
        empty(&self.dir.path().join(BUCKET))
    }
}

async fn bucket() -> (tempfile::TempDir, LocalS3) {
    let dir = tempfile::tempdir().unwrap();
    let s3 = LocalS3::start(S3Config::new(dir.path(), [BUCKET]));
    let s3 = s3.await.unwrap();
    (dir, s3)
}

/// What an honest runner does with a task that lies in the bucket.
fn fetch(passed: &Passed<Task>) -> Task {
    match passed {
        Passed::Inline(task) => task.clone(),
        Passed::Stored(stored) => {
            let url = stored.url.as_ref().unwrap();
            let body = ureq::get(url)
                .call()
                .unwrap()
                .body_mut()
                .read_to_vec()
                .unwrap();
            assert_eq!(body.len() as u64, stored.bytes);
            assert_eq!(sha256(&body), stored.sha256);
            serde_json::from_slice(&body).unwrap()
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What an honest runner does with an outcome that is too large for a message.
fn store(slot: &Slot, json: &[u8]) -> Stored {
    let mut put = ureq::put(&slot.url);
    for (name, value) in &slot.headers {
        put = put.header(name, value);
    }
    put.send(json).unwrap();
    Stored {
        url: None,
        bytes: json.len() as u64,
        sha256: sha256(json),
    }
}

fn stored(stored: Stored) -> Act {
    Act::reply(&RunnerReply::Executed(Passed::Stored(stored)))
}

fn with_file(bytes: usize) -> Task {
    let mut task = task("1");
    task.files.push(TaskFile {
        path: "in.bin".to_owned(),
        content: vec![0xff; bytes].into(),
    });
    task
}

/// Answers with the task's own file.
fn echo(_: usize, invoke: Invoke) -> Act {
    let (passed, slot) = invoke.execute();
    let task = fetch(passed);
    let mut outcome = ok(&task.code);
    let files = task.files.into_iter();
    outcome.artifacts = files.map(|f| Artifact::new(f.path, f.content)).collect();
    let json = serde_json::to_vec(&outcome).unwrap();
    let slot = slot.unwrap();
    if json.len() as u64 <= slot.inline_bytes {
        Act::outcome(outcome)
    } else {
        stored(store(slot, &json))
    }
}

#[tokio::test]
async fn what_is_large_goes_through_the_bucket_and_is_deleted_there() {
    let setup = Setup::new(echo).await;
    for bytes in [0, 1_000, 8_000, 100_000, 3_000_000] {
        let task = with_file(bytes);
        let sent = task.files[0].content.clone();
        let outcome = run(&setup.executor, task).await.unwrap();
        assert_eq!(outcome.status, Status::Ok, "{bytes}");
        assert_eq!(outcome.artifacts[0].content, sent, "{bytes}");
        assert_eq!(outcome.usage.billed_ms, 42);
    }
    {
        let invokes = setup.fake.invokes.lock().unwrap();
        let inline = invokes
            .iter()
            .map(|i| matches!(i.execute().0, Passed::Inline(_)));
        // 8,000 bytes that are no text take 10,668 characters of base64.
        assert_eq!(
            inline.collect::<Vec<_>>(),
            [true, true, false, false, false]
        );
    }
    until(|| setup.is_clean()).await;
}

#[tokio::test]
async fn a_url_is_good_for_its_own_object_only() {
    let setup = Setup::new(|_, invoke| {
        let (passed, slot) = invoke.execute();
        let Passed::Stored(task) = passed else {
            panic!("inline");
        };
        let url = task.url.as_ref().unwrap();
        let refused = |url: &str| match ureq::get(url).call() {
            Err(ureq::Error::StatusCode(status)) => (400..500).contains(&status),
            Ok(_) | Err(_) => false,
        };
        let others = [
            url.replace("task.json", "outcome.json"),
            url.replace("transfer/", "executions/"),
            url.split('?').next().unwrap().to_owned(),
            slot.unwrap().url.clone(),
        ];
        let all = others.iter().all(|other| refused(other)) && ureq::put(url).send("x").is_err();
        Act::outcome(ok(&all.to_string()))
    })
    .await;
    let outcome = run(&setup.executor, with_file(100_000)).await.unwrap();
    assert_eq!(outcome.stdout, "true");
    until(|| setup.is_clean()).await;
}

/// A runner that a snippet has taken over.
async fn hostile(answer: fn(&Slot, &[u8]) -> Act) -> Result<Outcome, ErrorKind> {
    let setup = Setup::new(move |_, invoke| {
        let outcome = ok(&"x".repeat(100_000));
        let json = serde_json::to_vec(&outcome).unwrap();
        answer(invoke.execute().1.unwrap(), &json)
    })
    .await;
    let outcome = run(&setup.executor, task("1")).await;
    until(|| setup.is_clean()).await;
    outcome.map_err(|error| error.kind)
}

#[tokio::test]
async fn a_runner_that_lies_about_what_it_stored_is_not_believed() {
    let honest = hostile(|slot, json| stored(store(slot, json))).await;
    assert_eq!(honest.unwrap().stdout.len(), 100_000);
    for (what, answer) in [
        (
            "another digest",
            (|slot, json| {
                let mut lie = store(slot, json);
                lie.sha256 = sha256(b"");
                stored(lie)
            }) as fn(&Slot, &[u8]) -> Act,
        ),
        ("more than it says", |slot, json| {
            let mut lie = store(slot, json);
            lie.bytes -= 1;
            stored(lie)
        }),
        ("less than it says", |slot, json| {
            let mut lie = store(slot, json);
            lie.bytes += 1;
            stored(lie)
        }),
        ("no JSON", |slot, _| stored(store(slot, b"{{{"))),
        ("far too much", |_, _| {
            stored(Stored {
                url: None,
                bytes: u64::MAX,
                sha256: String::new(),
            })
        }),
    ] {
        assert_eq!(hostile(answer).await, Err(ErrorKind::Internal), "{what}");
    }
    // It may be on its way, or lost: that is for S3 to know.
    let nothing = hostile(|_, json| {
        stored(Stored {
            url: None,
            bytes: json.len() as u64,
            sha256: sha256(json),
        })
    });
    assert_eq!(nothing.await, Err(ErrorKind::Unavailable));
}

#[tokio::test]
async fn an_outcome_in_the_bucket_is_held_to_the_tasks_limits() {
    let setup = Setup::new(|_, invoke| {
        let outcome = ok(&"x".repeat(100_000));
        let json = serde_json::to_vec(&outcome).unwrap();
        stored(store(invoke.execute().1.unwrap(), &json))
    })
    .await;
    let mut small = task("1");
    small.limits.output_bytes = 99_999;
    let outcome = run(&setup.executor, small.clone()).await.unwrap();
    assert_eq!(outcome.status, Status::Crashed);
    // What no outcome within the limits can have is not even read.
    small.limits = Limits {
        output_bytes: 1,
        result_bytes: 1,
        file_bytes: 1,
        files: 1,
        ..Limits::DEFAULT
    };
    let outcome = run(&setup.executor, small).await.unwrap();
    assert_eq!(outcome.status, Status::Crashed);
    until(|| setup.is_clean()).await;
}

#[tokio::test]
async fn a_task_over_what_is_passed_on_is_refused() {
    let setup = Setup::new(echo).await;
    let error = run(&setup.executor, with_file(7 << 20)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("at most 8388608"), "{error}");
    assert_eq!(setup.fake.calls(), 0);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_reached_is_named() {
    let setup = Setup::new(echo).await;
    let Setup { s3, executor, .. } = setup;
    s3.shutdown().await;
    let error = run(&executor, with_file(100_000)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(
        error.message.contains("cannot write s3://bucket/transfer/"),
        "{error}"
    );
}

/// Those that are told at once, and one that never is.
const FAULTS: [Fault; 6] = [
    Fault::Status(500, "InternalError"),
    Fault::Status(503, "SlowDown"),
    Fault::Status(403, "AccessDenied"),
    Fault::Reset,
    Fault::CutOff,
    Fault::Hang,
];

/// How long a transfer may take under `fault`.
fn patience(fault: Fault) -> Duration {
    match fault {
        Fault::Hang => Duration::from_secs(8),
        Fault::None | Fault::Status(..) | Fault::Reset | Fault::CutOff | Fault::Slow(_) => {
            Transfer::DEFAULT_PATIENCE
        }
    }
}

#[tokio::test]
async fn a_bucket_that_does_not_take_the_task_is_not_the_functions_failure() {
    for fault in FAULTS {
        let (dir, s3) = bucket().await;
        let proxy = Proxy::start(s3.address(), fault).await;
        let endpoint = &proxy.endpoint;
        let setup = Setup::with(dir, s3, endpoint, patience(fault), echo).await;
        let error = run(&setup.executor, with_file(100_000)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{fault:?}: {error}");
        assert!(error.message.contains("s3://bucket/"), "{fault:?}: {error}");
        assert_eq!(setup.fake.calls(), 0, "{fault:?}");
        assert!(setup.executor.is_ready(), "{fault:?}");
        // Slow is not broken, and what failed is forgotten.
        for works in [Fault::Slow(Duration::from_millis(100)), Fault::None] {
            proxy.set(works);
            let outcome = run(&setup.executor, with_file(100_000)).await.unwrap();
            assert_eq!(outcome.artifacts[0].content.len(), 100_000);
        }
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_fetched_is_not_run_again() {
    for fault in FAULTS {
        let (dir, s3) = bucket().await;
        let proxy = Arc::new(Proxy::start(s3.address(), Fault::None).await);
        let (failing, endpoint) = (Arc::clone(&proxy), proxy.endpoint.clone());
        let handler = move |call, invoke: Invoke| {
            let act = echo(call, invoke);
            failing.set(fault);
            act
        };
        let setup = Setup::with(dir, s3, &endpoint, patience(fault), handler).await;
        let error = run(&setup.executor, with_file(100_000)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{fault:?}: {error}");
        assert_eq!(setup.fake.calls(), 1, "{fault:?}: it ran twice");
        assert!(setup.executor.is_ready(), "{fault:?}");
    }
}

#[tokio::test]
async fn who_leaves_leaves_nothing_behind() {
    let setup = Setup::new(|_, _| Act::Hang).await;
    tokio::select! {
        outcome = run(&setup.executor, with_file(100_000)) => panic!("{outcome:?}"),
        () = until(|| setup.fake.calls() == 1) => assert!(!setup.is_clean()),
    }
    until(|| setup.is_clean()).await;
}
