//! `cargo xtask lambda`: the contents of the Lambda image in `target/lambda/`, for development and
//! tests. The same folders are `/opt/sandgate` in the image.
//!
//! ```text
//! bin/        the runner and the library that its interpreters load
//! venv/       Python's packages, by the image's own requirements
//! python/ r/  the code that the interpreters start with
//! cache/      the list of fonts
//! catalogue/  what each language can import
//! outside     folders elsewhere that the virtual environment leads to, one a line
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache, Kind, Workplace};
use crate::command;
use crate::console::{Console, elapsed};
use crate::hash::{self, Key};
use crate::system;
use crate::toolchain::{self, Toolchain};
use crate::workspace::{Profile, Workspace};

/// R and its packages, as the image has them.
const R_PACKAGES: &[&str] = &[
    "r-base-core",
    "r-cran-data.table",
    "r-cran-dplyr",
    "r-cran-ggplot2",
    "r-cran-jsonlite",
    "r-cran-tidyr",
];

/// Where Debian has R's packages.
const R_LIBRARIES: &[&str] = &["/usr/lib/R/library", "/usr/lib/R/site-library"];

/// Interpreters to make the virtual environment from: the system's own before one that is found
/// by the path, because that one may be in somebody's home, where a function cannot look.
const PYTHONS: &[&str] = &["/usr/bin/python3", "python3"];

/// Of the sandbox's boot code, what the image uses too.
const SHARED: &str = "wasm-runtimes/python/boot/sandgate_boot/results.py";

/// What says that everything is up to date.
const STATE: &str = ".state";

/// What to build.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// How the runner is compiled: as the rest of what the caller builds.
    pub(crate) profile: Profile,
    /// Install R from Debian's packages if it is missing.
    pub(crate) with_r: bool,
}

/// Builds what is missing and gives the folder.
pub(crate) fn build(
    request: Request,
    workspace: &Workspace,
    cache: &Cache,
    console: &Console,
) -> Result<PathBuf> {
    let started = Instant::now();
    if request.with_r && system::find("Rscript").is_none() {
        console.task("R and its packages", || {
            system::install(R_PACKAGES, "R is missing", console)
        })?;
    }
    if let Err(error) = system::require_tools(["bwrap"], console) {
        console.line(&format!(
            "{error}\nwithout bwrap the local Lambda isolates by unshare, where that works"
        ));
    }
    command::run_visible(&mut workspace.cargo(
        &["build"],
        request.profile,
        &["--bin", "sandgate-runner"],
    ))?;
    let environment = console.with_progress(|| environment(workspace, cache, console))?;
    let folder = workspace.lambda();
    let _lock = cache.lock("lambda", console)?;
    publish(request, workspace, &environment, &folder, cache, console)?;
    let shown = folder.strip_prefix(workspace.root()).unwrap_or(&folder);
    console.line(&format!(
        "{} is up to date ({})",
        shown.display(),
        elapsed(started)
    ));
    if system::find("Rscript").is_none() {
        console.line("it has no R: `cargo xtask lambda --with-r` installs it from Debian");
    }
    Ok(folder)
}

/// What a local Lambda needs, in release and without R, for commands that are of use without it.
pub(crate) fn build_if_possible(workspace: &Workspace, cache: &Cache, console: &Console) {
    let request = Request {
        profile: Profile::Release,
        with_r: false,
    };
    if let Err(error) = build(request, workspace, cache, console) {
        console.line(&format!("going on without a local Lambda: {error:#}"));
    }
}

/// The virtual environment in the cache.
fn environment(workspace: &Workspace, cache: &Cache, console: &Console) -> Result<PathBuf> {
    let python = python()?;
    let list = "lambda-image/requirements.txt";
    let mut key = Key::new("lambda packages 1");
    key.field("python", &python.identity);
    key.files(workspace.root(), Path::new(list))?;
    let entry = format!("lambda-python-{}", key.finish());
    if cache.path(Kind::Tools, &entry).exists() {
        return Ok(cache.path(Kind::Tools, &entry));
    }
    let toolchain = Toolchain::prepare(cache, console)?;
    console.task("Python's packages for the image", || {
        cache.produce(Kind::Tools, &entry, console, |place| {
            install(place, python.program, &toolchain, &workspace.path(list))
        })
    })
}

struct Python {
    program: &'static str,
    /// Its path and version: an environment points to the Python it was made with.
    identity: String,
}

fn python() -> Result<Python> {
    let inquiry = "import sys, venv; print(sys.executable, sys.version); \
                   assert (3, 11) <= sys.version_info < (3, 14)";
    for program in PYTHONS {
        let asked = command::output_of(Command::new(program).args(["-c", inquiry]));
        if let Ok(identity) = asked {
            return Ok(Python { program, identity });
        }
    }
    bail!("the image's packages need Python 3.11 to 3.13: install it as python3")
}

