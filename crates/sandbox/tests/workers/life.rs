//! How a pool starts, ends, and stays the same in between.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use rustix::process::Signal;
use sandgate_core::{ErrorKind, Executor as _, Status};
use sandgate_sandbox::{SandboxExecutor, SandboxMode};

use crate::support::{
    async_trial, config, eventually, is_alive, run, signal, task, this_program, whole_sandbox,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        async_trial("life::shutdown_ends_everything", shutdown_ends_everything),
        async_trial("life::drop_ends_everything", drop_ends_everything),
        async_trial("life::bad_programs_are_named", bad_programs_are_named),
        async_trial(
            "life::recovers_from_a_missing_program",
            recovers_from_a_missing_program,
        ),
        async_trial("life::nothing_leaks_in_a_thousand_runs", nothing_leaks),
    ]
}

async fn shutdown_ends_everything() {
    let sandbox = whole_sandbox(2).await;
    let workers = sandbox.status().workers;
    // Two seconds: it is still there when the other has begun.
    let soon = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { run(&sandbox, task(&format!("{}h", "m".repeat(100)))).await }
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
    sandbox.shutdown(Duration::from_secs(12)).await;
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

/// In a process of its own: what is counted is the process's, and other tests run beside this one.
async fn nothing_leaks() {
    const ALONE: &str = "SANDGATE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let output = tokio::process::Command::new(this_program())
            .args(["life::nothing_leaks_in_a_thousand_runs", "--exact"])
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
