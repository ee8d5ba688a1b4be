//! The last step of a guest: the sandbox crate's snapshot tool starts the interpreter and keeps
//! the moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, Kind};
use crate::command;
use crate::console::Console;
use crate::hash::Key;
use crate::recipe::Recipe;
use crate::workspace::{Profile, Workspace};

/// The sandbox crate's sources.
const SANDBOX: &str = "crates/sandbox/src";

/// Packages whose version decides what a snapshot looks like.
const TOOL_PACKAGES: &[&str] = &["wasmtime", "wasmtime-wasi", "wasmtime-wizer"];

/// What the snapshot tool is made of, in the sandbox crate's sources. The rest of that crate does
/// not touch a snapshot, and changes more often.
const TOOL_SOURCES: &[&str] = &[
    "bin/sandgate-snapshot.rs",
    "host/memory.rs",
    "host/stdio.rs",
    "manifest.rs",
    "snapshot.rs",
];

/// The hash of the snapshot tool: its sources, and the versions of what it is built on.
pub(crate) fn tool_key(workspace: &Workspace) -> Result<String> {
    let mut key = Key::new("snapshot tool 1");
    for source in TOOL_SOURCES {
        key.files(&workspace.path(SANDBOX), Path::new(source))?;
    }
    let lock = workspace.path("Cargo.lock");
    let lock = fs::read_to_string(&lock).with_context(|| format!("reading {lock:?}"))?;
    for (name, version) in locked_versions(&lock)? {
        key.field(&name, &version);
    }
    Ok(key.finish())
}

fn locked_versions(lock: &str) -> Result<Vec<(String, String)>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock is not valid TOML")?;
    let mut versions = Vec::new();
    for package in lock
        .get("package")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |field| package.get(field).and_then(toml::Value::as_str);
        if let (Some(name), Some(version)) = (text("name"), text("version"))
            && TOOL_PACKAGES.contains(&name)
        {
            versions.push((name.to_owned(), version.to_owned()));
        }
    }
    if versions.is_empty() {
        bail!("Cargo.lock lists none of {}", TOOL_PACKAGES.join(", "));
    }
    Ok(versions)
}

/// The snapshot's entry in the cache.
pub(crate) fn entry(recipe: &Recipe, wasm: &str, root: &str, tool: &str) -> String {
    let mut key = Key::new("snapshot 1");
    key.field("wasm", wasm);
    key.field("file", &recipe.snapshot.wasm_file.to_string_lossy());
    key.field("root", root);
    key.field("tool", tool);
    format!("{}-snapshot-{}", recipe.language, key.finish())
}

/// Builds the snapshot tool and returns its path.
pub(crate) fn build_tool(workspace: &Workspace, profile: Profile, log: &Path) -> Result<PathBuf> {
    fs::File::create(log).with_context(|| format!("creating {log:?}"))?;
    let mut command = workspace.cargo(&["build"], profile, &["--bin", "sandgate-snapshot"]);
    command::run_logged(&mut command, log)?;
    Ok(workspace.program(profile, "sandgate-snapshot"))
}

/// Makes the snapshot if it is not in the cache.
pub(crate) fn take(
    recipe: &Recipe,
    entry: &str,
    wasm: &Path,
    root: &Path,
    tool: &Path,
    cache: &Cache,
    console: &Console,
) -> Result<()> {
    cache.produce(Kind::Steps, entry, console, |place| {
        if !wasm.is_file() {
            bail!(
                "the step {:?} made no file {wasm:?}",
                recipe.snapshot.wasm_step
            );
        }
        let mut command = Command::new(tool);
        command
            .arg("--module")
            .arg(wasm)
            .arg("--root")
            .arg(root)
            .arg("--out")
            .arg(place.out)
            .args(["--language", &recipe.language])
            .stdin(place.lock.try_clone()?);
        command::run_logged(&mut command, place.log)?;
        for file in result_files(&recipe.language) {
            if !place.out.join(&file).is_file() {
                bail!(
                    "sandgate-snapshot wrote no {file}; its output is in {}",
                    place.log.display()
                );
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// The files that make a guest. The manifest is last: it names the hash of the first.
pub(crate) fn result_files(language: &str) -> [String; 2] {
    [format!("{language}.wasm"), format!("{language}.json")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_the_tool_uses_is_hashed() {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(SANDBOX);
        for source in TOOL_SOURCES {
            let text = fs::read_to_string(sandbox.join(source)).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let beside = Path::new(source).parent().unwrap();
            let used = code.lines().filter_map(|line| {
                let (base, path) = match line.strip_prefix("use crate::") {
                    Some(path) => (Path::new(""), path),
                    None => (beside, line.strip_prefix("use super::")?),
                };
                let names = path.trim_end_matches(';').split("::");
                // What starts with a capital is a type of the module before it.
                let modules = names.take_while(|name| name.starts_with(char::is_lowercase));
                let module = modules.fold(base.to_owned(), |path, name| path.join(name));
                (module != base).then(|| module.with_extension("rs"))
            });
            for file in used {
                assert!(
                    TOOL_SOURCES.iter().any(|known| Path::new(known) == file),
                    "{source} uses {file:?}, which TOOL_SOURCES lacks"
                );
            }
        }
    }

    #[test]
    fn the_locked_versions_of_the_engine_are_found() {
        let lock = "[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\n\
                    [[package]]\nname = \"wasmtime\"\nversion = \"48.0.8\"\n";
        let versions = locked_versions(lock).unwrap();
        assert_eq!(versions, [("wasmtime".to_owned(), "48.0.8".to_owned())]);
        assert!(locked_versions("").is_err());
    }
}
