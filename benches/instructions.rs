//! What the router's parts do, for callgrind to count their instructions: `cargo xtask instructions`
//! runs each under it. Load and clock do not change these counts, so that a difference between two
//! commits is a difference of the code.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its names, and ends when something is amiss"
)]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use sandgate::analysis::analyse;
use sandgate::{
    CacheKey, CacheStatus, DirectoryStore, Durability, ExecuteRequest, Language, Outcome,
    OutputStore, RequestRules, Router, SpoolConfig, SpooledOutputs, Status, Uuid,
};
use tokio::runtime::Runtime;

mod snippets;
#[path = "../crates/sandgate/src/testing.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod testing;

use testing::TestExecutor;

/// Something to be done again and again.
type Work = Box<dyn FnMut()>;

/// What prepares the work that is counted, by name.
type Benchmark = (&'static str, fn() -> Work);

const BENCHMARKS: &[Benchmark] = &[
    ("analyse/python", || analysis(Language::Python, 100)),
    ("analyse/javascript", || analysis(Language::JavaScript, 100)),
    ("analyse/typescript", || analysis(Language::TypeScript, 100)),
    // R's parser stops after a while by the clock, which callgrind makes everything slow for.
    ("analyse/r", || analysis(Language::R, 25)),
    ("validate", validate),
    ("plan/known code", plan_known),
    ("plan/new code", plan_new),
    ("key", key),
    ("hit", hit),
    ("read/request", read),
    ("serialise/answer", serialise),
    ("spool", spool),
];

/// Callgrind counts from when this is entered until it is left: `cargo xtask instructions` knows its
/// name.
#[inline(never)]
fn counted_instructions(work: &mut dyn FnMut(), rounds: u32) {
    for _ in 0..rounds {
        work();
    }
    // The last call is no jump that leaves this function.
    black_box(());
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["list"] = arguments[..] {
        for (name, _) in BENCHMARKS {
            println!("{name}");
        }
    } else if let ["count", name, rounds] = arguments[..] {
        let known = BENCHMARKS.iter().find(|(known, _)| *known == name);
        let (_, prepare) = known.unwrap();
        let mut work = prepare();
        // What is made on first use is no part of it.
        work();
        counted_instructions(&mut work, rounds.parse().unwrap());
    } else {
        // From `cargo bench`, with arguments for all benchmarks.
        println!("these are counted, not timed: cargo xtask instructions");
    }
}

fn analysis(language: Language, lines: usize) -> Work {
    let code = snippets::of(language, lines);
    Box::new(move || {
        let found = analyse(language, black_box(&code), &[]);
        assert!(found.imports.len() >= 2 && found.syntax_error.is_none());
        assert_eq!(found.skipped, None);
    })
}

fn request() -> ExecuteRequest {
    ExecuteRequest::python(snippets::of(Language::Python, 100))
}

fn validate() -> Work {
    let (rules, request) = (RequestRules::default(), request());
    Box::new(move || {
        black_box(rules.task(black_box(request.clone())).unwrap());
    })
}

/// A router without threads, of backends that run nothing.
fn router() -> (Runtime, Router) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let builder = Router::builder()
        .executor(Arc::new(TestExecutor::default()) as _)
        .executor(Arc::new(TestExecutor::lambda()) as _);
    let router = tokio.block_on(builder.build()).unwrap();
    (tokio, router)
}

fn plan_known() -> Work {
    let ((tokio, router), request) = (router(), request());
    Box::new(move || {
        black_box(tokio.block_on(router.plan(request.clone())).unwrap());
    })
}

fn plan_new() -> Work {
    let ((tokio, router), request) = (router(), request());
    let mut n = 0_u32;
    Box::new(move || {
        n += 1;
        let new = ExecuteRequest::python(format!("{}# {n:08}\n", request.code));
        black_box(tokio.block_on(router.plan(new)).unwrap());
    })
}

fn key() -> Work {
    let task = RequestRules::default().task(request()).unwrap();
    Box::new(move || {
        black_box(CacheKey::of(black_box(&task), "digest", "tenant"));
    })
}

/// From the request to the answer, validated, planned and stored in memory.
fn hit() -> Work {
    let ((tokio, router), request) = (router(), request());
    tokio.block_on(router.execute(request.clone())).unwrap();
    Box::new(move || {
        let execution = tokio.block_on(router.execute(request.clone())).unwrap();
        assert_eq!(execution.cache.status, CacheStatus::Hit);
    })
}

/// A request as it comes over HTTP.
fn read() -> Work {
    let text = serde_json::json!({"language": "python", "code": request().code}).to_string();
    Box::new(move || {
        black_box(serde_json::from_str::<ExecuteRequest>(black_box(&text)).unwrap());
    })
}

/// What a snippet that printed 10 KB left.
fn outcome() -> Arc<Outcome> {
    let mut outcome = Outcome::empty(Status::Ok);
    outcome.exit_code = Some(0);
    outcome.stdout = Bytes::from("a line that was printed\n".repeat(400));
    Arc::new(outcome)
}

/// The answer as it goes out over HTTP.
fn serialise() -> Work {
    let execution = testing::execution(&outcome());
    Box::new(move || {
        black_box(serde_json::to_string(black_box(&execution)).unwrap());
    })
}

/// What the answer waits for. The system's part, and the delivery by another thread, are not counted.
fn spool() -> Work {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(DirectoryStore::new(folder.path().join("store"), false).unwrap());
    let spool = folder.path().join("spool");
    let spool = SpooledOutputs::open(spool, SpoolConfig::default(), store as _).unwrap();
    let (tokio, _) = router();
    let outcome = outcome();
    let mut execution = testing::execution(&outcome);
    Box::new(move || {
        let _ = &folder;
        execution.id = Uuid::now_v7();
        let put = spool.put(&execution, &outcome, Durability::Spooled);
        tokio.block_on(put).unwrap();
    })
}
