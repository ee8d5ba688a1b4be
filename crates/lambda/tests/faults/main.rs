//! The executor with the real SDK against a server that misbehaves in every way Lambda, its
//! function or the network can.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "tests: a panic is a failed test, and clippy's own exemption covers only test functions"
)]

mod describing;
mod fake;
mod local;
#[path = "../../../sandgate/tests/stores/proxy.rs"]
#[expect(dead_code, reason = "the tests of the stores use more of it")]
mod proxy;
mod transfer;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fake::{Act, Fake, PATIENCE, anonymous, config, executor, ok, run, task, until};
use sandgate_core::{
    CancellationToken, DiscardOutput, ErrorKind, ExecutionContext, Executor, OutputSink,
    OutputStream, Passed, RunnerFailure, RunnerFailureKind, RunnerReply, Status,
};
use sandgate_lambda::{LambdaExecutor, Target, TargetError};

#[derive(Default)]
struct Collected(Mutex<Vec<(OutputStream, Vec<u8>)>>);

impl OutputSink for Collected {
    fn write(&self, stream: OutputStream, chunk: &[u8]) {
        self.0.lock().unwrap().push((stream, chunk.to_vec()));
    }
}

#[tokio::test]
async fn an_answer_becomes_an_outcome_with_its_cost() {
    let fake = Fake::start(|_, _| {
        let mut outcome = ok("out");
        outcome.stderr = bytes::Bytes::from_static(b"err");
        Act::outcome(outcome)
    })
    .await;
    let mut config = config();
    config.tenant_isolation = true;
    let executor = executor(&fake.address, config).await;
    assert!(executor.is_ready());
    let sink = Arc::new(Collected::default());
    let context =
        ExecutionContext::new(Arc::clone(&sink) as _, CancellationToken::new()).tenant("team-a");
    let outcome = executor
        .execute(Arc::new(task("1")), context)
        .await
        .unwrap();
    assert_eq!(outcome.status, Status::Ok);
    assert_eq!(outcome.usage.billed_ms, 42);
    assert_eq!(outcome.usage.peak_memory_bytes, 99 << 20);
    let cost = 0.042 * 0.000_016_666_7 + 0.000_000_2;
    assert!((outcome.usage.cost_usd - cost).abs() < 1e-12, "{outcome:?}");
    assert!(outcome.usage.wall_ms > 0.0 && !outcome.is_reproducible());
    assert_eq!(
        *sink.0.lock().unwrap(),
        [
            (OutputStream::Stdout, b"out".to_vec()),
            (OutputStream::Stderr, b"err".to_vec())
        ]
    );
    let invoke = fake.invokes.lock().unwrap()[0].clone();
    let request = invoke.head.lines().next().unwrap().to_owned();
    assert!(
        request.contains("/functions/runner/invocations?Qualifier=live"),
        "{request}"
    );
    assert_eq!(invoke.header("x-amz-tenant-id"), Some("team-a"));
    assert_eq!(invoke.header("x-amz-log-type"), Some("Tail"));
    assert_eq!(*invoke.execute().0, Passed::Inline(task("1")));
}

#[tokio::test]
async fn who_is_no_tenant_shares_one_that_nobody_can_name() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    let mut config = config();
    config.tenant_isolation = true;
    let executor = executor(&fake.address, config).await;
    run(&executor, task("1")).await.unwrap();
    let named = ExecutionContext::default().tenant("sandgate:none");
    executor.execute(Arc::new(task("1")), named).await.unwrap();
    let invokes = fake.invokes.lock().unwrap();
    let tenants: Vec<_> = invokes
        .iter()
        .map(|i| i.header("x-amz-tenant-id"))
        .collect();
    assert_eq!(tenants[0], Some("sandgate:none"));
    assert!(tenants[1].unwrap().starts_with("sandgate:sha256:"));
}

#[tokio::test]
async fn without_isolation_no_tenant_is_named() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    let executor = executor(&fake.address, config()).await;
    let context = ExecutionContext::default().tenant("team-a");
    executor
        .execute(Arc::new(task("1")), context)
        .await
        .unwrap();
    assert_eq!(
        fake.invokes.lock().unwrap()[0].header("x-amz-tenant-id"),
        None
    );
}

