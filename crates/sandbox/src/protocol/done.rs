//! The message that ends an execution.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use sandgate_core::{
    Artifact, GuestError, Limits, MAX_PATH_BYTES, MimeBundle, Observed, Outcome, Status, Truncated,
    Usage, check_relative_path,
};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Kind, MAX_TASK_FRAME, ProtocolError, append, append_value};
use crate::runner::Ended;

/// Beyond these counts a worker drops what is left and says so. They bound what the parent spends
/// on elements that are nearly empty, which the byte limits do not.
const MAX_RESULTS: usize = 16_384;
const MAX_TYPES: usize = 32;
const MAX_ARTIFACTS: usize = 65_536;
/// The longest of each text of an error.
const MAX_ERROR_TEXT: usize = 256 << 10;
/// Room in a `Done` frame for lengths, numbers and flags.
const DONE_SLACK: usize = 8 << 20;

/// An execution's end: its outcome but for stdout and stderr, which the parent already has, and
/// what the parent works out itself. Borrows from the outcome or from the frame.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done<'a> {
    /// The execution's number.
    pub(crate) id: u64,
    status: Status,
    exit_code: Option<u8>,
    truncated: Truncated,
    #[serde(borrow)]
    error: Option<WireError<'a>>,
    #[serde(borrow, deserialize_with = "bounded::<Bundle<'a>, _, MAX_RESULTS>")]
    results: Vec<Bundle<'a>>,
    #[serde(
        borrow,
        deserialize_with = "bounded::<WireArtifact<'a>, _, MAX_ARTIFACTS>"
    )]
    artifacts: Vec<WireArtifact<'a>>,
    observed: Observed,
    wall_ms: f64,
    fuel: u64,
    peak_memory_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireError<'a> {
    kind: Cow<'a, str>,
    message: Cow<'a, str>,
    traceback: Cow<'a, str>,
    line: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Bundle<'a>(
    #[serde(
        borrow,
        deserialize_with = "bounded::<(&'a str, &'a str), _, MAX_TYPES>"
    )]
    Vec<(&'a str, &'a str)>,
);

#[derive(Debug, Serialize, Deserialize)]
struct WireArtifact<'a> {
    path: &'a str,
    #[serde(serialize_with = "as_bytes")]
    content: &'a [u8],
}

fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads a sequence of at most `MAX` elements, reserving nothing on the word of its head.
fn bounded<'de, T, D, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Bounded<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Bounded<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = access.next_element()? {
                if elements.len() == MAX {
                    return Err(A::Error::custom("too many elements"));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }

    deserializer.deserialize_seq(Bounded::<T, MAX>(PhantomData))
}

