//! What becomes of environments between invocations and afterwards.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use sandgate_local_cloud::Isolation;
use serde_json::{Value, json};

use crate::harness::{Bucket, Cloud, FUNCTION, SOON, await_no_processes, echo, processes};

#[tokio::test]
async fn nothing_runs_between_invocations() {
    let cloud = Cloud::start(|_| ()).await;
    cloud.ask(json!({"do": "beat"})).await;
    cloud.ask(json!({"do": "daemon"})).await;
    // A process that waits for the processor shows that it was stopped when it would run again.
    let begun = Instant::now();
    loop {
        let processes = cloud.processes();
        if processes.len() == 2 && processes.values().all(|state| *state == 'T') {
            break;
        }
        assert!(begun.elapsed() < SOON, "{processes:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(cloud.processes().values().all(|state| *state == 'T'));

    // The thread that counts by itself has felt the pause.
    let begun = Instant::now();
    let gap = loop {
        // It may not have had its turn yet.
        let gap = cloud.ask(json!({"do": "gap"})).await.as_f64().unwrap();
        if gap >= 1.4 || begun.elapsed() > SOON {
            break gap;
        }
    };
    assert!(gap >= 1.4, "the longest pause was {gap} s");
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_idle_environment_expires() {
    let cloud = Cloud::start(|function| function.idle_expiry = Duration::from_millis(300)).await;
    cloud.ask(json!({"do": "daemon"})).await;
    cloud.await_no_processes().await;
    cloud.await_environments(0).await;
    assert_eq!(cloud.ask(echo()).await["served"], 1);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn an_environment_never_serves_two_tenants() {
    let cloud = Cloud::start(|function| function.tenant_isolation = true).await;
    let one = cloud.invoke_as(Some("one"), echo()).await;
    assert_eq!(
        one.payload["context"]["lambda-runtime-aws-tenant-id"],
        "one"
    );
    assert_eq!(one.payload["served"], 1);
    let other = cloud.invoke_as(Some("other"), echo()).await;
    assert_eq!(other.payload["served"], 1);
    assert_eq!(
        other.payload["context"]["lambda-runtime-aws-tenant-id"],
        "other"
    );
    let again = cloud.invoke_as(Some("one"), echo()).await;
    assert_eq!(again.payload["served"], 2);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn the_longest_unused_tenant_makes_room() {
    let cloud = Cloud::start(|function| {
        function.tenant_isolation = true;
        function.reserved_concurrency = Some(2);
    })
    .await;
    for tenant in ["a", "b", "c"] {
        cloud.invoke_as(Some(tenant), echo()).await;
    }
    cloud.await_environments(2).await;
    let served = cloud.invoke_as(Some("b"), echo()).await.payload["served"].clone();
    assert_eq!(served, 2);
    let served = cloud.invoke_as(Some("a"), echo()).await.payload["served"].clone();
    assert_eq!(served, 1);
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn a_tenant_must_be_named_where_tenants_are_kept_apart_and_only_there() {
    for isolated in [true, false] {
        let cloud = Cloud::start(|function| function.tenant_isolation = isolated).await;
        let error = cloud
            .client
            .invoke()
            .function_name(FUNCTION)
            .set_tenant_id((!isolated).then(|| "one".to_owned()))
            .send()
            .await
            .unwrap_err()
            .into_service_error();
        assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
        assert_eq!(cloud.lambda.environments(FUNCTION), 0);
        cloud.lambda.shutdown().await;
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_invocation_to_its_end() {
    let cloud = Cloud::start(|_| ()).await;
    cloud.ask(echo()).await;
    let call = cloud.ask(json!({"do": "sleep", "seconds": 1}));
    let left = tokio::time::timeout(Duration::from_millis(300), call).await;
    assert!(left.is_err());
    // The same environment, or one more, but none is lost: both are there and usable.
    let served = cloud.ask(echo()).await["served"].as_u64().unwrap();
    assert!(served >= 1);
    let begun = Instant::now();
    while cloud.processes().values().any(|state| *state != 'T') {
        assert!(begun.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cloud.lambda.shutdown().await;
}

#[tokio::test]
async fn shutting_down_leaves_no_process() {
    let cloud = Cloud::start(|_| ()).await;
    cloud.ask(json!({"do": "daemon"})).await;
    let marker = cloud.marker.clone();
    let busy = {
        let client = cloud.client.clone();
        tokio::spawn(async move {
            let payload = json!({"do": "hang"}).to_string();
            let payload = Blob::new(payload);
            client
                .invoke()
                .function_name(FUNCTION)
                .payload(payload)
                .send()
                .await
        })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    cloud.lambda.shutdown().await;
    await_no_processes(&marker).await;
    // The caller is not left hanging.
    tokio::time::timeout(SOON, busy)
        .await
        .unwrap()
        .unwrap()
        .ok();
}

#[tokio::test]
async fn dropping_it_leaves_no_process() {
    let cloud = Cloud::start(|_| ()).await;
    cloud.ask(json!({"do": "daemon"})).await;
    let marker = cloud.marker.clone();
    drop(cloud);
    await_no_processes(&marker).await;
}

/// Not a test by itself: a process that has environments and is killed, below.
#[tokio::test]
async fn host_role() {
    let Ok(isolation) = std::env::var(HOST_ROLE) else {
        return;
    };
    let cloud = Cloud::with(|config| {
        config.isolation = match isolation.as_str() {
            "bubblewrap" => Isolation::Bubblewrap,
            "namespaces" => Isolation::UserNamespaces,
            _ => Isolation::None,
        };
    })
    .await;
    cloud.ask(json!({"do": "daemon"})).await;
    tokio::join!(cloud.ask(json!({"do": "hang"})), async {
        cloud.ask(json!({"do": "sleep", "seconds": 1})).await;
        println!("{}", cloud.marker);
    });
}

const HOST_ROLE: &str = "LOCAL_CLOUD_TEST_HOST";

#[tokio::test]
async fn a_storm_of_callers_and_of_deaths_leaves_everything_in_order() {
    let cloud = Arc::new(Cloud::start(|function| function.reserved_concurrency = Some(3)).await);
    let callers: Vec<_> = (0..30)
        .map(|caller| {
            let cloud = Arc::clone(&cloud);
            tokio::spawn(async move {
                let event = match caller % 3 {
                    0 => json!({"do": "exit", "status": 1}),
                    _ => json!({"do": "echo", "caller": caller}),
                };
                let (mut served, mut throttled) = (0, 0);
                while served < 3 {
                    let payload = Blob::new(event.to_string());
                    let call = cloud
                        .client
                        .invoke()
                        .function_name(FUNCTION)
                        .payload(payload);
                    match call.send().await {
                        Ok(output) => {
                            served += 1;
                            let payload = output.payload().unwrap().as_ref();
                            let answer: Value = serde_json::from_slice(payload).unwrap();
                            let expected = match caller % 3 {
                                0 => answer["errorType"] == "Runtime.ExitError",
                                _ => answer["event"]["caller"] == caller,
                            };
                            assert!(expected, "{caller}: {answer}");
                        }
                        Err(error) => {
                            let error = error.into_service_error();
                            assert!(error.is_too_many_requests_exception(), "{error:?}");
                            throttled += 1;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                    assert!(cloud.lambda.environments(FUNCTION) <= 6);
                }
                throttled
            })
        })
        .collect();
    let mut throttled = 0;
    for caller in callers {
        throttled += caller.await.unwrap();
    }
    assert!(throttled > 0);
    let begun = Instant::now();
    while cloud.lambda.environments(FUNCTION) > 3 {
        assert!(begun.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cloud = Arc::into_inner(cloud).unwrap();
    let marker = cloud.marker.clone();
    cloud.lambda.shutdown().await;
    await_no_processes(&marker).await;
}

const DESCRIPTORS_ROLE: &str = "LOCAL_CLOUD_TEST_DESCRIPTORS";

/// Not a test by itself: counts its own descriptors, so it needs a process of its own.
#[tokio::test]
async fn descriptors_role() {
    if std::env::var_os(DESCRIPTORS_ROLE).is_none() {
        return;
    }
    let bucket = Bucket::start().await;
    let cloud = Cloud::with(|config| config.s3 = Some(bucket.s3.handle())).await;
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = None;
    for _ in 0..10 {
        cloud.invoke(json!({"do": "exit", "status": 1})).await;
        before.get_or_insert_with(open);
    }
    let begun = Instant::now();
    while Some(open()) > before {
        assert!(begun.elapsed() < SOON, "{} instead of {before:?}", open());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn environments_give_their_descriptors_back() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["lifecycle::descriptors_role", "--exact"])
        .env(DESCRIPTORS_ROLE, "yes")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_killed_host_leaves_no_process() {
    for isolation in ["bubblewrap", "namespaces", "none"] {
        let mut host = Command::new(std::env::current_exe().unwrap())
            .args(["lifecycle::host_role", "--exact", "--nocapture"])
            .env(HOST_ROLE, isolation)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(host.stdout.take().unwrap()).lines();
        let marker = lines
            .map(Result::unwrap)
            .find(|line| line.starts_with("--marker="))
            .unwrap();
        // One environment hangs, one is frozen.
        let begun = Instant::now();
        let states = || -> Vec<bool> {
            let processes = processes(&marker);
            processes.values().map(|state| *state == 'T').collect()
        };
        while !(states().contains(&true) && states().contains(&false)) {
            assert!(begun.elapsed() < SOON, "{:?}", processes(&marker));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        host.kill().unwrap();
        host.wait().unwrap();
        await_no_processes(&marker).await;
    }
}
