//! The file-backed store with what it lacks on its own: safe keys, one writer for a key at a
//! time, and a failed upload that leaves what was there before.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopySource,
    CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, Object, PutObjectInput, PutObjectOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use uuid::Uuid;

/// The file that holds the body of a key that ends in a slash, inside the folder of that name. It
/// sorts before all other names and is text that XML can carry.
const FOLDER_BODY: &str = "\t";

/// How many keys' locks there are before those that nobody holds are forgotten.
const FORGET_LOCKS_AT: usize = 1024;

/// Longest file name, in bytes, that Linux file systems take.
const NAME_MAX: usize = 255;

/// [`FileSystem`], guarded.
pub(crate) struct Store {
    inner: FileSystem,
    root: PathBuf,
    locks: Mutex<HashMap<String, Weak<RwLock<()>>>>,
}

impl Store {
    /// Over a folder that exists.
    pub(crate) fn new(root: &Path) -> Result<Self, s3s_fs::Error> {
        Ok(Self {
            inner: FileSystem::new(root)?,
            root: root.to_owned(),
            locks: Mutex::default(),
        })
    }

    /// The lock of one key and no other: whoever uploads slowly holds up this key only.
    fn lock(&self, bucket: &str, key: &str) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.len() >= FORGET_LOCKS_AT {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        // Buckets' names have no slash.
        let entry = locks.entry(format!("{bucket}/{key}")).or_default();
        entry.upgrade().unwrap_or_else(|| {
            let lock = Arc::default();
            *entry = Arc::downgrade(&lock);
            lock
        })
    }

    async fn reading(&self, bucket: &str, key: &str) -> OwnedRwLockReadGuard<()> {
        self.lock(bucket, key).read_owned().await
    }

    async fn writing(&self, bucket: &str, key: &str) -> OwnedRwLockWriteGuard<()> {
        self.lock(bucket, key).write_owned().await
    }

    /// The file of a key that was checked.
    fn file(&self, bucket: &str, stored: &str) -> PathBuf {
        self.root.join(bucket).join(stored)
    }

    fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() {
            Ok(())
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    /// That the key's object is there. The store below would take a folder for one.
    fn check_exists(&self, bucket: &str, stored: &str) -> S3Result<()> {
        self.check_bucket(bucket)?;
        if self.file(bucket, stored).is_file() {
            Ok(())
        } else {
            Err(s3_error!(NoSuchKey, "The specified key does not exist."))
        }
    }

    /// That the key can be written: `a` and `a/b` cannot both be files.
    fn check_writable(&self, bucket: &str, stored: &str) -> S3Result<()> {
        self.check_bucket(bucket)?;
        let file = self.file(bucket, stored);
        let conflict = file.is_dir()
            || file
                .ancestors()
                .skip(1)
                .take_while(|folder| folder.starts_with(&self.root))
                .any(Path::is_file);
        if conflict {
            return Err(s3_error!(
                InvalidArgument,
                "this store keeps keys as files: another key is a folder of this name, or a file \
                 where this one needs a folder"
            ));
        }
        Ok(())
    }

    /// Keeps the object as it is until [`Previous::replaced`] says that the new one is complete.
    fn keep_previous(&self, bucket: &str, stored: &str) -> S3Result<Previous> {
        let file = self.file(bucket, stored);
        let copy = self.root.join(format!(".previous-{}", Uuid::new_v4()));
        let existed = match fs::hard_link(&file, &copy) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(s3_error!(error, InternalError)),
        };
        Ok(Previous {
            file,
            copy: existed.then_some(copy),
            replaced: false,
        })
    }
}

/// What a key held before a write. The store below renames a new body into place before it has
/// compared the checksums.
struct Previous {
    file: PathBuf,
    copy: Option<PathBuf>,
    replaced: bool,
}

impl Previous {
    fn replaced(mut self) {
        self.replaced = true;
    }
}

impl Drop for Previous {
    fn drop(&mut self) {
        let result = match (&self.copy, self.replaced) {
            (Some(copy), true) => fs::remove_file(copy),
            (Some(copy), false) => fs::rename(copy, &self.file).and_then(|()| {
                // A rename between two names of one file does nothing.
                match fs::remove_file(copy) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                    Ok(()) | Err(_) => Ok(()),
                }
            }),
            (None, true) => Ok(()),
            (None, false) => match fs::remove_file(&self.file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            },
        };
        if let Err(error) = result {
            tracing::warn!(%error, file = %self.file.display(), "cannot undo a failed upload");
        }
    }
}

/// The name a key is stored under, if it can be: no component that is empty, `.`, `..` or reserved.
fn stored_key(bucket: &str, key: &str) -> S3Result<String> {
    let (path, folder) = match key.strip_suffix('/') {
        Some(path) => (path, true),
        None => (key, false),
    };
    let bad = |part: &str| {
        part.is_empty() || part == "." || part == ".." || part == FOLDER_BODY || part.contains('\0')
    };
    if path.split('/').any(bad) {
        return Err(s3_error!(
            InvalidArgument,
            "a key must not have empty, `.` or `..` parts here"
        ));
    }
    // Besides the object there is a file named by the key in base64, in full.
    let base64 = |length: usize| (length * 4).div_ceil(3);
    let aside = ".bucket-.object-.upload-.metadata.json".len()
        + Uuid::nil().hyphenated().to_string().len()
        + base64(bucket.len())
        + base64(key.len() + 1);
    if aside > NAME_MAX || path.split('/').any(|part| part.len() > NAME_MAX) {
        return Err(s3_error!(
            KeyTooLongError,
            "the key is longer than this store can keep ({} bytes)",
            key.len()
        ));
    }
    Ok(if folder {
        format!("{key}{FOLDER_BODY}")
    } else {
        key.to_owned()
    })
}

