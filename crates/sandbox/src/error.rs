//! What can go wrong before the first snippet runs.

use std::path::PathBuf;

use sandgate_core::Language;

/// Why the sandbox cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted: `read`, `create` …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A system call failed that has no file.
    #[error("cannot {action}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder of guests holds none.
    #[error(
        "no guests in {}: build them with `cargo xtask guests`, or name the folder that holds python.json and its like",
        .0.display()
    )]
    NoGuests(PathBuf),
    /// A guest's manifest is not what the build writes.
    #[error("manifest {} is not usable: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Two manifests claim the same language.
    #[error("two guests for {0}: keep one manifest per language in the guests folder")]
    DuplicateLanguage(Language),
    /// The wasm file is not the one its manifest was written for.
    #[error(
        "{} has BLAKE3 {found}, its manifest says {expected}: build the guest again with `cargo xtask guests`",
        path.display()
    )]
    WasmMismatch {
        /// The wasm file.
        path: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A guest does not keep to the ABI.
    #[error("the {language} guest does not keep to the guest ABI: {reason}")]
    Abi {
        /// The guest.
        language: Language,
        /// Where it departs.
        reason: String,
    },
    /// The wasm engine refused.
    #[error("the wasm engine cannot {action}")]
    Engine {
        /// What was attempted.
        action: &'static str,
        /// What the engine says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A value of the configuration cannot be used.
    #[error("configuration: {0}")]
    Config(String),
    /// A worker process did not come up.
    #[error("worker process: {0}")]
    Worker(String),
}

impl SandboxError {
    /// An engine failure.
    pub(crate) fn engine(action: &'static str, source: wasmtime::Error) -> Self {
        Self::Engine {
            action,
            source: source.into(),
        }
    }
}
