//! The embeddable router for untrusted snippets.

mod artifacts;
mod builder;
mod cache;
mod error;
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
    DirectoryStore, MemoryOutputs, Object, ObjectStore, OutputError, OutputStore, SpoolConfig,
    SpooledOutputs, StoreError, StoredFile,
};
pub use plan::{Alternative, Plan};
pub use router::{ExecuteOptions, NotReady, Router};
pub use sandgate_core::*;
pub use sandgate_sandbox::{SandboxConfig, SandboxError, SandboxMode, WorkerCommand};
