//! The build cache: folders that are either whole or absent, one producer at a time.
//!
//! ```text
//! archives/<sha256>/<file>          fetched, as the registry gave it
//! sources/<name>-<sha256 prefix>/   unpacked, files read-only
//! tools/<name>-<hash>/              the toolchain
//! steps/<guest>-<step>-<hash>/      outputs of build steps
//! zig/                              the compiler's own cache
//! locks/ logs/ work/                one file or folder per entry under construction
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::console::Console;

/// What an entry of the cache is. Its folder has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A fetched archive.
    Archives,
    /// An unpacked archive.
    Sources,
    /// A toolchain.
    Tools,
    /// The output of a build step.
    Steps,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Archives => "archives",
            Self::Sources => "sources",
            Self::Tools => "tools",
            Self::Steps => "steps",
        }
    }
}

/// The cache's folder.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    root: PathBuf,
}

/// What the maker of an entry is given.
#[derive(Debug)]
pub(crate) struct Workplace<'a> {
    /// A fresh folder; it is gone afterwards.
    pub(crate) scratch: &'a Path,
    /// An empty folder that becomes the entry.
    pub(crate) out: &'a Path,
    /// Where the output of commands goes.
    pub(crate) log: &'a Path,
    /// The entry's lock. A command that gets it as its standard input (it reads as empty) keeps
    /// the entry locked while it or a child of it lives, even when this process was killed: nobody
    /// starts over in a folder where a forgotten compiler still writes.
    pub(crate) lock: &'a File,
}

