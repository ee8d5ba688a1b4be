//! An executor for tests of the router itself: it runs no code, it plays what the code says.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::{
    Artifact, ArtifactLink, BackendKind, BoxFuture, CacheInfo, CacheStatus, ErrorKind, Execution,
    ExecutionContext, Executor, ExecutorError, GuestError, Language, Limits, ModuleInfo, Outcome,
    OutputStream, OutputsInfo, OutputsState, PackageInfo, Route, Runtime, Status, Task, Uuid,
};
use tokio::sync::watch;

/// The code is a list of words, one a line:
///
/// - `print TEXT`, `backend`, `stdin`, `bytes N`, `file PATH`: output, `backend` its own name;
/// - `clock`, `timeout`, `truncated`: how it ends, or what it looked at;
/// - `fail`: the backend fails, as overloaded;
/// - `sleep MS`: takes that long;
/// - `need MODULE`: ends as Python does where a module is missing, without looking like an import;
/// - `burn FUEL`, `hold MIB`, `work MS`: end as a guest does that has less than that. Only the
///   sandbox meters fuel; time does not really pass.
#[derive(Debug)]
pub(crate) struct TestExecutor {
    kind: BackendKind,
    runtimes: Mutex<Arc<[Arc<Runtime>]>>,
    /// How asking it for them stands.
    question: watch::Sender<Question>,
    /// How often somebody waited for the answer, and how many do now.
    asked: AtomicUsize,
    waiting: Arc<AtomicUsize>,
    maximum: Limits,
    ready: AtomicBool,
    /// What every execution fails with.
    failure: Mutex<Option<ErrorKind>>,
    pub(crate) started: AtomicUsize,
    pub(crate) finished: AtomicUsize,
    pub(crate) running: Arc<AtomicUsize>,
    /// What was run, and for whom.
    seen: Mutex<Vec<Seen>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Open,
    Answered,
    Failed,
}

type Seen = (Arc<Task>, Option<Arc<str>>);

impl Default for TestExecutor {
    /// A sandbox with Python, a few of its modules, and one package.
    fn default() -> Self {
        let python = runtime(
            BackendKind::Wasm,
            Language::Python,
            &[
                ("dateutil", Some("python-dateutil")),
                ("json", None),
                ("math", None),
                ("os", None),
                ("sys", None),
            ],
        );
        Self::new(BackendKind::Wasm, vec![python], Limits::MAXIMUM)
    }
}

/// One execution under way, or one caller who waits, also when its future is dropped.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A runtime with `modules`, each with its package; the digest tells backend and language.
pub(crate) fn runtime(
    backend: BackendKind,
    language: Language,
    modules: &[(&str, Option<&str>)],
) -> Runtime {
    let mut packages: Vec<_> = modules
        .iter()
        .filter_map(|(_, package)| *package)
        .map(|name| PackageInfo {
            name: name.to_owned(),
            version: "1".to_owned(),
        })
        .collect();
    packages.dedup();
    let mut modules: Vec<_> = modules
        .iter()
        .map(|(name, package)| ModuleInfo {
            name: (*name).to_owned(),
            package: package.map(str::to_owned),
        })
        .collect();
    modules.sort_by(|one, two| one.name.cmp(&two.name));
    Runtime {
        backend,
        language,
        implementation: "Test".to_owned(),
        version: "3.13.5".to_owned(),
        digest: format!("{backend}-{language}"),
        modules,
        packages,
    }
}

impl TestExecutor {
    pub(crate) fn new(kind: BackendKind, runtimes: Vec<Runtime>, maximum: Limits) -> Self {
        Self {
            kind,
            runtimes: Mutex::new(runtimes.into_iter().map(Arc::new).collect()),
            question: watch::Sender::new(Question::Answered),
            asked: AtomicUsize::new(0),
            waiting: Arc::default(),
            maximum,
            ready: AtomicBool::new(true),
            failure: Mutex::new(None),
            started: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            running: Arc::default(),
            seen: Mutex::default(),
        }
    }

    /// An image with Python and pandas, and R, that grants 2 GiB and 15 minutes.
    pub(crate) fn lambda() -> Self {
        let maximum = Limits {
            timeout_ms: 900_000,
            memory_mb: 2_048,
            ..Limits::UNBOUNDED
        };
        Self::new(BackendKind::Lambda, Self::image(), maximum)
    }

