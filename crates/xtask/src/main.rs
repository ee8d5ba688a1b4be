//! `cargo xtask`: builds, runs, tests and measures sandgate.

mod cache;
mod command;
mod console;
mod fetch;
mod guests;
mod hash;
mod recipe;
mod schedule;
mod snapshot;
mod step;
mod system;
mod toolchain;
mod unpack;
mod workspace;

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
    }
}
