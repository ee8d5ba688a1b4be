//! What a worker process and its parent say to each other.
//!
//! A frame is a little-endian `u32` (the payload's length), one byte (the kind of message) and the
//! payload, over a Unix stream socket. The parent takes a worker for hostile, because the guest in
//! it may have taken it over: no length, count or value from a worker is used before it is checked,
//! and none makes the parent reserve memory that has not arrived. A worker trusts its parent.

mod done;
#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes, BytesMut};
use sandgate_core::{Limits, OutputStream, Task};
use serde::{Deserialize, Serialize};

pub(crate) use self::done::Done;
use crate::runner::GuestInfo;

/// Bytes before the payload.
const HEADER: usize = 5;

/// The longest frame a worker accepts: a task with all its files.
pub(crate) const MAX_TASK_FRAME: usize = 1 << 30;
/// The longest frame a worker may send before its first task.
pub(crate) const MAX_READY_FRAME: usize = 64 << 10;
/// The most guests a worker can be given; the kernel passes at most 253 descriptors at once.
pub(crate) const MAX_GUESTS: usize = 16;

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
