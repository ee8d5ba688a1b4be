//! What the two services are started with.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::s3::S3Handle;

/// The region that both services answer for, unless configured otherwise.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Largest object body that the local S3 takes, in bytes, unless configured otherwise.
pub const DEFAULT_MAX_OBJECT_BYTES: u64 = 1 << 30;

const LOOPBACK: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// An access key and its secret, with which requests are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the key; not a secret.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: String,
}

impl Credentials {
    /// A new random pair. It ends with the process unless the caller keeps it.
    pub fn random() -> Self {
        let tail = Uuid::new_v4().simple().to_string().to_uppercase();
        Self {
            access_key_id: format!("AKIA{}", &tail[..16]),
            secret_access_key: random_secret(),
        }
    }
}

impl fmt::Debug for Credentials {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// 244 random bits as text.
pub(crate) fn random_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// How [`LocalS3`](crate::LocalS3) is started.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// Folder that holds the buckets; created where missing. Objects are plain files below
    /// `root/bucket/`, what S3 knows about them besides lies in hidden files in `root`.
    pub root: PathBuf,
    /// Buckets that exist from the start. What they hold already is kept.
    pub buckets: Vec<String>,
    /// Whose signatures are accepted.
    pub credentials: Credentials,
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest body of one request, in bytes. Larger ones are answered `EntityTooLarge`.
    pub max_object_bytes: u64,
}

impl S3Config {
    /// These buckets below `root`, on a free port of the loopback address, with random credentials.
    pub fn new<B: Into<String>>(
        root: impl Into<PathBuf>,
        buckets: impl IntoIterator<Item = B>,
    ) -> Self {
        Self {
            root: root.into(),
            buckets: buckets.into_iter().map(Into::into).collect(),
            credentials: Credentials::random(),
            listen: LOOPBACK,
            max_object_bytes: DEFAULT_MAX_OBJECT_BYTES,
        }
    }
}

/// How [`LocalLambda`](crate::LocalLambda) is started.
#[derive(Clone, Debug)]
pub struct LambdaConfig {
    /// The functions that exist.
    pub functions: Vec<FunctionConfig>,
    /// Whose signatures are accepted.
    pub credentials: Credentials,
    /// Address of the Invoke API; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The part of the functions' ARNs and of `AWS_REGION` in environments.
    pub region: String,
    /// What an isolated environment may still reach: this bucket service, at the same address as
    /// outside. It is the counterpart of the S3 gateway endpoint in a VPC without other ways out.
    pub s3: Option<S3Handle>,
    /// How environments are kept apart from the machine and from each other.
    pub isolation: Isolation,
    /// The program that calls [`run_shim_if_asked`](crate::run_shim_if_asked).
    pub shim: Shim,
    /// Most invocations at once of all functions without a reservation of their own.
    pub unreserved_concurrency: u32,
    /// Most `Event` invocations that wait or run. More are answered 429.
    pub event_queue: usize,
}

impl LambdaConfig {
    /// One function, on a free port of the loopback address, isolated as well as this machine
    /// can, with random credentials. This process's own program is the shim.
    ///
    /// # Errors
    ///
    /// If the program of this process cannot be told.
    pub fn new(function: FunctionConfig) -> std::io::Result<Self> {
        Ok(Self {
            functions: vec![function],
            credentials: Credentials::random(),
            listen: LOOPBACK,
            region: DEFAULT_REGION.to_owned(),
            s3: None,
            isolation: Isolation::detect(),
            shim: Shim::this_program([])?,
            unreserved_concurrency: 10,
            event_queue: 100,
        })
    }
}

/// A program that becomes a function's entry point inside its environment: it opens the sockets
/// there, hands them out, and executes the entry point in its place.
///
/// Any program will do that calls [`run_shim_if_asked`](crate::run_shim_if_asked) before anything
/// else, when started with these arguments. It is mounted read-only into the environment, so what
/// it links dynamically must be among the system's libraries.
#[derive(Clone, Debug)]
pub struct Shim {
    /// The program's file.
    pub program: PathBuf,
    /// Arguments that make it take the role.
    pub args: Vec<String>,
}

