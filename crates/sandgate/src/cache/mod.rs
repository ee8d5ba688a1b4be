//! The cache of results: what was run before is not run again.

#[cfg(test)]
mod key_tests;
mod tier;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moka::future::Cache;
use sandgate_core::{
    CacheKey, CacheMode, CacheStatus, CancellationToken, ExecutorError, Outcome, Status, Truncated,
};

use crate::outputs::ObjectStore;
use tier::SecondTier;

/// How much the cache keeps, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Bytes of results kept; 0 switches the cache off.
    pub bytes: u64,
    /// How long a result is kept.
    pub time_to_live: Duration,
}

impl Default for CacheConfig {
    /// 64 MiB for one hour.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            time_to_live: Duration::from_secs(3_600),
        }
    }
}

/// An execution's outcome and the cache's part in it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) status: CacheStatus,
}

/// Finds results by [`CacheKey`], and lets concurrent equal requests share one run.
#[derive(Debug)]
pub(crate) struct ResultCache {
    entries: Option<Entries>,
}

/// What is kept in memory, and where else results are kept.
#[derive(Debug)]
struct Entries {
    memory: Cache<Slot, Entry>,
    tier: Option<SecondTier>,
}

/// Results that are proven reproducible and results kept because somebody asked for it never
/// share a slot: only who asks for the latter may get them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Slot {
    key: CacheKey,
    proven: bool,
}

#[derive(Clone, Debug)]
enum Entry {
    Kept(Arc<Outcome>),
    /// It ran, and saw the clock or entropy. Such requests each run by themselves, and do not wait
    /// for one another first.
    Varies,
}

/// Why a run gave nothing to keep.
#[derive(Debug)]
enum Unkept {
    /// The backend failed. Those who waited for the run are told the same.
    Failed(Arc<ExecutorError>),
    /// The caller who ran it cancelled it. One of those who waited takes over.
    Cancelled,
    /// It was killed or cut off. Those who waited run by themselves.
    Incomplete,
}

/// What an entry costs beyond its bytes: the key, the outcome's own size, the cache's bookkeeping.
const ENTRY_OVERHEAD: usize = 512;

impl ResultCache {
    /// With `store`, proven results are kept there as well.
    pub(crate) fn new(config: CacheConfig, store: Option<Arc<dyn ObjectStore>>) -> Self {
        let memory = || {
            Cache::builder()
                .max_capacity(config.bytes)
                .weigher(|_, entry: &Entry| u32::try_from(weight(entry)).unwrap_or(u32::MAX))
                .time_to_live(config.time_to_live)
                .build()
        };
        let entries = (config.bytes > 0).then(|| Entries {
            memory: memory(),
            tier: store.map(SecondTier::new),
        });
        Self { entries }
    }

    /// Answers from the cache or from `run`, which is called at most once.
    ///
    /// A caller that waits for another's run and is dropped, or whose `cancel` is cancelled, leaves
    /// that run alone. A caller that runs and is dropped or cancelled does not fail those who wait
    /// for it.
    pub(crate) async fn answer<F>(
        &self,
        key: CacheKey,
        mode: CacheMode,
        cancel: &CancellationToken,
        run: impl Fn() -> F,
    ) -> Result<Answer, Arc<ExecutorError>>
    where
        F: Future<Output = Result<Outcome, ExecutorError>> + Send,
    {
        let (Some(entries), false) = (&self.entries, mode == CacheMode::Off) else {
            return run_alone(run, CacheStatus::Off).await;
        };
        let proven = Slot { key, proven: true };
        let asked_for = Slot { key, proven: false };
        match mode {
            CacheMode::Off | CacheMode::Refresh => {
                let answer = run_alone(run, CacheStatus::Miss).await?;
                entries.replace(proven, &answer.outcome).await;
                if entries.memory.contains_key(&asked_for) {
                    entries.replace(asked_for, &answer.outcome).await;
                }
                Ok(answer)
            }
            CacheMode::Auto => {
                if let Some(Entry::Varies) = entries.memory.get(&proven).await {
                    return run_alone(run, CacheStatus::Miss).await;
                }
                entries.shared(proven, cancel, run).await
            }
            CacheMode::Always => {
                if let Some(Entry::Kept(outcome)) = entries.memory.get(&proven).await {
                    return Ok(hit(outcome));
                }
                let answer = entries.shared(asked_for, cancel, run).await?;
                if answer.status == CacheStatus::Miss {
                    entries.replace(proven, &answer.outcome).await;
                }
                Ok(answer)
            }
        }
    }
}

fn hit(outcome: Arc<Outcome>) -> Answer {
    Answer {
        outcome,
        status: CacheStatus::Hit,
    }
}

