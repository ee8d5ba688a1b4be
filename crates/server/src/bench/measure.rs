//! Running every snippet on every path and every peer, in turns.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate::{
    BackendChoice, CacheMode, CacheStatus, CancellationToken, Durability, ErrorKind,
    ExecuteOptions, ExecuteRequest, Execution, Language, Router, Status, Uuid,
};

use super::corpus::Snippet;
use super::measured::{Measured, Parts, Path, Skipped, SnippetReport, Throughput};
use super::outputs::StoreTimes;
use super::peers::{PeerFigure, PeerOutcome, Running};
use super::saturate;
use super::stats::{FEWEST, Summary, median};
use crate::startup::with_causes;

/// How soon a caller that was refused for now comes again.
const AGAIN: Duration = Duration::from_millis(1);

/// How long it goes on to do so.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Whether Lambda is measured at all.
    pub(crate) lambda: bool,
    /// Whether a new tenant gets a new environment of Lambda.
    pub(crate) cold: bool,
    /// The most timed runs of a snippet on a path.
    pub(crate) rounds: u32,
    /// The fewest, however long they take.
    pub(crate) fewest: u32,
    /// Timed runs with a cold start.
    pub(crate) cold_rounds: u32,
    /// What all timed runs of a snippet on a path may take, if that is enough for the fewest.
    pub(crate) budget: Duration,
    /// What all runs of a peer may take.
    pub(crate) peer_budget: Duration,
    /// The least and the most time that a number of concurrent callers is kept up.
    pub(crate) window: (Duration, Duration),
    /// The most concurrent callers.
    pub(crate) max_callers: u32,
}

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

/// What is told while it goes on.
pub(crate) trait Progress: Sync {
    /// So many steps will be taken.
    fn steps(&self, count: u64);
    /// The next step, and what it is.
    fn step(&self, what: &str);
}

/// One timed run, in milliseconds, bytes and US dollars.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    total: f64,
    queue: f64,
    run: f64,
    store: f64,
    billed: f64,
    memory: f64,
    cost: f64,
}

/// What is run: a snippet, or a program without a statement, which shows what starting takes.
struct Work<'a> {
    name: &'a str,
    request: Cow<'a, ExecuteRequest>,
    printed: Printed,
}

/// What a snippet prints, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Printed {
    Unknown,
    Always(String),
    /// Something else each time.
    Varies,
}

impl Printed {
    /// Takes note of what another run printed.
    fn saw(&mut self, text: String) {
        *self = match self {
            Self::Unknown => Self::Always(text),
            Self::Always(known) if *known == text => return,
            Self::Always(_) | Self::Varies => Self::Varies,
        };
    }

    /// What somebody else has to print for the same snippet.
    fn wanted(&self) -> Option<&str> {
        match self {
            Self::Always(text) => Some(text),
            Self::Unknown | Self::Varies => None,
        }
    }
}

/// Why a run gave no figure.
#[derive(Debug)]
enum Refusal {
    /// Too much is under way: it may be tried again.
    Busy(String),
    /// For good.
    Failed(String),
}

impl Refusal {
    fn into_text(self) -> String {
        match self {
            Self::Busy(text) | Self::Failed(text) => text,
        }
    }
}

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Path(Path),
    Peer(usize),
}

/// Work on a way, under measurement.
struct Subject {
    work: usize,
    way: Way,
    rounds: u32,
    samples: Vec<Sample>,
    throughput: Vec<Throughput>,
    skipped: Option<String>,
}

impl Subject {
    fn new(work: usize, way: Way) -> Self {
        Self {
            work,
            way,
            rounds: 0,
            samples: Vec::new(),
            throughput: Vec::new(),
            skipped: None,
        }
    }

    /// Whether it has its turn in `round` of `rounds`: those with fewer runs have them spread over
    /// the whole time, so that whatever else the machine does falls on all alike.
    fn has_turn(&self, round: u32, rounds: u32) -> bool {
        let before = |round: u32| u64::from(round) * u64::from(self.rounds) / u64::from(rounds);
        self.skipped.is_none() && before(round + 1) > before(round)
    }

    fn middle(&self, part: fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(part))
    }
}

