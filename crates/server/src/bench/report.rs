//! What was measured, as a file: JSON for programs, and what the other forms are made from.

use serde::{Deserialize, Serialize};

use super::goals::Goal;
use super::measured::{Measured, Path, SnippetReport};
use super::model::{Crossover, Model, Pair, Prices, QUIRK_MB, quirk};
use super::peers::PeerOutcome;

/// A whole run of the benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// When it ended, in UTC.
    pub(crate) date: String,
    /// The version of sandgate.
    pub(crate) version: String,
    /// What it ran on.
    pub(crate) machine: Machine,
    /// What stands for Lambda.
    pub(crate) lambda: Lambda,
    /// What costs are computed from.
    pub(crate) prices: Prices,
    /// The snippets.
    pub(crate) snippets: Vec<SnippetReport>,
    /// The project's goals, as far as they were measured.
    pub(crate) goals: Vec<Goal>,
    /// The lines that both backends follow; none where too few snippets ran on both.
    pub(crate) model: Option<Model>,
    /// Where they cross.
    pub(crate) crossovers: Vec<Crossover>,
    /// Whether it was a first look, with few runs.
    pub(crate) quick: bool,
    /// Whether it was stopped before its end.
    pub(crate) stopped: bool,
}

/// The machine that the benchmark ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The processor.
    pub(crate) cpu: String,
    /// How many of its cores.
    pub(crate) cores: usize,
    /// The kernel.
    pub(crate) kernel: String,
}

/// What stands for Lambda in the figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lambda {
    /// A function on AWS.
    Function(String),
    /// The emulator on this machine, with as much memory as this in MB.
    Emulator(u32),
    /// Nothing: only the sandbox was measured.
    Absent,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(
                || std::env::consts::ARCH.to_owned(),
                |(_, name)| name.to_owned(),
            );
        Self {
            cpu,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// The memory sizes that crossovers are shown for.
pub(crate) const MEMORY_SIZES: [u32; 9] =
    [512, 768, 1_024, 1_536, 1_769, 2_048, 3_008, 4_096, 10_240];

/// The lines that `snippets` follow, and where they cross.
pub(crate) fn crossovers(
    snippets: &[SnippetReport],
    prices: &Prices,
) -> (Option<Model>, Vec<Crossover>) {
    let both: Vec<(&Measured, &Measured)> = snippets
        .iter()
        .filter_map(|snippet| Some((snippet.on(Path::WasmFresh)?, snippet.on(Path::LambdaWarm)?)))
        .collect();
    let pairs: Vec<Pair> = both
        .iter()
        .map(|(wasm, lambda)| Pair {
            wasm_run: wasm.parts.in_backend(),
            wasm_total: wasm.latency.median,
            native_run: lambda.parts.in_backend(),
            lambda_total: lambda.latency.median,
            lambda_billed: lambda.billed_ms,
            noise: {
                let (low, high) = lambda.latency.median_interval;
                (high - low) / 2.0
            },
        })
        .collect();
    // Three are the least that can say anything about all others.
    let model = (pairs.len() >= 3).then(|| Model::fit(&pairs)).flatten();
    let crossovers = model.map_or_else(Vec::new, |model| {
        MEMORY_SIZES
            .iter()
            .map(|size| model.crossover(*size, prices))
            .collect()
    });
    (model, crossovers)
}

/// What the columns of a table of latencies are.
pub(crate) const LATENCY_COLUMNS: [&str; 9] = [
    "snippet",
    "path",
    "runs",
    "median (95 %)",
    "p90",
    "p99",
    "max",
    "memory",
    "$ per million",
];

/// A line of that table.
pub(crate) enum LatencyRow<'a> {
    /// A text for each column.
    Measured([String; 9]),
    /// What was not measured, and why.
    Skipped {
        snippet: &'a str,
        path: &'static str,
        reason: &'a str,
    },
}

/// The lines of that table.
pub(crate) fn latency_rows(report: &Report) -> Vec<LatencyRow<'_>> {
    let mut rows = Vec::new();
    for snippet in &report.snippets {
        rows.extend(snippet.measured.iter().map(|measured| {
            let latency = &measured.latency;
            let (low, high) = latency.median_interval;
            LatencyRow::Measured([
                snippet.name.clone(),
                measured.path.name().to_owned(),
                latency.count.to_string(),
                format!(
                    "{} ({}–{})",
                    milliseconds(latency.median),
                    milliseconds(low),
                    milliseconds(high)
                ),
                milliseconds(latency.p90),
                milliseconds(latency.p99),
                milliseconds(latency.max),
                format!("{:.1} MB", measured.memory_bytes / 1e6),
                format!("{:.2}", cost_of_a_million(measured, &report.prices)),
            ])
        }));
        rows.extend(snippet.skipped.iter().map(|skipped| LatencyRow::Skipped {
            snippet: &snippet.name,
            path: skipped.path.name(),
            reason: &skipped.reason,
        }));
    }
    rows
}

