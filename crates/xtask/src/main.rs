//! `cargo xtask`: builds, runs, tests and measures sandgate.

mod bench;
mod cache;
mod command;
mod console;
mod fetch;
mod guests;
mod hash;
mod recipe;
mod run;
mod schedule;
mod snapshot;
mod step;
mod system;
mod test;
mod toolchain;
mod unpack;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::cache::Cache;
use crate::console::Console;
use crate::workspace::{Profile, Workspace};

/// Builds, runs, tests and measures sandgate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds the language guests into target/guests/
    Guests {
        /// Guests to build (folders of wasm-runtimes/); all when none is given
        guests: Vec<String>,
        /// Build again what is in the cache
        #[arg(long)]
        force: bool,
        /// Compile the snapshot tool in release mode
        #[arg(long)]
        release: bool,
    },
    /// Builds everything and starts the service in the foreground
    Run {
        /// Arguments for `sandgate serve`, such as --listen 127.0.0.1:9000
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Builds what the tests need, runs them all and sums up
    Test {
        /// Run only tests whose names contain one of these
        filters: Vec<String>,
    },
    /// Runs the benchmarks and prints the goals next to what was measured
    Bench {
        /// Arguments for the benchmarks, such as --quick
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Waits for the service and prints examples (part of `run`)
    #[command(hide = true)]
    Announce {
        /// Where the service listens
        address: String,
    },
}

fn main() -> ExitCode {
    let console = Console::new();
    match perform(Arguments::parse().task, &console) {
        Ok(code) => code,
        Err(error) => {
            console.line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task, console: &Console) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Guests {
            guests,
            force,
            release,
        } => {
            let profile = if release {
                Profile::Release
            } else {
                Profile::Dev
            };
            let request = guests::Request {
                guests,
                force,
                profile,
                all_steps: false,
            };
            guests::build(&request, &workspace, &Cache::open()?, console)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Run { arguments } => {
            run::run(&arguments, &workspace, console)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Test { filters } => test::run(&filters, &workspace, console),
        Task::Bench { arguments } => bench::run(&arguments, &workspace, console),
        Task::Announce { address } => {
            run::announce(&address, console);
            Ok(ExitCode::SUCCESS)
        }
    }
}
