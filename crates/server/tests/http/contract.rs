//! What is not in a body.

use super::*;

#[tokio::test]
async fn an_execution_can_be_fetched_as_it_was_answered() {
    let service = Service::new().await;
    let mut answer = service.run("print hi\nfile a").await;
    let path = format!("/v1/executions/{}", answer["id"].as_str().unwrap());
    let fetched = json(service.get(&path).await).await;
    answer["outputs"]["state"] = "stored".into();
    assert_eq!(fetched, answer);
}

#[tokio::test]
async fn unknown_executions_are_not_found() {
    let service = Service::new().await;
    for id in [
        "0193e0f0-0000-7000-8000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        "x",
        "..%2f..",
    ] {
        let response = service.get(&format!("/v1/executions/{id}")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn request_ids_are_echoed_or_made() {
    let service = Service::new().await;
    let with = |id: &'static str| {
        let request = Request::get("/healthz").header("x-request-id", id);
        service.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(header(&with("mine-1").await, "x-request-id"), "mine-1");
    let made = with("not \"sane\"").await;
    assert_eq!(header(&made, "x-request-id").len(), 32);
    // Problems have one too.
    assert_eq!(header(&service.get("/v2").await, "x-request-id").len(), 32);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let service = Service::new().await;
    let response = service.get("/v1/execute").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(&response, "allow"), "POST");
}

#[tokio::test]
async fn bodies_are_bounded_together() {
    let service = Service::with(|http| {
        http.body_bytes = 8_192;
        http.pending_body_bytes = 10_240;
    })
    .await;
    let request = |body: Body, length: &str| {
        Request::post("/v1/execute")
            .header("content-type", "application/json")
            .header("content-length", length)
            .body(body)
            .unwrap()
    };
    let slow = r#"{"language":"python","code":"sleep 60000","cache":"off"}"#;
    let first = tokio::spawn({
        let app = service.app.clone();
        let request = request(Body::from(slow), "8192");
        async move { app.oneshot(request).await }
    });
    while service.executor.started() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let second = service.send(request(Body::from(slow), "8192")).await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&second, "retry-after"), "1");
    first.abort();
    let _ = first.await;
    // The room is free again.
    let quick = r#"{"language":"python","code":"print"}"#;
    let third = service.send(request(Body::from(quick), "8192")).await;
    assert_eq!(third.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_never_ends_times_out() {
    let service = Service::with(|http| http.body_timeout = Duration::from_millis(20)).await;
    // The sender is kept, and sends nothing.
    let (_sender, body) = streaming::endless_body();
    let response = service.execute(body).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn waiting_ends_with_the_requests_patience() {
    let service = Service::with(|http| http.queue_timeout = Duration::ZERO).await;
    let slow = r#"{"language":"python","code":"sleep 60000","limits":{"timeout_ms":20}}"#;
    let response = service.execute(slow).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!header(&response, "retry-after").is_empty());
}

#[tokio::test]
async fn not_ready_once_it_shuts_down() {
    let service = Service::new().await;
    assert_eq!(service.get("/readyz").await.status(), StatusCode::OK);
    service.router.shutdown(Duration::ZERO).await;
    assert_eq!(service.get("/healthz").await.status(), StatusCode::OK);
}
