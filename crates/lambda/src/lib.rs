//! Runs snippets on the container-image function of AWS Lambda.
//!
//! [`LambdaExecutor`] invokes a function that runs `lambda-image/runner`, and speaks to it in the
//! format of `sandgate_core`'s `RunnerEvent` and `RunnerReply`. Whatever surrounds that is here:
//! what is too large for a message goes through a bucket ([`Transfer`]); errors are classified, and
//! what did not reach the function is tried again ([`RetryConfig`]); a function that is down is
//! left alone for a while ([`BreakerConfig`]); and what Lambda reports becomes the execution's
//! usage ([`Prices`]).
//!
//! ```no_run
//! use sandgate_lambda::{LambdaConfig, LambdaExecutor, Target};
//!
//! # async fn example(sdk: &aws_config::SdkConfig) -> Result<(), Box<dyn std::error::Error>> {
//! let config = LambdaConfig::new(Target::new("sandgate-runner", Some("live"))?);
//! let executor = LambdaExecutor::start(config, sdk.into(), None)?;
//! # Ok(())
//! # }
//! ```
//!
//! The function and its image are trusted no further than a worker of the sandbox is: an outcome
//! that goes beyond what its task was granted counts as a crash.

mod answer;
mod breaker;
mod catalogue;
mod config;
mod executor;
mod failure;
mod fault;
mod function;
mod places;
mod report;
mod retry;
mod transfer;

pub use config::{BreakerConfig, LambdaConfig, Prices, RetryConfig, Target, TargetError};
pub use executor::{LambdaExecutor, NoRuntime};
pub use transfer::{Transfer, TransferConfig};
