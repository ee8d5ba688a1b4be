//! The sandgate service and command line, as a library so that tests can hold its parts.

pub mod bench;
pub mod cli;
mod cloud;
pub mod config;
pub mod exec;
pub mod http;
pub mod run;
pub mod serve;
pub mod startup;