/// The longest start of `text` within `limit` bytes that ends between characters.
fn clip(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

impl<'a> Done<'a> {
    /// The message for what `ended`, cut to what a parent accepts.
    pub(crate) fn new(id: u64, ended: &'a Ended) -> Self {
        let Ended { outcome, files } = ended;
        let mut truncated = outcome.truncated;
        truncated.results |= outcome.results.len() > MAX_RESULTS
            || outcome
                .results
                .iter()
                .any(|bundle| bundle.len() > MAX_TYPES);
        truncated.artifacts |= files.len() > MAX_ARTIFACTS;
        let bundle = |bundle: &'a MimeBundle| {
            let types = bundle.iter().take(MAX_TYPES);
            Bundle(types.map(|(name, value)| (&**name, &**value)).collect())
        };
        let cut = |text: &'a str| Cow::Borrowed(clip(text, MAX_ERROR_TEXT));
        let artifacts = files.iter().take(MAX_ARTIFACTS);
        Self {
            id,
            status: outcome.status,
            exit_code: outcome.exit_code,
            truncated,
            error: outcome.error.as_ref().map(|error| WireError {
                kind: cut(&error.kind),
                message: cut(&error.message),
                traceback: cut(&error.traceback),
                line: error.line,
            }),
            results: outcome
                .results
                .iter()
                .take(MAX_RESULTS)
                .map(bundle)
                .collect(),
            artifacts: artifacts
                .map(|file| WireArtifact {
                    path: &file.path,
                    content: &file.content,
                })
                .collect(),
            observed: outcome.observed,
            wall_ms: outcome.usage.wall_ms,
            fuel: outcome.usage.fuel,
            peak_memory_bytes: outcome.usage.peak_memory_bytes,
        }
    }

    /// Appends this message.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        append(out, Kind::Done, |out| append_value(out, self))
    }

    /// The most bytes this message may have for an execution under `limits`.
    pub(crate) fn allowed(limits: &Limits) -> usize {
        let narrow = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let paths = narrow(u64::from(limits.files)).saturating_mul(MAX_PATH_BYTES);
        narrow(limits.result_bytes)
            .saturating_add(narrow(limits.file_bytes))
            .saturating_add(paths)
            .saturating_add(3 * MAX_ERROR_TEXT + DONE_SLACK)
            .min(MAX_TASK_FRAME)
    }

    /// Reads this message.
    pub(crate) fn decode(payload: &'a Bytes) -> Result<Self, ProtocolError> {
        let (done, rest) = postcard::take_from_bytes::<Self>(payload)?;
        if rest.is_empty() {
            Ok(done)
        } else {
            Err(ProtocolError::Implausible(
                "bytes after the end of a message",
            ))
        }
    }

    /// Checks this message, read from `payload`, against what was granted, and makes the outcome of
    /// it, but for stdout and stderr. Hashes and media types are the parent's own; contents stay
    /// where they are in `payload`. `cancelled` is whether the worker was told to end it,
    /// `elapsed_ms` what the execution took for the parent.
    pub(crate) fn into_outcome(
        self,
        payload: &Bytes,
        limits: &Limits,
        cancelled: bool,
        elapsed_ms: f64,
    ) -> Result<Outcome, ProtocolError> {
        let refuse = |what| Err(ProtocolError::Implausible(what));
        match self.status {
            Status::Ok if self.exit_code != Some(0) => {
                return refuse("a success without exit code 0");
            }
            Status::Cancelled if !cancelled => {
                return refuse("an execution cancelled that nobody cancelled");
            }
            Status::Ok
            | Status::Error
            | Status::Timeout
            | Status::FuelExhausted
            | Status::OutOfMemory
            | Status::OutputLimit
            | Status::Crashed
            | Status::Cancelled => {}
        }
        let texts = self.results.iter().flat_map(|bundle| &bundle.0);
        let result_bytes: usize = texts.map(|(name, value)| name.len() + value.len()).sum();
        if within(result_bytes, limits.result_bytes).is_none() {
            return refuse("more bytes of results than were granted");
        }
        let file_bytes: usize = self.artifacts.iter().map(|file| file.content.len()).sum();
        if within(file_bytes, limits.file_bytes).is_none()
            || within(self.artifacts.len(), limits.files.into()).is_none()
        {
            return refuse("more files than were granted");
        }
        let sorted = self
            .artifacts
            .windows(2)
            .all(|two| two[0].path < two[1].path);
        let safe = |file: &WireArtifact<'_>| check_relative_path(file.path).is_ok();
        if !sorted || !self.artifacts.iter().all(safe) {
            return refuse("a file under a path that none can have");
        }
        let error = self.error.map(|error| GuestError {
            kind: clip(&error.kind, MAX_ERROR_TEXT).to_owned(),
            message: clip(&error.message, MAX_ERROR_TEXT).to_owned(),
            traceback: clip(&error.traceback, MAX_ERROR_TEXT).to_owned(),
            line: error.line,
        });
        let owned = |bundle: &Bundle<'_>| {
            let types = bundle.0.iter();
            types
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let artifact = |file: &WireArtifact<'_>| {
            Artifact::new(file.path.to_owned(), payload.slice_ref(file.content))
        };
        Ok(Outcome {
            status: self.status,
            exit_code: self.exit_code,
            stdout: Bytes::new(),
            stderr: Bytes::new(),
            truncated: self.truncated,
            error,
            results: self.results.iter().map(owned).collect(),
            artifacts: self.artifacts.iter().map(artifact).collect(),
            observed: self.observed,
            usage: Usage {
                // `clamp` hands NaN through, `max` and `min` do not.
                wall_ms: self.wall_ms.max(0.0).min(elapsed_ms),
                fuel: self.fuel.min(limits.fuel),
                peak_memory_bytes: self
                    .peak_memory_bytes
                    .min(u64::from(limits.memory_mb) << 20),
                ..Usage::default()
            },
        })
    }
}

/// `count`, unless it is more than `limit`.
fn within(count: usize, limit: u64) -> Option<u64> {
    u64::try_from(count).ok().filter(|count| *count <= limit)
}
