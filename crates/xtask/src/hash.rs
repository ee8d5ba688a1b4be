//! Content hashes: the names under which the cache keeps things.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Collects what an entry is made from. Every part is framed by its length, so that different
/// parts never look the same together.
#[derive(Debug)]
pub(crate) struct Key(blake3::Hasher);

impl Key {
    /// An empty key for entries of one kind. Change the format to make all of them anew.
    pub(crate) fn new(format: &str) -> Self {
        let mut key = Self(blake3::Hasher::new());
        key.frame(format.as_bytes());
        key
    }

    /// Adds a named value.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        self.frame(name.as_bytes());
        self.frame(value.as_bytes());
    }

    /// Adds a file, or a folder with everything in it: relative paths, contents and whether a
    /// file is executable. Times and owners do not count.
    pub(crate) fn files(&mut self, base: &Path, relative: &Path) -> Result<()> {
        for file in walk(base, relative)? {
            let path = base.join(&file);
            let content = fs::read(&path).with_context(|| format!("reading {path:?}"))?;
            let executable = fs::metadata(&path)?.permissions().mode() & 0o111 != 0;
            self.frame(file.to_string_lossy().as_bytes());
            self.frame(if executable { b"x" } else { b"-" });
            self.frame(&content);
        }
        Ok(())
    }

    /// The key as a short name: 128 bits in hex.
    pub(crate) fn finish(&self) -> String {
        let mut name = self.0.finalize().to_hex().to_string();
        name.truncate(32);
        name
    }

    fn frame(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

/// Every file at or below `base/relative`, as sorted paths relative to `base`. Compiled Python is
/// no input: whoever runs a script leaves it behind.
pub(crate) fn walk(base: &Path, relative: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![relative.to_owned()];
    while let Some(path) = waiting.pop() {
        let full = base.join(&path);
        let metadata = fs::metadata(&full).with_context(|| format!("reading {full:?}"))?;
        if !metadata.is_dir() {
            found.push(path);
            continue;
        }
        for entry in fs::read_dir(&full).with_context(|| format!("reading {full:?}"))? {
            let name = entry?.file_name();
            if name != "__pycache__" {
                waiting.push(path.join(name));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The SHA-256 of a file in lowercase hex, as registries publish it.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {path:?}"))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).with_context(|| format!("reading {path:?}")),
        }
    }
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(folder: &Path) -> String {
        let mut key = Key::new("test 1");
        key.files(folder, Path::new("inputs")).unwrap();
        key.finish()
    }

    #[test]
    fn keys_depend_on_names_contents_and_modes_only() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = folder.path().join("inputs");
        fs::create_dir_all(inputs.join("deep")).unwrap();
        fs::write(inputs.join("deep/a"), "1").unwrap();
        fs::write(inputs.join("b"), "2").unwrap();
        let original = key_of(folder.path());
        assert_eq!(original.len(), 32);

        // Written again, with another time and with compiled Python beside it: the same.
        fs::write(inputs.join("b"), "2").unwrap();
        fs::create_dir(inputs.join("__pycache__")).unwrap();
        fs::write(inputs.join("__pycache__/b.pyc"), "x").unwrap();
        assert_eq!(key_of(folder.path()), original);

        fs::write(inputs.join("b"), "3").unwrap();
        assert_ne!(key_of(folder.path()), original);
        fs::write(inputs.join("b"), "2").unwrap();
        assert_eq!(key_of(folder.path()), original);

        fs::set_permissions(inputs.join("b"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(key_of(folder.path()), original);
        fs::set_permissions(inputs.join("b"), fs::Permissions::from_mode(0o644)).unwrap();

        fs::rename(inputs.join("b"), inputs.join("c")).unwrap();
        assert_ne!(key_of(folder.path()), original);
    }

    #[test]
    fn a_key_is_the_same_in_every_run() {
        let mut key = Key::new("test 1");
        key.field("name", "value");
        assert_eq!(key.finish(), "b1725acb97be9cedd97228ef699b35cd");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = |a: &str, b: &str| {
            let mut key = Key::new("test 1");
            key.field(a, b);
            key.finish()
        };
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_ne!(key("", "abc"), key("abc", ""));
    }

    #[test]
    fn a_missing_input_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = walk(folder.path(), Path::new("absent.sh")).unwrap_err();
        assert!(error.to_string().contains("absent.sh"), "{error}");
    }

    #[test]
    fn sha256_is_what_sha256sum_prints() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "abc").unwrap();
        assert_eq!(
            sha256(&file).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