/// The key that a stored name stands for.
fn key_of(stored: String) -> String {
    match stored.strip_suffix(FOLDER_BODY) {
        Some(key) => key.to_owned(),
        None => stored,
    }
}

fn keys_of(contents: Option<Vec<Object>>) -> Option<Vec<Object>> {
    let mut contents = contents?;
    for object in &mut contents {
        object.key = object.key.take().map(key_of);
    }
    Some(contents)
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.inner.create_bucket(req).await
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.inner.head_bucket(req).await
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.inner.get_bucket_location(req).await
    }

    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.inner.list_buckets(req).await
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let response = self.inner.list_objects(req).await?;
        Ok(response.map_output(|output| ListObjectsOutput {
            contents: keys_of(output.contents),
            ..output
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let response = self.inner.list_objects_v2(req).await?;
        Ok(response.map_output(|output| ListObjectsV2Output {
            contents: keys_of(output.contents),
            ..output
        }))
    }

    async fn get_object(
        &self,
        mut req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &mut req.input;
        input.key = stored_key(&input.bucket, &input.key)?;
        let _reading = self.reading(&input.bucket, &input.key).await;
        self.check_exists(&input.bucket, &input.key)?;
        self.inner.get_object(req).await
    }

    async fn head_object(
        &self,
        mut req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &mut req.input;
        input.key = stored_key(&input.bucket, &input.key)?;
        let _reading = self.reading(&input.bucket, &input.key).await;
        self.check_exists(&input.bucket, &input.key)?;
        self.inner.head_object(req).await
    }

    async fn put_object(
        &self,
        mut req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = &mut req.input;
        if input.tagging.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "this store does not keep object tags"
            ));
        }
        input.key = stored_key(&input.bucket, &input.key)?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let _writing = self.writing(&bucket, &key).await;
        self.check_writable(&bucket, &key)?;
        let previous = self.keep_previous(&bucket, &key)?;
        let response = self.inner.put_object(req).await?;
        previous.replaced();
        Ok(response)
    }

    async fn copy_object(
        &self,
        mut req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = &mut req.input;
        if let CopySource::Bucket { bucket, key, .. } = &mut input.copy_source {
            let stored = stored_key(bucket, key)?;
            self.check_exists(bucket, &stored)?;
            *key = stored.into();
        }
        input.key = stored_key(&input.bucket, &input.key)?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let _writing = self.writing(&bucket, &key).await;
        self.check_writable(&bucket, &key)?;
        self.inner.copy_object(req).await
    }

    async fn delete_object(
        &self,
        mut req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = &mut req.input;
        input.key = stored_key(&input.bucket, &input.key)?;
        let _writing = self.writing(&input.bucket, &input.key).await;
        self.check_bucket(&input.bucket)?;
        if !self.file(&input.bucket, &input.key).is_file() {
            return Ok(S3Response::new(DeleteObjectOutput::default()));
        }
        self.inner.delete_object(req).await
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let bucket = req.input.bucket.clone();
        self.check_bucket(&bucket)?;
        let mut keys = Vec::new();
        for object in &req.input.delete.objects {
            keys.push((object.key.clone(), stored_key(&bucket, &object.key)?));
        }
        let mut deleted = Vec::new();
        for (key, stored) in keys {
            let _writing = self.writing(&bucket, &stored).await;
            match tokio::fs::remove_file(self.file(&bucket, &stored)).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(s3_error!(error, InternalError));
                }
                Ok(()) | Err(_) => deleted.push(DeletedObject {
                    key: Some(key),
                    ..DeletedObject::default()
                }),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        mut req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = &mut req.input;
        let key = input.key.clone();
        input.key = stored_key(&input.bucket, &input.key)?;
        self.check_writable(&input.bucket, &input.key)?;
        let response = self.inner.create_multipart_upload(req).await?;
        Ok(response.map_output(|output| CreateMultipartUploadOutput {
            key: Some(key),
            ..output
        }))
    }

    async fn upload_part(
        &self,
        mut req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = &mut req.input;
        input.key = stored_key(&input.bucket, &input.key)?;
        self.inner.upload_part(req).await
    }

    async fn list_parts(
        &self,
        mut req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = &mut req.input;
        let key = input.key.clone();
        input.key = stored_key(&input.bucket, &input.key)?;
        let response = self.inner.list_parts(req).await?;
        Ok(response.map_output(|output| ListPartsOutput {
            key: Some(key),
            ..output
        }))
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &mut req.input;
        input.key = stored_key(&input.bucket, &input.key)?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let _writing = self.writing(&bucket, &key).await;
        self.check_writable(&bucket, &key)?;
        self.inner.complete_multipart_upload(req).await
    }

    async fn abort_multipart_upload(
        &self,
        mut req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = &mut req.input;
        input.key = stored_key(&input.bucket, &input.key)?;
        self.inner.abort_multipart_upload(req).await
    }
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
        ] {
            assert!(stored_key("bucket", key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn ordinary_keys_are_kept_as_they_are() {
        for key in ["a", "a/b.txt", "..a/b..", "a b/ünï", ".hidden", "a/..."] {
            assert_eq!(stored_key("bucket", key).unwrap(), key);
        }
    }

    #[test]
    fn a_folder_key_names_a_file_and_comes_back() {
        let stored = stored_key("bucket", "dir/").unwrap();
        assert_ne!(stored, "dir/");
        assert_eq!(key_of(stored), "dir/");
    }

    #[test]
    fn a_key_too_long_for_the_file_beside_it_is_refused() {
        assert!(stored_key("bucket", &"k".repeat(100)).is_ok());
        assert!(stored_key("bucket", &"k".repeat(1000)).is_err());
    }
}
