//! Running every snippet on every path, in turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate::{
    BackendChoice, CacheMode, CacheStatus, CancellationToken, ExecuteOptions, ExecuteRequest,
    Execution, Router, Status, Uuid,
};
use serde::{Deserialize, Serialize};

use super::corpus::Snippet;
use super::stats::{Summary, median};
use crate::startup::with_causes;

/// A way to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Path {
    /// A fresh instance in the sandbox.
    WasmFresh,
    /// A result of the sandbox, from the cache.
    WasmCached,
    /// An environment that has to start first.
    LambdaCold,
    /// An environment that has run something before.
    LambdaWarm,
}

impl Path {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Self; 4] = [
        Self::WasmFresh,
        Self::WasmCached,
        Self::LambdaCold,
        Self::LambdaWarm,
    ];

    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WasmFresh => "wasm, fresh",
            Self::WasmCached => "wasm, cached",
            Self::LambdaCold => "Lambda, cold",
            Self::LambdaWarm => "Lambda, warm",
        }
    }

    const fn is_lambda(self) -> bool {
        match self {
            Self::WasmFresh | Self::WasmCached => false,
            Self::LambdaCold | Self::LambdaWarm => true,
        }
    }

    fn request(self, snippet: &ExecuteRequest) -> ExecuteRequest {
        let mut request = snippet.clone();
        (request.backend, request.cache) = match self {
            Self::WasmFresh => (BackendChoice::Wasm, CacheMode::Off),
            Self::WasmCached => (BackendChoice::Wasm, CacheMode::Auto),
            Self::LambdaCold | Self::LambdaWarm => (BackendChoice::Lambda, CacheMode::Off),
        };
        request
    }

    /// An environment never serves two tenants, so a tenant nobody has heard of gets a cold one.
    fn options(self) -> ExecuteOptions {
        let tenant = match self {
            Self::LambdaCold => format!("bench-{}", Uuid::now_v7()),
            Self::WasmFresh | Self::WasmCached | Self::LambdaWarm => "bench".to_owned(),
        };
        ExecuteOptions::default().scope(tenant)
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Whether Lambda is measured at all.
    pub(crate) lambda: bool,
    /// Whether a new tenant gets a new environment of Lambda.
    pub(crate) cold: bool,
    /// Timed runs of a snippet on a path.
    pub(crate) rounds: u32,
    /// Timed runs with a cold start.
    pub(crate) cold_rounds: u32,
    /// A path that takes longer than this for a run is timed fewer times.
    pub(crate) budget: Duration,
    /// How long each number of concurrent callers is kept up.
    pub(crate) window: Duration,
    /// The most concurrent callers.
    pub(crate) max_callers: u32,
}

/// One timed run, in milliseconds, bytes and US dollars.
#[derive(Clone, Copy, Debug)]
struct Sample {
    total: f64,
    queue: f64,
    run: f64,
    billed: f64,
    memory: f64,
    cost: f64,
}

impl Sample {
    fn of(total: Duration, execution: &Execution) -> Self {
        let usage = &execution.usage;
        Self {
            total: total.as_secs_f64() * 1e3,
            queue: usage.queue_ms,
            run: usage.wall_ms,
            billed: usage.billed_ms as f64,
            memory: usage.peak_memory_bytes as f64,
            cost: usage.cost_usd,
        }
    }
}

/// Where the time goes: medians in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// Analysing the snippet and deciding.
    pub(crate) plan: f64,
    /// Waiting for a place.
    pub(crate) queue: f64,
    /// The execution itself, from a fresh instance or a forked interpreter to its end.
    pub(crate) run: f64,
    /// The rest: the way there and back, and keeping the outputs.
    pub(crate) rest: f64,
}

/// Runs a second with so many callers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Throughput {
    /// Concurrent callers, each with one execution under way.
    pub(crate) callers: u32,
    /// Executions a second, all callers together.
    pub(crate) per_second: f64,
}

/// A snippet on a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// The path.
    pub(crate) path: Path,
    /// From the call to the answer, in milliseconds.
    pub(crate) latency: Summary,
    /// Where that goes.
    pub(crate) parts: Parts,
    /// What Lambda billed, in milliseconds.
    pub(crate) billed_ms: f64,
    /// The most memory in use, in bytes.
    pub(crate) memory_bytes: f64,
    /// What a run cost on Lambda, in US dollars.
    pub(crate) cost_usd: f64,
    /// How many run at once, and what that gives.
    pub(crate) throughput: Vec<Throughput>,
}

/// A path that a snippet was not measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skipped {
    /// The path.
    pub(crate) path: Path,
    /// Why.
    pub(crate) reason: String,
}

