//! What the spool and the reading of outputs rely on, whichever store it is.

use std::time::Duration;

use bytes::Bytes;
use sandgate::{Download, Object, ObjectStore};

fn object(key: &str, content: impl Into<Bytes>) -> Object {
    Object {
        key: key.to_owned(),
        content: content.into(),
        media_type: "text/plain".to_owned(),
    }
}

/// Everything that every store has to do.
pub async fn all(store: &dyn ObjectStore) {
    what_is_put_can_be_got(store).await;
    an_object_put_again_is_harmless(store).await;
    many_at_once(store).await;
    names_are_kept_apart(store).await;
    long_names_are_kept(store).await;
    store.put_all(Vec::new()).await.unwrap();
    uris(store);
}

async fn what_is_put_can_be_got(store: &dyn ObjectStore) {
    let all: Bytes = (0..=255).collect::<Vec<u8>>().into();
    let large: Bytes = vec![7; 3 << 20].into();
    let objects = vec![
        object("executions/1/result.json", "{}"),
        object("executions/1/files/empty", ""),
        object("executions/1/files/all", all.clone()),
        object("executions/1/files/large", large.clone()),
    ];
    store.put_all(objects).await.unwrap();
    for (name, content) in [
        ("result.json", Bytes::from_static(b"{}")),
        ("files/empty", Bytes::new()),
        ("files/all", all),
        ("files/large", large),
    ] {
        let key = format!("executions/1/{name}");
        assert_eq!(store.get(&key).await.unwrap().unwrap(), content, "{name}");
    }
    for missing in [
        "executions/1",
        "executions/1/files",
        "executions/2/result.json",
        "x",
    ] {
        assert_eq!(store.get(missing).await.unwrap(), None, "{missing}");
    }
}

async fn an_object_put_again_is_harmless(store: &dyn ObjectStore) {
    for _ in 0..3 {
        store.put_all(vec![object("again", "same")]).await.unwrap();
    }
    assert_eq!(store.get("again").await.unwrap().unwrap(), "same");
}

async fn many_at_once(store: &dyn ObjectStore) {
    let objects = (0..100).map(|i| object(&format!("many/{i}"), i.to_string()));
    store.put_all(objects.collect()).await.unwrap();
    for i in [0, 1, 50, 99] {
        let found = store.get(&format!("many/{i}")).await.unwrap().unwrap();
        assert_eq!(found, i.to_string());
    }
}

/// Names that a guest could have chosen for its files.
const NAMES: [&str; 12] = [
    "data set.csv",
    "ü/ñ.txt",
    "a+b",
    "a b",
    "a%2Bb",
    "100%",
    "q?x=1&y=2",
    "#anchor",
    "..a/b..",
    "~user",
    "*'()!",
    "semi;colon:@=,$",
];

async fn names_are_kept_apart(store: &dyn ObjectStore) {
    let keys = NAMES.map(|name| format!("names/files/{name}"));
    let objects = keys.iter().map(|key| object(key, key.clone()));
    store.put_all(objects.collect()).await.unwrap();
    for key in &keys {
        assert_eq!(store.get(key).await.unwrap().unwrap(), *key);
    }
}

async fn long_names_are_kept(store: &dyn ObjectStore) {
    // As long as a guest's may be, below what an execution's folder takes.
    let folder = format!("executions/2026/01/01/{}/files/", "0".repeat(36));
    let part = "x".repeat(200);
    let path = [&*part; 5].join("/");
    let keys = ["1", "2"].map(|end| format!("{folder}{path}{end}"));
    let objects = keys.iter().map(|key| object(key, key.clone()));
    store.put_all(objects.collect()).await.unwrap();
    for key in &keys {
        assert_eq!(store.get(key).await.unwrap().unwrap(), *key);
    }
}

fn uris(store: &dyn ObjectStore) {
    let uri = store.uri("executions/a b/");
    assert!(
        uri.contains("://") && uri.ends_with("/executions/a%20b/"),
        "{uri}"
    );
}

/// What stores do that serve objects themselves.
pub async fn presigned(store: &dyn ObjectStore) {
    store
        .put_all(vec![object("served/ü b", "content")])
        .await
        .unwrap();
    let download = Download {
        validity: Duration::from_secs(60),
        content_type: "text/csv; charset=utf-8".to_owned(),
        content_disposition: "attachment; filename*=UTF-8''x.csv".to_owned(),
    };
    let url = store
        .presigned_get("served/ü b", &download)
        .await
        .unwrap()
        .unwrap();
    let fetched = tokio::task::spawn_blocking(move || {
        let mut response = ureq::get(&url).call().unwrap();
        let header = |name| {
            response
                .headers()
                .get(name)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        let headers = (header("content-type"), header("content-disposition"));
        (headers, response.body_mut().read_to_string().unwrap())
    });
    let ((content_type, disposition), body) = fetched.await.unwrap();
    assert_eq!(body, "content");
    assert_eq!(content_type, download.content_type);
    assert_eq!(disposition, download.content_disposition);
}
