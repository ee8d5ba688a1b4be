//! The thread that takes records from the spool to the store.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use sandgate_core::Uuid;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::frame::{self, Found, Record};
use super::segment::{START, Segment};
use crate::outputs::form::folder;
use crate::outputs::{Object, ObjectStore};

/// How long the deliverer lets records gather once there is one. Nobody waits for them.
const LINGER: Duration = Duration::from_millis(25);
/// Most records put at once.
const BATCH: usize = 64;
/// Most bytes put at once, unless one record has more.
const BATCH_BYTES: usize = 4 << 20;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Delivering yields to executions: on a busy machine it takes what they leave.
const NICENESS: i32 = 10;

/// Starts the thread. The receiver turns true when it has ended.
pub(super) fn start(
    shared: Arc<Shared>,
    store: Arc<dyn ObjectStore>,
    closing: watch::Receiver<Option<Instant>>,
) -> io::Result<watch::Receiver<bool>> {
    // The store's own threads are started by this runtime, and so are as patient.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_start(yield_to_executions)
        .build()?;
    let (done, ended) = watch::channel(false);
    std::thread::Builder::new()
        .name("sandgate-spool".into())
        .spawn(move || {
            yield_to_executions();
            runtime.block_on(
                Deliverer {
                    shared,
                    store,
                    closing,
                    sequence: 0,
                    offset: START,
                }
                .run(),
            );
            runtime.shutdown_background();
            done.send_replace(true);
        })?;
    Ok(ended)
}

fn yield_to_executions() {
    // On Linux this concerns the calling thread alone. Without it, things still work.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the spool's thread keeps its priority");
    }
}

struct Deliverer {
    shared: Arc<Shared>,
    store: Arc<dyn ObjectStore>,
    closing: watch::Receiver<Option<Instant>>,
    /// The segment being delivered, and up to where it is.
    sequence: u64,
    offset: u64,
}

/// What there is to do.
enum Next {
    Deliver {
        segment: Arc<Segment>,
        range: Range<u64>,
    },
    Nothing,
}

/// Records on their way to the store together.
#[derive(Default)]
struct Batch {
    places: Vec<(Uuid, u64)>,
    objects: Vec<Object>,
    bytes: usize,
}

/// The time to shut down is over.
struct TimeIsUp;

impl Deliverer {
    async fn run(mut self) {
        let mut closing = self.closing.clone();
        while self.drain().await.is_ok() {
            if self.closing.borrow().is_some() {
                break;
            }
            self.shared.idle.store(true, Ordering::Release);
            if self.has_work() {
                continue;
            }
            tokio::select! {
                () = self.shared.wake.notified() => {}
                _ = closing.wait_for(Option::is_some) => continue,
            }
            tokio::select! {
                () = tokio::time::sleep(LINGER) => {}
                () = self.shared.hurry.notified() => {}
                _ = closing.wait_for(Option::is_some) => {}
            }
        }
        self.finish();
    }

    /// Delivers all there is.
    async fn drain(&mut self) -> Result<(), TimeIsUp> {
        while let Next::Deliver { segment, range } = self.next() {
            let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            match segment.read(range.start, len) {
                Ok(bytes) => self.deliver(&segment, range.start, &bytes).await?,
                Err(error) => {
                    segment.mark_damaged();
                    tracing::error!(
                        segment = %segment.path().display(), %error,
                        "a part of the spool cannot be read and is skipped"
                    );
                }
            }
            self.offset = range.end;
        }
        Ok(())
    }

    fn has_work(&self) -> bool {
        let state = self.shared.state();
        state.segments.len() > 1
            || state
                .segments
                .front()
                .is_some_and(|kept| kept.segment.sequence != self.sequence && kept.len > START)
            || state.segments.front().is_some_and(|kept| {
                kept.segment.sequence == self.sequence && kept.len > self.offset
            })
    }

