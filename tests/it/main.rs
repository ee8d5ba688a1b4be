//! What crosses crates: attacks, isolation, limits, worker processes, the guests' own cases, the
//! service over TCP, and the soak.
//!
//! `cargo xtask test` builds what these tests need: the guests in `target/guests` and the
//! `sandgate` binary of the same profile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_debug_implementations,
    unreachable_pub,
    reason = "tests: a panic is a failed test, and clippy's own exemption covers only test functions"
)]

mod attacks;
mod catalogues;
mod deploy;
mod guests;
mod harness;
mod heap;
mod http;
mod isolation;
mod lambda;
mod limits;
mod processes;
mod reproducibility;
mod soak;
mod workers;
