//! The real runner with its real interpreters, driven through a small Runtime API.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod answers;
mod attacks;
mod attempts;
mod clock;
mod harness;
#[cfg(feature = "lowered-walls")]
mod lowered;
mod measure;
mod r;
mod service;
