//! The bucket service.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use sandgate_local_cloud::Credentials;

use crate::harness::{BUCKET, Bucket, s3_client};

impl Bucket {
    async fn put(&self, key: &str, body: &[u8]) -> Result<(), Option<String>> {
        let body = ByteStream::from(body.to_vec());
        let put = self.client.put_object().bucket(BUCKET).key(key).body(body);
        let result = put.send().await;
        result
            .map(drop)
            .map_err(|error| error.code().map(str::to_owned))
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, Option<String>> {
        let get = self
            .client
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await;
        let object = get.map_err(|error| error.code().map(str::to_owned))?;
        Ok(object.body.collect().await.unwrap().to_vec())
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        let list = self.client.list_objects_v2().bucket(BUCKET).prefix(prefix);
        let mut pages = list.max_keys(10).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            assert!(page.contents().len() <= 10);
            keys.extend(
                page.contents()
                    .iter()
                    .map(|object| object.key().unwrap().to_owned()),
            );
        }
        keys
    }
}

fn is(code: &str) -> Option<String> {
    Some(code.to_owned())
}

async fn status(method: &'static str, url: String) -> u16 {
    let call = move || {
        let result = match method {
            "PUT" => ureq::put(&url).send("from a URL"),
            _ => ureq::get(&url).call(),
        };
        match result {
            Ok(response) => response.status().as_u16(),
            Err(ureq::Error::StatusCode(status)) => status,
            Err(error) => panic!("{error}"),
        }
    };
    tokio::task::spawn_blocking(call).await.unwrap()
}

