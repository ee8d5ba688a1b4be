//! A server that answers the Invoke API as a test says, misbehaviour included.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda::config::{BehaviorVersion, Builder, Credentials, Region};
use sandgate_core::{
    BackendKind, ExecutionContext, Executor, ExecutorError, Language, Limits, ModuleInfo, Outcome,
    Passed, RunnerCall, RunnerEvent, RunnerReply, Runtime, Status, Task,
};
use sandgate_lambda::{BreakerConfig, LambdaConfig, LambdaExecutor, RetryConfig, Target, Transfer};
use sandgate_local_cloud::LocalS3;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A request to invoke.
#[derive(Clone, Debug)]
pub struct Invoke {
    pub head: String,
    pub event: RunnerEvent,
}

impl Invoke {
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| {
            line.split_once(": ")
                .is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
        };
        self.head
            .lines()
            .find(named)
            .and_then(|line| Some(line.split_once(": ")?.1))
    }

    /// The task and where an outcome may go.
    pub fn execute(&self) -> (&Passed<Task>, Option<&sandgate_core::Slot>) {
        match &self.event.call {
            RunnerCall::Execute { task, overflow } => (task, overflow.as_ref()),
            RunnerCall::Describe => panic!("not a task"),
        }
    }
}

/// What the server does.
#[derive(Clone, Debug)]
pub enum Act {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Ends the connection without a word.
    Close,
    /// Says nothing more.
    Hang,
}

impl Act {
    /// What the runner answers.
    pub fn reply(reply: &RunnerReply) -> Self {
        Self::Answer {
            status: 200,
            headers: vec![(
                "x-amz-log-result",
                log("Billed Duration: 42 ms\tMemory Size: 1024 MB\tMax Memory Used: 99 MB"),
            )],
            body: serde_json::to_vec(reply).unwrap(),
        }
    }

    pub fn outcome(outcome: Outcome) -> Self {
        Self::reply(&RunnerReply::Executed(Passed::Inline(outcome)))
    }

    /// A function that failed, and what its report says.
    pub fn fault(body: &str, report: &str) -> Self {
        Self::Answer {
            status: 200,
            headers: vec![
                ("x-amz-function-error", "Unhandled".to_owned()),
                ("x-amz-log-result", log(report)),
            ],
            body: body.as_bytes().to_vec(),
        }
    }

    /// An error of Lambda's own.
    pub fn error(status: u16, kind: &str, body: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![("x-amzn-errortype", kind.to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }

    pub fn throttled() -> Self {
        Self::error(
            429,
            "TooManyRequestsException",
            r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#,
        )
    }
}

fn log(report: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!(
        "START RequestId: x\nREPORT RequestId: x\t{report}\n"
    ))
}

type Handler = Arc<dyn Fn(usize, Invoke) -> Act + Send + Sync>;

/// The server. Ends when dropped, and its connections with it.
pub struct Fake {
    pub address: String,
    /// Tasks it was sent, in order.
    pub invokes: Arc<Mutex<Vec<Invoke>>>,
    /// How often it was asked to describe itself.
    pub described: Arc<AtomicUsize>,
    /// Whether it does.
    pub describes: Arc<AtomicBool>,
    /// What it has.
    pub runtimes: Arc<Mutex<Vec<Runtime>>>,
    /// Whether it keeps its answer to that to itself for now.
    pub held: watch::Sender<bool>,
    /// The version that answers.
    pub version: Arc<Mutex<String>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    /// Starts it. `handler` is given the number of a task, from 0, and its invocation.
    pub async fn start(handler: impl Fn(usize, Invoke) -> Act + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", handler).await
    }

    pub async fn at(
        address: &str,
        handler: impl Fn(usize, Invoke) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let handler: Handler = Arc::new(handler);
        let invokes = Arc::new(Mutex::new(Vec::new()));
        let described = Arc::new(AtomicUsize::new(0));
        let describes = Arc::new(AtomicBool::new(true));
        let runtimes = Arc::new(Mutex::new(vec![runtime()]));
        let (held, holds) = watch::channel(false);
        let version = Arc::new(Mutex::new("7".to_owned()));
        let shared = Shared {
            handler,
            invokes: Arc::clone(&invokes),
            described: Arc::clone(&described),
            describes: Arc::clone(&describes),
            runtimes: Arc::clone(&runtimes),
            holds,
            version: Arc::clone(&version),
        };
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(shared.clone().serve(stream));
            }
        });
        Self {
            address,
            invokes,
            described,
            describes,
            runtimes,
            held,
            version,
            server,
        }
    }

    pub fn calls(&self) -> usize {
        self.invokes.lock().unwrap().len()
    }
}

#[derive(Clone)]
struct Shared {
    handler: Handler,
    invokes: Arc<Mutex<Vec<Invoke>>>,
    described: Arc<AtomicUsize>,
    describes: Arc<AtomicBool>,
    runtimes: Arc<Mutex<Vec<Runtime>>>,
    holds: watch::Receiver<bool>,
    version: Arc<Mutex<String>>,
}

