//! The sandbox as an [`Executor`]: one type over both ways to run guests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sandgate_core::{
    BackendKind, BoxFuture, ErrorKind, ExecutionContext, Executor, ExecutorError, Language, Limits,
    Outcome, Runtime, Task,
};

use crate::compiled;
use crate::in_process::InProcess;
use crate::{SandboxConfig, SandboxError, SandboxMode};
#[cfg(target_os = "linux")]
use crate::{pool::Pool, warden::Roster};

/// Runs snippets in fresh wasm instances.
#[derive(Debug)]
pub struct SandboxExecutor {
    runtimes: BTreeMap<Language, Arc<Runtime>>,
    offered: Arc<[Arc<Runtime>]>,
    maximum: Limits,
    place: Place,
}

/// Where guests run.
#[derive(Debug)]
enum Place {
    InProcess(InProcess),
    #[cfg(target_os = "linux")]
    Workers(Arc<Pool>),
}

/// How a sandbox is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxStatus {
    /// The process numbers of the workers that are ready; empty where guests run in this process.
    pub workers: Vec<u32>,
    /// Executions under way.
    pub running: usize,
    /// Executions that wait for a place.
    pub waiting: usize,
    /// Why there are fewer workers than there should be.
    pub failure: Option<String>,
}

impl SandboxExecutor {
    /// A sandbox by `config`. Compiles guests that are not compiled yet, which takes a while, and
    /// waits for the first worker where there are workers. With workers, the sandbox belongs to
    /// the runtime it is made on, which must have I/O and time enabled.
    ///
    /// # Errors
    /// Says what is missing or wrong, and what to do.
    pub async fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let given = config.clone();
        let opened = tokio::task::spawn_blocking(move || compiled::open_guests(&given)).await;
        let guests = opened.map_err(|error| SandboxError::System {
            action: "open the guests",
            source: error.into(),
        })??;
        let named = guests
            .iter()
            .map(|guest| (guest.runtime.language, Arc::clone(&guest.runtime)));
        let runtimes: BTreeMap<_, _> = named.collect();
        let SandboxConfig {
            mode,
            queue,
            maximum,
            ..
        } = config;
        let place = match mode {
            SandboxMode::InProcess { threads } => {
                Place::InProcess(InProcess::new(&guests, &maximum, threads, queue)?)
            }
            #[cfg(target_os = "linux")]
            SandboxMode::Workers { mut command, count } => {
                if count == 0 {
                    let message = "workers: at least 1 is needed, not 0";
                    return Err(SandboxError::Config(message.to_owned()));
                }
                // Workers start in the root folder, so that they hold no other.
                let program = std::path::absolute(&command.program);
                command.program = program.map_err(|source| SandboxError::Io {
                    action: "find",
                    path: command.program.clone(),
                    source,
                })?;
                let roster = Roster::new(command, guests, maximum, count + 1)?;
                Place::Workers(Pool::start(roster, count, queue).await?)
            }
            #[cfg(not(target_os = "linux"))]
            SandboxMode::Workers { .. } => {
                let message = "worker processes need Linux, use the in-process mode on this system";
                return Err(SandboxError::Config(message.to_owned()));
            }
        };
        Ok(Self {
            offered: runtimes.values().cloned().collect(),
            runtimes,
            maximum,
            place,
        })
    }

    /// How the sandbox is now.
    pub fn status(&self) -> SandboxStatus {
        match &self.place {
            Place::InProcess(threads) => threads.status(),
            #[cfg(target_os = "linux")]
            Place::Workers(pool) => pool.status(),
        }
    }

    /// Takes no more work, lets what runs come to its end for at most `patience`, then ends it.
    /// Work that comes later, or did not end in time, fails as unavailable.
    pub async fn shutdown(&self, patience: Duration) {
        match &self.place {
            Place::InProcess(threads) => threads.shut_down(patience).await,
            #[cfg(target_os = "linux")]
            Place::Workers(pool) => pool.shut_down(patience).await,
        }
    }

    fn unsupported(&self, language: Language) -> ExecutorError {
        let known: Vec<_> = self
            .runtimes
            .keys()
            .map(|language| language.as_str())
            .collect();
        let message = format!(
            "the sandbox has no runtime for {language}, it has: {}",
            known.join(", ")
        );
        ExecutorError::new(ErrorKind::Unsupported, message)
    }

    async fn run(
        &self,
        task: Arc<Task>,
        context: ExecutionContext,
    ) -> Result<Outcome, ExecutorError> {
        if !self.runtimes.contains_key(&task.language) {
            return Err(self.unsupported(task.language));
        }
        let task = grant(task, &self.maximum);
        match &self.place {
            Place::InProcess(threads) => threads.execute(task, context.sink, context.cancel).await,
            #[cfg(target_os = "linux")]
            Place::Workers(pool) => pool.execute(&task, &*context.sink, &context.cancel).await,
        }
    }
}

impl Executor for SandboxExecutor {
    fn backend(&self) -> BackendKind {
        BackendKind::Wasm
    }

    fn runtimes(&self) -> Arc<[Arc<Runtime>]> {
        Arc::clone(&self.offered)
    }

    /// With workers: one at least is there, warm.
    fn is_ready(&self) -> bool {
        match &self.place {
            Place::InProcess(threads) => threads.is_ready(),
            #[cfg(target_os = "linux")]
            Place::Workers(pool) => pool.is_ready(),
        }
    }

    fn maximum(&self) -> Limits {
        self.maximum
    }

    fn execute<'a>(
        &'a self,
        task: Arc<Task>,
        context: ExecutionContext,
    ) -> BoxFuture<'a, Result<Outcome, ExecutorError>> {
        Box::pin(self.run(task, context))
    }
}

/// `task`, with no limit above `maximum`.
fn grant(task: Arc<Task>, maximum: &Limits) -> Arc<Task> {
    let granted = task.limits.at_most(maximum);
    if granted == task.limits {
        return task;
    }
    let mut task = Arc::unwrap_or_clone(task);
    task.limits = granted;
    Arc::new(task)
}
