//! The real `sandgate` binary, over TCP and on the command line.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{binary, compiled, guests};
use crate::processes::Process;

mod benchmark;
mod command_line;
mod contract;
mod routing;
mod survival;
mod typescript;

/// How long the service may take until it is ready, on a busy machine and without compiled guests.
const START: Duration = Duration::from_secs(120);

/// A running `sandgate serve`, killed when dropped.
pub struct Service {
    child: Child,
    address: String,
    data: DataDir,
    agent: ureq::Agent,
}

/// A data directory of its own, with compiled guests that all tests share.
pub struct DataDir(tempfile::TempDir);

impl DataDir {
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::create_dir_all(compiled()).unwrap();
        std::os::unix::fs::symlink(compiled(), folder.path().join("compiled")).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// An answer: status, headers, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Service {
    pub fn start() -> Self {
        Self::with(DataDir::new(), &[])
    }

    /// Starts it on `data`, with settings of the environment.
    pub fn with(data: DataDir, settings: &[(&str, &str)]) -> Self {
        let said = data.path().join("said");
        let child = sandgate()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data.path())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&said).unwrap())
            .stderr(std::fs::File::create(data.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut service = Self {
            child,
            address: String::new(),
            data,
            agent,
        };
        service.wait_until_ready(&said);
        service
    }

    /// Waits until it says where it listens, and answers there.
    fn wait_until_ready(&mut self, said: &Path) {
        let start = Instant::now();
        while self.address.is_empty() || self.get("/readyz").status != 200 {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("`sandgate serve` ended with {status}: {}", self.log());
            }
            assert!(start.elapsed() < START, "not ready: {}", self.log());
            thread::sleep(Duration::from_millis(20));
            let said = std::fs::read_to_string(said).unwrap();
            if let Some(line) = said.strip_suffix('\n') {
                let address = line.strip_prefix("listening on http://").unwrap();
                address.clone_into(&mut self.address);
            }
        }
    }

    /// Waits until so many executions are under way.
    fn until_under_way(&self, count: usize) {
        let line = format!("sandgate_under_way {count}");
        let start = Instant::now();
        loop {
            let metrics = String::from_utf8(self.get("/metrics").body).unwrap();
            if metrics.lines().any(|found| found == line) {
                return;
            }
            assert!(start.elapsed() < START, "{metrics}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(self.url(path)).call().unwrap())
    }

    /// Without following where the answer leads.
    pub fn get_once(&self, path: &str) -> Answer {
        let request = self.agent.get(self.url(path)).config().max_redirects(0);
        answer(
            request
                .max_redirects_will_error(false)
                .build()
                .call()
                .unwrap(),
        )
    }

    /// What is at another service's URL.
    pub fn get_at(&self, url: &str) -> Answer {
        answer(self.agent.get(url).call().unwrap())
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    pub fn post(&self, path: &str, body: impl AsRef<str>) -> Answer {
        let request = self.agent.post(self.url(path));
        let request = request.header("content-type", "application/json");
        answer(request.send(body.as_ref()).unwrap())
    }

    /// Executes `request`, which must be answered with an execution.
    #[track_caller]
    pub fn execute(&self, request: Value) -> Value {
        let answer = self.post("/v1/execute", request.to_string());
        assert_eq!(
            answer.status,
            200,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        answer.json()
    }

    /// A connection on which a request to execute has been sent, and nothing been read.
    fn ask(&self, request: &Value) -> TcpStream {
        let body = request.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "POST /v1/execute HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        stream
    }

    fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Asks it to end, and waits for that.
    pub fn stop(mut self) -> (std::process::ExitStatus, DataDir) {
        self.process().send(Signal::TERM);
        let status = self.child.wait().unwrap();
        (status, self.keep_data())
    }

    /// Kills it, which no program can prepare for.
    pub fn kill(mut self) -> DataDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.keep_data()
    }

    fn keep_data(&mut self) -> DataDir {
        std::mem::replace(&mut self.data, DataDir::new())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let body = response.body_mut().with_config().limit(64 << 20);
    Answer {
        body: body.read_to_vec().unwrap(),
        status: response.status().as_u16(),
        headers: response.headers().clone(),
    }
}

/// The binary, with the tests' guests and none of this process's settings.
fn sandgate() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SANDGATE_") {
            command.env_remove(name);
        }
    }
    command.env("SANDGATE_GUESTS", guests());
    // Takes seconds to start, and most tests are not about it.
    command.env("SANDGATE_LOCAL_CLOUD_ENABLED", "never");
    command
}

/// Reads the whole answer on `stream`: the head, and the body behind it.
fn read_answer(mut stream: TcpStream) -> (String, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub fn python(code: &str) -> Value {
    json!({ "language": "python", "code": code })
}
