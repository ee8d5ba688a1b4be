//! S3 and Lambda on loopback, for development and tests without an AWS account.
//!
//! [`LocalS3`] keeps buckets in a folder and checks signatures as S3 does. [`LocalLambda`] answers
//! the Invoke API and runs functions as Lambda does: real processes that speak the Runtime API, one
//! for each concurrent execution, frozen in between, without network. Clients are the usual AWS
//! SDKs with `endpoint_url` set; functions are the same programs that the image runs on Lambda.
//!
//! Both end with the process that started them.

mod config;
mod lambda;
mod process;
mod s3;
mod serve;

pub use config::{
    Credentials, DEFAULT_MAX_OBJECT_BYTES, DEFAULT_REGION, FunctionConfig, Isolation, LambdaConfig,
    S3Config, Shim, StartError,
};
pub use lambda::LocalLambda;
pub use process::run_shim_if_asked;
pub use s3::{LocalS3, S3Handle};