/// Measures until all is done or it is stopped; what was measured until then counts.
pub(crate) async fn measure(
    bench: Bench<'_>,
    snippets: &[Snippet],
    mut peers: Vec<Running>,
    effort: Effort,
    progress: &dyn Progress,
) -> Vec<SnippetReport> {
    let mut works = works(snippets);
    let mut subjects = subjects(&works, snippets.len(), &peers, effort);
    let mut uploads = vec![None; works.len()];
    let mut spent = vec![Duration::ZERO; peers.len()];

    progress.steps(subjects.len() as u64);
    for subject in &mut subjects {
        let work = &mut works[subject.work];
        progress.step(&format!("trying {}", work.name));
        if bench.stop.is_cancelled() {
            subject.skipped = Some("the benchmark was stopped".to_owned());
            continue;
        }
        let tried = match subject.way {
            Way::Path(path) => {
                let tried = bench.warm_up(path, work, effort).await;
                let upload = &mut uploads[subject.work];
                // A cold start for each of these would be billed, and tell nothing more.
                if tried.is_ok() && upload.is_none() && path != Path::LambdaCold {
                    *upload = bench.upload(path, &work.request).await;
                }
                tried
            }
            Way::Peer(peer) => warm_up_peer(&mut peers[peer], work, effort, &mut spent[peer]),
        };
        match tried {
            Ok(rounds) => subject.rounds = rounds,
            Err(problem) => subject.skipped = Some(problem),
        }
    }

    let rounds = subjects.iter().map(|s| s.rounds).max().unwrap_or(0);
    progress.steps(subjects.iter().map(|s| u64::from(s.rounds)).sum());
    for round in 0..rounds {
        for subject in &mut subjects {
            if !subject.has_turn(round, rounds) || bench.stop.is_cancelled() {
                continue;
            }
            let work = &works[subject.work];
            progress.step(work.name);
            let ran = match subject.way {
                Way::Path(path) => {
                    let ran = bench.run(path, &work.request).await;
                    ran.map(|(sample, _)| sample).map_err(Refusal::into_text)
                }
                Way::Peer(peer) => ask(&mut peers[peer], work),
            };
            match ran {
                Ok(sample) => subject.samples.push(sample),
                // What was measured until it was stopped counts, what that broke does not.
                Err(_) if bench.stop.is_cancelled() => {}
                Err(problem) => subject.skipped = Some(problem),
            }
        }
    }

    saturate_all(
        bench,
        &works[..snippets.len()],
        &mut subjects,
        effort,
        progress,
    )
    .await;

    let mut reports = Vec::new();
    for (work, snippet) in snippets.iter().enumerate() {
        let plan = bench.plan_ms(&snippet.request).await;
        let mut report = SnippetReport {
            name: snippet.name.clone(),
            language: snippet.request.language.to_string(),
            measured: Vec::new(),
            skipped: Vec::new(),
            upload_ms: uploads[work],
            peers: Vec::new(),
        };
        for subject in subjects.iter().filter(|s| s.work == work) {
            let summary = Summary::of(subject.samples.iter().map(|s| s.total));
            let missing = || {
                let known = subject.skipped.clone();
                known.unwrap_or_else(|| "the benchmark was stopped before".to_owned())
            };
            match (subject.way, summary) {
                (Way::Path(path), Some(latency)) => {
                    let known = Known {
                        plan,
                        start: start_ms(&works, &subjects, snippet.request.language, path),
                        warm: median_of(&subjects, work, Path::LambdaWarm),
                    };
                    report
                        .measured
                        .push(subject.measured(path, latency, &known));
                }
                (Way::Path(path), None) => report.skipped.push(Skipped {
                    path,
                    reason: missing(),
                }),
                (Way::Peer(peer), summary) => report.peers.push(PeerFigure {
                    name: peers[peer].name.to_owned(),
                    outcome: summary
                        .map_or_else(|| PeerOutcome::Skipped(missing()), PeerOutcome::Measured),
                }),
            }
        }
        reports.push(report);
    }
    reports
}

/// The snippets, then an empty program in each of their languages.
fn works(snippets: &[Snippet]) -> Vec<Work<'_>> {
    let mut languages: Vec<Language> = Vec::new();
    let mut works = Vec::new();
    for snippet in snippets {
        if !languages.contains(&snippet.request.language) {
            languages.push(snippet.request.language);
        }
        works.push(Work {
            name: &snippet.name,
            request: Cow::Borrowed(&snippet.request),
            printed: Printed::Unknown,
        });
    }
    works.extend(languages.into_iter().map(|language| Work {
        name: "an empty program",
        request: Cow::Owned(ExecuteRequest::new(language, empty(language))),
        printed: Printed::Unknown,
    }));
    works
}

