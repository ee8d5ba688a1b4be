//! Requests that depend on a Lambda which has not said yet what it has. It says so when a test lets
//! it, so nothing here depends on time.

use sandgate_core::{BackendChoice, Language};
use tokio::task::{JoinHandle, JoinSet};

use super::*;

/// What the sandbox has everything for, but cannot do.
const PROCESS: &str = "import os\nos.system('ls')\nprint done";
const UNKNOWN: &str = "the Lambda image has not said yet what it has";

impl Two {
    /// With a Lambda that says nothing yet.
    async fn silent() -> Self {
        Self::of(TestExecutor::default(), TestExecutor::silent_lambda()).await
    }

    fn ask(&self, request: ExecuteRequest) -> JoinHandle<Result<Execution, Error>> {
        self.ask_with(request, ExecuteOptions::default())
    }

    fn ask_with(
        &self,
        request: ExecuteRequest,
        options: ExecuteOptions,
    ) -> JoinHandle<Result<Execution, Error>> {
        let router = self.router.clone();
        tokio::spawn(async move { router.execute_with(request, options).await })
    }
}

/// Requests that only Lambda can run, and that the sandbox is not tried for.
fn of_lambda() -> Vec<ExecuteRequest> {
    let mut named = ExecuteRequest::python("print hi");
    named.packages = vec!["pandas".into()];
    let mut asked = ExecuteRequest::python("print hi");
    asked.backend = BackendChoice::Lambda;
    vec![
        ExecuteRequest::python("import pandas"),
        ExecuteRequest::python("def f():\n    import pandas"),
        ExecuteRequest::python("!pip install pandas"),
        ExecuteRequest::new(Language::R, "print hi"),
        named,
        asked,
    ]
}

#[tokio::test]
async fn what_may_be_lambdas_waits_and_is_then_planned() {
    let start = Two::silent().await;
    let mut requests = of_lambda();
    requests.push(ExecuteRequest::python(PROCESS));
    // Code over 16 KiB is planned on a thread of its own.
    let long = format!("import pandas\n{}", "# long\n".repeat(4_000));
    requests.push(ExecuteRequest::python(long));
    let count = requests.len();
    let asked: Vec<_> = requests.into_iter().map(|r| start.ask(r)).collect();
    start.lambda.until_waiting(count).await;
    assert!(asked.iter().all(|asked| !asked.is_finished()));
    assert_eq!(start.started(), (0, 0));
    start.lambda.describe();
    for asked in asked {
        let execution = asked.await.unwrap().unwrap();
        assert_eq!(execution.status, Status::Ok);
        assert_eq!(execution.route.backend, BackendKind::Lambda);
        assert_eq!(execution.route.hops, []);
    }
    assert_eq!(start.sandbox.started(), 0);
    assert_eq!(start.lambda.asked(), count);
    // From now on nobody waits.
    let execution = start.ask(ExecuteRequest::python("import pandas")).await;
    assert_eq!(
        execution.unwrap().unwrap().route.backend,
        BackendKind::Lambda
    );
    assert_eq!(start.lambda.asked(), count);
}

#[tokio::test]
async fn what_the_sandbox_has_does_not_wait() {
    let start = Two::silent().await;
    start.router.ready().unwrap();
    let guarded = "try:\n    import pandas\nexcept ImportError:\n    pass";
    for code in ["print hi", "import json, os", guarded, "timeout"] {
        let mut request = ExecuteRequest::python(code);
        request.limits.timeout_ms = Some(100);
        let execution = start.router.execute(request).await.unwrap();
        assert_eq!(execution.route.backend, BackendKind::Wasm);
    }
    let mut request = ExecuteRequest::python("import pandas\nneed pandas");
    request.backend = BackendChoice::Wasm;
    let execution = start.router.execute(request).await.unwrap();
    assert_eq!(execution.status, Status::Error);
    assert_eq!(start.lambda.asked(), 0);
}

#[tokio::test]
async fn what_only_the_run_shows_waits_after_it() {
    let start = Two::silent().await;
    for (code, stdout) in [
        ("print hi\nneed pandas\nprint !", "hi!"),
        ("burn 6000000000\nprint done", "done"),
        ("hold 1500\nprint done", "done"),
    ] {
        let start = Two::silent().await;
        let asked = start.ask(ExecuteRequest::python(code));
        start.lambda.until_waiting(1).await;
        assert_eq!((start.sandbox.finished(), start.lambda.started()), (1, 0));
        start.lambda.describe();
        let execution = asked.await.unwrap().unwrap();
        assert_eq!(execution.stdout, stdout);
        assert_eq!(execution.route.backend, BackendKind::Lambda);
        assert_eq!(execution.route.hops.len(), 1);
    }
    // Nobody has it after all: it is the snippet's own failure.
    let asked = start.ask(ExecuteRequest::python("need nonesuch"));
    start.lambda.until_waiting(1).await;
    start.lambda.describe();
    let execution = asked.await.unwrap().unwrap();
    assert_eq!(execution.status, Status::Error);
    assert_eq!(execution.route.backend, BackendKind::Wasm);
}