fn install(
    place: &Workplace<'_>,
    python: &str,
    toolchain: &Toolchain,
    requirements: &Path,
) -> Result<()> {
    toolchain::create_environment(place, python, Some(&toolchain.python()), requirements)?;
    // A sixth of all, and of no use to programs.
    let mut tests = Command::new("find");
    tests
        .arg(place.out)
        .args(["-type", "d", "-name", "tests", "-prune", "-exec"])
        .args(["rm", "-rf", "{}", "+"]);
    command::run_logged(tests.stdin(place.lock.try_clone()?), place.log)
}

/// Puts everything into place, unless it is there already.
fn publish(
    request: Request,
    workspace: &Workspace,
    environment: &Path,
    folder: &Path,
    cache: &Cache,
    console: &Console,
) -> Result<()> {
    let programs = [
        workspace.program(request.profile, "sandgate-runner"),
        // Cargo leaves it here when it builds the program that needs it.
        workspace.program(request.profile, "deps/libsandgate_zygote.so"),
    ];
    let state = state(workspace, environment, &programs)?;
    let state_file = folder.join(STATE);
    if fs::read_to_string(&state_file).is_ok_and(|present| present == state) {
        return Ok(());
    }
    cache::remove_all(&state_file)?;
    fs::create_dir_all(folder.join("bin")).with_context(|| format!("creating {folder:?}"))?;
    for program in &programs {
        let name = program.file_name().context("a program has a name")?;
        let to = folder.join("bin").join(name);
        // Whoever runs the old file keeps it.
        cache::remove_all(&to)?;
        fs::copy(program, &to).with_context(|| format!("copying {program:?}"))?;
    }
    for part in ["python", "r"] {
        copy_sources(workspace, part, &folder.join(part))?;
    }
    fs::copy(
        workspace.path(SHARED),
        folder.join("python/sandgate_child/results.py"),
    )
    .with_context(|| format!("copying {SHARED}"))?;
    let log = cache.log(Kind::Tools, "lambda");
    console.task("the image's contents", || {
        link_environment(environment, &folder.join("venv"), &log)?;
        fs::write(folder.join("outside"), outside(&folder.join("venv"))?)?;
        let mut catalogue = Command::new(folder.join("bin/sandgate-runner"));
        catalogue
            .arg("catalogue")
            .env("SANDGATE_RUNNER_HOME", folder);
        command::run_logged(&mut catalogue, &log)
    })?;
    fs::write(&state_file, state).with_context(|| format!("writing {state_file:?}"))
}

/// A hash of everything that is put into place.
fn state(workspace: &Workspace, environment: &Path, programs: &[PathBuf]) -> Result<String> {
    let mut key = Key::new("lambda 1");
    for program in programs {
        key.field("program", &hash::sha256(program)?);
    }
    key.field("environment", &environment.to_string_lossy());
    for part in ["lambda-image/python", "lambda-image/r", SHARED] {
        key.files(workspace.root(), Path::new(part))?;
    }
    // Installing or removing one of R's packages changes its folder.
    for library in R_LIBRARIES {
        let changed = fs::metadata(library).and_then(|library| library.modified());
        let changed = changed
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        key.field(library, &format!("{changed:?}"));
    }
    Ok(key.finish())
}

fn copy_sources(workspace: &Workspace, part: &str, to: &Path) -> Result<()> {
    cache::remove_all(to)?;
    let from = workspace.path("lambda-image").join(part);
    for file in hash::walk(&from, Path::new(""))? {
        let to = to.join(&file);
        fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
        fs::copy(from.join(&file), &to).with_context(|| format!("copying {file:?}"))?;
    }
    Ok(())
}

/// Half a gigabyte that nobody changes: linked where the file system allows, copied elsewhere.
fn link_environment(from: &Path, to: &Path, log: &Path) -> Result<()> {
    let new = to.with_extension("new");
    cache::remove_all(&new)?;
    let copy = |options: &[&str]| {
        let mut copy = Command::new("cp");
        command::run_logged(copy.args(options).arg(from).arg(&new), log)
    };
    copy(&["--archive", "--link"]).or_else(|_| {
        cache::remove_all(&new)?;
        copy(&["--archive"])
    })?;
    cache::remove_all(to)?;
    fs::rename(&new, to).with_context(|| format!("replacing {to:?}"))
}

/// The folders that the environment's interpreter is in, where they are not the system's.
fn outside(environment: &Path) -> io::Result<String> {
    let python = environment.join("bin/python").canonicalize()?;
    let prefix = python.ancestors().nth(2).unwrap_or(Path::new("/"));
    Ok(if prefix.starts_with("/usr") {
        String::new()
    } else {
        format!("{}\n", prefix.display())
    })
}
