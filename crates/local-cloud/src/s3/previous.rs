//! What a key held before a write. The store below renames a new body into place before it has
//! compared the checksums.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Puts back what was there, unless told that the new object is complete.
#[derive(Debug)]
pub(super) struct Previous {
    file: PathBuf,
    copy: Option<PathBuf>,
    replaced: bool,
}

impl Previous {
    /// Keeps the file as it is now under another name in `root`.
    pub(super) fn keep(root: &Path, file: PathBuf) -> io::Result<Self> {
        let copy = root.join(format!(".previous-{}", Uuid::new_v4()));
        let existed = match fs::hard_link(&file, &copy) {
            Ok(()) => true,
            Err(error) if is_missing(&error) => false,
            Err(error) => return Err(error),
        };
        Ok(Self {
            file,
            copy: existed.then_some(copy),
            replaced: false,
        })
    }

    /// The new object is complete.
    pub(super) fn replaced(mut self) {
        self.replaced = true;
    }

    fn settle(&self) -> io::Result<()> {
        match (&self.copy, self.replaced) {
            (Some(copy), false) => {
                fs::rename(copy, &self.file)?;
                // A rename between two names of one file does nothing.
                remove(copy)
            }
            (Some(copy), true) => remove(copy),
            (None, false) => remove(&self.file),
            (None, true) => Ok(()),
        }
    }
}

impl Drop for Previous {
    fn drop(&mut self) {
        if let Err(error) = self.settle() {
            tracing::warn!(%error, file = %self.file.display(), "cannot undo a failed upload");
        }
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if !is_missing(&error) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
