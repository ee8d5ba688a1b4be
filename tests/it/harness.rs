//! Executors to test, one per mode, and what every execution on them is held to.
//!
//! [`Snippet`] builds a task; [`Snippet::on`] runs it and checks what must hold for whatever a
//! guest does: the call comes back, within the deadline, and what was streamed is what is kept.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_core::{
    CancellationToken, ExecutionContext, Executor, ExecutorError, Language, Limits, Outcome,
    OutputSink, OutputStream, Status, Task, TaskFile,
};
use sandgate_sandbox::{SandboxConfig, SandboxExecutor, SandboxMode, WorkerCommand};

/// How late an execution may end where a tenth of its deadline, as promised, is less than this:
/// three processes have their turns before its caller knows.
const SLACK: Duration = Duration::from_millis(250);

/// No execution of these tests is allowed more; past it the executor hangs.
const HANGS_AFTER: Duration = Duration::from_secs(120);

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// Runs `test` on the runtime that all executors share.
pub fn block_on<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(test)
}

/// The two ways to run guests. Every conformance test runs in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    InProcess,
    Workers,
}

impl Mode {
    pub const BOTH: [Self; 2] = [Self::InProcess, Self::Workers];
}

/// The folder of guests that `cargo xtask guests` builds.
pub fn guests() -> PathBuf {
    let guests = std::env::var_os("SANDGATE_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guests"),
        PathBuf::from,
    );
    assert!(
        guests.join("python.json").is_file() && guests.join("javascript.json").is_file(),
        "no guests in {}: run `cargo xtask guests`, or start the tests with `cargo xtask test`",
        guests.display()
    );
    guests
}

/// Where all tests keep the compiled guests, so that they are compiled once.
pub fn compiled() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

/// The `sandgate` binary of the profile that the tests were built in.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let binary = folder.join("sandgate");
    assert!(
        binary.is_file(),
        "{} is missing: build it with `cargo build -p sandgate-server`, or start the tests with \
         `cargo xtask test`",
        binary.display()
    );
    binary
}

/// Sets up an executor.
#[derive(Debug)]
pub struct Builder {
    mode: Mode,
    count: usize,
    queue: usize,
    program: Option<PathBuf>,
    cache: PathBuf,
}

impl Builder {
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            count: 1,
            queue: SandboxConfig::DEFAULT_QUEUE,
            program: None,
            cache: compiled(),
        }
    }

    /// Where the compiled guests are kept, instead of where all tests keep them.
    pub fn cache(mut self, cache: PathBuf) -> Self {
        self.cache = cache;
        self
    }

    /// The workers' program, where it must be told from other workers'.
    pub fn program(mut self, program: PathBuf) -> Self {
        self.program = Some(program);
        self
    }

    /// How many executions run at once.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// How many may wait.
    pub fn queue(mut self, queue: usize) -> Self {
        self.queue = queue;
        self
    }

    pub async fn start(self) -> Arc<SandboxExecutor> {
        let mut config = SandboxConfig::new(guests(), self.cache);
        config.queue = self.queue;
        config.mode = match self.mode {
            Mode::InProcess => SandboxMode::InProcess {
                threads: self.count,
            },
            Mode::Workers => SandboxMode::Workers {
                command: WorkerCommand {
                    program: self.program.unwrap_or_else(binary),
                    args: vec!["worker".into()],
                },
                count: self.count,
            },
        };
        Arc::new(SandboxExecutor::new(config).await.unwrap())
    }
}

/// A shared executor of one place, so that the execution after an attack runs where the attack
/// ran. Tests take turns on it.
pub struct Shared {
    pub mode: Mode,
    executor: tokio::sync::OnceCell<Arc<SandboxExecutor>>,
    turn: tokio::sync::Mutex<()>,
}

static IN_PROCESS: Shared = Shared::new(Mode::InProcess);
static WORKERS: Shared = Shared::new(Mode::Workers);

