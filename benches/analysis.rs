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

const PYTHON: [&str; 2] = [
    "import json\nimport math\nimport os.path\nfrom collections import Counter, defaultdict\n\
     try:\n    import numpy as np\nexcept ImportError:\n    np = None\n\n",
    "def step_@(values, limit=10, *, name=\"step\"):\n    \"\"\"Adds up what is below the limit.\"\"\"\n    \
     total = 0.0\n    for i, value in enumerate(values):\n        if value < limit and i % 2 == 0:\n            \
     total += math.sqrt(value) * i - values[i - 1] / 3\n    print(f\"{name}: {total:.2f} of {len(values)}\")\n    \
     return {\"name\": name, \"total\": total, \"rest\": [v for v in values if v >= limit]}\n\n",
];
const TYPESCRIPT: [&str; 2] = [
    "import _ from \"lodash\";\nimport { z, type ZodType } from \"zod\";\nimport { readFile } from \"node:fs/promises\";\n\
     interface Row { name: string; total: number }\n\n",
    "export async function step@(values: number[], limit: number = 10): Promise<Row> {\n  let total = 0;\n  \
     for (const [i, value] of values.entries()) {\n    if (value < limit && i % 2 === 0) {\n      \
     total += Math.sqrt(value) * i - (values[i - 1] ?? 0) / 3;\n    }\n  }\n  \
     console.log(`step: ${total.toFixed(2)} of ${values.length}`);\n  return { name: \"step\", total } as Row;\n}\n\n",
];
const JAVASCRIPT: [&str; 2] = [
    "import _ from \"lodash\";\nimport { z } from \"zod\";\nconst { readFile } = require(\"node:fs/promises\");\n\n",
    "async function step@(values, limit = 10) {\n  let total = 0;\n  \
     for (const [i, value] of values.entries()) {\n    if (value < limit && i % 2 === 0) {\n      \
     total += Math.sqrt(value) * i - (values[i - 1] ?? 0) / 3;\n    }\n  }\n  \
     console.log(`step: ${total.toFixed(2)} of ${values.length}`);\n  return { name: \"step\", total };\n}\n\n",
];
const R: [&str; 2] = [
    "library(dplyr)\nsuppressPackageStartupMessages(library(\"tidyr\"))\n\n",
    "step_@ <- function(values, limit = 10) {\n  # Adds up what is below the limit.\n  total <- 0\n  \
     for (i in seq_along(values)) {\n    if (values[i] < limit && i %% 2 == 0) {\n      \
     total <- total + sqrt(values[[i]]) * i\n    }\n  }\n  \
     data.frame(x = values) |> dplyr::filter(x > limit) %>% mutate(y = x^2)\n  cat(\"total\", total, \"\\n\")\n}\n\n",
];

/// A hundred lines or a few more.
fn snippet([start, block]: [&str; 2]) -> String {
    let mut code = start.to_owned();
    for n in 0.. {
        if code.lines().count() >= 100 {
            break;
        }
        code.push_str(&block.replace('@', &n.to_string()));
    }
    code
}

fn analysis(c: &mut Criterion) {
    let mut group = c.benchmark_group("analyse 100 lines");
    for (language, parts) in [
        (Language::Python, PYTHON),
        (Language::JavaScript, JAVASCRIPT),
        (Language::TypeScript, TYPESCRIPT),
        (Language::R, R),
    ] {
        let code = snippet(parts);
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
