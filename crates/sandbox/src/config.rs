//! The sandbox's configuration.

use std::ffi::OsString;
use std::path::PathBuf;

use sandgate_core::Limits;

/// What the sandbox needs to know. Plain data: nothing is read from the environment.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The folder of built guests: `<language>.json` and `<language>.wasm` each.
    pub guests: PathBuf,
    /// A private folder for their compiled forms; created when missing, and safe to delete. Two
    /// processes may share it.
    pub cache: PathBuf,
    /// Where guests run.
    pub mode: SandboxMode,
    /// How many executions may wait for a place before more are refused as overloaded.
    pub queue: usize,
    /// The most any execution may be granted; a task that asks for more gets this.
    pub maximum: Limits,
}

impl SandboxConfig {
    /// How many executions may wait unless configured otherwise.
    pub const DEFAULT_QUEUE: usize = 256;

    /// A sandbox over the guests in `guests`, compiled into `cache`, on one thread of this
    /// process.
    pub fn new(guests: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self {
            guests: guests.into(),
            cache: cache.into(),
            mode: SandboxMode::default(),
            queue: Self::DEFAULT_QUEUE,
            maximum: Limits::MAXIMUM,
        }
    }
}

/// Where guests run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SandboxMode {
    /// On threads of this process.
    ///
    /// Simple, and fast with one thread. What it does not give: a second wall round the engine;
    /// more throughput from more threads (they contend for the process's memory map, two are
    /// slower than one); and a deadline inside one very long instruction (filling or copying
    /// hundreds of megabytes), which ends up to a few hundred milliseconds late.
    InProcess {
        /// How many executions run at once.
        threads: usize,
    },
    /// In worker processes of one thread each.
    Workers {
        /// How to start a worker.
        command: WorkerCommand,
        /// How many run, and so how many executions at once.
        count: usize,
    },
}

impl Default for SandboxMode {
    fn default() -> Self {
        Self::InProcess { threads: 1 }
    }
}

impl SandboxMode {
    /// Worker processes started by `command`, one for each core.
    pub fn workers(command: WorkerCommand) -> Self {
        Self::Workers {
            command,
            count: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// How to start a worker: a program whose `main` calls this crate's `worker_main` when it sees
/// these arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}
