//! The embeddable router for untrusted snippets.
//!
//! ```no_run
//! use sandgate::{ExecuteRequest, Router, SandboxConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = SandboxConfig::new("target/guests", "target/compiled");
//! let router = Router::builder().sandbox(sandbox).build().await?;
//! let execution = router.execute(ExecuteRequest::python("print(1+1)")).await?;
//! assert_eq!(execution.stdout, "2\n");
//! # Ok(())
//! # }
//! ```
//!
//! `Err` means that sandgate failed. What the snippet did, failures included, is in the
//! [`Execution`]. Dropping the future cancels the execution.
//!
//! A request goes through these steps: it is validated ([`RequestRules`]); a backend is chosen
//! ([`Plan`]); repeated work is answered from the cache ([`CacheConfig`]); the backend runs it
//! ([`Executor`]); and its outputs are kept ([`OutputStore`]) before the caller has the answer.

pub mod analysis;
mod artifacts;
mod builder;
mod cache;
mod error;
pub mod names;
mod outputs;
mod plan;
mod router;
mod spool;
#[cfg(test)]
mod testing;

pub use builder::RouterBuilder;
pub use cache::CacheConfig;
pub use error::{BuildError, Error};
pub use outputs::{
    DirectoryStore, Download, MemoryOutputs, Object, ObjectStore, OutputError, OutputStore,
    SpoolConfig, SpooledOutputs, StoreError, StoredFile,
};
#[cfg(feature = "aws")]
pub use outputs::{S3Config, S3Store};
pub use plan::{Alternative, Plan, PlannedImport};
pub use router::{ExecuteOptions, NotReady, Router};
pub use sandgate_core::*;
pub use sandgate_sandbox::{SandboxConfig, SandboxError, SandboxMode, WorkerCommand};
