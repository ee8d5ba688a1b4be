//! What an environment can reach: the Runtime API and the bucket service, and nothing else.

use std::net::TcpListener;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use sandgate_local_cloud::Isolation;
use serde_json::{Value, json};

use crate::harness::{BUCKET, Bucket, Cloud, FUNCTION, await_no_processes, echo, isolations};

async fn isolated(isolation: Isolation) -> Cloud {
    Cloud::with(|config| config.isolation = isolation).await
}

#[tokio::test]
async fn there_is_no_network() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for isolation in isolations() {
        let cloud = isolated(isolation).await;
        // A listener of this machine, the Invoke API, and addresses elsewhere.
        let invoke_api = cloud.lambda.address().port();
        let cases = [
            (json!(["127.0.0.1", port]), "ConnectionRefusedError"),
            (json!(["127.0.0.1", invoke_api]), "ConnectionRefusedError"),
            (json!(["169.254.169.254", 80]), "OSError: [Errno 101]"),
            (json!(["192.0.2.1", 443]), "OSError: [Errno 101]"),
            (json!(["2001:db8::1", 443]), "OSError: [Errno 101]"),
        ];
        for (address, expected) in cases {
            let result = cloud
                .ask(json!({"do": "connect", "address": address}))
                .await;
            let result = result.as_str().unwrap().to_owned();
            let refused = result.starts_with(expected) || result.contains("[Errno 99]");
            assert!(refused, "{isolation:?} {address}: {result}");
        }
        let name = cloud
            .ask(json!({"do": "resolve", "name": "example.com"}))
            .await;
        assert_eq!(name, "gaierror");
        cloud.lambda.shutdown().await;
    }
}

#[tokio::test]
async fn presigned_urls_of_the_bucket_work_and_only_those() {
    for isolation in isolations() {
        let bucket = Bucket::start().await;
        let cloud = Cloud::with(|config| {
            config.isolation = isolation;
            config.s3 = Some(bucket.s3.handle());
        })
        .await;
        let minute = || PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
        let put = bucket.client.put_object().bucket(BUCKET).key("from/inside");
        let put = put.presigned(minute()).await.unwrap();
        let fetch = |method: &str, url: &str| json!({"do": "fetch", "method": method, "url": url, "body": "made inside"});
        let answer = cloud.ask(fetch("PUT", put.uri())).await;
        assert_eq!(answer[0], 200, "{answer}");

        let get = bucket.client.get_object().bucket(BUCKET).key("from/inside");
        let object = get.clone().send().await.unwrap();
        let bytes = object.body.collect().await.unwrap().into_bytes();
        assert_eq!(&bytes[..], b"made inside");

        let get = get.presigned(minute()).await.unwrap();
        let answer = cloud
            .ask(json!({"do": "fetch", "method": "GET", "url": get.uri()}))
            .await;
        assert_eq!(answer, json!([200, "made inside"]));
        let other = get.uri().replace("from/inside", "from/other");
        let answer = cloud
            .ask(json!({"do": "fetch", "method": "GET", "url": other}))
            .await;
        assert_eq!(answer[0], 403);
        let unsigned = format!("{}/{BUCKET}/from/inside", bucket.s3.endpoint_url());
        let answer = cloud
            .ask(json!({"do": "fetch", "method": "GET", "url": unsigned}))
            .await;
        assert_eq!(answer[0], 403);
        cloud.lambda.shutdown().await;
        bucket.s3.shutdown().await;
    }
}

#[tokio::test]
async fn files_are_the_images_and_the_systems_and_cannot_be_written() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    for isolation in isolations() {
        let cloud = isolated(isolation).await;
        let writes = [
            "/opt/sandgate/x",
            "/usr/x",
            "/etc/x",
            "/x",
            "/var/task/x",
            "/run/x",
        ];
        for path in writes {
            let result = cloud.ask(json!({"do": "write", "path": path})).await;
            assert_ne!(result, "written", "{isolation:?} {path}");
        }
        let secret = secret.path().to_str().unwrap();
        for path in [secret, "/root", "/home", "/etc/passwd", "/var/lib"] {
            let result = cloud.ask(json!({"do": "exists", "path": path})).await;
            assert_eq!(result, false, "{isolation:?} {path}");
        }
        cloud.lambda.shutdown().await;
    }
}

