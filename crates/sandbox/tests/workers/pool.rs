//! The pool: what an execution costs, what a lost worker costs, and who gets one when.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rustix::process::Signal;
use sandgate_core::{
    CancellationToken, ErrorKind, ExecutionContext, Executor as _, Language, OutputSink,
    OutputStream, Status, TaskFile,
};
use sandgate_sandbox::{SandboxExecutor, SandboxMode};

use crate::support::{
    async_trial, config, eventually, is_alive, run, sandbox, signal, task, this_program,
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
        async_trial("pool::shutdown_ends_everything", shutdown_ends_everything),
        async_trial("pool::drop_ends_everything", drop_ends_everything),
        async_trial("pool::bad_programs_are_named", bad_programs_are_named),
        async_trial(
            "pool::recovers_from_a_missing_program",
            recovers_from_a_missing_program,
        ),
        async_trial(
            "pool::workers_own_next_to_nothing",
            workers_own_next_to_nothing,
        ),
        async_trial("pool::nothing_leaks_in_a_thousand_runs", nothing_leaks),
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

/// A sink that keeps what it is given, and when.
#[derive(Default)]
struct Log(Mutex<Vec<(Instant, OutputStream, Vec<u8>)>>);

impl OutputSink for Log {
    fn write(&self, stream: OutputStream, chunk: &[u8]) {
        self.0
            .lock()
            .unwrap()
            .push((Instant::now(), stream, chunk.to_vec()));
    }
}

async fn output_streams() {
    let sandbox = sandbox(1).await;
    let log = Arc::new(Log::default());
    let started = Instant::now();
    let asked = Arc::new(task("hehxmmmmmh"));
    let outcome = sandbox
        .execute(
            asked,
            ExecutionContext::new(log.clone(), CancellationToken::new()),
        )
        .await
        .unwrap();
    let ended = started.elapsed();
    let log = log.0.lock().unwrap();
    let joined = |stream| {
        let chunks = log.iter().filter(|(_, other, _)| *other == stream);
        chunks
            .flat_map(|(_, _, chunk)| chunk.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(joined(OutputStream::Stdout), outcome.stdout);
    assert_eq!(joined(OutputStream::Stderr), outcome.stderr);
    assert_eq!(outcome.stdout.len(), 6 + 6 + 60_000 + 6);
    let first = log.first().unwrap().0 - started;
    assert!(
        first + Duration::from_millis(80) < ended,
        "first at {first:?} of {ended:?}"
    );
}

async fn sigkill_costs_one_execution() {
    const WORKERS: usize = 2;
    let sandbox = sandbox_with_queue(WORKERS, 1_000).await;
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let sandbox = Arc::clone(&sandbox);
        runs.spawn(async move { run(&sandbox, task("hm")).await.unwrap() });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = sandbox.status();
    assert_eq!(before.running, WORKERS);
    let busy = busiest(&before.workers).await;
    signal(busy, Signal::KILL);
    let outcomes = runs.join_all().await;
    let (fine, lost): (Vec<_>, Vec<_>) = outcomes
        .iter()
        .partition(|outcome| outcome.status == Status::Ok);
    assert_eq!((fine.len(), lost.len()), (299, 1));
    assert_eq!(lost[0].status, Status::Crashed);
    let message = &lost[0].error.as_ref().unwrap().message;
    assert!(message.contains("signal 9"), "{message}");
    eventually("the pool is whole", || {
        let now = sandbox.status();
        now.workers.len() == WORKERS + 1 && !now.workers.contains(&busy)
    })
    .await;
}

/// Which of `pids` runs most. There is an idle one among a pool's workers.
async fn busiest(pids: &[u32]) -> u32 {
    // Nanoseconds that a process has run.
    let time = |pid: &u32| -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse().unwrap()
    };
    let before: Vec<_> = pids.iter().map(time).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let used = pids
        .iter()
        .zip(before)
        .map(|(pid, before)| (time(pid) - before, *pid));
    used.max().unwrap().1
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
    let sandbox = whole_sandbox(1).await;
    let before: BTreeSet<_> = sandbox.status().workers.into_iter().collect();
    // In a sleep, in a loop, in a flood of output.
    for code in ["hS", "hL", "hF"] {
        let mut asked = task(code);
        asked.limits.output_bytes = 16 << 20;
        asked.limits.fuel = u64::MAX;
        let cancel = CancellationToken::new();
        let log = Arc::new(Log::default());
        let running = sandbox.execute(
            Arc::new(asked),
            ExecutionContext::new(log.clone(), cancel.clone()),
        );
        let cancelling = async {
            eventually("it prints", || !log.0.lock().unwrap().is_empty()).await;
            let now = Instant::now();
            cancel.cancel();
            now
        };
        let (outcome, cancelled) = tokio::join!(running, cancelling);
        let outcome = outcome.unwrap();
        let took = cancelled.elapsed();
        assert!(outcome.stdout.starts_with(b"hello\n"), "{code}");
        if code != "hF" || outcome.status != Status::OutputLimit {
            assert_eq!(outcome.status, Status::Cancelled, "{code}");
        }
        assert!(took < Duration::from_millis(100), "{code}: {took:?}");
        assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
    }
    let after: BTreeSet<_> = sandbox.status().workers.into_iter().collect();
    assert_eq!(before, after, "a worker had to be killed");
}

/// A sandbox whose workers are all ready.
async fn whole_sandbox(count: usize) -> Arc<SandboxExecutor> {
    let sandbox = sandbox(count).await;
    eventually("all workers are ready", || {
        sandbox.status().workers.len() == count + 1
    })
    .await;
    sandbox
}

async fn time_out_frees_the_worker() {
    let sandbox = whole_sandbox(1).await;
    let before: BTreeSet<_> = sandbox.status().workers.into_iter().collect();
    for code in ["hS", "hL"] {
        let mut asked = task(code);
        asked.limits.timeout_ms = 200;
        asked.limits.fuel = u64::MAX;
        let start = Instant::now();
        let outcome = run(&sandbox, asked).await.unwrap();
        let took = start.elapsed();
        assert_eq!(outcome.status, Status::Timeout, "{code}");
        assert_eq!(outcome.stdout, "hello\n");
        assert!(took < Duration::from_millis(220), "{code}: {took:?}");
    }
    let after: BTreeSet<_> = sandbox.status().workers.into_iter().collect();
    assert_eq!(before, after, "a worker had to be killed");
}

async fn stopped_worker_is_killed() {
    let sandbox = whole_sandbox(1).await;
    let stop_all = || {
        sandbox
            .status()
            .workers
            .iter()
            .for_each(|pid| signal(*pid, Signal::STOP))
    };
    // It does not hear that its time is up.
    let mut asked = task("hS");
    asked.limits.timeout_ms = 300;
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(run(&sandbox, asked), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop_all();
    });
    let outcome = outcome.unwrap();
    assert_eq!(outcome.status, Status::Timeout);
    assert_eq!(outcome.stdout, "hello\n");
    let took = start.elapsed();
    assert!(took < Duration::from_millis(400), "{took:?}");
    sandbox
        .status()
        .workers
        .iter()
        .for_each(|pid| signal(*pid, Signal::CONT));
    eventually("all workers are ready", || {
        sandbox.status().workers.len() == 2
    })
    .await;
    assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);

    // Nor that it is cancelled.
    let cancel = CancellationToken::new();
    let log = Arc::new(Log::default());
    let running = sandbox.execute(
        Arc::new(task("hS")),
        ExecutionContext::new(log.clone(), cancel.clone()),
    );
    let cancelling = async {
        eventually("it prints", || !log.0.lock().unwrap().is_empty()).await;
        stop_all();
        cancel.cancel();
        Instant::now()
    };
    let (outcome, cancelled) = tokio::join!(running, cancelling);
    let took = cancelled.elapsed();
    assert_eq!(outcome.unwrap().status, Status::Cancelled);
    assert!(took < Duration::from_millis(150), "{took:?}");
}

