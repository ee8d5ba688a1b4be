//! Values that are too large for the message: fetched from and stored in the bucket, by the URLs
//! that came with the event.

use std::fmt::Write as _;
use std::io::Read as _;
use std::time::Duration;

use sandgate_core::{Outcome, Passed, RunnerFailure, RunnerFailureKind, Slot, Stored, Task};
use sha2::{Digest as _, Sha256};
use ureq::Agent;

/// The largest task that is fetched, in bytes.
const MAX_TASK_BYTES: u64 = 512 << 20;

/// How long a transfer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often one is tried: a GET, or a PUT of the same bytes to the same place, does no harm.
const TRIES: u32 = 3;

/// The client for all transfers.
#[derive(Debug)]
pub(crate) struct Transfer(Agent);

impl Transfer {
    /// A client without proxies, redirects or a memory.
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .proxy(None)
            .build();
        Self(config.into())
    }

    /// The task itself.
    ///
    /// # Errors
    /// If it cannot be fetched or is not what the event says.
    pub(crate) fn fetch(&self, task: Passed<Task>) -> Result<Task, RunnerFailure> {
        let stored = match task {
            Passed::Inline(task) => return Ok(task),
            Passed::Stored(stored) => stored,
        };
        let url = stored
            .url
            .as_deref()
            .ok_or_else(|| failed("the event has no address for the task"))?;
        if stored.bytes > MAX_TASK_BYTES {
            return Err(failed(format!(
                "the task has {} bytes, {MAX_TASK_BYTES} are possible",
                stored.bytes
            )));
        }
        let json = retry("fetching the task", || self.get(url, stored.bytes))?;
        if json.len() as u64 != stored.bytes || sha256_hex(&json) != stored.sha256 {
            return Err(failed("the fetched task is not the one that was announced"));
        }
        serde_json::from_slice(&json)
            .map_err(|error| failed(format!("the fetched task cannot be read: {error}")))
    }

    /// `outcome` in the message, or in `slot` where it is too large for it.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn pass(
        &self,
        outcome: Outcome,
        slot: Option<&Slot>,
    ) -> Result<Passed<Outcome>, RunnerFailure> {
        let Some(slot) = slot else {
            return Ok(Passed::Inline(outcome));
        };
        let json = serde_json::to_vec(&outcome)
            .map_err(|error| failed(format!("the outcome cannot be written: {error}")))?;
        let bytes = json.len() as u64;
        if bytes <= slot.inline_bytes {
            return Ok(Passed::Inline(outcome));
        }
        retry("storing the outcome", || self.put(slot, &json))?;
        Ok(Passed::Stored(Stored {
            url: None,
            bytes,
            sha256: sha256_hex(&json),
        }))
    }

    fn get(&self, url: &str, bytes: u64) -> Result<Vec<u8>, ureq::Error> {
        let mut response = self.0.get(url).call()?;
        let mut json = Vec::new();
        // One more, so that what is too long is noticed.
        response
            .body_mut()
            .as_reader()
            .take(bytes + 1)
            .read_to_end(&mut json)?;
        Ok(json)
    }

    fn put(&self, slot: &Slot, json: &[u8]) -> Result<(), ureq::Error> {
        let mut request = self.0.put(&slot.url);
        for (name, value) in &slot.headers {
            request = request.header(name, value);
        }
        request.send(json).map(drop)
    }
}

fn retry<T>(
    what: &str,
    mut attempt: impl FnMut() -> Result<T, ureq::Error>,
) -> Result<T, RunnerFailure> {
    let mut tried = 0;
    loop {
        tried += 1;
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if tried < TRIES && may_pass(&error) => {
                std::thread::sleep(Duration::from_millis(50 << tried));
            }
            // The address carries the right to use it: it is not for logs.
            Err(ureq::Error::StatusCode(status)) => {
                return Err(failed(format!("{what}: the bucket answers {status}")));
            }
            Err(error) => return Err(failed(format!("{what}: {error}"))),
        }
    }
}

/// Whether the next try may fare better.
fn may_pass(error: &ureq::Error) -> bool {
    if let ureq::Error::StatusCode(status) = error {
        return *status >= 500 || *status == 429;
    }
    matches!(
        error,
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed
    )
}

fn failed(message: impl Into<String>) -> RunnerFailure {
    RunnerFailure {
        kind: RunnerFailureKind::Transfer,
        message: message.into(),
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
