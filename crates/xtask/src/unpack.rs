//! Unpacks source archives. They are pinned by hash, and still nothing in them may reach outside
//! the folder they are unpacked into.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use rawzip::CompressionMethod;

/// Unpacks an archive, known by its name, into an existing empty folder. Files become read-only:
/// several steps use the same copy.
pub(crate) fn unpack(archive: &Path, into: &Path) -> Result<()> {
    let name = archive
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let open = || {
        let file = File::open(archive).with_context(|| format!("opening {archive:?}"))?;
        Ok::<_, anyhow::Error>(BufReader::with_capacity(1 << 16, file))
    };
    let ends_with = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends_with(&[".tar.xz"]) {
        unpack_tar(lzma_rust2::XzReader::new(open()?, true), into)
    } else if ends_with(&[".tar.gz", ".tgz", ".crate"]) {
        unpack_tar(flate2::bufread::MultiGzDecoder::new(open()?), into)
    } else if ends_with(&[".whl", ".zip"]) {
        unpack_zip(archive, into)
    } else {
        bail!("{name:?} is no kind of archive that can be unpacked: .tar.xz, .tar.gz, .tgz, .crate, .whl or .zip")
    }
    .with_context(|| format!("unpacking {name}"))?;
    make_read_only(into)
}

/// The folder that holds what was unpacked: source tarballs wrap everything in one folder.
pub(crate) fn content_root(unpacked: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(unpacked)?;
    if let (Some(first), None) = (entries.next(), entries.next()) {
        let first = first?;
        if first.file_type()?.is_dir() {
            return Ok(first.path());
        }
    }
    Ok(unpacked.to_owned())
}

fn unpack_tar(reader: impl Read, into: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(reader);
    archive.set_unpack_xattrs(false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let inside = inside(Path::new(""), &path);
        let Some(inside) = inside else {
            bail!("{path:?} leads outside the archive's folder")
        };
        if let Some(target) = entry.link_name()? {
            // A hard link names another entry, a symbolic one a path from where it stands.
            let from = if entry.header().entry_type() == tar::EntryType::Link {
                Path::new("")
            } else {
                inside.parent().unwrap_or(Path::new(""))
            };
            if self::inside(from, &target).is_none() {
                bail!("the link {path:?} leads outside the archive's folder, to {target:?}");
            }
        }
        if !entry
            .unpack_in(into)
            .with_context(|| format!("unpacking {path:?}"))?
        {
            bail!("{path:?} leads outside the archive's folder");
        }
    }
    Ok(())
}