#[tokio::test]
async fn a_throttled_invocation_is_sent_again() {
    let fake = Fake::start(|number, _| match number {
        0 | 1 => Act::throttled(),
        _ => Act::outcome(ok("3rd")),
    })
    .await;
    let executor = executor(&fake.address, config()).await;
    assert_eq!(run(&executor, task("1")).await.unwrap().stdout, "3rd");
    assert_eq!(fake.calls(), 3);
}

#[tokio::test]
async fn throttled_to_the_end_is_overloaded_and_not_down() {
    let fake = Fake::start(|_, _| Act::throttled()).await;
    let executor = executor(&fake.address, config()).await;
    for _ in 0..5 {
        let error = run(&executor, task("1")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Overloaded, "{error}");
        assert!(error.retry_after.is_some());
        assert!(
            error.message.contains("ReservedFunctionConcurrent"),
            "{error}"
        );
    }
    assert_eq!(fake.calls(), 15);
    assert!(executor.is_ready());
}

#[tokio::test]
async fn how_a_function_ended_is_a_status() {
    let report = "Billed Duration: 3000 ms\tMemory Size: 512 MB\tMax Memory Used:";
    let exit = r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: x Error: Runtime exited with error: signal: killed"}"#;
    for (body, max, status) in [
        (
            r#"{"errorMessage":"2026-01-01T00:00:00Z x Task timed out after 3.00 seconds"}"#,
            "100 MB\tStatus: timeout",
            Status::Timeout,
        ),
        (exit, "512 MB", Status::OutOfMemory),
        (exit, "100 MB\tStatus: error", Status::Crashed),
    ] {
        let fake = Fake::start(move |_, _| Act::fault(body, &format!("{report} {max}"))).await;
        let executor = executor(&fake.address, config()).await;
        for _ in 0..4 {
            let outcome = run(&executor, task("1")).await.unwrap();
            assert_eq!(outcome.status, status, "{body}");
            assert_eq!(outcome.usage.billed_ms, 3000);
            assert!(outcome.usage.cost_usd > 0.0);
        }
        assert_eq!(fake.calls(), 4, "a snippet ran twice");
        assert!(
            executor.is_ready(),
            "snippets must not bring the function down"
        );
    }
}