impl Shared {
    const fn new(mode: Mode) -> Self {
        Self {
            mode,
            executor: tokio::sync::OnceCell::const_new(),
            turn: tokio::sync::Mutex::const_new(()),
        }
    }

    /// The executor, and the turn to use it alone.
    pub async fn turn(
        &'static self,
    ) -> (Arc<SandboxExecutor>, tokio::sync::MutexGuard<'static, ()>) {
        let turn = self.turn.lock().await;
        let executor = self
            .executor
            .get_or_init(|| Builder::new(self.mode).start())
            .await;
        (Arc::clone(executor), turn)
    }
}

/// The shared executor of `mode`.
pub fn shared(mode: Mode) -> &'static Shared {
    match mode {
        Mode::InProcess => &IN_PROCESS,
        Mode::Workers => &WORKERS,
    }
}

/// Runs `test` in both modes at once, each with the shared executor of its mode to itself.
pub fn in_both_modes<F>(test: impl Fn(Mode, Arc<SandboxExecutor>) -> F)
where
    F: Future<Output = ()>,
{
    let one = async |mode| {
        let (executor, _turn) = shared(mode).turn().await;
        test(mode, executor).await;
    };
    block_on(async { tokio::join!(one(Mode::InProcess), one(Mode::Workers)) });
}

/// A task in the making.
#[derive(Clone, Debug)]
pub struct Snippet(Task);

impl Snippet {
    pub fn new(language: Language, code: impl Into<String>) -> Self {
        Self(Task {
            language,
            code: code.into(),
            stdin: Bytes::new(),
            args: Vec::new(),
            env: Default::default(),
            files: Vec::new(),
            limits: Limits::DEFAULT,
            seed: None,
            now: None,
        })
    }

    pub fn python(code: impl Into<String>) -> Self {
        Self::new(Language::Python, code)
    }

    pub fn javascript(code: impl Into<String>) -> Self {
        Self::new(Language::JavaScript, code)
    }

    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.0.limits);
        self
    }

    pub fn stdin(mut self, stdin: impl Into<Bytes>) -> Self {
        self.0.stdin = stdin.into();
        self
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.0.args = args.iter().map(|&arg| arg.to_owned()).collect();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn file(mut self, path: &str, content: impl Into<Bytes>) -> Self {
        self.0.files.push(TaskFile {
            path: path.to_owned(),
            content: content.into(),
        });
        self
    }

    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = Some(seed);
        self
    }

    pub fn now(mut self, now: &str) -> Self {
        self.0.now = Some(now.parse().unwrap());
        self
    }

    /// Runs it, and checks what holds for every execution.
    pub async fn on(self, executor: &impl Executor) -> Report {
        self.started(executor).await.unwrap()
    }

    /// Runs it where the executor itself may refuse.
    pub async fn started(self, executor: &impl Executor) -> Result<Report, ExecutorError> {
        self.cancelled_by(executor, CancellationToken::new()).await
    }

    /// Runs it until it ends or `cancel` is cancelled.
    pub async fn cancelled_by(
        self,
        executor: &impl Executor,
        cancel: CancellationToken,
    ) -> Result<Report, ExecutorError> {
        self.recorded(executor, cancel, Arc::default()).await
    }

    /// Runs it until it prints, then cancels it. Says also how long that took to be heard.
    pub async fn cancelled_when_it_prints(self, executor: &impl Executor) -> (Report, Duration) {
        let cancel = CancellationToken::new();
        let recorder = Arc::new(Recorder::default());
        let running = self.recorded(executor, cancel.clone(), Arc::clone(&recorder));
        let (report, cancelled) = tokio::join!(running, async {
            let printed = tokio::time::timeout(HANGS_AFTER, recorder.printed.notified());
            printed.await.unwrap();
            cancel.cancel();
            Instant::now()
        });
        (report.unwrap(), cancelled.elapsed())
    }

    async fn recorded(
        self,
        executor: &impl Executor,
        cancel: CancellationToken,
        recorder: Arc<Recorder>,
    ) -> Result<Report, ExecutorError> {
        let task = Arc::new(self.0);
        let start = Instant::now();
        Stalls::watched();
        let execution = executor.execute(
            Arc::clone(&task),
            ExecutionContext::new(recorder.clone(), cancel),
        );
        let outcome = tokio::time::timeout(HANGS_AFTER, execution)
            .await
            .unwrap_or_else(|_| panic!("the execution hangs: {}", excerpt(&task.code)))?;
        let mut report = Report {
            elapsed: start.elapsed(),
            outcome,
            stalled: Duration::ZERO,
        };
        let (late, allowed) = report.lateness(&task.limits);
        if late > allowed {
            report.stalled = Stalls::since(start);
        }
        report.check(&task, &recorder);
        Ok(report)
    }
}

