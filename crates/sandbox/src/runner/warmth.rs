//! What an execution leaves in place for the next one.
//!
//! The engine takes a page that a guest wrote back to the snapshot by copying over it, and leaves
//! it where it is, which spares the next execution a page fault. But from then on it does so after
//! every execution, whether that wrote to the page or not, and begins to give other pages up instead:
//! one execution that writes a megabyte would make all that come after it slower, for good (three
//! times, for the smallest). So when one wrote that much, all of it is let go.

use wasmtime::Store;

use crate::engine::KEEP_RESIDENT;
use crate::host::Host;

/// Gives the instance in `store` back to the pool. If it wrote more than is worth keeping, the
/// guest's next one finds nothing in place.
///
/// The calling thread must be the only one that uses the store's engine.
pub(super) fn give_back(store: Store<Host>) -> Host {
    let engine = store.engine().clone();
    let metrics = engine.pooling_allocator_metrics();
    // What other guests' executions have left; this one's place is taken.
    let others = metrics
        .as_ref()
        .map_or(0, |metrics| metrics.unused_memory_bytes_resident());
    let memory = store.data().memory;
    let extent = memory.map(|memory| (memory.data_ptr(&store), memory.data_size(&store)));
    let host = store.into_data();
    let kept = metrics.map_or(0, |metrics| metrics.unused_memory_bytes_resident());
    if kept.saturating_sub(others) >= KEEP_RESIDENT
        && let Some((base, len)) = extent
    {
        let_go(base, len);
    }
    host
}

/// Lets go of the `len` bytes of pages at `base`, which an instance had that is no more.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the engine has no way to ask it for this after the fact"
)]
fn let_go(base: *mut u8, len: usize) {
    use rustix::mm::Advice;
    // SAFETY: the pages are the pool's, mapped for as long as the engine lives, and no instance is
    // in them: the only thread that makes any is this one. The engine holds that they are as in the
    // snapshot, and so they are afterwards: the mapping is private, so that pages of it that are
    // dropped are read again from the snapshot, or are zero beyond it.
    let done = unsafe { rustix::mm::madvise(base.cast(), len, Advice::LinuxDontNeed) };
    if let Err(error) = done {
        // Slower, but as right as before.
        tracing::debug!(%error, "cannot let go of a guest's pages");
    }
}

/// The engine keeps nothing in place on other systems.
#[cfg(not(target_os = "linux"))]
fn let_go(_: *mut u8, _: usize) {}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;
    use std::time::Instant;

    use wasmtime::PoolingAllocationConfig;

    use super::super::tests::{Calm, guest, task};
    use super::super::{Watch, drive::Ending};
    use super::*;

    /// How many of the pages of `len` bytes at `base` are in memory.
    fn present(base: usize, len: usize) -> usize {
        let pages = File::open("/proc/self/pagemap").unwrap();
        let mut entries = vec![0; len / 4096 * 8];
        pages
            .read_exact_at(&mut entries, (base / 4096 * 8) as u64)
            .unwrap();
        // The highest bit of each entry.
        let last_bytes = entries.iter().skip(7).step_by(8);
        last_bytes.filter(|byte| **byte & 0x80 != 0).count()
    }

    /// Runs `body` and counts the pages that stay of its memory.
    fn left_by(body: &str) -> usize {
        let runner = guest(body);
        let (task, started) = (task(), Instant::now());
        let guest = &runner.guests[0];
        let host = Host::new(&task, guest.block, 64 << 20, started);
        let mut watch = Watch {
            shared: std::sync::Arc::clone(&host.shared),
            deadline: None,
            output: &mut |_, _| {},
            control: &Calm,
        };
        let mut store = Store::new(&runner.engine, host);
        let ending = guest.execute(&mut store, &task, &mut watch);
        assert!(matches!(ending, Ending::Returned(0)), "{ending:?}");
        let memory = store.data().memory.unwrap();
        let (base, len) = (memory.data_ptr(&store) as usize, memory.data_size(&store));
        assert!(present(base, len) > 0);
        give_back(store);
        present(base, len)
    }

    #[test]
    fn little_is_kept_and_much_is_let_go() {
        let few = left_by(
            "(memory.fill (i32.const 70000) (i32.const 1) (i32.const 100000)) (i32.const 0)",
        );
        if PoolingAllocationConfig::is_pagemap_scan_available() {
            assert!(few >= 25, "{few}");
        }
        let none = left_by(
            "(drop (memory.grow (i32.const 160)))
             (memory.fill (i32.const 70000) (i32.const 1) (i32.const 9000000)) (i32.const 0)",
        );
        assert_eq!(none, 0);
    }
}
