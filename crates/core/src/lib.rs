//! The vocabulary of sandgate.
//!
//! Everything that more than one crate has to agree on is here: what a caller may ask for
//! ([`ExecuteRequest`]), what an executor is handed ([`Task`]) and hands back ([`Outcome`]), the
//! trait it implements ([`Executor`]), what the caller gets ([`Execution`]), and the key under
//! which equal work is equal ([`CacheKey`]). The crate does no I/O.

mod artifact;
mod blob;
mod cache_key;
mod catalogue;
mod execution;
mod executor;
mod limits;
mod outcome;
mod path;
mod report;
mod request;
mod runner;
mod task;
mod validate;

pub use cache_key::CacheKey;
pub use catalogue::{ModuleInfo, PackageInfo, Runtime};
pub use execution::{
    ArtifactLink, CacheInfo, CacheStatus, Execution, Hop, OutputsInfo, OutputsState, Route,
};
pub use executor::{
    BoxFuture, DiscardOutput, ErrorKind, ExecutionContext, Executor, ExecutorError, OutputSink,
    OutputStream,
};
pub use limits::{LimitPolicy, Limits, RequestedLimits};
pub use outcome::{Artifact, GuestError, MimeBundle, Observed, Outcome, Status, Truncated, Usage};
pub use path::{MAX_PATH_BYTES, PathError, check_relative_path};
pub use report::GuestReport;
pub use request::{BackendChoice, CacheMode, Durability, ExecuteRequest, Input, InputFile};
pub use runner::{
    Passed, RUNNER_PROTOCOL, RunnerCall, RunnerEvent, RunnerFailure, RunnerFailureKind,
    RunnerReply, Slot, Stored,
};
pub use task::{BackendKind, Language, Task, TaskFile, UnknownLanguage};
pub use tokio_util::sync::CancellationToken;
pub use uuid::Uuid;
pub use validate::{FieldError, InvalidRequest, RequestRules};
