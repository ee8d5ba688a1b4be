//! What the router itself costs: planning, cache keys, hits, and many callers at one key.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark ends when something is amiss"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sandgate::{CacheKey, CacheStatus, ExecuteRequest, RequestRules, Router};
use tokio::runtime::Runtime;

#[path = "../crates/sandgate/src/testing.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod testing;

use testing::TestExecutor;

/// About a hundred lines in the style of a model: imports, functions, a loop, a report.
fn snippet() -> String {
    let mut code = String::from(
        "import json\nimport math\nimport os\nimport sys\nfrom collections import Counter\n\n",
    );
    for n in 0..15 {
        code.push_str(&format!(
            "def step_{n}(values, limit={n}):\n    \"\"\"One of the steps.\"\"\"\n    total = 0\n    \
             for i, value in enumerate(values):\n        total += math.sqrt(value) * i\n    return \
             min(total, limit)\n\n"
        ));
    }
    code.push_str("print(json.dumps({'total': step_1([1, 2, 3])}))\n");
    code
}

fn tokio() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn router(tokio: &Runtime) -> Router {
    let builder = Router::builder()
        .executor(Arc::new(TestExecutor::default()) as _)
        .executor(Arc::new(TestExecutor::lambda()) as _);
    tokio.block_on(builder.build()).unwrap()
}

fn plan(c: &mut Criterion) {
    let (tokio, mut group) = (tokio(), c.benchmark_group("plan"));
    let router = router(&tokio);
    let request = ExecuteRequest::python(snippet());
    group.bench_function("known code", |b| {
        b.iter(|| {
            tokio
                .block_on(router.plan(black_box(request.clone())))
                .unwrap()
        });
    });
    let mut n = 0_u64;
    group.bench_function("new code", |b| {
        b.iter_batched(
            || {
                n += 1;
                ExecuteRequest::python(format!("{}# {n}\n", request.code))
            },
            |request| tokio.block_on(router.plan(request)).unwrap(),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn key(c: &mut Criterion) {
    let mut group = c.benchmark_group("key");
    for (name, bytes) in [("100 lines", 0), ("100 lines and 1 MiB of stdin", 1 << 20)] {
        let mut request = ExecuteRequest::python(snippet());
        request.stdin = "x".repeat(bytes);
        let task = RequestRules::default().task(request).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| CacheKey::of(black_box(&task), "digest", "tenant"));
        });
    }
    group.finish();
}

/// From the request to the answer, validated, analysed, planned and stored in memory.
fn hit(c: &mut Criterion) {
    let (tokio, mut group) = (tokio(), c.benchmark_group("hit"));
    let router = router(&tokio);
    let request = ExecuteRequest::python(snippet());
    tokio.block_on(router.execute(request.clone())).unwrap();
    group.bench_function("in the library", |b| {
        b.iter(|| {
            let execution = tokio.block_on(router.execute(request.clone())).unwrap();
            assert_eq!(execution.cache.status, CacheStatus::Hit);
        });
    });
    group.finish();
}

/// Many callers ask for the same new work at once: the time until all have their answer.
fn single_flight(c: &mut Criterion) {
    let (tokio, mut group) = (tokio(), c.benchmark_group("single_flight"));
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(4));
    for callers in [1, 100, 1_000] {
        let router = router(&tokio);
        let mut n = 0_u64;
        group.bench_function(BenchmarkId::from_parameter(callers), |b| {
            b.iter_custom(|rounds| {
                let start = Instant::now();
                for _ in 0..rounds {
                    n += 1;
                    let request = ExecuteRequest::python(format!("print {n}"));
                    tokio.block_on(async {
                        let mut all = tokio::task::JoinSet::new();
                        for _ in 0..callers {
                            let (router, request) = (router.clone(), request.clone());
                            all.spawn(async move { router.execute(request).await.unwrap() });
                        }
                        assert_eq!(all.join_all().await.len(), callers);
                    });
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, plan, key, hit, single_flight);
criterion_main!(benches);
