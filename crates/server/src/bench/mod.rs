//! `sandgate bench`: the wasm path against the Lambda path, on the caller's own snippets.

mod corpus;
mod html;
mod markdown;
mod measure;
mod model;
mod peers;
mod plots;
mod report;
mod stats;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sandgate::{BackendKind, CancellationToken, Router};

use self::corpus::Snippet;
use self::measure::{Effort, Progress};
use self::model::Prices;
use self::report::{Lambda, Machine, Report};
use crate::cli::CommonArgs;
use crate::config::Config;
use crate::exec::Failure;
use crate::startup::with_causes;

/// `sandgate bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What every command takes.
    #[command(flatten)]
    pub common: CommonArgs,
    /// A folder of snippets; by default the ones that sandgate comes with.
    pub folder: Option<PathBuf>,
    /// Measure only snippets whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// A function on AWS instead of the local environment [env: SANDGATE_LAMBDA_FUNCTION]
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    /// The function's alias or version [env: SANDGATE_LAMBDA_QUALIFIER]
    #[arg(long, value_name = "NAME", requires = "function")]
    pub qualifier: Option<String>,
    /// Measure only the sandbox.
    #[arg(long)]
    pub no_lambda: bool,
    /// Timed runs of each snippet on each path.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub rounds: u32,
    /// Timed cold starts of each snippet.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub cold_rounds: u32,
    /// The most concurrent callers.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub max_callers: u32,
    /// A tenth of the runs: for a first look.
    #[arg(long)]
    pub quick: bool,
    /// Also time other ways of running the smallest program.
    #[arg(long)]
    pub peers: bool,
    /// What an hour of one CPU of the router's machine costs, in US dollars. The default is what
    /// AWS listed for Fargate in us-east-1 in 2024: put your own in.
    #[arg(long, value_name = "USD", default_value_t = 0.040_48)]
    pub cpu_hour_usd: f64,
    /// Where the report goes: report.json, report.md and report.html.
    #[arg(long, value_name = "DIR", default_value = "sandgate-bench")]
    pub output: PathBuf,
}

impl BenchArgs {
    /// The settings these flags stand for.
    pub fn to_flags(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut flags = self.common.to_flags();
        let function = self.function.clone();
        flags.extend(function.map(|name| ("--function", "lambda.function", name)));
        let qualifier = self.qualifier.clone();
        flags.extend(qualifier.map(|name| ("--qualifier", "lambda.qualifier", name)));
        flags
    }

    fn effort(&self, cold: bool) -> Effort {
        let part = if self.quick { 10 } else { 1 };
        Effort {
            lambda: !self.no_lambda,
            cold,
            rounds: (self.rounds / part).max(1),
            cold_rounds: (self.cold_rounds / part).max(1),
            budget: Duration::from_secs(20) / part,
            window: Duration::from_secs(2) / part,
            max_callers: self.max_callers.max(1),
        }
    }

    fn snippets(&self) -> Result<Vec<Snippet>, Failure> {
        let usage = |error: corpus::CorpusError| Failure::Usage(with_causes(&error));
        let mut snippets = match &self.folder {
            Some(folder) => corpus::read(folder).map_err(usage)?,
            None => corpus::shipped(),
        };
        if let Some(part) = &self.only {
            corpus::only(&mut snippets, part).map_err(usage)?;
        }
        Ok(snippets)
    }
}

/// How long Lambda may take to say what it has: a cold start, with all packages to import.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(120);

/// Lambda's prices, and what stands for Lambda.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    lambda: Lambda,
    isolates_tenants: bool,
    prices: sandgate_lambda::Prices,
}

impl Setting {
    /// By `config`, once `router` knows what Lambda has, where that is asked for.
    pub(crate) async fn of(config: &Config, router: &Router, args: &BenchArgs) -> Self {
        let cloud = &config.cloud;
        let start = Instant::now();
        let has_lambda = || {
            router
                .runtimes()
                .iter()
                .any(|runtime| runtime.backend == BackendKind::Lambda)
        };
        let wanted = !args.no_lambda
            && router
                .backends()
                .any(|(kind, _)| kind == BackendKind::Lambda);
        while wanted && !has_lambda() && start.elapsed() < DESCRIBE_LIMIT {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Self {
            lambda: match (wanted && has_lambda(), cloud.on_aws) {
                (false, _) => Lambda::Absent,
                (true, true) => Lambda::Function(cloud.lambda.target.to_string()),
                (true, false) => Lambda::Emulator(cloud.local.memory_mb),
            },
            isolates_tenants: cloud.lambda.tenant_isolation,
            prices: cloud.lambda.prices,
        }
    }
}

/// A data directory for this run only, with the guests that `data_dir` has compiled.
pub(crate) fn scratch(data_dir: &Path) -> std::io::Result<tempfile::TempDir> {
    let compiled = data_dir.join("compiled");
    std::fs::create_dir_all(&compiled)?;
    let scratch = tempfile::tempdir()?;
    std::os::unix::fs::symlink(
        std::path::absolute(compiled)?,
        scratch.path().join("compiled"),
    )?;
    Ok(scratch)
}

/// Measures, and writes the report.
///
/// # Errors
/// When there is nothing to measure, or the report cannot be written.
pub(crate) async fn run(
    router: &Router,
    args: &BenchArgs,
    setting: Setting,
) -> Result<u8, Failure> {
    let snippets = args.snippets()?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let interrupted = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopping.cancel();
        }
    });
    let bar = Bar::new();
    let effort = args.effort(setting.isolates_tenants);
    let measured = measure::measure(router, &snippets, effort, &stop, &bar).await;
    let peers = if args.peers {
        peers::measure(effort.rounds, effort.budget, &stop, &bar)
    } else {
        Vec::new()
    };
    interrupted.abort();
    bar.0.finish_and_clear();

    let prices = Prices {
        lambda_gb_second: setting.prices.gb_second,
        lambda_request: setting.prices.request,
        cpu_hour: args.cpu_hour_usd,
    };
    let (model, crossovers) = report::crossovers(&measured, &prices);
    let report = Report {
        date: jiff::Timestamp::now().strftime("%F %R UTC").to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: Machine::this(),
        lambda: setting.lambda,
        prices,
        snippets: measured,
        peers,
        model,
        crossovers,
        stopped: stop.is_cancelled(),
    };
    let markdown = markdown::render(&report);
    write(&args.output, &report, &markdown)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{markdown}\nwritten to {}", args.output.display())
        .map_err(|error| Failure::Ours(format!("cannot print: {error}")))?;
    Ok(0)
}

fn write(folder: &Path, report: &Report, markdown: &str) -> Result<(), Failure> {
    let ours = |error: &dyn std::error::Error| Failure::Ours(with_causes(error));
    let json = serde_json::to_string_pretty(report).map_err(|error| ours(&error))?;
    let html = html::render(report).map_err(|error| ours(&error))?;
    let save = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).map_err(|error| {
            Failure::Ours(format!(
                "cannot write {}: {error}",
                folder.join(name).display()
            ))
        })
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::Ours(format!("cannot make {}: {error}", folder.display())))?;
    save("report.json", &json)?;
    save("report.md", markdown)?;
    save("report.html", &html)
}

/// A bar on standard error, where that is a terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Progress for Bar {
    fn steps(&self, count: u64) {
        self.0.reset();
        self.0.set_length(count);
    }

    fn step(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.inc(1);
    }
}
