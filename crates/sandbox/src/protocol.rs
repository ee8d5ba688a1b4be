//! What a worker process and its parent say to each other.
//!
//! A frame is a little-endian `u32` (the payload's length), one byte (the kind of message) and the
//! payload, over a Unix stream socket. The parent takes a worker for hostile, because the guest in
//! it may have taken it over: no length, count or value from a worker is used before it is checked,
//! and none makes the parent reserve memory that has not arrived. A worker trusts its parent.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::{Buf, Bytes, BytesMut};
use sandgate_core::{
    Artifact, GuestError, Limits, MAX_PATH_BYTES, MimeBundle, Observed, Outcome, OutputStream,
    Status, Task, Truncated, Usage, check_relative_path,
};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::artifacts;
use crate::runner::GuestInfo;

/// Bytes before the payload.
const HEADER: usize = 5;

/// The longest frame a worker accepts: a task with all its files.
pub(crate) const MAX_TASK_FRAME: usize = 1 << 30;
/// The longest frame a worker may send before its first task.
pub(crate) const MAX_READY_FRAME: usize = 64 << 10;
/// The most guests a worker can be given; the kernel passes at most 253 descriptors at once.
pub(crate) const MAX_GUESTS: usize = 16;

/// Beyond these counts a worker drops what is left and says so. They bound what the parent spends
/// on elements that are nearly empty, which the byte limits do not.
const MAX_RESULTS: usize = 16_384;
const MAX_TYPES: usize = 32;
const MAX_ARTIFACTS: usize = 65_536;
/// The longest of each text of an error.
const MAX_ERROR_TEXT: usize = 256 << 10;
/// Room in a `Done` frame for lengths, numbers and flags.
const DONE_SLACK: usize = 8 << 20;

/// What is wrong with bytes from the other side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// More than is allowed at this point.
    #[error("a frame of {length} bytes where at most {allowed} are allowed")]
    TooLong {
        /// What the frame's head says.
        length: usize,
        /// What is allowed.
        allowed: usize,
    },
    /// A message that does not exist, or not now.
    #[error("a frame of kind {0} where none is expected")]
    Unexpected(u8),
    /// The payload is not what its kind says.
    #[error("a frame that does not decode: {0}")]
    Malformed(#[from] postcard::Error),
    /// A value that no honest worker sends.
    #[error("{0}")]
    Implausible(&'static str),
}

/// The kinds of message. Those from a worker have the high bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Parent to worker, once, with the guests' descriptors: [`Hello`].
    Hello = 1,
    /// Parent to worker: an execution's number, then the [`Task`].
    Run = 2,
    /// Parent to worker: the number of the execution to end.
    Cancel = 3,
    /// Worker to parent, once: [`Ready`].
    Ready = 0x81,
    /// Worker to parent: bytes the running guest printed on stdout.
    Stdout = 0x82,
    /// Worker to parent: bytes the running guest printed on stderr.
    Stderr = 0x83,
    /// Worker to parent: [`Done`].
    Done = 0x84,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Hello,
        Self::Run,
        Self::Cancel,
        Self::Ready,
        Self::Stdout,
        Self::Stderr,
        Self::Done,
    ];

    fn from_byte(byte: u8) -> Result<Self, ProtocolError> {
        Self::ALL
            .into_iter()
            .find(|kind| *kind as u8 == byte)
            .ok_or(ProtocolError::Unexpected(byte))
    }

    /// The message that carries output of `stream`.
    pub(crate) const fn of_stream(stream: OutputStream) -> Self {
        match stream {
            OutputStream::Stdout => Self::Stdout,
            OutputStream::Stderr => Self::Stderr,
        }
    }
}

/// One whole message.
#[derive(Debug)]
pub(crate) struct Frame {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its content.
    pub(crate) payload: Bytes,
}

impl Frame {
    /// The error of this frame being here.
    pub(crate) const fn unexpected(&self) -> ProtocolError {
        ProtocolError::Unexpected(self.kind as u8)
    }
}

/// Bytes read from a socket, on the way to becoming frames.
#[derive(Debug, Default)]
pub(crate) struct FrameBuffer {
    bytes: BytesMut,
}

impl FrameBuffer {
    /// How much is read at once.
    pub(crate) const READ: usize = 64 << 10;

    /// Where to read to. Grows by what has arrived, never by what a head promises.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        if self.bytes.is_empty() && self.bytes.capacity() > 16 * Self::READ {
            // One large frame must not keep its memory for good.
            self.bytes = BytesMut::new();
        }
        self.bytes.reserve(Self::READ);
        &mut self.bytes
    }

    /// Whether the next frame has begun to arrive.
    pub(crate) fn is_partial(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Takes the next frame, if it is here whole.
    ///
    /// # Errors
    /// If its head names no kind of message, or a payload of more than `allowed` bytes.
    pub(crate) fn next(&mut self, allowed: usize) -> Result<Option<Frame>, ProtocolError> {
        let Some((head, _)) = self.bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [a, b, c, d, kind] = *head;
        let kind = Kind::from_byte(kind)?;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > allowed {
            return Err(ProtocolError::TooLong { length, allowed });
        }
        if self.bytes.len() - HEADER < length {
            return Ok(None);
        }
        self.bytes.advance(HEADER);
        Ok(Some(Frame {
            kind,
            payload: self.bytes.split_to(length).freeze(),
        }))
    }
}

