//! `sandgate bench`: the wasm path against the Lambda path, on the caller's own snippets.

mod compare;
mod corpus;
mod goals;
mod html;
mod markdown;
mod measure;
mod measured;
mod model;
mod outputs;
mod peers;
mod plots;
mod report;
mod saturate;
mod stats;
mod tables;
mod words;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sandgate::{BackendKind, CancellationToken, Router};
use tokio::signal::unix::{SignalKind, signal};

use self::corpus::Snippet;
use self::goals::Goal;
use self::measure::{Bench, Effort, Progress};
use self::model::Prices;
pub(crate) use self::outputs::StoreTimes;
use self::peers::PeerTools;
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
    /// Timed runs of each snippet on each path; fewer of what takes long.
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = at_least_one())]
    pub rounds: u32,
    /// Timed cold starts of each snippet.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = at_least_one())]
    pub cold_rounds: u32,
    /// The most concurrent callers.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = at_least_one())]
    pub max_callers: u32,
    /// A few runs of each: for a first look.
    #[arg(long)]
    pub quick: bool,
    /// Also time other ways of running the same snippets, as far as they are installed: python3,
    /// node, bubblewrap, pyeryx, pydantic-monty, Pyodide, quickjs-emscripten.
    #[arg(long)]
    pub peers: bool,
    /// The Python that has the packages pyeryx and pydantic-monty.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    pub peer_python: PathBuf,
    /// The folder node_modules that has pyodide, quickjs-emscripten-core and
    /// @jitl/quickjs-wasmfile-release-sync; by default where node looks.
    #[arg(long, value_name = "DIR")]
    pub peer_modules: Option<PathBuf>,
    /// Goals and what they came to, to be shown in the report: a file of `cargo xtask bench`.
    #[arg(long, value_name = "FILE")]
    pub goals: Option<PathBuf>,
    /// Say figure by figure how this run differs from an earlier one, by its report.json.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Measure nothing: write the report of an earlier run again, by its report.json.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["folder", "only", "function", "peers"])]
    pub from: Option<PathBuf>,
    /// What an hour of one CPU of the router's machine costs, in US dollars. The default is what
    /// AWS listed for Fargate in us-east-1 in 2024: put your own in.
    #[arg(long, value_name = "USD", default_value_t = 0.040_48)]
    pub cpu_hour_usd: f64,
    /// Where the report goes: report.json, report.md and report.html, and compare.md.
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
        let seconds = Duration::from_secs_f64;
        let effort = Effort {
            lambda: !self.no_lambda,
            cold,
            rounds: self.rounds,
            fewest: stats::FEWEST.min(self.rounds),
            cold_rounds: self.cold_rounds,
            budget: seconds(1.5),
            peer_budget: seconds(25.0),
            window: (seconds(0.2), seconds(2.0)),
            max_callers: self.max_callers,
        };
        if !self.quick {
            return effort;
        }
        Effort {
            rounds: effort.rounds.div_ceil(10),
            fewest: effort.fewest.div_ceil(3),
            cold_rounds: 1,
            budget: effort.budget / 10,
            peer_budget: effort.peer_budget / 10,
            window: (effort.window.0 / 2, effort.window.1 / 5),
            ..effort
        }
    }

    fn snippets(&self) -> Result<Vec<Snippet>, Failure> {
        let usage = |error: corpus::CorpusError| Failure::Usage(with_causes(&error));
        let mut snippets = match &self.folder {
            Some(folder) => {
                let (snippets, others) = corpus::read(folder).map_err(usage)?;
                if !others.is_empty() {
                    let text = format!("sandgate: not a snippet, left out: {}", others.join(", "));
                    // Nobody to tell, if it cannot be printed.
                    let _ = writeln!(std::io::stderr(), "{text}");
                }
                snippets
            }
            None => corpus::shipped(),
        };
        if let Some(part) = &self.only {
            corpus::only(&mut snippets, part).map_err(usage)?;
        }
        Ok(snippets)
    }
}