#[tokio::test]
async fn what_may_have_run_is_not_run_again() {
    for act in [
        Act::error(500, "ServiceException", r#"{"Message":"internal"}"#),
        Act::error(503, "", "busy"),
        Act::Close,
    ] {
        let name = format!("{act:?}");
        let fake = Fake::start(move |_, _| act.clone()).await;
        let executor = executor(&fake.address, config()).await;
        let error = run(&executor, task("1")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{name}: {error}");
        assert!(error.retry_after.is_some(), "{name}");
        assert_eq!(fake.calls(), 1, "{name}");
    }
}

#[tokio::test]
async fn what_somebody_has_to_change_is_said_and_not_tried_again() {
    for (status, kind, body, says) in [
        (
            404,
            "ResourceNotFoundException",
            r#"{"Type":"User","Message":"Function not found: runner:live"}"#,
            "check its name",
        ),
        (
            403,
            "AccessDeniedException",
            r#"{"Message":"not authorized to perform: lambda:InvokeFunction"}"#,
            "allow lambda:InvokeFunction",
        ),
        (
            400,
            "InvalidParameterValueException",
            r#"{"Type":"User","message":"TenantId is not supported"}"#,
            "tenant isolation",
        ),
    ] {
        let fake = Fake::start(move |_, _| Act::error(status, kind, body)).await;
        let executor = executor(&fake.address, config()).await;
        let error = run(&executor, task("1")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        assert_eq!(error.retry_after, None);
        assert!(error.message.contains(says), "{error}");
        assert!(error.message.contains("runner:live"), "{error}");
        assert_eq!(fake.calls(), 1);
    }
    let body = r#"{"Type":"User","message":"Request must be smaller than 6291456 bytes"}"#;
    let fake = Fake::start(move |_, _| Act::error(413, "RequestTooLargeException", body)).await;
    let executor = executor(&fake.address, config()).await;
    let error = run(&executor, task("1")).await.unwrap_err();
    assert_eq!((error.kind, error.retry_after), (ErrorKind::Rejected, None));
}

#[tokio::test]
async fn an_answer_that_no_runner_gives_is_not_believed() {
    let failed = |kind| {
        Act::reply(&RunnerReply::Failed(RunnerFailure {
            kind,
            message: "m".to_owned(),
        }))
    };
    let plain = |body: &str| Act::Answer {
        status: 200,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    };
    for (act, kind) in [
        (plain("{"), ErrorKind::Internal),
        (plain(r#"{"executed":{"inline":{}}}"#), ErrorKind::Internal),
        (plain(r#"{"described":{"inline":[]}}"#), ErrorKind::Internal),
        (
            plain(r#"{"executed":{"stored":{"url":null,"bytes":1,"sha256":""}}}"#),
            ErrorKind::Internal,
        ),
        (failed(RunnerFailureKind::Protocol), ErrorKind::Internal),
        (failed(RunnerFailureKind::Internal), ErrorKind::Internal),
        (failed(RunnerFailureKind::Transfer), ErrorKind::Unavailable),
        (
            failed(RunnerFailureKind::Unsupported),
            ErrorKind::Unsupported,
        ),
        (
            Act::fault(r#"{"errorType":"Error","errorMessage":"boom"}"#, ""),
            ErrorKind::Internal,
        ),
        (
            Act::fault(r#"{"errorType":"Function.ResponseSizeTooLarge"}"#, ""),
            ErrorKind::Internal,
        ),
        (
            Act::fault(r#"{"errorType":"Runtime.InvalidEntrypoint"}"#, ""),
            ErrorKind::Unavailable,
        ),
    ] {
        let name = format!("{act:?}");
        let fake = Fake::start(move |_, _| act.clone()).await;
        let executor = executor(&fake.address, config()).await;
        for _ in 0..4 {
            let error = run(&executor, task("1")).await.unwrap_err();
            assert_eq!(error.kind, kind, "{name}: {error}");
            let ours = kind == ErrorKind::Unavailable;
            assert!(
                ours || executor.is_ready(),
                "{name} takes it from the others"
            );
        }
    }
}

#[tokio::test]
async fn an_outcome_beyond_the_tasks_limits_is_a_crash() {
    let fake = Fake::start(|_, _| Act::outcome(ok(&"x".repeat(11)))).await;
    let executor = executor(&fake.address, config()).await;
    let mut small = task("1");
    small.limits.output_bytes = 10;
    let outcome = run(&executor, small).await.unwrap();
    assert_eq!(outcome.status, Status::Crashed);
    assert!(outcome.stdout.is_empty() && outcome.usage.billed_ms == 42);
}

#[tokio::test]
async fn no_execution_took_longer_than_it_was_waited_for() {
    for reported in [-1.0, 0.0, f64::MAX] {
        let fake = Fake::start(move |_, _| {
            let mut outcome = ok("");
            outcome.usage.wall_ms = reported;
            Act::outcome(outcome)
        })
        .await;
        let executor = executor(&fake.address, config()).await;
        let started = Instant::now();
        let outcome = run(&executor, task("1")).await.unwrap();
        let waited = started.elapsed().as_secs_f64() * 1e3;
        let wall = outcome.usage.wall_ms;
        assert!(
            wall > 0.0 && wall <= waited,
            "{reported}: {wall} of {waited}"
        );
    }
}

#[tokio::test]
async fn a_function_that_does_not_answer_is_given_up() {
    let fake = Fake::start(|_, _| Act::Hang).await;
    let mut config = config();
    config.margin = Duration::from_millis(4_900);
    let executor = executor(&fake.address, config).await;
    let mut quick = task("1");
    quick.limits.timeout_ms = 100;
    let error = run(&executor, quick).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(
        error.message.contains("did not answer within 5.0 s"),
        "{error}"
    );
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn who_cancels_does_not_wait() {
    let fake = Fake::start(|_, _| Act::Hang).await;
    let mut config = config();
    config.concurrency = 1;
    let executor = Arc::new(executor(&fake.address, config).await);
    let started = Instant::now();
    // The first waits for its answer, the second for a place.
    let both: Vec<_> = (0..2)
        .map(|_| {
            let (cancel, executor) = (CancellationToken::new(), Arc::clone(&executor));
            let context = ExecutionContext::new(Arc::new(DiscardOutput), cancel.clone());
            let run = async move { executor.execute(Arc::new(task("1")), context).await };
            (cancel, tokio::spawn(run))
        })
        .collect();
    until(|| fake.calls() == 1).await;
    for (cancel, run) in both {
        cancel.cancel();
        let outcome = run.await.unwrap().unwrap();
        assert_eq!(outcome.status, Status::Cancelled);
    }
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn places_and_queue_are_bounded() {
    let fake = Fake::start(|_, _| Act::Hang).await;
    let mut config = config();
    (config.concurrency, config.queue) = (1, 1);
    let executor = Arc::new(executor(&fake.address, config).await);
    let wait: Vec<_> = (0..2)
        .map(|_| {
            let executor = Arc::clone(&executor);
            tokio::spawn(async move { run(&executor, task("1")).await })
        })
        .collect();
    until(|| fake.calls() == 1).await;
    // Which of the two waits is not known, but that one does.
    let mut refused = Err(());
    for _ in 0..100 {
        let context = ExecutionContext::default();
        let third = executor.execute(Arc::new(task("1")), context);
        let waited = Duration::from_millis(50);
        if let Ok(outcome) = tokio::time::timeout(waited, third).await {
            refused = Ok(outcome.unwrap_err());
            break;
        }
    }
    assert_eq!(refused.unwrap().kind, ErrorKind::Overloaded);
    wait.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_task_that_is_too_large_without_a_bucket_is_not_sent() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    let executor = executor(&fake.address, config()).await;
    // Each byte takes six in JSON: it is what is sent that counts.
    let error = run(&executor, task(&"\u{1}".repeat(1_100_000)))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.message.contains("no bucket is configured"), "{error}");
    assert_eq!(fake.calls(), 0);
    assert!(run(&executor, task(&"x".repeat(1_100_000))).await.is_ok());
}

#[tokio::test]
async fn a_function_that_is_down_is_left_alone_until_it_is_back() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    let address = fake.address.clone();
    let mut config = config();
    // Long enough to be seen, on a machine that stands still for a while.
    config.breaker.first_pause = Duration::from_secs(6);
    config.breaker.longest_pause = Duration::from_secs(6);
    let executor = executor(&address, config).await;
    drop(fake);
    // A connection from before may break within the first; then nobody listens any more.
    let mut messages = Vec::new();
    while executor.is_ready() {
        let error = run(&executor, task("1")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
        messages.push(error.message);
    }
    let (said, runs) = (messages.concat(), messages.len());
    assert!(said.contains("cannot connect"), "{said}");
    assert!(runs <= 3, "what reached nobody counts each time: {said}");
    let error = run(&executor, task("1")).await.unwrap_err();
    assert!(error.message.contains("is down"), "{error}");
    assert!(error.retry_after.unwrap() <= Duration::from_secs(6));

    let fake = Fake::at(&address, |_, _| Act::outcome(ok("back"))).await;
    let back = async {
        loop {
            if let Ok(outcome) = run(&executor, task("1")).await {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, back).await.unwrap();
    assert_eq!(outcome.stdout, "back");
    assert!(executor.is_ready());
    // It may have been deployed anew meanwhile.
    until(|| fake.described.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn without_credentials_it_says_so() {
    let fake = Fake::start(|_, _| Act::outcome(ok(""))).await;
    let executor = LambdaExecutor::start(config(), anonymous(&fake.address), None).unwrap();
    let error = run(&executor, task("1")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert_eq!(error.retry_after, None, "{error}");
    assert!(error.message.contains("credentials"), "{error}");
    assert_eq!(fake.calls(), 0);
}

#[test]
fn the_latest_code_is_no_version() {
    assert_eq!(
        Target::new("runner", Some("$LATEST")),
        Err(TargetError::Latest)
    );
}
