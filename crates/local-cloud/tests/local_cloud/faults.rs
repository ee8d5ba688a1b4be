//! Functions that fail, in every way that Lambda has a name for.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Cloud, FUNCTION, echo};

#[tokio::test]
async fn an_error_of_the_handler_is_passed_on_and_the_environment_stays() {
    let cloud = Cloud::start(|_| ()).await;
    let invoked = cloud
        .invoke(json!({"do": "raise", "text": "no luck"}))
        .await;
    assert_eq!(invoked.fault(), ("Test", "no luck"));
    assert!(!invoked.log.contains("Status:"), "{}", invoked.log);
    assert_eq!(cloud.ask(echo()).await["served"], 2);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_exit_is_told_with_its_status() {
    let cloud = Cloud::start(|_| ()).await;
    let cases = [
        (3, "Runtime exited with error: exit status 3"),
        (0, "Runtime exited without providing a reason"),
    ];
    for (status, text) in cases {
        let invoked = cloud.invoke(json!({"do": "exit", "status": status})).await;
        let (kind, message) = invoked.fault();
        assert_eq!(kind, "Runtime.ExitError");
        assert!(message.ends_with(&format!(" Error: {text}")), "{message}");
        let report = invoked.log.lines().last().unwrap();
        assert!(
            report.ends_with("\tStatus: error\tError Type: Runtime.ExitError"),
            "{report}"
        );
    }
    // The next invocation has an environment of its own.
    assert_eq!(cloud.ask(echo()).await["served"], 1);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_crash_is_told_with_its_signal() {
    let cloud = Cloud::start(|_| ()).await;
    let cases = [
        ("SIGSEGV", "signal: segmentation fault"),
        ("SIGKILL", "signal: killed"),
        ("SIGABRT", "signal: aborted"),
    ];
    for (name, text) in cases {
        let invoked = cloud.invoke(json!({"do": "signal", "name": name})).await;
        let (kind, message) = invoked.fault();
        assert_eq!(kind, "Runtime.ExitError");
        assert!(
            message.ends_with(&format!("Runtime exited with error: {text}")),
            "{message}"
        );
    }
    cloud.await_no_processes().await;
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_hang_ends_at_the_functions_timeout() {
    let cloud = Cloud::start(|function| function.timeout = Duration::from_millis(1500)).await;
    let invoked = cloud.invoke(json!({"do": "hang"})).await;
    let (_, message) = invoked.fault();
    assert!(
        message.ends_with("Task timed out after 1.50 seconds"),
        "{message}"
    );
    let report = invoked.log.lines().last().unwrap();
    assert!(report.ends_with("\tStatus: timeout"), "{report}");
    cloud.await_no_processes().await;
    cloud.await_environments(0).await;
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_answer_of_more_than_6_mib_is_refused_and_the_environment_stays() {
    let cloud = Cloud::start(|_| ()).await;
    // Two quotation marks are part of the answer.
    let fits = cloud
        .ask(json!({"do": "big", "bytes": 6 * 1024 * 1024 + 98}))
        .await;
    assert_eq!(fits.as_str().unwrap().len(), 6 * 1024 * 1024 + 98);
    for bytes in [6 * 1024 * 1024 + 99, 20 * 1024 * 1024] {
        let invoked = cloud.invoke(json!({"do": "big", "bytes": bytes})).await;
        let (kind, message) = invoked.fault();
        assert_eq!(kind, "Function.ResponseSizeTooLarge");
        assert!(message.contains("(6291556 bytes)"), "{message}");
    }
    assert_eq!(cloud.ask(echo()).await["served"], 4);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let cloud = Cloud::start(|_| ()).await;
    let invoked = cloud.invoke(json!({"do": "break off"})).await;
    assert_eq!(invoked.fault().0, "Runtime.ExitError");
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn memory_beyond_the_functions_size_ends_the_environment() {
    let cloud = Cloud::start(|function| function.memory_mb = 200).await;
    cloud.ask(json!({"do": "allocate", "megabytes": 60})).await;
    let invoked = cloud
        .invoke(json!({"do": "allocate", "megabytes": 1000, "seconds": 30}))
        .await;
    let (kind, message) = invoked.fault();
    assert_eq!(kind, "Runtime.OutOfMemory");
    assert!(
        message.ends_with("Runtime exited with error: signal: killed"),
        "{message}"
    );
    let report = invoked.log.lines().last().unwrap();
    assert!(report.contains("\tMax Memory Used: "), "{report}");
    assert!(
        report.ends_with("Error Type: Runtime.OutOfMemory"),
        "{report}"
    );
    cloud.await_no_processes().await;
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why() {
    let cloud = Cloud::start(|function| {
        function
            .environment
            .insert("INIT".to_owned(), "error".to_owned());
    })
    .await;
    let invoked = cloud.invoke(echo()).await;
    assert_eq!(invoked.fault(), ("Test.Init", "cannot start"));
    assert!(
        invoked.log.contains("INIT_REPORT Init Duration: "),
        "{}",
        invoked.log
    );
    assert!(
        invoked.log.contains("\tPhase: init\tStatus: error\t"),
        "{}",
        invoked.log
    );
    cloud.await_environments(0).await;
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_function_that_exits_while_it_starts_is_told_with_its_status() {
    let cloud = Cloud::start(|function| {
        function
            .environment
            .insert("INIT".to_owned(), "exit".to_owned());
    })
    .await;
    let invoked = cloud.invoke(echo()).await;
    let (kind, message) = invoked.fault();
    assert_eq!(kind, "Runtime.ExitError");
    assert!(message.ends_with("exit status 7"), "{message}");
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_slow_start_goes_on_within_the_functions_timeout() {
    let cloud = Cloud::start(|function| {
        function.init_timeout = Duration::from_millis(1500);
        function
            .environment
            .insert("INIT".to_owned(), "slow".to_owned());
    })
    .await;
    let invoked = cloud.invoke(echo()).await;
    assert_eq!(invoked.error, None, "{invoked:?}");
    assert!(
        invoked.log.contains("\tPhase: init\tStatus: timeout\n"),
        "{}",
        invoked.log
    );
    assert!(!invoked.log.contains("\tInit Duration"), "{}", invoked.log);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_start_that_never_ends_times_out() {
    let cloud = Cloud::start(|function| {
        function.init_timeout = Duration::from_millis(500);
        function.timeout = Duration::from_millis(500);
        function
            .environment
            .insert("INIT".to_owned(), "hang".to_owned());
    })
    .await;
    let invoked = cloud.invoke(echo()).await;
    let (_, message) = invoked.fault();
    assert!(
        message.ends_with("Task timed out after 0.50 seconds"),
        "{message}"
    );
    cloud.await_no_processes().await;
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_entry_point_that_is_not_there_is_named() {
    let cloud = Cloud::start(|function| {
        function.command = vec!["/opt/sandgate/no-such-runner".to_owned()];
    })
    .await;
    let invoked = cloud.invoke(echo()).await;
    let (kind, message) = invoked.fault();
    assert_eq!(kind, "Runtime.InvalidEntrypoint");
    assert!(
        message.contains("fork/exec /opt/sandgate/no-such-runner: "),
        "{message}"
    );
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_environment_that_cannot_be_made_is_the_services_failure() {
    let cloud = Cloud::with(|config| {
        config.shim.program = "/bin/true".into();
    })
    .await;
    let result = cloud.client.invoke().function_name(FUNCTION).send().await;
    let error = result.unwrap_err().into_service_error();
    assert!(error.is_service_exception(), "{error:?}");
    cloud.lambda.shutdown().await;
}
