//! What was measured, as a file: JSON for programs, and what the other forms are made from.

use serde::{Deserialize, Serialize};

use super::measure::{Measured, Path, SnippetReport};
use super::model::{Crossover, Model, Pair, Prices};
use super::peers::PeerReport;

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
    /// What other ways of running code took in the same minutes.
    pub(crate) peers: Vec<PeerReport>,
    /// The lines that both backends follow; none where too few snippets ran on both.
    pub(crate) model: Option<Model>,
    /// Where they cross.
    pub(crate) crossovers: Vec<Crossover>,
    /// Whether it was stopped before its end.
    pub(crate) stopped: bool,
}

/// The machine that the benchmark ran on.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
            wasm_run: wasm.parts.run,
            wasm_total: wasm.latency.median,
            native_run: lambda.parts.run,
            lambda_total: lambda.latency.median,
            lambda_billed: lambda.billed_ms,
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
                ("the sandbox", l / w)
            } else {
                ("Lambda", w / l)
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
            format!("Run it in {place}: it is {times:.1} times as fast there {cost}.{cached}")
        }
        (Some(_), None) => format!("Run it in the sandbox: Lambda was not measured.{cached}"),
        (None, Some(_)) => {
            let why = snippet
                .skipped
                .iter()
                .find(|skipped| skipped.path == Path::WasmFresh)
                .map_or("", |skipped| skipped.reason.as_str());
            format!("Run it on Lambda: in the sandbox it {why}.")
        }
        (None, None) => "Nothing here can run it.".to_owned(),
    }
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
            "Lambda was not measured: there is no function, and no local environment \
                           (`cargo xtask lambda` makes one)."
                .to_owned()
        }
    }
}
