//! The pool: what an execution costs, what a lost worker costs, and who gets one when.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rustix::process::Signal;
use sandgate_core::{
    CancellationToken, ErrorKind, ExecutionContext, Executor as _, Language, OutputSink,
    OutputStream, Status, TaskFile,
};
use sandgate_sandbox::SandboxExecutor;

use crate::support::{
    async_trial, config, eventually, in_one_of_twenty, is_alive, run, sandbox, signal, task,
    whole_sandbox,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        async_trial("pool::outcomes_come_back_whole", outcomes_come_back_whole),
        async_trial("pool::large_files_go_both_ways", large_files_go_both_ways),
        async_trial("pool::output_streams_while_it_is_printed", output_streams),
        async_trial(
            "pool::sigkill_costs_one_execution",
            sigkill_costs_one_execution,
        ),
        async_trial(
            "pool::death_while_idle_costs_nothing",
            death_while_idle_costs_nothing,
        ),
        async_trial(
            "pool::death_before_the_start_costs_nothing",
            death_before_the_start_costs_nothing,
        ),
        async_trial("pool::cancel_frees_the_worker", cancel_frees_the_worker),
        async_trial("pool::time_out_frees_the_worker", time_out_frees_the_worker),
        async_trial("pool::stopped_worker_is_killed", stopped_worker_is_killed),
        async_trial(
            "pool::dropped_future_frees_the_worker",
            dropped_future_frees_the_worker,
        ),
        async_trial("pool::full_queue_is_refused", full_queue_is_refused),
        async_trial("pool::unknown_language_is_unsupported", unknown_language),
    ]
}

async fn outcomes_come_back_whole() {
    let sandbox = sandbox(1).await;
    let outcome = run(&sandbox, task("herw")).await.unwrap();
    assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    assert_eq!(outcome.exit_code, Some(0));
    assert_eq!(outcome.stdout, "hello\n");
    assert_eq!(outcome.stderr, "oops\n");
    assert_eq!(outcome.results[0]["text/plain"], "42");
    let [file] = &outcome.artifacts[..] else {
        panic!("{:?}", outcome.artifacts)
    };
    assert_eq!(
        (file.path.as_str(), &file.content[..]),
        ("out.txt", &b"hello\n"[..])
    );
    let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    assert_eq!(file.sha256, sha256);
    assert!(
        file.media_type.starts_with("text/plain"),
        "{}",
        file.media_type
    );
    assert!(
        outcome.usage.fuel > 0 && outcome.usage.wall_ms > 0.0,
        "{:?}",
        outcome.usage
    );

    let outcome = run(&sandbox, task("h3")).await.unwrap();
    assert_eq!(
        (outcome.status, outcome.exit_code),
        (Status::Error, Some(3))
    );
    let outcome = run(&sandbox, task("hT")).await.unwrap();
    assert_eq!(
        (outcome.status, &outcome.stdout[..]),
        (Status::Crashed, &b"hello\n"[..])
    );
    // All in one worker: a guest's failure is none of the worker's.
    let outcome = run(&sandbox, task("h")).await.unwrap();
    assert_eq!(outcome.status, Status::Ok);
}

async fn large_files_go_both_ways() {
    let sandbox = sandbox(1).await;
    let mut asked = task("W");
    asked.files = vec![TaskFile {
        path: "in.bin".to_owned(),
        content: vec![7; 20_000_000].into(),
    }];
    let outcome = run(&sandbox, asked).await.unwrap();
    assert_eq!(outcome.status, Status::Ok);
    // What came in and is unchanged does not come out.
    let [file] = &outcome.artifacts[..] else {
        panic!("{} files", outcome.artifacts.len())
    };
    assert_eq!(file.content.len(), 15_000_000);
    assert!(file.content.iter().all(|byte| *byte == 0));
    // Nor does the worker keep it for the next one.
    let outcome = run(&sandbox, task("h")).await.unwrap();
    assert_eq!((outcome.status, outcome.artifacts.len()), (Status::Ok, 0));
}

/// A sink that keeps what it is given.
#[derive(Default)]
struct Log(Mutex<Vec<(OutputStream, Vec<u8>)>>);

impl Log {
    fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    fn joined(&self, stream: OutputStream) -> Vec<u8> {
        let log = self.0.lock().unwrap();
        let chunks = log.iter().filter(|(other, _)| *other == stream);
        chunks.flat_map(|(_, chunk)| chunk.clone()).collect()
    }
}

impl OutputSink for Log {
    fn write(&self, stream: OutputStream, chunk: &[u8]) {
        self.0.lock().unwrap().push((stream, chunk.to_vec()));
    }
}

async fn output_streams() {
    let sandbox = sandbox(1).await;
    let log = Arc::new(Log::default());
    let cancel = CancellationToken::new();
    // It does not end by itself, so what is here before the end was streamed.
    let asked = Arc::new(task("hehxhS"));
    let context = ExecutionContext::new(log.clone(), cancel.clone());
    let (outcome, ()) = tokio::join!(sandbox.execute(asked, context), async {
        eventually("all of it is printed", || {
            log.joined(OutputStream::Stdout).len() == 6 + 6 + 60_000 + 6
                && log.joined(OutputStream::Stderr).len() == 5
        })
        .await;
        cancel.cancel();
    });
    let outcome = outcome.unwrap();
    assert_eq!(outcome.status, Status::Cancelled);
    assert_eq!(log.joined(OutputStream::Stdout), outcome.stdout);
    assert_eq!(log.joined(OutputStream::Stderr), outcome.stderr);
}

