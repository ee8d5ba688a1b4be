//! Runs snippets in fresh, limited wasm instances, in worker processes or in this one.

mod compiled;
mod config;
mod control;
mod error;
mod runner;

pub use config::{SandboxConfig, SandboxMode, WorkerCommand};
pub use error::SandboxError;