/// Notes when the machine is too busy to wake a thread in time. Tests that say how fast something
/// is to be allow for that: they run beside others, on machines with two cores.
#[derive(Default)]
pub struct Stalls {
    noted: Mutex<VecDeque<(Instant, Duration)>>,
    looks: AtomicU64,
}

impl Stalls {
    const NAP: Duration = Duration::from_millis(5);
    /// An end takes as many wakings one after the other: of the worker, of the runtime, of a task.
    const WAKINGS: u32 = 4;
    const KEPT: Duration = Duration::from_secs(150);

    /// Starts to watch, the first time.
    fn watched() -> &'static Self {
        static STALLS: LazyLock<Stalls> = LazyLock::new(|| {
            std::thread::spawn(|| {
                loop {
                    let before = Instant::now();
                    std::thread::sleep(Stalls::NAP);
                    let late = before.elapsed().saturating_sub(Stalls::NAP);
                    // All machines are late by this much.
                    if late > Duration::from_millis(2) {
                        Stalls::watched().note(late);
                    }
                    Stalls::watched().looks.fetch_add(1, Ordering::SeqCst);
                }
            });
            Stalls::default()
        });
        &STALLS
    }

    fn note(&self, late: Duration) {
        let mut stalls = self.noted.lock().unwrap();
        stalls.push_back((Instant::now(), late));
        while stalls
            .front()
            .is_some_and(|(at, _)| at.elapsed() > Self::KEPT)
        {
            stalls.pop_front();
        }
    }

    /// What they account for since `start`. Takes a moment: one that has only just ended is noted
    /// when the thread that watches has its turn, too.
    pub fn since(start: Instant) -> Duration {
        let watched = Self::watched();
        let (asked, looks) = (Instant::now(), watched.looks.load(Ordering::SeqCst));
        while watched.looks.load(Ordering::SeqCst) == looks && asked.elapsed() < HANGS_AFTER {
            std::thread::sleep(Duration::from_millis(1));
        }
        let stalls = watched.noted.lock().unwrap();
        let since = stalls.iter().filter(|(at, _)| *at >= start);
        let worst = since.map(|(_, late)| *late).max().unwrap_or_default();
        worst * Self::WAKINGS
    }
}

