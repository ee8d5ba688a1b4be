//! The service as on AWS: a function and a bucket that are somewhere else, found by the SDK's own
//! settings, and at times not there.

use std::net::SocketAddr;
use std::time::Duration;

use sandgate_local_cloud::{
    Credentials, FunctionConfig, LambdaConfig, LocalLambda, LocalS3, S3Config, Shim,
};
use serde_json::json;

use super::{eventually, image, on_lambda, unused_address};
use crate::harness::{binary, block_on};
use crate::http::{DataDir, Service, python};

const BUCKET: &str = "outputs";
const FUNCTION: &str = "runner";

fn start_lambda(listen: SocketAddr, keys: &Credentials, s3: &LocalS3) -> LocalLambda {
    let runner = "/opt/sandgate/bin/sandgate-runner";
    let mut function = FunctionConfig::new(FUNCTION, [runner]);
    let image = image();
    let outside = std::fs::read_to_string(image.join("outside")).unwrap();
    function.extra_paths = outside.lines().map(Into::into).collect();
    function.image_root = Some(image);
    function.init_timeout = Duration::from_secs(60);
    let mut config = LambdaConfig::new(function).unwrap();
    config.listen = listen;
    config.credentials = keys.clone();
    config.s3 = Some(s3.handle());
    config.shim = Shim {
        program: binary(),
        args: Vec::new(),
    };
    block_on(LocalLambda::start(config)).unwrap()
}

#[test]
fn a_function_that_goes_away_and_comes_back() {
    let (root, keys) = (tempfile::tempdir().unwrap(), Credentials::random());
    let mut config = S3Config::new(root.path(), [BUCKET]);
    config.credentials = keys.clone();
    let s3 = block_on(LocalS3::start(config)).unwrap();
    let address = unused_address();
    let lambda = start_lambda(address, &keys, &s3);
    let (s3_url, lambda_url) = (s3.endpoint_url(), lambda.endpoint_url());
    let service = Service::with(
        DataDir::new(),
        &[
            ("SANDGATE_LAMBDA_FUNCTION", FUNCTION),
            ("SANDGATE_LAMBDA_QUALIFIER", "live"),
            ("SANDGATE_LAMBDA_BREAKER_LONGEST_PAUSE_MS", "1000"),
            ("SANDGATE_OUTPUTS_BUCKET", BUCKET),
            ("SANDGATE_OUTPUTS_PATH_STYLE", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_S3", &s3_url),
            ("AWS_ENDPOINT_URL_LAMBDA", &lambda_url),
            ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
        ],
    );
    eventually("Lambda says what it has", &service, || {
        on_lambda(&service, "python").is_some()
    });
    let request = json!({
        "language": "python", "durability": "stored", "limits": {"timeout_ms": 20_000},
        "code": "import numpy\nopen('big', 'wb').write(bytes(7_000_000))\nprint(numpy.arange(3))"
    });
    let answer = service.execute(request.clone());
    assert_eq!(
        answer["stdout"],
        "[0 1 2]\n",
        "{answer:#}\n{}",
        service.log()
    );
    assert_eq!(answer["route"]["backend"], "lambda");
    let uri = answer["outputs"]["uri"].as_str().unwrap();
    let folder = uri.strip_prefix("s3://outputs/").unwrap();
    let stored = std::fs::metadata(root.path().join(BUCKET).join(folder).join("files/big"));
    assert_eq!(stored.unwrap().len(), 7_000_000);

    block_on(lambda.shutdown());
    for _ in 0..3 {
        let refused = service.post("/v1/execute", request.to_string());
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
        // The sandbox is none the worse for it.
        assert_eq!(service.execute(python("print(1)"))["stdout"], "1\n");
    }

    let _lambda = start_lambda(address, &keys, &s3);
    eventually("it is used again", &service, || {
        service.post("/v1/execute", request.to_string()).status == 200
    });
}