impl Cache {
    /// The cache of this user: `SANDGATE_CACHE_DIR`, or `sandgate` in the XDG cache folder.
    pub(crate) fn open() -> Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = if let Some(folder) = variable("SANDGATE_CACHE_DIR") {
            PathBuf::from(folder)
        } else if let Some(folder) = variable("XDG_CACHE_HOME") {
            Path::new(&folder).join("sandgate")
        } else if let Some(home) = variable("HOME") {
            Path::new(&home).join(".cache/sandgate")
        } else {
            bail!("neither SANDGATE_CACHE_DIR nor HOME is set: say where the cache may be");
        };
        Self::at(&std::path::absolute(root)?)
    }

    /// A cache in the given folder, which is made if it does not exist.
    pub(crate) fn at(root: &Path) -> Result<Self> {
        // make and configure split their arguments at blanks.
        if root
            .to_str()
            .is_none_or(|text| text.contains(char::is_whitespace))
        {
            bail!(
                "the cache folder {root:?} must be UTF-8 without blanks: set SANDGATE_CACHE_DIR to another"
            );
        }
        for folder in [
            "archives", "sources", "tools", "steps", "zig", "locks", "logs", "work",
        ] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("creating {folder:?}"))?;
        }
        let cache = Self {
            root: root.to_owned(),
        };
        cache.sweep()?;
        Ok(cache)
    }

    /// The folder of the compiler's own cache.
    pub(crate) fn zig(&self) -> PathBuf {
        self.root.join("zig")
    }

    /// Where an entry is, or will be.
    pub(crate) fn path(&self, kind: Kind, name: &str) -> PathBuf {
        self.root.join(kind.folder()).join(name)
    }

    /// Where the log of an entry's construction is.
    pub(crate) fn log(&self, kind: Kind, name: &str) -> PathBuf {
        self.root
            .join("logs")
            .join(format!("{}-{name}.log", kind.folder()))
    }

    /// The entry, made by `make` if it does not exist. `make` runs under the entry's lock; only
    /// what it returns `Ok` for becomes visible, at once and whole.
    pub(crate) fn produce(
        &self,
        kind: Kind,
        name: &str,
        console: &Console,
        make: impl FnOnce(&Workplace<'_>) -> Result<()>,
    ) -> Result<PathBuf> {
        let entry = self.path(kind, name);
        if entry.exists() {
            return Ok(entry);
        }
        let id = format!("{}-{name}", kind.folder());
        let lock = self.lock(&id, console)?;
        if entry.exists() {
            return Ok(entry);
        }
        let scratch = self.root.join("work").join(&id);
        remove_all(&scratch)?;
        let out = scratch.join("out");
        fs::create_dir_all(&out).with_context(|| format!("creating {out:?}"))?;
        let log = self.log(kind, name);
        File::create(&log).with_context(|| format!("creating {log:?}"))?;
        let made = make(&Workplace {
            scratch: &scratch,
            out: &out,
            log: &log,
            lock: &lock,
        })
        .and_then(|()| fs::rename(&out, &entry).context("publishing the result"));
        let cleaned = remove_all(&scratch);
        made?;
        cleaned?;
        Ok(entry)
    }

    /// Removes an entry, so that the next [`Self::produce`] makes it anew.
    pub(crate) fn remove(&self, kind: Kind, name: &str, console: &Console) -> Result<()> {
        let id = format!("{}-{name}", kind.folder());
        let _lock = self.lock(&id, console)?;
        // Renamed first: whoever looks meanwhile must not find half of it.
        let scratch = self.root.join("work").join(&id);
        remove_all(&scratch)?;
        match fs::rename(self.path(kind, name), &scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => remove_all(&scratch),
        }
    }

    /// Waits for the lock of that name; it is held until the file is closed everywhere.
    pub(crate) fn lock(&self, id: &str, console: &Console) -> Result<File> {
        let path = self.root.join("locks").join(id);
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening {path:?}"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                console.line(&format!("waiting for another build of {id}"));
                file.lock().with_context(|| format!("locking {path:?}"))?;
                Ok(file)
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("locking {path:?}"))
            }
        }
    }

    /// Removes what interrupted builds left: work folders whose lock nobody holds.
    fn sweep(&self) -> Result<()> {
        for entry in fs::read_dir(self.root.join("work"))? {
            let entry = entry?;
            let lock = self.root.join("locks").join(entry.file_name());
            let Ok(lock) = File::open(&lock) else {
                continue;
            };
            if lock.try_lock().is_ok() {
                remove_all(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Removes a file or a folder with all it holds; absent is fine.
pub(crate) fn remove_all(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {path:?}"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        (folder, cache)
    }

    /// Waits until a lock is let go that nobody here holds: whatever another test starts has it,
    /// too, until it is executed.
    fn until(free: impl Fn() -> bool) {
        let started = std::time::Instant::now();
        while !free() {
            assert!(started.elapsed().as_secs() < 60, "it is held");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    #[test]
    fn an_entry_appears_whole_and_is_made_once() {
        let (_folder, cache) = cache();
        let console = Console::new();
        let made = AtomicUsize::new(0);
        let make = |place: &Workplace<'_>| {
            made.fetch_add(1, Ordering::Relaxed);
            assert!(!cache.path(Kind::Steps, "a").exists());
            fs::write(place.out.join("file"), "content")?;
            fs::write(place.scratch.join("rubbish"), "x")?;
            Ok(())
        };
        let first = cache.produce(Kind::Steps, "a", &console, make).unwrap();
        let second = cache.produce(Kind::Steps, "a", &console, make).unwrap();
        assert_eq!(first, second);
        assert_eq!(fs::read_to_string(first.join("file")).unwrap(), "content");
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(fs::read_dir(cache.root.join("work")).unwrap().count(), 0);
    }

    #[test]
    fn a_failed_entry_leaves_nothing_but_its_log() {
        let (_folder, cache) = cache();
        let result = cache.produce(Kind::Steps, "a", &Console::new(), |place| {
            fs::write(place.out.join("file"), "half")?;
            fs::write(place.log, "what went wrong")?;
            bail!("broken")
        });
        assert!(result.is_err());
        assert!(!cache.path(Kind::Steps, "a").exists());
        assert_eq!(fs::read_dir(cache.root.join("work")).unwrap().count(), 0);
        let log = fs::read_to_string(cache.log(Kind::Steps, "a")).unwrap();
        assert_eq!(log, "what went wrong");
    }

    #[test]
    fn concurrent_producers_take_turns() {
        let (_folder, cache) = cache();
        let made = AtomicUsize::new(0);
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let console = Console::new();
                    cache
                        .produce(Kind::Steps, "a", &console, |place| {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            made.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(std::time::Duration::from_millis(30));
                            fs::write(place.out.join("file"), "content")?;
                            inside.fetch_sub(1, Ordering::SeqCst);
                            Ok(())
                        })
                        .unwrap();
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_an_interrupted_build_left_is_swept_away_unless_somebody_works_there() {
        let (folder, cache) = cache();
        let console = Console::new();
        for id in ["steps-dead", "steps-alive"] {
            fs::create_dir(folder.path().join("work").join(id)).unwrap();
        }
        drop(cache.lock("steps-dead", &console).unwrap());
        let alive = cache.lock("steps-alive", &console).unwrap();
        until(|| {
            Cache::at(folder.path()).unwrap();
            !folder.path().join("work/steps-dead").exists()
        });
        assert!(folder.path().join("work/steps-alive").exists());
        drop(alive);
    }

    #[test]
    fn a_child_with_the_lock_as_its_input_keeps_it() {
        let (folder, cache) = cache();
        let lock = cache.lock("steps-a", &Console::new()).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .stdin(lock.try_clone().unwrap())
            .spawn()
            .unwrap();
        drop(lock);
        let again = File::open(folder.path().join("locks/steps-a")).unwrap();
        assert!(matches!(again.try_lock(), Err(TryLockError::WouldBlock)));
        child.kill().unwrap();
        child.wait().unwrap();
        until(|| again.try_lock().is_ok());
    }

    #[test]
    fn removal_makes_room_for_another() {
        let (_folder, cache) = cache();
        let console = Console::new();
        cache.remove(Kind::Steps, "a", &console).unwrap();
        for content in ["one", "two"] {
            let made = cache
                .produce(Kind::Steps, "a", &console, |place| {
                    Ok(fs::write(place.out.join("file"), content)?)
                })
                .unwrap();
            assert_eq!(fs::read_to_string(made.join("file")).unwrap(), content);
            cache.remove(Kind::Steps, "a", &console).unwrap();
        }
    }

    #[test]
    fn a_cache_folder_with_blanks_is_refused() {
        let error = Cache::at(Path::new("/nonexistent/with blank")).unwrap_err();
        assert!(error.to_string().contains("SANDGATE_CACHE_DIR"), "{error}");
    }
}