async fn run_alone<F>(
    run: impl Fn() -> F,
    status: CacheStatus,
) -> Result<Answer, Arc<ExecutorError>>
where
    F: Future<Output = Result<Outcome, ExecutorError>>,
{
    let outcome = Arc::new(run().await?);
    Ok(Answer { outcome, status })
}

/// What to keep of `outcome`.
fn entry(slot: Slot, outcome: &Arc<Outcome>) -> Result<Entry, Unkept> {
    if outcome.status == Status::Cancelled {
        Err(Unkept::Cancelled)
    } else if !outcome.status.is_complete() || outcome.truncated != Truncated::default() {
        Err(Unkept::Incomplete)
    } else if slot.proven && !outcome.is_reproducible() {
        Ok(Entry::Varies)
    } else {
        Ok(Entry::Kept(Arc::clone(outcome)))
    }
}

impl Entries {
    /// Replaces what is kept with a fresh result, or forgets it if it turns out to vary.
    async fn replace(&self, slot: Slot, outcome: &Arc<Outcome>) {
        if let Ok(entry) = entry(slot, outcome) {
            self.store(slot, &entry);
            self.memory.insert(slot, entry).await;
        }
    }

    /// Keeps a proven result in the second tier, too.
    fn store(&self, slot: Slot, entry: &Entry) {
        if let (Some(tier), true, Entry::Kept(outcome)) = (&self.tier, slot.proven, entry) {
            tier.put(slot.key, outcome);
        }
    }

    async fn stored(&self, slot: Slot) -> Option<Entry> {
        let tier = self.tier.as_ref().filter(|_| slot.proven)?;
        let outcome = tier.get(slot.key).await?;
        Some(Entry::Kept(Arc::new(outcome)))
    }

    async fn shared<F>(
        &self,
        slot: Slot,
        cancel: &CancellationToken,
        run: impl Fn() -> F,
    ) -> Result<Answer, Arc<ExecutorError>>
    where
        F: Future<Output = Result<Outcome, ExecutorError>> + Send,
    {
        let leading = AtomicBool::new(false);
        loop {
            let mut mine = None;
            let found = {
                let find = pin!(self.memory.try_get_with(slot, async {
                    if let Some(entry) = self.stored(slot).await {
                        return Ok(entry);
                    }
                    leading.store(true, Ordering::Relaxed);
                    let outcome = Arc::new(run().await.map_err(|e| Unkept::Failed(Arc::new(e)))?);
                    mine = Some(Arc::clone(&outcome));
                    let entry = entry(slot, &outcome)?;
                    self.store(slot, &entry);
                    Ok(entry)
                }));
                // Who runs leaves cancelling to the executor, which keeps what was printed.
                let given_up = async {
                    cancel.cancelled().await;
                    if leading.load(Ordering::Relaxed) {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    biased;
                    found = find => found,
                    () = given_up => {
                        return Ok(Answer {
                            outcome: Arc::new(Outcome::empty(Status::Cancelled)),
                            status: CacheStatus::Miss,
                        });
                    }
                }
            };
            if let Some(outcome) = mine {
                return Ok(Answer {
                    outcome,
                    status: CacheStatus::Miss,
                });
            }
            match found {
                Ok(Entry::Kept(outcome)) => return Ok(hit(outcome)),
                Ok(Entry::Varies) => return run_alone(run, CacheStatus::Miss).await,
                Err(unkept) => match &*unkept {
                    Unkept::Failed(error) => return Err(Arc::clone(error)),
                    Unkept::Cancelled => {}
                    Unkept::Incomplete => return run_alone(run, CacheStatus::Miss).await,
                },
            }
        }
    }
}

fn weight(entry: &Entry) -> usize {
    ENTRY_OVERHEAD
        + match entry {
            Entry::Kept(outcome) => outcome_bytes(outcome),
            Entry::Varies => 0,
        }
}

/// About how many bytes an outcome takes beyond its own size.
pub(crate) fn outcome_bytes(outcome: &Outcome) -> usize {
    let error = outcome.error.as_ref().map_or(0, |error| {
        error.kind.len() + error.message.len() + error.traceback.len()
    });
    let results: usize = outcome
        .results
        .iter()
        .flatten()
        .map(|(kind, value)| kind.len() + value.len() + 64)
        .sum();
    let artifacts: usize = outcome
        .artifacts
        .iter()
        .map(|artifact| artifact.path.len() + artifact.content.len() + 256)
        .sum();
    outcome.stdout.len() + outcome.stderr.len() + error + results + artifacts
}

#[cfg(test)]
mod tests;
