//! The file-backed store with what it lacks on its own: keys that are safe and of any length, one
//! writer for a key at a time, and a failed upload that leaves what was there before.

use std::collections::HashMap;
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
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::keys::Stored;
use super::listing::{self, Page, Query};
use super::previous::{self, Previous};

/// How many keys' locks there are before those that nobody holds are forgotten.
const FORGET_LOCKS_AT: usize = 1024;

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

    async fn reading(&self, bucket: &str, stored: &Stored) -> OwnedRwLockReadGuard<()> {
        self.lock(bucket, &stored.key).read_owned().await
    }

    async fn writing(&self, bucket: &str, stored: &Stored) -> OwnedRwLockWriteGuard<()> {
        self.lock(bucket, &stored.key).write_owned().await
    }

    fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let folder = self.root.join(bucket);
        if folder.is_dir() {
            Ok(folder)
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    /// That the key's object is there. The store below would take a folder for one.
    fn check_exists(&self, bucket: &str, stored: &Stored) -> S3Result<()> {
        if self.bucket(bucket)?.join(&stored.name).is_file() {
            Ok(())
        } else {
            Err(s3_error!(NoSuchKey, "The specified key does not exist."))
        }
    }

    /// Prepares a write, which is undone unless it is said to be complete. `a` and `a/b` cannot
    /// both be files.
    fn prepare(&self, bucket: &str, stored: &Stored) -> S3Result<Previous> {
        let folder = self.bucket(bucket)?;
        let file = folder.join(&stored.name);
        let conflict = file.is_dir()
            || file
                .ancestors()
                .skip(1)
                .take_while(|parent| parent.starts_with(&folder))
                .any(Path::is_file);
        if conflict {
            return Err(s3_error!(
                InvalidArgument,
                "this store keeps keys as files: another key is a folder of this name, or a file \
                 where this one needs a folder"
            ));
        }
        let failed = |error| s3_error!(error, InternalError);
        stored.write_key(&folder).map_err(failed)?;
        Previous::keep(&self.root, file).map_err(failed)
    }

    /// Removes an object that may not be there.
    fn remove(&self, bucket: &str, stored: &Stored) -> S3Result<()> {
        let folder = self.bucket(bucket)?;
        let file = folder.join(&stored.name);
        if !file.is_file() {
            return Ok(());
        }
        let failed = |error| s3_error!(error, InternalError);
        previous::remove(&file).map_err(failed)?;
        stored.remove_key(&folder).map_err(failed)
    }

    async fn page(&self, bucket: &str, query: Query) -> S3Result<Page> {
        let folder = self.bucket(bucket)?;
        let listed = tokio::task::spawn_blocking(move || listing::list(&folder, &query)).await;
        listed
            .unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
            .map_err(|error| s3_error!(error, InternalError))
    }
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
        let input = req.input;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            marker: input.marker.clone(),
            max_keys: input.max_keys,
            ..Query::default()
        };
        let page = self.page(&input.bucket, query).await?;
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            marker: input.marker,
            max_keys: Some(page.max_keys),
            is_truncated: Some(page.next.is_some()),
            next_marker: page.next,
            contents: Some(page.objects),
            common_prefixes: Some(page.prefixes),
            ..ListObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            start_after: input.start_after.clone(),
            marker: input.continuation_token.clone(),
            max_keys: input.max_keys,
        };
        let page = self.page(&input.bucket, query).await?;
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            continuation_token: input.continuation_token,
            max_keys: Some(page.max_keys),
            key_count: Some(page.len()),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            contents: Some(page.objects),
            common_prefixes: Some(page.prefixes),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn get_object(
        &self,
        mut req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &mut req.input;
        let stored = Stored::new(&input.bucket, &input.key)?;
        let _reading = self.reading(&input.bucket, &stored).await;
        self.check_exists(&input.bucket, &stored)?;
        input.key = stored.name;
        self.inner.get_object(req).await
    }

    async fn head_object(
        &self,
        mut req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &mut req.input;
        let stored = Stored::new(&input.bucket, &input.key)?;
        let _reading = self.reading(&input.bucket, &stored).await;
        self.check_exists(&input.bucket, &stored)?;
        input.key = stored.name;
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
        let stored = Stored::new(&input.bucket, &input.key)?;
        let _writing = self.writing(&input.bucket, &stored).await;
        let previous = self.prepare(&input.bucket, &stored)?;
        input.key = stored.name;
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
            let source = Stored::new(bucket, key)?;
            self.check_exists(bucket, &source)?;
            *key = source.name.into();
        }
        let stored = Stored::new(&input.bucket, &input.key)?;
        let _writing = self.writing(&input.bucket, &stored).await;
        let previous = self.prepare(&input.bucket, &stored)?;
        input.key = stored.name;
        let response = self.inner.copy_object(req).await?;
        previous.replaced();
        Ok(response)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        let stored = Stored::new(&input.bucket, &input.key)?;
        let _writing = self.writing(&input.bucket, &stored).await;
        self.remove(&input.bucket, &stored)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let bucket = req.input.bucket;
        let keys = req.input.delete.objects.into_iter();
        let keys = keys.map(|object| Stored::new(&bucket, &object.key));
        let mut deleted = Vec::new();
        for stored in keys.collect::<S3Result<Vec<_>>>()? {
            let _writing = self.writing(&bucket, &stored).await;
            self.remove(&bucket, &stored)?;
            deleted.push(DeletedObject {
                key: Some(stored.key),
                ..DeletedObject::default()
            });
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
        self.bucket(&input.bucket)?;
        let stored = Stored::new(&input.bucket, &input.key)?;
        input.key = stored.name;
        let response = self.inner.create_multipart_upload(req).await?;
        Ok(response.map_output(|output| CreateMultipartUploadOutput {
            key: Some(stored.key),
            ..output
        }))
    }

    async fn upload_part(
        &self,
        mut req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = &mut req.input;
        input.key = Stored::new(&input.bucket, &input.key)?.name;
        self.inner.upload_part(req).await
    }

    async fn list_parts(
        &self,
        mut req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = &mut req.input;
        let stored = Stored::new(&input.bucket, &input.key)?;
        input.key = stored.name;
        let response = self.inner.list_parts(req).await?;
        Ok(response.map_output(|output| ListPartsOutput {
            key: Some(stored.key),
            ..output
        }))
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &mut req.input;
        let stored = Stored::new(&input.bucket, &input.key)?;
        let _writing = self.writing(&input.bucket, &stored).await;
        let previous = self.prepare(&input.bucket, &stored)?;
        input.key = stored.name;
        let response = self.inner.complete_multipart_upload(req).await?;
        previous.replaced();
        let key = stored.key;
        Ok(response.map_output(|mut output| {
            // The store below is done, and has put its answer where a slow one would go.
            output.future = output.future.map(|answer| {
                Box::pin(async move {
                    answer.await.map(|answer| CompleteMultipartUploadOutput {
                        key: Some(key),
                        ..answer
                    })
                }) as _
            });
            output
        }))
    }

    async fn abort_multipart_upload(
        &self,
        mut req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = &mut req.input;
        input.key = Stored::new(&input.bucket, &input.key)?.name;
        self.inner.abort_multipart_upload(req).await
    }
}
