//! Every store of objects against one suite, and the spool over a bucket that fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "tests: a panic is a failed test, and clippy's own exemption covers only test functions"
)]

mod conformance;
mod faults;
mod moto;
mod proxy;

#[path = "../../src/testing.rs"]
#[allow(dead_code, reason = "the router's own tests use more of it")]
mod testing;

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use sandgate::{DirectoryStore, S3Config, S3Store};
use sandgate_local_cloud::{LocalS3, S3Config as LocalS3Config};

const BUCKET: &str = "bucket";

/// A client of the service at `endpoint`.
fn sdk(endpoint: &str, id: &str, secret: &str) -> Builder {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .http_client(http)
        .endpoint_url(endpoint)
}

fn store(endpoint: &str, id: &str, secret: &str) -> S3Store {
    let mut config = S3Config::new(BUCKET);
    config.prefix = "some/prefix/".to_owned();
    config.path_style = true;
    S3Store::new(config, sdk(endpoint, id, secret))
}

/// S3 on this machine.
struct Local {
    s3: LocalS3,
    _folder: tempfile::TempDir,
}

impl Local {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = LocalS3Config::new(folder.path(), [BUCKET]);
        Self {
            s3: LocalS3::start(config).await.unwrap(),
            _folder: folder,
        }
    }

    /// A store in it, reached at `endpoint`.
    fn store(&self, endpoint: &str) -> S3Store {
        let keys = self.s3.credentials();
        let mut config = S3Config::new(BUCKET);
        config.path_style = true;
        let sdk = sdk(endpoint, &keys.access_key_id, &keys.secret_access_key);
        S3Store::new(config, sdk)
    }
}

#[tokio::test]
async fn a_directory_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path(), false).unwrap();
    conformance::all(&store).await;
}

#[tokio::test]
async fn a_bucket_on_this_machine_conforms() {
    let local = Local::start().await;
    let store = local.store(&local.s3.endpoint_url());
    conformance::all(&store).await;
    conformance::presigned(&store).await;
}

#[tokio::test]
async fn a_bucket_of_moto_conforms() {
    let moto = moto::Moto::start().await;
    let store = store(&moto.endpoint, "any", "thing");
    conformance::all(&store).await;
    conformance::presigned(&store).await;
}