/// The start of a text that may be very long.
pub fn excerpt(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Keeps what is streamed, and tells when something came.
#[derive(Debug, Default)]
pub struct Recorder {
    streams: Mutex<[Vec<u8>; 2]>,
    printed: tokio::sync::Notify,
}

impl Recorder {
    /// What has come of `stream` so far.
    pub fn so_far(&self, stream: OutputStream) -> Vec<u8> {
        self.streams.lock().unwrap()[stream as usize].clone()
    }
}

impl OutputSink for Recorder {
    fn write(&self, stream: OutputStream, chunk: &[u8]) {
        self.streams.lock().unwrap()[stream as usize].extend_from_slice(chunk);
        self.printed.notify_one();
    }
}

/// An outcome, and how long the caller waited for it.
#[derive(Debug)]
pub struct Report {
    pub outcome: Outcome,
    pub elapsed: Duration,
    /// What the machine's being busy accounts for, where it took longer than it may otherwise.
    stalled: Duration,
}

impl Report {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.outcome.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.outcome.stderr).into_owned()
    }

    /// The uncaught error's type, or nothing.
    pub fn error_kind(&self) -> &str {
        self.outcome
            .error
            .as_ref()
            .map_or("", |error| error.kind.as_str())
    }

    /// The part of the caller's waiting that was not queueing.
    pub fn running(&self) -> Duration {
        let queued = Duration::from_secs_f64(self.outcome.usage.queue_ms / 1e3);
        self.elapsed.saturating_sub(queued)
    }

    /// How long after its deadline it ended, and how long after it may where nothing stalls.
    fn lateness(&self, limits: &Limits) -> (Duration, Duration) {
        let deadline = Duration::from_millis(limits.timeout_ms);
        let late = self.running().saturating_sub(deadline);
        (late, SLACK.max(deadline / 10))
    }

    /// What went into the status, for the messages of failed assertions.
    pub fn summary(&self) -> String {
        let Outcome {
            status,
            exit_code,
            error,
            truncated,
            usage,
            ..
        } = &self.outcome;
        let error = error.as_ref().map_or(String::new(), |error| {
            format!(" {}: {}", error.kind, excerpt(&error.message))
        });
        format!(
            "{} (exit code {exit_code:?}) after {:.0} ms, {} fuel, {} MiB peak;{error} {truncated:?}\n\
             stdout {} bytes: {:?}\nstderr {} bytes: {:?}",
            status.as_str(),
            usage.wall_ms,
            usage.fuel,
            usage.peak_memory_bytes >> 20,
            self.outcome.stdout.len(),
            excerpt(&self.stdout()),
            self.outcome.stderr.len(),
            excerpt(&self.stderr()),
        )
    }

    #[track_caller]
    pub fn assert_status(&self, status: Status) {
        assert_eq!(self.outcome.status, status, "{}", self.summary());
    }

    /// Asserts that it came to a good end and printed exactly `stdout`.
    #[track_caller]
    pub fn assert_prints(&self, stdout: &str) {
        self.assert_status(Status::Ok);
        assert_eq!(self.stdout(), stdout, "{}", self.summary());
    }

    /// What holds whatever the guest did.
    fn check(&self, task: &Task, recorder: &Recorder) {
        let Outcome {
            status,
            exit_code,
            stdout,
            stderr,
            error,
            artifacts,
            usage,
            ..
        } = &self.outcome;
        let limits = &task.limits;
        let context = || format!("{}\n{}", excerpt(&task.code), self.summary());

        let (late, allowed) = self.lateness(limits);
        assert!(
            late <= allowed + self.stalled,
            "ended {late:?} after its deadline of {} ms (the machine stalled for {:?}): {}",
            limits.timeout_ms,
            self.stalled,
            context()
        );
        assert!(usage.fuel <= limits.fuel, "{}", context());
        let granted = u64::from(limits.memory_mb) << 20;
        assert!(usage.peak_memory_bytes <= granted, "{}", context());
        for (stream, kept) in [
            (OutputStream::Stdout, stdout),
            (OutputStream::Stderr, stderr),
        ] {
            assert!(kept.len() as u64 <= limits.output_bytes, "{}", context());
            assert!(
                recorder.so_far(stream) == *kept,
                "what was streamed of {stream:?} is not what is kept: {}",
                context()
            );
        }
        // An exit code is the guest's own word: nobody has it who was cut short. One that ran out of
        // memory may have come to its end all the same.
        if *status != Status::OutOfMemory {
            assert_eq!(exit_code.is_some(), status.is_complete(), "{}", context());
        }
        match status {
            Status::Ok => assert!(*exit_code == Some(0) && error.is_none(), "{}", context()),
            Status::Error => assert!(*exit_code != Some(0), "{}", context()),
            Status::Timeout
            | Status::FuelExhausted
            | Status::OutOfMemory
            | Status::OutputLimit
            | Status::Crashed
            | Status::Cancelled => (),
        }
        for artifact in artifacts {
            sandgate_core::check_relative_path(&artifact.path).unwrap();
        }
    }
}
