//! Wrong plans are repaired, and a Lambda that is down is done without where that is possible.

use sandgate_core::{BackendChoice, BackendKind, Hop, Language, Limits};

use super::*;
use crate::testing::runtime;

impl Two {
    async fn new() -> Self {
        Self::with(TestExecutor::default()).await
    }

    async fn with(sandbox: TestExecutor) -> Self {
        Self::of(sandbox, TestExecutor::lambda()).await
    }

    async fn run(&self, code: &str) -> Result<Execution, Error> {
        self.router.execute(ExecuteRequest::python(code)).await
    }
}

fn steps(hops: &[Hop]) -> Vec<(BackendKind, Option<Status>, &str)> {
    hops.iter()
        .map(|hop| (hop.backend, hop.status, hop.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn a_module_that_only_the_run_shows_is_found_on_lambda() {
    let two = Two::new().await;
    let execution = two.run("print hi\nneed pandas\nprint !").await.unwrap();
    assert_eq!(execution.status, Status::Ok);
    assert_eq!(execution.stdout, "hi!");
    assert_eq!(execution.route.backend, BackendKind::Lambda);
    assert_eq!(
        execution.route.reason,
        "it lacked the module pandas in the wasm sandbox, so it was run again on the Lambda image"
    );
    assert_eq!(
        steps(&execution.route.hops),
        [(
            BackendKind::Wasm,
            Some(Status::Error),
            "it lacked the module pandas in the wasm sandbox"
        )]
    );
    assert!(execution.route.hops[0].wall_ms >= 0.0);
    assert!(!execution.cache.reproducible, "nobody watched Lambda");
    // Next time it is known.
    let again = two.run("print hi\nneed pandas\nprint !").await.unwrap();
    assert_eq!(again.route.hops, []);
    assert_eq!(
        again.route.reason,
        "the same code lacked the module pandas in the wasm sandbox last time"
    );
    assert_eq!(two.started(), (1, 2));
}

#[tokio::test]
async fn what_nobody_has_stays_the_sandboxs_failure() {
    let two = Two::new().await;
    let execution = two.run("need nonesuch").await.unwrap();
    assert_eq!(execution.status, Status::Error);
    assert_eq!(execution.route.hops, []);
    assert_eq!(two.started(), (1, 0));
    let imported = two.run("import nonesuch").await.unwrap();
    assert!(imported.route.hints[0].contains("nonesuch"));
}

#[tokio::test]
async fn fuel_that_ran_out_is_no_end_where_the_request_set_no_limit() {
    let two = Two::new().await;
    let code = "burn 6000000000\nprint done";
    let execution = two.run(code).await.unwrap();
    assert_eq!(execution.stdout, "done");
    assert_eq!(execution.route.hops[0].status, Some(Status::FuelExhausted));
    let mut request = ExecuteRequest::python(code);
    request.limits.fuel = Some(7);
    request.code.push_str("\nother");
    let execution = two.router.execute(request).await.unwrap();
    assert_eq!(execution.status, Status::FuelExhausted);
    assert_eq!(execution.route.hops, []);
}

#[tokio::test]
async fn memory_that_the_sandbox_does_not_have_is_found_on_lambda() {
    let two = Two::new().await;
    let execution = two.run("hold 1500\nprint done").await.unwrap();
    assert_eq!(execution.stdout, "done");
    assert_eq!(execution.route.hops[0].status, Some(Status::OutOfMemory));
    assert_eq!(two.lambda.last().0.limits.memory_mb, 2_048);
    // What the request itself allows is the end.
    let mut request = ExecuteRequest::python("hold 1500\nother");
    request.limits.memory_mb = Some(64);
    let execution = two.router.execute(request).await.unwrap();
    assert_eq!(execution.status, Status::OutOfMemory);
    assert_eq!(execution.route.hops, []);
    // And what nobody has is nobody's.
    let execution = two.run("hold 4000").await.unwrap();
    assert_eq!(execution.status, Status::OutOfMemory);
    assert_eq!(execution.route.backend, BackendKind::Lambda);
}

#[tokio::test]
async fn time_that_the_sandbox_does_not_have_is_found_on_lambda() {
    let python = runtime(BackendKind::Wasm, Language::Python, &[]);
    let maximum = Limits {
        timeout_ms: 1_000,
        ..Limits::MAXIMUM
    };
    let sandbox = TestExecutor::new(BackendKind::Wasm, vec![python], maximum);
    let two = Two::with(sandbox).await;
    let execution = two.run("work 3000\nprint done").await.unwrap();
    assert_eq!(execution.stdout, "done");
    assert_eq!(
        steps(&execution.route.hops),
        [(
            BackendKind::Wasm,
            Some(Status::Timeout),
            "it ran out of time in the wasm sandbox"
        )]
    );
    // The sandbox has used a second of the five.
    assert_eq!(two.lambda.last().0.limits.timeout_ms, 4_000);
    // Where the whole time is used up there is no second run, but a better first one next time.
    let two = Two::new().await;
    let execution = two.run("work 5001").await.unwrap();
    assert_eq!(execution.status, Status::Timeout);
    assert_eq!(execution.route.hops, []);
    let again = two.run("work 5001").await.unwrap();
    assert_eq!(again.route.backend, BackendKind::Lambda);
}

#[tokio::test]
async fn a_named_backend_is_the_only_one() {
    let two = Two::new().await;
    let mut request = ExecuteRequest::python("need pandas");
    request.backend = BackendChoice::Wasm;
    let execution = two.router.execute(request.clone()).await.unwrap();
    assert_eq!(execution.status, Status::Error);
    assert_eq!(execution.route.hops, []);
    request.backend = BackendChoice::Lambda;
    two.lambda.fail_with(Some(ErrorKind::Unavailable));
    request.code = "print hi".into();
    let error = two.router.execute(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(two.started(), (1, 1));
}

#[tokio::test]
async fn a_repaired_plan_shows_its_output_once() {
    let two = Two::new().await;
    for (code, seen) in [
        // The same output on both.
        ("print hi\nneed pandas\nprint !", "hi!"),
        ("need pandas\nprint !", "!"),
    ] {
        let sink = Arc::new(Recorder::default());
        let options = ExecuteOptions::default().sink(Arc::clone(&sink) as _);
        let request = ExecuteRequest::python(code);
        let execution = two.router.execute_with(request, options).await.unwrap();
        assert_eq!(execution.route.hops.len(), 1);
        assert_eq!(*sink.0.lock().unwrap(), seen.as_bytes());
    }
}

#[tokio::test]
async fn without_lambda_the_sandbox_still_runs_what_it_can() {
    let threads = "import threading\nthreading.Thread(target=f).start()\nprint done";
    for kind in [ErrorKind::Overloaded, ErrorKind::Unavailable] {
        let two = Two::new().await;
        two.lambda.fail_with(Some(kind));
        // Lambda was only preferred.
        let execution = two.run(threads).await.unwrap();
        assert_eq!(execution.stdout, "done");
        assert_eq!(execution.route.backend, BackendKind::Wasm);
        let [hop] = execution.route.hops.as_slice() else {
            panic!("{:?}", execution.route);
        };
        assert_eq!((hop.backend, hop.status), (BackendKind::Lambda, None));
        // Plain code never asked for it.
        assert_eq!(two.run("print hi").await.unwrap().route.hops, []);
        // The rest is told at once when to come back.
        for code in ["import pandas", "need pandas", "burn 6000000000"] {
            let error = two.run(code).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{code}");
        }
        let mut r = ExecuteRequest::new(Language::R, "print hi");
        assert_eq!(
            two.router.execute(r.clone()).await.unwrap_err().kind(),
            kind
        );
        // And it recovers.
        two.lambda.fail_with(None);
        r.code = "print R".into();
        assert_eq!(two.router.execute(r).await.unwrap().stdout, "R");
        let back = two.run("import pandas\nprint done").await.unwrap();
        assert_eq!(back.route.backend, BackendKind::Lambda);
        assert_eq!(two.run(threads).await.unwrap().route.hops, []);
    }
}

#[tokio::test]
async fn a_lambda_that_is_not_ready_is_not_asked_where_the_sandbox_will_do() {
    let two = Two::new().await;
    two.lambda.set_ready(false);
    let threads = "import threading\nthreading.Thread(target=f).start()\nprint done";
    let execution = two.run(threads).await.unwrap();
    assert_eq!(execution.stdout, "done");
    assert_eq!(
        steps(&execution.route.hops),
        [(
            BackendKind::Lambda,
            None,
            "the Lambda image is not available"
        )]
    );
    assert_eq!(two.started(), (1, 0));
    // A fallback that shows that Lambda was needed is no answer.
    let needs = "import threading\nthreading.Thread(target=f).start()\nneed pandas";
    let error = two.run(needs).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_second_run_that_lambda_refuses_leaves_the_first() {
    let two = Two::new().await;
    two.lambda.fail_with(Some(ErrorKind::Rejected));
    let execution = two.run("print hi\nneed pandas").await.unwrap();
    assert_eq!(execution.status, Status::Error);
    assert_eq!(execution.route.backend, BackendKind::Wasm);
    let hops = execution.route.hops;
    let backends: Vec<_> = hops.iter().map(|hop| hop.backend).collect();
    assert_eq!(backends, [BackendKind::Wasm, BackendKind::Lambda]);
}

#[tokio::test]
async fn a_cached_failure_is_repaired_too() {
    let two = Two::new().await;
    let mut request = ExecuteRequest::python("print hi\nneed pandas");
    request.backend = BackendChoice::Wasm;
    let mut options = ExecuteOptions::default().scope("tenant");
    let first = two.router.execute_with(request.clone(), options.clone());
    assert!(first.await.unwrap().cache.reproducible);
    // The code's own past would send it to Lambda at once: forget it.
    let code = CodeKey::new(Language::Python, &request.code, &options.scope);
    two.router.inner.planner.history.ran_in_sandbox(&code);
    request.backend = BackendChoice::Auto;
    let sink = Arc::new(Recorder::default());
    options = options.sink(Arc::clone(&sink) as _);
    let execution = two.router.execute_with(request, options).await.unwrap();
    assert_eq!(execution.route.backend, BackendKind::Lambda);
    assert_eq!(execution.route.hops.len(), 1);
    assert_eq!(*sink.0.lock().unwrap(), b"hi");
    assert_eq!(two.started(), (1, 1));
    assert_eq!(two.lambda.last().1.as_deref(), Some("tenant"));
}

#[tokio::test]
async fn lambdas_results_are_kept_only_on_request() {
    let two = Two::new().await;
    let mut request = ExecuteRequest::python("import pandas\nprint hi");
    for _ in 0..2 {
        let execution = two.router.execute(request.clone()).await.unwrap();
        assert_eq!(execution.cache.status, CacheStatus::Off);
    }
    request.cache = CacheMode::Always;
    for status in [CacheStatus::Miss, CacheStatus::Hit] {
        let execution = two.router.execute(request.clone()).await.unwrap();
        assert_eq!(execution.cache.status, status);
        assert_eq!(execution.stdout, "hi");
    }
    assert_eq!(two.started(), (0, 3));
}
