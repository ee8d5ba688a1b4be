//! What the tests of worker processes share.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use sandgate_core::{
    ExecutionContext, Executor as _, ExecutorError, Language, Limits, Outcome, Task,
};
use sandgate_sandbox::{SandboxConfig, SandboxExecutor, SandboxMode, WorkerCommand};

/// A test that panics when it fails.
pub(crate) fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A test on a runtime of its own, as the service has one.
pub(crate) fn async_trial<F>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    trial(name, || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
            .block_on(test());
    })
}

/// This program.
pub(crate) fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The folder of the test guest and the folder of its compiled form, made once.
fn guests() -> (PathBuf, PathBuf) {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("workers");
        let guests = root.join("guests");
        fs::create_dir_all(&guests).unwrap();
        let wasm = wat::parse_str(include_str!("guest.wat")).unwrap();
        let manifest = serde_json::json!({
            "abi": 1, "language": "python", "version": "0.1", "implementation": "test",
            "wasm": "python.wasm", "blake3": blake3::hash(&wasm).to_hex().to_string(),
            "stdio": 1024, "modules": [], "packages": [],
        });
        let put = |name: &str, content: &[u8]| {
            // Another run of these tests may be reading it.
            if fs::read(guests.join(name)).ok().as_deref() != Some(content) {
                fs::write(guests.join(name), content).unwrap();
            }
        };
        put("python.wasm", &wasm);
        put("python.json", manifest.to_string().as_bytes());
        root
    });
    (root.join("guests"), root.join("cache"))
}

/// The configuration of `count` workers that play `role`.
pub(crate) fn config(role: &[&str], count: usize) -> SandboxConfig {
    let (guests, cache) = guests();
    let mut config = SandboxConfig::new(guests, cache);
    config.maximum.memory_mb = 64;
    config.mode = SandboxMode::Workers {
        command: WorkerCommand {
            program: this_program(),
            args: role.iter().map(OsString::from).collect(),
        },
        count,
    };
    config
}

/// A sandbox of `count` honest workers.
pub(crate) async fn sandbox(count: usize) -> Arc<SandboxExecutor> {
    let config = config(&["role=worker"], count);
    Arc::new(SandboxExecutor::new(config).await.unwrap())
}

/// A task for the test guest.
pub(crate) fn task(code: &str) -> Task {
    Task {
        language: Language::Python,
        code: code.to_owned(),
        stdin: bytes::Bytes::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        files: Vec::new(),
        limits: Limits {
            timeout_ms: 20_000,
            ..Limits::DEFAULT
        },
        seed: None,
        now: None,
    }
}

/// Runs `task` to its end.
pub(crate) async fn run(sandbox: &SandboxExecutor, task: Task) -> Result<Outcome, ExecutorError> {
    sandbox
        .execute(Arc::new(task), ExecutionContext::default())
        .await
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "still not: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Tries up to twenty times what a busy machine may spoil: how fast something is. What is never fast
/// fails all the same.
pub(crate) async fn in_one_of_twenty(attempt: impl AsyncFn() -> Result<(), String>) {
    let mut failures = Vec::new();
    for _ in 0..20 {
        match attempt().await {
            Ok(()) => return,
            Err(why) => failures.push(why),
        }
    }
    panic!("never in time: {failures:#?}");
}

/// Sends `signal` to the process `pid`.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    // One that ended a moment ago needs no signal any more.
    match rustix::process::kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("cannot send {signal:?} to {pid:?}: {error}"),
    }
}

/// Whether the process `pid` is there and not just waiting to be reaped.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// A sandbox whose workers are all ready.
pub(crate) async fn whole_sandbox(count: usize) -> Arc<SandboxExecutor> {
    let sandbox = sandbox(count).await;
    eventually("all workers are ready", || {
        sandbox.status().workers.len() == count + 1
    })
    .await;
    sandbox
}
