//! Bodies, compared with files. To accept a change, run with `UPDATE_GOLDEN=1` and review the
//! difference.

use std::path::Path;

use axum::body::Body;
use axum::http::{Request, Response};
use sandgate::ErrorKind;
use serde_json::{Value, json};

use super::{Service, header, text};

/// Replaces what differs from run to run.
fn steady(value: &mut Value, id: &str) {
    // Every execution of a batch has an id of its own.
    let own = value["id"].as_str().map(str::to_owned);
    let id = own.as_deref().unwrap_or(id);
    match value {
        Value::String(text) if !id.is_empty() => *text = text.replace(id, "<id>"),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::Array(items) => items.iter_mut().for_each(|item| steady(item, id)),
        Value::Object(members) => {
            for (name, member) in members {
                if matches!(name.as_str(), "wall_ms" | "queue_ms") {
                    assert!(member.as_f64().unwrap() >= 0.0);
                    *member = "<ms>".into();
                } else if name == "uri" {
                    *member = "<uri>".into();
                } else {
                    steady(member, id);
                }
            }
        }
    }
}

async fn compare(name: &str, response: Response<Body>) {
    let status = response.status();
    let content_type = header(&response, "content-type").to_owned();
    let retry_after = header(&response, "retry-after").to_owned();
    let mut body: Value = serde_json::from_str(&text(response).await).unwrap();
    steady(&mut body, "");
    let mut shown = format!("{status}\ncontent-type: {content_type}\n");
    if !retry_after.is_empty() {
        shown += &format!("retry-after: {retry_after}\n");
    }
    shown += &format!("\n{}\n", serde_json::to_string_pretty(&body).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &shown).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(shown, golden, "{name} is not what {} says", file.display());
}

#[tokio::test]
async fn answers() {
    let service = Service::new().await;
    let code = r#"{"language":"python","code":"print hi\nfile plots/a b.png"}"#;
    compare("execute", service.execute(code).await).await;
    compare("execute_hit", service.execute(code).await).await;
    let code = r#"{"language":"python","code":"print hi\ntimeout","cache":"off"}"#;
    compare("execute_timeout", service.execute(code).await).await;
    compare("runtimes", service.get("/v1/runtimes").await).await;
    compare("root", service.get("/").await).await;
    compare("healthz", service.get("/healthz").await).await;
    compare("readyz", service.get("/readyz").await).await;
}

#[tokio::test]
async fn plans_and_routes() {
    let (service, lambda) = Service::with_lambda().await;
    let code =
        "import json\nimport pandas as pd\ntry:\n    import cv2\nexcept ImportError:\n    pass";
    let body = json!({"language": "python", "code": code}).to_string();
    compare("plan", service.post("/v1/plan", body).await).await;
    let body =
        json!({"language": "python", "code": "import pandsa", "packages": ["python-dateutil"]});
    compare(
        "plan_hints",
        service.post("/v1/plan", body.to_string()).await,
    )
    .await;
    let body = r#"{"language":"python","code":" ","limits":{"fuel":0}}"#;
    compare("problem_plan", service.post("/v1/plan", body).await).await;
    let body = r#"{"language":"python","code":"print hi\nneed pandas"}"#;
    compare("execute_hop", service.execute(body).await).await;
    let body = r#"{"language":"python","code":"stdin","inputs":[{"stdin":"a"},{"stdin":"b"}]}"#;
    compare("batch", service.execute(body).await).await;
    let body =
        r#"{"language":"python","code":"stdin","inputs":[{},{"args":["\u0000"],"stdin":7}]}"#;
    compare("problem_input_type", service.execute(body).await).await;
    let body = r#"{"language":"python","code":"stdin","inputs":[{},{"args":["\u0000"]}]}"#;
    compare("problem_input", service.execute(body).await).await;
    lambda.fail_with(Some(ErrorKind::Unavailable));
    let body = r#"{"language":"r","code":"1"}"#;
    compare("problem_lambda_down", service.execute(body).await).await;
}

#[tokio::test]
async fn problems() {
    let service = Service::with(|http| http.body_bytes = 4_096).await;
    for (name, body) in [
        ("not_json", r#"{"language": "python", "code": "#),
        ("not_an_object", "[1]"),
        ("twice", r#"{"language":"python","code":"1","code":"2"}"#),
        (
            "bad_fields",
            r#"{"language":"cobol","tiemout":1,"limits":{"fuel":"x","memory":1}}"#,
        ),
        (
            "invalid",
            r#"{"language":"python","code":" ","limits":{"timeout_ms":0,"fuel":999999999999999},
                "files":[{"path":"../x","content":""}]}"#,
        ),
        ("no_backend", r#"{"language":"r","code":"1"}"#),
        (
            "no_package",
            r#"{"language":"python","code":"1","packages":["numpy"]}"#,
        ),
        (
            "lambda",
            r#"{"language":"python","code":"1","backend":"lambda"}"#,
        ),
        ("overloaded", r#"{"language":"python","code":"fail"}"#),
    ] {
        compare(&format!("problem_{name}"), service.execute(body).await).await;
    }
    compare(
        "problem_too_large",
        service.execute(vec![b' '; 5_000]).await,
    )
    .await;
    let form = Request::post("/v1/execute")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("code=1"));
    compare("problem_media_type", service.send(form.unwrap()).await).await;
    let html = Request::post("/v1/execute")
        .header("content-type", "application/json")
        .header("accept", "text/html")
        .body(Body::from("{}"));
    compare("problem_accept", service.send(html.unwrap()).await).await;
    compare("problem_path", service.get("/v2").await).await;
    compare("problem_id", service.get("/v1/executions/1").await).await;
    compare("problem_method", service.get("/v1/execute").await).await;
}