fn unpack_zip(archive: &Path, into: &Path) -> Result<()> {
    let bytes = fs::read(archive).with_context(|| format!("reading {archive:?}"))?;
    let archive = rawzip::ZipArchive::from_slice(&bytes)?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry()? {
        let name = entry.file_path();
        let name = std::str::from_utf8(name.as_ref()).context("a name is not UTF-8")?;
        let Some(path) = inside(Path::new(""), Path::new(name)) else {
            bail!("{name:?} leads outside the archive's folder")
        };
        let path = into.join(path);
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        let mode = entry.mode();
        if mode.is_symlink() {
            bail!("{name:?} is a symbolic link, which wheels do not have");
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let content = archive.get_entry(entry.wayfinder())?;
        let mut reader: Box<dyn Read> = if entry.compression_method() == CompressionMethod::STORE {
            Box::new(content.data())
        } else if entry.compression_method() == CompressionMethod::DEFLATE {
            Box::new(flate2::bufread::DeflateDecoder::new(content.data()))
        } else {
            bail!("{name:?} is compressed in a way that wheels are not");
        };
        let mut reader = content.verifying_reader(&mut reader);
        let mut file = File::create_new(&path).with_context(|| format!("creating {path:?}"))?;
        std::io::copy(&mut reader, &mut file).with_context(|| format!("unpacking {name:?}"))?;
        if mode.permissions() & 0o111 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// Where `path` leads from the folder `from`, both relative to the archive's folder; `None` where
/// that is outside of it at any point on the way.
fn inside(from: &Path, path: &Path) -> Option<PathBuf> {
    let mut place = from.to_owned();
    for component in path.components() {
        match component {
            Component::Normal(name) => place.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !place.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

/// Takes the write permission from files. Folders keep it, so that the cache can be deleted with
/// plain `rm -r`.
fn make_read_only(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            make_read_only(&entry.path())?;
        } else if kind.is_file() {
            let mode = entry.metadata()?.permissions().mode();
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode & !0o222))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gzipped tar archive of raw headers: the tar crate's own builder refuses bad names.
    fn tar_gz(path: &Path, entries: &[(&str, tar::EntryType, &str)]) {
        let file = File::create(path).unwrap();
        let encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let mut builder = tar::Builder::new(encoder);
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            let data = if kind.is_file() {
                content.as_bytes()
            } else {
                b""
            };
            if !kind.is_file() {
                header.as_gnu_mut().unwrap().linkname[..content.len()]
                    .copy_from_slice(content.as_bytes());
            }
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
    }

    fn unpack_entries(entries: &[(&str, tar::EntryType, &str)]) -> (tempfile::TempDir, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("archive.tar.gz");
        tar_gz(&archive, entries);
        let into = folder.path().join("into");
        fs::create_dir(&into).unwrap();
        let result = unpack(&archive, &into);
        (folder, result)
    }

    use tar::EntryType::{Link, Regular, Symlink};

    #[test]
    fn a_tarball_is_unpacked_read_only_and_without_its_wrapping_folder() {
        let (folder, result) = unpack_entries(&[
            ("toy-1.0/configure", Regular, "#!/bin/sh\n"),
            ("toy-1.0/lib/a", Regular, "a"),
            ("toy-1.0/lib/b", Symlink, "../configure"),
            ("toy-1.0/c", Link, "toy-1.0/lib/a"),
        ]);
        result.unwrap();
        let root = content_root(&folder.path().join("into")).unwrap();
        assert!(root.ends_with("toy-1.0"));
        assert_eq!(
            fs::read_to_string(root.join("lib/b")).unwrap(),
            "#!/bin/sh\n"
        );
        assert_eq!(fs::read_to_string(root.join("c")).unwrap(), "a");
        let mode = fs::metadata(root.join("configure"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o555);
    }

    #[test]
    fn paths_that_lead_outside_are_refused() {
        for name in ["../evil", "/tmp/evil", "a/../../evil", "a/b/../../../evil"] {
            let (folder, result) = unpack_entries(&[(name, Regular, "evil")]);
            let error = format!("{:#}", result.unwrap_err());
            assert!(error.contains("outside"), "{name}: {error}");
            assert!(!folder.path().join("evil").exists(), "{name}");
        }
    }

    #[test]
    fn links_that_lead_outside_are_refused() {
        for (kind, target) in [
            (Symlink, "/etc"),
            (Symlink, "../../outside"),
            (Link, "/etc/passwd"),
            (Link, "../archive.tar.gz"),
        ] {
            let (_folder, result) = unpack_entries(&[("a/link", kind, target)]);
            let error = format!("{:#}", result.unwrap_err());
            assert!(error.contains("outside"), "{target}: {error}");
        }
    }

    #[test]
    fn writing_through_a_link_to_a_link_stays_inside() {
        // Each link alone is harmless; together they would climb out.
        let (folder, _) = unpack_entries(&[
            ("a/b/up", Symlink, ".."),
            ("a/b/up/up2", Symlink, "../.."),
            ("a/up2/evil", Regular, "evil"),
        ]);
        assert!(!folder.path().join("evil").exists());
    }

    /// A zip archive by Python's hand, which writes whatever name it is told.
    fn zip_of(path: &Path, entries: &[(&str, &str)]) {
        let script = "import sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as archive:\n\
            \x20   for name, content in zip(sys.argv[2::2], sys.argv[3::2]):\n\
            \x20       archive.writestr(name, content)";
        let mut command = std::process::Command::new("python3");
        command.args(["-c", script]).arg(path);
        for (name, content) in entries {
            command.args([name, content]);
        }
        assert!(command.status().unwrap().success());
    }

    #[test]
    fn a_wheel_is_unpacked_like_a_zip() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("toy-1.0-py3-none-any.whl");
        zip_of(
            &archive,
            &[
                ("toy/__init__.py", "x = 1\n"),
                ("toy-1.0.dist-info/RECORD", ""),
            ],
        );
        let into = folder.path().join("into");
        fs::create_dir(&into).unwrap();
        unpack(&archive, &into).unwrap();
        assert_eq!(content_root(&into).unwrap(), into);
        assert_eq!(
            fs::read_to_string(into.join("toy/__init__.py")).unwrap(),
            "x = 1\n"
        );
    }

    #[test]
    fn zip_paths_that_lead_outside_are_refused() {
        for name in ["../evil", "/tmp/evil-of-xtask", "a/../../evil"] {
            let folder = tempfile::tempdir().unwrap();
            let archive = folder.path().join("a.zip");
            zip_of(&archive, &[(name, "evil")]);
            let into = folder.path().join("into");
            fs::create_dir(&into).unwrap();
            let error = format!("{:#}", unpack(&archive, &into).unwrap_err());
            assert!(error.contains("outside"), "{name}: {error}");
            assert!(!folder.path().join("evil").exists());
        }
    }

    #[test]
    fn a_damaged_wheel_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.whl");
        let content: String = (0..2000).map(|n| format!("line {n}\n")).collect();
        zip_of(&archive, &[("file", &content)]);
        let mut bytes = fs::read(&archive).unwrap();
        bytes[500] ^= 0x40;
        fs::write(&archive, bytes).unwrap();
        let into = folder.path().join("into");
        fs::create_dir(&into).unwrap();
        assert!(unpack(&archive, &into).is_err());
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.rar");
        fs::write(&archive, "").unwrap();
        let error = unpack(&archive, folder.path()).unwrap_err();
        assert!(error.to_string().contains("a.rar"), "{error}");
    }
}
