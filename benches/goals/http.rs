//! The service over HTTP, with the load generator on the same machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::report::Report;
use crate::sampling::proportional_bytes;
use crate::setup;

/// A running service, killed on drop.
struct Service {
    child: Child,
    address: String,
    /// Its spool and its outputs, as by default: a file for each execution, some tens of thousands
    /// in a run. Removed once the service is dead.
    _data: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        // A port that is free now; nobody else is quick to take it.
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .to_string();
        let data = tempfile::tempdir().unwrap();
        // Compiled before, as it is on every start but the first.
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        std::os::unix::fs::symlink(compiled, data.path().join("compiled")).unwrap();
        let child = Command::new(setup::binary())
            .args(["serve", "--listen", &address, "--guests"])
            .arg(setup::guests())
            .arg("--data-dir")
            .arg(data.path())
            .env("SANDGATE_LOG_FILTER", "warn")
            // What is measured here is the sandbox; a local Lambda would take its share of the CPU.
            .env("SANDGATE_LOCAL_CLOUD_ENABLED", "never")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            address,
            _data: data,
        }
    }

    /// Waits until it answers.
    fn answers(&mut self) {
        let start = Instant::now();
        while self.execute("python", "print(1+1)").is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the service ended with {status}");
            }
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "the service does not answer on {}",
                self.address
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Runs `code`, which must end well.
    fn execute(&self, language: &str, code: &str) -> Result<(), String> {
        let body = format!(r#"{{"language":"{language}","code":"{code}","cache":"off"}}"#);
        let exchange = || {
            let mut stream = TcpStream::connect(&self.address)?;
            write!(
                stream,
                "POST /v1/execute HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{body}",
                self.address,
                body.len()
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        let answer = exchange().map_err(|error| error.to_string())?;
        if answer.starts_with("HTTP/1.1 200") && answer.contains(r#""status":"ok""#) {
            Ok(())
        } else {
            Err(format!("answered {answer}"))
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the service, then loads it.
pub(crate) fn measure(report: &mut Report, window: Duration) {
    // The first start fills the cache of compiled guests, the second is measured.
    let mut took = Duration::ZERO;
    let mut service = None;
    for _ in 0..2 {
        drop(service.take());
        let start = Instant::now();
        service.insert(Service::start()).answers();
        took = start.elapsed();
    }
    let Some(service) = service else { return };
    report.at_most(
        "start to first answer, guests compiled, ms",
        took.as_secs_f64() * 1e3,
        300.0,
    );
    std::thread::sleep(Duration::from_millis(500));
    const IDLE: &str = "idle service with its workers, MB";
    let family = family(service.child.id());
    let bytes: Result<u64, String> = family.iter().map(|one| proportional_bytes(one)).sum();
    match bytes {
        Ok(bytes) => report.at_most(IDLE, bytes as f64 / 1e6, 120.0),
        Err(why) => report.skipped(IDLE, &why),
    }

    for (name, language, code, goal) in [
        ("python print(1+1)", "python", "print(1+1)", 2_500.0),
        (
            "javascript console.log(1+1)",
            "javascript",
            "console.log(1+1)",
            8_000.0,
        ),
    ] {
        match load(&service, language, code, window) {
            Ok(load) => {
                report.at_least(&format!("{name} over HTTP, requests/s"), load.rate, goal);
                report.at_most(
                    &format!("{name} over HTTP, p99 at 64 connections, ms"),
                    load.p99,
                    50.0,
                );
            }
            Err(Unloaded::NoTool(why)) => report.skipped(&format!("{name} over HTTP"), &why),
            Err(Unloaded::Failed(why)) => report.failed(&format!("{name} over HTTP"), &why),
        }
    }
}

/// A process and the children of all its threads.
fn family(parent: u32) -> Vec<String> {
    let mut family = vec![parent.to_string()];
    for thread in std::fs::read_dir(format!("/proc/{parent}/task")).unwrap() {
        let children = thread.unwrap().path().join("children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        family.extend(children.split_whitespace().map(str::to_owned));
    }
    family
}

struct Load {
    rate: f64,
    p99: f64,
}

/// Why there are no figures.
enum Unloaded {
    /// wrk cannot be run.
    NoTool(String),
    /// Not every request ended well.
    Failed(String),
}

impl From<String> for Unloaded {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Loads the service with `code`: a moment to warm up, then what counts.
fn load(service: &Service, language: &str, code: &str, window: Duration) -> Result<Load, Unloaded> {
    wrk(service, language, code, Duration::from_secs(1))?;
    let text = wrk(service, language, code, window)?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name))
            .map(str::trim)
            .ok_or_else(|| format!("wrk printed no `{name}`: {text}"))
    };
    let rate = field("Requests/sec:")?;
    Ok(Load {
        rate: rate.parse().map_err(|_| format!("no rate: {rate}"))?,
        p99: milliseconds(field("99%")?).ok_or_else(|| format!("no p99: {text}"))?,
    })
}

/// Lets wrk post `code` over 64 kept-alive connections, and gives what it prints. wrk looks at the
/// status of each answer; a few requests beside it see that the snippets end well.
fn wrk(service: &Service, language: &str, code: &str, time: Duration) -> Result<String, Unloaded> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/goals/post.lua");
    let mut wrk = Command::new("wrk")
        .args(["--threads", "1", "--connections", "64", "--latency"])
        .arg("--duration")
        .arg(format!("{}s", time.as_secs().max(1)))
        .arg("--script")
        .arg(script)
        .arg(format!("http://{}/v1/execute", service.address))
        .args(["--", language, code])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Unloaded::NoTool(format!("wrk: {error}")))?;
    let mut wrong = None;
    while wrk.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(200));
        wrong = wrong.or(service.execute(language, code).err());
    }
    let output = wrk.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let bad = ["Non-2xx", "Socket errors"];
    let complaint = text
        .lines()
        .find(|line| bad.iter().any(|bad| line.contains(bad)));
    match (wrong, complaint) {
        (Some(why), _) => Err(why.into()),
        (None, Some(line)) => Err(line.trim().to_owned().into()),
        (None, None) if output.status.success() => Ok(text),
        (None, None) => Err(format!("wrk ended with {}", output.status).into()),
    }
}

/// Reads wrk's durations: `812.00us`, `4.13ms`, `1.02s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, factor)))?;
    number.parse::<f64>().ok().map(|value| value * factor)
}