/// The lines that both backends follow, in words.
pub(crate) fn about_model(model: &Model) -> String {
    format!(
        "By {} snippets that ran on both: the sandbox takes {} and up to {:.2} times the native CPU \
         time, which is that of the snippet it slows most (for others Lambda pays later, or never); \
         a warm call to Lambda takes {}, of which {} are the function's own (a fork, and cleaning up \
         after it), and the native CPU time. What the function does is divided by the share of a CPU \
         that its memory buys (1769 MB are one).",
        model.pairs,
        milliseconds(model.wasm.fixed_ms),
        model.wasm.per_native_ms,
        milliseconds(model.lambda_fixed_ms),
        milliseconds(model.lambda_billed_fixed_ms),
    )
}

/// What memory does to the bill, in words.
pub(crate) fn about_memory(model: &Model, prices: &Prices) -> String {
    let rule = "Up to one CPU (1769 MB), twice the memory takes half the time for the same money; \
                beyond it, memory only costs. But whole milliseconds are billed, so that the curve \
                has steps.";
    let quirk = quirk(prices).map_or_else(String::new, |quirk| {
        format!(
            " {QUIRK_MB} MB can be the cheaper choice: a million invocations that each take {} of \
             one CPU cost ${:.2} there, and ${:.2} at {} MB.",
            milliseconds(quirk.cpu_ms),
            quirk.usd * 1e6,
            quirk.smaller_usd * 1e6,
            quirk.smaller_mb,
        )
    });
    format!(
        "{rule}{quirk} The function that was measured takes {} itself, and the snippet's time.",
        milliseconds(model.lambda_billed_fixed_ms)
    )
}

/// How far the figures can be trusted, in words.
pub(crate) fn about_intervals(report: &Report) -> String {
    let intervals = "In brackets, the 95 % confidence interval of the median: by the medians of \
                     twelve parts of the run, so that it holds how the machine wandered, or by rank \
                     where there are fewer than 36 runs.";
    if report.quick {
        format!(
            "{intervals} This was a quick run: below six runs it is the least and the greatest."
        )
    } else {
        intervals.to_owned()
    }
}

/// What costs are computed from, in words.
pub(crate) fn about_prices(prices: &Prices) -> String {
    format!(
        "Of native CPU time. Prices: Lambda ${} per GB-second and ${} per request, a CPU of the \
         router's machine ${} per hour.",
        prices.lambda_gb_second, prices.lambda_request, prices.cpu_hour
    )
}

/// From how much work on, in words.
pub(crate) fn from(ms: Option<f64>) -> String {
    ms.map_or_else(|| "never".to_owned(), milliseconds)
}

