//! What comes of measuring: the figures of the report.

use serde::{Deserialize, Serialize};

use super::peers::PeerFigure;
use super::stats::Summary;

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

    /// Whether Lambda takes part in it.
    pub(crate) const fn is_lambda(self) -> bool {
        match self {
            Self::WasmFresh | Self::WasmCached => false,
            Self::LambdaCold | Self::LambdaWarm => true,
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
    /// Starting an environment of Lambda.
    pub(crate) init: f64,
    /// Starting the interpreter: what a program without a statement takes there.
    pub(crate) start: f64,
    /// The snippet itself.
    pub(crate) run: f64,
    /// Keeping the outputs, as the answer waits for it.
    pub(crate) store: f64,
    /// The rest: the way to a worker or to Lambda and back, or looking into the cache.
    pub(crate) way: f64,
}

impl Parts {
    /// For people, with the parts in the order of time.
    pub(crate) const NAMES: [&'static str; 7] = [
        "analysis and plan",
        "queue",
        "init",
        "instantiate",
        "run",
        "store",
        "the way (invoke)",
    ];

    /// All, as they are named.
    pub(crate) const fn values(self) -> [f64; 7] {
        [
            self.plan, self.queue, self.init, self.start, self.run, self.store, self.way,
        ]
    }

    /// The interpreter and the snippet: what the backend itself takes.
    pub(crate) const fn in_backend(self) -> f64 {
        self.start + self.run
    }
}

/// Runs a second with so many callers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Throughput {
    /// Concurrent callers, each with one execution under way.
    pub(crate) callers: u32,
    /// Executions a second, all callers together.
    pub(crate) per_second: f64,
    /// The least and the greatest of six parts of the time: 95 % confidence for their middle.
    pub(crate) interval: (f64, f64),
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
    /// How long it takes until the outputs are in the bucket, in milliseconds. That goes on after
    /// the answer, unless a request asks for `stored`.
    pub(crate) upload_ms: Option<f64>,
    /// What others took for it.
    pub(crate) peers: Vec<PeerFigure>,
}

impl SnippetReport {
    /// What was measured on `path`.
    pub(crate) fn on(&self, path: Path) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.path == path)
    }
}
