//! What a fresh execution costs, in this process and in a worker.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its figures, and ends when something is amiss"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sandgate_core::{ExecuteRequest, Language};

#[path = "goals/setup.rs"]
mod setup;

fn executions(c: &mut Criterion) {
    let runtime = setup::runtime();
    for mode in [setup::in_process(), setup::workers(1)] {
        let executor = runtime.block_on(setup::executor(mode.clone()));
        let mut group = c.benchmark_group(setup::mode_name(&mode));
        group
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        for (name, language, code) in setup::SNIPPETS {
            let task = setup::task(ExecuteRequest::new(*language, *code));
            group.bench_function(*name, |b| {
                b.iter(|| black_box(runtime.block_on(setup::run(&executor, &task))));
            });
        }
        group.finish();
    }
}

fn cache_key(c: &mut Criterion) {
    let task = setup::task(ExecuteRequest::new(Language::Python, setup::STDLIB));
    c.bench_function("cache_key", |b| {
        b.iter(|| sandgate_core::CacheKey::of(black_box(&task), "digest", "tenant"));
    });
}

criterion_group!(benches, executions, cache_key);
criterion_main!(benches);
