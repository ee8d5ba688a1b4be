//! An object store in a directory of the local disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::utf8_percent_encode;
use sandgate_core::BoxFuture;

use super::form::URI_PATH;
use super::object_store::{Object, ObjectStore, StoreError};

/// Objects as files, readable by this process's user only.
///
/// A file is written in place: whoever reads through the spool never sees a half-written one,
/// since the spool answers until the write is done.
#[derive(Clone, Debug)]
pub struct DirectoryStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    sync: bool,
}

impl DirectoryStore {
    /// A store below `root`, which is created when it is missing. With `sync`, objects are on the
    /// disk itself, not only with the operating system, when a put returns.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn new(root: impl AsRef<Path>, sync: bool) -> io::Result<Self> {
        let root = std::path::absolute(root)?;
        private_directories(&root)?;
        Ok(Self {
            inner: Arc::new(Inner { root, sync }),
        })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }
}

impl ObjectStore for DirectoryStore {
    fn put_all(&self, objects: Vec<Object>) -> BoxFuture<'_, Result<(), StoreError>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            // One hop for the whole batch: a hop costs as much as a small file.
            run_blocking("write", "a batch", move || {
                for object in &objects {
                    inner
                        .write(object)
                        .map_err(|error| failed("write", &object.key, error))?;
                }
                inner.flush().map_err(|error| failed("flush", "", error))
            })
            .await
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        let (inner, owned) = (Arc::clone(&self.inner), key.to_owned());
        Box::pin(run_blocking("read", key, move || {
            inner
                .read(&owned)
                .map_err(|error| failed("read", &owned, error))
        }))
    }

    fn uri(&self, key: &str) -> String {
        let root = self.inner.root.to_string_lossy();
        format!(
            "file://{}/{}",
            utf8_percent_encode(&root, URI_PATH),
            utf8_percent_encode(key, URI_PATH)
        )
    }
}

impl Inner {
    /// The file for `key`. Keys are made by the spool from checked parts; this holds even if that
    /// should fail.
    fn path(&self, key: &str) -> io::Result<PathBuf> {
        let inside = !key.is_empty()
            && key.split('/').all(|part| !part.is_empty() && part != ".")
            && Path::new(key)
                .components()
                .all(|component| matches!(component, Component::Normal(_)));
        if inside {
            Ok(self.root.join(key))
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a name inside the store",
            ))
        }
    }

    fn write(&self, object: &Object) -> io::Result<()> {
        let path = self.path(&object.key)?;
        if let Some(parent) = path.parent() {
            // Mostly the day's folder exists and the execution's own does not.
            match private().create(parent) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => private_directories(parent)?,
            }
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?
            .write_all(&object.content)
    }

    fn flush(&self) -> io::Result<()> {
        if self.sync {
            rustix::fs::syncfs(File::open(&self.root)?)?;
        }
        Ok(())
    }

    fn read(&self, key: &str) -> io::Result<Option<Bytes>> {
        match std::fs::read(self.path(key)?) {
            Ok(content) => Ok(Some(Bytes::from(content))),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::IsADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A builder of directories that only this process's user can look into.
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Creates `path` and what is missing above it.
pub(crate) fn private_directories(path: &Path) -> io::Result<()> {
    private().recursive(true).create(path)
}

fn failed(action: &'static str, key: &str, error: io::Error) -> StoreError {
    StoreError {
        action,
        key: key.to_owned(),
        source: error.into(),
    }
}

async fn run_blocking<T: Send + 'static>(
    action: &'static str,
    key: &str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(StoreError {
            action,
            key: key.to_owned(),
            source: stopped.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> Object {
        Object {
            key: key.into(),
            content: Bytes::from_static(b"x"),
            media_type: "text/plain".into(),
        }
    }

    #[tokio::test]
    async fn what_is_put_can_be_got() {
        let dir = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(dir.path().join("a/b"), true).unwrap();
        for _ in 0..2 {
            store
                .put_all(vec![object("x/y/z"), object("x/y/w")])
                .await
                .unwrap();
        }
        assert_eq!(store.get("x/y/z").await.unwrap().unwrap(), "x");
        for missing in ["x/y", "x/y/z/deeper", "nothing"] {
            assert_eq!(store.get(missing).await.unwrap(), None, "{missing}");
        }
    }

    #[tokio::test]
    async fn no_key_leads_out_of_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(dir.path().join("store"), false).unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        for key in [
            "../secret",
            "a/../../secret",
            "/etc/passwd",
            "",
            "a//b",
            "./a",
        ] {
            assert!(store.get(key).await.is_err(), "{key}");
            assert!(store.put_all(vec![object(key)]).await.is_err(), "{key}");
        }
    }

    #[test]
    fn uris_are_escaped() {
        let dir = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(dir.path().join("a b"), false).unwrap();
        let uri = store.uri("k#/");
        assert!(
            uri.starts_with("file:///") && uri.ends_with("/a%20b/k%23/"),
            "{uri}"
        );
    }
}
