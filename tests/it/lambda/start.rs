//! Before anybody knows what Lambda has: the first seconds of a service, and a command on an empty
//! data directory. What needs Lambda waits for the cold start, whether or not that is over by then.

use std::process::{Command, Output, Stdio};

use super::*;
use crate::harness::{binary, compiled, guests};

/// A cold start on a busy machine, and less than the tests' client waits.
const PATIENCE: (&str, &str) = ("SANDGATE_HTTP_QUEUE_TIMEOUT_MS", "50000");

#[test]
fn the_first_requests_of_a_service_wait_for_lambda() {
    let service = just_started(&[PATIENCE]);
    let sandboxed = service.execute(json!({ "language": "python", "code": "import json" }));
    assert_eq!(sandboxed["route"]["backend"], "wasm", "{sandboxed:#}");
    thread::scope(|scope| {
        scope.spawn(|| {
            let answer = run(
                &service,
                "python",
                "import pandas\nprint(pandas.Series([2]).sum())",
            );
            assert_eq!(answer["stdout"], "2\n");
            assert_eq!(answer["route"]["hops"], json!([]), "{answer:#}");
        });
        scope.spawn(|| {
            let hidden = "import importlib\nprint(importlib.import_module('pan' + 'das').__name__)";
            let answer = run(&service, "python", hidden);
            assert_eq!(answer["stdout"], "pandas\n");
        });
        scope.spawn(|| {
            let body = json!({ "language": "python", "code": "import numpy" });
            let plan = service.post("/v1/plan", body.to_string());
            assert_eq!(plan.json()["rule"], "imports", "{}", plan.json());
        });
    });
}

#[test]
fn a_command_asks_lambda_what_it_has_when_it_needs_it() {
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(compiled()).unwrap();
    std::os::unix::fs::symlink(compiled(), data.path().join("compiled")).unwrap();
    let learnt = data.path().join("lambda-catalogue.json");
    let files = tempfile::tempdir().unwrap();
    let exec = |code: &str| -> Output {
        let file = files.path().join("snippet.py");
        std::fs::write(&file, code).unwrap();
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SANDGATE_") {
                command.env_remove(name);
            }
        }
        command.args(["exec", "--timeout-ms", "60000", "--data-dir"]);
        command.arg(data.path()).arg(file);
        command.env("SANDGATE_GUESTS", guests());
        command.env("SANDGATE_LOCAL_CLOUD_ENABLED", "always");
        command.env("SANDGATE_LOCAL_CLOUD_IMAGE", image());
        command.stdin(Stdio::null()).output().unwrap()
    };
    let plain = exec("print(1)");
    assert_eq!(
        plain.stdout,
        b"1\n",
        "{}",
        String::from_utf8_lossy(&plain.stderr)
    );
    assert!(!learnt.exists(), "it did not need Lambda");
    let needs = || exec("import pandas\nprint(pandas.Series([2]).sum())");
    let (start, mut pandas) = (Instant::now(), needs());
    // A command waits for half a minute, which a very busy machine may not be content with.
    while pandas.status.code() == Some(70) && start.elapsed() < COLD {
        pandas = needs();
    }
    assert_eq!(
        pandas.stdout,
        b"2\n",
        "{}",
        String::from_utf8_lossy(&pandas.stderr)
    );
    assert!(learnt.exists());
}
