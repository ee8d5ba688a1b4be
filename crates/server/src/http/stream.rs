//! An execution as a stream of server-sent events: `stdout` and `stderr` while it prints, then
//! `result`, then `end`. A `restart` says that it began anew on another backend, and printed
//! something else than before: what came until then is void.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;
use hyper::body::Frame;
use sandgate::{CancellationToken, Execution, OutputSink, OutputStream};
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::DropGuard;

use super::problem::Problem;

/// Output that the client has not taken yet. It never holds more than the execution's output
/// limits allow, however slowly the client reads.
#[derive(Debug, Default)]
pub(crate) struct PendingOutput {
    pending: Mutex<Pending>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    /// What the client was sent before is void.
    restarted: bool,
    chunks: Vec<(OutputStream, Vec<u8>)>,
}

/// From this many chunks on, order between the two streams gives way to bounded memory.
const MAX_CHUNKS: usize = 1_024;

impl OutputSink for PendingOutput {
    fn write(&self, stream: OutputStream, chunk: &[u8]) {
        let mut pending = self.lock();
        let chunks = &mut pending.chunks;
        let place = if chunks.len() < MAX_CHUNKS {
            chunks.last_mut().filter(|(last, _)| *last == stream)
        } else {
            chunks.iter_mut().rev().find(|(other, _)| *other == stream)
        };
        match place {
            Some((_, bytes)) => bytes.extend_from_slice(chunk),
            None => chunks.push((stream, chunk.to_vec())),
        }
        drop(pending);
        self.more.notify_one();
    }

    fn restart(&self) {
        let mut pending = self.lock();
        pending.chunks.clear();
        pending.restarted = true;
        drop(pending);
        self.more.notify_one();
    }
}

impl PendingOutput {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Pending {
        std::mem::take(&mut *self.lock())
    }
}

/// Streams an execution. `execute` is started at once; a failure of ours before the first output
/// is an ordinary problem document.
pub(crate) async fn respond<F>(
    pending: Arc<PendingOutput>,
    cancel: CancellationToken,
    execute: F,
) -> Result<Response<Body>, Problem>
where
    F: Future<Output = Result<Execution, Problem>> + Send + 'static,
{
    // Two events are enough to keep the connection busy; the rest waits in `pending`.
    let (events, receiver) = mpsc::channel(2);
    let mut running = tokio::spawn(execute);
    let guard = cancel.drop_guard();
    let early = tokio::select! {
        done = &mut running => Some(flatten(done)?),
        () = pending.more.notified() => None,
    };
    tokio::spawn(pump(pending, running, early, events));
    let mut response = Response::new(Body::new(Events {
        receiver,
        _guard: guard,
    }));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

type Running = tokio::task::JoinHandle<Result<Execution, Problem>>;

fn flatten(
    done: Result<Result<Execution, Problem>, tokio::task::JoinError>,
) -> Result<Execution, Problem> {
    match done {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "an execution's task ended");
            Err(Problem::internal())
        }
    }
}

/// Takes output from the guest to the client until both are done.
async fn pump(
    pending: Arc<PendingOutput>,
    mut running: Running,
    early: Option<Execution>,
    events: mpsc::Sender<Bytes>,
) {
    let mut decoders: [Decoder; 2] = Default::default();
    let mut done = early.map(Ok);
    loop {
        let Pending { restarted, chunks } = pending.take();
        if restarted {
            decoders = Default::default();
            if events.send(event("restart", "{}")).await.is_err() {
                return;
            }
        }
        for (stream, bytes) in chunks {
            let text = decoders[index(stream)].decode(&bytes);
            if !text.is_empty() && events.send(output(stream, &text)).await.is_err() {
                return;
            }
        }
        if done.is_some() {
            break;
        }
        tokio::select! {
            finished = &mut running => done = Some(flatten(finished)),
            () = pending.more.notified() => {}
            () = events.closed() => return,
        }
    }
    for stream in [OutputStream::Stdout, OutputStream::Stderr] {
        let rest = decoders[index(stream)].finish();
        if !rest.is_empty() && events.send(output(stream, &rest)).await.is_err() {
            return;
        }
    }
    let result = match done {
        Some(Ok(execution)) => serde_json::to_string(&execution)
            .map(|json| event("result", &json))
            .unwrap_or_default(),
        // The status line is long gone: the problem document is an event.
        Some(Err(problem)) => event("problem", &problem.to_json()),
        None => return,
    };
    // Who no longer listens does not need the end.
    if events.send(result).await.is_ok() {
        let _ = events.send(event("end", "{}")).await;
    }
}

const fn index(stream: OutputStream) -> usize {
    match stream {
        OutputStream::Stdout => 0,
        OutputStream::Stderr => 1,
    }
}

fn output(stream: OutputStream, text: &str) -> Bytes {
    let name = match stream {
        OutputStream::Stdout => "stdout",
        OutputStream::Stderr => "stderr",
    };
    event(name, &json!({ "text": text }).to_string())
}

/// JSON has no line breaks of its own, so it is one `data` line.
fn event(name: &str, json: &str) -> Bytes {
    format!("event: {name}\ndata: {json}\n\n").into()
}

/// Makes text of bytes that may be cut within a character.
#[derive(Debug, Default)]
struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    fn decode(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() - unfinished(&self.rest);
        let text = String::from_utf8_lossy(&self.rest[..whole]).into_owned();
        self.rest.drain(..whole);
        text
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()
    }
}

/// How many bytes at the end may be the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    (1..=tail.len())
        .rev()
        .find(|n| {
            let end = &tail[tail.len() - n..];
            matches!(std::str::from_utf8(end), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

/// The response's body. Dropped with the connection, and then cancels the execution.
struct Events {
    receiver: mpsc::Receiver<Bytes>,
    _guard: DropGuard,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.receiver.poll_recv(cx);
        next.map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_being_cut_anywhere() {
        let text = "aé€😀z";
        for cut in 0..=text.len() {
            let mut decoder = Decoder::default();
            let (one, two) = text.as_bytes().split_at(cut);
            let both = decoder.decode(one) + &decoder.decode(two) + &decoder.finish();
            assert_eq!(both, text, "{cut}");
        }
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(b"\xffa\xf0\x9f"), "\u{fffd}a");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }

    #[test]
    fn pending_output_has_a_bounded_number_of_chunks() {
        let pending = PendingOutput::default();
        for _ in 0..10_000 {
            pending.write(OutputStream::Stdout, b"o");
            pending.write(OutputStream::Stderr, b"e");
        }
        let chunks = pending.take().chunks;
        assert!(chunks.len() <= MAX_CHUNKS);
        let bytes: usize = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(bytes, 20_000);
    }
}
