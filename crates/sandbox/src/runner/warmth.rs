//! What an execution leaves in place for the next one.
//!
//! A page that a guest writes to is copied for it: a page fault. The engine takes such a page back
//! to the snapshot by copying over it, and leaves it in place, so that the next execution has it
//! without a fault. But it does so for the first 32 separate runs of pages only, and for
//! [`KEEP_RESIDENT`](crate::engine::KEEP_RESIDENT) in all; everything above that, pages that are only
//! read among it, is unmapped, and faults in again page by page. Small programs write to few pages,
//! but to more runs than that. So before the engine comes to it,
//!
//! - the runs that lie closest together are joined, by taking the pages between them too, until there
//!   are few enough, and all of them stay;
//! - if that would be too much to copy after every execution, what this execution wrote to beyond
//!   what was in place before it is let go, and nothing else.
//!
//! The first programs choose what stays. So that they do not for good, everything is let go now and
//! then.

use std::io;

use wasmtime::Store;

use super::pages::{self, Pages, Span};
use crate::host::Host;

/// The most runs of pages that stay. The others of the engine's 32 are for what so few page faults
/// may bring that nobody looks.
const MOST_RUNS: usize = 30;
/// The most bytes that stay. To copy over a page takes 0.2 to 0.7 us after each execution. To do
/// without it takes up to ten, of each that writes to it: the fault, the looking, the letting go.
const MOST_BYTES: usize = 1 << 20;
/// An execution with fewer page faults wrote to nothing that was not in place before, or to so little
/// that looking for it is not worth 25 us.
const FEW_FAULTS: u64 = 3;
/// After so many executions the choice is made anew.
const RENEWAL: u32 = 1_024;

/// What is in place for the guests of one thread.
#[derive(Debug)]
pub(super) struct Warmth {
    pages: Option<Pages>,
    slots: Vec<Slot>,
}

/// The memory that a guest's instances have in turn.
#[derive(Debug)]
struct Slot {
    base: usize,
    /// What is in place. Sorted, apart from each other.
    kept: Vec<Span>,
    /// Executions since the choice was made.
    executions: u32,
}

impl Warmth {
    /// For an engine of which only the calling thread makes instances.
    pub(super) fn new() -> Self {
        // Without it the engine keeps nothing in place, and there is nothing to do.
        let pages = Pages::open().ok().filter(|_| crate::engine::keeps_pages());
        Self {
            pages,
            slots: Vec::new(),
        }
    }

    /// Gives the instance in `store` back to the pool, after an execution before which this thread
    /// had had `faults` page faults.
    pub(super) fn give_back(&mut self, store: Store<Host>, faults: u64) -> Host {
        if let Some(memory) = store.data().memory {
            let base = memory.data_ptr(&store) as usize;
            let span = base..base.saturating_add(memory.data_size(&store));
            let faults = pages::faults().saturating_sub(faults);
            // The guest has ended: what is in its memory is of no more use to anybody.
            if let Err(error) = self.tidy(&span, faults) {
                // Slower, but as right as before.
                tracing::debug!(%error, "cannot keep a guest's pages in place");
            }
        }
        store.into_data()
    }

    /// Decides what of the memory `span`, whose instance has ended, stays in place.
    fn tidy(&mut self, span: &Span, faults: u64) -> io::Result<()> {
        let Some(pages) = &self.pages else {
            return Ok(());
        };
        let known = self.slots.iter().position(|slot| slot.base == span.start);
        let slot = match known {
            Some(at) => &mut self.slots[at],
            None => self.slots.push_mut(Slot {
                base: span.start,
                kept: Vec::new(),
                executions: 0,
            }),
        };
        slot.executions += 1;
        if slot.executions > RENEWAL {
            slot.executions = 0;
            slot.kept.clear();
            return let_go(span);
        }
        if faults < FEW_FAULTS {
            return Ok(());
        }
        let own = pages.own(span)?;
        let added = match &own {
            Some(own) => beyond(&slot.kept, own, span),
            None => beyond(&slot.kept, std::slice::from_ref(span), span),
        };
        if added.is_empty() {
            return Ok(());
        }
        if let Some(own) = own {
            let wanted = joined(&slot.kept, &own);
            if wanted.iter().map(Span::len).sum::<usize>() <= MOST_BYTES {
                for gap in beyond(&own, &wanted, span) {
                    pages::take(&gap)?;
                }
                slot.kept = wanted;
                return Ok(());
            }
        }
        added.iter().try_for_each(let_go)
    }
}

