//! From a configuration to a router.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandgate::{
    BuildError, DirectoryStore, MemoryOutputs, OutputError, OutputStore, Router, RouterBuilder,
    SpooledOutputs,
};
use sandgate_sandbox::{SandboxConfig, SandboxMode, WorkerCommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::http::EXECUTIONS;

/// Why the service, or a command, cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There are no guests where they could be.
    #[error(
        "no guests found in {}: build them with `cargo xtask guests`, or say where they are with \
         --guests",
        .0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoGuests(Vec<PathBuf>),
    /// The binary does not know where it is.
    #[error("cannot find this program's own file")]
    NoProgram(#[source] std::io::Error),
    /// The outputs' directory cannot be used.
    #[error("cannot use the output directory {}", .0.display())]
    OutputsDirectory(PathBuf, #[source] std::io::Error),
    /// The output spool cannot be used.
    #[error("cannot use the output spool")]
    Spool(#[source] OutputError),
    /// A backend does not start.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Where a command keeps the outputs of what it executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the data directory, by way of the spool.
    OnDisk,
    /// Nowhere: the command itself shows them.
    InMemory,
}

/// Sets up a router as `config` says.
///
/// # Errors
/// Says what is missing, and what to do.
pub async fn router(config: &Config, keep: Keep) -> Result<Router, StartError> {
    let mut sandbox = sandbox(config)?;
    let mut builder = builder(config);
    match keep {
        Keep::OnDisk => builder = builder.outputs(outputs_on_disk(config)?),
        Keep::InMemory => {
            builder = builder.outputs(Arc::new(MemoryOutputs::default()));
            // One execution needs one worker.
            if let SandboxMode::Workers { count, .. } = &mut sandbox.mode {
                *count = 1;
            }
        }
    }
    Ok(builder.sandbox(sandbox).build().await?)
}

/// Everything but backends and outputs.
fn builder(config: &Config) -> RouterBuilder {
    Router::builder()
        .cache(config.cache)
        .rules(config.rules)
        .durability(config.durability)
        .url_base(EXECUTIONS)
}

fn outputs_on_disk(config: &Config) -> Result<Arc<dyn OutputStore>, StartError> {
    let directory = &config.outputs_dir;
    let store = DirectoryStore::new(directory, config.spool.sync)
        .map_err(|error| StartError::OutputsDirectory(directory.clone(), error))?;
    let spool = config.data_dir.join("spool");
    let outputs = SpooledOutputs::open(spool, config.spool, Arc::new(store));
    Ok(Arc::new(outputs.map_err(StartError::Spool)?))
}

fn sandbox(config: &Config) -> Result<SandboxConfig, StartError> {
    let program = std::env::current_exe().map_err(StartError::NoProgram)?;
    let guests = find_guests(config.guests.as_deref(), &program)?;
    let command = WorkerCommand {
        program,
        args: vec!["worker".into()],
    };
    let mut mode = SandboxMode::workers(command);
    if let (SandboxMode::Workers { count, .. }, Some(workers)) = (&mut mode, config.workers) {
        *count = workers.get();
    }
    let mut sandbox = SandboxConfig::new(guests, config.data_dir.join("compiled"));
    sandbox.mode = mode;
    sandbox.queue = config.queue;
    sandbox.maximum = config.rules.limits.maximum;
    Ok(sandbox)
}

/// Looks for built guests: where the configuration says, else beside the program, as it is
/// installed or as it lies in cargo's target folder, else where a package puts them.
fn find_guests(configured: Option<&Path>, program: &Path) -> Result<PathBuf, StartError> {
    let candidates: Vec<PathBuf> = match configured {
        Some(path) => vec![path.to_owned()],
        None => {
            let folder = program.parent().unwrap_or(Path::new("/"));
            vec![
                folder.join("guests"),
                folder.parent().unwrap_or(folder).join("guests"),
                PathBuf::from("/usr/lib/sandgate/guests"),
            ]
        }
    };
    match candidates.iter().find(|path| holds_guests(path)) {
        Some(found) => Ok(found.clone()),
        None => Err(StartError::NoGuests(candidates)),
    }
}

fn holds_guests(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|e| e == "wasm"))
    })
}

/// Sends log lines to standard error. Standard output belongs to a command's result.
pub fn log(filter: &str, format: LogFormat) {
    // The configuration has checked the filter.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Fails only where a log is set up already.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// An error with everything that caused it, in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Transparent errors repeat their cause.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_found_beside_the_program() {
        let target = tempfile::tempdir().unwrap();
        let program = target.path().join("release/sandgate");
        let error = find_guests(None, &program).unwrap_err().to_string();
        assert!(error.contains("cargo xtask guests"), "{error}");
        let guests = target.path().join("guests");
        std::fs::create_dir(&guests).unwrap();
        assert!(find_guests(None, &program).is_err(), "an empty folder");
        std::fs::write(guests.join("python.wasm"), "").unwrap();
        assert_eq!(find_guests(None, &program).unwrap(), guests);
    }

    #[test]
    fn configured_guests_are_not_replaced_by_others() {
        let target = tempfile::tempdir().unwrap();
        std::fs::write(target.path().join("python.wasm"), "").unwrap();
        let elsewhere = target.path().join("elsewhere");
        let error = find_guests(Some(&elsewhere), &target.path().join("x/y"));
        assert!(matches!(error, Err(StartError::NoGuests(paths)) if paths == [elsewhere]));
    }
}
