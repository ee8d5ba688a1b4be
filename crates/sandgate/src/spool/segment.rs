//! One file of the spool.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;

use super::frame::Key;

const MAGIC: [u8; 16] = *b"sandgate spool 1";
/// Bytes before the first frame: the magic and the key.
pub(crate) const START: u64 = 48;
const EXTENSION: &str = "log";
const DAMAGED: &str = "damaged";

/// A segment: frames one after the other.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u64,
    pub(crate) key: Key,
    path: PathBuf,
    file: File,
    /// Up to where it is on the disk itself.
    pub(crate) synced: AtomicU64,
    pub(crate) sync_gate: tokio::sync::Mutex<()>,
    /// Whether a record in it could not be read.
    damaged: AtomicBool,
}

impl Segment {
    pub(crate) fn create(directory: &Path, sequence: u64, key: Key) -> io::Result<Self> {
        let path = directory.join(format!("{sequence:016x}.{EXTENSION}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all_at(&[&MAGIC[..], &key].concat(), 0)?;
        Ok(Self::new(sequence, key, path, file))
    }

    /// Opens what an earlier process left; none if it is not a segment.
    pub(crate) fn open(path: &Path, sequence: u64) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let mut start = [0; START as usize];
        match file.read_exact_at(&mut start, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let (magic, key) = start.split_at(MAGIC.len());
        Ok(match Key::try_from(key) {
            Ok(key) if *magic == MAGIC => Some(Self::new(sequence, key, path.to_owned(), file)),
            Ok(_) | Err(_) => None,
        })
    }

    fn new(sequence: u64, key: Key, path: PathBuf, file: File) -> Self {
        Self {
            sequence,
            key,
            path,
            file,
            synced: AtomicU64::new(0),
            sync_gate: tokio::sync::Mutex::new(()),
            damaged: AtomicBool::new(false),
        }
    }

    /// The segments in `directory`, oldest first.
    pub(crate) fn list(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let sequence = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .filter(|_| path.extension().is_some_and(|e| e == EXTENSION))
                .and_then(|stem| u64::from_str_radix(stem, 16).ok());
            found.extend(sequence.map(|sequence| (sequence, path)));
        }
        found.sort_unstable();
        Ok(found)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    pub(crate) fn read(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }

    /// Writes `frame` whole or, if that fails, not at all.
    pub(crate) fn write(&self, frame: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(frame, offset).inspect_err(|_| {
            // Should this fail too, the half frame is overwritten by the next, or found torn.
            let _ = self.file.set_len(offset);
        })
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(crate) fn mark_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Takes a delivered segment away. One that could not be read in full is set aside for a
    /// person to look at.
    pub(crate) fn remove(&self) -> io::Result<()> {
        if self.damaged.load(Ordering::Relaxed) {
            set_aside(&self.path)
        } else {
            std::fs::remove_file(&self.path)
        }
    }
}

/// Renames a file so that it is no longer taken for a segment.
pub(crate) fn set_aside(path: &Path) -> io::Result<()> {
    std::fs::rename(path, path.with_extension(DAMAGED))
}
