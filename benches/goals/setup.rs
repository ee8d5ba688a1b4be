//! What the benchmarks share: the guests, the snippets, and executors over them.
#![allow(
    dead_code,
    reason = "each benchmark is a crate of its own and uses a part of this"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandgate_core::{
    ExecuteRequest, ExecutionContext, Executor, Language, Outcome, RequestRules, Task,
};
use sandgate_sandbox::{SandboxConfig, SandboxExecutor, SandboxMode, WorkerCommand};

/// The smallest Python program.
pub(crate) const PRINT: &str = "print(1+1)";
/// The smallest JavaScript program.
pub(crate) const LOG: &str = "console.log(1+1)";
/// A little work with seven modules of the standard library.
pub(crate) const STDLIB: &str = r#"
import json, re, math, random, datetime, collections, statistics
data = json.loads('{"a": [1, 2, 3], "b": "x=1;y=22"}')
pairs = re.findall(r"(\w)=(\d+)", data["b"])
letters = collections.Counter("mississippi")
day = datetime.date(2024, 2, 28) + datetime.timedelta(2)
print(pairs, math.sqrt(2), random.randint(1, 6) in range(1, 7), day.isoformat(),
      letters.most_common(2), statistics.mean(data["a"]), json.dumps({"k": sorted(letters)}))
"#;
/// 250,000 calls.
pub(crate) const FIB_PYTHON: &str =
    "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nprint(fib(25))";
/// The same in JavaScript.
pub(crate) const FIB_JAVASCRIPT: &str =
    "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }\nconsole.log(fib(25))";
/// An uncaught error with its traceback.
pub(crate) const RAISE: &str = "def f():\n    raise ValueError('boom')\nf()";

/// Every snippet with a name.
pub(crate) const SNIPPETS: &[(&str, Language, &str)] = &[
    ("python print", Language::Python, PRINT),
    ("python stdlib", Language::Python, STDLIB),
    ("python raise", Language::Python, RAISE),
    ("python fib(25)", Language::Python, FIB_PYTHON),
    ("javascript log", Language::JavaScript, LOG),
    ("javascript fib(25)", Language::JavaScript, FIB_JAVASCRIPT),
];

/// Where `cargo xtask guests` puts the guests.
pub(crate) fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guests")
}

/// The `sandgate` binary of the profile this was built in: the folder above `deps`.
pub(crate) fn binary() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let binary = here
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("sandgate");
    assert!(
        binary.is_file(),
        "{} is missing: start with `cargo xtask bench`, which builds it",
        binary.display()
    );
    binary
}

/// A runtime with one thread: what is measured has the other core.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// One thread of this process.
pub(crate) fn in_process() -> SandboxMode {
    SandboxMode::InProcess { threads: 1 }
}

/// `count` worker processes.
pub(crate) fn workers(count: usize) -> SandboxMode {
    SandboxMode::Workers {
        command: WorkerCommand {
            program: binary(),
            args: vec!["worker".into()],
        },
        count,
    }
}

/// A name for a group of figures.
pub(crate) fn mode_name(mode: &SandboxMode) -> &'static str {
    match mode {
        SandboxMode::InProcess { .. } => "in process",
        SandboxMode::Workers { .. } => "worker",
    }
}

/// An executor whose guests are compiled once for all benchmarks.
pub(crate) async fn executor(mode: SandboxMode) -> Arc<SandboxExecutor> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let mut config = SandboxConfig::new(guests(), cache);
    config.mode = mode;
    Arc::new(SandboxExecutor::new(config).await.unwrap())
}

/// The task of a request.
pub(crate) fn task(request: ExecuteRequest) -> Arc<Task> {
    Arc::new(RequestRules::default().task(request).unwrap())
}

/// Runs `task` to its end.
pub(crate) async fn run(executor: &Arc<SandboxExecutor>, task: &Arc<Task>) -> Outcome {
    executor
        .execute(Arc::clone(task), ExecutionContext::default())
        .await
        .unwrap()
}
