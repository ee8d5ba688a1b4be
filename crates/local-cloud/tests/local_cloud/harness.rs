//! A function in Python, a client for it, and a look at the processes it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_lambda::config::{BehaviorVersion, Credentials as SdkCredentials, Region};
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use aws_smithy_http_client::Builder as HttpClient;
use base64::Engine as _;
use sandgate_local_cloud::{
    Credentials, FunctionConfig, Isolation, LambdaConfig, LocalLambda, LocalS3, S3Config, Shim,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const FUNCTION: &str = "run";

/// A bound for what must happen soon, generous enough for a loaded machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// How the tests' function is started, with an argument that tells its processes from all others.
pub(crate) fn function(marker: &str) -> FunctionConfig {
    let command = ["/usr/bin/python3", "-I", "-S", "/opt/sandgate/runtime.py"];
    let mut function = FunctionConfig::new(FUNCTION, command.iter().copied().chain([marker]));
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local_cloud/image");
    function.image_root = Some(image);
    function.reserved_concurrency = Some(4);
    // Under load, a start may take seconds.
    function.init_timeout = SOON;
    function.timeout = SOON;
    function.memory_mb = 512;
    function
}

pub(crate) struct Cloud {
    pub(crate) lambda: LocalLambda,
    pub(crate) client: aws_sdk_lambda::Client,
    pub(crate) marker: String,
}

impl Cloud {
    /// Starts Lambda with one function, changed as the test needs it.
    pub(crate) async fn start(change: impl FnOnce(&mut FunctionConfig)) -> Self {
        Self::with(|config| change(&mut config.functions[0])).await
    }

    /// The same, with the whole configuration to change.
    pub(crate) async fn with(change: impl FnOnce(&mut LambdaConfig)) -> Self {
        let marker = format!("--marker={}", uuid::Uuid::new_v4());
        let mut config = LambdaConfig::new(function(&marker)).unwrap();
        config.shim = shim();
        change(&mut config);
        let lambda = LocalLambda::start(config).await.unwrap();
        let client = client(&lambda.endpoint_url(), lambda.credentials());
        Self {
            lambda,
            client,
            marker,
        }
    }

    /// Invokes the function for an answer with the log's tail.
    pub(crate) async fn invoke(&self, event: Value) -> Invoked {
        self.invoke_as(None, event).await
    }

    pub(crate) async fn invoke_as(&self, tenant: Option<&str>, event: Value) -> Invoked {
        let output = self
            .client
            .invoke()
            .function_name(FUNCTION)
            .set_tenant_id(tenant.map(str::to_owned))
            .payload(Blob::new(event.to_string()))
            .log_type(LogType::Tail)
            .send()
            .await
            .unwrap();
        Invoked::new(&output)
    }

    /// What the function returns for an action.
    pub(crate) async fn ask(&self, event: Value) -> Value {
        let invoked = self.invoke(event).await;
        assert_eq!(invoked.error, None, "{invoked:?}");
        invoked.payload
    }

    /// States of the function's own processes, as `/proc/PID/stat` gives them.
    pub(crate) fn processes(&self) -> BTreeMap<i32, char> {
        processes(&self.marker)
    }

    /// Waits until the function has so many environments. One that has ended is counted until its
    /// process is reaped, which looks like none before.
    pub(crate) async fn await_environments(&self, count: usize) {
        let begun = Instant::now();
        while self.lambda.environments(FUNCTION) != count {
            let now = self.lambda.environments(FUNCTION);
            assert!(begun.elapsed() < SOON, "{now} instead of {count}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the function has no processes.
    pub(crate) async fn await_no_processes(&self) {
        await_no_processes(&self.marker).await;
    }
}

pub(crate) async fn await_no_processes(marker: &str) {
    let begun = Instant::now();
    while !processes(marker).is_empty() {
        assert!(begun.elapsed() < SOON, "left: {:?}", processes(marker));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn processes(marker: &str) -> BTreeMap<i32, char> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        if !line
            .split(|byte| *byte == 0)
            .any(|argument| argument == marker.as_bytes())
        {
            continue;
        }
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        if let Some(state) = state.chars().next() {
            found.insert(pid, state);
        }
    }
    found
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Invoked {
    pub(crate) payload: Value,
    pub(crate) error: Option<String>,
    pub(crate) log: String,
    pub(crate) version: Option<String>,
}

impl Invoked {
    fn new(output: &InvokeOutput) -> Self {
        let log = output.log_result().unwrap_or_default();
        let log = base64::engine::general_purpose::STANDARD
            .decode(log)
            .unwrap();
        let payload = output.payload().map(|blob| blob.as_ref().to_vec());
        Self {
            payload: serde_json::from_slice(&payload.unwrap_or_default()).unwrap(),
            error: output.function_error().map(str::to_owned),
            log: String::from_utf8_lossy(&log).into_owned(),
            version: output.executed_version().map(str::to_owned),
        }
    }

    /// The fault's kind and message; there must be one.
    pub(crate) fn fault(&self) -> (&str, &str) {
        assert_eq!(self.error.as_deref(), Some("Unhandled"), "{self:?}");
        let text = |field: &str| self.payload[field].as_str().unwrap_or_default();
        (text("errorType"), text("errorMessage"))
    }
}

pub(crate) fn shim() -> Shim {
    Shim::this_program(["shim_role", "--exact", "--nocapture", "--test-threads=1"]).unwrap()
}

pub(crate) fn client(endpoint: &str, credentials: &Credentials) -> aws_sdk_lambda::Client {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(HttpClient::new().build_http())
        .region(Region::new("us-east-1"))
        .credentials_provider(sdk_credentials(credentials))
        .endpoint_url(endpoint)
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

pub(crate) fn s3_client(endpoint: &str, credentials: &Credentials) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(HttpClient::new().build_http())
        .region(Region::new("us-east-1"))
        .credentials_provider(sdk_credentials(credentials))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn sdk_credentials(credentials: &Credentials) -> SdkCredentials {
    SdkCredentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        None,
        None,
        "test",
    )
}

pub(crate) const BUCKET: &str = "outputs";

pub(crate) struct Bucket {
    pub(crate) s3: LocalS3,
    pub(crate) client: aws_sdk_s3::Client,
    pub(crate) folder: TempDir,
}

impl Bucket {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut S3Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = S3Config::new(folder.path().join("s3"), [BUCKET]);
        change(&mut config);
        let s3 = LocalS3::start(config).await.unwrap();
        let client = s3_client(&s3.endpoint_url(), s3.credentials());
        Self { s3, client, folder }
    }
}

/// The kinds of isolation that work here. On a machine that can do neither there is nothing to
/// test; the project's own set-up installs both.
pub(crate) fn isolations() -> Vec<Isolation> {
    assert_eq!(Isolation::detect(), Isolation::Bubblewrap);
    vec![Isolation::Bubblewrap, Isolation::UserNamespaces]
}

pub(crate) fn echo() -> Value {
    json!({"do": "echo"})
}
