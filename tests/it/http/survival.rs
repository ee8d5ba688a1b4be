//! Overload, disconnected clients, shutdown and death.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{DataDir, Service, python, read_answer};
use crate::harness::binary;
use crate::processes::{Process, busy};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done`, for a minute at most.
#[track_caller]
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "not so after a minute: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn overload_is_refused_with_a_time_to_come_back() {
    let service = Service::with(
        DataDir::new(),
        &[
            ("SANDGATE_SANDBOX_WORKERS", "1"),
            ("SANDGATE_SANDBOX_QUEUE", "1"),
        ],
    );
    // Has the only place until all others have been told, however long that takes.
    let first = service.ask(&json!({
        "language": "python",
        "code": "while True: pass",
        "limits": {"timeout_ms": 60_000, "fuel": 100_000_000_000_u64}
    }));
    busy(|| service.process().children_running(&binary()));
    let (told, answers) = mpsc::channel();
    for i in 0..7 {
        let stream = service.ask(&python(&format!("print({i})")));
        let told = told.clone();
        thread::spawn(move || told.send(read_answer(stream)));
    }
    for _ in 0..6 {
        let (head, _) = answers.recv_timeout(PATIENCE).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 429") || head.starts_with("HTTP/1.1 503"),
            "{head}"
        );
        let lower = head.to_lowercase();
        assert!(
            lower.contains("retry-after: ") && lower.contains("application/problem+json"),
            "{head}"
        );
    }
    drop(first);
    let (head, body) = answers.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.contains(r#""status":"ok""#), "{body}");
    assert_eq!(
        service.execute(python("print('after')"))["stdout"],
        "after\n"
    );
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let service = Service::with(DataDir::new(), &[("SANDGATE_SANDBOX_WORKERS", "1")]);
    let asked = service.ask(&json!({
        "language": "python",
        "code": "while True: pass",
        "limits": {"timeout_ms": 60_000, "fuel": 100_000_000_000_u64}
    }));
    service.until_under_way(1);
    drop(asked);
    let start = Instant::now();
    assert_eq!(service.execute(python("print('mine')"))["stdout"], "mine\n");
    assert!(
        start.elapsed() < Duration::from_secs(45),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn clients_that_never_finish_what_they_say() {
    let service = Service::start();
    let mut slow = Vec::new();
    for said in [
        "",
        "POST /v1/exe",
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\ncontent-type: application/json\r\n\r\n{",
    ] {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(&service.address).unwrap();
            stream.write_all(said.as_bytes()).unwrap();
            slow.push(stream);
        }
    }
    assert_eq!(
        service.execute(python("print('served')"))["stdout"],
        "served\n"
    );
    let mut garbage = TcpStream::connect(&service.address).unwrap();
    garbage.write_all(&[0xff; 10_000]).unwrap();
    assert_eq!(
        service.execute(python("print('again')"))["stdout"],
        "again\n"
    );
    drop(slow);
}

#[test]
fn asked_to_end_it_finishes_what_runs() {
    let service = Service::start();
    let running = service.ask(&json!({
        "language": "python",
        "code": "import time; time.sleep(4); print('finished')",
        "limits": {"timeout_ms": 60_000}
    }));
    service.until_under_way(1);
    let workers = service.process().children();
    let address = service.address.clone();
    let ending = thread::spawn(move || service.stop());
    let (head, body) = read_answer(running);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.contains("finished"), "{body}");
    let (status, _data) = ending.join().unwrap();
    assert!(status.success(), "{status}");
    assert!(TcpStream::connect(address).is_err());
    eventually("no worker is left", || {
        workers.iter().all(|worker| !worker.is_alive())
    });
}

#[test]
fn asked_to_end_it_does_not_wait_for_ever() {
    let service = Service::with(
        DataDir::new(),
        &[("SANDGATE_HTTP_SHUTDOWN_TIMEOUT_MS", "1000")],
    );
    let running = service.ask(&json!({
        "language": "python",
        "code": "import time; time.sleep(50)",
        "limits": {"timeout_ms": 60_000}
    }));
    let idle = TcpStream::connect(&service.address).unwrap();
    service.until_under_way(1);
    let start = Instant::now();
    let (_status, _data) = service.stop();
    assert!(
        start.elapsed() < Duration::from_secs(45),
        "{:?}",
        start.elapsed()
    );
    drop((running, idle));
}

#[test]
fn executions_survive_a_restart() {
    let service = Service::start();
    let execution = service.execute(python("open('kept', 'w').write('safe'); print('said')"));
    let id = execution["id"].as_str().unwrap().to_owned();
    let (_, data) = service.stop();
    let service = Service::with(data, &[]);
    let kept = service.get(&format!("/v1/executions/{id}"));
    assert_eq!(kept.status, 200, "{}", service.log());
    assert_eq!(kept.json()["stdout"], "said\n");
    assert_eq!(
        service.get(&format!("/v1/executions/{id}/files/kept")).body,
        b"safe"
    );
}

#[test]
fn executions_survive_a_killed_service() {
    let service = Service::start();
    // Answered, and the very next moment the service is gone.
    let executions: Vec<_> = (0..20)
        .map(|i| {
            service.execute(python(&format!(
                "open('kept', 'w').write('safe'); print({i})"
            )))
        })
        .collect();
    let workers = service.process().children();
    let data = service.kill();
    eventually("workers end with the service", || {
        workers.iter().all(|worker| !worker.is_alive())
    });

    let service = Service::with(data, &[]);
    for (i, execution) in executions.iter().enumerate() {
        let id = execution["id"].as_str().unwrap();
        let kept = service.get(&format!("/v1/executions/{id}"));
        assert_eq!(kept.status, 200, "execution {i} is lost: {}", service.log());
        assert_eq!(kept.json()["stdout"], format!("{i}\n"));
        assert_eq!(
            service.get(&format!("/v1/executions/{id}/files/kept")).body,
            b"safe"
        );
    }
}

#[test]
fn a_killed_worker_costs_one_request() {
    let service = Service::with(DataDir::new(), &[("SANDGATE_SANDBOX_WORKERS", "1")]);
    let running = service.ask(&json!({
        "language": "python",
        "code": "print('before')\nwhile True: pass",
        "limits": {"timeout_ms": 60_000, "fuel": 100_000_000_000_u64}
    }));
    busy(|| service.process().children_running(&binary())).send(Signal::KILL);
    let (head, body) = read_answer(running);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        body.contains(r#""status":"crashed""#) && body.contains(r#""stdout":"before\n""#),
        "{body}"
    );
    assert_eq!(service.execute(python("print('next')"))["stdout"], "next\n");
}

#[test]
fn workers_of_the_service_have_none_of_its_environment() {
    let service = Service::with(
        DataDir::new(),
        &[
            ("AWS_SECRET_ACCESS_KEY", "not-for-guests"),
            ("SANDGATE_SANDBOX_WORKERS", "1"),
        ],
    );
    let workers = service.process().children_running(&binary());
    assert!(!workers.is_empty());
    for worker in workers {
        // Not readable at all is as good.
        assert_eq!(worker.environment().unwrap_or_default(), "", "{worker:?}");
    }
    let this: Process = service.process();
    assert!(this.is_alive());
}