/// What the command line names, read before anything is started.
#[derive(Debug)]
pub(crate) struct Given {
    snippets: Vec<Snippet>,
    goals: Vec<Goal>,
    compared: Option<Report>,
}

impl Given {
    /// Reads it all.
    ///
    /// # Errors
    /// Says what cannot be read, or is not what it should be.
    pub(crate) fn read(args: &BenchArgs) -> Result<Self, Failure> {
        let goals = match &args.goals {
            Some(file) => goals::read(&read_file(file)?).map_err(|error| not_a(file, &error))?,
            None => Vec::new(),
        };
        Ok(Self {
            snippets: if args.from.is_some() {
                Vec::new()
            } else {
                args.snippets()?
            },
            goals,
            compared: args.compare.as_deref().map(read_report).transpose()?,
        })
    }
}

fn read_file(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

fn read_report(path: &Path) -> Result<Report, Failure> {
    serde_json::from_str(&read_file(path)?).map_err(|error| not_a(path, &error))
}

fn not_a(path: &Path, error: &serde_json::Error) -> Failure {
    let path = path.display();
    Failure::Usage(format!(
        "{path} was not written by this version of the benchmark: {error}"
    ))
}

/// How long Lambda may take to say what it has: a cold start, with all packages to import. On AWS a
/// quarter of it does: nothing else is compiled or compressed there at that time.
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
    ///
    /// # Errors
    /// When a function on AWS was named, and does not answer.
    pub(crate) async fn of(
        config: &Config,
        router: &Router,
        args: &BenchArgs,
    ) -> Result<Self, Failure> {
        let cloud = &config.cloud;
        let start = Instant::now();
        let limit = if cloud.on_aws {
            DESCRIBE_LIMIT / 4
        } else {
            DESCRIBE_LIMIT
        };
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
        while wanted && !has_lambda() && start.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if wanted && cloud.on_aws && !has_lambda() {
            return Err(Failure::Usage(format!(
                "the function {} does not answer: look at its name, region and the credentials \
                 (AWS_REGION, AWS_PROFILE), or leave Lambda out with --no-lambda",
                cloud.lambda.target
            )));
        }
        Ok(Self {
            lambda: match (wanted && has_lambda(), cloud.on_aws) {
                (false, _) => Lambda::Absent,
                (true, true) => Lambda::Function(cloud.lambda.target.to_string()),
                (true, false) => Lambda::Emulator(cloud.local.memory_mb),
            },
            isolates_tenants: cloud.lambda.tenant_isolation,
            prices: cloud.lambda.prices,
        })
    }

    fn has_lambda(&self) -> bool {
        match self.lambda {
            Lambda::Function(_) | Lambda::Emulator(_) => true,
            Lambda::Absent => false,
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

fn at_least_one() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

/// How a command ends that was interrupted.
const EXIT_INTERRUPTED: u8 = 130;

/// Measures, and writes the report.
///
/// # Errors
/// When there is nothing to measure, or the report cannot be written.
pub(crate) async fn run(
    router: &Router,
    stores: &StoreTimes,
    args: &BenchArgs,
    setting: Setting,
    given: Given,
) -> Result<u8, Failure> {
    let stop = CancellationToken::new();
    let interrupted = tokio::spawn(stop_on_ctrl_c(stop.clone()));
    let bar = Bar::new();
    let mut effort = args.effort(setting.isolates_tenants);
    effort.lambda &= setting.has_lambda();
    let others = if args.peers {
        bar.say("starting the peers");
        peers::start(&PeerTools {
            packages: args.peer_python.clone(),
            modules: args.peer_modules.clone(),
        })
    } else {
        Vec::new()
    };
    let bench = Bench {
        router,
        stores,
        stop: &stop,
    };
    let snippets = measure::measure(bench, &given.snippets, others, effort, &bar).await;
    interrupted.abort();
    bar.0.finish_and_clear();

    let prices = Prices {
        lambda_gb_second: setting.prices.gb_second,
        lambda_request: setting.prices.request,
        cpu_hour: args.cpu_hour_usd,
    };
    let (model, crossovers) = report::crossovers(&snippets, &prices);
    let mut goals = given.goals;
    goals.extend(goals::of_lambda(&snippets));
    let report = Report {
        date: jiff::Timestamp::now().strftime("%F %R UTC").to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: Machine::this(),
        lambda: setting.lambda,
        prices,
        snippets,
        goals,
        model,
        crossovers,
        quick: args.quick,
        stopped: stop.is_cancelled(),
    };
    publish(&report, given.compared.as_ref(), &args.output)?;
    Ok(if report.stopped { EXIT_INTERRUPTED } else { 0 })
}

/// The first Ctrl+C (or SIGTERM) ends the measuring, the second everything.
async fn stop_on_ctrl_c(stop: CancellationToken) {
    let terminate = signal(SignalKind::terminate());
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), terminate)
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_cancelled() {
            std::process::exit(EXIT_INTERRUPTED.into());
        }
        stop.cancel();
        let text = "\nsandgate: stopping, what was measured is kept; again to leave at once\n";
        // Nobody to tell, if it cannot be printed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Writes the report of an earlier run again, compared with another where that is asked for.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn show(args: &BenchArgs, from: &Path) -> Result<u8, Failure> {
    let given = Given::read(args)?;
    let mut report = read_report(from)?;
    if !given.goals.is_empty() {
        report.goals = given.goals;
        report.goals.extend(goals::of_lambda(&report.snippets));
    }
    // By the rules of this version, not of the one that measured.
    (report.model, report.crossovers) = report::crossovers(&report.snippets, &report.prices);
    publish(&report, given.compared.as_ref(), &args.output)?;
    Ok(0)
}

/// Writes the report, and prints it.
fn publish(report: &Report, compared: Option<&Report>, folder: &Path) -> Result<(), Failure> {
    let markdown = markdown::render(report);
    let comparison = compared.map(|old| compare::render(old, report));
    write(folder, report, &markdown, comparison.as_deref())?;
    let mut out = std::io::stdout().lock();
    let comparison = comparison.unwrap_or_default();
    let folder = folder.display();
    writeln!(out, "{markdown}\n{comparison}\nwritten to {folder}")
        .map_err(|error| Failure::Ours(format!("cannot print: {error}")))
}

fn write(
    folder: &Path,
    report: &Report,
    markdown: &str,
    comparison: Option<&str>,
) -> Result<(), Failure> {
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
    if let Some(text) = comparison {
        save("compare.md", text)?;
    }
    save("report.html", &html)
}

/// A bar on standard error; where that is no terminal, a line now and then.
struct Bar(ProgressBar, Option<std::sync::Mutex<Instant>>);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}") {
            bar.set_style(style);
        }
        let lines = bar
            .is_hidden()
            .then(|| std::sync::Mutex::new(Instant::now()));
        Self(bar, lines)
    }

    fn say(&self, what: &str) {
        const EVERY: Duration = Duration::from_secs(20);
        self.0.set_message(what.to_owned());
        if let Some(last) = &self.1
            && let Ok(mut last) = last.lock()
            && last.elapsed() > EVERY
        {
            *last = Instant::now();
            let (done, all) = (self.0.position(), self.0.length().unwrap_or(0));
            // Nobody to tell, if it cannot be printed.
            let _ = writeln!(std::io::stderr(), "{done}/{all} {what}");
        }
    }
}

impl Progress for Bar {
    fn steps(&self, count: u64) {
        self.0.reset();
        self.0.set_length(count);
    }

    fn step(&self, what: &str) {
        self.0.inc(1);
        self.say(what);
    }
}
