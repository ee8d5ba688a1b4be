//! Runs tasks, one at a time, on the calling thread.
//!
//! A run is a fresh instance of a guest's snapshot in a fresh store; both are gone at its end,
//! whatever the end was. The guest runs on a stack of its own and comes back after every slice of
//! fuel, so that deadline, cancellation and output limit are looked at from here, several times a
//! millisecond.

mod drive;
#[cfg_attr(not(target_os = "linux"), path = "runner/pages_elsewhere.rs")]
mod pages;
mod verdict;
mod warmth;

use std::fs::File;
use std::time::{Duration, Instant};

use sandgate_core::{
    Artifact, Language, Limits, Outcome, OutputStream, Task, TaskFile, Truncated, Usage,
};
use serde::{Deserialize, Serialize};
use wasmtime::{Engine, ExternType, InstancePre, Module, ModuleExport, Store, Trap};

use self::drive::{Ending, Watch};
#[cfg(target_os = "linux")]
pub(crate) use self::pages::PAGEMAP_SCAN;
use self::warmth::Warmth;
use crate::control::Control;
use crate::host::stdio::StdioBlock;
use crate::host::{self, Host};
use crate::{SandboxError, artifacts, engine, request};

/// What a runner has to know of a guest besides its code. Sent to workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GuestInfo {
    /// The language it runs.
    pub(crate) language: Language,
    /// The address of its stdio block.
    pub(crate) stdio: u32,
}

/// A guest ready to be loaded: its facts, and the open file of its verified compiled form.
#[derive(Debug)]
pub(crate) struct LoadedGuest {
    /// The facts.
    pub(crate) info: GuestInfo,
    /// The compiled form. Must have been verified: see [`crate::compiled`].
    pub(crate) code: File,
}

/// A guest ready to run.
struct Guest {
    language: Language,
    block: StdioBlock,
    instance: InstancePre<Host>,
    exports: Exports,
    /// Size of the snapshot's memory.
    memory_bytes: u64,
}

/// Where a guest's exports are.
struct Exports {
    memory: ModuleExport,
    alloc: ModuleExport,
    run: ModuleExport,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The outcome, but for the files.
    pub(crate) outcome: Outcome,
    /// The files that the guest left, sorted by path. Who answers for the outcome describes them:
    /// a worker sends them as they are, for its parent would not take its word.
    pub(crate) files: Vec<TaskFile>,
}

impl Ended {
    /// The outcome with its files.
    pub(crate) fn into_outcome(self) -> Outcome {
        let artifact = |file: TaskFile| Artifact::new(file.path, file.content);
        Outcome {
            artifacts: self.files.into_iter().map(artifact).collect(),
            ..self.outcome
        }
    }
}