impl Shared {
    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(invoke) = read(&mut stream).await {
            match self.act(invoke).await {
                Act::Answer {
                    status,
                    headers,
                    body,
                } => {
                    let version = self.version.lock().unwrap().clone();
                    let mut head = format!(
                        "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n\
                         x-amz-executed-version: {version}\r\ncontent-type: application/json\r\n",
                        body.len()
                    );
                    for (name, value) in headers {
                        head.push_str(&format!("{name}: {value}\r\n"));
                    }
                    head.push_str("\r\n");
                    let bytes = [head.as_bytes(), &body].concat();
                    if stream.get_mut().write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Act::Close => return,
                Act::Hang => std::future::pending().await,
            }
        }
    }

    async fn act(&self, invoke: Invoke) -> Act {
        if invoke.event.call == RunnerCall::Describe {
            self.described.fetch_add(1, Ordering::SeqCst);
            let mut holds = self.holds.clone();
            if holds.wait_for(|held| !held).await.is_err() {
                return Act::Close;
            }
            return if self.describes.load(Ordering::SeqCst) {
                let runtimes = self.runtimes.lock().unwrap().clone();
                Act::reply(&RunnerReply::Described(Passed::Inline(runtimes)))
            } else {
                Act::error(500, "ServiceException", "{}")
            };
        }
        let number = {
            let mut invokes = self.invokes.lock().unwrap();
            invokes.push(invoke.clone());
            invokes.len() - 1
        };
        let handler = Arc::clone(&self.handler);
        tokio::task::spawn_blocking(move || handler(number, invoke))
            .await
            .unwrap()
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Invoke> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Invoke {
        head,
        event: serde_json::from_slice(&body).unwrap(),
    })
}

pub fn runtime() -> Runtime {
    Runtime {
        backend: BackendKind::Lambda,
        language: Language::Python,
        implementation: "CPython".to_owned(),
        version: "3.11.2".to_owned(),
        digest: "d".to_owned(),
        modules: vec![ModuleInfo {
            name: "pandas".to_owned(),
            package: Some("pandas".to_owned()),
        }],
        packages: Vec::new(),
    }
}

/// A client of the server at `address`.
pub fn sdk(address: &str) -> Builder {
    let credentials = Credentials::new("key", "secret", None, None, "test");
    anonymous(address).credentials_provider(credentials)
}

/// A client of the Lambda at `address` that takes `keys`.
pub fn keys(address: &str, keys: &sandgate_local_cloud::Credentials) -> Builder {
    let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
    anonymous(address).credentials_provider(Credentials::new(id, secret, None, None, "test"))
}

/// The same without credentials.
pub fn anonymous(address: &str) -> Builder {
    aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(http())
        .endpoint_url(format!("http://{address}"))
}

/// A client of the bucket service.
pub fn s3(s3: &LocalS3) -> aws_sdk_s3::config::Builder {
    let keys = s3.credentials();
    let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
    aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .http_client(http())
        .endpoint_url(s3.endpoint_url())
}

fn http() -> aws_sdk_lambda::config::SharedHttpClient {
    use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// Quick to give up, quick to come back.
pub fn config() -> LambdaConfig {
    let mut config = LambdaConfig::new(Target::new("runner", Some("live")).unwrap());
    config.retry = RetryConfig {
        attempts: 3,
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(10),
        budget: 100,
    };
    config.breaker = BreakerConfig {
        failures: 3,
        first_pause: Duration::from_millis(300),
        longest_pause: Duration::from_millis(600),
    };
    config
}

/// An executor whose catalogue is known.
pub async fn executor(address: &str, config: LambdaConfig) -> LambdaExecutor {
    with_transfer(address, config, None).await
}

pub async fn with_transfer(
    address: &str,
    config: LambdaConfig,
    transfer: Option<Transfer>,
) -> LambdaExecutor {
    let executor = LambdaExecutor::start(config, sdk(address), transfer).unwrap();
    until(|| !executor.runtimes().is_empty()).await;
    executor
}

pub async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("it never happens");
}

pub fn task(code: &str) -> Task {
    Task {
        language: Language::Python,
        code: code.to_owned(),
        stdin: bytes::Bytes::new(),
        args: Vec::new(),
        env: std::collections::BTreeMap::new(),
        files: Vec::new(),
        limits: Limits::DEFAULT,
        seed: None,
        now: None,
    }
}

pub async fn run(executor: &LambdaExecutor, task: Task) -> Result<Outcome, ExecutorError> {
    let run = executor.execute(Arc::new(task), ExecutionContext::default());
    tokio::time::timeout(PATIENCE, run).await.expect("it hangs")
}

pub fn ok(stdout: &str) -> Outcome {
    let mut outcome = Outcome::empty(Status::Ok);
    outcome.exit_code = Some(0);
    outcome.stdout = bytes::Bytes::copy_from_slice(stdout.as_bytes());
    outcome
}
