//! `sandgate exec`: one snippet, as a command.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandgate::{
    CacheMode, CancellationToken, ErrorKind, ExecuteOptions, ExecuteRequest, Execution, InputFile,
    Language, OutputSink, OutputStream, Router, Status,
};

use crate::cli::{ExecArgs, SnippetArgs};
use crate::startup::with_causes;

/// How a command ends that did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// A mistake on the command line or in the configuration.
    Usage(String),
    /// A failure of ours.
    Ours(String),
}

impl From<sandgate::Error> for Failure {
    fn from(error: sandgate::Error) -> Self {
        match error.kind() {
            ErrorKind::Rejected | ErrorKind::Unsupported => Self::Usage(error.to_string()),
            ErrorKind::Overloaded | ErrorKind::Unavailable | ErrorKind::Internal => {
                Self::Ours(with_causes(&error))
            }
        }
    }
}

/// Reads what the command line names.
///
/// # Errors
/// Says what cannot be read, or what is missing.
pub fn request(args: &ExecArgs) -> Result<ExecuteRequest, Failure> {
    let file = &args.snippet.file;
    if is_stdin(file) && args.stdin_from.as_deref().is_some_and(is_stdin) {
        return Err(Failure::Usage(
            "standard input cannot be both the snippet and its input".to_owned(),
        ));
    }
    let mut request = snippet(&args.snippet)?;
    if let Some(path) = &args.stdin_from {
        request.stdin = text(path)?;
    } else if !is_stdin(file) && !std::io::stdin().is_terminal() {
        request.stdin = text(Path::new("-"))?;
    }
    request.args.clone_from(&args.args);
    request.seed = args.seed;
    request.cache = CacheMode::Off;
    Ok(request)
}

/// Reads a snippet and what it is sent with.
///
/// # Errors
/// Says what cannot be read, or what is missing.
pub fn snippet(args: &SnippetArgs) -> Result<ExecuteRequest, Failure> {
    let extension = || Language::from_extension(args.file.extension()?.to_str()?);
    let language = args.language.or_else(extension).ok_or_else(|| {
        Failure::Usage(format!(
            "cannot tell the language of {}, say --language",
            args.file.display()
        ))
    })?;
    let mut request = ExecuteRequest::new(language, text(&args.file)?);
    for path in &args.files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        request.files.push(InputFile {
            path: name.into_owned(),
            content: read(path)?.into(),
        });
    }
    request.packages.clone_from(&args.packages);
    request.backend = args.backend;
    request.limits.timeout_ms = args.timeout_ms;
    request.limits.fuel = args.fuel;
    request.limits.memory_mb = args.memory_mb;
    Ok(request)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?)
        .map_err(|_| Failure::Usage(format!("{} is not UTF-8 text", path.display())))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

/// Executes, prints, and says how to exit.
///
/// # Errors
/// When it could not be executed.
pub async fn run(router: &Router, args: &ExecArgs) -> Result<u8, Failure> {
    let request = request(args)?;
    let cancel = CancellationToken::new();
    let mut options = ExecuteOptions::default().cancel(cancel.clone());
    if !args.json {
        options = options.sink(Arc::new(Terminal));
    }
    let interrupted = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    let executed = router.execute_with(request, options).await;
    interrupted.abort();
    let execution = executed?;
    if let Some(folder) = &args.output_dir {
        save(router, &execution, folder).await?;
    }
    report(&execution, args.json).map_err(|error| Failure::Ours(error.to_string()))?;
    Ok(exit_code(&execution))
}

/// Shows output as it is printed. A closed pipe is no reason to stop: the exit code still counts.
struct Terminal;

impl OutputSink for Terminal {
    fn write(&self, stream: OutputStream, chunk: &[u8]) {
        let _ = match stream {
            OutputStream::Stdout => {
                let mut out = std::io::stdout().lock();
                out.write_all(chunk).and_then(|()| out.flush())
            }
            OutputStream::Stderr => std::io::stderr().lock().write_all(chunk),
        };
    }

    /// What is on a terminal, or in a pipe, cannot be taken back.
    fn restart(&self) {
        let _ = writeln!(
            std::io::stderr(),
            "sandgate: started again on another backend; what was printed until here is void"
        );
    }
}

fn report(execution: &Execution, json: bool) -> std::io::Result<()> {
    if json {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, execution)?;
        return out.write_all(b"\n");
    }
    let truncated = execution.truncated;
    let mut notes = Vec::new();
    if !execution.status.is_complete() {
        notes.push(format!("ended as {}", execution.status.as_str()));
    }
    for (cut, what) in [
        (truncated.stdout, "standard output"),
        (truncated.stderr, "standard error"),
        (truncated.artifacts, "the files it left"),
    ] {
        if cut {
            notes.push(format!("{what} is not complete"));
        }
    }
    if execution.status != Status::Ok {
        notes.extend(execution.route.hints.iter().cloned());
    }
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(std::io::stderr(), "sandgate: {}", notes.join("; "))
}

async fn save(router: &Router, execution: &Execution, folder: &Path) -> Result<(), Failure> {
    let failed = |path: PathBuf, error: std::io::Error| {
        Failure::Ours(format!("cannot write {}: {error}", path.display()))
    };
    for artifact in &execution.artifacts {
        let found = router.file(execution.id, &artifact.path).await;
        let Some(file) = found.map_err(|error| Failure::Ours(with_causes(&error)))? else {
            continue;
        };
        // The router has checked that artifacts' paths stay below the work directory.
        let path = folder.join(&artifact.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed(parent.to_owned(), error))?;
        }
        std::fs::write(&path, &file.content).map_err(|error| failed(path.clone(), error))?;
    }
    Ok(())
}

/// The guest's own, or what a shell would show for the signal that such an end resembles.
fn exit_code(execution: &Execution) -> u8 {
    match execution.status {
        Status::Ok => execution.exit_code.unwrap_or(0),
        Status::Error => execution.exit_code.unwrap_or(1),
        // As `timeout` does.
        Status::Timeout | Status::FuelExhausted => 124,
        // SIGKILL, SIGXFSZ, SIGABRT, SIGINT.
        Status::OutOfMemory => 137,
        Status::OutputLimit => 153,
        Status::Crashed => 134,
        Status::Cancelled => 130,
    }
}
