//! The first seconds of a service, while Lambda has not said yet what it has.

use serde_json::json;

use super::streaming::events;
use super::*;

#[tokio::test]
async fn requests_wait_for_what_lambda_has_and_others_do_not() {
    let (service, lambda) = Service::with_silent_lambda(|_| ()).await;
    let pandas = json!({"language": "python", "code": "import pandas\nprint hi"});
    let r = json!({"language": "r", "code": "print hi"});
    let json_type = "application/json";
    let asked = [
        service.ask("/v1/execute", json_type, &pandas),
        service.ask("/v1/execute", json_type, &r),
        service.ask("/v1/plan", json_type, &pandas),
        service.ask("/v1/execute", "text/event-stream", &pandas),
    ];
    lambda.until_waiting(4).await;
    // The service is ready, and the sandbox's own work goes on.
    assert_eq!(service.get("/readyz").await.status(), StatusCode::OK);
    assert_eq!(service.run("print hi").await["route"]["backend"], "wasm");
    assert!(asked.iter().all(|asked| !asked.is_finished()));
    lambda.describe();
    let [executed, of_r, plan, streamed] = asked;
    for executed in [executed, of_r] {
        let response = executed.await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let answer = json(response).await;
        assert_eq!(answer["status"], "ok");
        assert_eq!(answer["route"]["backend"], "lambda");
    }
    assert_eq!(json(plan.await.unwrap()).await["backend"], "lambda");
    let seen = events(&text(streamed.await.unwrap()).await);
    let names: Vec<_> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["stdout", "result", "end"]);
    lambda.until_waiting(0).await;
}

#[tokio::test]
async fn a_description_that_fails_is_a_503_until_it_comes() {
    let (service, lambda) = Service::with_silent_lambda(|_| ()).await;
    let pandas = json!({"language": "python", "code": "import pandas\nprint hi"});
    let asked = [
        service.ask("/v1/execute", "application/json", &pandas),
        service.ask("/v1/plan", "application/json", &pandas),
        service.ask("/v1/execute", "text/event-stream", &pandas),
    ];
    lambda.until_waiting(3).await;
    lambda.fail_to_describe();
    for asked in asked {
        let response = asked.await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&response, "retry-after"), "7");
        // Not where Lambda is, and not what it said.
        assert_eq!(
            json(response).await["detail"],
            "no backend can run this yet: the wasm sandbox lacks pandas; the Lambda image has not \
             said yet what it has (asking it failed)"
        );
    }
    let refused = text(service.get("/metrics").await).await;
    assert!(refused.contains("sandgate_refused_total{reason=\"unavailable\"} 2"));
    lambda.describe();
    let response = service.execute(pandas.to_string()).await;
    assert_eq!(json(response).await["route"]["backend"], "lambda");
}

#[tokio::test]
async fn nobody_waits_longer_than_for_a_place() {
    let (service, lambda) =
        Service::with_silent_lambda(|http| http.queue_timeout = Duration::ZERO).await;
    for path in ["/v1/execute", "/v1/plan"] {
        let r = json!({"language": "r", "code": "print hi"});
        let response = service.post(path, r.to_string()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&response, "retry-after"), "1");
        let detail = json(response).await["detail"].to_string();
        assert!(detail.contains("not within 0.0 s"), "{detail}");
    }
    assert_eq!(service.run("print hi").await["status"], "ok");
    lambda.until_waiting(0).await;
}

#[tokio::test]
async fn a_client_that_leaves_does_not_go_on_waiting() {
    let (service, lambda) = Service::with_silent_lambda(|_| ()).await;
    let pandas = json!({"language": "python", "code": "import pandas\nprint hi"});
    let batch = json!({"language": "r", "code": "stdin", "inputs": [{}, {"stdin": "1"}]});
    let asked = [
        service.ask("/v1/execute", "application/json", &pandas),
        service.ask("/v1/plan", "application/json", &pandas),
        service.ask("/v1/execute", "text/event-stream", &pandas),
        service.ask("/v1/execute", "application/json", &batch),
    ];
    lambda.until_waiting(5).await;
    asked.iter().for_each(JoinHandle::abort);
    lambda.until_waiting(0).await;
    lambda.describe();
    assert_eq!(lambda.started(), 0);
    let under_way = text(service.get("/metrics").await).await;
    assert!(under_way.contains("sandgate_under_way 0"), "{under_way}");
}
