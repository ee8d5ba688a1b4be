//! The processes of an environment: how they are started apart from the machine, frozen, measured
//! and ended.

mod launch;
mod loopback;
mod running;
mod shim;
mod sockets;
mod tree;

pub(crate) use launch::Launch;
pub(crate) use running::{Exit, Memory, Process};
pub use shim::run_shim_if_asked;
pub(crate) use sockets::{Handover, HandoverError};