/// Lets go of pages of a guest that has ended.
fn let_go(span: &Span) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the engine has no way to ask it for this")]
    // SAFETY: the pages are the pool's, mapped for as long as the engine lives. The instance that
    // is still in them has ended and never runs again, and nobody holds a piece of its memory: the
    // store, which has the only way to it, is in the hands of the caller. The engine then finds them
    // as in the snapshot: the mapping is private, so that pages of it that are let go are read again
    // from the snapshot, or are zero beyond it.
    unsafe {
        pages::let_go(span)
    }
}

/// All of `kept` and `own` in at most [`MOST_RUNS`] runs, with as few pages between them as that
/// allows.
fn joined(kept: &[Span], own: &[Span]) -> Vec<Span> {
    let mut all: Vec<&Span> = kept.iter().chain(own).collect();
    all.sort_unstable_by_key(|run| run.start);
    let mut runs: Vec<Span> = Vec::with_capacity(all.len());
    for run in all {
        match runs.last_mut() {
            Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
            Some(_) | None => runs.push(run.clone()),
        }
    }
    let Some(too_many) = runs.len().checked_sub(MOST_RUNS) else {
        return runs;
    };
    // Of the gaps, so many of the smallest are filled.
    let mut gaps: Vec<(usize, usize)> = runs
        .windows(2)
        .enumerate()
        .map(|(at, pair)| (pair[1].start - pair[0].end, at))
        .collect();
    gaps.sort_unstable();
    gaps.truncate(too_many);
    gaps.sort_unstable_by_key(|(_, at)| std::cmp::Reverse(*at));
    for (_, at) in gaps {
        runs[at].end = runs[at + 1].end;
        runs.remove(at + 1);
    }
    runs
}