    /// Takes delivered segments away, and says what to deliver next.
    fn next(&mut self) -> Next {
        let mut state = self.shared.state();
        loop {
            let Some(front) = state.segments.front() else {
                return Next::Nothing;
            };
            if front.segment.sequence != self.sequence {
                self.sequence = front.segment.sequence;
                self.offset = START;
            }
            if self.offset < front.len {
                return Next::Deliver {
                    segment: Arc::clone(&front.segment),
                    range: self.offset..front.len,
                };
            }
            if Arc::ptr_eq(&front.segment, &state.active) {
                // All is delivered. A segment with little in it is written on.
                let pressed = self.shared.pressed.swap(false, Ordering::Relaxed);
                let worth_it = front.len > self.shared.segment_bytes / 4;
                if front.len == START || !(worth_it || pressed) {
                    return Next::Nothing;
                }
                if let Err(error) = self.shared.rotate(&mut state) {
                    tracing::error!(%error, "the spool keeps a delivered segment");
                    return Next::Nothing;
                }
            }
            if let Some(gone) = state.segments.pop_front() {
                self.shared.used.fetch_sub(gone.len, Ordering::Relaxed);
                if let Err(error) = gone.segment.remove() {
                    tracing::error!(
                        segment = %gone.segment.path().display(), %error,
                        "a delivered segment cannot be removed"
                    );
                }
            }
        }
    }

    async fn deliver(
        &self,
        segment: &Arc<Segment>,
        start: u64,
        bytes: &Bytes,
    ) -> Result<(), TimeIsUp> {
        let mut batch = Batch::default();
        for found in frame::scan(&segment.key, bytes) {
            match found {
                Found::Record(range, record) => {
                    batch.add(record, start + range.start as u64);
                    if batch.places.len() >= BATCH || batch.bytes >= BATCH_BYTES {
                        self.put(segment, std::mem::take(&mut batch)).await?;
                    }
                }
                // Told when the segment was opened; one that this process wrote was changed by
                // somebody else since.
                Found::Damaged(range) => {
                    segment.mark_damaged();
                    tracing::error!(
                        segment = %segment.path().display(),
                        offset = start + range.start as u64,
                        "a damaged record in the spool is not delivered"
                    );
                }
                Found::Torn(_) => {}
            }
        }
        self.put(segment, batch).await
    }

    /// Puts a batch, as often as it takes.
    async fn put(&self, segment: &Arc<Segment>, batch: Batch) -> Result<(), TimeIsUp> {
        if batch.places.is_empty() {
            return Ok(());
        }
        let mut wait = FIRST_RETRY;
        loop {
            let put = tokio::select! {
                put = self.store.put_all(batch.objects.clone()) => put,
                () = self.time_is_up() => return Err(TimeIsUp),
            };
            match put {
                Ok(()) => break,
                Err(error) => tracing::warn!(
                    error = %error, cause = %error.source, retry_ms = wait.as_millis(),
                    records = batch.places.len(), "outputs are not delivered yet"
                ),
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.time_is_up() => return Err(TimeIsUp),
            }
            wait = (wait * 2).min(LAST_RETRY);
        }
        let mut state = self.shared.state();
        for (id, offset) in &batch.places {
            let same = state
                .index
                .get(id)
                .is_some_and(|at| at.offset == *offset && Arc::ptr_eq(&at.segment, segment));
            let delivered = same.then(|| state.index.remove(id)).flatten();
            if let Some(waiting) = delivered.and_then(|location| location.delivered) {
                // Who no longer waits does not need to know.
                let _ = waiting.send(());
            }
        }
        Ok(())
    }

    async fn time_is_up(&self) {
        let mut closing = self.closing.clone();
        let until = match closing.wait_for(Option::is_some).await {
            Ok(until) => *until,
            // The spool was dropped.
            Err(_) => None,
        };
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Leaves the directory as small as can be, and tells those who wait that it is over.
    fn finish(&self) {
        let mut state = self.shared.state();
        state.closed = true;
        for location in state.index.values_mut() {
            location.delivered = None;
        }
        let delivered = state.index.is_empty();
        if let (true, Some(last)) = (delivered, state.segments.back()) {
            let all = last.segment.sequence == self.sequence && last.len == self.offset;
            if (all || last.len == START)
                && let Err(error) = last.segment.remove()
            {
                tracing::debug!(%error, "the last segment stays");
            }
        }
    }
}

impl Batch {
    fn add(&mut self, record: Record, offset: u64) {
        let folder = folder(record.id);
        self.places.push((record.id, offset));
        for object in record.objects {
            self.bytes += object.content.len();
            self.objects.push(Object {
                key: format!("{folder}{}", object.name),
                content: object.content,
                media_type: object.media_type,
            });
        }
    }
}
