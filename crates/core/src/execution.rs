//! What the caller gets: the answer of the HTTP endpoint, of the library, and `result.json`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{BackendKind, GuestError, MimeBundle, Status, Truncated, Usage};

/// A finished execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// UUIDv7: sorts by time.
    pub id: Uuid,
    /// How it ended.
    pub status: Status,
    /// The guest's exit code, where it came to its end.
    pub exit_code: Option<u8>,
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
    /// What was cut off.
    pub truncated: Truncated,
    /// The uncaught error.
    pub error: Option<GuestError>,
    /// Displayed objects and the last expression's value, in order.
    pub results: Vec<MimeBundle>,
    /// Files left in the work directory.
    pub artifacts: Vec<ArtifactLink>,
    /// Where it ran, and why there.
    pub route: Route,
    /// What the cache did.
    pub cache: CacheInfo,
    /// What it used.
    pub usage: Usage,
    /// Where its outputs are.
    pub outputs: OutputsInfo,
}

/// A file the guest left, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactLink {
    /// Path below the work directory.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// Media type by the file's name and content.
    pub media_type: String,
    /// Where to fetch it, relative to the service.
    pub url: String,
}

/// Where an execution ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The backend that gave the answer.
    pub backend: BackendKind,
    /// The runtime there, as in `python-3.13.5`.
    pub runtime: String,
    /// Why there, in one sentence.
    pub reason: String,
    /// Attempts before the one that gave the answer.
    pub hops: Vec<Hop>,
    /// What would help the snippet: where a package it lacks is, which name it may have meant.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// An attempt that did not give the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// Where it was tried.
    pub backend: BackendKind,
    /// How it ended there; none if the backend itself failed.
    pub status: Option<Status>,
    /// How long it took, in milliseconds.
    pub wall_ms: f64,
    /// Why it went on from there.
    pub reason: String,
}

/// What the cache did for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheStatus {
    /// Answered from it.
    Hit,
    /// Not there, so it ran.
    Miss,
    /// Not asked.
    Off,
}

/// The cache's part in an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheInfo {
    /// What it did.
    pub status: CacheStatus,
    /// The key of this work, in hex.
    pub key: String,
    /// Whether the execution is proven to give the same result each time.
    pub reproducible: bool,
}

/// How safe an execution's outputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputsState {
    /// On the local disk's spool, on the way to the store.
    Spooled,
    /// In the store.
    Stored,
}

/// Where an execution's outputs are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputsInfo {
    /// How safe they are.
    pub state: OutputsState,
    /// Their place in the store.
    pub uri: String,
}
