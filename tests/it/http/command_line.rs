//! `sandgate exec` and the other subcommands.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{DataDir, sandgate};

/// Runs `sandgate exec` on a file with `code`.
fn exec(name: &str, code: &str, arguments: &[&str]) -> Output {
    let data = DataDir::new();
    let file = data.path().join(name);
    std::fs::write(&file, code).unwrap();
    sandgate()
        .arg("exec")
        .arg("--data-dir")
        .arg(data.path())
        .arg(file)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exit_code_and_streams_are_the_guests() {
    for (name, code, exit, stdout) in [
        ("a.py", "print('hello')", 0, "hello\n"),
        ("a.js", "console.log('hello')", 0, "hello\n"),
        (
            "a.mjs",
            "import fs from 'node:fs'; console.log(typeof fs.readFileSync)",
            0,
            "function\n",
        ),
        ("a.py", "import sys; print('x'); sys.exit(7)", 7, "x\n"),
        ("a.js", "process.exit(9)", 9, ""),
        ("a.py", "1 / 0", 1, ""),
    ] {
        let output = exec(name, code, &[]);
        assert_eq!(
            output.status.code(),
            Some(exit),
            "{code}: {}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stdout), stdout, "{code}");
    }
    let failed = exec("a.py", "x = 1\n1 / 0", &[]);
    let stderr = text(&failed.stderr);
    assert!(
        stderr.contains("ZeroDivisionError") && stderr.contains("line 2"),
        "{stderr}"
    );
}

#[test]
fn arguments_and_language() {
    let output = exec(
        "script",
        "import sys; print(sys.argv[1:])",
        &["--language", "python", "--", "-a", "b c"],
    );
    assert_eq!(
        text(&output.stdout),
        "['-a', 'b c']\n",
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn json_is_the_contracts() {
    let output = exec("a.py", "print('x'); 1 / 0", &["--json"]);
    let execution: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(execution["status"], "error");
    assert_eq!(execution["error"]["type"], "ZeroDivisionError");
    assert_eq!(execution["stdout"], "x\n");
}

#[test]
fn output_comes_as_it_is_printed() {
    let data = DataDir::new();
    let file = data.path().join("a.py");
    std::fs::write(
        &file,
        "import time; print('first'); time.sleep(6); print('second')",
    )
    .unwrap();
    let mut child = sandgate()
        .args(["exec", "--timeout-ms", "60000", "--data-dir"])
        .arg(data.path())
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "first");
    let first = Instant::now();
    assert_eq!(lines.next().unwrap().unwrap(), "second");
    assert!(
        first.elapsed() > Duration::from_secs(1),
        "both came at once"
    );
    assert!(child.wait().unwrap().success());
}

#[test]
fn standard_input_is_the_guests() {
    let data = DataDir::new();
    let file = data.path().join("a.py");
    std::fs::write(&file, "print(input() + '!')").unwrap();
    let mut child = sandgate()
        .arg("exec")
        .arg("--data-dir")
        .arg(data.path())
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), "typed!\n");
}

#[test]
fn wrong_usage_is_64() {
    for arguments in [
        &["exec"][..],
        &["no-such-command"],
        &["exec", "/no/such/file.py"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--config", "/no/such/file.toml"],
        &["serve", "--listen", "0.0.0.0:0"],
    ] {
        let output = sandgate()
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(64),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert!(!output.stderr.is_empty());
    }
    let typo = sandgate()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("SANDGATE_SANDBOX_WROKERS", "1")
        .output()
        .unwrap();
    assert_eq!(typo.status.code(), Some(64), "{}", text(&typo.stderr));
    assert!(
        text(&typo.stderr).to_lowercase().contains("wrokers"),
        "{}",
        text(&typo.stderr)
    );
}

#[test]
fn a_plan_is_told_without_running_anything() {
    let data = DataDir::new();
    let file = data.path().join("a.py");
    std::fs::write(&file, "import json\nimport nonesuch\nprint('ran')").unwrap();
    let plan = |arguments: &[&str]| {
        sandgate()
            .arg("plan")
            .arg("--data-dir")
            .arg(data.path())
            .arg(&file)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let output = plan(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.starts_with("wasm (python-"), "{told}");
    assert!(told.contains("line 2: nonesuch, nowhere"), "{told}");
    assert!(!told.contains("ran"), "{told}");
    let json: Value = serde_json::from_slice(&plan(&["--json"]).stdout).unwrap();
    assert_eq!(json["imports"][0]["module"], "json");
    let refused = plan(&["--backend", "lambda"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(text(&refused.stderr).contains("not configured"));
}