/// All about a snippet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SnippetReport {
    /// Its file name.
    pub(crate) name: String,
    /// Its language.
    pub(crate) language: String,
    /// What was measured.
    pub(crate) measured: Vec<Measured>,
    /// What was not, and why.
    pub(crate) skipped: Vec<Skipped>,
}

impl SnippetReport {
    /// What was measured on `path`.
    pub(crate) fn on(&self, path: Path) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.path == path)
    }
}

/// What is told while it goes on.
pub(crate) trait Progress {
    /// So many steps will be taken.
    fn steps(&self, count: u64);
    /// The next step, and what it is.
    fn step(&self, what: &str);
}

/// A snippet on a path, under measurement.
struct Subject<'a> {
    snippet: usize,
    path: Path,
    request: &'a ExecuteRequest,
    rounds: u32,
    samples: Vec<Sample>,
    throughput: Vec<Throughput>,
    skipped: Option<String>,
}

/// Measures until all is done or `stop` is cancelled; what was measured until then counts.
pub(crate) async fn measure(
    router: &Router,
    snippets: &[Snippet],
    effort: Effort,
    stop: &CancellationToken,
    progress: &dyn Progress,
) -> Vec<SnippetReport> {
    let mut subjects: Vec<_> = snippets
        .iter()
        .enumerate()
        .flat_map(|(snippet, found)| {
            let paths = Path::ALL
                .into_iter()
                .filter(|path| effort.lambda || !path.is_lambda());
            paths.map(move |path| Subject {
                snippet,
                path,
                request: &found.request,
                rounds: 0,
                samples: Vec::new(),
                throughput: Vec::new(),
                skipped: None,
            })
        })
        .collect();

    progress.steps(subjects.len() as u64);
    for subject in &mut subjects {
        progress.step(&format!("trying {}", snippets[subject.snippet].name));
        if stop.is_cancelled() {
            subject.skipped = Some("the benchmark was stopped".to_owned());
        } else if subject.path == Path::LambdaCold && !effort.cold {
            let message = "a cold start is had by a new tenant, and this function serves all \
                           tenants from the same environments: lambda.tenant_isolation";
            subject.skipped = Some(message.to_owned());
        } else {
            subject.warm_up(router, effort).await;
        }
    }

    // In turns, so that whatever else the machine does falls on all of them alike.
    let rounds = subjects.iter().map(|s| s.rounds).max().unwrap_or(0);
    progress.steps(subjects.iter().map(|s| u64::from(s.rounds)).sum());
    for round in 0..rounds {
        for subject in &mut subjects {
            if round < subject.rounds && subject.skipped.is_none() && !stop.is_cancelled() {
                progress.step(&snippets[subject.snippet].name);
                match run(router, subject.path, subject.request).await {
                    Ok(sample) => subject.samples.push(sample),
                    Err(problem) => subject.skipped = Some(problem),
                }
            }
        }
    }

    let wide: Vec<_> = subjects
        .iter_mut()
        .filter(|s| s.path != Path::LambdaCold && s.skipped.is_none() && !s.samples.is_empty())
        .collect();
    progress.steps(wide.len() as u64);
    for subject in wide {
        progress.step(&format!(
            "{} with many callers",
            snippets[subject.snippet].name
        ));
        if !stop.is_cancelled() {
            subject.throughput =
                saturate(router, subject.path, subject.request, effort, stop).await;
        }
    }

    let mut reports = Vec::new();
    for (index, snippet) in snippets.iter().enumerate() {
        let plan = plan_ms(router, &snippet.request).await;
        let mut report = SnippetReport {
            name: snippet.name.clone(),
            language: snippet.request.language.to_string(),
            measured: Vec::new(),
            skipped: Vec::new(),
        };
        for subject in subjects.iter().filter(|s| s.snippet == index) {
            match subject.summary(plan) {
                Ok(measured) => report.measured.push(measured),
                Err(reason) => report.skipped.push(Skipped {
                    path: subject.path,
                    reason,
                }),
            }
        }
        reports.push(report);
    }
    reports
}