    /// The same, of which nobody knows what it has until it is told to [`describe`](Self::describe)
    /// itself.
    pub(crate) fn silent_lambda() -> Self {
        let lambda = Self::lambda();
        lambda.offer(Vec::new());
        lambda.question.send_replace(Question::Open);
        lambda
    }

    /// Says what the image has. Who waits for it goes on.
    pub(crate) fn describe(&self) {
        self.offer(Self::image());
        self.question.send_replace(Question::Answered);
    }

    /// Fails those who wait for what it has, until it describes itself.
    pub(crate) fn fail_to_describe(&self) {
        self.question.send_replace(Question::Failed);
    }

    /// How often somebody had to wait for what it has.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Ends when so many wait for what it has.
    pub(crate) async fn until_waiting(&self, count: usize) {
        while self.waiting.load(Ordering::SeqCst) != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn image() -> Vec<Runtime> {
        let python = runtime(
            BackendKind::Lambda,
            Language::Python,
            &[
                ("dateutil", Some("python-dateutil")),
                ("json", None),
                ("math", None),
                ("numpy", Some("numpy")),
                ("os", None),
                ("pandas", Some("pandas")),
                ("sys", None),
            ],
        );
        let r = runtime(BackendKind::Lambda, Language::R, &[("stats", None)]);
        vec![python, r]
    }

    /// From now on it offers `runtimes`.
    pub(crate) fn offer(&self, runtimes: Vec<Runtime>) {
        *self.runtimes.lock().unwrap() = runtimes.into_iter().map(Arc::new).collect();
    }

    /// From now on it says that it is ready, or that it is not.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
    }

