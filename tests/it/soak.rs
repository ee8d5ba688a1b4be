//! Very many executions of every kind: nothing may pile up.
//!
//! By default 10,000; `SANDGATE_SOAK=100000` runs as many as that says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{CancellationToken, Limits, Status};
use sandgate_sandbox::SandboxExecutor;
use tokio::task::JoinSet;

use crate::harness::{Builder, Mode, Snippet, binary, block_on};
use crate::processes::{Process, alone};

/// Executions unless told otherwise.
const DEFAULT: usize = 10_000;
/// How many are under way at once, on the workers and one thread.
const AT_ONCE: usize = 8;
/// Workers at work.
const WORKERS: usize = 2;
/// How long the pool may take to be whole again.
const PATIENCE: Duration = Duration::from_secs(60);
/// What memory may grow by between the end of the warm-up and the end, in KiB. It is not nothing:
/// allocators keep what they had at the busiest moment.
const GROWTH_KIB: u64 = 24 << 10;

/// Every kind of execution, with how it ends and what it prints.
fn kind(i: usize) -> (Snippet, Status, String) {
    fn python(code: impl Into<String>) -> Snippet {
        Snippet::python(code)
    }
    fn javascript(code: impl Into<String>) -> Snippet {
        Snippet::javascript(code)
    }
    let short = |limits: &mut Limits| {
        limits.timeout_ms = 150;
        limits.fuel = Limits::MAXIMUM.fuel;
    };
    match i % 100 {
        // Most are small programs that do well.
        0..40 => (python(format!("print({i} + 1)")), Status::Ok, format!("{}\n", i + 1)),
        40..75 => (
            javascript(format!("console.log({i} + 1)")),
            Status::Ok,
            format!("{}\n", i + 1),
        ),
        75 => (
            python(format!("import json, re, random, datetime, uuid; print(json.dumps([{i}]))")),
            Status::Ok,
            format!("[{i}]\n"),
        ),
        76 => (
            python("open('out', 'w').write(open('in').read() * 100); print('wrote')")
                .file("in", vec![b'x'; 10_000]),
            Status::Ok,
            "wrote\n".to_owned(),
        ),
        77 => (
            javascript("const fs = require('fs'); fs.writeFileSync('/work/out', fs.readFileSync('/work/in')); console.log('wrote')")
                .file("in", vec![b'x'; 100_000]),
            Status::Ok,
            "wrote\n".to_owned(),
        ),
        78 => (python("display(5); 'x' * 10000"), Status::Ok, String::new()),
        79 => (
            python("print(input())").stdin(vec![b'y'; 50_000]),
            Status::Ok,
            format!("{}\n", "y".repeat(50_000)),
        ),
        80..84 => (python("print('a'); 1 / 0"), Status::Error, "a\n".to_owned()),
        84..88 => (
            javascript("console.log('a'); null.x"),
            Status::Error,
            "a\n".to_owned(),
        ),
        88 => (python("import os; os._exit(5)"), Status::Error, String::new()),
        89 => (
            python("print('a')\nwhile True: pass").limits(|limits| limits.fuel = 20_000_000),
            Status::FuelExhausted,
            "a\n".to_owned(),
        ),
        90 => (
            javascript("console.log('a'); for (;;);").limits(|limits| limits.fuel = 20_000_000),
            Status::FuelExhausted,
            "a\n".to_owned(),
        ),
        91 => (
            python("import time; print('a'); time.sleep(100)").limits(short),
            Status::Timeout,
            "a\n".to_owned(),
        ),
        92 => (
            javascript("console.log('a'); for (;;);").limits(short),
            Status::Timeout,
            "a\n".to_owned(),
        ),
        93 => (
            python("print('a'); x = bytearray(64 << 20)").limits(|limits| limits.memory_mb = 32),
            Status::OutOfMemory,
            "a\n".to_owned(),
        ),
        94 => (
            javascript("console.log('a'); const x = []; for (;;) x.push(new Uint8Array(1 << 20))")
                .limits(|limits| limits.memory_mb = 32),
            Status::OutOfMemory,
            "a\n".to_owned(),
        ),
        95 => (
            python("while True: print('x' * 99)").limits(|limits| limits.output_bytes = 10_000),
            Status::OutputLimit,
            format!("{}\n", "x".repeat(99)).repeat(100),
        ),
        96 => (
            python("def f(): f()\nf()"),
            Status::Error,
            String::new(),
        ),
        97 => (
            javascript("setTimeout(() => console.log('late'), 2)"),
            Status::Ok,
            "late\n".to_owned(),
        ),
        98 => (
            python("x = bytearray(40 << 20); print(len(x))"),
            Status::Ok,
            format!("{}\n", 40 << 20),
        ),
        _ => (
            python("import zlib, hashlib; print(len(zlib.compress(bytes(1 << 18))) > 0)"),
            Status::Ok,
            "True\n".to_owned(),
        ),
    }
}

