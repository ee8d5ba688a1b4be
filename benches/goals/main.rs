//! The project's goals, measured side by side in one run: `cargo xtask bench`.
//!
//! Figures of a shared machine wander; ratios of things measured alternately do not. So whatever
//! is compared is measured in turns, one by one or some of each, and the ratio is that of the medians.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its figures, and ends when something is amiss"
)]

mod http;
mod peers;
mod report;
mod sampling;
mod setup;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{ExecuteRequest, Language, Task};
use sandgate_sandbox::SandboxExecutor;

use crate::report::Report;
use crate::sampling::{Samples, in_blocks, in_turns, throughput};

fn main() {
    // `cargo test --benches` runs this as well, to see that it builds; measuring is not its job.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 100 } else { 600 };
    let window = Duration::from_secs(if quick { 1 } else { 4 });

    let mut report = Report::new();
    latency(&mut report, rounds);
    compute(&mut report, rounds / 20);
    workers(&mut report, rounds, window);
    memory(&mut report);
    http::measure(&mut report, window);
    report.print();
}

fn python(code: &str) -> Arc<Task> {
    setup::task(ExecuteRequest::new(Language::Python, code))
}

fn javascript(code: &str) -> Arc<Task> {
    setup::task(ExecuteRequest::new(Language::JavaScript, code))
}

/// One timed execution after another on an executor of their own.
struct Bench {
    runtime: tokio::runtime::Runtime,
    executor: Arc<SandboxExecutor>,
}

impl Bench {
    fn new(mode: sandgate_sandbox::SandboxMode) -> Self {
        let runtime = setup::runtime();
        let executor = runtime.block_on(setup::executor(mode));
        Self { runtime, executor }
    }

    fn time(&self, task: &Arc<Task>) -> Duration {
        let start = Instant::now();
        let outcome = self.runtime.block_on(setup::run(&self.executor, task));
        let elapsed = start.elapsed();
        assert!(outcome.status.is_complete(), "{:?}", outcome.status);
        elapsed
    }

    /// What an execution takes besides what it says that it ran for.
    fn time_beside_the_run(&self, task: &Arc<Task>) -> Duration {
        let start = Instant::now();
        let outcome = self.runtime.block_on(setup::run(&self.executor, task));
        let ran = Duration::from_secs_f64(outcome.usage.wall_ms / 1e3);
        start.elapsed().saturating_sub(ran)
    }
}

/// How many times in a row what is measured for itself runs.
const BLOCK: usize = 20;

/// Small snippets in fresh instances against fresh processes.
fn latency(report: &mut Report, rounds: usize) {
    let bench = Bench::new(setup::in_process());
    let (print, stdlib, log) = (
        python(setup::PRINT),
        python(setup::STDLIB),
        javascript(setup::LOG),
    );
    let raise = python(setup::RAISE);
    let names = [
        ("python print(1+1)", Some(0.25)),
        ("python stdlib snippet", Some(0.6)),
        ("python uncaught error", None),
        ("javascript console.log(1+1)", Some(0.05)),
    ];
    let mut subjects = [&print, &stdlib, &raise, &log].map(|task| || bench.time(task));
    let [first, second, third, fourth] = &mut subjects;
    let alone = in_blocks(
        rounds / 10,
        BLOCK,
        [&mut *first, &mut *second, &mut *third, &mut *fourth],
    );
    for ((name, goal), samples) in names.iter().zip(&alone) {
        report.latency(&format!("{name}, in process"), samples, *goal);
    }
    let mixed = in_turns(rounds, [first, second, third, fourth]);
    for ((name, _), samples) in names.iter().zip(&mixed) {
        report.latency(
            &format!("{name}, in process, in turns with the others"),
            samples,
            None,
        );
    }

    let [ours, spawned] = in_blocks(
        rounds / 40,
        BLOCK,
        [&mut || bench.time(&print), &mut peers::spawn_python],
    );
    report.latency("spawn python3 -I -S -c 'print(1+1)'", &spawned, None);
    report.at_least(
        "spawned python3 / ours",
        spawned.median() / ours.median(),
        40.0,
    );
    let [ours, spawned] = in_turns(
        rounds / 10,
        [&mut || bench.time(&print), &mut peers::spawn_python],
    );
    report.figure(
        "spawned python3 / ours, strictly in turns: both find cold caches",
        spawned.median() / ours.median(),
        "times",
    );
    match peers::Pyeryx::start() {
        Ok(mut peer) => {
            let [ours, theirs] = in_blocks(
                rounds / 40,
                BLOCK,
                [&mut || bench.time(&print), &mut || peer.fresh()],
            );
            report.latency("pyeryx, fresh sandbox, print(1+1)", &theirs, None);
            report.at_least("pyeryx / ours", theirs.median() / ours.median(), 12.0);
        }
        Err(why) => report.skipped("pyeryx / ours", &why),
    }
}