/// The loaded guests of one thread or one worker process.
pub(crate) struct Runner {
    engine: Engine,
    guests: Vec<Guest>,
    warmth: Warmth,
    maximum_memory_mb: u32,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let languages: Vec<_> = self.guests.iter().map(|guest| guest.language).collect();
        f.debug_struct("Runner")
            .field("guests", &languages)
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// Loads `guests`, for executions of at most `maximum`.
    pub(crate) fn new(guests: Vec<LoadedGuest>, maximum: &Limits) -> Result<Self, SandboxError> {
        let engine = engine::runtime(guests.len())?;
        let linker = host::linker(&engine)
            .map_err(|error| SandboxError::engine("define the host's functions", error))?;
        let guests = guests
            .into_iter()
            .map(|guest| {
                #[expect(
                    unsafe_code,
                    reason = "the engine cannot check that compiled code is its own; `compiled` has"
                )]
                // SAFETY: the file is a compiled form that `compiled` made with this engine and
                // these settings, and whose hash it verified through this very descriptor, in a
                // folder that only this user can write to.
                let module = unsafe { Module::deserialize_open_file(&engine, guest.code) };
                let module =
                    module.map_err(|error| SandboxError::engine("load a compiled guest", error))?;
                Guest::new(&guest.info, &module, &linker)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            engine,
            guests,
            warmth: Warmth::new(),
            maximum_memory_mb: maximum.memory_mb,
        })
    }

    /// Runs `task` and says what came of it. Whatever the task or the guest does, this returns.
    pub(crate) fn run(
        &mut self,
        task: &Task,
        output: &mut dyn FnMut(OutputStream, &[u8]),
        control: &dyn Control,
    ) -> Ended {
        let started = Instant::now();
        let faults = pages::faults();
        let Some(guest) = self
            .guests
            .iter()
            .find(|guest| guest.language == task.language)
        else {
            let reason = format!("there is no guest for {}", task.language);
            return Ended {
                outcome: verdict::not_run(reason),
                files: Vec::new(),
            };
        };
        let memory_mb = task.limits.memory_mb.min(self.maximum_memory_mb);
        let memory_limit = guest
            .memory_bytes
            .saturating_add(u64::from(memory_mb) << 20);
        let host = Host::new(task, guest.block, memory_limit, started);
        let mut watch = Watch {
            shared: std::sync::Arc::clone(&host.shared),
            deadline: started.checked_add(Duration::from_millis(task.limits.timeout_ms)),
            output,
            control,
        };
        let mut store = Store::new(&self.engine, host);
        let ending = guest.execute(&mut store, task, &mut watch);
        watch.pass_on();
        let left = store.get_fuel().unwrap_or(0);
        let host = self.warmth.give_back(store, faults);
        finish(host, left, task, guest.memory_bytes, ending, started)
    }
}

impl Guest {
    fn new(
        info: &GuestInfo,
        module: &Module,
        linker: &wasmtime::Linker<Host>,
    ) -> Result<Self, SandboxError> {
        let departs = |reason: String| SandboxError::Abi {
            language: info.language,
            reason,
        };
        let export = |name: &str| {
            module
                .get_export_index(name)
                .ok_or_else(|| departs(format!("it does not export `{name}`")))
        };
        let exports = Exports {
            memory: export("memory")?,
            alloc: export("sandgate_alloc")?,
            run: export("sandgate_run")?,
        };
        let memory_bytes = match module.get_export("memory") {
            Some(ExternType::Memory(memory)) if !memory.is_64() && !memory.is_shared() => {
                memory.minimum().saturating_mul(memory.page_size())
            }
            _ => return Err(departs("`memory` is not a plain 32-bit memory".to_owned())),
        };
        let block_end = u64::from(info.stdio) + 32;
        if block_end > memory_bytes {
            return Err(departs("its stdio block is outside its memory".to_owned()));
        }
        let instance = linker.instantiate_pre(module).map_err(|error| {
            departs(format!(
                "it imports what this sandbox does not offer: {error:#}"
            ))
        })?;
        Ok(Self {
            language: info.language,
            block: StdioBlock(info.stdio),
            instance,
            exports,
            memory_bytes,
        })
    }

    /// Runs `task` in a fresh instance.
    fn execute(&self, store: &mut Store<Host>, task: &Task, watch: &mut Watch<'_>) -> Ending {
        store.limiter(|host| &mut host.limiter);
        match drive::to_end(self.start(store, task)) {
            Ok(Some((run, request))) => {
                let base = store.data().memory.map(|memory| memory.data_ptr(&*store));
                let window = drive::Window::new(base, self.memory_bytes, self.block);
                drive::drive(run.call_async(&mut *store, request), &window, watch)
            }
            Ok(None) => Ending::NoRoom,
            Err(error) => Ending::Failed(error),
        }
    }