#[tokio::test]
async fn the_temporary_folder_is_the_environments_own_and_bounded() {
    for isolation in isolations() {
        let cloud = Cloud::with(|config| {
            config.isolation = isolation;
            config.functions[0].ephemeral_storage_mb = 16;
        })
        .await;
        let fill = |megabytes| json!({"do": "fill", "path": "/tmp/large", "megabytes": megabytes});
        assert_eq!(cloud.ask(fill(10)).await, "written");
        assert_eq!(cloud.ask(fill(20)).await, "OSError");
        let name = format!("/tmp/{}", uuid::Uuid::new_v4());
        cloud.ask(json!({"do": "write", "path": name})).await;
        assert!(!std::path::Path::new(&name).exists());
        assert_eq!(cloud.ask(json!({"do": "exists", "path": name})).await, true);
        cloud.lambda.shutdown().await;
    }
}

#[tokio::test]
async fn processes_of_the_machine_are_not_seen() {
    for isolation in isolations() {
        let cloud = isolated(isolation).await;
        let seen = cloud.ask(json!({"do": "processes"})).await;
        let count = seen.as_array().unwrap().len();
        assert!((1..=3).contains(&count), "{isolation:?}: {seen}");
        cloud.lambda.shutdown().await;
    }
}

#[tokio::test]
async fn variables_are_lambdas_and_the_functions_and_no_others() {
    let own = std::env::vars().map(|(name, _)| name);
    let own: Vec<String> = own.filter(|name| name.starts_with("CARGO")).collect();
    for isolation in isolations() {
        let cloud = Cloud::with(|config| {
            config.isolation = isolation;
            let variables = &mut config.functions[0].environment;
            variables.insert("MINE".to_owned(), "yes".to_owned());
            variables.insert("AWS_REGION".to_owned(), "elsewhere".to_owned());
        })
        .await;
        let variables = cloud.ask(json!({"do": "env"})).await;
        let expected = [
            ("MINE", "yes"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", FUNCTION),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ];
        for (name, value) in expected {
            assert_eq!(variables[name], value, "{isolation:?}");
        }
        // Credentials are there, as they are on Lambda, so that it shows who can get at them.
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
        ] {
            assert!(
                variables[name]
                    .as_str()
                    .is_some_and(|value| value.len() >= 20)
            );
        }
        let Value::Object(variables) = variables else {
            panic!("{variables}");
        };
        assert!(own.iter().all(|name| !variables.contains_key(name)));
        assert!(!variables.contains_key("SANDGATE_LOCAL_CLOUD_SHIM"));
        cloud.lambda.shutdown().await;
    }
}

#[tokio::test]
async fn every_isolation_freezes_reuses_and_ends() {
    for isolation in isolations().into_iter().chain([Isolation::None]) {
        let cloud = isolated(isolation).await;
        assert_eq!(cloud.ask(echo()).await["served"], 1, "{isolation:?}");
        cloud.ask(json!({"do": "daemon"})).await;
        assert_eq!(cloud.ask(echo()).await["served"], 3, "{isolation:?}");
        let invoked = cloud
            .invoke(json!({"do": "signal", "name": "SIGSEGV"}))
            .await;
        let (_, message) = invoked.fault();
        assert!(
            message.ends_with("signal: segmentation fault"),
            "{isolation:?}: {message}"
        );
        cloud.await_no_processes().await;
        cloud.ask(json!({"do": "daemon"})).await;
        let marker = cloud.marker.clone();
        cloud.lambda.shutdown().await;
        await_no_processes(&marker).await;
    }
}
