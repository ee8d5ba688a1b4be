//! Lambda and S3 for the router: those of AWS, or their stand-ins on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use sandgate::{ObjectStore, S3Config, S3Store};
use sandgate_lambda::{LambdaExecutor, Transfer, TransferConfig};
use sandgate_local_cloud::{
    FunctionConfig, LocalLambda, LocalS3, S3Config as LocalS3Config, StartError as LocalError,
};

use crate::config::{Config, Enabled, LOCAL_FUNCTION, Store};
use crate::startup::{StartError, beside};

const TLS: Provider = Provider::Rustls(CryptoMode::Ring);
/// The local cloud's one bucket.
const LOCAL_BUCKET: &str = "sandgate";
/// What an invocation may take beyond the longest time limit of a snippet: a cold start within it,
/// and cleaning up.
const FUNCTION_MARGIN: Duration = Duration::from_secs(10);
/// Lambda allows ten seconds, but a small machine that has other things to do may need more.
const COLD_START: Duration = Duration::from_secs(60);
/// The runner, below the folder of the image's files and inside an environment.
const RUNNER: &str = "bin/sandgate-runner";

/// What the router gets.
#[derive(Debug, Default)]
pub(crate) struct Cloud {
    pub(crate) lambda: Option<LambdaExecutor>,
    /// Where outputs go; none for a directory.
    pub(crate) store: Option<Arc<dyn ObjectStore>>,
    pub(crate) local: Option<LocalCloud>,
}

/// S3 and Lambda on this machine. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct LocalCloud {
    s3: LocalS3,
    lambda: LocalLambda,
}

impl LocalCloud {
    /// Ends both, and whatever still runs there.
    pub(crate) async fn shutdown(self) {
        self.lambda.shutdown().await;
        self.s3.shutdown().await;
    }
}

/// How much of it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// All: Lambda is asked at the start what it has, and outputs are stored.
    Service,
    /// Lambda, if the command turns out to need it: a cold start is only worth it then.
    Command,
}

/// Sets up what `config` says.
pub(crate) async fn start(config: &Config, need: Need) -> Result<Cloud, StartError> {
    let cloud = &config.cloud;
    let mut lambda = cloud.lambda.clone();
    lambda.describe_at_start = need == Need::Service;
    let stores = need == Need::Service;
    let image = if cloud.wants_local() {
        find_image(config)?
    } else {
        None
    };
    let aws = if cloud.on_aws || (stores && matches!(cloud.store, Store::S3(_))) {
        Some(aws().await)
    } else {
        None
    };
    let mut set_up = Cloud::default();
    if let (Store::S3(store), Some(sdk)) = (&cloud.store, &aws) {
        set_up.store = Some(Arc::new(S3Store::new(store.clone(), sdk.into())));
    }
    if let Some(image) = image {
        let local = local(config, &image).await?;
        let s3 = sdk(local.s3.endpoint_url(), local.s3.credentials());
        let transfer = Transfer::new(
            TransferConfig {
                bucket: LOCAL_BUCKET.to_owned(),
                prefix: "transfer/".to_owned(),
                path_style: true,
                max_bytes: cloud.transfer_bytes,
                patience: Transfer::DEFAULT_PATIENCE,
            },
            (&s3).into(),
        );
        let sdk = sdk(local.lambda.endpoint_url(), local.lambda.credentials());
        lambda.concurrency = lambda.concurrency.min(environments(config));
        lambda.memory_mb = cloud.local.memory_mb;
        lambda.timeout = local_timeout(config);
        set_up.lambda = Some(LambdaExecutor::start(
            lambda,
            (&sdk).into(),
            Some(transfer),
        )?);
        if cloud.store == Store::Local {
            let mut store = S3Config::new(LOCAL_BUCKET);
            store.path_style = true;
            set_up.store = Some(Arc::new(S3Store::new(store, (&s3).into())));
        }
        set_up.local = Some(local);
    } else if let (true, Some(sdk)) = (cloud.on_aws, &aws) {
        let transfer = cloud.transfer.clone();
        if transfer.is_none() && need == Need::Service {
            tracing::warn!(
                "what is too large for a message to Lambda is refused: set lambda.transfer_bucket"
            );
        }
        let transfer = transfer.map(|transfer| Transfer::new(transfer, sdk.into()));
        set_up.lambda = Some(LambdaExecutor::start(lambda, sdk.into(), transfer)?);
    }
    Ok(set_up)
}

