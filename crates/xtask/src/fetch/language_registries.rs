//! PyPI, npm and cargo's registry.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{Cache, Workplace};
use crate::command;
use crate::console::Console;
use crate::recipe::Source;
use crate::toolchain::{self, Toolchain};
use crate::workspace::cargo;

/// Downloads a file of a PyPI release.
pub(super) fn pypi(
    source: &Source,
    file: Option<&str>,
    into: &Path,
    cache: &Cache,
    console: &Console,
    place: &Workplace<'_>,
) -> Result<()> {
    let toolchain = Toolchain::prepare(cache, console)?;
    command::run_logged(
        Command::new(toolchain.python())
            .args(["-c", include_str!("fetch_pypi.py")])
            .args([&source.package, &source.version])
            .arg(file.unwrap_or_default())
            .arg(&source.sha256)
            .arg(into)
            .stdin(place.lock.try_clone()?),
        place.log,
    )
}

/// Downloads the tarball of an npm package.
pub(super) fn npm(
    source: &Source,
    into: &Path,
    cache: &Cache,
    console: &Console,
    place: &Workplace<'_>,
) -> Result<()> {
    let mut command = Command::new("npm");
    if let Some(folder) = toolchain::node_commands(cache, console)? {
        command = Command::new(folder.join("npm"));
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder).chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(folders)?);
    }
    command
        .args(["pack", "--silent", "--ignore-scripts", "--pack-destination"])
        .arg(into)
        .arg(format!("{}@{}", source.package, source.version))
        .current_dir(into)
        .stdin(place.lock.try_clone()?);
    command::run_logged(&mut command, place.log)
}

/// Downloads a `.crate` file: cargo keeps what it fetches in its registry cache.
pub(super) fn crates(source: &Source, into: &Path, place: &Workplace<'_>) -> Result<()> {
    let project = place.scratch.join("project");
    fs::create_dir_all(project.join("src"))?;
    fs::write(project.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nfetched = {{ package = \"{}\", version = \"={}\", default-features = false }}\n",
        source.package, source.version
    );
    fs::write(project.join("Cargo.toml"), manifest)?;
    let cargo = || {
        let mut command = Command::new(cargo());
        command.current_dir(&project);
        command
    };
    command::run_logged(
        cargo().arg("fetch").stdin(place.lock.try_clone()?),
        place.log,
    )?;
    // `cargo metadata` knows where the registry's sources are; the archives are beside them.
    let metadata =
        command::output_of(cargo().args(["metadata", "--format-version", "1", "--offline"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let unpacked = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| package["name"] == source.package.as_str())
        .find_map(|package| package["manifest_path"].as_str())
        .and_then(|manifest| Path::new(manifest).parent())
        .context("cargo metadata does not list the crate")?;
    let archive = archive_beside(unpacked).context("cargo's registry has another layout")?;
    let name = archive.file_name().unwrap_or_default();
    fs::copy(&archive, into.join(name)).with_context(|| format!("copying {archive:?}"))?;
    Ok(())
}

/// `registry/src/<index>/<crate>` is unpacked from `registry/cache/<index>/<crate>.crate`.
fn archive_beside(unpacked: &Path) -> Option<PathBuf> {
    let name = unpacked.file_name()?.to_str()?;
    let index = unpacked.parent()?;
    let registry = index.parent()?.parent()?;
    Some(
        registry
            .join("cache")
            .join(index.file_name()?)
            .join(format!("{name}.crate")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crates_archive_is_beside_its_sources() {
        assert_eq!(
            archive_beside(Path::new(
                "/home/me/.cargo/registry/src/index-1949/toy-1.0.0"
            )),
            Some(PathBuf::from(
                "/home/me/.cargo/registry/cache/index-1949/toy-1.0.0.crate"
            ))
        );
    }
}
