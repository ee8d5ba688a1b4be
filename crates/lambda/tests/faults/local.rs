//! The executor against the local Lambda: real processes that end in the ways a function can.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sandgate_core::{ErrorKind, ExecutionContext, Executor as _, Status};
use sandgate_lambda::{LambdaConfig, LambdaExecutor};
use sandgate_local_cloud::{FunctionConfig, LambdaConfig as LocalConfig, LocalLambda, Shim};

use crate::fake::{PATIENCE, config, keys, run, task, until};

/// Not a test of anything: this program is its own shim, and takes the role here when it is started
/// for that.
#[test]
fn shim_role() {
    sandgate_local_cloud::run_shim_if_asked();
}

/// A function with two environments at most, and an executor on it.
async fn start(
    function: impl FnOnce(&mut FunctionConfig),
    executor: impl FnOnce(&mut LambdaConfig),
) -> (LocalLambda, Arc<LambdaExecutor>) {
    let command = ["/usr/bin/python3", "-I", "-S", "/opt/sandgate/runner.py"];
    let mut runner = FunctionConfig::new("runner", command);
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/image");
    runner.image_root = Some(image);
    runner.reserved_concurrency = Some(2);
    runner.init_timeout = PATIENCE;
    runner.timeout = PATIENCE;
    runner.memory_mb = 256;
    function(&mut runner);
    let mut local = LocalConfig::new(runner).unwrap();
    local.shim = Shim::this_program(["local::shim_role", "--exact", "--nocapture"]).unwrap();
    let lambda = LocalLambda::start(local).await.unwrap();
    let address = lambda.address().to_string();
    let mut config = config();
    executor(&mut config);
    let sdk = keys(&address, lambda.credentials());
    let executor = LambdaExecutor::start(config, sdk, None).unwrap();
    until(|| executor.is_ready()).await;
    (lambda, Arc::new(executor))
}

#[tokio::test]
async fn a_task_is_run_and_billed() {
    let (lambda, executor) = start(|_| (), |_| ()).await;
    assert!(executor.runtimes()[0].has_module("pandas"));
    let outcome = run(&executor, task("print hello")).await.unwrap();
    assert_eq!(
        (outcome.status, &outcome.stdout[..]),
        (Status::Ok, &b"hello"[..])
    );
    assert!(outcome.usage.billed_ms > 0 && outcome.usage.cost_usd > 0.0);
    assert!(outcome.usage.peak_memory_bytes > 0, "{outcome:?}");
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_that_runs_out_of_time_or_memory_or_ends_is_a_status() {
    let (lambda, executor) = start(|f| f.timeout = Duration::from_secs(10), |_| ()).await;
    for (code, status) in [
        ("sleep 600", Status::Timeout),
        ("allocate 1000", Status::OutOfMemory),
        ("exit 3", Status::Crashed),
        ("exit 0", Status::Crashed),
        ("kill 9", Status::Crashed),
    ] {
        let outcome = run(&executor, task(code)).await.unwrap();
        assert_eq!(outcome.status, status, "{code}");
        assert!(outcome.usage.billed_ms > 0, "{code}");
        // The next one gets a new environment.
        let next = run(&executor, task("print next")).await.unwrap();
        assert_eq!(next.stdout, "next", "after {code}");
    }
    lambda.shutdown().await;
}

#[tokio::test]
async fn an_answer_over_what_lambda_carries_is_our_failure() {
    let (lambda, executor) = start(|_| (), |_| ()).await;
    let mut large = task("answer 7000000");
    large.limits.output_bytes = 8_000_000;
    let error = run(&executor, large).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(
        error.message.contains("larger than Lambda carries"),
        "{error}"
    );
    lambda.shutdown().await;
}

#[tokio::test]
async fn more_than_are_reserved_are_throttled_and_wait_their_turn() {
    let one = |f: &mut FunctionConfig| f.reserved_concurrency = Some(1);
    let (lambda, executor) = start(one, |c| c.retry.attempts = 1).await;
    let (first, second) = tokio::join!(
        run(&executor, task("sleep 3")),
        run(&executor, task("sleep 3"))
    );
    let (ran, refused) = match (first, second) {
        (Ok(ran), Err(refused)) | (Err(refused), Ok(ran)) => (ran, refused),
        both => panic!("{both:?}"),
    };
    assert_eq!(ran.status, Status::Ok);
    assert_eq!(refused.kind, ErrorKind::Overloaded, "{refused}");
    assert!(
        refused.message.contains("ReservedFunctionConcurrent"),
        "{refused}"
    );
    assert!(executor.is_ready(), "busy is not down");

    // With as many places as there are environments nobody is throttled.
    drop(executor);
    let address = lambda.address().to_string();
    let mut config = config();
    config.concurrency = 1;
    let sdk = keys(&address, lambda.credentials());
    let executor = Arc::new(LambdaExecutor::start(config, sdk, None).unwrap());
    until(|| executor.is_ready()).await;
    let all: Vec<_> = (0..5)
        .map(|_| {
            let executor = Arc::clone(&executor);
            tokio::spawn(async move { run(&executor, task("print 1")).await })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap().unwrap().stdout, "1");
    }
    lambda.shutdown().await;
}

#[tokio::test]
async fn tenants_do_not_share_an_environment() {
    let isolated = |f: &mut FunctionConfig| {
        f.tenant_isolation = true;
        f.reserved_concurrency = Some(4);
    };
    let (lambda, executor) = start(isolated, |c| c.tenant_isolation = true).await;
    for (tenant, seen) in [
        ("a", "first"),
        ("a", "again"),
        ("b", "first"),
        ("a", "again"),
        ("b", "again"),
    ] {
        let context = ExecutionContext::default().tenant(tenant);
        let outcome = executor.execute(Arc::new(task("tenant")), context).await;
        assert_eq!(outcome.unwrap().stdout, seen, "{tenant}");
    }
    lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_without_isolation_is_not_asked_for_it() {
    let (lambda, _) = start(|_| (), |_| ()).await;
    let mut config = config();
    config.tenant_isolation = true;
    let sdk = keys(&lambda.address().to_string(), lambda.credentials());
    let executor = LambdaExecutor::start(config, sdk, None).unwrap();
    let error = run(&executor, task("print 1")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.message.contains("tenant isolation"), "{error}");
    lambda.shutdown().await;
}
