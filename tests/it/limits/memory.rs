//! Memory.

use sandgate_core::Status;

use super::{LANGUAGES, either};
use crate::harness::{Snippet, in_both_modes};

#[test]
fn memory_counts_beyond_the_interpreter() {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            let filling = |mib: usize| {
                either(
                    language,
                    &format!("print('before')\nx = bytearray({mib} << 20)"),
                    &format!("console.log('before'); const x = new Uint8Array({mib} << 20)"),
                )
                .limits(|limits| limits.memory_mb = 64)
            };
            let report = filling(56).on(&*executor).await;
            report.assert_status(Status::Ok);
            let peak = report.outcome.usage.peak_memory_bytes >> 20;
            // Some of it is what the snapshot has to spare.
            assert!((50..=64).contains(&peak), "{}", report.summary());

            let report = filling(72).on(&*executor).await;
            report.assert_status(Status::OutOfMemory);
            assert_eq!(report.stdout(), "before\n");

            // A small program fits into what the snapshot has to spare.
            either(language, "print('small')", "console.log('small')")
                .limits(|limits| limits.memory_mb = 1)
                .on(&*executor)
                .await
                .assert_prints("small\n");
        }
    });
}

#[test]
fn memory_error_that_is_handled_is_the_snippets_business() {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            either(
                language,
                "try:\n    x = bytearray(300 << 20)\nexcept MemoryError:\n    print('handled')",
                "try { new Uint8Array(300 << 20); } catch { console.log('handled'); }",
            )
            .on(&*executor)
            .await
            .assert_prints("handled\n");
        }
    });
}

#[test]
fn a_grant_beyond_the_maximum_is_cut_to_it() {
    in_both_modes(async |_, executor| {
        // The executor's own wall: no task, however it came about, gets more than the pool has.
        let report = Snippet::python("x = bytearray(1100 << 20)")
            .limits(|limits| limits.memory_mb = u32::MAX)
            .on(&*executor)
            .await;
        report.assert_status(Status::OutOfMemory);
    });
}
