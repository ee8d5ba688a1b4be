//! What looking at a snippet costs: its analysis in each language, and names in a catalogue.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark ends when something is amiss"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sandgate::analysis::analyse;
use sandgate::names::RuntimeIndex;
use sandgate::{BackendKind, Language, ModuleInfo, PackageInfo, Runtime};

mod snippets;

fn analysis(c: &mut Criterion) {
    let mut group = c.benchmark_group("analyse 100 lines");
    for language in [
        Language::Python,
        Language::JavaScript,
        Language::TypeScript,
        Language::R,
    ] {
        let code = snippets::of(language, 100);
        let found = analyse(language, &code, &[]);
        assert!(found.imports.len() >= 2 && found.syntax_error.is_none());
        group.throughput(Throughput::Bytes(code.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(language), |b| {
            b.iter(|| analyse(language, black_box(&code), &[]));
        });
    }
    group.finish();
}

fn hostile(c: &mut Criterion) {
    let mut group = c.benchmark_group("analyse hostile code");
    group.sample_size(10);
    for (name, language, code) in [
        ("python, 1 MiB of [", Language::Python, "[".repeat(1 << 20)),
        ("python, 4,000 (", Language::Python, "(".repeat(4_000)),
        (
            "javascript, 550 (a = ",
            Language::JavaScript,
            "(a = ".repeat(550),
        ),
        ("r, 200,000 a => ", Language::R, "a => ".repeat(200_000)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| analyse(language, black_box(&code), &[]))
        });
    }
    group.finish();
}

fn names(c: &mut Criterion) {
    let modules = (0..2_500).map(|n| ModuleInfo {
        name: format!("package{}.module{}", n / 50, n % 50),
        package: Some(format!("Package_{}", n / 50)),
    });
    let packages = (0..50).map(|n| PackageInfo {
        name: format!("Package_{n}"),
        version: "1.0".to_owned(),
    });
    let index = RuntimeIndex::new(&Runtime {
        backend: BackendKind::Wasm,
        language: Language::Python,
        implementation: "CPython".to_owned(),
        version: "3.13.5".to_owned(),
        digest: String::new(),
        modules: modules.collect(),
        packages: packages.collect(),
    });
    let mut group = c.benchmark_group("names");
    assert!(index.has_module("package7.module7") && index.has_package("package-7"));
    group.bench_function("module", |b| {
        b.iter(|| index.has_module(black_box("package7.module7")));
    });
    group.bench_function("package", |b| {
        b.iter(|| index.has_package(black_box("package-7")));
    });
    group.finish();
}

criterion_group!(benches, analysis, hostile, names);
criterion_main!(benches);