/// A program that does nothing; none at all would be refused.
const fn empty(language: Language) -> &'static str {
    match language {
        Language::Python | Language::R => "#",
        Language::JavaScript | Language::TypeScript => "//",
    }
}

/// Everything on sandgate first, then the peers: a process that starts leaves little in the
/// processor's caches for the next.
fn subjects(
    works: &[Work<'_>],
    snippets: usize,
    peers: &[Running],
    effort: Effort,
) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (work, _) in works.iter().enumerate() {
        let empty = work >= snippets;
        let shown = |path: &Path| {
            (effort.lambda || !path.is_lambda())
                && (!empty || matches!(path, Path::WasmFresh | Path::LambdaWarm))
        };
        let paths = Path::ALL.into_iter().filter(shown);
        subjects.extend(paths.map(|path| Subject::new(work, Way::Path(path))));
    }
    for (work, found) in works[..snippets].iter().enumerate() {
        let able = peers
            .iter()
            .enumerate()
            .filter(|(_, peer)| peer.language == found.request.language);
        subjects.extend(able.map(|(peer, _)| Subject::new(work, Way::Peer(peer))));
    }
    subjects
}

/// One run of a peer, and how many more there is time for.
fn warm_up_peer(
    peer: &mut Running,
    work: &Work<'_>,
    effort: Effort,
    spent: &mut Duration,
) -> Result<u32, String> {
    if work.printed == Printed::Unknown {
        return Err("not asked: nothing here runs it".to_owned());
    }
    // Where there is no time for the fewest, one run would only cost time.
    if *spent >= effort.peer_budget {
        return Err("not asked: its other runs took the time there is for it".to_owned());
    }
    // It waits in its process, and nothing else is under way.
    let mut once =
        || tokio::task::block_in_place(|| peer.once(&work.request, work.printed.wanted()));
    once()?;
    let took = once()?;
    let rounds = rounds(effort.rounds, effort, took);
    *spent += took * (rounds + 2);
    Ok(rounds)
}

fn ask(peer: &mut Running, work: &Work<'_>) -> Result<Sample, String> {
    let took = tokio::task::block_in_place(|| peer.once(&work.request, work.printed.wanted()))?;
    Ok(Sample {
        total: milliseconds(took),
        ..Sample::default()
    })
}

/// How often something is timed that takes so long.
fn rounds(wanted: u32, effort: Effort, took: Duration) -> u32 {
    let affordable = effort.budget.as_secs_f64() / took.as_secs_f64().max(1e-6);
    wanted.min((affordable as u32).max(effort.fewest))
}

