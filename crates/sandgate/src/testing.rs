//! An executor for tests of the router itself: it runs no code, it plays what the code says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::{
    Artifact, ArtifactLink, BackendKind, BoxFuture, CacheInfo, CacheStatus, ErrorKind, Execution,
    ExecutionContext, Executor, ExecutorError, Language, Outcome, OutputSink, OutputStream,
    OutputsInfo, OutputsState, PackageInfo, Route, Runtime, Status, Task, Uuid,
};

/// The code is a list of words: `print TEXT`, `sleep MS`, `file PATH`, `clock`, `timeout`,
/// `truncated`, `fail`, one a line.
#[derive(Debug, Default)]
pub(crate) struct TestExecutor {
    pub(crate) started: AtomicUsize,
    pub(crate) finished: AtomicUsize,
    pub(crate) running: Arc<AtomicUsize>,
}

/// One execution under way, also when its future is dropped.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl TestExecutor {
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    #[allow(dead_code, reason = "only the tests of the HTTP service use it")]
    pub(crate) fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    #[allow(dead_code, reason = "only the tests of the HTTP service use it")]
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
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
        BackendKind::Wasm
    }

    fn runtimes(&self) -> Arc<[Arc<Runtime>]> {
        [Arc::new(Runtime {
            backend: BackendKind::Wasm,
            language: Language::Python,
            implementation: "Test".into(),
            version: "3.13.5".into(),
            digest: "digest".into(),
            modules: Vec::new(),
            packages: vec![PackageInfo {
                name: "python-dateutil".into(),
                version: "1".into(),
            }],
        })]
        .into()
    }

    fn execute<'a>(
        &'a self,
        task: Arc<Task>,
        context: ExecutionContext,
    ) -> BoxFuture<'a, Result<Outcome, ExecutorError>> {
        Box::pin(async move {
            let ExecutionContext { sink, cancel, .. } = context;
            self.running.fetch_add(1, Ordering::SeqCst);
            let _running = Running(Arc::clone(&self.running));
            self.started.fetch_add(1, Ordering::SeqCst);
            let mut outcome = Outcome::empty(Status::Ok);
            outcome.exit_code = Some(0);
            outcome.usage.fuel = 7;
            let mut stdout = Vec::new();
            for line in task.code.lines() {
                let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
                match word {
                    "print" => {
                        sink.write(OutputStream::Stdout, rest.as_bytes());
                        stdout.extend_from_slice(rest.as_bytes());
                    }
                    "bytes" => stdout.resize(rest.parse().unwrap(), 0xff),
                    "file" => outcome.artifacts.push(artifact(rest, "content")),
                    "clock" => outcome.observed.clock = true,
                    "timeout" => outcome.status = Status::Timeout,
                    "truncated" => outcome.truncated.stdout = true,
                    "fail" => return Err(ExecutorError::new(ErrorKind::Overloaded, "full")),
                    "sleep" => {
                        let time = Duration::from_millis(rest.parse().unwrap());
                        tokio::select! {
                            () = tokio::time::sleep(time) => {}
                            () = cancel.cancelled() => outcome.status = Status::Cancelled,
                        }
                    }
                    _ => {}
                }
            }
            outcome.stdout = stdout.into();
            self.finished.fetch_add(1, Ordering::SeqCst);
            Ok(outcome)
        })
    }
}