/// What the columns of the table of others are, and a line for each snippet that others ran. The
/// last cell says what could not be measured.
pub(crate) fn peer_table(report: &Report) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let mut names: Vec<&str> = Vec::new();
    for peer in report.snippets.iter().flat_map(|snippet| &snippet.peers) {
        if !names.contains(&peer.name.as_str()) {
            names.push(&peer.name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let mut columns = vec!["snippet".to_owned(), "sandgate, fresh".to_owned()];
    columns.extend(names.iter().copied().map(str::to_owned));
    let rows = report
        .snippets
        .iter()
        .filter(|snippet| !snippet.peers.is_empty())
        .map(|snippet| {
            let ours = snippet.on(Path::WasmFresh).map(|ours| ours.latency.median);
            let cells = names.iter().map(|name| {
                let found = snippet.peers.iter().find(|peer| peer.name == *name);
                match (found.map(|peer| &peer.outcome), ours) {
                    (Some(PeerOutcome::Measured(theirs)), Some(ours)) => format!(
                        "{} (×{:.1})",
                        milliseconds(theirs.median),
                        theirs.median / ours
                    ),
                    (Some(PeerOutcome::Measured(theirs)), None) => milliseconds(theirs.median),
                    (Some(PeerOutcome::Skipped(_)), _) => "–".to_owned(),
                    (None, _) => String::new(),
                }
            });
            let ours = ours.map_or_else(|| "–".to_owned(), milliseconds);
            [snippet.name.clone(), ours]
                .into_iter()
                .chain(cells)
                .collect()
        })
        .collect();
    Some((columns, rows))
}

/// Why others did not run a snippet: a line for each reason, with the snippets that it holds for.
pub(crate) fn peer_problems(report: &Report) -> Vec<String> {
    let mut problems: Vec<(String, Vec<&str>)> = Vec::new();
    for snippet in &report.snippets {
        for peer in &snippet.peers {
            if let PeerOutcome::Skipped(reason) = &peer.outcome {
                let problem = format!("{}: {reason}", peer.name);
                match problems.iter_mut().find(|(known, _)| *known == problem) {
                    Some((_, snippets)) => snippets.push(&snippet.name),
                    None => problems.push((problem, vec![&snippet.name])),
                }
            }
        }
    }
    problems
        .into_iter()
        .map(|(problem, snippets)| format!("{problem} ({})", snippets.join(", ")))
        .collect()
}

/// What running `measured` a million times costs in US dollars.
pub(crate) fn cost_of_a_million(measured: &Measured, prices: &Prices) -> f64 {
    match measured.path {
        Path::WasmFresh | Path::WasmCached => {
            measured.latency.median * prices.cpu_hour / 3.6e6 * 1e6
        }
        Path::LambdaCold | Path::LambdaWarm => measured.cost_usd * 1e6,
    }
}

/// Where a snippet should run, in words.
pub(crate) fn recommendation(snippet: &SnippetReport, prices: &Prices) -> String {
    let wasm = snippet.on(Path::WasmFresh);
    let lambda = snippet.on(Path::LambdaWarm);
    let cached = match snippet.on(Path::WasmCached) {
        Some(cached) => format!(
            " Repeated, it comes from the cache in {}.",
            milliseconds(cached.latency.median)
        ),
        None => String::new(),
    };
    match (wasm, lambda) {
        (Some(wasm), Some(lambda)) => {
            let (w, l) = (wasm.latency.median, lambda.latency.median);
            let (cheap_w, cheap_l) = (
                cost_of_a_million(wasm, prices),
                cost_of_a_million(lambda, prices),
            );
            let (place, times) = if w <= l {
                ("in the sandbox", l / w)
            } else {
                ("on Lambda", w / l)
            };
            let cost = if (w <= l) == (cheap_w <= cheap_l) {
                "and costs less".to_owned()
            } else {
                format!(
                    "but costs more (${:.2} against ${:.2} for a million)",
                    cheap_w.max(cheap_l),
                    cheap_w.min(cheap_l)
                )
            };
            format!("Run it {place}: it is {times:.1} times as fast there {cost}.{cached}")
        }
        (Some(_), None) => match why_not(snippet, Path::LambdaWarm) {
            Some(why) => format!("Run it in the sandbox; not on Lambda: {why}.{cached}"),
            None => format!("Run it in the sandbox: Lambda was not measured.{cached}"),
        },
        (None, Some(_)) => {
            let why = why_not(snippet, Path::WasmFresh).unwrap_or("it was not measured there");
            format!("Run it on Lambda; not in the sandbox: {why}.")
        }
        (None, None) => "Nothing here can run it.".to_owned(),
    }
}

/// Why `snippet` was not measured on `path`.
fn why_not(snippet: &SnippetReport, path: Path) -> Option<&str> {
    let skipped = snippet
        .skipped
        .iter()
        .find(|skipped| skipped.path == path)?;
    Some(&skipped.reason)
}

/// A time for people: three digits, and the unit that fits.
pub(crate) fn milliseconds(ms: f64) -> String {
    if ms >= 1_000.0 {
        format!("{:.2} s", ms / 1e3)
    } else if ms >= 100.0 {
        format!("{ms:.0} ms")
    } else if ms >= 10.0 {
        format!("{ms:.1} ms")
    } else if ms >= 1.0 {
        format!("{ms:.2} ms")
    } else {
        format!("{:.0} µs", ms * 1e3)
    }
}

/// What stands for Lambda, in words.
pub(crate) fn about_lambda(lambda: &Lambda) -> String {
    match lambda {
        Lambda::Function(name) => format!("Lambda figures are of the function {name} on AWS."),
        Lambda::Emulator(memory) => format!(
            "Lambda figures are of the EMULATOR on this machine ({memory} MB): the same runner and \
             packages, but no network between, this machine's processor whatever the memory, and \
             start-up without fetching an image. Measure your own function with --function."
        ),
        Lambda::Absent => {
            "Lambda was not measured: it was left out, or there is no function and no local \
             environment (`cargo xtask lambda` makes one)."
                .to_owned()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::measured::{Parts, Skipped, Throughput};
    use super::super::peers::PeerFigure;
    use super::super::stats::Summary;
    use super::*;

    fn measured(path: Path, ms: f64, run: f64) -> Measured {
        Measured {
            path,
            latency: Summary::of((0..7).map(|n| ms * (0.97 + 0.01 * f64::from(n)))).unwrap(),
            parts: Parts {
                plan: 0.01,
                queue: 0.0,
                init: 0.0,
                start: run * 0.1,
                run: run * 0.9,
                store: 0.01,
                way: (ms - run - 0.02).max(0.0),
            },
            billed_ms: run.ceil(),
            memory_bytes: 4e6,
            cost_usd: 1e-6,
            throughput: vec![
                Throughput {
                    callers: 1,
                    per_second: 1e3 / ms,
                    interval: (0.9e3 / ms, 1.1e3 / ms),
                },
                Throughput {
                    callers: 2,
                    per_second: 1.9e3 / ms,
                    interval: (1.8e3 / ms, 2e3 / ms),
                },
            ],
        }
    }

    /// Three snippets that ran on both backends, and one that only Lambda runs.
    pub(crate) fn sample() -> Report {
        let mut snippets: Vec<_> = [1.0, 10.0, 50.0]
            .into_iter()
            .map(|native| SnippetReport {
                name: format!("work_{native}.py"),
                language: "python".to_owned(),
                measured: vec![
                    measured(Path::WasmFresh, 0.2 + 2.0 * native, 2.0 * native),
                    measured(Path::WasmCached, 0.1, 0.0),
                    measured(Path::LambdaWarm, 12.0 + native, 4.0 + native),
                ],
                skipped: Vec::new(),
                upload_ms: Some(3.0),
                peers: vec![
                    PeerFigure {
                        name: "a peer".to_owned(),
                        outcome: PeerOutcome::Measured(
                            Summary::of([native, 3.0 * native]).unwrap(),
                        ),
                    },
                    PeerFigure {
                        name: "another".to_owned(),
                        outcome: PeerOutcome::Skipped("not there".to_owned()),
                    },
                ],
            })
            .collect();
        snippets.push(SnippetReport {
            name: "<pandas>.py".to_owned(),
            language: "python".to_owned(),
            measured: vec![measured(Path::LambdaWarm, 20.0, 12.0)],
            skipped: vec![Skipped {
                path: Path::WasmFresh,
                reason: "ends as error: a | b <c>".to_owned(),
            }],
            upload_ms: None,
            peers: Vec::new(),
        });
        let prices = Prices {
            lambda_gb_second: 0.000_016_666_7,
            lambda_request: 0.000_000_2,
            cpu_hour: 0.04,
        };
        let (model, crossovers) = crossovers(&snippets, &prices);
        Report {
            date: "2026-01-02".to_owned(),
            version: "0".to_owned(),
            machine: Machine::this(),
            lambda: Lambda::Emulator(2_048),
            prices,
            snippets,
            goals: vec![Goal {
                what: "a thing | another".to_owned(),
                measured: "1 ms".to_owned(),
                goal: "≤ 2 ms".to_owned(),
                met: Some(true),
            }],
            model,
            crossovers,
            quick: false,
            stopped: false,
        }
    }

    #[test]
    fn the_backends_change_places_where_the_lines_cross() {
        let report = sample();
        // 0.2 + 2t = 12 + t, and the smallest snippet, 1 ms, stands for one that does nothing.
        let at_one_cpu = report.crossovers.iter().find(|c| c.memory_mb == 1_769);
        let faster = at_one_cpu.unwrap().faster_from_ms.unwrap();
        assert!((faster - 10.8).abs() < 0.1, "{faster}");
        let words = |n: usize| recommendation(&report.snippets[n], &report.prices);
        assert!(
            words(0).starts_with("Run it in the sandbox"),
            "{}",
            words(0)
        );
        assert!(words(2).starts_with("Run it on Lambda"), "{}", words(2));
        assert!(words(3).starts_with("Run it on Lambda"), "{}", words(3));
    }

    #[test]
    fn others_are_shown_beside_ours_with_what_they_cannot_do() {
        let report = sample();
        let (columns, rows) = peer_table(&report).unwrap();
        assert_eq!(columns, ["snippet", "sandgate, fresh", "a peer", "another"]);
        // 2 ms against the sandbox's 2.2.
        assert_eq!(rows[0], ["work_1.py", "2.20 ms", "2.00 ms (×0.9)", "–"]);
        assert_eq!(rows.len(), 3);
        let problems = peer_problems(&report);
        assert_eq!(
            problems,
            ["another: not there (work_1.py, work_10.py, work_50.py)"]
        );
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let shown = [0.0123, 1.234, 12.34, 123.4, 1_234.0].map(milliseconds);
        assert_eq!(shown, ["12 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s"]);
    }

    #[test]
    fn a_report_is_read_back() {
        let report = sample();
        let json = serde_json::to_string(&report).unwrap();
        let back: Report = serde_json::from_str(&json).unwrap();
        let named = |report: &Report| -> Vec<_> {
            let snippets = report.snippets.iter();
            snippets
                .map(|s| (s.name.clone(), s.measured.len(), s.skipped.clone()))
                .collect()
        };
        assert_eq!(named(&back), named(&report));
        // Reading a number may change its last digit.
        let median = |report: &Report| report.snippets[1].measured[0].latency.median;
        assert!((median(&back) - median(&report)).abs() < 1e-9);
    }
}