impl Subject<'_> {
    /// Runs it until it is warm, and decides how often it is timed.
    async fn warm_up(&mut self, router: &Router, effort: Effort) {
        let runs = match self.path {
            Path::WasmFresh | Path::LambdaWarm => 3,
            // The first fills the cache.
            Path::WasmCached => 2,
            Path::LambdaCold => 1,
        };
        let mut last = None;
        for _ in 0..runs {
            match run(router, self.path, self.request).await {
                Ok(sample) => last = Some(sample.total),
                // What is not cached yet is what the first run is for.
                Err(_) if self.path == Path::WasmCached && last.is_none() => last = Some(0.0),
                Err(problem) => {
                    self.skipped = Some(problem);
                    return;
                }
            }
        }
        let wanted = match self.path {
            Path::LambdaCold => effort.cold_rounds,
            Path::WasmFresh | Path::WasmCached | Path::LambdaWarm => effort.rounds,
        };
        let affordable = effort.budget.as_secs_f64() * 1e3 / last.unwrap_or(0.0).max(0.001);
        self.rounds = wanted.min((affordable as u32).max(5));
    }

    fn summary(&self, plan: f64) -> Result<Measured, String> {
        let Some(latency) = Summary::of(self.samples.iter().map(|s| s.total)) else {
            return Err(self
                .skipped
                .clone()
                .unwrap_or_else(|| "the benchmark was stopped before".to_owned()));
        };
        let of = |part: fn(&Sample) -> f64| median(self.samples.iter().map(part));
        let (queue, run) = match self.path {
            // A hit's own time is all there is.
            Path::WasmCached => (0.0, 0.0),
            Path::WasmFresh | Path::LambdaCold | Path::LambdaWarm => {
                (of(|s| s.queue), of(|s| s.run))
            }
        };
        let plan = plan.min(latency.median);
        Ok(Measured {
            path: self.path,
            parts: Parts {
                plan,
                queue,
                run,
                rest: (latency.median - plan - queue - run).max(0.0),
            },
            latency,
            billed_ms: of(|s| s.billed),
            memory_bytes: of(|s| s.memory),
            cost_usd: of(|s| s.cost),
            throughput: self.throughput.clone(),
        })
    }
}

/// One run, timed from the call to the answer.
async fn run(router: &Router, path: Path, request: &ExecuteRequest) -> Result<Sample, String> {
    let (request, options) = (path.request(request), path.options());
    let start = Instant::now();
    let executed = router.execute_with(request, options).await;
    let took = start.elapsed();
    let execution = executed.map_err(|error| with_causes(&error))?;
    if execution.status != Status::Ok {
        let why = execution.error.as_ref().map_or(String::new(), |error| {
            format!(": {}: {}", error.kind, error.message)
        });
        return Err(format!("ends as {}{why}", execution.status.as_str()));
    }
    if path == Path::WasmCached && execution.cache.status != CacheStatus::Hit {
        return Err("not cached: it reads the clock or draws random numbers".to_owned());
    }
    Ok(Sample::of(took, &execution))
}

/// More and more callers, until more of them give no more.
async fn saturate(
    router: &Router,
    path: Path,
    request: &ExecuteRequest,
    effort: Effort,
    stop: &CancellationToken,
) -> Vec<Throughput> {
    let mut found: Vec<Throughput> = Vec::new();
    let mut callers = 1;
    while callers <= effort.max_callers && !stop.is_cancelled() {
        let Some(per_second) = rate(router, path, request, callers, effort.window).await else {
            break;
        };
        found.push(Throughput {
            callers,
            per_second,
        });
        // Twice in a row less than a twentieth gained: it is saturated.
        let gained = |n: usize| {
            let now = found.len().checked_sub(n)?;
            let before = now.checked_sub(1)?;
            Some(found[now].per_second > found[before].per_second * 1.05)
        };
        if gained(1) == Some(false) && gained(2) == Some(false) {
            break;
        }
        callers *= 2;
    }
    found
}

/// None when a run failed: too many callers for what the backend admits.
async fn rate(
    router: &Router,
    path: Path,
    request: &ExecuteRequest,
    callers: u32,
    window: Duration,
) -> Option<f64> {
    let start = Instant::now();
    let request = Arc::new(request.clone());
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (router, request) = (router.clone(), Arc::clone(&request));
            tokio::spawn(async move {
                let mut runs = 0_u64;
                while start.elapsed() < window {
                    run(&router, path, &request).await.ok()?;
                    runs += 1;
                }
                Some(runs)
            })
        })
        .collect();
    let mut runs = 0;
    let mut failed = false;
    for caller in callers {
        match caller.await {
            Ok(Some(done)) => runs += done,
            Ok(None) | Err(_) => failed = true,
        }
    }
    (!failed).then(|| runs as f64 / start.elapsed().as_secs_f64())
}

/// Analysis and plan, in milliseconds.
async fn plan_ms(router: &Router, request: &ExecuteRequest) -> f64 {
    let mut times = Vec::with_capacity(20);
    for _ in 0..20 {
        let request = request.clone();
        let start = Instant::now();
        let _ = std::hint::black_box(router.plan(request).await);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    median(times)
}
