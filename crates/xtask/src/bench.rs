//! `cargo xtask bench`: the benchmarks, with what they compare sandgate to.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::cache::{Cache, Kind};
use crate::command;
use crate::console::Console;
use crate::fetch;
use crate::guests::{self, Built};
use crate::hash::Key;
use crate::recipe::{Recipe, Registry, Source};
use crate::system;
use crate::unpack;
use crate::workspace::{Profile, Workspace};

/// The load generator, and the compiler of the native QuickJS.
const TOOLS: &[&str] = &["wrk", "cc"];

/// The peer that is nearest to the sandbox, for x86-64 and CPython 3.12 or newer.
const PYERYX_VERSION: &str = "0.11.0";
const PYERYX_FILE: &str = "pyeryx-0.11.0-cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
const PYERYX_SHA256: &str = "2730ccbe6a7fb07b2995e52d0163dda670cd340aba0469be09e35fb14a3c22f2";

/// Builds all that is measured and runs the benchmarks with these arguments.
pub(crate) fn run(
    arguments: &[OsString],
    workspace: &Workspace,
    console: &Console,
) -> Result<ExitCode> {
    system::require_tools(TOOLS.iter().copied(), console)?;
    let cache = Cache::open()?;
    let request = guests::Request {
        guests: Vec::new(),
        force: false,
        profile: Profile::Release,
        all_steps: true,
    };
    let built = guests::build(&request, workspace, &cache, console)?;
    command::run_visible(&mut workspace.cargo(
        &["build"],
        Profile::Release,
        &["--bin", "sandgate"],
    ))?;

    let mut command = workspace.cargo(&["bench", "--bench", "*"], Profile::Dev, &["--"]);
    command.args(arguments);
    let peers = [
        ("SANDGATE_BENCH_PYTHON", native_python(&built)),
        (
            "SANDGATE_BENCH_QUICKJS",
            native_quickjs(workspace, &cache, console),
        ),
        ("SANDGATE_BENCH_PYERYX", pyeryx(&built, &cache, console)),
    ];
    for (variable, peer) in peers {
        match peer {
            Ok(program) => {
                command.env(variable, program);
            }
            // The benchmarks say which comparisons they leave out.
            Err(error) => console.line(&format!("no {variable}: {error:#}")),
        }
    }
    command::run_visible(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

/// The CPython that the Python guest is built with.
fn native_python(built: &Built) -> Result<PathBuf> {
    let step = ("python".to_owned(), "native".to_owned());
    let folder = built
        .steps
        .get(&step)
        .context("the Python guest has no step \"native\"")?;
    Ok(folder.join("bin/python3"))
}

/// The JavaScript guest's engine compiled for this machine, with a driver of the benchmarks.
fn native_quickjs(workspace: &Workspace, cache: &Cache, console: &Console) -> Result<PathBuf> {
    const DRIVER: &str = "benches/goals/quickjs.c";
    const FLAGS: &[&str] = &[
        "-O3",
        "-DNDEBUG",
        "-D_GNU_SOURCE",
        "-fno-strict-aliasing",
        "-funsigned-char",
        "-w",
    ];
    let recipe = Recipe::read(&workspace.recipes().join("javascript"))?;
    let source = recipe.source("quickjs")?;
    fetch::provide(source, cache, console)?;
    let engine = unpack::content_root(&fetch::unpacked(cache, source))?.join("quickjs");
    let mut key = Key::new("native quickjs 1");
    key.field("source", &source.sha256);
    key.field(
        "compiler",
        &command::output_of(Command::new("cc").arg("--version"))?,
    );
    key.field("flags", &FLAGS.join(" "));
    key.files(workspace.root(), Path::new(DRIVER))?;
    let entry = format!("quickjs-{}", key.finish());
    let folder = cache.produce(Kind::Tools, &entry, console, |place| {
        let mut command = Command::new("cc");
        command
            .args(FLAGS)
            .arg("-I")
            .arg(&engine)
            .arg(workspace.path(DRIVER));
        for file in ["quickjs.c", "libregexp.c", "libunicode.c", "dtoa.c"] {
            command.arg(engine.join(file));
        }
        command
            .args(["-lm", "-lpthread", "-o"])
            .arg(place.out.join("quickjs"));
        command::run_logged(&mut command, place.log)
    })?;
    Ok(folder.join("quickjs"))
}

/// A Python with pyeryx: a script that starts the native Python with the unpacked wheel.
fn pyeryx(built: &Built, cache: &Cache, console: &Console) -> Result<PathBuf> {
    let python = native_python(built)?;
    let source = Source {
        name: "pyeryx".to_owned(),
        registry: Registry::Pypi {
            file: Some(PYERYX_FILE.to_owned()),
        },
        package: "pyeryx".to_owned(),
        version: PYERYX_VERSION.to_owned(),
        sha256: PYERYX_SHA256.to_owned(),
    };
    fetch::provide(&source, cache, console)?;
    let wheel = fetch::unpacked(cache, &source);
    let script = format!(
        "#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH={} exec {} \"$@\"\n",
        wheel.display(),
        python.display()
    );
    let mut key = Key::new("pyeryx 1");
    key.field("script", &script);
    let entry = format!("pyeryx-{}", key.finish());
    let folder = cache.produce(Kind::Tools, &entry, console, |place| {
        let path = place.out.join("python-with-pyeryx");
        fs::write(&path, &script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        // What does not run on this machine is no peer.
        command::run_logged(Command::new(&path).args(["-c", "import eryx"]), place.log)
    })?;
    Ok(folder.join("python-with-pyeryx"))
}
