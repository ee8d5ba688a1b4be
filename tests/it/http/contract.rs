//! The answers have the shape that clients are promised.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answer, Service, python, read_answer};

#[track_caller]
fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

#[track_caller]
fn assert_keys(value: &Value, expected: &[&str]) {
    assert_eq!(keys(value), expected.iter().copied().collect(), "{value}");
}

/// Asserts that `answer` is a problem document of `status`, and returns it.
#[track_caller]
fn problem(answer: &Answer, status: u16) -> Value {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{text}"
    );
    let document = answer.json();
    assert_eq!(document["status"], status, "{text}");
    for member in ["type", "title", "detail"] {
        assert!(
            document[member].as_str().is_some_and(|m| !m.is_empty()),
            "{text}"
        );
    }
    document
}

#[test]
fn a_whole_execution() {
    let service = Service::start();
    let execution = service.execute(json!({
        "language": "python",
        "code": "import sys\nprint(open('data.csv').read(), sys.stdin.read(), sys.argv[1:])\n\
                 print('warned', file=sys.stderr)\nopen('out/plot.txt', 'w').write('bars')\n[1, 2]",
        "stdin": "typed",
        "args": ["a"],
        "env": {"B": "c"},
        "files": [
            {"path": "data.csv", "content": "1,2"},
            {"path": "out/bytes", "content": "/wA=", "encoding": "base64"}
        ],
        "limits": {"timeout_ms": 9000, "memory_mb": 64},
        "cache": "off",
        "seed": 1,
        "now": "2026-01-31T12:00:00Z"
    }));
    assert_keys(
        &execution,
        &[
            "id",
            "status",
            "exit_code",
            "stdout",
            "stderr",
            "truncated",
            "error",
            "results",
            "artifacts",
            "route",
            "cache",
            "usage",
            "outputs",
        ],
    );
    assert_eq!(execution["status"], "ok", "{execution}");
    assert_eq!(execution["exit_code"], 0);
    assert_eq!(execution["stdout"], "1,2 typed ['a']\n");
    assert_eq!(execution["stderr"], "warned\n");
    assert_eq!(execution["error"], Value::Null);
    assert_eq!(execution["results"], json!([{"text/plain": "[1, 2]"}]));
    assert_eq!(
        execution["truncated"],
        json!({"stdout": false, "stderr": false, "results": false, "artifacts": false})
    );
    let id = execution["id"].as_str().unwrap();
    assert_eq!(
        (id.len(), &id[14..15]),
        (36, "7"),
        "a UUID of version 7: {id}"
    );

    let artifact = &execution["artifacts"][0];
    assert_keys(artifact, &["path", "bytes", "sha256", "media_type", "url"]);
    assert_eq!(artifact["path"], "out/plot.txt");
    assert_eq!(artifact["bytes"], 4);
    assert_eq!(artifact["media_type"], "text/plain");
    assert_eq!(artifact["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(
        artifact["url"],
        format!("/v1/executions/{id}/files/out/plot.txt")
    );

    let route = &execution["route"];
    assert_keys(route, &["backend", "runtime", "reason", "hops", "hints"]);
    assert_eq!(route["backend"], "wasm");
    assert!(
        route["runtime"].as_str().unwrap().starts_with("python-3."),
        "{route}"
    );
    assert!(!route["reason"].as_str().unwrap().is_empty());
    assert_eq!(route["hops"], json!([]));
    assert_eq!(route["hints"], json!([]));

    let cache = &execution["cache"];
    assert_keys(cache, &["status", "key", "reproducible"]);
    assert_eq!(
        (&cache["status"], &cache["reproducible"]),
        (&json!("off"), &json!(true))
    );
    assert_eq!(cache["key"].as_str().unwrap().len(), 64);

    let usage = &execution["usage"];
    assert_keys(
        usage,
        &[
            "wall_ms",
            "queue_ms",
            "fuel",
            "peak_memory_bytes",
            "billed_ms",
            "cost_usd",
        ],
    );
    assert!(usage["wall_ms"].as_f64().unwrap() > 0.0 && usage["fuel"].as_u64().unwrap() > 0);
    assert_keys(&execution["outputs"], &["state", "uri"]);

    // What was answered is what is kept.
    let kept = service.get(&format!("/v1/executions/{id}"));
    assert_eq!(kept.status, 200);
    let mut kept = kept.json();
    let mut answered = execution.clone();
    // Meanwhile it may have got from the spool to the store.
    kept["outputs"] = Value::Null;
    answered["outputs"] = Value::Null;
    assert_eq!(kept, answered);

    let file = service.get(artifact["url"].as_str().unwrap());
    assert_eq!((file.status, &file.body[..]), (200, &b"bars"[..]));
    assert!(file.header("content-type").starts_with("text/plain"));
    assert_eq!(file.header("x-content-type-options"), "nosniff");
}

#[test]
fn a_guests_failure_is_an_answer() {
    let service = Service::start();
    let failed = service.execute(python("print('before')\n1 / 0"));
    assert_eq!(failed["status"], "error");
    assert_eq!(failed["exit_code"], 1);
    assert_eq!(failed["stdout"], "before\n");
    assert_keys(&failed["error"], &["type", "message", "traceback", "line"]);
    assert_eq!(failed["error"]["type"], "ZeroDivisionError");
    assert_eq!(failed["error"]["line"], 2);

    let javascript = service.execute(json!({
        "language": "javascript",
        "code": "console.log('before');\nnull.x"
    }));
    assert_eq!(javascript["status"], "error");
    assert_eq!(javascript["error"]["type"], "TypeError");
    assert_eq!(javascript["error"]["line"], 2, "{javascript}");

    for (code, limits, status) in [
        (
            "while True: pass",
            json!({"fuel": 50_000_000}),
            "fuel_exhausted",
        ),
        (
            "import time; time.sleep(9)",
            json!({"timeout_ms": 100}),
            "timeout",
        ),
        (
            "x = bytearray(99 << 20)",
            json!({"memory_mb": 16}),
            "out_of_memory",
        ),
        (
            "print('x' * 999)",
            json!({"output_bytes": 99}),
            "output_limit",
        ),
    ] {
        let execution = service.execute(json!({
            "language": "python", "code": code, "limits": limits
        }));
        assert_eq!(execution["status"], status, "{code}");
        // Only what ran out of memory may have come to its own end, with the code of a failure.
        let code = &execution["exit_code"];
        assert!(
            code.is_null() || (status == "out_of_memory" && *code == 1),
            "{execution}"
        );
    }
}

#[test]
fn repeated_pure_work_is_answered_from_the_cache() {
    let service = Service::start();
    let request = python("print(sum(range(1000)))");
    let first = service.execute(request.clone());
    let second = service.execute(request);
    assert_eq!(first["cache"]["status"], "miss");
    assert_eq!(second["cache"]["status"], "hit");
    assert_eq!(first["cache"]["key"], second["cache"]["key"]);
    assert_eq!(first["stdout"], second["stdout"]);
    assert_ne!(first["id"], second["id"]);

    let random = python("import random; print(random.random())");
    let (first, second) = (service.execute(random.clone()), service.execute(random));
    assert_eq!(first["cache"]["reproducible"], false);
    assert_eq!(second["cache"]["status"], "miss");
    assert_ne!(first["stdout"], second["stdout"]);
}

#[test]
fn bad_requests_name_every_bad_field() {
    let service = Service::start();
    let bad = json!({
        "language": "python",
        "code": " ",
        "files": [{"path": "../x", "content": ""}],
        "limits": {"timeout_ms": 0, "memory_mb": 999_999}
    });
    let answer = service.post("/v1/execute", bad.to_string());
    let document = problem(&answer, 422);
    let fields: Vec<_> = document["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "code",
            "limits.timeout_ms",
            "limits.memory_mb",
            "files[0].path"
        ],
        "{document}"
    );

    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"language": "python"}"#,
        r#"{"language": "cobol", "code": "x"}"#,
        r#"{"language": "python", "code": 5}"#,
        r#"{"language": "python", "code": "1", "limits": {"timeout_ms": -1}}"#,
        r#"{"language": "python", "code": "1", "now": "yesterday"}"#,
        r#"{"language": "python", "code": "1", "files": [{"path": "a", "content": "!", "encoding": "base64"}]}"#,
        r#"{"language": "python", "code": "1", "code": "2"}"#,
    ] {
        problem(&service.post("/v1/execute", body), 400);
    }
    let unknown = service.post(
        "/v1/execute",
        r#"{"language": "python", "code": "1", "tiemout": 5}"#,
    );
    let document = problem(&unknown, 400);
    assert!(document.to_string().contains("tiemout"), "{document}");

    // As deep as JSON can be made: refused, and the service lives.
    let deep = format!(
        r#"{{"language": "python", "code": {}"#,
        "[".repeat(1_000_000)
    );
    problem(&service.post("/v1/execute", deep), 400);
    service.execute(python("1"));
}

