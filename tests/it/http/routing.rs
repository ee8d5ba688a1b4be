//! Plans, hints and batches of the real guests, without Lambda.

use super::*;

#[test]
fn a_plan_names_what_the_guests_have() {
    let service = Service::start();
    let body = json!({
        "language": "python",
        "code": "import json, yaml\ntry:\n    import pandas\nexcept ImportError:\n    pandas = None"
    });
    let plan = service.post("/v1/plan", body.to_string()).json();
    assert_eq!(plan["backend"], "wasm");
    assert_eq!(
        plan["reason"],
        "every import (json and yaml) is in the wasm sandbox"
    );
    assert_eq!(plan["imports"][1]["package"], "PyYAML");
    assert_eq!(plan["imports"][1]["in"], json!(["wasm"]));
    assert_eq!(plan["imports"][2]["in"], json!([]));
    assert_eq!(plan["imports"][2]["place"], "guarded");
    let body = json!({"language": "javascript", "code": "const _ = require('lodash')"});
    let plan = service.post("/v1/plan", body.to_string()).json();
    assert_eq!(plan["imports"][0]["in"], json!(["wasm"]), "{plan:#}");
}

#[test]
fn what_nobody_has_fails_as_the_language_fails_with_a_hint() {
    let service = Service::start();
    for (language, code, word) in [
        ("python", "import beautifulsoup4", "bs4"),
        ("python", "import nonesuch", "nonesuch"),
        ("javascript", "require('lodahs')", "lodash"),
    ] {
        let answer = service.execute(json!({"language": language, "code": code}));
        assert_eq!(answer["status"], "error");
        let hints = answer["route"]["hints"].to_string();
        assert!(hints.contains(word), "{answer:#}");
    }
}

#[test]
fn every_input_of_a_batch_is_an_execution_of_its_own() {
    let service = Service::start();
    let body = json!({
        "language": "python",
        "code": "import sys\nprint(sys.stdin.read().upper(), sys.argv[1:])\nif sys.argv[1:]: 1 / 0",
        "stdin": "own",
        "inputs": [{"stdin": "a"}, {"args": ["x"]}, {"stdin": "a"}]
    });
    let answer = service.post("/v1/execute", body.to_string()).json();
    let executions = answer["executions"].as_array().unwrap();
    let seen: Vec<_> = executions
        .iter()
        .map(|execution| (&execution["status"], &execution["stdout"]))
        .collect();
    assert_eq!(
        seen,
        [
            (&json!("ok"), &json!("A []\n")),
            (&json!("error"), &json!("OWN ['x']\n")),
            (&json!("ok"), &json!("A []\n")),
        ]
    );
    assert_ne!(executions[0]["id"], executions[2]["id"]);
    let hits = executions
        .iter()
        .filter(|one| one["cache"]["status"] == "hit");
    assert_eq!(hits.count(), 1, "equal inputs are one run");
}

#[test]
fn notebook_lines_are_not_run() {
    let service = Service::start();
    let answer = service.execute(json!({
        "language": "python",
        "code": "%matplotlib inline\n!pip install pyyaml\nimport yaml\nprint(yaml.safe_load('a: 1'))"
    }));
    assert_eq!(answer["status"], "ok", "{answer:#}");
    assert_eq!(answer["stdout"], "{'a': 1}\n");
}

#[test]
fn results_are_found_in_the_store_after_a_restart() {
    let settings = [("SANDGATE_CACHE_IN_STORE", "true")];
    let service = Service::with(DataDir::new(), &settings);
    let request = json!({"language": "python", "code": "print(sum(range(10)))"});
    let first = service.execute(request.clone());
    assert_eq!(first["cache"]["status"], "miss");
    let key = first["cache"]["key"].as_str().unwrap();
    let object = service.data.path().join("outputs/cache").join(key);
    let start = Instant::now();
    while !object.exists() {
        assert!(start.elapsed() < START, "{}", service.log());
        thread::sleep(Duration::from_millis(5));
    }
    let service = Service::with(service.kill(), &settings);
    let again = service.execute(request);
    assert_eq!(again["cache"]["status"], "hit");
    assert_eq!(again["stdout"], first["stdout"]);
    assert_eq!(again["usage"]["fuel"], first["usage"]["fuel"]);
}