async fn sigkill_costs_one_execution() {
    const WORKERS: usize = 2;
    let sandbox = sandbox_with_queue(WORKERS, 1_000).await;
    eventually("all workers are ready", || {
        sandbox.status().workers.len() == WORKERS + 1
    })
    .await;
    let victim = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        let mut asked = task("hL");
        asked.limits.timeout_ms = 60_000;
        asked.limits.fuel = u64::MAX;
        async move { run(&sandbox, asked).await.unwrap() }
    });
    let busy = busy(&sandbox.status().workers).await;
    let ended = Arc::new(AtomicUsize::new(0));
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let (sandbox, ended) = (Arc::clone(&sandbox), Arc::clone(&ended));
        runs.spawn(async move {
            let outcome = run(&sandbox, task("hm")).await.unwrap();
            ended.fetch_add(1, Ordering::Relaxed);
            outcome
        });
    }
    eventually("some have run", || ended.load(Ordering::Relaxed) >= 10).await;
    // Between two executions a place is nobody's for a moment.
    eventually("both places are taken", || {
        sandbox.status().running == WORKERS
    })
    .await;
    signal(busy, Signal::KILL);
    let lost = victim.await.unwrap();
    assert_eq!(lost.status, Status::Crashed);
    assert_eq!(lost.stdout, "hello\n");
    let message = &lost.error.as_ref().unwrap().message;
    assert!(message.contains("signal 9"), "{message}");
    for outcome in runs.join_all().await {
        assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    }
    eventually("the pool is whole", || {
        let now = sandbox.status();
        now.workers.len() == WORKERS + 1 && !now.workers.contains(&busy)
    })
    .await;
}

/// The one of `pids` that runs.
async fn busy(pids: &[u32]) -> u32 {
    // Nanoseconds that a process has run.
    let time = |pid: &u32| -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse().unwrap()
    };
    for _ in 0..100 {
        let before: Vec<_> = pids.iter().map(time).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let used = pids
            .iter()
            .zip(before)
            .map(|(pid, before)| (time(pid) - before, *pid));
        let busy: Vec<_> = used.filter(|(used, _)| *used > 0).collect();
        if let [(_, pid)] = busy[..] {
            return pid;
        }
    }
    panic!("not one worker is busy");
}

async fn death_while_idle_costs_nothing() {
    for _ in 0..5 {
        let sandbox = whole_sandbox(1).await;
        let workers = sandbox.status().workers;
        for pid in &workers {
            signal(*pid, Signal::KILL);
        }
        // Dead, but perhaps not noticed yet.
        while workers.iter().any(|pid| is_alive(*pid)) {
            std::thread::yield_now();
        }
        let outcome = run(&sandbox, task("h")).await.unwrap();
        assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    }
}

async fn death_before_the_start_costs_nothing() {
    let sandbox = whole_sandbox(1).await;
    let workers = sandbox.status().workers;
    // Stopped, it has the task in its socket and does not read it.
    workers.iter().for_each(|pid| signal(*pid, Signal::STOP));
    let (outcome, ()) = tokio::join!(run(&sandbox, task("h")), async {
        eventually("it is sent", || sandbox.status().running == 1).await;
        workers.iter().for_each(|pid| signal(*pid, Signal::KILL));
    });
    let outcome = outcome.unwrap();
    assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
}

async fn sandbox_with_queue(count: usize, queue: usize) -> Arc<SandboxExecutor> {
    let mut config = config(&["role=worker"], count);
    config.queue = queue;
    Arc::new(SandboxExecutor::new(config).await.unwrap())
}

async fn cancel_frees_the_worker() {
    // In a sleep, in a loop, in a flood of output.
    for code in ["hS", "hL", "hF"] {
        in_one_of_twenty(async || {
            let sandbox = whole_sandbox(1).await;
            let before = workers(&sandbox);
            let mut asked = task(code);
            asked.limits.output_bytes = 16 << 20;
            asked.limits.fuel = u64::MAX;
            let cancel = CancellationToken::new();
            let log = Arc::new(Log::default());
            let context = ExecutionContext::new(log.clone(), cancel.clone());
            let (outcome, cancelled) =
                tokio::join!(sandbox.execute(Arc::new(asked), context), async {
                    eventually("it prints", || !log.is_empty()).await;
                    cancel.cancel();
                    Instant::now()
                });
            let took = cancelled.elapsed();
            let outcome = outcome.unwrap();
            assert!(outcome.stdout.starts_with(b"hello\n"), "{code}");
            if code != "hF" || outcome.status != Status::OutputLimit {
                assert_eq!(outcome.status, Status::Cancelled, "{code}");
            }
            assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
            at_once(code, took, 100, before == workers(&sandbox))
        })
        .await;
    }
}

