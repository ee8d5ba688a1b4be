//! Runs snippets in fresh, limited wasm instances, in worker processes or in this one.

mod artifacts;
mod compiled;
mod config;
mod control;
mod engine;
mod error;
mod host;
mod manifest;
mod request;
mod runner;
#[cfg(feature = "snapshot")]
pub mod snapshot;

pub use config::{SandboxConfig, SandboxMode, WorkerCommand};
pub use error::SandboxError;
