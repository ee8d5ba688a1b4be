//! The local spool: a log on disk that outputs are appended to, and that a thread delivers to the
//! store in the background.
//!
//! An append is one write to an open file, a tenth of what a file of its own would cost. It
//! survives this process being killed. It does not survive the machine losing power, unless
//! [`SpoolConfig::sync`](crate::SpoolConfig::sync) is set.

mod deliver;
pub(crate) mod frame;
mod segment;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandgate_core::Uuid;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::outputs::directory::private_directories;
use crate::outputs::form::Part;
use crate::outputs::{ObjectStore, OutputError, SpoolConfig};
use frame::{Found, Key, Record};
use segment::{START, Segment};

/// Room that must be left for the spool to take new executions.
const LOW_WATER: u64 = 64 << 10;
/// A frame with more bytes is written on a thread where waiting for the disk harms nobody.
const WRITE_INLINE: usize = 256 << 10;

/// The spool. Dropping it ends the deliverer; what is not delivered stays on disk.
#[derive(Debug)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
    closing: watch::Sender<Option<Instant>>,
    done: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    key: Key,
    max_bytes: u64,
    segment_bytes: u64,
    sync: bool,
    state: Mutex<State>,
    /// Bytes on disk: what is in `state`, to be read without the lock.
    used: AtomicU64,
    /// The deliverer sleeps until `wake`.
    idle: AtomicBool,
    wake: Notify,
    /// Somebody waits for a delivery, or for room.
    hurry: Notify,
    pressed: AtomicBool,
    /// Held as long as this process uses the directory.
    _lock: File,
}

#[derive(Debug)]
struct State {
    /// Oldest first. The last one is being written.
    segments: VecDeque<Kept>,
    active: Arc<Segment>,
    index: HashMap<Uuid, Location>,
    closed: bool,
}

#[derive(Debug)]
struct Kept {
    segment: Arc<Segment>,
    /// Bytes in it, up to the last whole frame.
    len: u64,
}

/// Where an undelivered record is.
#[derive(Debug)]
struct Location {
    segment: Arc<Segment>,
    offset: u64,
    len: usize,
    delivered: Option<oneshot::Sender<()>>,
}

/// What came of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    segment: Arc<Segment>,
    end: u64,
    delivered: Option<oneshot::Receiver<()>>,
}

