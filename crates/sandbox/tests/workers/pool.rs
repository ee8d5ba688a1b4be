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
use sandgate_sandbox::{SandboxExecutor, SandboxMode};

use crate::support::{
    async_trial, config, eventually, in_one_of_five, is_alive, run, sandbox, signal, task,
    this_program,
};
use crate::walls::can_leave_namespaces;

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
    assert_eq!(sandbox.status().running, WORKERS);
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
        in_one_of_five(async || {
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
    for code in ["hS", "hL"] {
        in_one_of_five(async || {
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
    for (timeout_ms, cancels) in [(3_000, false), (60_000, true)] {
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
        // Nothing but its parent ends a stopped process.
        let took = start.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?}");
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
        in_one_of_five(async || {
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
    sandbox.shutdown(Duration::from_secs(3)).await;
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
        if can_leave_namespaces() {
            for kind in ["net", "ipc"] {
                let of =
                    |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).unwrap();
                assert_ne!(of(&pid.to_string()), of("self"), "{kind}");
            }
        }
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        for (limit, value) in [
            ("Max open files", "1"),
            ("Max file size", "0"),
            ("Max processes", "0"),
            ("Max core file size", "0"),
            ("Max locked memory", "0"),
            ("Max msgqueue size", "0"),
        ] {
            let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
            let mut values = line[limit.len()..].split_whitespace();
            assert_eq!(
                (values.next(), values.next()),
                (Some(value), Some(value)),
                "{line}"
            );
        }
        let data = limits
            .lines()
            .find(|line| line.starts_with("Max data size"));
        assert!(!data.unwrap().contains("unlimited"), "{data:?}");
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

/// In a process of its own: what is counted is the process's, and other tests run beside this one.
async fn nothing_leaks() {
    const ALONE: &str = "SANDGATE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let output = tokio::process::Command::new(this_program())
            .args(["pool::nothing_leaks_in_a_thousand_runs", "--exact"])
            .env(ALONE, "1")
            .output()
            .await
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.contains("1 passed"),
            "{told}"
        );
        return;
    }
    let sandbox = whole_sandbox(2).await;
    for _ in 0..50 {
        run(&sandbox, task("h")).await.unwrap();
    }
    let before = (descriptors(), children());
    assert_eq!(before.1, 3, "not all workers are seen");
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

/// How many descriptors this process has.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many children this process has, zombies included: those of each of its threads.
fn children() -> usize {
    let of_thread = |thread: fs::DirEntry| {
        let listed = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        listed.split_whitespace().count()
    };
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    threads.map(of_thread).sum()
}

async fn unknown_language() {
    let sandbox = sandbox(1).await;
    let mut asked = task("h");
    asked.language = Language::R;
    let error = run(&sandbox, asked).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("python"), "{error}");
}
