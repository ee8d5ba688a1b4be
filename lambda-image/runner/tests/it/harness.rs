//! A Runtime API on loopback, and the runner as its client.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use sandgate_core::{
    Language, Limits, MimeBundle, Outcome, Passed, RUNNER_PROTOCOL, RunnerCall, RunnerEvent,
    RunnerFailure, RunnerReply, Slot, Status, Task, TaskFile,
};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

/// What is in the runner's environment and must never reach a guest.
pub(crate) const SECRET: &str = "the-secret-of-the-function";

/// How long an invocation may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(300);

/// A runner in its environment, as Lambda would have it.
#[derive(Debug)]
pub(crate) struct Environment {
    process: Mutex<Child>,
    events: mpsc::Sender<Pending>,
    /// What the runner writes into its log.
    log: Arc<Mutex<String>>,
    /// Where its Runtime API is.
    pub(crate) address: SocketAddr,
    /// The only folder that guests may leave anything in.
    pub(crate) temporary: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

/// The runner's answer, or its error.
type Answer = Result<Vec<u8>, String>;

#[derive(Debug)]
struct Pending {
    event: Vec<u8>,
    timeout: Duration,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
struct Api {
    events: AsyncMutex<mpsc::Receiver<Pending>>,
    waiting: Mutex<BTreeMap<String, oneshot::Sender<Answer>>>,
}

/// The environment that tests share where they do no harm to each other. One invocation at a time.
pub(crate) fn shared() -> MutexGuard<'static, Environment> {
    static SHARED: LazyLock<Mutex<Environment>> =
        LazyLock::new(|| Mutex::new(Environment::start()));
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder that `cargo xtask lambda` makes.
pub(crate) fn home() -> PathBuf {
    let home = env::var_os("SANDGATE_RUNNER_HOME").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/lambda"),
        PathBuf::from,
    );
    assert!(
        home.join("venv/bin/python").exists(),
        "{} is not there: run `cargo xtask lambda` first",
        home.display()
    );
    home
}

/// A folder like [`home`] whose interpreter has no packages, so that it starts at once.
#[cfg(feature = "lowered-walls")]
fn plain_home() -> &'static Path {
    static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
        let plain = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain");
        let _ = std::fs::remove_dir_all(&plain);
        std::fs::create_dir_all(plain.join("venv/bin")).unwrap();
        std::fs::create_dir_all(plain.join("python/sandgate_child")).unwrap();
        let python = home().join("venv/bin/python").canonicalize().unwrap();
        std::os::unix::fs::symlink(python, plain.join("venv/bin/python")).unwrap();
        let modules = std::fs::read_dir(home().join("python/sandgate_child")).unwrap();
        for module in modules.flatten().filter(|module| module.path().is_file()) {
            let to = plain.join("python/sandgate_child").join(module.file_name());
            std::fs::copy(module.path(), to).unwrap();
        }
        std::fs::write(plain.join("python/sandgate_child/preload.txt"), "").unwrap();
        plain
    });
    &HOME
}

/// The runner with its library beside it, as they are installed. For tests, cargo puts the library
/// elsewhere.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let built = Path::new(env!("CARGO_BIN_EXE_sandgate-runner"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runner/bin");
        std::fs::create_dir_all(&folder).unwrap();
        let library = "libsandgate_zygote.so";
        let place = |from: &Path, to: &Path| {
            let _ = std::fs::remove_file(to);
            std::fs::hard_link(from, to).unwrap();
        };
        place(
            &built.with_file_name("deps").join(library),
            &folder.join(library),
        );
        let program = folder.join("sandgate-runner");
        place(built, &program);
        program
    });
    &PROGRAM
}

impl Environment {
    /// Starts a runner with everything in place.
    pub(crate) fn start() -> Self {
        Self::start_in(&home(), &[])
    }

