//! The entry point of the Lambda image.
//!
//! Without arguments it serves invocations, as AWS's Runtime API hands them out. `catalogue`
//! writes what the image can run, while the image is built.

mod catalogue;
mod collect;
mod drive;
mod execute;
mod frames;
mod harden;
mod layout;
mod processes;
mod scratch;
mod service;
mod transfer;
mod verdict;
mod zygote;

use std::process::ExitCode;

use tracing::error;

use crate::layout::Layout;

/// A bad environment or usage, as `sysexits.h` has it.
const EX_USAGE: u8 = 64;
/// A failure of ours.
const EX_SOFTWARE: u8 = 70;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("SANDGATE_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // Lambda adds the time.
        .without_time()
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let layout = match Layout::find() {
        Ok(layout) => layout,
        Err(problem) => {
            error!("{problem}");
            return ExitCode::from(EX_USAGE);
        }
    };
    let done = match arguments.as_slice() {
        [] => service::serve(layout),
        [command] if command == "catalogue" => catalogue::write(&layout),
        _ => {
            error!("usage: sandgate-runner [catalogue]");
            return ExitCode::from(EX_USAGE);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::from(EX_SOFTWARE)
        }
    }
}
