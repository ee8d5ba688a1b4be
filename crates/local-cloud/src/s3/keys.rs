//! Keys, and the files that stand for them.

use std::fs;
use std::io;
use std::path::Path;

use s3s::crypto::{Checksum, Sha256};
use s3s::{S3Result, s3_error};
use uuid::Uuid;

/// The file that holds the body of a key that ends in a slash, inside the folder of that name. No
/// part of a key is called this, and it is text that XML can carry.
const FOLDER_BODY: &str = "\t";

/// The folder in a bucket with the objects whose keys are too long for file names. Each is named by
/// the hash of its key, and has a file beside it that holds the key.
const LONG: &str = "\t";

/// What the file beside is called after the hash.
const KEY_FILE: &str = "key";

/// Longest file name, in bytes, that Linux file systems take.
const NAME_MAX: usize = 255;

/// Longest key, in bytes, as S3 has it.
const KEY_MAX: usize = 1024;

/// A key that is safe to store, and the name it is stored under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) key: String,
    /// Path of its file below the bucket's folder.
    pub(super) name: String,
}

impl Stored {
    /// Checks a key: no part of it may be empty, `.`, `..` or reserved.
    pub(super) fn new(bucket: &str, key: &str) -> S3Result<Self> {
        let path = key.strip_suffix('/').unwrap_or(key);
        let bad = |part: &str| {
            matches!(part, "" | "." | "..") || part == FOLDER_BODY || part.contains('\0')
        };
        if path.split('/').any(bad) {
            return Err(s3_error!(
                InvalidArgument,
                "a key must not have empty, `.` or `..` parts here"
            ));
        }
        if key.len() > KEY_MAX {
            return Err(s3_error!(KeyTooLongError));
        }
        let name = if is_long(bucket, key) {
            let mut hash = Sha256::new();
            hash.update(key.as_bytes());
            let hex: String = hash
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("{LONG}/{hex}")
        } else if path.len() < key.len() {
            format!("{key}{FOLDER_BODY}")
        } else {
            key.to_owned()
        };
        Ok(Self {
            key: key.to_owned(),
            name,
        })
    }

    /// Writes down what the name does not tell. Comes before the object.
    pub(super) fn write_key(&self, bucket: &Path) -> io::Result<()> {
        if !self.name.starts_with(LONG) {
            return Ok(());
        }
        let file = bucket.join(&self.name).with_extension(KEY_FILE);
        if file.exists() {
            return Ok(());
        }
        fs::create_dir_all(bucket.join(LONG))?;
        let new = file.with_extension(Uuid::new_v4().simple().to_string());
        fs::write(&new, &self.key)?;
        fs::rename(new, file)
    }

    /// Removes what [`write_key`](Self::write_key) wrote.
    pub(super) fn remove_key(&self, bucket: &Path) -> io::Result<()> {
        if !self.name.starts_with(LONG) {
            return Ok(());
        }
        fs::remove_file(bucket.join(&self.name).with_extension(KEY_FILE))
    }
}

/// Whether a key cannot name its files. The store below has one beside each object that is named by
/// the whole key in base64.
fn is_long(bucket: &str, key: &str) -> bool {
    let base64 = |length: usize| (length * 4).div_ceil(3);
    let beside = ".bucket-.object-.upload-.metadata.json".len()
        + Uuid::nil().hyphenated().to_string().len()
        + base64(bucket.len())
        + base64(key.len() + FOLDER_BODY.len());
    beside > NAME_MAX
}

/// The key of the object in a file, or none if the file is no object.
pub(super) fn key_of(bucket: &Path, file: &Path) -> Option<String> {
    let name = file.strip_prefix(bucket).ok()?.to_str()?;
    if let Some(hash) = name
        .strip_prefix(LONG)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        let is_object = !hash.contains('.');
        return is_object
            .then(|| fs::read_to_string(file.with_extension(KEY_FILE)).ok())
            .flatten();
    }
    let folder = name.strip_suffix(FOLDER_BODY);
    Some(folder.unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_leave_their_folder_are_refused() {
        for key in [
            "..",
            "../x",
            "a/../b",
            "a/..",
            ".",
            "./a",
            "a/./b",
            "/etc/passwd",
            "a//b",
            "",
            "/",
            "a\0b",
            "a/\t",
            "\t/a",
            "\t/",
        ] {
            assert!(Stored::new("bucket", key).is_err(), "{key:?}");
        }
        assert!(Stored::new("bucket", &"k".repeat(1025)).is_err());
    }

    #[test]
    fn ordinary_keys_name_their_files() {
        for key in ["a", "a/b.txt", "..a/b..", "a b/ünï", ".hidden", "a/..."] {
            let stored = Stored::new("bucket", key).unwrap();
            assert_eq!(stored.name, key);
            let file = Path::new("/r/bucket").join(key);
            assert_eq!(key_of(Path::new("/r/bucket"), &file).as_deref(), Some(key));
        }
    }

    #[test]
    fn a_folder_key_names_a_file_inside_and_comes_back() {
        let stored = Stored::new("bucket", "dir/").unwrap();
        assert_ne!(stored.name, "dir/");
        let file = Path::new("/r").join(&stored.name);
        assert_eq!(key_of(Path::new("/r"), &file).as_deref(), Some("dir/"));
    }

    #[test]
    fn a_long_key_is_kept_beside_its_hash() {
        let bucket = tempfile::tempdir().unwrap();
        let keys = [
            "k".repeat(1024),
            format!("{}/x", "d".repeat(300)),
            format!("{}/", "é".repeat(400)),
        ];
        for key in keys {
            let stored = Stored::new("bucket", &key).unwrap();
            assert!(stored.name.len() < 100);
            let file = bucket.path().join(&stored.name);
            assert_eq!(key_of(bucket.path(), &file), None);
            stored.write_key(bucket.path()).unwrap();
            assert_eq!(key_of(bucket.path(), &file), Some(key));
            let beside = file.with_extension(KEY_FILE);
            assert_eq!(key_of(bucket.path(), &beside), None);
            stored.remove_key(bucket.path()).unwrap();
        }
    }
}