impl Spool {
    /// Opens the spool in `directory`, finds what an earlier process left there, and starts to
    /// deliver.
    pub(crate) fn open(
        directory: &Path,
        config: &SpoolConfig,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Self, OutputError> {
        let disk = |action: &str| {
            let action = format!("{action} the spool {}", directory.display());
            move |error| OutputError::disk(action.clone(), error)
        };
        private_directories(directory).map_err(disk("create"))?;
        let lock = File::create(directory.join("lock")).map_err(disk("lock"))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => {
                OutputError::InUse(directory.display().to_string())
            }
            std::fs::TryLockError::Error(error) => disk("lock")(error),
        })?;
        let mut index = HashMap::new();
        let mut segments = VecDeque::new();
        let mut sequence = 0;
        for (number, path) in Segment::list(directory).map_err(disk("list"))? {
            sequence = number + 1;
            match Segment::open(&path, number).map_err(disk("read"))? {
                Some(segment) => {
                    segments.push_back(replay(segment, &mut index).map_err(disk("read"))?);
                }
                None => {
                    tracing::error!(path = %path.display(), "not a spool segment, set aside");
                    segment::set_aside(&path).map_err(disk("clean up"))?;
                }
            }
        }
        let mut key = Key::default();
        rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| disk("make a key for")(error.into()))?;
        let active = Segment::create(directory, sequence, key).map_err(disk("create"))?;
        let active = Arc::new(active);
        segments.push_back(Kept {
            segment: Arc::clone(&active),
            len: START,
        });
        let left = index.len();
        if left > 0 {
            tracing::info!(records = left, "outputs of an earlier run are delivered");
        }
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            key,
            max_bytes: config.max_bytes,
            segment_bytes: config.segment_bytes(),
            sync: config.sync,
            used: AtomicU64::new(segments.iter().map(|kept| kept.len).sum()),
            state: Mutex::new(State {
                segments,
                active,
                index,
                closed: false,
            }),
            idle: AtomicBool::new(false),
            wake: Notify::new(),
            hurry: Notify::new(),
            pressed: AtomicBool::new(false),
            _lock: lock,
        });
        let (closing, closing_seen) = watch::channel(None);
        let done =
            deliver::start(Arc::clone(&shared), store, closing_seen).map_err(disk("deliver"))?;
        Ok(Self {
            shared,
            closing,
            done,
        })
    }

    /// Whether there is room for more.
    pub(crate) fn accepts(&self) -> Result<(), OutputError> {
        if self.closing.borrow().is_some() {
            return Err(OutputError::Closed);
        }
        let used = self.shared.used.load(Ordering::Relaxed);
        if used.saturating_add(LOW_WATER) > self.shared.max_bytes {
            self.shared.press();
            return Err(OutputError::Full);
        }
        Ok(())
    }

    /// Appends an execution's objects. `tell` asks to be told when they are delivered.
    pub(crate) async fn append(
        &self,
        id: Uuid,
        parts: &[Part<'_>],
        tell: bool,
    ) -> Result<Appended, OutputError> {
        let shared = &self.shared;
        let maximum = shared.max_bytes.saturating_sub(2 * START);
        let too_large = |bytes| OutputError::TooLarge { bytes, maximum };
        let frame = frame::encode(&shared.key, id, parts).ok_or(too_large(u64::MAX))?;
        if frame.len() as u64 > maximum {
            return Err(too_large(frame.len() as u64));
        }
        let appended = if frame.len() <= WRITE_INLINE {
            shared.append(id, &frame, tell)
        } else {
            let shared = Arc::clone(shared);
            tokio::task::spawn_blocking(move || shared.append(id, &frame, tell))
                .await
                .unwrap_or(Err(OutputError::Closed))
        }?;
        if shared.sync {
            sync(&appended).await?;
        }
        if shared.idle.swap(false, Ordering::AcqRel) {
            shared.wake.notify_one();
        }
        if tell {
            shared.hurry.notify_one();
        }
        Ok(appended)
    }

    /// The record of `id`, if it is not delivered yet. Waits for the disk.
    pub(crate) fn read(&self, id: Uuid) -> Result<Option<Record>, OutputError> {
        self.shared.read(id)
    }

    /// Whether `id` is not delivered yet.
    pub(crate) fn holds(&self, id: Uuid) -> bool {
        self.shared.state().index.contains_key(&id)
    }

    /// How many bytes the spool has on disk.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// Takes nothing more, and delivers for at most `patience`.
    pub(crate) async fn shutdown(&self, patience: Duration) {
        self.shared.state().closed = true;
        self.closing.send_replace(Some(Instant::now() + patience));
        // An error means that the deliverer is gone, which is what is waited for.
        let _ = self.done.clone().wait_for(|done| *done).await;
        let left = self.shared.state().index.len();
        if left > 0 {
            tracing::warn!(
                records = left,
                "outputs are left in the spool, the next start delivers them"
            );
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.closing.send_if_modified(|closing| {
            let first = closing.is_none();
            closing.get_or_insert_with(Instant::now);
            first
        });
    }
}

impl Appended {
    /// Waits until the store has the record.
    pub(crate) async fn delivered(self) -> Result<(), OutputError> {
        match self.delivered {
            Some(delivered) => delivered.await.map_err(|_| OutputError::Closed),
            None => Ok(()),
        }
    }
}

/// Goes through a segment that an earlier process left.
fn replay(segment: Segment, index: &mut HashMap<Uuid, Location>) -> std::io::Result<Kept> {
    let segment = Arc::new(segment);
    let len = segment.len()?;
    let bytes = segment.read(START, usize::try_from(len - START).unwrap_or(usize::MAX))?;
    for found in frame::scan(&segment.key, &bytes) {
        match found {
            Found::Record(range, record) => {
                index.insert(
                    record.id,
                    Location {
                        segment: Arc::clone(&segment),
                        offset: START + range.start as u64,
                        len: range.len(),
                        delivered: None,
                    },
                );
            }
            Found::Damaged(range) => {
                segment.mark_damaged();
                tracing::error!(
                    segment = %segment.path().display(),
                    offset = START + range.start as u64,
                    bytes = range.len(),
                    "a damaged record in the spool is skipped"
                );
            }
            Found::Torn(at) => tracing::info!(
                segment = %segment.path().display(),
                offset = START + at as u64,
                "the spool's last record was never finished"
            ),
        }
    }
    Ok(Kept { segment, len })
}

/// Has `appended` on the disk itself. Who waits while another syncs is covered by the next.
async fn sync(appended: &Appended) -> Result<(), OutputError> {
    let segment = &appended.segment;
    let _gate = segment.sync_gate.lock().await;
    if segment.synced.load(Ordering::Acquire) >= appended.end {
        return Ok(());
    }
    let file = Arc::clone(segment);
    let synced = tokio::task::spawn_blocking(move || {
        // What was written before this point is covered; frames end at what the file has now.
        let end = file.len()?;
        file.sync()?;
        file.synced.store(end, Ordering::Release);
        Ok(())
    })
    .await;
    match synced {
        Ok(done) => done.map_err(|error| OutputError::disk("sync the spool", error)),
        Err(_) => Err(OutputError::Closed),
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the deliverer for room.
    fn press(&self) {
        self.pressed.store(true, Ordering::Relaxed);
        self.idle.store(false, Ordering::Release);
        self.wake.notify_one();
        self.hurry.notify_one();
    }

    fn append(&self, id: Uuid, frame: &[u8], tell: bool) -> Result<Appended, OutputError> {
        let mut state = self.state();
        if state.closed {
            return Err(OutputError::Closed);
        }
        let len = frame.len() as u64;
        if self.used.load(Ordering::Relaxed) + len + START > self.max_bytes {
            drop(state);
            self.press();
            return Err(OutputError::Full);
        }
        let offset = match state.segments.back() {
            Some(last) if last.len == START || last.len + len <= self.segment_bytes => last.len,
            Some(_) | None => self.rotate(&mut state)?,
        };
        let segment = Arc::clone(&state.active);
        segment
            .write(frame, offset)
            .map_err(|error| OutputError::disk("write to the spool", error))?;
        let end = offset + len;
        if let Some(last) = state.segments.back_mut() {
            last.len = end;
        }
        self.used.fetch_add(len, Ordering::Relaxed);
        let (sender, receiver) = tell.then(oneshot::channel).unzip();
        state.index.insert(
            id,
            Location {
                segment: Arc::clone(&segment),
                offset,
                len: frame.len(),
                delivered: sender,
            },
        );
        Ok(Appended {
            segment,
            end,
            delivered: receiver,
        })
    }

    /// Goes on in a new segment. Gives where its first frame goes.
    fn rotate(&self, state: &mut State) -> Result<u64, OutputError> {
        let create = || {
            let segment = Segment::create(&self.directory, state.active.sequence + 1, self.key)?;
            if self.sync {
                File::open(&self.directory)?.sync_all()?;
            }
            Ok(segment)
        };
        let segment =
            Arc::new(create().map_err(|error| OutputError::disk("extend the spool", error))?);
        state.active = Arc::clone(&segment);
        state.segments.push_back(Kept {
            segment,
            len: START,
        });
        self.used.fetch_add(START, Ordering::Relaxed);
        Ok(START)
    }

    fn read(&self, id: Uuid) -> Result<Option<Record>, OutputError> {
        let (segment, offset, len) = match self.state().index.get(&id) {
            Some(at) => (Arc::clone(&at.segment), at.offset, at.len),
            None => return Ok(None),
        };
        let bytes = segment
            .read(offset, len)
            .map_err(|error| OutputError::disk("read the spool", error))?;
        match frame::scan(&segment.key, &bytes).next() {
            Some(Found::Record(_, record)) => Ok(Some(record)),
            Some(Found::Damaged(_) | Found::Torn(_)) | None => {
                Err(crate::outputs::form::damaged(id, "its record was changed"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
