//! What a Python program lets go of is there again, for pieces of any size.

use crate::harness::{Snippet, in_both_modes};

/// Memory for the programs below, in MiB.
const MEMORY: u32 = 128;

/// Programs that need little more at a time than they say.
const PROGRAMS: [(&str, &str); 2] = [
    // No size is rounded up to what wastes a third.
    (
        "kept = [bytes(10 << 20) for _ in range(11)]\nprint(len(kept))",
        "11\n",
    ),
    // Each piece is larger than the one before, which is gone: none fits where another was.
    (
        "for mib in range(5, 101, 5):\n    piece = None\n    piece = bytearray(mib << 20)\nprint(len(piece) >> 20)",
        "100\n",
    ),
];

#[test]
fn memory_let_go_is_had_again() {
    in_both_modes(async |_, executor| {
        for (program, prints) in PROGRAMS {
            Snippet::python(program)
                .limits(|limits| {
                    limits.memory_mb = MEMORY;
                    limits.timeout_ms = 60_000;
                })
                .on(&*executor)
                .await
                .assert_prints(prints);
        }
    });
}
