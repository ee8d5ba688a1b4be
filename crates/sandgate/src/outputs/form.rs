//! The form in which an execution is stored: its folder, and what is in it.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sandgate_core::{Execution, Outcome, OutputStream, Uuid};
use serde::{Deserialize, Serialize};

use super::OutputError;

/// The answer itself.
pub(crate) const RESULT: &str = "result.json";
const FILES: &str = "files/";
/// An output stream with more bytes lies in an object of its own, so that the result stays quick
/// to read.
const MAX_INLINE: usize = 64 << 10;

/// What a path keeps unescaped in a URI.
pub(super) const URI_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The folder of `id`, with a `/` at its end. A UUIDv7 tells its day; for any other id, which we
/// never give, the folder is one that nothing is in.
pub(crate) fn folder(id: Uuid) -> String {
    let day = (id.get_version_num() == 7)
        .then(|| id.get_timestamp())
        .flatten()
        .and_then(|timestamp| i64::try_from(timestamp.to_unix().0).ok())
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|timestamp| timestamp.to_zoned(jiff::tz::TimeZone::UTC).date())
        .unwrap_or_default();
    format!(
        "executions/{:04}/{:02}/{:02}/{id}/",
        day.year(),
        day.month(),
        day.day()
    )
}

/// Where a file of `id` can be fetched from, below `base`.
pub(crate) fn files_url(base: &str, id: Uuid, path: &str) -> String {
    format!("{base}/{id}/files/{}", utf8_percent_encode(path, URI_PATH))
}

/// The name, within the folder, of a file that the guest left. Below a folder of their own, so
/// that no name a guest chooses can be one of ours.
pub(crate) fn file_name(path: &str) -> String {
    format!("{FILES}{path}")
}

/// One object of an execution's folder, named within it.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) media_type: &'a str,
    pub(crate) content: PartContent<'a>,
}

#[derive(Debug)]
pub(crate) enum PartContent<'a> {
    Made(Vec<u8>),
    Borrowed(&'a Bytes),
}

impl PartContent<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Made(bytes) => bytes,
            Self::Borrowed(bytes) => bytes,
        }
    }
}

/// `result.json` where a stream lies beside it. The stream is empty in the document.
#[derive(Serialize)]
struct WithDetached<'a> {
    #[serde(flatten)]
    execution: &'a Execution,
    detached: Vec<OutputStream>,
}

#[derive(Deserialize)]
struct Detached {
    #[serde(default)]
    detached: Vec<OutputStream>,
}

/// The name of the object that `stream` lies in.
pub(crate) const fn detached_name(stream: OutputStream) -> &'static str {
    match stream {
        OutputStream::Stdout => "stdout",
        OutputStream::Stderr => "stderr",
    }
}

/// Takes an execution apart into objects.
pub(crate) fn parts<'a>(
    execution: &Execution,
    outcome: &'a Outcome,
) -> Result<Vec<Part<'a>>, OutputError> {
    let streams = [
        (OutputStream::Stdout, &outcome.stdout),
        (OutputStream::Stderr, &outcome.stderr),
    ];
    // Bytes that are not text would be lost in the document.
    let detached: Vec<_> = streams
        .into_iter()
        .filter(|(_, bytes)| bytes.len() > MAX_INLINE || std::str::from_utf8(bytes).is_err())
        .collect();
    let mut parts = vec![Part {
        name: RESULT.to_owned(),
        media_type: "application/json",
        content: PartContent::Made(document(execution, &detached)?),
    }];
    parts.extend(detached.into_iter().map(|(stream, bytes)| Part {
        name: detached_name(stream).to_owned(),
        media_type: "application/octet-stream",
        content: PartContent::Borrowed(bytes),
    }));
    parts.extend(outcome.artifacts.iter().map(|artifact| Part {
        name: file_name(&artifact.path),
        media_type: &artifact.media_type,
        content: PartContent::Borrowed(&artifact.content),
    }));
    Ok(parts)
}

fn document(
    execution: &Execution,
    detached: &[(OutputStream, &Bytes)],
) -> Result<Vec<u8>, OutputError> {
    let json = if detached.is_empty() {
        serde_json::to_vec(execution)
    } else {
        let mut without = execution.clone();
        for (stream, _) in detached {
            match stream {
                OutputStream::Stdout => without.stdout.clear(),
                OutputStream::Stderr => without.stderr.clear(),
            }
        }
        serde_json::to_vec(&WithDetached {
            execution: &without,
            detached: detached.iter().map(|(stream, _)| *stream).collect(),
        })
    };
    json.map_err(|error| damaged(execution.id, error))
}

/// Reads `result.json`; the names of the objects that [`attach`] wants come with it.
pub(crate) fn read_document(
    id: Uuid,
    json: &[u8],
) -> Result<(Execution, Vec<OutputStream>), OutputError> {
    let execution: Execution = serde_json::from_slice(json).map_err(|e| damaged(id, e))?;
    let Detached { detached } = serde_json::from_slice(json).map_err(|e| damaged(id, e))?;
    Ok((execution, detached))
}

/// Puts a stream back into the execution.
pub(crate) fn attach(execution: &mut Execution, stream: OutputStream, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    match stream {
        OutputStream::Stdout => execution.stdout = text,
        OutputStream::Stderr => execution.stderr = text,
    }
}

pub(crate) fn damaged(id: Uuid, problem: impl ToString) -> OutputError {
    OutputError::Damaged {
        id,
        problem: problem.to_string(),
    }
}