/// What of `own` is in `span` but not in `kept`.
fn beyond(kept: &[Span], own: &[Span], span: &Span) -> Vec<Span> {
    let ends = kept.iter().map(|run| run.end);
    let starts = kept.iter().map(|run| run.start);
    let between = std::iter::once(span.start)
        .chain(ends)
        .zip(starts.chain(std::iter::once(span.end)));
    between
        .flat_map(|(start, end)| {
            let within = own
                .iter()
                .map(move |run| run.start.max(start)..run.end.min(end));
            within.filter(|run| !run.is_empty())
        })
        .collect()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use sandgate_core::Status;

    use super::super::Runner;
    use super::super::tests::{Calm, guest, task};
    use super::*;

    const PAGE: usize = 4096;

    fn spans(runs: &[(usize, usize)]) -> Vec<Span> {
        runs.iter().map(|(start, end)| *start..*end).collect()
    }

    #[test]
    fn runs_are_joined_across_the_smallest_gaps() {
        let apart: Vec<Span> = (0..MOST_RUNS).map(|n| n * 100..n * 100 + 10).collect();
        assert_eq!(joined(&apart, &[]), apart);
        // Two more than are allowed: the two smallest gaps go.
        let more = spans(&[(5_000, 5_010), (5_012, 5_020), (5_023, 5_030)]);
        let mut expected = apart[..MOST_RUNS - 1].to_vec();
        expected.push(5_000..5_030);
        assert_eq!(joined(&apart[..MOST_RUNS - 1], &more), expected);
        // What overlaps or touches is one run.
        let overlapping = spans(&[(5, 20), (20, 30), (100, 105)]);
        assert_eq!(
            joined(&spans(&[(0, 10)]), &overlapping),
            spans(&[(0, 30), (100, 105)])
        );
    }

    #[test]
    fn what_was_kept_before_is_not_let_go() {
        let (kept, span) = (spans(&[(10, 20), (40, 50)]), 0..100);
        let own = spans(&[(2, 4), (6, 12), (18, 22), (30, 31), (45, 60), (70, 71)]);
        assert_eq!(
            beyond(&kept, &own, &span),
            spans(&[(2, 4), (6, 10), (20, 22), (30, 31), (50, 60), (70, 71)])
        );
        assert_eq!(beyond(&kept, &spans(&[(12, 15)]), &span), spans(&[]));
        assert_eq!(beyond(&[], &own, &span), own);
        assert_eq!(
            beyond(&kept, std::slice::from_ref(&span), &span),
            spans(&[(0, 10), (20, 40), (50, 100)])
        );
    }

    /// A guest that writes to 60 pages, every third, or, if its request is large, to nine million
    /// bytes that it does not have yet.
    const SCATTERED_OR_MUCH: &str = "
        (if (i32.lt_u (local.get $len) (i32.const 100000))
          (then
            (loop $next
              (i32.store8 (i32.add (i32.const 81920) (i32.mul (local.get $i) (i32.const 12288)))
                (i32.const 1))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $next (i32.lt_u (local.get $i) (i32.const 60)))))
          (else
            (drop (memory.grow (i32.const 160)))
            (memory.fill (i32.const 1048576) (i32.const 1) (i32.const 9000000))))
        (i32.const 0)";

    /// Runs the guest on a request of about `request` bytes. Gives how many pages it has of its own
    /// afterwards, and how many page faults it had.
    fn run(runner: &mut Runner, request: usize) -> (usize, u64) {
        let mut task = task();
        task.code = "x".repeat(request);
        let before = pages::faults();
        let outcome = runner.run(&task, &mut |_, _| {}, &Calm).outcome;
        let faults = pages::faults() - before;
        assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
        let slot = &runner.warmth.slots[0];
        let own = runner.warmth.pages.as_ref().unwrap();
        let own = own
            .own(&(slot.base..slot.base + (16 << 20)))
            .unwrap()
            .unwrap();
        (own.iter().map(Span::len).sum::<usize>() / PAGE, faults)
    }

    #[test]
    fn what_small_programs_write_stays_and_what_large_ones_write_goes() {
        let runner = &mut guest(SCATTERED_OR_MUCH);
        if runner.warmth.pages.is_none() {
            return;
        }
        let (kept, faults) = run(runner, 10);
        assert!((60..=MOST_BYTES / PAGE).contains(&kept), "{kept}");
        assert!(faults >= 60, "{faults}");
        // The engine alone would put back 32 of the 60 runs. It is none here, but the system may move
        // a page now and then, which is a fault, too.
        const MOST_FAULTS: u64 = 20;
        let (again, faults) = run(runner, 10);
        assert_eq!(again, kept);
        assert!(faults < MOST_FAULTS, "{faults}");
        // Thousands of faults, or few where the system makes huge pages of its own accord.
        let (after_much, faults) = run(runner, 100_000);
        assert!(faults >= FEW_FAULTS, "{faults}");
        assert_eq!(after_much, kept);
        let (_, faults) = run(runner, 10);
        assert!(faults < MOST_FAULTS, "{faults}");
    }

    #[test]
    fn the_choice_is_made_anew_now_and_then() {
        let runner = &mut guest(SCATTERED_OR_MUCH);
        if runner.warmth.pages.is_none() {
            return;
        }
        let (kept, _) = run(runner, 10);
        runner.warmth.slots[0].executions = RENEWAL;
        assert_eq!(run(runner, 10).0, 0);
        assert_eq!(run(runner, 10).0, kept);
    }
}
