//! The spool over a bucket that fails in every way: what was acknowledged arrives.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sandgate::{
    Artifact, Durability, Execution, ObjectStore as _, Outcome, OutputStore as _, OutputsState,
    SpoolConfig, SpooledOutputs, Status,
};

use crate::proxy::{Fault, Proxy};
use crate::{Local, store, testing};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(100);

fn outcome(number: usize) -> Arc<Outcome> {
    let mut outcome = Outcome::empty(Status::Ok);
    outcome.stdout = format!("{number}").into();
    let file = Artifact::new("plot.png".to_owned(), vec![1; 1_000].into());
    outcome.artifacts.push(file);
    Arc::new(outcome)
}

async fn put(outputs: &SpooledOutputs, number: usize, durability: Durability) -> Execution {
    let outcome = outcome(number);
    let execution = testing::execution(&outcome);
    outputs.put(&execution, &outcome, durability).await.unwrap();
    execution
}

fn open(folder: &Path, local: &Local, endpoint: &str) -> SpooledOutputs {
    let store = Arc::new(local.store(endpoint));
    SpooledOutputs::open(folder, SpoolConfig::default(), store).unwrap()
}

/// Waits until all of `executions` are in the bucket, as they were.
async fn arrive(outputs: &SpooledOutputs, executions: &[Execution]) {
    let all = async {
        for execution in executions {
            loop {
                // The bucket may still be failing at something else.
                let found = outputs.get(execution.id).await;
                if let Ok(Some(found)) = found
                    && found.outputs.state == OutputsState::Stored
                {
                    assert_eq!(found, *execution);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let file = outputs.file(execution.id, "plot.png").await.unwrap();
            assert_eq!(file.unwrap().content, vec![1; 1_000]);
        }
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("outputs are lost");
}

const FAULTS: [Fault; 6] = [
    Fault::Status(500, "InternalError"),
    Fault::Status(503, "SlowDown"),
    Fault::Status(403, "AccessDenied"),
    Fault::Reset,
    Fault::CutOff,
    Fault::Slow(Duration::from_millis(300)),
];

#[tokio::test]
async fn what_is_spooled_while_the_bucket_fails_arrives_once_it_works() {
    for fault in FAULTS {
        let local = Local::start().await;
        let proxy = Proxy::start(local.s3.address(), fault).await;
        let folder = tempfile::tempdir().unwrap();
        let outputs = open(folder.path(), &local, &proxy.endpoint);
        let mut executions = Vec::new();
        for number in 0..5 {
            let execution = put(&outputs, number, Durability::Spooled).await;
            // Readable all the time, wherever it is.
            let found = outputs.get(execution.id).await.unwrap().unwrap();
            assert_eq!(found.stdout, number.to_string(), "{fault:?}");
            executions.push(execution);
        }
        let tried = async {
            while proxy.requests.load(Ordering::SeqCst) < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, tried).await.unwrap();
        proxy.set(Fault::None);
        arrive(&outputs, &executions).await;
        outputs.shutdown(PATIENCE).await;
    }
}

#[tokio::test]
async fn who_asks_for_stored_waits_until_it_is() {
    let local = Local::start().await;
    let proxy = Proxy::start(local.s3.address(), Fault::Status(503, "SlowDown")).await;
    let folder = tempfile::tempdir().unwrap();
    let outputs = open(folder.path(), &local, &proxy.endpoint);
    let waiting = put(&outputs, 1, Durability::Stored);
    let mut waiting = std::pin::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(500), waiting.as_mut()).await;
    assert!(early.is_err(), "answered before it was stored");
    proxy.set(Fault::None);
    let execution = tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    let found = outputs.get(execution.id).await.unwrap().unwrap();
    assert_eq!(found.outputs.state, OutputsState::Stored);
}

#[tokio::test]
async fn a_bucket_that_never_answers_does_not_hold_up_the_end_and_the_next_start_delivers() {
    let local = Local::start().await;
    let proxy = Proxy::start(local.s3.address(), Fault::Hang).await;
    let folder = tempfile::tempdir().unwrap();
    let outputs = open(folder.path(), &local, &proxy.endpoint);
    let mut executions = Vec::new();
    for number in 0..10 {
        executions.push(put(&outputs, number, Durability::Spooled).await);
    }
    tokio::time::timeout(PATIENCE, outputs.shutdown(Duration::from_millis(200)))
        .await
        .expect("it does not end");
    drop(outputs);
    let outputs = open(folder.path(), &local, &local.s3.endpoint_url());
    arrive(&outputs, &executions).await;
}

#[tokio::test]
async fn errors_name_the_bucket_the_key_and_what_to_check() {
    let local = Local::start().await;
    let endpoint = local.s3.endpoint_url();
    let id = local.s3.credentials().access_key_id.clone();
    let nobody = store(&endpoint, "AKIANOBODYNOBODYNOBO", "secret");
    let wrong = store(&endpoint, &id, "wrong");
    let gone = store("http://127.0.0.1:1", &id, "x");
    for (store, check) in [
        (&nobody, "credentials"),
        (&wrong, "credentials"),
        (&gone, "network"),
    ] {
        let error = store.get("some/key").await.unwrap_err();
        let text = format!("{error}: {}", error.source);
        assert!(text.contains("`some/key`"), "{text}");
        assert!(text.contains("`bucket`"), "{text}");
        assert!(text.contains(check), "{text}");
    }
    let proxy = Proxy::start(local.s3.address(), Fault::Status(404, "NoSuchBucket")).await;
    for (status, code, check) in [
        (404, "NoSuchBucket", "the bucket's name and AWS_REGION"),
        (301, "PermanentRedirect", "in another region"),
        (403, "AccessDenied", "s3:PutObject"),
        (403, "RequestTimeTooSkewed", "clock"),
        (503, "SlowDown", "busy"),
    ] {
        proxy.set(Fault::Status(status, code));
        let store = local.store(&proxy.endpoint);
        let error = store.get("key").await.unwrap_err();
        let text = error.source.to_string();
        assert!(text.contains(check) && text.contains(code), "{text}");
    }
}
