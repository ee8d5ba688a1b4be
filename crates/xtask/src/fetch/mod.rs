//! Fetches source archives with their registries' ordinary clients, so that mirrors, proxies,
//! certificates and credentials are whatever this machine has configured for them. What comes
//! must have the recipe's SHA-256.

mod debian;
mod language_registries;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, Kind, Workplace};
use crate::console::Console;
use crate::hash;
use crate::recipe::{Registry, Source};
use crate::unpack;

/// Where a source's unpacked archive is, or will be.
pub(crate) fn unpacked(cache: &Cache, source: &Source) -> PathBuf {
    cache.path(Kind::Sources, &entry_name(source))
}

fn entry_name(source: &Source) -> String {
    format!("{}-{}", source.name, &source.sha256[..16])
}

/// Fetches and unpacks a source if that has not happened yet.
pub(crate) fn provide(source: &Source, cache: &Cache, console: &Console) -> Result<()> {
    let archive = cache.produce(Kind::Archives, &source.sha256, console, |place| {
        download(source, cache, console, place).with_context(|| {
            format!(
                "fetching {} {} failed; if there is no way to it from here, put the archive \
                 (sha256 {}) into a new folder {}",
                source.package,
                source.version,
                source.sha256,
                cache.path(Kind::Archives, &source.sha256).display()
            )
        })
    })?;
    cache.produce(Kind::Sources, &entry_name(source), console, |place| {
        // Checked here and not only after the download: the archive may have come another way.
        let archive = only_file(&archive)?;
        let found = hash::sha256(&archive)?;
        if found != source.sha256 {
            bail!(
                "{} has sha256 {found}, the recipe wants {}",
                archive.display(),
                source.sha256
            );
        }
        unpack::unpack(&archive, place.out)
    })?;
    Ok(())
}

fn download(
    source: &Source,
    cache: &Cache,
    console: &Console,
    place: &Workplace<'_>,
) -> Result<()> {
    let got = place.scratch.join("download");
    fs::create_dir(&got)?;
    match &source.registry {
        Registry::Debian { suite } => debian::download(source, suite, &got, console, place)?,
        Registry::Pypi { file } => {
            language_registries::pypi(source, file.as_deref(), &got, cache, console, place)?;
        }
        Registry::Npm => language_registries::npm(source, &got, cache, console, place)?,
        Registry::Crate => language_registries::crates(source, &got, place)?,
    }
    let archive = only_file(&got)?;
    let name = archive.file_name().unwrap_or_default();
    let found = hash::sha256(&archive)?;
    if found != source.sha256 {
        bail!(
            "{name:?} has sha256 {found}, the recipe wants {}",
            source.sha256
        );
    }
    fs::rename(&archive, place.out.join(name))?;
    Ok(())
}

/// The one file in a folder.
fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {folder:?}"))? {
        files.push(entry?.path());
    }
    match <[PathBuf; 1]>::try_from(files) {
        Ok([file]) => Ok(file),
        Err(files) => bail!(
            "one file was expected in {folder:?}, there are {}",
            files.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(sha256: &str) -> Source {
        Source {
            name: "toy".to_owned(),
            registry: Registry::Crate,
            package: "toy".to_owned(),
            version: "1.0".to_owned(),
            sha256: sha256.to_owned(),
        }
    }

    /// A `.crate` file with one file in it, in the cache as if somebody had put it there.
    fn place_archive(cache: &Cache, sha256: &str) -> PathBuf {
        let folder = cache.path(Kind::Archives, sha256);
        fs::create_dir(&folder).unwrap();
        let path = folder.join("toy-1.0.crate");
        let file = fs::File::create(&path).unwrap();
        let encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let mut builder = tar::Builder::new(encoder);
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        builder
            .append_data(&mut header, "toy-1.0/file", &b"abc"[..])
            .unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        path
    }

    #[test]
    fn an_archive_put_into_the_cache_by_hand_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let placed = place_archive(&cache, "x");
        let sha256 = hash::sha256(&placed).unwrap();
        fs::rename(
            cache.path(Kind::Archives, "x"),
            cache.path(Kind::Archives, &sha256),
        )
        .unwrap();
        let source = source(&sha256);
        provide(&source, &cache, &Console::new()).unwrap();
        let root = unpack::content_root(&unpacked(&cache, &source)).unwrap();
        assert_eq!(fs::read_to_string(root.join("file")).unwrap(), "abc");
    }

    #[test]
    fn an_archive_with_another_hash_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let wanted = "0".repeat(64);
        place_archive(&cache, &wanted);
        let source = source(&wanted);
        let error = provide(&source, &cache, &Console::new()).unwrap_err();
        assert!(
            error.to_string().contains("the recipe wants 0000"),
            "{error}"
        );
        assert!(!unpacked(&cache, &source).exists());
    }
}
