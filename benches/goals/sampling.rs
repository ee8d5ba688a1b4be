//! Timing, in turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::Task;
use sandgate_sandbox::SandboxExecutor;

use crate::setup;

/// Timed values, in milliseconds (or in whatever unit they were pushed).
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Adds a duration.
    pub(crate) fn push(&mut self, duration: Duration) {
        self.0.push(duration.as_secs_f64() * 1e3);
    }

    /// Adds a rate.
    pub(crate) fn push_rate(&mut self, rate: f64) {
        self.0.push(rate);
    }

    /// The value below which `share` (0 to 1) of the values lie.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len() - 1) as f64 * share;
        sorted[at.round() as usize]
    }

    /// The middle value.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// Runs each of `subjects` once a round, for `rounds` rounds and a tenth more to warm up.
pub(crate) fn in_turns<const N: usize>(
    rounds: usize,
    subjects: [&mut dyn FnMut() -> Duration; N],
) -> [Samples; N] {
    in_blocks(rounds, 1, subjects)
}

/// Like [`in_turns`], but each of `subjects` runs `block` times in a row: what it finds in the
/// processor's caches is then its own, as where it is used for itself.
pub(crate) fn in_blocks<const N: usize>(
    rounds: usize,
    block: usize,
    mut subjects: [&mut dyn FnMut() -> Duration; N],
) -> [Samples; N] {
    let warm_up = rounds.div_ceil(10);
    let mut samples: [Samples; N] = std::array::from_fn(|_| Samples::default());
    for round in 0..warm_up + rounds {
        for (subject, samples) in subjects.iter_mut().zip(&mut samples) {
            for _ in 0..block {
                let took = subject();
                if round >= warm_up {
                    samples.push(took);
                }
            }
        }
    }
    samples
}

/// Runs a second that `callers`, each with one execution under way, get out of `executor`.
pub(crate) async fn throughput(
    executor: &Arc<SandboxExecutor>,
    task: &Arc<Task>,
    callers: usize,
    window: Duration,
) -> f64 {
    let start = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (executor, task) = (Arc::clone(executor), Arc::clone(task));
            tokio::spawn(async move {
                let mut runs = 0_u64;
                while start.elapsed() < window {
                    let outcome = setup::run(&executor, &task).await;
                    assert!(outcome.status.is_complete(), "{:?}", outcome.status);
                    runs += 1;
                }
                runs
            })
        })
        .collect();
    let mut runs = 0;
    for caller in callers {
        runs += caller.await.unwrap();
    }
    runs as f64 / start.elapsed().as_secs_f64()
}

/// Memory of a process (`self` or its number) that is no part of a file, in bytes.
pub(crate) fn anonymous_bytes(process: &str) -> Result<u64, String> {
    smaps(process, "Anonymous:")
}

/// Resident memory of a process, each shared page counted by the part that falls to it.
pub(crate) fn proportional_bytes(process: &str) -> Result<u64, String> {
    smaps(process, "Pss:")
}

fn smaps(process: &str, field: &str) -> Result<u64, String> {
    let path = format!("/proc/{process}/smaps_rollup");
    // Workers let only root look.
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| format!("{path} has no {field}"))
}
