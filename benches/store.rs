//! What it costs to keep an execution's outputs, and to read them again: the spool alone, and with
//! the bucket behind it.
//!
//! The bucket is the embedded S3 on loopback, by the real client: its figures say what our side and
//! a local disk take, and know nothing of AWS's network.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark ends when something is amiss"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use sandgate::{
    Artifact, BoxFuture, Durability, Execution, Object, ObjectStore, Outcome, OutputStore as _,
    OutputsState, S3Config, S3Store, SpoolConfig, SpooledOutputs, Status, StoreError,
};
use sandgate_local_cloud::{LocalS3, S3Config as LocalS3Config};
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[path = "../crates/sandgate/src/testing.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod testing;

const BUCKET: &str = "bucket";

/// How many executions are written at a stretch while others are delivered: enough for the
/// deliverer to be at work, and not so many that the spool fills up.
const STRETCH: std::ops::RangeInclusive<u64> = 100..=500;

/// An execution of about 10 kB: 4 kB of text, and a file of 6 kB.
fn outcome() -> Arc<Outcome> {
    let mut outcome = Outcome::empty(Status::Ok);
    outcome.stdout = "one of many lines\n".repeat(4_000 / 18).into();
    let file = Artifact::new("plots/sales.png".to_owned(), vec![7; 6_000].into());
    outcome.artifacts.push(file);
    Arc::new(outcome)
}

/// A store that is infinitely fast: what is left is the spool.
#[derive(Debug)]
struct Discard;

impl ObjectStore for Discard {
    fn put_all(&self, _objects: Vec<Object>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn get<'a>(&'a self, _key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn uri(&self, key: &str) -> String {
        format!("discard://{key}")
    }
}

/// S3 on this machine, and folders on the disk that cargo builds on rather than in memory.
struct Setup {
    tokio: Runtime,
    s3: LocalS3,
    folder: TempDir,
}

impl Setup {
    fn new() -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = LocalS3Config::new(folder.path().join("s3"), [BUCKET]);
        let s3 = tokio.block_on(LocalS3::start(config)).unwrap();
        Self { tokio, s3, folder }
    }

    fn store(&self) -> S3Store {
        let keys = self.s3.credentials();
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        // On loopback: no TLS.
        let http = aws_smithy_http_client::Builder::new().build_http();
        let sdk = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(id, secret, None, None, "bench"))
            .http_client(http)
            .endpoint_url(self.s3.endpoint_url());
        let mut config = S3Config::new(BUCKET);
        config.path_style = true;
        let _inside = self.tokio.enter();
        S3Store::new(config, sdk)
    }

    fn spool(&self, name: &str, sync: bool, store: impl ObjectStore + 'static) -> SpooledOutputs {
        let config = SpoolConfig {
            sync,
            ..SpoolConfig::default()
        };
        let folder = self.folder.path().join(name);
        SpooledOutputs::open(folder, config, Arc::new(store)).unwrap()
    }

    fn put(&self, outputs: &SpooledOutputs, outcome: &Arc<Outcome>, how: Durability) -> Execution {
        let execution = testing::execution(outcome);
        self.tokio
            .block_on(outputs.put(&execution, outcome, how))
            .unwrap();
        execution
    }

    /// Waits until the bucket has an execution, and so all before it.
    fn await_stored(&self, outputs: &SpooledOutputs, execution: &Execution) {
        loop {
            let found = self.tokio.block_on(outputs.get(execution.id)).unwrap();
            if found.unwrap().outputs.state == OutputsState::Stored {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn serialise(c: &mut Criterion) {
    let execution = testing::execution(&outcome());
    c.benchmark_group("serialise")
        .bench_function("result.json, 4 kB", |b| {
            b.iter(|| serde_json::to_vec(black_box(&execution)).unwrap());
        });
}

/// From the outcome until it counts as spooled.
fn spool(c: &mut Criterion) {
    let (setup, outcome) = (Setup::new(), outcome());
    let mut group = c.benchmark_group("spool");
    for (name, sync) in [("write", false), ("write, forced to the disk", true)] {
        let outputs = setup.spool(name, sync, Discard);
        group.bench_function(name, |b| {
            b.iter(|| setup.put(&outputs, &outcome, Durability::Spooled));
        });
        setup.tokio.block_on(outputs.shutdown(Duration::ZERO));
    }
    let outputs = setup.spool("delivered", false, setup.store());
    group.bench_function("write, while it is delivered to S3", |b| {
        b.iter_custom(|rounds| {
            let stretch = rounds.clamp(*STRETCH.start(), *STRETCH.end());
            let start = Instant::now();
            let written = (0..stretch)
                .map(|_| setup.put(&outputs, &outcome, Durability::Spooled))
                .last();
            let taken = start.elapsed();
            setup.await_stored(&outputs, &written.unwrap());
            taken.mul_f64(rounds as f64 / stretch as f64)
        });
    });
    group.finish();
}

/// The bucket: by itself, until an answer may say `stored`, and back.
fn s3(c: &mut Criterion) {
    let (setup, outcome) = (Setup::new(), outcome());
    let store = setup.store();
    let mut group = c.benchmark_group("s3");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(4));
    let (mut number, content) = (0_u64, Bytes::from(vec![b'x'; 10_000]));
    group.bench_function("put, 10 kB", |b| {
        b.iter(|| {
            number += 1;
            let object = Object {
                key: format!("put/{number}"),
                content: content.clone(),
                media_type: "application/json".to_owned(),
            };
            setup.tokio.block_on(store.put_all(vec![object])).unwrap();
        });
    });
    let outputs = setup.spool("stored", false, store.clone());
    group.bench_function("execution stored, 10 kB in two objects", |b| {
        b.iter(|| setup.put(&outputs, &outcome, Durability::Stored));
    });
    let execution = setup.put(&outputs, &outcome, Durability::Stored);
    setup.await_stored(&outputs, &execution);
    group.bench_function("execution read through the spool's index", |b| {
        b.iter(|| {
            let found = setup.tokio.block_on(outputs.get(execution.id)).unwrap();
            assert_eq!(found.unwrap().outputs.state, OutputsState::Stored);
        });
    });
    group.bench_function("file read through the spool's index, 6 kB", |b| {
        b.iter(|| {
            let file = outputs.file(execution.id, "plots/sales.png");
            assert!(setup.tokio.block_on(file).unwrap().is_some());
        });
    });
    group.finish();
}

criterion_group!(benches, serialise, spool, s3);
criterion_main!(benches);