    /// Makes the instance and places the request in it; none if it has no room for that.
    ///
    /// This much is not watched: it is the snapshot's own code on the snapshot's own state, nothing
    /// of the snippet's.
    async fn start(
        &self,
        store: &mut Store<Host>,
        task: &Task,
    ) -> wasmtime::Result<Option<Started>> {
        store.set_fuel(budget(&task.limits))?;
        let instance = self.instance.instantiate_async(&mut *store).await?;
        let missing = || wasmtime::Error::msg("an export is not what it was");
        let export = |store: &mut Store<Host>, export: &ModuleExport| {
            instance
                .get_module_export(store, export)
                .ok_or_else(missing)
        };
        let memory = export(store, &self.exports.memory)?
            .into_memory()
            .ok_or_else(missing)?;
        store.data_mut().memory = Some(memory);
        let alloc = export(store, &self.exports.alloc)?
            .into_func()
            .ok_or_else(missing)?;
        let alloc = alloc.typed::<u32, u32>(&*store)?;
        let run = export(store, &self.exports.run)?
            .into_func()
            .ok_or_else(missing)?;
        let run = run.typed::<(u32, u32), u32>(&*store)?;

        let Some(block) = request::encode(task) else {
            return Ok(None);
        };
        let len = u32::try_from(block.len())?;
        let ptr = alloc.call_async(&mut *store, len).await?;
        if ptr == 0 {
            return Ok(None);
        }
        host::memory::write(memory.data_mut(&mut *store), ptr, &block)?;
        store.fuel_async_yield_interval(Some(engine::YIELD_FUEL))?;
        Ok(Some((run, (ptr, len))))
    }
}

/// The fuel that the engine is given: a unit more than the limit.
///
/// The engine ends a guest that has none left, but looks only where a function or a round of a loop
/// begins, and says zero however far past that the guest has gone. With a unit more, nothing left
/// means exactly that the limit was passed, also where the engine looked no more.
fn budget(limits: &Limits) -> u64 {
    limits.fuel.saturating_add(1)
}

type Started = (wasmtime::TypedFunc<(u32, u32), u32>, (u32, u32));

/// Says what it was, from what the instance left and the fuel it had `left`.
fn finish(
    host: Host,
    left: u64,
    task: &Task,
    snapshot_bytes: u64,
    ending: Ending,
    started: Instant,
) -> Ended {
    let fuel = (budget(&task.limits).saturating_sub(left)).saturating_add(host.debt());
    // What a guest used since the engine's last look, and the host for it, is known only now.
    let ending = match ending {
        Ending::Returned(_) | Ending::Failed(_) | Ending::Lying(_) if fuel > task.limits.fuel => {
            Ending::Failed(Trap::OutOfFuel.into())
        }
        Ending::Returned(_)
        | Ending::NoRoom
        | Ending::Failed(_)
        | Ending::Timeout
        | Ending::Cancelled
        | Ending::OutputLimit
        | Ending::Lying(_) => ending,
    };
    let observed = host.observed();
    let peak = (host.limiter.peak as u64).saturating_sub(snapshot_bytes);
    let over_output = host::lock(&host.shared).output.over_limit();
    let verdict = verdict::judge(
        ending,
        over_output,
        host.limiter.denied,
        host.report.error,
        host.report.out_of_memory,
    );
    let [stdout, stderr] = std::mem::replace(
        &mut host::lock(&host.shared).output,
        host::stdio::Output::new(0),
    )
    .into_parts();
    let (files, files_left) = artifacts::collect(host.files, &task.files, task.limits.file_bytes);
    let outcome = Outcome {
        status: verdict.status,
        exit_code: verdict.exit_code,
        stdout: stdout.0,
        stderr: stderr.0,
        truncated: Truncated {
            stdout: stdout.1,
            stderr: stderr.1,
            results: host.report.truncated,
            artifacts: files_left,
        },
        error: verdict.error,
        results: host.report.results,
        artifacts: Vec::new(),
        observed,
        usage: Usage {
            wall_ms: started.elapsed().as_secs_f64() * 1_000.0,
            fuel: fuel.min(task.limits.fuel),
            peak_memory_bytes: peak,
            ..Usage::default()
        },
    };
    Ended { outcome, files }
}

#[cfg(test)]
mod tests;
