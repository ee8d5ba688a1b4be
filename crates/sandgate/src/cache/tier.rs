//! The second tier: proven results in an object store, found again after a restart and by others.
//!
//! An object is `cache/<key>`: a line with the format's version and a hash, then the outcome as
//! JSON. The hash is keyed with the cache key, so that neither a damaged object nor one that was
//! moved is taken for a result. It is no signature: who can write to the store can write results.
//! Whatever fails here costs a run, and never an answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::{CacheKey, Outcome};
use tokio::sync::Semaphore;

use crate::artifacts::refuse_unsafe;
use crate::outputs::{Object, ObjectStore};

/// A change of what [`Outcome`] means, or of how it is written, needs a new one.
const FORMAT: &str = "sandgate-result-1 ";
const FOLDER: &str = "cache/";

/// Larger results are kept in memory alone.
const MAX_BYTES: usize = 8 << 20;
/// Looking for longer than this costs more than most runs.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many results are on their way at once; others are not stored.
const WRITES: usize = 16;

#[derive(Debug)]
pub(super) struct SecondTier {
    store: Arc<dyn ObjectStore>,
    writes: Arc<Semaphore>,
}

impl SecondTier {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            writes: Arc::new(Semaphore::new(WRITES)),
        }
    }

    /// The result under `key`, if it is there, in time and intact.
    pub(super) async fn get(&self, key: CacheKey) -> Option<Outcome> {
        let name = name(key);
        let found = tokio::time::timeout(PATIENCE, self.store.get(&name)).await;
        let bytes = match found {
            Ok(Ok(found)) => found?,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a kept result cannot be read");
                return None;
            }
            Err(_) => {
                tracing::warn!(%name, "a kept result did not come in time");
                return None;
            }
        };
        let outcome = decode(key, &bytes);
        if outcome.is_none() {
            tracing::warn!(%name, "a kept result is damaged, or of another format");
        }
        outcome
    }

    /// Stores a result in the background.
    pub(super) fn put(&self, key: CacheKey, outcome: &Arc<Outcome>) {
        if super::outcome_bytes(outcome) > MAX_BYTES {
            return;
        }
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else {
            tracing::debug!("too many results are being stored, one is not");
            return;
        };
        let (store, outcome) = (Arc::clone(&self.store), Arc::clone(outcome));
        tokio::spawn(async move {
            let _permit = permit;
            let Some(content) = encode(key, &outcome) else {
                return;
            };
            let object = Object {
                key: name(key),
                content,
                media_type: "application/octet-stream".to_owned(),
            };
            if let Err(error) = store.put_all(vec![object]).await {
                tracing::warn!(%error, "a result could not be stored");
            }
        });
    }
}

fn name(key: CacheKey) -> String {
    format!("{FOLDER}{}", key.to_hex())
}

fn check(key: CacheKey, json: &[u8]) -> String {
    blake3::keyed_hash(key.as_bytes(), json)
        .to_hex()
        .to_string()
}

fn encode(key: CacheKey, outcome: &Outcome) -> Option<Bytes> {
    let json = serde_json::to_vec(outcome);
    let json = json
        .inspect_err(|error| tracing::error!(%error, "a result does not become JSON"))
        .ok()?;
    let mut content = format!("{FORMAT}{}\n", check(key, &json)).into_bytes();
    content.extend_from_slice(&json);
    Some(content.into())
}

fn decode(key: CacheKey, bytes: &[u8]) -> Option<Outcome> {
    let rest = bytes.strip_prefix(FORMAT.as_bytes())?;
    let line = rest.iter().position(|byte| *byte == b'\n')?;
    let (hash, json) = (&rest[..line], &rest[line + 1..]);
    if hash != check(key, json).as_bytes() {
        return None;
    }
    let mut outcome: Outcome = serde_json::from_slice(json).ok()?;
    refuse_unsafe(&mut outcome);
    // Only such results are ever written.
    outcome.is_reproducible().then_some(outcome)
}

#[cfg(test)]
mod tests {
    use sandgate_core::{ExecuteRequest, RequestRules, Status};

    use super::*;
    use crate::testing::artifact;

    fn key(code: &str) -> CacheKey {
        let task = RequestRules::default().task(ExecuteRequest::python(code));
        CacheKey::of(&task.unwrap(), "digest", "")
    }

    fn outcome() -> Outcome {
        Outcome {
            exit_code: Some(0),
            stdout: Bytes::from_static(b"text"),
            stderr: Bytes::from_static(b"\xff\x00"),
            results: vec![[("text/plain".to_owned(), "2".to_owned())].into()],
            artifacts: vec![artifact("a/b", "content")],
            ..Outcome::empty(Status::Ok)
        }
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let bytes = encode(key("1"), &outcome()).unwrap();
        assert_eq!(decode(key("1"), &bytes), Some(outcome()));
    }

    #[test]
    fn nothing_else_is_taken_for_a_result() {
        let bytes = encode(key("1"), &outcome()).unwrap();
        assert_eq!(decode(key("2"), &bytes), None, "moved");
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert_eq!(decode(key("1"), &damaged), None, "byte {at}");
            assert_eq!(decode(key("1"), &bytes[..at]), None, "cut at {at}");
        }
        // Intact, but never written by us.
        let mut killed = outcome();
        killed.status = Status::Timeout;
        let bytes = encode(key("1"), &killed).unwrap();
        assert_eq!(decode(key("1"), &bytes), None);
        let mut escaping = outcome();
        escaping.artifacts = vec![artifact("../b", "content")];
        let bytes = encode(key("1"), &escaping).unwrap();
        assert_eq!(decode(key("1"), &bytes), None);
    }
}