/// The interpreters' own speed, with fuel, against the same interpreters compiled for this machine.
fn compute(report: &mut Report, rounds: usize) {
    let bench = Bench::new(setup::in_process());
    let fib = python(setup::FIB_PYTHON);
    match peers::Native::python() {
        Ok(mut native) => {
            let [ours, theirs] = in_turns(rounds, [&mut || bench.time(&fib), &mut || native.fib()]);
            report.latency("python fib(25)", &ours, None);
            report.latency("native python of the same version, fib(25)", &theirs, None);
            report.at_most(
                "python fib(25), ours / native",
                ours.median() / theirs.median(),
                1.5,
            );
        }
        Err(why) => report.skipped("python fib(25), ours / native", &why),
    }
    let fib = javascript(setup::FIB_JAVASCRIPT);
    match peers::Native::quickjs() {
        Ok(mut native) => {
            let [ours, theirs] = in_turns(rounds, [&mut || bench.time(&fib), &mut || native.fib()]);
            report.latency("javascript fib(25)", &ours, None);
            report.latency(
                "native QuickJS-ng of the same version, fib(25)",
                &theirs,
                None,
            );
            report.at_most(
                "javascript fib(25), ours / native",
                ours.median() / theirs.median(),
                1.6,
            );
        }
        Err(why) => report.skipped("javascript fib(25), ours / native", &why),
    }
}

/// What a worker adds, and what a second one gives.
fn workers(report: &mut Report, rounds: usize, window: Duration) {
    let inside = Bench::new(setup::in_process());
    let outside = Bench::new(setup::workers(1));
    let log = javascript(setup::LOG);
    let [direct, there_and_back, hop] = in_turns(
        rounds * 4,
        [
            &mut || inside.time(&log),
            &mut || outside.time(&log),
            &mut || outside.time_beside_the_run(&log),
        ],
    );
    report.at_most(
        "to a worker and back, µs beside the run itself",
        hop.median() * 1e3,
        30.0,
    );
    report.figure(
        "javascript console.log(1+1), in a worker, over in process",
        (there_and_back.median() - direct.median()) * 1e3,
        "µs",
    );
    drop((inside, outside));

    for (name, task) in [
        ("python print(1+1)", python(setup::PRINT)),
        ("javascript console.log(1+1)", javascript(setup::LOG)),
    ] {
        let (mut one, mut two) = (Samples::default(), Samples::default());
        // Threads for the callers: with one, the caller is what saturates.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let executors = [1, 2].map(|n| runtime.block_on(setup::executor(setup::workers(n))));
        for _ in 0..3 {
            one.push_rate(runtime.block_on(throughput(&executors[0], &task, 2, window)));
            two.push_rate(runtime.block_on(throughput(&executors[1], &task, 4, window)));
        }
        report.figure(&format!("{name}, one worker"), one.median(), "runs/s");
        report.figure(&format!("{name}, two workers"), two.median(), "runs/s");
        report.at_least(
            &format!("{name}, two workers / one"),
            two.median() / one.median(),
            1.7,
        );
    }
}

/// What a live Python instance has in memory for itself. The interpreter's code and the snapshot's
/// pages that nobody wrote to are there once for all.
fn memory(report: &mut Report) {
    const WHAT: &str = "memory of a live python instance's own, MB";
    const LIVE: usize = 8;
    let runtime = setup::runtime();
    let executor = runtime.block_on(setup::executor(sandgate_sandbox::SandboxMode::InProcess {
        threads: LIVE,
    }));
    let sleeper = python("import time\nprint(1+1)\ntime.sleep(3)");
    let before = sampling::anonymous_bytes("self");
    let during = runtime.block_on(async {
        let running: Vec<_> = (0..LIVE)
            .map(|_| {
                let (executor, task) = (Arc::clone(&executor), Arc::clone(&sleeper));
                tokio::spawn(async move { setup::run(&executor, &task).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let during = sampling::anonymous_bytes("self");
        for run in running {
            assert!(run.await.unwrap().status.is_complete());
        }
        during
    });
    match (before, during) {
        (Ok(before), Ok(during)) => {
            let each = during.saturating_sub(before) as f64 / LIVE as f64 / 1e6;
            report.at_most(WHAT, each, 5.0);
        }
        (Err(why), _) | (_, Err(why)) => report.skipped(WHAT, &why),
    }
}