    /// From now on every execution fails like this, or none.
    pub(crate) fn fail_with(&self, kind: Option<ErrorKind>) {
        *self.failure.lock().unwrap() = kind;
    }

    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    pub(crate) fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// The task that was run last, and for whom.
    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    /// Plays one line.
    async fn play(
        &self,
        line: &str,
        task: &Task,
        context: &ExecutionContext,
        outcome: &mut Outcome,
    ) -> Result<(), ExecutorError> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse::<u64>().unwrap();
        match word {
            "print" => self.print(rest, context, outcome),
            "backend" => self.print(self.kind.as_str(), context, outcome),
            "bytes" => outcome.stdout = vec![0xff; rest.parse().unwrap()].into(),
            "stdin" => outcome.stdout = task.stdin.clone(),
            "file" => outcome.artifacts.push(artifact(rest, "content")),
            "clock" => outcome.observed.clock = true,
            "timeout" => outcome.status = Status::Timeout,
            "truncated" => outcome.truncated.stdout = true,
            "fail" => return Err(ExecutorError::new(ErrorKind::Overloaded, "full")),
            "need" if !self.has(task.language, rest) => {
                outcome.status = Status::Error;
                outcome.exit_code = Some(1);
                outcome.error = Some(GuestError {
                    kind: "ModuleNotFoundError".to_owned(),
                    message: format!("No module named '{rest}'"),
                    traceback: String::new(),
                    line: Some(1),
                });
            }
            "burn" if self.kind == BackendKind::Wasm && number() > task.limits.fuel => {
                outcome.status = Status::FuelExhausted;
            }
            "hold" if number() > task.limits.memory_mb.into() => {
                outcome.status = Status::OutOfMemory;
            }
            "work" => {
                // A processor does in a tenth of the time what the sandbox does.
                let share = match self.kind {
                    BackendKind::Wasm => number(),
                    BackendKind::Lambda => number() / 10,
                };
                if share > task.limits.timeout_ms {
                    outcome.status = Status::Timeout;
                }
                outcome.usage.wall_ms += share.min(task.limits.timeout_ms) as f64;
            }
            "sleep" => {
                let time = Duration::from_millis(number());
                tokio::select! {
                    () = tokio::time::sleep(time) => {}
                    () = context.cancel.cancelled() => outcome.status = Status::Cancelled,
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn print(&self, text: &str, context: &ExecutionContext, outcome: &mut Outcome) {
        context.sink.write(OutputStream::Stdout, text.as_bytes());
        outcome.stdout = [&outcome.stdout, text.as_bytes()].concat().into();
    }

    fn has(&self, language: Language, module: &str) -> bool {
        let runtimes = self.runtimes();
        let mut of_language = runtimes.iter().filter(|r| r.language == language);
        of_language.any(|runtime| runtime.has_module(module))
    }
}

pub(crate) fn artifact(path: &str, content: &str) -> Artifact {
    Artifact {
        path: path.to_owned(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        sha256: "0".repeat(64),
        media_type: match path.rsplit('.').next() {
            Some("html") => "text/html",
            Some("svg") => "image/svg+xml",
            Some("pdf") => "application/pdf",
            Some("js") => "text/javascript",
            Some(_) | None => "text/plain",
        }
        .to_owned(),
    }
}

/// An execution that `outcome` could have come of.
pub(crate) fn execution(outcome: &Outcome) -> Execution {
    let id = Uuid::now_v7();
    let artifacts = outcome.artifacts.iter().map(|artifact| ArtifactLink {
        path: artifact.path.clone(),
        bytes: artifact.content.len() as u64,
        sha256: artifact.sha256.clone(),
        media_type: artifact.media_type.clone(),
        url: String::new(),
    });
    Execution {
        id,
        status: outcome.status,
        exit_code: outcome.exit_code,
        stdout: String::from_utf8_lossy(&outcome.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&outcome.stderr).into_owned(),
        truncated: outcome.truncated,
        error: None,
        results: Vec::new(),
        artifacts: artifacts.collect(),
        route: Route {
            backend: BackendKind::Wasm,
            runtime: "python-3.13.5".into(),
            reason: "a test".into(),
            hops: Vec::new(),
            hints: Vec::new(),
        },
        cache: CacheInfo {
            status: CacheStatus::Miss,
            key: "0".repeat(64),
            reproducible: true,
        },
        usage: outcome.usage,
        outputs: OutputsInfo {
            state: OutputsState::Stored,
            uri: format!("test:{id}"),
        },
    }
}

impl Executor for TestExecutor {
    fn backend(&self) -> BackendKind {
        self.kind
    }

    fn runtimes(&self) -> Arc<[Arc<Runtime>]> {
        Arc::clone(&self.runtimes.lock().unwrap())
    }

    fn described<'a>(&'a self) -> BoxFuture<'a, Result<(), ExecutorError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let _waiting = Running(Arc::clone(&self.waiting));
            let mut question = self.question.subscribe();
            let settled = question.wait_for(|question| *question != Question::Open);
            match *settled.await.unwrap() {
                Question::Failed => {
                    let error = ExecutorError::new(ErrorKind::Internal, "10.0.0.1 is silent");
                    Err(error.retry_after(Duration::from_secs(7)))
                }
                Question::Open | Question::Answered => Ok(()),
            }
        })
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst) && !self.runtimes().is_empty()
    }

    fn maximum(&self) -> Limits {
        self.maximum
    }

    fn cost_usd(&self, time: Duration) -> f64 {
        match self.kind {
            BackendKind::Wasm => 0.0,
            BackendKind::Lambda => time.as_secs_f64() * 0.001,
        }
    }

    fn execute<'a>(
        &'a self,
        task: Arc<Task>,
        context: ExecutionContext,
    ) -> BoxFuture<'a, Result<Outcome, ExecutorError>> {
        Box::pin(async move {
            self.running.fetch_add(1, Ordering::SeqCst);
            let _running = Running(Arc::clone(&self.running));
            self.started.fetch_add(1, Ordering::SeqCst);
            let seen = (Arc::clone(&task), context.tenant.clone());
            self.seen.lock().unwrap().push(seen);
            if let Some(kind) = *self.failure.lock().unwrap() {
                let error = ExecutorError::new(kind, "the test says so");
                return Err(error.retry_after(Duration::from_secs(7)));
            }
            let mut outcome = Outcome::empty(Status::Ok);
            outcome.exit_code = Some(0);
            outcome.usage.fuel = 7;
            for line in task.code.lines() {
                self.play(line, &task, &context, &mut outcome).await?;
                if outcome.status != Status::Ok {
                    break;
                }
            }
            if !outcome.status.is_complete() {
                outcome.exit_code = None;
            }
            self.finished.fetch_add(1, Ordering::SeqCst);
            Ok(outcome)
        })
    }
}
