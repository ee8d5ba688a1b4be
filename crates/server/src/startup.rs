//! From a configuration to a router.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandgate::{
    BuildError, DirectoryStore, MemoryOutputs, ObjectStore, OutputError, OutputStore, Router,
    RouterBuilder, SpooledOutputs,
};
use sandgate_lambda::NoRuntime;
use sandgate_sandbox::{SandboxConfig, SandboxMode, WorkerCommand};
use tracing_subscriber::EnvFilter;

use crate::cloud::{self, LocalCloud, Need};
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
    /// There is no Lambda image where it could be.
    #[error(
        "no files of the Lambda image found in {}: make them with `cargo xtask lambda`, or say \
         where they are with local_cloud.image",
        .0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoImage(Vec<PathBuf>),
    /// The local cloud does not start.
    #[error("the local cloud does not start")]
    LocalCloud(#[from] sandgate_local_cloud::StartError),
    /// The Lambda executor does not start.
    #[error(transparent)]
    Lambda(#[from] NoRuntime),
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

/// A router, and what it needs to be there as long as it is.
#[derive(Debug)]
pub struct Started {
    /// The router.
    pub router: Router,
    local: Option<LocalCloud>,
}

impl Started {
    /// Ends the local cloud, if there is one. The router has to be shut down before: its outputs go
    /// there.
    pub async fn shutdown(self) {
        if let Some(local) = self.local {
            local.shutdown().await;
        }
    }
}

/// Sets up a router as `config` says.
///
/// # Errors
/// Says what is missing, and what to do.
pub async fn router(config: &Config, keep: Keep) -> Result<Started, StartError> {
    router_with(config, keep, &()).await
}

/// What a command puts between a router and the stores, to look at what goes there.
pub(crate) trait Between {
    /// Instead of where outputs end up.
    fn objects(&self, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        store
    }

    /// Instead of what the router gives outputs to.
    fn outputs(&self, outputs: Arc<dyn OutputStore>) -> Arc<dyn OutputStore> {
        outputs
    }
}

impl Between for () {}

/// Like [`router`], with something between it and the stores.
///
/// # Errors
/// Like [`router`].
pub(crate) async fn router_with(
    config: &Config,
    keep: Keep,
    between: &dyn Between,
) -> Result<Started, StartError> {
    let mut sandbox = sandbox(config)?;
    let mut builder = builder(config);
    let need = match keep {
        Keep::OnDisk => Need::Service,
        Keep::InMemory => Need::Command,
    };
    let cloud = cloud::start(config, need).await?;
    match keep {
        Keep::OnDisk => {
            let store = between.objects(store(config, cloud.store)?);
            if config.cache_in_store {
                builder = builder.cache_store(Arc::clone(&store));
            }
            builder = builder.outputs(between.outputs(outputs(config, store)?));
        }
        Keep::InMemory => {
            builder = builder.outputs(between.outputs(Arc::new(MemoryOutputs::default())));
            // One execution needs one worker.
            if let SandboxMode::Workers { count, .. } = &mut sandbox.mode {
                *count = 1;
            }
        }
    }
    if let Some(lambda) = cloud.lambda {
        builder = builder.executor(Arc::new(lambda));
    }
    Ok(Started {
        router: builder.sandbox(sandbox).build().await?,
        local: cloud.local,
    })
}

/// Everything but backends and outputs.
fn builder(config: &Config) -> RouterBuilder {
    Router::builder()
        .cache(config.cache)
        .rules(config.rules)
        .durability(config.durability)
        .url_base(EXECUTIONS)
}

/// Where outputs end up: the store of the cloud, or else a directory.
fn store(
    config: &Config,
    of_cloud: Option<Arc<dyn ObjectStore>>,
) -> Result<Arc<dyn ObjectStore>, StartError> {
    if let Some(store) = of_cloud {
        return Ok(store);
    }
    let directory = &config.outputs_dir;
    let store = DirectoryStore::new(directory, config.spool.sync)
        .map_err(|error| StartError::OutputsDirectory(directory.clone(), error))?;
    Ok(Arc::new(store))
}

/// Outputs by way of the spool, to `store`.
fn outputs(
    config: &Config,
    store: Arc<dyn ObjectStore>,
) -> Result<Arc<dyn OutputStore>, StartError> {
    let spool = config.data_dir.join("spool");
    let outputs = SpooledOutputs::open(spool, config.spool, store);
    Ok(Arc::new(outputs.map_err(StartError::Spool)?))
}

fn sandbox(config: &Config) -> Result<SandboxConfig, StartError> {
    let program = std::env::current_exe().map_err(StartError::NoProgram)?;
    let guests = find_guests(config.guests.as_deref(), beside_program(&program, "guests"))?;
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
    sandbox.maximum = config.sandbox_maximum;
    Ok(sandbox)
}

/// Looks for built guests: where the configuration says, else where they are installed.
fn find_guests(configured: Option<&Path>, installed: Vec<PathBuf>) -> Result<PathBuf, StartError> {
    let candidates = configured.map_or(installed, |path| vec![path.to_owned()]);
    match candidates.iter().find(|path| holds_guests(path)) {
        Some(found) => Ok(found.clone()),
        None => Err(StartError::NoGuests(candidates)),
    }
}

/// Where a folder of this service can be: beside the program, as it is installed or as it lies in
/// cargo's target folder, or where a package puts it.
pub(crate) fn beside(name: &str) -> Result<Vec<PathBuf>, StartError> {
    let program = std::env::current_exe().map_err(StartError::NoProgram)?;
    Ok(beside_program(&program, name))
}

fn beside_program(program: &Path, name: &str) -> Vec<PathBuf> {
    let folder = program.parent().unwrap_or(Path::new("/"));
    vec![
        folder.join(name),
        folder.parent().unwrap_or(folder).join(name),
        Path::new("/usr/lib/sandgate").join(name),
    ]
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
        let find = || find_guests(None, beside_program(&program, "guests"));
        let error = find().unwrap_err().to_string();
        assert!(error.contains("cargo xtask guests"), "{error}");
        let guests = target.path().join("guests");
        std::fs::create_dir(&guests).unwrap();
        assert!(find().is_err(), "an empty folder");
        std::fs::write(guests.join("python.wasm"), "").unwrap();
        assert_eq!(find().unwrap(), guests);
    }

    #[test]
    fn configured_guests_are_not_replaced_by_others() {
        let target = tempfile::tempdir().unwrap();
        std::fs::write(target.path().join("python.wasm"), "").unwrap();
        let elsewhere = target.path().join("elsewhere");
        let error = find_guests(Some(&elsewhere), vec![target.path().to_owned()]);
        assert!(matches!(error, Err(StartError::NoGuests(paths)) if paths == [elsewhere]));
    }
}
