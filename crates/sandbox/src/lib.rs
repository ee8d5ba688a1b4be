//! Runs snippets in fresh, limited wasm instances, in worker processes or in this one.

mod artifacts;
mod compiled;
mod config;
mod control;
mod eager;
mod engine;
mod error;
mod executor;
mod host;
mod in_process;
#[cfg(target_os = "linux")]
mod jail;
mod manifest;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod protocol;
mod queue;
mod request;
mod runner;
#[cfg(feature = "snapshot")]
pub mod snapshot;
#[cfg(target_os = "linux")]
mod warden;
#[cfg(target_os = "linux")]
mod worker;
#[cfg(target_os = "linux")]
mod worker_handle;

pub use config::{SandboxConfig, SandboxMode, WorkerCommand};
pub use error::SandboxError;
pub use executor::{SandboxExecutor, SandboxStatus};
#[cfg(all(target_os = "linux", feature = "test-probes"))]
#[doc(hidden)]
pub use jail::raise_for_test;
#[cfg(target_os = "linux")]
pub use worker::worker_main;
