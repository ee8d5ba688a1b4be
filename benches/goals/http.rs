//! The service over HTTP, with the load generator on the same machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::report::Report;
use crate::sampling::proportional_bytes;
use crate::setup;

const ADDRESS: &str = "127.0.0.1:18080";

/// A running service, killed on drop.
struct Service {
    child: Child,
    _data: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        // Compiled before, as it is on every start but the first.
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        std::os::unix::fs::symlink(compiled, data.path().join("compiled")).unwrap();
        let child = Command::new(setup::binary())
            .args(["serve", "--listen", ADDRESS, "--guests"])
            .arg(setup::guests())
            .arg("--data-dir")
            .arg(data.path())
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, _data: data }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status of the answer to one execution, if there is an answer.
fn execute() -> Option<String> {
    let body = r#"{"language":"python","code":"print(1+1)"}"#;
    let mut stream = TcpStream::connect(ADDRESS).ok()?;
    write!(
        stream,
        "POST /v1/execute HTTP/1.1\r\nhost: {ADDRESS}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut status = String::new();
    let mut answer = BufReader::new(stream);
    answer.read_line(&mut status).ok()?;
    answer.read_to_end(&mut Vec::new()).ok()?;
    status.split(' ').nth(1).map(str::to_owned)
}

/// Starts the service, then loads it.
pub(crate) fn measure(report: &mut Report, window: Duration) {
    // The first start fills the cache of compiled guests, the second is measured.
    let mut took = Duration::ZERO;
    let mut service = None;
    for _ in 0..2 {
        drop(service.take());
        let start = Instant::now();
        service = Some(Service::start());
        while execute().as_deref() != Some("200") {
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "the service does not answer on {ADDRESS}"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        took = start.elapsed();
    }
    let Some(service) = service else { return };
    report.at_most(
        "start to first answer, guests compiled, ms",
        took.as_secs_f64() * 1e3,
        300.0,
    );
    std::thread::sleep(Duration::from_millis(500));
    let bytes: u64 = family(service.child.id())
        .iter()
        .map(|process| proportional_bytes(process))
        .sum();
    report.at_most(
        "idle service with its workers, MB",
        bytes as f64 / 1e6,
        120.0,
    );

    for (name, language, code, goal) in [
        ("python print(1+1)", "python", "print(1+1)", 2_500.0),
        (
            "javascript console.log(1+1)",
            "javascript",
            "console.log(1+1)",
            8_000.0,
        ),
    ] {
        match load(language, code, window) {
            Ok(load) => {
                report.at_least(&format!("{name} over HTTP, requests/s"), load.rate, goal);
                report.at_most(
                    &format!("{name} over HTTP, p99 at 64 connections, ms"),
                    load.p99,
                    50.0,
                );
            }
            Err(why) => report.skipped(&format!("{name} over HTTP"), &why),
        }
    }
}

/// A process and its children.
fn family(parent: u32) -> Vec<String> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let mut family = vec![parent.to_string()];
    // The service's threads start workers too, so every thread's children count.
    if let Ok(threads) = std::fs::read_dir(format!("/proc/{parent}/task")) {
        for thread in threads.flatten() {
            if let Ok(list) = std::fs::read_to_string(thread.path().join("children")) {
                family.extend(list.split_whitespace().map(str::to_owned));
            }
        }
    } else if let Ok(list) = children {
        family.extend(list.split_whitespace().map(str::to_owned));
    }
    family
}

struct Load {
    rate: f64,
    p99: f64,
}

/// Lets wrk post `code` over 64 kept-alive connections.
fn load(language: &str, code: &str, window: Duration) -> Result<Load, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/goals/post.lua");
    let output = Command::new("wrk")
        .args([
            "--threads",
            "1",
            "--connections",
            "64",
            "--latency",
            "--duration",
        ])
        .arg(format!("{}s", window.as_secs().max(1)))
        .arg("--script")
        .arg(script)
        .arg(format!("http://{ADDRESS}/v1/execute"))
        .args(["--", language, code])
        .output()
        .map_err(|error| format!("wrk: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name))
            .map(str::trim)
            .ok_or_else(|| format!("wrk printed no `{name}`: {text}"))
    };
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx")) {
        return Err(line.trim().to_owned());
    }
    Ok(Load {
        rate: field("Requests/sec:")?.parse().map_err(|_| "no rate")?,
        p99: milliseconds(field("99%")?).ok_or("no p99")?,
    })
}

/// Reads wrk's durations: `812.00us`, `4.13ms`, `1.02s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, factor)))?;
    number.parse::<f64>().ok().map(|value| value * factor)
}