async fn saturate_all(
    bench: Bench<'_>,
    works: &[Work<'_>],
    subjects: &mut [Subject],
    effort: Effort,
    progress: &dyn Progress,
) {
    let snippets = works.len();
    let wide: Vec<_> = subjects
        .iter_mut()
        .filter(|s| s.work < snippets && s.skipped.is_none() && !s.samples.is_empty())
        .filter_map(|s| match s.way {
            Way::Path(Path::LambdaCold) | Way::Peer(_) => None,
            Way::Path(path) => Some((path, s)),
        })
        .collect();
    progress.steps(wide.len() as u64);
    bench.stores.drop_deliveries();
    for (path, subject) in wide {
        let work = &works[subject.work];
        progress.step(&format!("{} with many callers", work.name));
        if bench.stop.is_cancelled() {
            return;
        }
        let took = Duration::from_secs_f64(subject.middle(|s| s.total) / 1e3);
        let window = saturate::window(took, effort.window);
        let (router, stores) = (bench.router.clone(), bench.stores.clone());
        let (request, stop) = (
            Arc::new(work.request.clone().into_owned()),
            bench.stop.clone(),
        );
        let once = move || {
            let (router, stores, stop) = (router.clone(), stores.clone(), stop.clone());
            let request = Arc::clone(&request);
            async move {
                let bench = Bench {
                    router: &router,
                    stores: &stores,
                    stop: &stop,
                };
                // One that is told to come again does so, for a while.
                let start = Instant::now();
                loop {
                    match bench.run(path, &request).await {
                        Ok(_) => return Ok(()),
                        Err(Refusal::Busy(_)) if start.elapsed() < PATIENCE => {
                            tokio::time::sleep(AGAIN).await;
                        }
                        Err(refusal) => return Err(refusal.into_text()),
                    }
                }
            }
        };
        subject.throughput = saturate::saturate(effort.max_callers, window, bench.stop, once).await;
    }
}

/// What is known of a subject's time besides its own samples, in milliseconds.
struct Known {
    plan: f64,
    start: f64,
    warm: f64,
}

impl Subject {
    fn measured(&self, path: Path, latency: Summary, known: &Known) -> Measured {
        // A hit's own time is all there is.
        let (queue, ran) = if path == Path::WasmCached {
            (0.0, 0.0)
        } else {
            (self.middle(|s| s.queue), self.middle(|s| s.run))
        };
        let plan = known.plan.min(latency.median);
        let start = known.start.min(ran);
        let store = self.middle(|s| s.store);
        let init = if path == Path::LambdaCold {
            (latency.median - known.warm).max(0.0)
        } else {
            0.0
        };
        let way = latency.median - plan - queue - init - ran - store;
        Measured {
            path,
            latency,
            parts: Parts {
                plan,
                queue,
                init,
                start,
                run: ran - start,
                store,
                way: way.max(0.0),
            },
            billed_ms: self.middle(|s| s.billed),
            memory_bytes: self.middle(|s| s.memory),
            cost_usd: self.middle(|s| s.cost),
            throughput: self.throughput.clone(),
        }
    }
}

/// What a program without a statement takes in the backend of `path`.
fn start_ms(works: &[Work<'_>], subjects: &[Subject], language: Language, path: Path) -> f64 {
    let path = match path {
        Path::WasmFresh => Path::WasmFresh,
        Path::WasmCached => return 0.0,
        Path::LambdaCold | Path::LambdaWarm => Path::LambdaWarm,
    };
    let empty = subjects.iter().find(|subject| {
        let work = &works[subject.work].request;
        subject.way == Way::Path(path) && work.code == empty(language) && work.language == language
    });
    empty.map_or(0.0, |subject| subject.middle(|s| s.run))
}

fn median_of(subjects: &[Subject], work: usize, path: Path) -> f64 {
    let found = subjects
        .iter()
        .find(|subject| subject.work == work && subject.way == Way::Path(path));
    found.map_or(0.0, |subject| subject.middle(|s| s.total))
}

impl Bench<'_> {
    /// Runs it until it is warm, and says how often it is to be timed.
    async fn warm_up(
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
    async fn run(&self, path: Path, request: &ExecuteRequest) -> Result<(Sample, String), Refusal> {
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
    async fn upload(&self, path: Path, request: &ExecuteRequest) -> Option<f64> {
        let mut took = Vec::new();
        for _ in 0..FEWEST {
            let stored = Some(Durability::Stored);
            let (_, execution) = self.execute(path, request, stored).await.ok()?;
            took.push(milliseconds(self.stores.take(execution.id)?));
        }
        Some(median(took))
    }

    /// Analysis and plan, in milliseconds.
    async fn plan_ms(&self, request: &ExecuteRequest) -> f64 {
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

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_of_a_slow_one_are_spread_over_all_rounds() {
        let mut subject = Subject::new(0, Way::Peer(0));
        for runs in [1, 6, 7, 99, 100] {
            subject.rounds = runs;
            let turns: Vec<_> = (0..100)
                .filter(|round| subject.has_turn(*round, 100))
                .collect();
            assert_eq!(turns.len(), runs as usize);
            let gaps = turns.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(
                gaps.clone().max() <= gaps.min().map(|least| least + 1),
                "{runs}"
            );
        }
    }

    #[test]
    fn what_varies_is_not_asked_of_others() {
        let mut printed = Printed::Unknown;
        printed.saw("a".to_owned());
        printed.saw("a".to_owned());
        assert_eq!(printed.wanted(), Some("a"));
        printed.saw("b".to_owned());
        printed.saw("b".to_owned());
        assert_eq!(printed.wanted(), None);
        assert_eq!(printed, Printed::Varies);
    }

    #[test]
    fn time_decides_how_often_something_is_timed() {
        let effort = Effort {
            lambda: true,
            cold: true,
            rounds: 100,
            fewest: 6,
            cold_rounds: 6,
            budget: Duration::from_secs(2),
            peer_budget: Duration::from_secs(20),
            window: (Duration::ZERO, Duration::ZERO),
            max_callers: 1,
        };
        let of = |ms| rounds(effort.rounds, effort, Duration::from_millis(ms));
        assert_eq!([of(0), of(1), of(50), of(5_000)], [100, 100, 40, 6]);
    }
}
