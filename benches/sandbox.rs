//! What a fresh execution costs, in this process and in a worker.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark ends when something is amiss"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sandgate_core::{ExecuteRequest, Language};
use sandgate_sandbox::SandboxMode;

#[path = "goals/setup.rs"]
mod setup;

/// A fresh instance of each guest, which is given nothing to do, and is dropped.
fn instantiate(c: &mut Criterion) {
    let nothing = [
        ("python", Language::Python, "pass"),
        ("javascript", Language::JavaScript, ";"),
    ];
    group(c, "instantiate", &setup::in_process(), &nothing);
}

fn execute(c: &mut Criterion) {
    for mode in [setup::in_process(), setup::workers(1)] {
        let name = format!("execute, {}", setup::mode_name(&mode));
        group(c, &name, &mode, setup::SNIPPETS);
    }
}

fn group(c: &mut Criterion, name: &str, mode: &SandboxMode, snippets: &[(&str, Language, &str)]) {
    let runtime = setup::runtime();
    let executor = runtime.block_on(setup::executor(mode.clone()));
    let mut group = c.benchmark_group(name);
    group
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    for (name, language, code) in snippets {
        let task = setup::task(ExecuteRequest::new(*language, *code));
        group.bench_function(*name, |b| {
            b.iter(|| black_box(runtime.block_on(setup::run(&executor, &task))));
        });
    }
    group.finish();
}

criterion_group!(benches, instantiate, execute);
criterion_main!(benches);
