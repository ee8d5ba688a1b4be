//! Plans, batches and repaired plans, as far as no body shows them.

use sandgate::ErrorKind;
use serde_json::json;

use super::streaming::{events, stream};
use super::*;

#[tokio::test]
async fn planning_runs_nothing() {
    let (service, lambda) = Service::with_lambda().await;
    let body = json!({"language": "python", "code": "import pandas"}).to_string();
    let response = service.post("/v1/plan", body).await;
    assert_eq!(response.status(), StatusCode::OK);
    let plan = json(response).await;
    assert_eq!(plan["backend"], "lambda");
    assert_eq!(plan["estimated_cost_usd"], 0.001);
    assert_eq!((service.executor.started(), lambda.started()), (0, 0));
    let batch = json!({"language": "python", "code": "1", "inputs": [{"stdin": "1"}]}).to_string();
    let response = service.post("/v1/plan", batch).await;
    assert_eq!(json(response).await["backend"], "wasm");
}

#[tokio::test]
async fn planning_refuses_what_executing_refuses() {
    let service = Service::new().await;
    for (body, status) in [
        ("", StatusCode::BAD_REQUEST),
        (r#"{"language":"python"}"#, StatusCode::BAD_REQUEST),
        (
            r#"{"language":"python","code":""}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"language":"r","code":"1"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"language":"python","code":"1","inputs":[]}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        for path in ["/v1/plan", "/v1/execute"] {
            assert_eq!(
                service.post(path, body).await.status(),
                status,
                "{path} {body}"
            );
        }
    }
    let form = Request::post("/v1/plan").body(Body::from("{}")).unwrap();
    assert_eq!(
        service.send(form).await.status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
}

#[tokio::test]
async fn what_lambda_alone_can_run_waits_for_it() {
    let (service, lambda) = Service::with_lambda().await;
    lambda.fail_with(Some(ErrorKind::Unavailable));
    let pandas = json!({"language": "python", "code": "import pandas\nprint hi"}).to_string();
    let response = service.execute(pandas.clone()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, "retry-after"), "7");
    assert_eq!(service.run("print hi").await["status"], "ok");
    lambda.fail_with(None);
    let answer = json(service.execute(pandas).await).await;
    assert_eq!(answer["route"]["backend"], "lambda");
}

#[tokio::test]
async fn the_runtimes_are_those_of_the_moment() {
    let (service, lambda) = Service::with_lambda().await;
    let count = async || {
        let runtimes = json(service.get("/v1/runtimes").await).await;
        runtimes["runtimes"].as_array().unwrap().len()
    };
    assert_eq!(count().await, 3);
    lambda.offer(Vec::new());
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn a_stream_shows_a_second_run_from_where_it_differs() {
    let (service, _) = Service::with_lambda().await;
    let ask = async |code: &str| {
        let seen = events(&text(stream(&service, code).await).await);
        let seen = seen.into_iter();
        seen.map(|(name, data)| match name.as_str() {
            "stdout" => data["text"].as_str().unwrap().to_owned(),
            _ => format!("[{name}]"),
        })
        .collect::<String>()
    };
    // Chunks that wait are joined, so the first run's may never be seen.
    assert_eq!(
        ask("print a\nneed pandas\nprint b").await,
        "ab[result][end]"
    );
    let differs = ask("print a\nbackend\nneed pandas\nprint b").await;
    let shown = differs.rsplit("[restart]").next().unwrap();
    assert!(differs.contains("[restart]"), "{differs}");
    assert_eq!(shown, "alambdab[result][end]");
}

#[tokio::test]
async fn a_batch_is_json_or_nothing() {
    let service = Service::new().await;
    let body = json!({"language": "python", "code": "stdin", "inputs": [{}]}).to_string();
    let request = Request::post("/v1/execute")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(Body::from(body))
        .unwrap();
    assert_eq!(
        service.send(request).await.status(),
        StatusCode::NOT_ACCEPTABLE
    );
    assert_eq!(service.executor.started(), 0);
}

#[tokio::test]
async fn an_input_that_could_not_run_has_its_problem_in_its_place() {
    let service = Service::new().await;
    let kept = json!({"language": "python", "code": "stdin", "stdin": "kept"}).to_string();
    assert_eq!(service.execute(kept).await.status(), StatusCode::OK);
    service.executor.fail_with(Some(ErrorKind::Overloaded));
    let inputs = json!([{"stdin": "kept"}, {"stdin": "other"}]);
    let body = json!({"language": "python", "code": "stdin", "inputs": inputs}).to_string();
    let response = service.execute(body).await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer = json(response).await;
    assert_eq!(answer["executions"][0]["stdout"], "kept");
    assert_eq!(answer["executions"][1]["problem"]["status"], 503);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_batch() {
    let service = Service::new().await;
    let inputs: Vec<_> = (0..40).map(|n| json!({"stdin": n.to_string()})).collect();
    let body = json!({"language": "python", "code": "sleep 60000", "inputs": inputs}).to_string();
    let asking = tokio::spawn({
        let app = service.app.clone();
        let request = Request::post("/v1/execute")
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        async move { app.oneshot(request).await }
    });
    while service.executor.running() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    asking.abort();
    while service.executor.running() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn metrics_count_what_was_done_and_how_it_stands() {
    let (service, lambda) = Service::with_lambda().await;
    let code = json!({"language": "python", "code": "print hi\nneed pandas"}).to_string();
    service.execute(code.clone()).await;
    service.run("print hi").await;
    service.run("print hi").await;
    let inputs = json!({"language": "python", "code": "stdin", "inputs": [{}, {"stdin": "1"}]});
    service.execute(inputs.to_string()).await;
    lambda.fail_with(Some(ErrorKind::Overloaded));
    lambda.set_ready(false);
    service.execute(code).await;
    let response = service.get("/metrics").await;
    assert!(header(&response, "content-type").starts_with("application/openmetrics-text"));
    let text = text(response).await;
    let ended = |backend: &str, status: &str| {
        format!(
            "sandgate_executions_total{{backend=\"{backend}\",language=\"python\",\
             status=\"{status}\"}}"
        )
    };
    for line in [
        format!("{} 1", ended("lambda", "ok")),
        format!("{} 4", ended("wasm", "ok")),
        "sandgate_cache_total{status=\"hit\"} 1".to_owned(),
        "sandgate_cache_total{status=\"miss\"} 3".to_owned(),
        "sandgate_cache_total{status=\"off\"} 1".to_owned(),
        "sandgate_hops_total{backend=\"wasm\"} 1".to_owned(),
        "sandgate_refused_total{reason=\"overloaded\"} 1".to_owned(),
        "sandgate_request_seconds_count{backend=\"wasm\"} 4".to_owned(),
        "sandgate_under_way 0".to_owned(),
        "sandgate_backend_ready{backend=\"wasm\"} 1".to_owned(),
        "sandgate_backend_ready{backend=\"lambda\"} 0".to_owned(),
        "sandgate_ready 1".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}