    /// Starts a runner without these walls, and without packages, which walls have nothing to do
    /// with.
    #[cfg(feature = "lowered-walls")]
    pub(crate) fn without(walls: &[sandgate_zygote::lowered::Wall]) -> Self {
        let names: Vec<String> = walls.iter().map(|wall| format!("{wall:?}")).collect();
        let variable = sandgate_zygote::lowered::LOWERED;
        Self::start_in(plain_home(), &[(variable, &names.join(","))])
    }

    fn start_in(home: &Path, variables: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (events, receiver) = mpsc::channel(1);
        let app = api(Arc::new(Api {
            events: AsyncMutex::new(receiver),
            waiting: Mutex::default(),
        }));
        let address = runtime.block_on(serve(app));
        let temporary = tempfile::tempdir().unwrap();
        let mut process = Command::new(program())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("SANDGATE_RUNNER_HOME", home)
            .env("SANDGATE_RUNNER_TMP", temporary.path())
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "sandgate")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "7")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_SESSION_TOKEN", "token")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(process.stderr.take().unwrap());
        let written = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            process: Mutex::new(process),
            events,
            log,
            address,
            temporary,
            runtime,
        }
    }

    /// The runner's process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    /// The runner's own children: its interpreters.
    pub(crate) fn children(&self) -> Vec<u32> {
        let runner = self.pid();
        let mut pids = processes();
        pids.retain(|pid| parent(*pid) == Some(runner));
        pids
    }

    /// Serves `app` on loopback as long as this environment lives.
    pub(crate) fn serve(&self, app: Router) -> SocketAddr {
        self.runtime.block_on(serve(app))
    }

    /// Waits until the runner's log contains `text`. It is read by a thread of its own: a line from
    /// before an answer may be seen after it.
    #[cfg(feature = "lowered-walls")]
    pub(crate) fn await_log(&self, text: &str) {
        let started = std::time::Instant::now();
        while !self.log().contains(text) {
            assert!(started.elapsed() < PATIENCE, "no {text:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the runner wrote into its log.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends an event, whatever it is, and waits for the answer.
    pub(crate) fn invoke_raw(&self, event: Vec<u8>, timeout: Duration) -> Result<Vec<u8>, String> {
        let (answer, answered) = oneshot::channel();
        let pending = Pending {
            event,
            timeout,
            answer,
        };
        self.runtime.block_on(async {
            self.events.send(pending).await.unwrap();
            match tokio::time::timeout(PATIENCE, answered).await {
                Ok(answer) => answer.unwrap_or_else(|_| Err("no answer".to_owned())),
                Err(_) => Err(format!("no answer in time\n{}", self.log())),
            }
        })
    }

    /// Sends a call and waits for the reply.
    pub(crate) fn invoke(&self, call: RunnerCall) -> RunnerReply {
        let event = RunnerEvent {
            protocol: RUNNER_PROTOCOL,
            call,
        };
        let event = serde_json::to_vec(&event).unwrap();
        // The first one waits for the interpreters, which takes a slow machine a minute.
        let timeout = Duration::from_secs(240);
        let answer = self.invoke_raw(event, timeout).unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    /// Runs a task.
    pub(crate) fn execute(&self, task: Task) -> Outcome {
        self.execute_with(Passed::Inline(task), None)
    }

    /// Runs a task that is passed in some way.
    pub(crate) fn execute_with(&self, task: Passed<Task>, overflow: Option<Slot>) -> Outcome {
        let reply = self.invoke(RunnerCall::Execute { task, overflow });
        let RunnerReply::Executed(Passed::Inline(outcome)) = reply else {
            panic!("{reply:?}\n{}", self.log());
        };
        outcome
    }

    /// Runs a task, if the runner can.
    pub(crate) fn try_execute(&self, task: Task) -> Result<Outcome, RunnerFailure> {
        let task = Passed::Inline(task);
        match self.invoke(RunnerCall::Execute {
            task,
            overflow: None,
        }) {
            RunnerReply::Executed(Passed::Inline(outcome)) => Ok(outcome),
            RunnerReply::Failed(failure) => Err(failure),
            reply @ (RunnerReply::Executed(Passed::Stored(_)) | RunnerReply::Described(_)) => {
                panic!("{reply:?}")
            }
        }
    }

    /// Memory of the runner and its interpreters; what they share counts once.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let runner = self.pid();
        let ancestors = |pid: &u32| std::iter::successors(Some(*pid), |pid| parent(*pid));
        processes()
            .into_iter()
            .filter(|pid| ancestors(pid).any(|pid| pid == runner))
            .filter_map(|pid| {
                let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
                let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
                let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
                Some(kib << 10)
            })
            .sum()
    }

    /// Runs Python code.
    pub(crate) fn python(&self, code: &str) -> Outcome {
        self.execute(python(code))
    }

    /// Runs Python code that must print something and end well.
    pub(crate) fn prints(&self, code: &str) -> String {
        let outcome = self.python(code);
        assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
        String::from_utf8(outcome.stdout.to_vec()).unwrap()
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// A task with default limits, but time enough for a slow machine.
pub(crate) fn python(code: &str) -> Task {
    task(Language::Python, code)
}

/// A task in any language.
pub(crate) fn task(language: Language, code: &str) -> Task {
    Task {
        language,
        code: code.to_owned(),
        stdin: Bytes::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        files: Vec::new(),
        limits: Limits {
            timeout_ms: 60_000,
            ..Limits::DEFAULT
        },
        seed: None,
        now: None,
    }
}

/// A task with other limits.
pub(crate) fn limited(code: &str, change: impl FnOnce(&mut Limits)) -> Task {
    let mut task = python(code);
    change(&mut task.limits);
    task
}

/// A file for a task.
pub(crate) fn file(path: &str, content: &str) -> TaskFile {
    TaskFile {
        path: path.to_owned(),
        content: Bytes::copy_from_slice(content.as_bytes()),
    }
}

/// The texts of a result by type.
pub(crate) fn types(bundle: &MimeBundle) -> Vec<&str> {
    bundle.keys().map(String::as_str).collect()
}

/// The artifacts' paths.
pub(crate) fn paths(outcome: &Outcome) -> Vec<&str> {
    outcome
        .artifacts
        .iter()
        .map(|file| file.path.as_str())
        .collect()
}

/// An outcome for the message of a failed assertion.
pub(crate) fn shown(outcome: &Outcome) -> String {
    format!(
        "{:?} {:?}\nstdout: {}\nstderr: {}\nerror: {:?}",
        outcome.status,
        outcome.exit_code,
        String::from_utf8_lossy(&outcome.stdout),
        String::from_utf8_lossy(&outcome.stderr),
        outcome.error
    )
}

/// All processes.
fn processes() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn api(api: Arc<Api>) -> Router {
    type Id = axum::extract::Path<String>;
    let response = |State(api): State<Arc<Api>>, id: Id, body: Bytes| async move {
        settle(&api, &id, Ok(body.to_vec()))
    };
    let error = |State(api): State<Arc<Api>>, id: Id, body: Bytes| async move {
        settle(&api, &id, Err(String::from_utf8_lossy(&body).into_owned()))
    };
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{id}/response",
            post(response),
        )
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(api)
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some(pending) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let id = format!("{}", now.as_nanos());
    api.waiting
        .lock()
        .unwrap()
        .insert(id.clone(), pending.answer);
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: String| {
        headers.insert(name, value.parse().unwrap());
    };
    set("content-type", "application/json".to_owned());
    set("lambda-runtime-aws-request-id", id);
    set(
        "lambda-runtime-deadline-ms",
        (now + pending.timeout).as_millis().to_string(),
    );
    set(
        "lambda-runtime-invoked-function-arn",
        "arn:aws:lambda:eu-central-1:000000000000:function:sandgate:7".to_owned(),
    );
    (headers, pending.event).into_response()
}

fn settle(api: &Api, id: &str, answer: Answer) -> StatusCode {
    match api.waiting.lock().unwrap().remove(id) {
        Some(waiting) => {
            let _ = waiting.send(answer);
            StatusCode::ACCEPTED
        }
        None => StatusCode::BAD_REQUEST,
    }
}