#[tokio::test]
async fn objects_keep_their_bytes_and_what_is_said_about_them() {
    let bucket = Bucket::start().await;
    bucket
        .client
        .put_object()
        .bucket(BUCKET)
        .key("a/b.txt")
        .content_type("text/plain; charset=utf-8")
        .metadata("run", "7")
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(bucket.get("a/b.txt").await.unwrap(), b"hello");
    let head = bucket
        .client
        .head_object()
        .bucket(BUCKET)
        .key("a/b.txt")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!(head.metadata().unwrap()["run"], "7");
    let range = bucket
        .client
        .get_object()
        .bucket(BUCKET)
        .key("a/b.txt")
        .range("bytes=1-3");
    let range = range.send().await.unwrap();
    assert_eq!(range.content_range(), Some("bytes 1-3/5"));
    assert_eq!(
        &range.body.collect().await.unwrap().into_bytes()[..],
        b"ell"
    );

    bucket
        .client
        .copy_object()
        .bucket(BUCKET)
        .key("copy")
        .copy_source(format!("{BUCKET}/a/b.txt"))
        .send()
        .await
        .unwrap();
    assert_eq!(bucket.get("copy").await.unwrap(), b"hello");

    for key in ["nothing", "a"] {
        assert_eq!(bucket.get(key).await, Err(is("NoSuchKey")), "{key}");
        let head = bucket
            .client
            .head_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await;
        assert!(
            head.unwrap_err().into_service_error().is_not_found(),
            "{key}"
        );
    }
    bucket
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("copy")
        .send()
        .await
        .unwrap();
    assert_eq!(bucket.get("copy").await, Err(is("NoSuchKey")));
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn what_is_stored_outlives_the_service() {
    let bucket = Bucket::start().await;
    bucket.put("kept", b"1").await.unwrap();
    let (root, credentials) = (bucket.folder.path().join("s3"), Credentials::random());
    bucket.s3.shutdown().await;
    let mut config = sandgate_local_cloud::S3Config::new(root, [BUCKET]);
    config.credentials = credentials.clone();
    let s3 = sandgate_local_cloud::LocalS3::start(config).await.unwrap();
    let client = s3_client(&s3.endpoint_url(), &credentials);
    let object = client
        .get_object()
        .bucket(BUCKET)
        .key("kept")
        .send()
        .await
        .unwrap();
    assert_eq!(&object.body.collect().await.unwrap().into_bytes()[..], b"1");
    s3.shutdown().await;
}

#[tokio::test]
async fn listings_are_paged_and_grouped() {
    let bucket = Bucket::start().await;
    for i in 0..25 {
        bucket.put(&format!("many/{i:02}"), b"x").await.unwrap();
    }
    bucket.put("one", b"x").await.unwrap();
    let keys = bucket.keys("many/").await;
    let expected: Vec<String> = (0..25).map(|i| format!("many/{i:02}")).collect();
    assert_eq!(keys, expected);
    let list = bucket
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .delimiter("/");
    let list = list.send().await.unwrap();
    assert_eq!(list.common_prefixes()[0].prefix(), Some("many/"));
    assert_eq!(list.contents()[0].key(), Some("one"));

    let object = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder()
        .objects(object("one"))
        .objects(object("none"));
    let delete = delete.build().unwrap();
    let deleted = bucket.client.delete_objects().bucket(BUCKET).delete(delete);
    assert_eq!(deleted.send().await.unwrap().deleted().len(), 2);
    assert_eq!(bucket.keys("one").await, Vec::<String>::new());
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn a_key_that_ends_in_a_slash_holds_a_body() {
    let bucket = Bucket::start().await;
    bucket.put("dir/", b"").await.unwrap();
    bucket.put("dir/", b"body of a folder").await.unwrap();
    bucket.put("dir/file", b"x").await.unwrap();
    assert_eq!(bucket.get("dir/").await.unwrap(), b"body of a folder");
    assert_eq!(bucket.keys("dir").await, ["dir/", "dir/file"]);
    bucket
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("dir/")
        .send()
        .await
        .unwrap();
    assert_eq!(bucket.get("dir/").await, Err(is("NoSuchKey")));
    assert_eq!(bucket.get("dir/file").await.unwrap(), b"x");
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn keys_that_leave_the_bucket_are_refused() {
    let bucket = Bucket::start().await;
    let outside = bucket.folder.path().join("outside");
    for key in [
        "../../outside",
        "a/../../../outside",
        "..",
        "./a",
        "a//b",
        "a/./b",
    ] {
        assert_eq!(
            bucket.put(key, b"x").await,
            Err(is("InvalidArgument")),
            "{key}"
        );
        assert_eq!(bucket.get(key).await, Err(is("InvalidArgument")), "{key}");
    }
    let copy = bucket.client.copy_object().bucket(BUCKET).key("stolen");
    let copy = copy
        .copy_source(format!("{BUCKET}/../../outside"))
        .send()
        .await;
    assert!(copy.is_err());
    assert!(!outside.exists());
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn long_keys_are_keys_like_others() {
    let bucket = Bucket::start().await;
    let keys = [
        format!("long/{}", "k".repeat(1019)),
        format!("long/{}/x", "d".repeat(300)),
        "long/short".to_owned(),
    ];
    for key in &keys {
        bucket.put(key, key.as_bytes()).await.unwrap();
    }
    for key in &keys {
        assert_eq!(bucket.get(key).await.unwrap(), key.as_bytes());
    }
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(bucket.keys("long/").await, sorted);
    let list = bucket.client.list_objects().bucket(BUCKET).delimiter("/");
    let list = list.prefix("long/").send().await.unwrap();
    assert_eq!(list.common_prefixes().len(), 1);

    let delete = bucket.client.delete_object().bucket(BUCKET).key(&keys[1]);
    delete.send().await.unwrap();
    assert_eq!(bucket.keys("long/").await.len(), 2);
    assert_eq!(bucket.get(&keys[1]).await, Err(is("NoSuchKey")));
    assert!(bucket.put(&"k".repeat(1025), b"x").await.is_err());
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn a_key_cannot_be_a_file_and_a_folder() {
    let bucket = Bucket::start().await;
    bucket.put("a/b", b"x").await.unwrap();
    assert_eq!(bucket.put("a", b"x").await, Err(is("InvalidArgument")));
    assert_eq!(bucket.put("a/b/c", b"x").await, Err(is("InvalidArgument")));
    assert_eq!(bucket.get("a/b").await.unwrap(), b"x");
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn one_of_many_creators_wins() {
    let bucket = Arc::new(Bucket::start().await);
    for round in 0..5 {
        let key = format!("race/{round}");
        let creators: Vec<_> = (0..16_u8)
            .map(|i| {
                let put = bucket
                    .client
                    .put_object()
                    .bucket(BUCKET)
                    .key(&key)
                    .if_none_match("*");
                let put = put.body(ByteStream::from(vec![i; 1000])).send();
                tokio::spawn(async move { put.await.map(|_| i) })
            })
            .collect();
        let mut winners = Vec::new();
        for creator in creators {
            match creator.await.unwrap() {
                Ok(winner) => winners.push(winner),
                Err(error) => assert_eq!(error.code(), Some("PreconditionFailed")),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(bucket.get(&key).await.unwrap(), vec![winners[0]; 1000]);
    }
    let replace = |etag: &str| {
        let put = bucket
            .client
            .put_object()
            .bucket(BUCKET)
            .key("race/0")
            .if_match(etag);
        put.body(ByteStream::from_static(b"new")).send()
    };
    let wrong = replace("\"0000\"").await.unwrap_err();
    assert_eq!(wrong.code(), Some("PreconditionFailed"));
    let head = bucket
        .client
        .head_object()
        .bucket(BUCKET)
        .key("race/0")
        .send()
        .await
        .unwrap();
    replace(head.e_tag().unwrap()).await.unwrap();
    assert_eq!(bucket.get("race/0").await.unwrap(), b"new");
}

#[tokio::test]
async fn an_upload_with_a_wrong_checksum_leaves_what_was_there() {
    let bucket = Bucket::start().await;
    bucket.put("object", b"before").await.unwrap();
    for key in ["object", "fresh"] {
        let put = bucket.client.put_object().bucket(BUCKET).key(key);
        let put = put.checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let result = put.body(ByteStream::from_static(b"spoilt")).send().await;
        assert!(result.is_err());
    }
    assert_eq!(bucket.get("object").await.unwrap(), b"before");
    assert_eq!(bucket.get("fresh").await, Err(is("NoSuchKey")));
    let hidden = std::fs::read_dir(bucket.folder.path().join("s3")).unwrap();
    let names = hidden.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = names.filter(|name| name.starts_with(".previous")).collect();
    assert_eq!(left, Vec::<String>::new());
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn large_objects_come_in_parts() {
    let bucket = Bucket::start().await;
    let key = format!("large/{}", "m".repeat(500));
    let created = bucket
        .client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key(&key);
    let created = created.content_type("image/png").send().await.unwrap();
    let id = created.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 << 20), (2, 1000)] {
        let part = bucket
            .client
            .upload_part()
            .bucket(BUCKET)
            .key(&key)
            .upload_id(id);
        let body = ByteStream::from(vec![u8::try_from(number).unwrap(); size]);
        let part = part.part_number(number).body(body).send().await.unwrap();
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag);
        parts.push(part.build());
    }
    let parts = CompletedMultipartUpload::builder()
        .set_parts(Some(parts))
        .build();
    let complete = bucket
        .client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key(&key);
    let completed = complete
        .upload_id(id)
        .multipart_upload(parts)
        .send()
        .await
        .unwrap();
    assert_eq!(completed.key(), Some(key.as_str()));
    assert_eq!(bucket.keys("large/").await, [key.as_str()]);
    let bytes = bucket.get(&key).await.unwrap();
    assert_eq!(bytes.len(), (5 << 20) + 1000);
    assert_eq!((bytes[0], bytes[5 << 20]), (1, 2));
    let head = bucket
        .client
        .head_object()
        .bucket(BUCKET)
        .key(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_type(), Some("image/png"));

    let created = bucket
        .client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("given-up");
    let created = created.send().await.unwrap();
    let abort = bucket
        .client
        .abort_multipart_upload()
        .bucket(BUCKET)
        .key("given-up");
    abort
        .upload_id(created.upload_id().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(bucket.keys("given-up").await, Vec::<String>::new());
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn presigned_urls_open_one_object_for_a_while() {
    let bucket = Bucket::start().await;
    let seconds = |n| PresigningConfig::expires_in(Duration::from_secs(n)).unwrap();
    let put = bucket.client.put_object().bucket(BUCKET).key("url");
    let put = put.presigned(seconds(60)).await.unwrap().uri().to_owned();
    assert_eq!(status("PUT", put.clone()).await, 200);
    assert_eq!(bucket.get("url").await.unwrap(), b"from a URL");
    // It is good for its method only.
    assert_eq!(status("GET", put).await, 403);

    let get = bucket.client.get_object().bucket(BUCKET).key("url");
    let url = get
        .clone()
        .presigned(seconds(60))
        .await
        .unwrap()
        .uri()
        .to_owned();
    assert_eq!(status("GET", url.clone()).await, 200);
    let (start, signature) = url.split_once("X-Amz-Signature=").unwrap();
    let flipped = if signature.starts_with('0') { "1" } else { "0" };
    let tampered = format!("{start}X-Amz-Signature={flipped}{}", &signature[1..]);
    assert_eq!(status("GET", tampered).await, 403);
    let longer = url.replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    assert_ne!(longer, url);
    assert_eq!(status("GET", longer).await, 403);
    assert_eq!(status("GET", url.replace("/url?", "/other?")).await, 403);

    let short = get.presigned(seconds(1)).await.unwrap().uri().to_owned();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(status("GET", short).await, 403);
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn strangers_are_refused() {
    let bucket = Bucket::start().await;
    bucket.put("object", b"x").await.unwrap();
    let mut wrong_secret = bucket.s3.credentials().clone();
    wrong_secret.secret_access_key.push('x');
    let cases = [
        (wrong_secret, "SignatureDoesNotMatch"),
        (Credentials::random(), "NotSignedUp"),
    ];
    for (credentials, code) in cases {
        let stranger = s3_client(&bucket.s3.endpoint_url(), &credentials);
        let error = stranger
            .get_object()
            .bucket(BUCKET)
            .key("object")
            .send()
            .await;
        assert_eq!(error.unwrap_err().code(), Some(code));
    }
    let url = format!("{}/{BUCKET}/object", bucket.s3.endpoint_url());
    assert_eq!(status("GET", url.clone()).await, 403);
    assert_eq!(status("PUT", url).await, 403);
    assert_eq!(bucket.get("object").await.unwrap(), b"x");
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn bodies_are_bounded() {
    let bucket = Bucket::with(|config| config.max_object_bytes = 100_000).await;
    bucket.put("small", &[0; 90_000]).await.unwrap();
    assert_eq!(
        bucket.put("large", &[0; 100_001]).await,
        Err(is("EntityTooLarge"))
    );
    bucket.s3.shutdown().await;
}

#[tokio::test]
async fn a_bucket_needs_a_buckets_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["../x", "UPPER", "a", "a/b"] {
        let config = sandgate_local_cloud::S3Config::new(folder.path(), [name]);
        let error = sandgate_local_cloud::LocalS3::start(config)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}
