//! One step of a recipe: its key, and running its script.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, Kind, Workplace};
use crate::command;
use crate::console::Console;
use crate::fetch;
use crate::hash::{self, Key};
use crate::recipe::{Recipe, Step, variable};
use crate::toolchain::{self, Toolchain};
use crate::unpack;

/// Counts as the time of everything built: 2025-01-01 00:00 UTC. Results must not depend on when
/// they were made.
const SOURCE_DATE_EPOCH: &str = "1735689600";

/// The names of all steps' outputs in the cache, by step. A name contains the hash of everything
/// the output depends on.
pub(crate) fn entries(recipe: &Recipe) -> Result<BTreeMap<String, String>> {
    let mut entries = BTreeMap::new();
    for step in &recipe.steps {
        let key = key(recipe, step, &recipe.folder, &entries)?;
        entries.insert(
            step.name.clone(),
            format!("{}-{}-{key}", recipe.language, step.name),
        );
    }
    Ok(entries)
}

/// The hash of everything a step's output depends on, with its inputs read from `folder`.
fn key(
    recipe: &Recipe,
    step: &Step,
    folder: &Path,
    entries: &BTreeMap<String, String>,
) -> Result<String> {
    let mut key = Key::new("step 1");
    key.field("toolchain", toolchain::pins());
    key.field("platform", platform());
    key.field("script", &step.script.to_string_lossy());
    for source in &step.sources {
        let source = recipe.source(source)?;
        key.field("source", &source.name);
        key.field("sha256", &source.sha256);
    }
    for need in &step.needs {
        key.field("need", need);
        key.field(
            "entry",
            entries.get(need).context("a step needs a later step")?,
        );
    }
    for input in &step.inputs {
        key.files(folder, input)?;
    }
    Ok(key.finish())
}

/// What native programs that a step builds depend on: a cache can outlive its machine's system.
fn platform() -> &'static str {
    static PLATFORM: OnceLock<String> = OnceLock::new();
    PLATFORM.get_or_init(|| {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let known = |line: &&str| line.starts_with("ID=") || line.starts_with("VERSION_ID=");
        let system: Vec<&str> = release.lines().filter(known).collect();
        format!("{} {}", env::consts::ARCH, system.join(" "))
    })
}

/// Runs a step if its output is not in the cache. Its sources and the outputs it needs must be.
pub(crate) fn run(
    recipe: &Recipe,
    step: &Step,
    entries: &BTreeMap<String, String>,
    cache: &Cache,
    console: &Console,
) -> Result<()> {
    let entry = &entries[&step.name];
    cache.produce(Kind::Steps, entry, console, |place| {
        let inputs = copy_inputs(recipe, step, place)?;
        let copied = key(recipe, step, &inputs, entries)?;
        if !entry.ends_with(&copied) {
            bail!(
                "an input of step {:?} was changed meanwhile: start again",
                step.name
            );
        }
        let mut command = script_command(recipe, step, entries, cache, console, place)?;
        command
            .arg(inputs.join(&step.script))
            .env("RECIPE", &inputs);
        command::run_logged(&mut command, place.log)
    })?;
    Ok(())
}

/// The step sees a copy of its inputs and nothing else of the guest's folder: an input that the
/// recipe forgot is missed at once, instead of silently not counting in the key.
fn copy_inputs(recipe: &Recipe, step: &Step, place: &Workplace<'_>) -> Result<PathBuf> {
    let copy = place.scratch.join("recipe");
    for input in &step.inputs {
        for file in hash::walk(&recipe.folder, input)? {
            let to = copy.join(&file);
            fs::create_dir_all(to.parent().unwrap_or(&copy))?;
            fs::copy(recipe.folder.join(&file), &to)
                .with_context(|| format!("copying the input {file:?}"))?;
        }
    }
    Ok(copy)
}

/// `bash` with the contract's environment, and without a network where the system allows it.
fn script_command(
    recipe: &Recipe,
    step: &Step,
    entries: &BTreeMap<String, String>,
    cache: &Cache,
    console: &Console,
    place: &Workplace<'_>,
) -> Result<Command> {
    let toolchain = Toolchain::prepare(cache, console)?;
    let build = place.scratch.join("build");
    let home = place.scratch.join("home");
    for folder in [&build, &home] {
        fs::create_dir(folder)?;
    }
    let mut command = match offline() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg("bash");
            command
        }
        None => Command::new("bash"),
    };
    command
        .args(["-euo", "pipefail"])
        .current_dir(&build)
        .stdin(place.lock.try_clone()?)
        .env_clear()
        .env("PATH", search_path(&toolchain, step, cache, console)?)
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONHASHSEED", "0")
        .env("ZIG_GLOBAL_CACHE_DIR", cache.zig())
        .env("ZIG_LOCAL_CACHE_DIR", home.join("zig"))
        .env("ZIG", toolchain.zig())
        .env("PYTHON", toolchain.python())
        .env("JOBS", jobs().to_string())
        .env("OUT", place.out);
    for source in &step.sources {
        let root = unpack::content_root(&fetch::unpacked(cache, recipe.source(source)?))?;
        command.env(format!("SRC_{}", variable(source)), root);
    }
    for need in &step.needs {
        command.env(
            format!("DEP_{}", variable(need)),
            cache.path(Kind::Steps, &entries[need]),
        );
    }
    Ok(command)
}

/// The machine's commands, with the toolchain's Python first, and Node.js where a step wants it
/// and the machine has none.
fn search_path(
    toolchain: &Toolchain,
    step: &Step,
    cache: &Cache,
    console: &Console,
) -> Result<OsString> {
    let mut folders = vec![toolchain.commands()];
    if step.tools.iter().any(|tool| is_node(tool)) {
        folders.extend(toolchain::node_commands(cache, console)?);
    }
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    Ok(env::join_paths(folders)?)
}

/// Tools that come from the toolchain and not from the machine's package manager.
pub(crate) fn is_node(tool: &str) -> bool {
    matches!(tool, "node" | "npm" | "npx")
}

/// How many compilers a step may run at a time.
fn jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// The wrapper that takes the network away. Not every machine lets users do that; sources are
/// checked by hash either way, so this only finds recipes that download behind the engine's back.
fn offline() -> Option<(&'static str, &'static [&'static str])> {
    static WAYS: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];
    static FOUND: OnceLock<Option<usize>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        WAYS.iter()
            .position(|way| command::succeeds(Command::new("unshare").args(*way).arg("true")))
    });
    found.map(|way| ("unshare", WAYS[way]))
}