async fn dropped_future_frees_the_worker() {
    let sandbox = whole_sandbox(1).await;
    let before: BTreeSet<_> = sandbox.status().workers.into_iter().collect();
    for code in ["S", "L"] {
        let mut asked = task(code);
        asked.limits.fuel = u64::MAX;
        let limit = Duration::from_millis(50);
        tokio::time::timeout(limit, run(&sandbox, asked))
            .await
            .unwrap_err();
        let dropped = Instant::now();
        assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
        let took = dropped.elapsed();
        assert!(took < Duration::from_millis(100), "{code}: {took:?}");
    }
    eventually("nothing runs", || sandbox.status().running == 0).await;
    let after: BTreeSet<_> = sandbox.status().workers.into_iter().collect();
    assert_eq!(before, after, "a worker had to be killed");
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

async fn shutdown_ends_everything() {
    let sandbox = whole_sandbox(2).await;
    let workers = sandbox.status().workers;
    let soon = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { run(&sandbox, task("mmmmmh")).await }
    });
    let late = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { run(&sandbox, task("hS")).await }
    });
    eventually("both run", || sandbox.status().running == 2).await;
    let waits = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { run(&sandbox, task("h")).await }
    });
    eventually("one waits", || sandbox.status().waiting == 1).await;
    sandbox.shutdown(Duration::from_millis(500)).await;
    assert!(!sandbox.is_ready());
    assert_eq!(soon.await.unwrap().unwrap().status, Status::Ok);
    assert_eq!(
        waits.await.unwrap().unwrap_err().kind,
        ErrorKind::Unavailable
    );
    assert_eq!(
        late.await.unwrap().unwrap_err().kind,
        ErrorKind::Unavailable
    );
    assert_eq!(
        run(&sandbox, task("h")).await.unwrap_err().kind,
        ErrorKind::Unavailable
    );
    assert!(!workers.iter().any(|pid| is_alive(*pid)));
}

