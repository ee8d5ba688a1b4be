//! The Lambda path without an AWS account: the real service, its local cloud, and the runner of the
//! image.
//!
//! `cargo xtask test` prepares the image's files in `target/lambda`.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{DataDir, Service};

mod aws;
mod durability;
mod routing;
mod snippets;
mod start;

/// How long a cold start may take, interpreters and packages included, on a busy machine.
const COLD: Duration = Duration::from_secs(180);

/// The image's files.
fn image() -> PathBuf {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lambda");
    assert!(
        image.join("bin/sandgate-runner").is_file(),
        "no files of the Lambda image in {}: run `cargo xtask lambda`, or start the tests with \
         `cargo xtask test`",
        image.display()
    );
    image
}

/// An address that nobody has, to be used later. Below the ports that the kernel gives to those who
/// ask for any, so that nobody gets it meanwhile.
fn unused_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (std::process::id() as u16).wrapping_add(next) % 12_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A service with its own S3 and Lambda, whose runtimes are known.
fn service(settings: &[(&str, &str)]) -> Service {
    let service = just_started(settings);
    eventually("Lambda says what it has", &service, || {
        on_lambda(&service, "python").is_some()
    });
    service
}

/// The same, before Lambda has said what it has.
fn just_started(settings: &[(&str, &str)]) -> Service {
    let image = image();
    let mut all = vec![
        ("SANDGATE_LOCAL_CLOUD_ENABLED", "always"),
        ("SANDGATE_LOCAL_CLOUD_IMAGE", image.to_str().unwrap()),
    ];
    all.extend(settings);
    Service::with(DataDir::new(), &all)
}

/// Lambda's runtime of a language.
fn on_lambda(service: &Service, language: &str) -> Option<Value> {
    let runtimes = service.get("/v1/runtimes").json();
    let all = runtimes["runtimes"].as_array().unwrap();
    let found = |r: &&Value| r["backend"] == "lambda" && r["language"] == language;
    all.iter().find(found).cloned()
}

#[track_caller]
fn eventually(what: &str, service: &Service, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < COLD,
            "not so after {COLD:?}: {what}\n{}",
            service.log()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Executes `code`, which must run on Lambda and end well.
#[track_caller]
fn run(service: &Service, language: &str, code: &str) -> Value {
    let answer = service.execute(json!({
        "language": language, "code": code,
        "limits": {"timeout_ms": 60_000, "memory_mb": 1_024}
    }));
    assert_eq!(answer["status"], "ok", "{answer:#}\n{}", service.log());
    assert_eq!(answer["route"]["backend"], "lambda", "{answer:#}");
    answer
}
