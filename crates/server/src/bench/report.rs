//! What was measured, as a file: JSON for programs, and what the other forms are made from.

use serde::{Deserialize, Serialize};

use super::goals::Goal;
use super::measured::{Measured, Path, SnippetReport};
use super::model::{Crossover, Model, Pair, Prices};

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

/// What running `measured` a million times costs in US dollars.
pub(crate) fn cost_of_a_million(measured: &Measured, prices: &Prices) -> f64 {
    match measured.path {
        Path::WasmFresh | Path::WasmCached => {
            measured.latency.median * prices.cpu_hour / 3.6e6 * 1e6
        }
        Path::LambdaCold | Path::LambdaWarm => measured.cost_usd * 1e6,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::measured::{Parts, Skipped, Throughput};
    use super::super::peers::{PeerFigure, PeerOutcome};
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
