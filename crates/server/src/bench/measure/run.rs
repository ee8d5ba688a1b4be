//! One run of a snippet on a path of sandgate, and what can be learned from a few of them.

use std::time::{Duration, Instant};

use sandgate::{
    BackendChoice, CacheMode, CacheStatus, CancellationToken, Durability, ErrorKind,
    ExecuteOptions, ExecuteRequest, Execution, Router, Status, Uuid,
};

use super::super::measured::Path;
use super::super::outputs::StoreTimes;
use super::super::stats::{FEWEST, median};
use super::subjects::Work;
use super::{Effort, rounds};
use crate::startup::with_causes;

/// What is measured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bench<'a> {
    /// Runs the snippets.
    pub(crate) router: &'a Router,
    /// Knows how long the outputs took to be kept.
    pub(crate) stores: &'a StoreTimes,
    /// Ends it before its end.
    pub(crate) stop: &'a CancellationToken,
}

/// One timed run, in milliseconds, bytes and US dollars.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) total: f64,
    pub(super) queue: f64,
    pub(super) run: f64,
    pub(super) store: f64,
    pub(super) billed: f64,
    pub(super) memory: f64,
    pub(super) cost: f64,
}

/// Why a run gave no figure.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Too much is under way: it may be tried again.
    Busy(String),
    /// For good.
    Failed(String),
}

impl Refusal {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Busy(text) | Self::Failed(text) => text,
        }
    }
}

impl Bench<'_> {
    /// Runs it until it is warm, and says how often it is to be timed.
    pub(super) async fn warm_up(
        &self,
        path: Path,
        work: &mut Work<'_>,
        effort: Effort,
    ) -> Result<u32, String> {
        let runs = match path {
            Path::WasmFresh | Path::LambdaWarm => 3,
            // The first fills the cache.
            Path::WasmCached => 2,
            Path::LambdaCold if effort.cold => return Ok(effort.cold_rounds),
            Path::LambdaCold => {
                return Err(
                    "a cold start is had by a new tenant, and this function serves all tenants \
                     from the same environments: lambda.tenant_isolation"
                        .to_owned(),
                );
            }
        };
        let mut took = Duration::ZERO;
        for run in 0..runs {
            match self.run(path, &work.request).await {
                Ok((sample, printed)) => {
                    took = Duration::from_secs_f64(sample.total / 1e3);
                    work.printed.saw(printed);
                }
                // What is not cached yet is what the first run is for.
                Err(_) if path == Path::WasmCached && run == 0 => {}
                Err(problem) => return Err(problem.into_text()),
            }
        }
        Ok(rounds(effort.rounds, effort, took))
    }

    /// One run, timed from the call to the answer, and what it printed.
    pub(super) async fn run(
        &self,
        path: Path,
        request: &ExecuteRequest,
    ) -> Result<(Sample, String), Refusal> {
        let (took, execution) = self.execute(path, request, None).await?;
        if path == Path::WasmCached && execution.cache.status != CacheStatus::Hit {
            return Err(Refusal::Failed(
                "not cached: it reads the clock or draws random numbers".to_owned(),
            ));
        }
        let usage = &execution.usage;
        let sample = Sample {
            total: milliseconds(took),
            queue: usage.queue_ms,
            run: usage.wall_ms,
            store: milliseconds(self.stores.take(execution.id).unwrap_or_default()),
            billed: usage.billed_ms as f64,
            memory: usage.peak_memory_bytes as f64,
            cost: usage.cost_usd,
        };
        Ok((sample, execution.stdout))
    }

    async fn execute(
        &self,
        path: Path,
        request: &ExecuteRequest,
        durability: Option<Durability>,
    ) -> Result<(Duration, Execution), Refusal> {
        let mut request = request.clone();
        (request.backend, request.cache) = match path {
            Path::WasmFresh => (BackendChoice::Wasm, CacheMode::Off),
            Path::WasmCached => (BackendChoice::Wasm, CacheMode::Auto),
            Path::LambdaCold | Path::LambdaWarm => (BackendChoice::Lambda, CacheMode::Off),
        };
        request.durability = durability;
        // An environment never serves two tenants, so one that nobody has heard of gets a cold one.
        let tenant = match path {
            Path::LambdaCold => format!("bench-{}", Uuid::now_v7()),
            Path::WasmFresh | Path::WasmCached | Path::LambdaWarm => "bench".to_owned(),
        };
        let options = ExecuteOptions::default().scope(tenant);
        let start = Instant::now();
        let executed = self.router.execute_with(request, options).await;
        let took = start.elapsed();
        let execution = executed.map_err(|error| match error.kind() {
            ErrorKind::Overloaded => Refusal::Busy(with_causes(&error)),
            ErrorKind::Rejected
            | ErrorKind::Unsupported
            | ErrorKind::Unavailable
            | ErrorKind::Internal => Refusal::Failed(with_causes(&error)),
        })?;
        if execution.status != Status::Ok {
            self.stores.take(execution.id);
            let why = execution.error.as_ref().map_or(String::new(), |error| {
                format!(": {}: {}", error.kind, error.message)
            });
            return Err(Refusal::Failed(format!(
                "ends as {}{why}",
                execution.status.as_str()
            )));
        }
        Ok((took, execution))
    }

    /// How long it takes until the outputs are where they end up, in milliseconds.
    pub(super) async fn upload(&self, path: Path, request: &ExecuteRequest) -> Option<f64> {
        let mut took = Vec::new();
        for _ in 0..FEWEST {
            let stored = Some(Durability::Stored);
            let (_, execution) = self.execute(path, request, stored).await.ok()?;
            took.push(milliseconds(self.stores.take(execution.id)?));
        }
        Some(median(took))
    }

    /// Analysis and plan, in milliseconds.
    pub(super) async fn plan_ms(&self, request: &ExecuteRequest) -> f64 {
        let mut times = Vec::with_capacity(20);
        for _ in 0..20 {
            let request = request.clone();
            let start = Instant::now();
            let _ = std::hint::black_box(self.router.plan(request).await);
            times.push(milliseconds(start.elapsed()));
        }
        median(times)
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
