//! The real runner with its real interpreters, driven through a small Runtime API.

mod answers;
mod attacks;
mod harness;