async fn run(executors: [Arc<SandboxExecutor>; 2], executions: std::ops::Range<usize>) {
    let mut under_way = JoinSet::new();
    for i in executions {
        if under_way.len() == AT_ONCE {
            under_way.join_next().await.unwrap().unwrap();
        }
        // A fifth in process, the rest in workers.
        let executor = Arc::clone(&executors[usize::from(i % 5 != 0)]);
        under_way.spawn(async move {
            // One in a hundred is cancelled, at some moment of its life.
            if i % 101 == 0 {
                let cancel = CancellationToken::new();
                let snippet = Snippet::python("import time; time.sleep(100)");
                let (report, ()) =
                    tokio::join!(snippet.cancelled_by(&*executor, cancel.clone()), async {
                        tokio::time::sleep(Duration::from_millis(i as u64 % 7)).await;
                        cancel.cancel();
                    });
                report.unwrap().assert_status(Status::Cancelled);
                return;
            }
            let (snippet, status, stdout) = kind(i / 5);
            let report = snippet.on(&*executor).await;
            report.assert_status(status);
            // On a busy machine so short a deadline may pass before the first print.
            let too_early = status == Status::Timeout && report.stdout().is_empty();
            assert!(
                too_early || report.stdout() == stdout,
                "{}",
                report.summary()
            );
        });
    }
    while let Some(execution) = under_way.join_next().await {
        execution.unwrap();
    }
}

/// What could pile up, in this process and its workers.
#[derive(Debug)]
struct Usage {
    resident_kib: u64,
    worker_kib: Vec<u64>,
    threads: usize,
    descriptors: usize,
    children: usize,
    worker_descriptors: Vec<usize>,
}

impl Usage {
    /// Measures when the pool is at rest: a worker that did not hear in time that its time was up
    /// was killed, and another one may be on its way.
    async fn of(executor: &SandboxExecutor) -> Self {
        let this = Process::this();
        let start = Instant::now();
        let workers = loop {
            let workers = this.children_running(&binary());
            let known = executor.status().workers.len();
            if workers.len() == WORKERS + 1 && known == workers.len() {
                break workers;
            }
            assert!(start.elapsed() < PATIENCE, "not whole: {workers:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        Self {
            resident_kib: this.resident_kib(),
            worker_kib: workers.iter().map(|worker| worker.resident_kib()).collect(),
            threads: this.threads(),
            descriptors: this.descriptors().unwrap().len(),
            children: this.children().len(),
            worker_descriptors: workers
                .iter()
                .map(|worker| worker.descriptors().map_or(0, |d| d.len()))
                .collect(),
        }
    }
}

#[test]
fn nothing_piles_up() {
    if !alone("soak::nothing_piles_up") {
        return;
    }
    let total = std::env::var("SANDGATE_SOAK").map_or(DEFAULT, |n| {
        n.parse().expect("SANDGATE_SOAK is a number of executions")
    });
    // Long enough that every kind has run several times in each place.
    let warm_up = (total / 5).max(2_000);
    block_on(async {
        let executors = [
            Builder::new(Mode::InProcess).start().await,
            Builder::new(Mode::Workers).count(WORKERS).start().await,
        ];
        let start = Instant::now();
        run(executors.clone(), 0..warm_up).await;
        let before = Usage::of(&executors[1]).await;
        run(executors.clone(), warm_up..warm_up + total).await;
        let mut after = Usage::of(&executors[1]).await;
        // Of one that was killed, its parent's ends may be closed a moment later.
        let end = Instant::now();
        while (after.descriptors, after.children) != (before.descriptors, before.children)
            && end.elapsed() < PATIENCE
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
            after = Usage::of(&executors[1]).await;
        }
        println!(
            "{} executions in {:?}\nbefore {before:?}\nafter  {after:?}",
            warm_up + total,
            start.elapsed()
        );

        assert!(after.resident_kib <= before.resident_kib + GROWTH_KIB);
        assert_eq!(after.worker_kib.len(), before.worker_kib.len());
        // Against the largest: one that took another's place just before has little yet.
        let largest = before.worker_kib.iter().max().unwrap();
        for after in &after.worker_kib {
            assert!(*after <= largest + GROWTH_KIB);
        }
        // The runtime's own blocking threads come and go by a few.
        assert!(after.threads <= before.threads + 2);
        assert_eq!(after.descriptors, before.descriptors);
        assert_eq!(
            after.children, before.children,
            "a worker died or was not reaped"
        );
        assert_eq!(after.worker_descriptors, before.worker_descriptors);

        // Every slot is still to be had: as many at once as there are places, and more in line.
        run(executors, 0..200).await;
    });
}
