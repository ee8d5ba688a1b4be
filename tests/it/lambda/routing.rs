//! What the router makes of two backends: the plan, its repair, and many inputs.

use super::*;

/// Sandbox limits that a test runs out of quickly.
fn small_sandbox() -> Service {
    service(&[
        ("SANDGATE_LIMITS_DEFAULT_FUEL", "300000000"),
        ("SANDGATE_LIMITS_DEFAULT_MEMORY_MB", "64"),
        ("SANDGATE_LIMITS_DEFAULT_TIMEOUT_MS", "60000"),
        ("SANDGATE_SANDBOX_MEMORY_MB", "128"),
    ])
}

/// The only hop of an execution that ended well on Lambda.
#[track_caller]
fn repaired(service: &Service, code: &str) -> (Value, Value) {
    let answer = service.execute(json!({ "language": "python", "code": code }));
    assert_eq!(answer["status"], "ok", "{answer:#}\n{}", service.log());
    assert_eq!(answer["route"]["backend"], "lambda", "{answer:#}");
    let hops = answer["route"]["hops"].as_array().unwrap();
    assert_eq!(hops.len(), 1, "{answer:#}");
    assert_eq!(hops[0]["backend"], "wasm");
    (hops[0].clone(), answer)
}

#[test]
fn wrong_plans_are_repaired_and_remembered() {
    let service = small_sandbox();
    for (code, status, stdout) in [
        // A name that no parser sees.
        (
            "import importlib\nprint('start')\npd = importlib.import_module('pan' + 'das')\n\
             print(pd.Series([1, 2, 3]).sum())",
            "error",
            "start\n6\n",
        ),
        (
            "total = 0\nfor i in range(3_000_000):\n    total += i\nprint(total)",
            "fuel_exhausted",
            "4499998500000\n",
        ),
        (
            "block = bytearray(150_000_000)\nblock[::4096] = b'x' * len(block[::4096])\n\
             print(len(block))",
            "out_of_memory",
            "150000000\n",
        ),
    ] {
        let plan = service.post(
            "/v1/plan",
            json!({ "language": "python", "code": code }).to_string(),
        );
        assert_eq!(plan.json()["backend"], "wasm", "{}", plan.json());
        let (hop, answer) = repaired(&service, code);
        assert_eq!(hop["status"], status, "{answer:#}");
        assert_eq!(answer["stdout"], stdout);
        let again = service.execute(json!({ "language": "python", "code": code }));
        assert_eq!(again["route"]["hops"], json!([]), "{again:#}");
        assert_eq!(again["stdout"], stdout);
        let plan = service.post(
            "/v1/plan",
            json!({ "language": "python", "code": code }).to_string(),
        );
        assert_eq!(plan.json()["rule"], "last_time");
        assert!(plan.json()["estimated_cost_usd"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_limit_of_the_requests_own_is_its_end() {
    let service = small_sandbox();
    let answer = service.execute(json!({
        "language": "python", "code": "while True: pass", "limits": {"fuel": 1_000_000}
    }));
    assert_eq!(answer["status"], "fuel_exhausted");
    assert_eq!(answer["route"]["backend"], "wasm");
    assert_eq!(answer["route"]["hops"], json!([]));
}

#[test]
fn what_asks_for_more_than_the_sandbox_grants_goes_to_lambda() {
    let service = small_sandbox();
    let answer = service.execute(json!({
        "language": "python", "code": "print(1)", "limits": {"memory_mb": 256}
    }));
    assert_eq!(answer["status"], "ok", "{answer:#}");
    assert_eq!(
        answer["route"]["reason"],
        "it asks for memory_mb 256, and the wasm sandbox grants 128"
    );
    assert_eq!(answer["route"]["backend"], "lambda");
}

#[test]
fn a_batch_runs_where_each_input_can() {
    let service = service(&[]);
    let inputs: Vec<_> = (0..6).map(|n| json!({ "stdin": n.to_string() })).collect();
    let code = "import numpy as np\nprint(np.arange(int(input()) + 1).sum())";
    let answer = service.post(
        "/v1/execute",
        json!({
            "language": "python", "code": code, "inputs": inputs,
            "limits": {"timeout_ms": 60_000}
        })
        .to_string(),
    );
    assert_eq!(answer.status, 200, "{}", service.log());
    let answer = answer.json();
    for (n, execution) in answer["executions"].as_array().unwrap().iter().enumerate() {
        assert_eq!(execution["status"], "ok", "{execution:#}");
        assert_eq!(execution["stdout"], format!("{}\n", n * (n + 1) / 2));
        assert_eq!(execution["route"]["backend"], "lambda");
    }
}