async fn drop_ends_everything() {
    let sandbox = whole_sandbox(2).await;
    let workers = sandbox.status().workers;
    drop(sandbox);
    eventually("all workers are gone", || {
        // Reaped as well: not even a zombie.
        workers
            .iter()
            .all(|pid| !fs::exists(format!("/proc/{pid}")).unwrap())
    })
    .await;
}

async fn bad_programs_are_named() {
    for (program, told) in [
        ("/nowhere/sandgate", "/nowhere/sandgate"),
        ("/bin/false", "ended with exit code 1 before it was ready"),
    ] {
        let mut config = config(&[], 1);
        if let SandboxMode::Workers { command, .. } = &mut config.mode {
            command.program = program.into();
        }
        let error = SandboxExecutor::new(config).await.unwrap_err().to_string();
        assert!(error.contains(told), "{program}: {error}");
    }
}

async fn recovers_from_a_missing_program() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("worker");
    std::os::unix::fs::symlink(this_program(), &link).unwrap();
    let mut config = config(&["role=worker"], 1);
    if let SandboxMode::Workers { command, .. } = &mut config.mode {
        command.program.clone_from(&link);
    }
    let sandbox = SandboxExecutor::new(config).await.unwrap();
    // With the first of its workers.
    assert!(sandbox.is_ready());
    eventually("all workers are ready", || {
        sandbox.status().workers.len() == 2
    })
    .await;
    fs::remove_file(&link).unwrap();
    for pid in sandbox.status().workers {
        signal(pid, Signal::KILL);
    }
    eventually("the failure is known", || {
        let status = sandbox.status();
        status.workers.is_empty() && status.failure.is_some()
    })
    .await;
    assert!(!sandbox.is_ready());
    let error = run(&sandbox, task("h")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("worker"), "{error}");
    assert!(error.retry_after.is_some());
    std::os::unix::fs::symlink(this_program(), &link).unwrap();
    eventually("it is ready again", || sandbox.is_ready()).await;
    eventually("it is whole again", || sandbox.status().workers.len() == 2).await;
    assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
    assert_eq!(sandbox.status().failure, None);
}

async fn workers_own_next_to_nothing() {
    let sandbox = whole_sandbox(1).await;
    assert_eq!(run(&sandbox, task("h")).await.unwrap().status, Status::Ok);
    if !rustix::process::geteuid().is_root() {
        // Workers cannot be inspected, which is as it should be.
        return;
    }
    for pid in sandbox.status().workers {
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let target = fs::read_link(entry.unwrap().path()).unwrap();
            let target = target.to_str().unwrap();
            let expected = ["socket:", "pipe:", "/dev/null", "/proc/"];
            let known = expected.iter().any(|start| target.starts_with(start));
            assert!(known || target.contains(".cwasm"), "{target}");
        }
        let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        assert_eq!(score, "1000\n");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        for line in [
            "Threads:\t1\n",
            "NoNewPrivs:\t1\n",
            "Seccomp:\t2\n",
            "CapPrm:\t0000000000000000\n",
        ] {
            assert!(status.contains(line), "{line}: {status}");
        }
    }
}

async fn nothing_leaks() {
    let sandbox = whole_sandbox(2).await;
    for _ in 0..50 {
        run(&sandbox, task("h")).await.unwrap();
    }
    let before = (descriptors(), children());
    for round in 0..1_000 {
        let outcome = run(&sandbox, task("hex")).await.unwrap();
        assert_eq!(outcome.status, Status::Ok);
        if round % 100 == 99 {
            let victim = sandbox.status().workers[0];
            signal(victim, Signal::KILL);
            eventually("it is replaced", || {
                let workers = sandbox.status().workers;
                workers.len() == 3 && !workers.contains(&victim)
            })
            .await;
        }
    }
    // The last one's successor may still be on its way, with both ends of its socket open here.
    eventually("what dead workers held is given back", || {
        (descriptors(), children()) == before
    })
    .await;
}

/// How many descriptors of pools this process has. Other tests run beside this one, but in
/// processes and pools of their own: see `main`.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many children this process has, zombies included.
fn children() -> usize {
    let this = format!("/proc/self/task/{}/children", std::process::id());
    let listed = fs::read_to_string(this).map(|list| list.split_whitespace().count());
    listed.unwrap_or_default()
}

async fn unknown_language() {
    let sandbox = sandbox(1).await;
    let mut asked = task("h");
    asked.language = Language::R;
    let error = run(&sandbox, asked).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("python"), "{error}");
}
