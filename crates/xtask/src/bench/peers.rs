//! What sandgate is compared with, at pinned versions, in the cache: the guests' interpreters
//! compiled for this machine, and other sandboxes.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, Kind};
use crate::command;
use crate::console::Console;
use crate::fetch;
use crate::guests::Built;
use crate::hash::Key;
use crate::recipe::{Recipe, Registry, Source};
use crate::toolchain::{self, Toolchain};
use crate::unpack;
use crate::workspace::Workspace;

/// pyeryx and pydantic-monty, with hashes.
const REQUIREMENTS: &str = "benches/peers/requirements.txt";

/// Packages for node: name, version, SHA-256 of the tarball. Without what they need only elsewhere
/// (Pyodide: `ws`, for sockets) or for debugging.
const MODULES: &[(&str, &str, &str)] = &[
    (
        "pyodide",
        "314.0.7",
        "66b7949e5a0cba2250b586d7e368bf12fb482800748d182c4618254b685ffaa0",
    ),
    (
        "quickjs-emscripten-core",
        "0.32.0",
        "2ea4461a54e87217adf3f2b327c130d8f6b034e334f9e7d87c0580d0406a206e",
    ),
    (
        "@jitl/quickjs-wasmfile-release-sync",
        "0.32.0",
        "8459053841d6b053207b70287b5a6d762fd5608a3908b40956c5aa3178dcf9c8",
    ),
    (
        "@jitl/quickjs-ffi-types",
        "0.32.0",
        "d7bf18745d8fb2144587fcfd15982a1a87347f6675538615623c3267c51965b1",
    ),
];

/// The CPython that the Python guest is built with.
pub(super) fn native_python(built: &Built) -> Result<PathBuf> {
    let step = ("python".to_owned(), "native".to_owned());
    let folder = built
        .steps
        .get(&step)
        .context("the Python guest has no step \"native\"")?;
    Ok(folder.join("bin/python3"))
}

/// The JavaScript guest's engine compiled for this machine, with a driver of the benchmarks.
pub(super) fn native_quickjs(
    workspace: &Workspace,
    cache: &Cache,
    console: &Console,
) -> Result<PathBuf> {
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

/// A Python with pyeryx and pydantic-monty.
pub(super) fn python_packages(
    built: &Built,
    workspace: &Workspace,
    cache: &Cache,
    console: &Console,
) -> Result<PathBuf> {
    let python = native_python(built)?;
    let mut key = Key::new("python peers 1");
    key.field("python", &python.to_string_lossy());
    key.files(workspace.root(), Path::new(REQUIREMENTS))?;
    let entry = format!("python-peers-{}", key.finish());
    let toolchain = Toolchain::prepare(cache, console)?;
    let folder = cache.produce(Kind::Tools, &entry, console, |place| {
        let requirements = workspace.path(REQUIREMENTS);
        let python = python.to_str().context("the cache's path is not UTF-8")?;
        let pip = toolchain.python();
        toolchain::create_environment(place, python, Some(&pip), &requirements)?;
        // What does not run on this machine is no peer.
        let mut try_out = Command::new(place.out.join("bin/python"));
        try_out.args(["-c", "import eryx, pydantic_monty"]);
        command::run_logged(try_out.stdin(place.lock.try_clone()?), place.log)
    })?;
    Ok(folder.join("bin/python"))
}

/// A folder `node_modules` with Pyodide and quickjs-emscripten.
pub(super) fn node_modules(cache: &Cache, console: &Console) -> Result<PathBuf> {
    let mut key = Key::new("node peers 1");
    for (package, _, sha256) in MODULES {
        key.field(package, sha256);
    }
    let entry = format!("node-peers-{}", key.finish());
    let sources: Vec<Source> = MODULES.iter().map(source).collect();
    for source in &sources {
        fetch::provide(source, cache, console)?;
    }
    let folder = cache.produce(Kind::Tools, &entry, console, |place| {
        for source in &sources {
            let to = place.out.join("node_modules").join(&source.package);
            fs::create_dir_all(to.parent().context("a package is in a folder")?)?;
            let from = unpack::content_root(&fetch::unpacked(cache, source))?;
            let mut copy = Command::new("cp");
            command::run_logged(copy.arg("-R").arg(from).arg(to), place.log)?;
        }
        Ok(())
    })?;
    Ok(folder.join("node_modules"))
}

fn source((package, version, sha256): &(&str, &str, &str)) -> Source {
    let name = package.trim_start_matches('@').replace('/', "-");
    Source {
        name,
        registry: Registry::Npm,
        package: (*package).to_owned(),
        version: (*version).to_owned(),
        sha256: (*sha256).to_owned(),
    }
}

/// The search path on which `node` is found, from the cache where this machine has none.
pub(super) fn path_with_node(cache: &Cache, console: &Console) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let node = toolchain::node_commands(cache, console)?;
    Ok(env::join_paths(
        node.into_iter().chain(env::split_paths(&path)),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sha256(text: &str) -> bool {
        text.len() == 64
            && text
                .chars()
                .all(|c| c.is_ascii_hexdigit() && !c.is_uppercase())
    }

    #[test]
    fn every_package_of_node_is_pinned_once() {
        let mut names = Vec::new();
        for module in MODULES {
            let source = source(module);
            assert!(is_sha256(&source.sha256), "{}", source.package);
            assert!(source.version.starts_with(|c: char| c.is_ascii_digit()));
            assert!(!source.name.contains(['/', '@']), "{}", source.name);
            assert!(!names.contains(&source.name), "{} twice", source.name);
            names.push(source.name);
        }
    }

    #[test]
    #[ignore = "fetches from registries, and builds what is missing of the guests"]
    fn the_peers_run_where_they_are_put() {
        let (workspace, console) = (Workspace::find().unwrap(), Console::new());
        let cache = Cache::open().unwrap();
        let request = crate::guests::Request {
            guests: vec!["python".to_owned()],
            all_steps: true,
            ..crate::guests::Request::all(crate::workspace::Profile::Dev)
        };
        let built = crate::guests::build(&request, &workspace, &cache, &console).unwrap();
        let python = python_packages(&built, &workspace, &cache, &console).unwrap();
        let script = "import eryx; print(eryx.Sandbox().execute('print(1+1)').stdout.decode())";
        let two = command::output_of(Command::new(python).args(["-c", script])).unwrap();
        assert_eq!(two.trim(), "2");
        let script = "require('pyodide'); require('@jitl/quickjs-wasmfile-release-sync'); \
                      console.log(typeof require('quickjs-emscripten-core').newQuickJSWASMModuleFromVariant)";
        let mut node = Command::new("node");
        node.env("PATH", path_with_node(&cache, &console).unwrap())
            .env("NODE_PATH", node_modules(&cache, &console).unwrap());
        let kind = command::output_of(node.args(["-e", script])).unwrap();
        assert_eq!(kind, "function");
    }

    #[test]
    fn every_package_of_python_is_pinned() {
        let workspace = Workspace::find().unwrap();
        let text = fs::read_to_string(workspace.path(REQUIREMENTS)).unwrap();
        let text = text.replace("\\\n", " ");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut names = Vec::new();
        for line in lines {
            let (name, rest) = line.split_once("==").unwrap();
            let (_, hashes) = rest.split_once(' ').unwrap();
            for hash in hashes.split_whitespace() {
                assert!(
                    is_sha256(hash.strip_prefix("--hash=sha256:").unwrap()),
                    "{line}"
                );
            }
            names.push(name);
        }
        assert!(names.contains(&"pyeryx") && names.contains(&"pydantic-monty"));
    }
}
