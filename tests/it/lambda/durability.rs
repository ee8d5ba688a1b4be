//! Outputs on their way to a bucket outlive the service.

use std::net::SocketAddr;
use std::path::Path;

use sandgate_local_cloud::{Credentials, LocalS3, S3Config};
use serde_json::Value;

use super::{eventually, unused_address};
use crate::harness::block_on;
use crate::http::{DataDir, Service, python};

const BUCKET: &str = "outputs";

/// Settings of a service whose outputs go to the S3 at `address`.
fn settings<'a>(endpoint: &'a str, keys: &'a Credentials) -> Vec<(&'static str, &'a str)> {
    vec![
        ("SANDGATE_OUTPUTS_BUCKET", BUCKET),
        ("SANDGATE_OUTPUTS_PREFIX", "team/"),
        ("SANDGATE_OUTPUTS_PATH_STYLE", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
    ]
}

fn start_s3(root: &Path, listen: SocketAddr, keys: &Credentials) -> LocalS3 {
    let mut config = S3Config::new(root, [BUCKET]);
    config.listen = listen;
    config.credentials = keys.clone();
    block_on(LocalS3::start(config)).unwrap()
}

/// The bucket is out of reach, the service is killed, and everything it had answered arrives.
#[test]
fn a_killed_service_loses_nothing_of_what_it_has_answered() {
    let (root, keys) = (tempfile::tempdir().unwrap(), Credentials::random());
    let address = unused_address();
    let endpoint = format!("http://{address}");
    let settings = settings(&endpoint, &keys);

    let service = Service::with(DataDir::new(), &settings);
    let answers: Vec<Value> = (0..20)
        .map(|i| service.execute(python(&format!("open('f', 'w').write('{i}'); print({i})"))))
        .collect();
    let data = service.kill();

    let _s3 = start_s3(root.path(), address, &keys);
    let service = Service::with(data, &settings);
    for (i, answer) in answers.iter().enumerate() {
        let uri = answer["outputs"]["uri"].as_str().unwrap();
        let folder = uri.strip_prefix("s3://outputs/team/executions/").unwrap();
        let folder = root
            .path()
            .join(BUCKET)
            .join("team/executions")
            .join(folder);
        eventually("it arrives", &service, || folder.join("files/f").is_file());
        eventually("its result arrives", &service, || {
            folder.join("result.json").is_file()
        });
        let id = answer["id"].as_str().unwrap();
        let found = service.get(&format!("/v1/executions/{id}")).json();
        assert_eq!(found["stdout"], format!("{i}\n"));
    }
}
