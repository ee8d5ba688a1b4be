//! What callers see when all goes well, and when they ask for what is not there.

use std::time::Duration;

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, ThrottleReason};
use sandgate_local_cloud::Credentials;
use serde_json::json;

use crate::harness::{Cloud, FUNCTION, SOON, client, echo};

#[tokio::test]
async fn an_event_comes_back_with_its_context() {
    let cloud =
        Cloud::start(|function| function.timeout = std::time::Duration::from_secs(300)).await;
    let before = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let invoked = cloud.invoke(json!({"do": "echo", "n": 1})).await;
    assert_eq!(invoked.error, None, "{invoked:?}");
    assert_eq!(invoked.version.as_deref(), Some("1"));
    assert_eq!(invoked.payload["event"], json!({"do": "echo", "n": 1}));
    let context = &invoked.payload["context"];
    let arn = context["lambda-runtime-invoked-function-arn"].as_str();
    assert_eq!(
        arn,
        Some("arn:aws:lambda:us-east-1:000000000000:function:run:1")
    );
    let trace = context["lambda-runtime-trace-id"].as_str().unwrap();
    assert!(trace.starts_with("Root=1-"), "{trace}");
    let deadline = context["lambda-runtime-deadline-ms"].as_str().unwrap();
    let deadline: u128 = deadline.parse().unwrap();
    assert!(deadline > before + 200_000 && deadline < before + 400_000);

    let id = context["lambda-runtime-aws-request-id"].as_str().unwrap();
    let log = &invoked.log;
    assert!(
        log.contains(&format!("START RequestId: {id} Version: 1\n")),
        "{log}"
    );
    assert!(log.contains(&format!("END RequestId: {id}\n")), "{log}");
    let report = log.lines().last().unwrap();
    assert!(
        report.starts_with(&format!("REPORT RequestId: {id}\tDuration: ")),
        "{log}"
    );
    assert!(
        report.contains("\tMemory Size: 512 MB\tMax Memory Used: "),
        "{log}"
    );
    assert!(report.contains("\tInit Duration: "), "{log}");
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn the_second_invocation_finds_the_environment_warm() {
    let cloud = Cloud::start(|_| ()).await;
    let first = cloud.invoke(echo()).await;
    let second = cloud.invoke(echo()).await;
    assert_eq!(first.payload["served"], 1);
    assert_eq!(second.payload["served"], 2);
    assert!(!second.log.contains("Init Duration"), "{}", second.log);
    assert_eq!(cloud.lambda.environments(FUNCTION), 1);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn concurrent_invocations_have_environments_of_their_own() {
    let cloud = Cloud::start(|_| ()).await;
    let slow = || cloud.ask(json!({"do": "sleep", "seconds": 2}));
    tokio::join!(slow(), slow());
    assert_eq!(cloud.lambda.environments(FUNCTION), 2);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn the_log_tail_has_the_functions_output_and_is_cut_at_4_kib() {
    let cloud = Cloud::start(|_| ()).await;
    let invoked = cloud
        .invoke(json!({"do": "print", "text": "hello from inside"}))
        .await;
    assert!(
        invoked.log.contains("\nhello from inside\nEND RequestId"),
        "{}",
        invoked.log
    );
    let text = "y".repeat(10_000);
    let invoked = cloud.invoke(json!({"do": "print", "text": text})).await;
    assert_eq!(invoked.log.len(), 4096);
    assert!(invoked.log.contains("REPORT RequestId"));

    // Not asked for, it is not sent.
    let output = cloud
        .client
        .invoke()
        .function_name(FUNCTION)
        .send()
        .await
        .unwrap();
    assert_eq!(output.log_result(), None);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn qualifiers_and_arns_name_the_version() {
    let cloud = Cloud::start(|_| ()).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:run";
    let cases = [
        (FUNCTION, Some("1")),
        (FUNCTION, Some("live")),
        (FUNCTION, Some("$LATEST")),
        ("run:live", None),
        (arn, None),
        ("arn:aws:lambda:us-east-1:000000000000:function:run:1", None),
    ];
    for (name, qualifier) in cases {
        let output = cloud
            .client
            .invoke()
            .function_name(name)
            .set_qualifier(qualifier.map(str::to_owned))
            .send()
            .await
            .unwrap();
        assert_eq!(output.executed_version(), Some("1"), "{name} {qualifier:?}");
    }
    for (name, qualifier) in [(FUNCTION, Some("2")), ("other", None)] {
        let error = cloud
            .client
            .invoke()
            .function_name(name)
            .set_qualifier(qualifier.map(str::to_owned))
            .send()
            .await
            .unwrap_err()
            .into_service_error();
        assert!(error.is_resource_not_found_exception(), "{error:?}");
    }
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_dry_run_starts_nothing() {
    let cloud = Cloud::start(|_| ()).await;
    let output = cloud
        .client
        .invoke()
        .function_name(FUNCTION)
        .invocation_type(InvocationType::DryRun)
        .send()
        .await
        .unwrap();
    assert_eq!(output.status_code(), 204);
    assert_eq!(cloud.lambda.environments(FUNCTION), 0);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_event_invocation_is_accepted_and_runs_later() {
    let cloud = Cloud::start(|function| function.reserved_concurrency = Some(1)).await;
    for _ in 0..3 {
        let output = cloud
            .client
            .invoke()
            .function_name(FUNCTION)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(echo().to_string()))
            .send()
            .await
            .unwrap();
        assert_eq!(output.status_code(), 202);
    }
    // All three wait for the one place; how many have run is told by the one that comes after.
    let begun = std::time::Instant::now();
    loop {
        let result = cloud
            .client
            .invoke()
            .function_name(FUNCTION)
            .payload(Blob::new(echo().to_string()))
            .send()
            .await;
        let served = result.ok().map(|output| {
            let payload = output.payload().unwrap().as_ref();
            serde_json::from_slice::<serde_json::Value>(payload).unwrap()["served"]
                .as_u64()
                .unwrap()
        });
        if served.is_some_and(|served| served >= 4) {
            break;
        }
        assert!(begun.elapsed() < SOON, "{served:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    cloud.lambda.shutdown().await;
}

/// Sends an event whose handler fails so often, waits until it was tried `expected` times, and then
/// whether it is tried again. Returns the id that the caller got, and that of every attempt.
async fn attempts_at(
    event_retries: Vec<Duration>,
    failures: usize,
    expected: usize,
) -> (String, Vec<String>) {
    // One environment, which can then tell of all attempts.
    let cloud = Cloud::start(|function| {
        function.reserved_concurrency = Some(1);
        function.event_retries = event_retries;
    })
    .await;
    let event = json!({"do": "raise", "text": "again", "times": failures});
    let output = cloud
        .client
        .invoke()
        .function_name(FUNCTION)
        .invocation_type(InvocationType::Event)
        .payload(Blob::new(event.to_string()))
        .send()
        .await
        .unwrap();
    assert_eq!(output.status_code(), 202);
    let id = output.request_id().unwrap().to_owned();
    let mut seen = Vec::new();
    let mut quiet = 0;
    let begun = std::time::Instant::now();
    while seen.len() < expected || quiet < 20 {
        assert!(begun.elapsed() < SOON, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let asked = cloud
            .client
            .invoke()
            .function_name(FUNCTION)
            .payload(Blob::new(json!({"do": "raised"}).to_string()))
            .send()
            .await;
        // The one place may be taken.
        let Ok(answer) = asked else { continue };
        let now: Vec<String> = serde_json::from_slice(answer.payload().unwrap().as_ref()).unwrap();
        quiet = if now == seen { quiet + 1 } else { 0 };
        seen = now;
    }
    cloud.lambda.shutdown().await;
    (id, seen)
}

#[tokio::test]
async fn an_event_that_fails_is_tried_again_under_the_same_id_and_then_given_up() {
    let soon = Duration::from_millis(100);
    for (retries, failures, expected) in [
        (vec![soon, soon], 1_000, 3),
        (vec![soon, soon], 1, 2),
        (vec![], 1_000, 1),
    ] {
        let (id, attempts) = attempts_at(retries, failures, expected).await;
        assert_eq!(attempts, vec![id; expected]);
    }
}

#[tokio::test]
async fn more_than_the_reservation_is_throttled_with_its_reason() {
    let cloud = Cloud::start(|function| function.reserved_concurrency = Some(1)).await;
    let busy = cloud
        .client
        .invoke()
        .function_name(FUNCTION)
        .payload(Blob::new(json!({"do": "sleep", "seconds": 5}).to_string()))
        .send();
    let busy = tokio::spawn(busy);
    while cloud.processes().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let error = cloud
        .client
        .invoke()
        .function_name(FUNCTION)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let InvokeError::TooManyRequestsException(throttled) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        throttled.reason(),
        Some(&ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
    );
    busy.await.unwrap().unwrap();
    // The one that has its answer is not in the way of the next.
    cloud.ask(echo()).await;
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn payloads_are_bounded_and_must_be_json() {
    let cloud = Cloud::start(|_| ()).await;
    let send = |payload: Vec<u8>| {
        cloud
            .client
            .invoke()
            .function_name(FUNCTION)
            .payload(Blob::new(payload))
            .send()
    };
    let mut large = vec![b' '; 6 * 1024 * 1024 + 1];
    let error = send(large.clone()).await.unwrap_err().into_service_error();
    assert!(error.is_request_too_large_exception(), "{error:?}");

    large.truncate(6 * 1024 * 1024);
    large[..2].copy_from_slice(b"{}");
    assert_eq!(send(large).await.unwrap().function_error(), None);

    let error = send(b"{".to_vec()).await.unwrap_err().into_service_error();
    assert!(error.is_invalid_request_content_exception(), "{error:?}");
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_call_that_is_not_signed_right_is_refused() {
    let cloud = Cloud::start(|_| ()).await;
    let mut wrong_secret = cloud.lambda.credentials().clone();
    wrong_secret.secret_access_key.push('x');
    let cases = [
        (wrong_secret, "InvalidSignatureException"),
        (Credentials::random(), "UnrecognizedClientException"),
    ];
    for (credentials, code) in cases {
        let stranger = client(&cloud.lambda.endpoint_url(), &credentials);
        let error = stranger
            .invoke()
            .function_name(FUNCTION)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.into_service_error().code(), Some(code));
    }
    let url = format!(
        "{}/2015-03-31/functions/{FUNCTION}/invocations",
        cloud.lambda.endpoint_url()
    );
    let unsigned = tokio::task::spawn_blocking(move || ureq::post(&url).send_empty());
    match unsigned.await.unwrap() {
        Err(ureq::Error::StatusCode(403)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(cloud.lambda.environments(FUNCTION), 0);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn the_configuration_can_be_asked_for() {
    let cloud = Cloud::start(|function| {
        function.reserved_concurrency = Some(3);
        function.tenant_isolation = true;
    })
    .await;
    let configuration = cloud
        .client
        .get_function_configuration()
        .function_name(FUNCTION)
        .qualifier("live")
        .send()
        .await
        .unwrap();
    assert_eq!(configuration.memory_size(), Some(512));
    assert_eq!(configuration.timeout(), Some(60));
    assert_eq!(configuration.version(), Some("1"));
    assert!(configuration.tenancy_config().is_some());
    let function = cloud
        .client
        .get_function()
        .function_name(FUNCTION)
        .send()
        .await
        .unwrap();
    let concurrency = function.concurrency().unwrap();
    assert_eq!(concurrency.reserved_concurrent_executions(), Some(3));
    cloud.lambda.shutdown().await;
}