/// Whether something took less than `limit_ms` and left every worker alive.
fn at_once(code: &str, took: Duration, limit_ms: u64, same_workers: bool) -> Result<(), String> {
    if took >= Duration::from_millis(limit_ms) {
        return Err(format!("{code}: {took:?}"));
    }
    if !same_workers {
        return Err(format!("{code}: a worker had to be killed"));
    }
    Ok(())
}

fn workers(sandbox: &SandboxExecutor) -> BTreeSet<u32> {
    sandbox.status().workers.into_iter().collect()
}

async fn time_out_frees_the_worker() {
    for code in ["hS", "hL"] {
        in_one_of_twenty(async || {
            let sandbox = whole_sandbox(1).await;
            let before = workers(&sandbox);
            let mut asked = task(code);
            asked.limits.timeout_ms = 400;
            asked.limits.fuel = u64::MAX;
            let start = Instant::now();
            let outcome = run(&sandbox, asked).await.unwrap();
            let took = start.elapsed();
            assert_eq!(outcome.status, Status::Timeout, "{code}");
            assert!(took >= Duration::from_millis(400), "{code}: {took:?}");
            if outcome.stdout != "hello\n" {
                return Err(format!("{code}: it did not come to print"));
            }
            at_once(code, took, 440, before == workers(&sandbox))
        })
        .await;
    }
}

async fn stopped_worker_is_killed() {
    let sandbox = whole_sandbox(1).await;
    // It does not hear that its time is up, nor that it is cancelled.
    for (timeout_ms, cancels) in [(8_000, false), (60_000, true)] {
        let before = workers(&sandbox);
        let send = |to| before.iter().for_each(|pid| signal(*pid, to));
        let mut asked = task("hS");
        asked.limits.timeout_ms = timeout_ms;
        let log = Arc::new(Log::default());
        let cancel = CancellationToken::new();
        let context = ExecutionContext::new(log.clone(), cancel.clone());
        let start = Instant::now();
        let (outcome, ()) = tokio::join!(sandbox.execute(Arc::new(asked), context), async {
            eventually("it prints", || !log.is_empty()).await;
            send(Signal::STOP);
            assert_eq!(
                sandbox.status().running,
                1,
                "it ended before it was stopped"
            );
            if cancels {
                cancel.cancel();
            }
        });
        let outcome = outcome.unwrap();
        let expected = if cancels {
            Status::Cancelled
        } else {
            Status::Timeout
        };
        assert_eq!(outcome.status, expected);
        assert_eq!(outcome.stdout, "hello\n");
        // Nothing but its parent ends a stopped process. Its guest would sleep for a minute.
        let took = start.elapsed();
        assert!(took < Duration::from_secs(45), "{took:?}");
        send(Signal::CONT);
        eventually("the pool is whole, with one worker replaced", || {
            let now = workers(&sandbox);
            now.len() == 2 && now.intersection(&before).count() == 1
        })
        .await;
        assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
    }
}

async fn dropped_future_frees_the_worker() {
    for code in ["hS", "hL"] {
        in_one_of_twenty(async || {
            let sandbox = whole_sandbox(1).await;
            let before = workers(&sandbox);
            let mut asked = task(code);
            asked.limits.fuel = u64::MAX;
            let log = Arc::new(Log::default());
            let context = ExecutionContext::new(log.clone(), CancellationToken::new());
            tokio::select! {
                outcome = sandbox.execute(Arc::new(asked), context) => panic!("{outcome:?}"),
                () = eventually("it prints", || !log.is_empty()) => {}
            }
            let dropped = Instant::now();
            assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
            let took = dropped.elapsed();
            eventually("nothing runs", || sandbox.status().running == 0).await;
            at_once(code, took, 100, before == workers(&sandbox))
        })
        .await;
    }
}

async fn full_queue_is_refused() {
    let sandbox = sandbox_with_queue(1, 2).await;
    let cancel = CancellationToken::new();
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (sandbox, cancel) = (Arc::clone(&sandbox), cancel.clone());
        runs.spawn(async move {
            let sink = Arc::new(Log::default());
            sandbox
                .execute(Arc::new(task("S")), ExecutionContext::new(sink, cancel))
                .await
                .unwrap()
        });
    }
    eventually("one runs and two wait", || {
        let status = sandbox.status();
        (status.running, status.waiting) == (1, 2)
    })
    .await;
    let error = run(&sandbox, task("h")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Overloaded);
    assert!(error.retry_after.unwrap() >= Duration::from_secs(1));
    // Those who give up while they wait make room, without having run.
    cancel.cancel();
    for outcome in runs.join_all().await {
        assert_eq!(outcome.status, Status::Cancelled);
    }
    let outcome = run(&sandbox, task("h")).await.unwrap();
    assert_eq!(outcome.status, Status::Ok);
}

async fn unknown_language() {
    let sandbox = sandbox(1).await;
    let mut asked = task("h");
    asked.language = Language::R;
    let error = run(&sandbox, asked).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("python"), "{error}");
}