#[tokio::test]
async fn a_description_that_fails_is_said_and_later_requests_work() {
    let start = Two::silent().await;
    let mut requests = of_lambda();
    requests.push(ExecuteRequest::python("need pandas"));
    let asked: Vec<_> = requests.iter().map(|r| start.ask(r.clone())).collect();
    start.lambda.until_waiting(asked.len()).await;
    start.lambda.fail_to_describe();
    for asked in asked {
        let error = asked.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        let text = error.to_string();
        assert!(
            text.ends_with(&format!("{UNKNOWN} (asking it failed)")),
            "{text}"
        );
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "10.0.0.1 is silent");
    }
    // What the sandbox does as well as it can is an answer; so is what ran out there.
    let execution = start.router.execute(ExecuteRequest::python(PROCESS)).await;
    let execution = execution.unwrap();
    assert_eq!(execution.stdout, "done");
    assert_eq!(execution.route.backend, BackendKind::Wasm);
    let burns = ExecuteRequest::python("burn 6000000000");
    let execution = start.router.execute(burns.clone()).await.unwrap();
    assert_eq!(execution.status, Status::FuelExhausted);
    let error = start.router.described().await.unwrap_err();
    assert_eq!(error.to_string(), format!("{UNKNOWN} (asking it failed)"));

    start.lambda.describe();
    start.router.described().await.unwrap();
    requests.extend([burns, ExecuteRequest::python(PROCESS)]);
    for request in requests {
        let execution = start.router.execute(request).await.unwrap();
        assert_eq!(execution.status, Status::Ok);
        assert_eq!(execution.route.backend, BackendKind::Lambda);
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_its_patience() {
    let start = Two::silent().await;
    let options = ExecuteOptions::default().patience(Duration::ZERO);
    for request in of_lambda() {
        let executed = start.router.execute_with(request.clone(), options.clone());
        let planned = start.router.plan_with(request, options.clone());
        for error in [executed.await.unwrap_err(), planned.await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.retry_after().is_some());
            let text = error.to_string();
            assert!(
                text.ends_with(&format!("{UNKNOWN} (not within 0.0 s)")),
                "{text}"
            );
        }
    }
    let needs = ExecuteRequest::python("need pandas");
    let error = start.router.execute_with(needs, options.clone()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
    let process = ExecuteRequest::python(PROCESS);
    let execution = start.router.execute_with(process, options).await.unwrap();
    assert_eq!(execution.route.backend, BackendKind::Wasm);
    start.lambda.until_waiting(0).await;
}

#[tokio::test]
async fn who_leaves_while_waiting_leaves_nothing() {
    let start = Two::silent().await;
    let asked: Vec<_> = of_lambda().into_iter().map(|r| start.ask(r)).collect();
    start.lambda.until_waiting(asked.len()).await;
    for asked in &asked[1..] {
        asked.abort();
    }
    start.lambda.until_waiting(1).await;
    start.lambda.describe();
    let mut asked = asked.into_iter();
    let execution = asked.next().unwrap().await.unwrap().unwrap();
    assert_eq!(execution.status, Status::Ok);
    for asked in asked {
        assert!(asked.await.unwrap_err().is_cancelled());
    }
    assert_eq!(start.lambda.started(), 1);
}

#[tokio::test]
async fn cancelling_ends_the_waiting_at_once() {
    let start = Two::silent().await;
    let cancel = CancellationToken::new();
    let options = ExecuteOptions::default().cancel(cancel.clone());
    let mut requests = of_lambda();
    requests.push(ExecuteRequest::python("print hi\nneed pandas"));
    let asked = requests.into_iter();
    let asked: Vec<_> = asked.map(|r| start.ask_with(r, options.clone())).collect();
    start.lambda.until_waiting(asked.len()).await;
    cancel.cancel();
    let mut stdout = String::new();
    for asked in asked {
        let execution = asked.await.unwrap().unwrap();
        assert_eq!(execution.status, Status::Cancelled);
        assert_eq!((execution.exit_code, &execution.error), (None, &None));
        let kept = start.router.execution(execution.id).await.unwrap();
        stdout = execution.stdout.clone();
        assert_eq!(kept, Some(execution));
    }
    assert_eq!(stdout, "hi", "what was printed before is kept");
    start.lambda.until_waiting(0).await;
    assert_eq!(start.lambda.started(), 0);
}

#[tokio::test]
async fn a_plan_and_a_batch_wait_like_an_execution() {
    let start = Two::silent().await;
    let mut request = ExecuteRequest::python("import pandas\nstdin");
    let plan = tokio::spawn({
        let (router, request) = (start.router.clone(), request.clone());
        async move { router.plan(request).await }
    });
    start.lambda.until_waiting(1).await;
    request.inputs = Some(vec![sandgate_core::Input::default(); 3]);
    let batch = tokio::spawn({
        let (router, request) = (start.router.clone(), request.clone());
        async move {
            router
                .execute_batch(request, ExecuteOptions::default())
                .await
        }
    });
    start.lambda.until_waiting(4).await;
    start.lambda.describe();
    let plan = plan.await.unwrap().unwrap();
    assert_eq!((plan.backend, plan.rule), (BackendKind::Lambda, "imports"));
    for execution in batch.await.unwrap().unwrap() {
        assert_eq!(execution.unwrap().route.backend, BackendKind::Lambda);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_wait_and_the_sandbox_goes_on() {
    let start = Two::silent().await;
    let mut all = JoinSet::new();
    for n in 0..1_000 {
        let router = start.router.clone();
        let request = ExecuteRequest::python(format!("import pandas\nprint {n}"));
        all.spawn(async move { router.execute(request).await.unwrap() });
    }
    start.lambda.until_waiting(1_000).await;
    let execution = start
        .router
        .execute(ExecuteRequest::python("print hi"))
        .await;
    assert_eq!(execution.unwrap().stdout, "hi");
    start.lambda.describe();
    let all = all.join_all().await;
    assert!(
        all.iter()
            .all(|one| one.route.backend == BackendKind::Lambda)
    );
    start.lambda.until_waiting(0).await;
}
