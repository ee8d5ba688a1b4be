//! Runs snippets in fresh, limited wasm instances, in worker processes or in this one.

mod compiled;
mod config;
mod control;
mod error;
mod host;
mod manifest;
mod runner;
#[cfg(feature = "snapshot")]
pub mod snapshot;

pub use config::{SandboxConfig, SandboxMode, WorkerCommand};
pub use error::SandboxError;
