//! What a guest can reach: WASI preview 1 over in-memory files, and the `sandgate` imports.

mod clock;
mod content;
mod entropy;
mod errno;
mod fd;
mod files;
pub(crate) mod memory;
mod path;
mod sandgate;
pub(crate) mod stdio;
mod system;
mod tree;
mod wasi;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;

use sandgate_core::{GuestReport, Observed, Task};
use wasmtime::{Caller, Engine, Linker, Memory, ResourceLimiter, Trap};

use self::clock::Clock;
use self::entropy::Entropy;
use self::errno::Errno;
pub(crate) use self::files::Files;
use self::memory::OutOfBounds;
use self::stdio::{Output, StdioBlock};
pub(crate) use self::tree::{Kind, NodeId};
use crate::engine::{TABLE_ELEMENTS, YIELD_FUEL};

/// Fuel for any call of the host: about what the cheap ones take.
const CALL_FUEL: u64 = 500;

/// What ends a guest from within a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum End {
    /// It asked to exit.
    #[error("exit with code {0}")]
    Exit(u32),
    /// It printed more than it may.
    #[error("printed more than is kept")]
    OutputLimit,
    /// It named memory that it does not have.
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}

/// Why a host call fails: for the guest to handle, or for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    Errno(Errno),
    End(End),
}

impl From<Errno> for Fail {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<OutOfBounds> for Fail {
    fn from(error: OutOfBounds) -> Self {
        Self::End(error.into())
    }
}

impl From<End> for Fail {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

/// What the host shares with the loop that drives the guest, which cannot look into the store
/// while a call is under way.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What the guest has printed.
    pub(crate) output: Output,
    /// Until when the guest sleeps.
    pub(crate) sleep: Option<Instant>,
}

/// Locks what is shared. Nobody panics while holding it, and if so it is none the worse.
pub(crate) fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bounds a guest's memory, and notes what it wanted.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: usize,
    /// The most memory it had.
    pub(crate) peak: usize,
    /// It was refused memory.
    pub(crate) denied: bool,
}

impl Limiter {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            peak: 0,
            denied: false,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.limit && maximum.is_none_or(|maximum| desired <= maximum);
        if granted {
            self.peak = self.peak.max(desired);
        } else {
            self.denied = true;
        }
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}

/// The host's side of one execution.
pub(crate) struct Host {
    /// The guest's memory, from when it is instantiated.
    pub(crate) memory: Option<Memory>,
    pub(crate) block: StdioBlock,
    pub(crate) shared: Arc<Mutex<Shared>>,
    pub(crate) limiter: Limiter,
    pub(crate) files: Files,
    pub(crate) report: GuestReport,
    clock: Clock,
    entropy: Entropy,
    /// Fuel for the host's work that is not paid yet.
    debt: u64,
}

impl Host {
    /// The host for `task`, whose guest may have `memory_limit` bytes of memory in all.
    pub(crate) fn new(task: &Task, block: StdioBlock, memory_limit: u64, started: Instant) -> Self {
        let mut clock = Clock::new(task.now, started);
        let now = clock.file_time();
        Self {
            memory: None,
            block,
            shared: Arc::new(Mutex::new(Shared {
                output: Output::new(task.limits.output_bytes),
                sleep: None,
            })),
            limiter: Limiter::new(memory_limit),
            files: Files::new(&task.files, task.stdin.clone(), &task.limits, now),
            report: GuestReport::new(task.limits.result_bytes),
            entropy: Entropy::new(task.seed),
            clock,
            debt: 0,
        }
    }

    /// What the guest looked at that differs from run to run.
    pub(crate) fn observed(&self) -> Observed {
        Observed {
            clock: self.clock.observed(),
            entropy: self.entropy.observed(),
        }
    }

    /// Fuel that is owed on top of what the engine counted.
    pub(crate) fn debt(&self) -> u64 {
        self.debt
    }

    /// Charges for `units` of work, about a byte moved each.
    fn charge(&mut self, units: u64) {
        self.debt = self.debt.saturating_add(units);
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Everything a guest may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    wasi::add(&mut linker)?;
    sandgate::add(&mut linker)?;
    Ok(linker)
}

/// Runs `body` on the host's state and the guest's memory.
fn with_memory<R>(
    caller: &mut Caller<'_, Host>,
    body: impl FnOnce(&mut Host, &mut [u8]) -> R,
) -> wasmtime::Result<R> {
    let memory = caller
        .data()
        .memory
        .ok_or_else(|| wasmtime::Error::msg("called before the guest was instantiated"))?;
    let (data, host) = memory.data_and_store_mut(caller);
    host.charge(CALL_FUEL);
    Ok(body(host, data))
}

/// A WASI function: what it returns to the guest is an errno.
fn call(
    caller: &mut Caller<'_, Host>,
    body: impl FnOnce(&mut Host, &mut [u8]) -> Result<(), Fail>,
) -> wasmtime::Result<u32> {
    match with_memory(caller, body)? {
        Ok(()) => Ok(0),
        Err(Fail::Errno(errno)) => Ok(u32::from(errno as u16)),
        Err(Fail::End(end)) => Err(end.into()),
    }
}

/// Pays for the host's work with the guest's fuel, and lets the outside look in when there was much
/// of it: a guest that only makes the host work runs out of fuel and time like any other.
async fn settle(caller: &mut Caller<'_, Host>) -> wasmtime::Result<()> {
    let debt = caller.data().debt;
    if debt < YIELD_FUEL {
        return Ok(());
    }
    caller.data_mut().debt = 0;
    let left = caller.get_fuel()?.saturating_sub(debt);
    caller.set_fuel(left)?;
    if left == 0 {
        return Err(Trap::OutOfFuel.into());
    }
    yield_now().await;
    Ok(())
}

/// Gives control to the loop that drives the guest, once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
