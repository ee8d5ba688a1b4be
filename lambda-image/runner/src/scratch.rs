//! The folders of one execution, made before it and removed after it.

use std::collections::HashSet;
use std::ffi::{CString, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmodat, openat, statat, unlinkat};
use rustix::io::Errno;
use sandgate_core::{Task, check_relative_path};

/// Where executions have their folders.
#[derive(Debug)]
pub(crate) struct Scratch {
    base: PathBuf,
    /// For what interpreters need while they load their packages.
    pub(crate) interpreters: PathBuf,
    /// The base is in a folder of our own, removed at the end.
    own: Option<tempfile::TempDir>,
    /// What was in the base before the first execution.
    present: HashSet<OsString>,
}

/// The folders of one execution.
#[derive(Debug)]
pub(crate) struct Folders {
    /// The working directory.
    pub(crate) work: PathBuf,
    /// For temporary files.
    pub(crate) temporary: PathBuf,
}

impl Scratch {
    /// Folders in `owned`, which belongs to the runner alone; or in a new folder of its own.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub(crate) fn new(owned: Option<&Path>) -> io::Result<Self> {
        let (base, own) = match owned {
            Some(base) => (base.canonicalize()?, None),
            None => {
                let own = tempfile::Builder::new().prefix("sandgate-").tempdir()?;
                (own.path().canonicalize()?, Some(own))
            }
        };
        let interpreters = base.join("interpreters");
        let mut private = DirBuilder::new();
        private.mode(0o700).recursive(true).create(&interpreters)?;
        let present = fs::read_dir(&base)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            base,
            interpreters,
            own,
            present,
        })
    }

    /// Whether everything that guests may write to is emptied, whatever holds them back.
    pub(crate) fn is_all(&self) -> bool {
        self.own.is_none()
    }

    /// Makes the folders for `task`, with its files in place.
    ///
    /// # Errors
    /// If a file cannot be written, or its path leads elsewhere.
    pub(crate) fn prepare(&self, task: &Task) -> io::Result<Folders> {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        let folders = Folders {
            work: self.base.join("work"),
            temporary: self.base.join("temporary"),
        };
        private.create(&folders.work)?;
        private.create(&folders.temporary)?;
        private.recursive(true);
        for file in &task.files {
            // Whatever checked it before, here it becomes a path.
            check_relative_path(&file.path)
                .map_err(|error| io::Error::other(format!("{:?} {error}", file.path)))?;
            let path = folders.work.join(&file.path);
            if let Some(parent) = path.parent() {
                private.create(parent)?;
            }
            fs::write(path, &file.content)?;
        }
        Ok(folders)
    }

    /// Removes everything that was not there before the first execution, and, unless one of them
    /// is still loading its packages, what interpreters left. Nothing of the guest may run any
    /// more.
    ///
    /// # Errors
    /// If something is left: the environment is not to be used again.
    pub(crate) fn clear(&self, is_loading: bool) -> io::Result<()> {
        empty(&self.base, &self.present)?;
        if !is_loading {
            empty(&self.interpreters, &HashSet::new())?;
        }
        Ok(())
    }
}

/// Removes what is in `folder`, but not `kept`.
fn empty(folder: &Path, kept: &HashSet<OsString>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !kept.contains(&name) {
            remove(folder, name)?;
        }
    }
    Ok(())
}

/// Removes `name` in `folder` with all it holds. Follows no links, needs one descriptor however
/// deep it goes, and does not mind what the guest did to the permissions.
fn remove(folder: &Path, name: OsString) -> io::Result<()> {
    let top = rustix::fs::open(folder, FOLDER, Mode::empty())?;
    let name = CString::new(name.into_vec())?;
    let mut inside: Vec<CString> = Vec::new();
    let Some(mut at) = enter(&top, &name)? else {
        return Ok(());
    };
    inside.push(name);
    loop {
        match first_folder(&at)? {
            Some(deeper) => {
                if let Some(next) = enter(&at, &deeper)? {
                    at = next;
                    inside.push(deeper);
                }
            }
            None => {
                let Some(done) = inside.pop() else {
                    return Ok(());
                };
                // Nothing moves folders any more, so this is where we came from.
                let above = match inside.last() {
                    Some(_) => openat(&at, c"..", FOLDER, Mode::empty())?,
                    None => top.try_clone()?,
                };
                unlinkat(&above, &done, AtFlags::REMOVEDIR)?;
                if inside.is_empty() {
                    return Ok(());
                }
                at = above;
            }
        }
    }
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens a folder; removes anything else.
fn enter(folder: &OwnedFd, name: &CString) -> io::Result<Option<OwnedFd>> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        unlinkat(folder, name, AtFlags::empty())?;
        return Ok(None);
    }
    let needed = Mode::RWXU;
    if !Mode::from_raw_mode(stat.st_mode).contains(needed) {
        chmodat(folder, name, needed, AtFlags::empty())?;
    }
    Ok(Some(openat(folder, name, FOLDER, Mode::empty())?))
}

/// Removes everything in a folder but folders that are not empty, and gives one of those.
fn first_folder(folder: &OwnedFd) -> io::Result<Option<CString>> {
    for entry in Dir::read_from(folder.as_fd())? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => match unlinkat(folder, name, AtFlags::REMOVEDIR) {
                Ok(()) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(Some(name.to_owned())),
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Whether there are more than `most` files and folders below `folder`. What cannot be looked at
/// counts as more: only a guest makes such folders.
pub(crate) fn holds_more_than(folder: &Path, most: u64) -> bool {
    let mut count = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return true,
        };
        for entry in entries {
            let Ok(entry) = entry else { return true };
            count += 1;
            if count > most {
                return true;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_was_there_stays_and_all_else_goes() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "x").unwrap();
        fs::write(folder.path().join("present"), "x").unwrap();
        let scratch = Scratch::new(Some(folder.path())).unwrap();

        let work = folder.path().join("work");
        fs::create_dir_all(work.join("a/b/c")).unwrap();
        fs::write(work.join("a/b/file"), "x").unwrap();
        symlink(outside.path(), work.join("a/link")).unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        fs::write(folder.path().join("interpreters/left"), "x").unwrap();
        fs::set_permissions(work.join("a/b"), fs::Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(work.join("a"), fs::Permissions::from_mode(0o500)).unwrap();
        scratch.clear(false).unwrap();

        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        let left: HashSet<_> = left.into_iter().collect();
        assert_eq!(
            left,
            HashSet::from(["present".into(), "interpreters".into()])
        );
        assert_eq!(
            fs::read_dir(folder.path().join("interpreters"))
                .unwrap()
                .count(),
            0
        );
        assert!(outside.path().join("kept").exists());
    }

    #[test]
    fn folders_may_be_deeper_than_paths_are_long() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(Some(folder.path())).unwrap();
        let mut at = rustix::fs::open(folder.path(), FOLDER, Mode::empty()).unwrap();
        for _ in 0..5_000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = openat(&at, "d", FOLDER, Mode::empty()).unwrap();
        }
        scratch.clear(false).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn files_are_counted_as_far_as_they_matter() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/file"), "").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        assert!(!holds_more_than(folder.path(), 4));
        assert!(holds_more_than(folder.path(), 3));
        assert!(!holds_more_than(&folder.path().join("missing"), 0));
    }
}
