//! The wasm engine's settings, all of them, with their reasons.

use wasmtime::{Config, Enabled, Engine, OperatorCost, OptLevel, PoolingAllocationConfig};

use crate::SandboxError;

/// Goes into the key of compiled forms. Raise it when a change below makes old compiled forms
/// wrong in a way that the engine's own compatibility hash does not see.
pub(crate) const SETTINGS_VERSION: u32 = 1;

/// Fuel between two looks at the deadline, the caller and the printed text. Guests use 5 to 15
/// units a nanosecond, so this is 0.1 to 0.2 ms; a look costs about 0.2 us.
pub(crate) const YIELD_FUEL: u64 = 1_000_000;

/// The deepest a guest's calls may go. Guests end recursion in their own language well before.
const WASM_STACK: usize = 8 << 20;

/// What host functions may use on top. They need a few KiB; the room is address space, not memory.
const HOST_STACK: usize = 2 << 20;

/// A stack that fits a guest and the host: its size on threads that run guests.
pub(crate) const STACK: usize = WASM_STACK + HOST_STACK;

/// Address space for one linear memory: all that 32 bits reach, so that no access needs a check.
const MEMORY_RESERVATION: u64 = 4 << 30;

/// Elements of the largest function table. CPython's has about 14,000.
pub(crate) const TABLE_ELEMENTS: usize = 65_536;

/// The most of what one execution wrote that the next finds in place, instead of by a page fault each.
/// What is kept is copied over after every later execution, up to 50 us for each MiB. The runner
/// keeps it smaller: see `runner/warmth.rs`.
pub(crate) const KEEP_RESIDENT: usize = 5 << 18;

/// The settings that shape compiled code, and those of running it on `slots` instances.
///
/// `slots` is none for an engine that only compiles.
fn config(slots: Option<u32>) -> Config {
    let mut config = Config::new();

    // Fuel is the deterministic limit, and its yields are where deadline and cancellation are
    // seen. Epochs would add a second check at every loop head, 1.1 to 1.24 times the time.
    config.consume_fuel(true);
    // Bulk operations are charged by the byte, growing memory by the page: no single instruction
    // of the guest does much work for little fuel.
    let mut cost = OperatorCost::new();
    cost.variable.memory_grow_per_page = 64;
    config.operator_cost(cost);

    config.cranelift_opt_level(OptLevel::Speed);
    // Nobody reads a wasm backtrace of an interpreter; without them the compiled form is smaller
    // and a trap cheaper.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    config.native_unwind_info(false);

    // Guests run on a stack of their own. What is left of it when a guest used all it may is for
    // host functions, so no depth of guest calls can overflow a host stack.
    config.max_wasm_stack(WASM_STACK);
    config.async_stack_size(STACK);
    // Only the component model's concurrency needs what this sets up in every store.
    config.concurrency_support(false);

    config.memory_reservation(MEMORY_RESERVATION);
    config.memory_guard_size(32 << 20);
    // With the base fixed, compiled code need not load it again after each call.
    config.memory_may_move(false);
    // The snapshot is mapped copy-on-write. The default stops doing so, silently, at 16 MiB.
    config.memory_init_cow(true);
    config.memory_guaranteed_dense_image_size(MEMORY_RESERVATION);

    if let Some(slots) = slots {
        config.allocation_strategy(pool(slots));
    }
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots)
        .total_memories(slots)
        .total_tables(slots)
        // One at a time, whichever guest. It keeps the depth it once had, at most `WASM_STACK`:
        // to give that back would be a system call for each execution.
        .total_stacks(1)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(TABLE_ELEMENTS)
        .max_core_instance_size(1 << 20)
        // The store's limiter decides; the slot is reserved whole anyway.
        .max_memory_size(usize::try_from(MEMORY_RESERVATION).unwrap_or(usize::MAX))
        // A slot that stays warm with a guest's snapshot mapped is the one that guest gets again.
        .max_unused_warm_slots(slots);
    // With PAGEMAP_SCAN (Linux 6.7) the kernel says which pages are dirty, and only those are
    // copied back. Without it all of the kept range would be: 12 ms instead of 0.02.
    if keeps_pages() {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(TABLE_ELEMENTS * size_of::<usize>());
    }
    pool
}

/// Whether pages that one execution wrote to are put back where they are for the next.
pub(crate) fn keeps_pages() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

/// An engine that compiles.
pub(crate) fn compiler() -> Result<Engine, SandboxError> {
    Engine::new(&config(None)).map_err(|error| SandboxError::engine("start its compiler", error))
}

/// An engine that runs `guests` different guests, one instance at a time: a slot for each guest,
/// so that each keeps its own warm.
pub(crate) fn runtime(guests: usize) -> Result<Engine, SandboxError> {
    let slots = u32::try_from(guests.max(1)).unwrap_or(u32::MAX);
    Engine::new(&config(Some(slots))).map_err(|error| SandboxError::engine("start", error))
}