/// Where AWS is and who asks, as the SDK finds out: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_S3 …
async fn aws() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(TLS)
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    match AppName::new("sandgate") {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    }
    .load()
    .await
}

/// A service of the local cloud.
fn sdk(endpoint: String, credentials: &sandgate_local_cloud::Credentials) -> SdkConfig {
    // Without TLS, and so without reading this machine's certificates.
    let http = aws_smithy_http_client::Builder::new().build_http();
    let credentials = Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        None,
        None,
        "local cloud",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(sandgate_local_cloud::DEFAULT_REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .endpoint_url(endpoint)
        .build()
}

/// The folder with the image's files, if it is there. Says how to get it otherwise.
fn find_image(config: &Config) -> Result<Option<PathBuf>, StartError> {
    let local = &config.cloud.local;
    let candidates = match &local.image {
        Some(image) => vec![image.clone()],
        None => beside("lambda")?,
    };
    let found = candidates.iter().find(|path| path.join(RUNNER).is_file());
    match (found, local.enabled) {
        (Some(found), _) => std::path::absolute(found)
            .map(Some)
            .map_err(StartError::NoProgram),
        (None, Enabled::Always) => Err(StartError::NoImage(candidates)),
        (None, Enabled::Auto | Enabled::Never) => {
            tracing::info!(
                "there is no Lambda, so no numpy, pandas or R: `cargo xtask lambda` makes a local \
                 one, lambda.function names one on AWS"
            );
            Ok(None)
        }
    }
}

fn environments(config: &Config) -> usize {
    config.cloud.local.concurrency.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    )
}

/// What every snippet's own limit fits in.
fn local_timeout(config: &Config) -> Duration {
    Duration::from_millis(config.rules.limits.maximum.timeout_ms) + FUNCTION_MARGIN
}

/// Folders elsewhere that the image's files lead to: an interpreter that is not the system's.
fn outside(image: &Path) -> Vec<PathBuf> {
    let list = std::fs::read_to_string(image.join("outside")).unwrap_or_default();
    list.lines().map(PathBuf::from).collect()
}

async fn local(config: &Config, image: &Path) -> Result<LocalCloud, LocalError> {
    let settings = &config.cloud.local;
    let root = config.data_dir.join("s3");
    let s3 = LocalS3::start(LocalS3Config::new(&root, [LOCAL_BUCKET])).await?;
    let mut function = FunctionConfig::new(LOCAL_FUNCTION, [""]);
    function.command = vec![function.image_mount.join(RUNNER).display().to_string()];
    function.image_root = Some(image.to_owned());
    function.extra_paths = outside(image);
    function.memory_mb = settings.memory_mb;
    function.timeout = local_timeout(config);
    function.init_timeout = COLD_START;
    function.reserved_concurrency = u32::try_from(environments(config)).ok();
    function.idle_expiry = settings.idle_expiry;
    function.tenant_isolation = config.cloud.lambda.tenant_isolation;
    // Tries out what this machine can do, which takes a few processes.
    let prepared =
        tokio::task::spawn_blocking(|| sandgate_local_cloud::LambdaConfig::new(function));
    let mut lambda = prepared
        .await
        .unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
        .map_err(|error| LocalError::Config(error.to_string()))?;
    lambda.s3 = Some(s3.handle());
    let lambda = LocalLambda::start(lambda).await?;
    tracing::info!(
        image = %image.display(), bucket = %root.join(LOCAL_BUCKET).display(),
        isolation = ?lambda.isolation(), "Lambda and S3 run on this machine"
    );
    Ok(LocalCloud { s3, lambda })
}