impl Shim {
    /// The program that is running now, with arguments that make it take the role.
    ///
    /// # Errors
    ///
    /// If the program of this process cannot be told.
    pub fn this_program<const N: usize>(args: [&str; N]) -> std::io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        })
    }
}

/// How environments are kept apart from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Own network, process, mount, user and IPC namespaces by `bwrap`. The system and the image
    /// are read-only, `/tmp` is the environment's own and bounded.
    Bubblewrap,
    /// The same by `unshare` and `mount` of util-linux, where `bwrap` is missing.
    UserNamespaces,
    /// None: the function runs as an ordinary process of this user, **with network and files**.
    /// Only for functions one would run by hand; a warning is logged. `/tmp` is the machine's, and
    /// a function that kills the process it was started by escapes its end.
    None,
}

/// A function.
#[derive(Clone, Debug)]
pub struct FunctionConfig {
    /// The name under which it is invoked.
    pub name: String,
    /// The published version. `$LATEST` and a request without qualifier mean the same code.
    pub version: String,
    /// Aliases of the version, accepted as qualifiers.
    pub aliases: Vec<String>,
    /// The entry point and its arguments, as seen inside the environment: with the image mounted,
    /// `/opt/sandgate/bin/sandgate-runner`.
    pub command: Vec<String>,
    /// Folder with the image's own files, mounted read-only at [`image_mount`](Self::image_mount).
    pub image_root: Option<PathBuf>,
    /// Where the image's files are inside. Without isolation they are where they are.
    pub image_mount: PathBuf,
    /// More of the machine's files to show read-only at the same place, those that exist. `/usr`
    /// and what a dynamic loader, fonts and R need of `/etc` are always there.
    pub extra_paths: Vec<PathBuf>,
    /// Memory of an environment, in MiB. All its processes together; more ends it.
    pub memory_mb: u32,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// How long an environment may take to ask for its first event. After that, and after a failed
    /// start, Lambda tries once more within the function's timeout; so does this.
    pub init_timeout: Duration,
    /// Most invocations at once; `None` shares
    /// [`unreserved_concurrency`](LambdaConfig::unreserved_concurrency).
    pub reserved_concurrency: Option<u32>,
    /// How long after each failure of the function an `Event` is tried again; after one more it is
    /// given up. Lambda waits one minute, then two.
    pub event_retries: Vec<Duration>,
    /// How long an unused environment is kept.
    pub idle_expiry: Duration,
    /// Size of `/tmp`, in MiB.
    pub ephemeral_storage_mb: u32,
    /// Whether an environment serves one tenant only. Invocations must then name theirs.
    pub tenant_isolation: bool,
    /// More variables of the environment. Those that Lambda itself sets win.
    pub environment: BTreeMap<String, String>,
}

impl FunctionConfig {
    /// A function with Lambda's usual settings as the project deploys it: 2048 MiB, 30 s, 512 MiB
    /// of `/tmp`, version 1, environments kept for five minutes, no reservation. A failed `Event` is
    /// tried twice more, as there, but after one second and two.
    pub fn new<A: Into<String>>(
        name: impl Into<String>,
        command: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            name: name.into(),
            version: "1".to_owned(),
            aliases: vec!["live".to_owned()],
            command: command.into_iter().map(Into::into).collect(),
            image_root: None,
            image_mount: PathBuf::from("/opt/sandgate"),
            extra_paths: Vec::new(),
            memory_mb: 2048,
            timeout: Duration::from_secs(30),
            init_timeout: Duration::from_secs(10),
            reserved_concurrency: None,
            event_retries: vec![Duration::from_secs(1), Duration::from_secs(2)],
            idle_expiry: Duration::from_secs(300),
            ephemeral_storage_mb: 512,
            tenant_isolation: false,
            environment: BTreeMap::new(),
        }
    }
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot work; the message names the field.
    #[error("{0}")]
    Config(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder cannot be made or used.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