#[test]
fn what_cannot_be_run_here_says_why() {
    let service = Service::start();
    for request in [
        json!({"language": "r", "code": "print(1)"}),
        json!({"language": "python", "code": "1", "backend": "lambda"}),
    ] {
        let answer = service.post("/v1/execute", request.to_string());
        let document = problem(&answer, answer.status);
        assert!((400..500).contains(&answer.status), "{document}");
        assert!(
            document["detail"]
                .as_str()
                .unwrap()
                .to_lowercase()
                .contains("lambda"),
            "{document}"
        );
    }
}

#[test]
fn paths_and_methods() {
    let service = Service::start();
    problem(&service.get("/nowhere"), 404);
    problem(&service.get("/v1/executions/none"), 404);
    problem(
        &service.get("/v1/executions/01930000-0000-7000-8000-000000000000"),
        404,
    );
    problem(&service.get("/v1/execute"), 405);
    let id = service.execute(python("open('a', 'w').write('x')"))["id"].clone();
    let id = id.as_str().unwrap();
    for path in [
        "b",
        "../result.json",
        "..%2Fresult.json",
        "%2e%2e/result.json",
        "a/",
        "/a",
        "a%00",
        "a%2f..%2fa",
    ] {
        problem(
            &service.get(&format!("/v1/executions/{id}/files/{path}")),
            404,
        );
    }
    assert_eq!(
        service.get(&format!("/v1/executions/{id}/files/a")).status,
        200
    );

    let runtimes = service.get("/v1/runtimes").json();
    let languages: BTreeSet<_> = runtimes["runtimes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|runtime| runtime["language"].as_str().unwrap())
        .collect();
    assert_eq!(languages, BTreeSet::from(["javascript", "python"]));
    assert_eq!(service.get("/healthz").status, 200);
    assert_eq!(service.get("/readyz").status, 200);
}

#[test]
fn a_body_that_is_no_json_or_too_large() {
    let service = Service::start();
    let agent = &service.agent;
    let text = agent
        .post(service.url("/v1/execute"))
        .header("content-type", "text/plain")
        .send("{}")
        .unwrap();
    problem(&super::answer(text), 415);

    // Announced, and so refused before it is sent.
    let mut stream = TcpStream::connect(&service.address).unwrap();
    write!(
        stream,
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: 99999999999\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let (head, body) = read_answer(stream);
    assert!(head.starts_with("HTTP/1.1 413"), "{head}\n{body}");
}

#[test]
fn output_is_streamed_as_events() {
    let service = Service::start();
    let request = json!({
        "language": "python",
        "code": "import sys, time\nprint('first', flush=True)\ntime.sleep(6)\n\
                 print('second', file=sys.stderr)\n5",
        "limits": {"timeout_ms": 60_000}
    });
    let body = request.to_string();
    let mut stream = TcpStream::connect(&service.address).unwrap();
    write!(
        stream,
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut events = Vec::new();
    let mut first = None;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if line.contains("first") && first.is_none() {
            first = Some(Instant::now());
        }
        if let Some(event) = line.strip_prefix("event:") {
            events.push(event.trim().to_owned());
        }
    }
    assert_eq!(events, ["stdout", "stderr", "result", "end"]);
    // The snippet slept longer than that between the two.
    let before_the_end = first.unwrap().elapsed();
    assert!(
        before_the_end > Duration::from_secs(1),
        "{before_the_end:?}"
    );
}

#[test]
fn requests_have_ids() {
    let service = Service::start();
    let answer = service.get("/healthz");
    assert!(!answer.header("x-request-id").is_empty(), "{answer:?}");
    let given = service
        .agent
        .get(service.url("/healthz"))
        .header("x-request-id", "given-by-the-client")
        .call()
        .unwrap();
    assert_eq!(given.headers()["x-request-id"], "given-by-the-client");
}
