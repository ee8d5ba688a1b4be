//! The runner as Lambda's client: events, values through the bucket, deadlines, repairs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use sandgate_core::{
    Language, Outcome, Passed, RUNNER_PROTOCOL, RunnerCall, RunnerEvent, RunnerFailureKind,
    RunnerReply, Slot, Status, Stored, Task,
};
use sha2::{Digest as _, Sha256};

use crate::harness::{Environment, python, shared, shown, task};

/// A bucket with one object, and the headers it was put with.
#[derive(Clone, Debug, Default)]
struct Bucket {
    object: Arc<Mutex<Vec<u8>>>,
    headers: Arc<Mutex<HeaderMap>>,
    /// How often it fails before it works.
    failures: Arc<Mutex<u32>>,
}

impl Bucket {
    fn new(object: &[u8]) -> Self {
        let bucket = Self::default();
        *bucket.object.lock().unwrap() = object.to_vec();
        bucket
    }

    fn fails(&self) -> bool {
        let mut failures = self.failures.lock().unwrap();
        let fails = *failures > 0;
        *failures = failures.saturating_sub(1);
        fails
    }

    /// Serves it, and gives the object's address.
    fn serve(&self, environment: &Environment) -> String {
        let (reading, writing) = (self.clone(), self.clone());
        let app = Router::new().route(
            "/object",
            get(move || async move {
                if reading.fails() {
                    return (StatusCode::SERVICE_UNAVAILABLE, Vec::new());
                }
                (StatusCode::OK, reading.object.lock().unwrap().clone())
            })
            .put(move |headers: HeaderMap, body: Bytes| async move {
                if writing.fails() {
                    return StatusCode::INTERNAL_SERVER_ERROR;
                }
                *writing.headers.lock().unwrap() = headers;
                *writing.object.lock().unwrap() = body.to_vec();
                StatusCode::OK
            })
            .layer(axum::extract::DefaultBodyLimit::disable()),
        );
        format!("http://{}/object?signature=abc", environment.serve(app))
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn stored(task: &Task) -> (Vec<u8>, Stored) {
    let json = serde_json::to_vec(task).unwrap();
    let stored = Stored {
        url: None,
        bytes: json.len() as u64,
        sha256: sha256(&json),
    };
    (json, stored)
}

fn failure(reply: RunnerReply) -> RunnerFailureKind {
    let RunnerReply::Failed(failure) = reply else {
        panic!("{reply:?}");
    };
    assert!(!failure.message.contains("signature"), "{failure:?}");
    failure.kind
}

#[test]
fn a_stored_task_is_fetched_and_a_large_outcome_is_stored() {
    let environment = shared();
    let mut large = python("print(len(__import__('sys').stdin.read()))\n'y' * 90000");
    large.stdin = "x".repeat(300_000).into();
    let (json, mut stored) = stored(&large);
    let bucket = Bucket::new(&json);
    *bucket.failures.lock().unwrap() = 1;
    let url = bucket.serve(&environment);
    stored.url = Some(url.clone());
    let slot = Slot {
        url,
        headers: vec![("x-amz-meta-kind".to_owned(), "outcome".to_owned())],
        inline_bytes: 10_000,
    };
    let reply = environment.invoke(RunnerCall::Execute {
        task: Passed::Stored(stored),
        overflow: Some(slot.clone()),
    });
    let RunnerReply::Executed(Passed::Stored(answer)) = reply else {
        panic!("{reply:?}");
    };
    let object = bucket.object.lock().unwrap().clone();
    assert_eq!(answer.bytes, object.len() as u64);
    assert_eq!(answer.sha256, sha256(&object));
    assert_eq!(bucket.headers.lock().unwrap()["x-amz-meta-kind"], "outcome");
    let outcome: Outcome = serde_json::from_slice(&object).unwrap();
    assert_eq!(outcome.stdout, "300000\n", "{}", shown(&outcome));

    // What fits stays in the message.
    let outcome = environment.execute_with(Passed::Inline(python("print(1)")), Some(slot));
    assert_eq!(outcome.stdout, "1\n");
}

#[test]
fn a_task_that_is_not_the_announced_one_does_not_run() {
    let environment = shared();
    let (json, announced) = stored(&python("print(1)"));
    let execute = |object: &[u8], stored: Stored, failures| {
        let bucket = Bucket::new(object);
        *bucket.failures.lock().unwrap() = failures;
        let task = Passed::Stored(Stored {
            url: Some(bucket.serve(&environment)),
            ..stored
        });
        failure(environment.invoke(RunnerCall::Execute {
            task,
            overflow: None,
        }))
    };
    let other = stored(&python("print(2)")).0;
    assert_eq!(
        execute(&other, announced.clone(), 0),
        RunnerFailureKind::Transfer
    );
    let longer = [json.as_slice(), b" "].concat();
    assert_eq!(
        execute(&longer, announced.clone(), 0),
        RunnerFailureKind::Transfer
    );
    assert_eq!(execute(&json, announced, 99), RunnerFailureKind::Transfer);
}

#[test]
fn events_of_another_kind_are_refused() {
    let environment = shared();
    for event in [
        &b"{}"[..],
        b"[]",
        b"null",
        br#"{"protocol": 2, "call": "describe"}"#,
        br#"{"protocol": 1, "call": "destroy"}"#,
        br#"{"protocol": 1, "call": {"execute": {"task": {"inline": {}}, "overflow": null}}}"#,
    ] {
        let answer = environment.invoke_raw(event.to_vec(), Duration::from_secs(60));
        let reply = serde_json::from_slice(&answer.unwrap()).unwrap();
        assert_eq!(failure(reply), RunnerFailureKind::Protocol);
    }
    let reply = environment.invoke(RunnerCall::Execute {
        task: Passed::Inline(task(Language::JavaScript, "1")),
        overflow: None,
    });
    assert_eq!(failure(reply), RunnerFailureKind::Unsupported);
}

#[test]
fn the_catalogue_says_what_can_be_imported() {
    let environment = shared();
    let reply = environment.invoke(RunnerCall::Describe);
    let RunnerReply::Described(Passed::Inline(runtimes)) = reply else {
        panic!("{reply:?}");
    };
    let of = |language| runtimes.iter().find(|runtime| runtime.language == language);
    let python = of(Language::Python).unwrap();
    for module in [
        "numpy",
        "pandas",
        "matplotlib.pyplot",
        "sklearn.linear_model",
        "bs4",
        "json",
    ] {
        assert!(python.has_module(module), "{module}");
    }
    for module in ["msvcrt", "winreg", "pip", "requests"] {
        assert!(!python.has_module(module), "{module}");
    }
    let package = |name: &str| {
        let module = python.modules.iter().find(|module| module.name == name);
        module.unwrap().package.clone()
    };
    assert_eq!(package("yaml").as_deref(), Some("PyYAML"));
    assert_eq!(package("json"), None);
    let version = python
        .packages
        .iter()
        .find(|package| package.name == "pandas");
    let printed = environment
        .prints("import pandas, platform\nprint(pandas.__version__, platform.python_version())");
    assert_eq!(
        printed,
        format!("{} {}\n", version.unwrap().version, python.version)
    );
    assert_eq!(python.digest.len(), 64);

    let r = of(Language::R).unwrap();
    assert!(r.has_module("ggplot2") && r.has_module("stats") && !r.has_module("nope"));
    assert_ne!(r.digest, python.digest);
}

#[test]
fn the_invocations_end_is_the_snippets_too() {
    let environment = shared();
    let event = RunnerEvent {
        protocol: RUNNER_PROTOCOL,
        call: RunnerCall::Execute {
            task: Passed::Inline(python("print('before', flush=True)\nwhile True: pass")),
            overflow: None,
        },
    };
    let started = Instant::now();
    let answer =
        environment.invoke_raw(serde_json::to_vec(&event).unwrap(), Duration::from_secs(6));
    let reply = serde_json::from_slice(&answer.unwrap()).unwrap();
    let RunnerReply::Executed(Passed::Inline(outcome)) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(outcome.status, Status::Timeout);
    assert_eq!(outcome.stdout, "before\n");
    // The task itself would have had a minute.
    assert!(started.elapsed() < Duration::from_secs(45));
}

#[test]
fn an_interpreter_that_has_gone_is_replaced() {
    let environment = shared();
    for signal in ["-KILL", "-STOP"] {
        environment.python("0");
        let before = environment.children();
        assert!(!before.is_empty());
        for pid in &before {
            let status = std::process::Command::new("kill")
                .args([signal, &pid.to_string()])
                .status();
            assert!(status.unwrap().success());
        }
        // The first still has the child that was waiting.
        for code in ["1", "2"] {
            let outcome = environment.python(code);
            assert_eq!(outcome.status, Status::Ok, "{signal}: {}", shown(&outcome));
        }
        let after = environment.children();
        assert!(before.iter().any(|pid| !after.contains(pid)), "{signal}");
        // For the next one.
        for pid in environment.children() {
            let _ = std::process::Command::new("kill")
                .args(["-CONT", &pid.to_string()])
                .status();
        }
    }
}