/// Appends a frame to `out`.
///
/// # Errors
/// If `payload` cannot be encoded, or is longer than a frame can be; `out` is then as before.
fn append(
    out: &mut Vec<u8>,
    kind: Kind,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), postcard::Error>,
) -> Result<(), ProtocolError> {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind as u8]);
    let written = payload(out);
    let length = out.len() - start - HEADER;
    let checked = written
        .map_err(ProtocolError::from)
        .and_then(|()| match u32::try_from(length) {
            Ok(head) if length <= MAX_TASK_FRAME => Ok(head),
            Ok(_) | Err(_) => Err(ProtocolError::TooLong {
                length,
                allowed: MAX_TASK_FRAME,
            }),
        });
    match checked {
        Ok(head) => {
            out[start..start + 4].copy_from_slice(&head.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

fn append_value(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), postcard::Error> {
    *out = postcard::to_extend(value, std::mem::take(out))?;
    Ok(())
}

/// The parent's first message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The parent's process number, so that a worker can tell whether it still lives.
    pub(crate) parent: u32,
    /// The most any execution may be granted.
    pub(crate) maximum: Limits,
    /// The guests, in the order of the descriptors that come with this message.
    pub(crate) guests: Vec<GuestInfo>,
}

impl Hello {
    /// Appends this message.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        append(out, Kind::Hello, |out| append_value(out, self))
    }

    /// Reads this message.
    pub(crate) fn decode(frame: &Frame) -> Result<Self, ProtocolError> {
        match frame.kind {
            Kind::Hello => Ok(postcard::from_bytes(&frame.payload)?),
            Kind::Run | Kind::Cancel | Kind::Ready | Kind::Stdout | Kind::Stderr | Kind::Done => {
                Err(frame.unexpected())
            }
        }
    }
}

/// The worker's first message: it is behind its walls and waits for work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Walls that this system does not let it have, a line each.
    pub(crate) missing: Vec<String>,
}

impl Ready {
    /// Appends this message.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        append(out, Kind::Ready, |out| append_value(out, self))
    }

    /// Reads this message.
    pub(crate) fn decode(frame: &Frame) -> Result<Self, ProtocolError> {
        match frame.kind {
            Kind::Ready => Ok(postcard::from_bytes(&frame.payload)?),
            Kind::Hello | Kind::Run | Kind::Cancel | Kind::Stdout | Kind::Stderr | Kind::Done => {
                Err(frame.unexpected())
            }
        }
    }
}

/// What a worker is told after its start.
#[derive(Debug)]
pub(crate) enum Order {
    /// Run a task.
    Run {
        /// The execution's number.
        id: u64,
        /// The work.
        task: Box<Task>,
    },
    /// End an execution.
    Cancel {
        /// Its number.
        id: u64,
    },
}

impl Order {
    /// Appends a `Run` message.
    pub(crate) fn encode_run(out: &mut Vec<u8>, id: u64, task: &Task) -> Result<(), ProtocolError> {
        append(out, Kind::Run, |out| append_value(out, &(id, task)))
    }

    /// Appends a `Cancel` message.
    pub(crate) fn encode_cancel(out: &mut Vec<u8>, id: u64) -> Result<(), ProtocolError> {
        append(out, Kind::Cancel, |out| append_value(out, &id))
    }

    /// Reads either message.
    pub(crate) fn decode(frame: &Frame) -> Result<Self, ProtocolError> {
        match frame.kind {
            Kind::Run => {
                let (id, task) = postcard::from_bytes(&frame.payload)?;
                Ok(Self::Run { id, task })
            }
            Kind::Cancel => Ok(Self::Cancel {
                id: postcard::from_bytes(&frame.payload)?,
            }),
            Kind::Hello | Kind::Ready | Kind::Stdout | Kind::Stderr | Kind::Done => {
                Err(frame.unexpected())
            }
        }
    }
}

/// Appends printed bytes.
pub(crate) fn encode_output(
    out: &mut Vec<u8>,
    stream: OutputStream,
    bytes: &[u8],
) -> Result<(), ProtocolError> {
    append(out, Kind::of_stream(stream), |out| {
        out.extend_from_slice(bytes);
        Ok(())
    })
}

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
    /// The message for `outcome`, cut to what a parent accepts.
    pub(crate) fn new(id: u64, outcome: &'a Outcome) -> Self {
        let mut truncated = outcome.truncated;
        truncated.results |= outcome.results.len() > MAX_RESULTS
            || outcome
                .results
                .iter()
                .any(|bundle| bundle.len() > MAX_TYPES);
        truncated.artifacts |= outcome.artifacts.len() > MAX_ARTIFACTS;
        let bundle = |bundle: &'a MimeBundle| {
            let types = bundle.iter().take(MAX_TYPES);
            Bundle(types.map(|(name, value)| (&**name, &**value)).collect())
        };
        let cut = |text: &'a str| Cow::Borrowed(clip(text, MAX_ERROR_TEXT));
        let artifacts = outcome.artifacts.iter().take(MAX_ARTIFACTS);
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
                .map(|artifact| WireArtifact {
                    path: &artifact.path,
                    content: &artifact.content,
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
        let artifact = |file: &WireArtifact<'_>| Artifact {
            path: file.path.to_owned(),
            content: payload.slice_ref(file.content),
            sha256: artifacts::sha256_hex(file.content),
            media_type: artifacts::media_type(file.path, file.content),
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
