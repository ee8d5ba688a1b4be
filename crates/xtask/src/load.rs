//! `cargo xtask load`: the service under load, by a load generator on the same machine.
//!
//! Two kinds of load. Closed: so many connections, each with one request under way, which shows
//! what the service can do. Open: requests come at a fixed rate whether or not earlier ones are
//! answered, and each is timed from when it should have been sent, which shows what callers see
//! (no coordinated omission).

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cache::Cache;
use crate::cargo_tool::CargoTool;
use crate::command;
use crate::console::Console;
use crate::guests;
use crate::run;
use crate::workspace::{Profile, Workspace};

const GENERATOR: CargoTool = CargoTool {
    name: "oha",
    version: "1.16.0",
    optimised: true,
};

/// Connections of the closed loads.
const CONNECTIONS: [u32; 5] = [1, 8, 64, 256, 1_000];

/// Shares of what the service can do, for the open loads, in per cent.
const SHARES: [u32; 3] = [25, 50, 80];

/// How long the service may take to answer; its first start compiles the guests.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What is asked of the service.
struct Mix {
    name: &'static str,
    /// Of a hundred requests, how many are answered from the cache.
    hits: u32,
    snippets: &'static [(&'static str, &'static str)],
}

const PYTHON: (&str, &str) = ("python", "print(1+1)");
const JAVASCRIPT: (&str, &str) = ("javascript", "console.log(1+1)");

const MIXES: [Mix; 5] = [
    Mix {
        name: "Python `print(1+1)`",
        hits: 0,
        snippets: &[PYTHON],
    },
    Mix {
        name: "JavaScript `console.log(1+1)`",
        hits: 0,
        snippets: &[JAVASCRIPT],
    },
    Mix {
        name: "both",
        hits: 0,
        snippets: &[PYTHON, JAVASCRIPT],
    },
    Mix {
        name: "both, half of it cached",
        hits: 50,
        snippets: &[PYTHON, JAVASCRIPT],
    },
    Mix {
        name: "both, nine tenths cached",
        hits: 90,
        snippets: &[PYTHON, JAVASCRIPT],
    },
];

/// Starts the service and loads it; prints tables in Markdown.
pub(crate) fn run(quick: bool, workspace: &Workspace, console: &Console) -> Result<ExitCode> {
    let cache = Cache::open()?;
    let generator = GENERATOR.prepare(&cache, console)?;
    let request = guests::Request {
        guests: Vec::new(),
        force: false,
        profile: Profile::Release,
        all_steps: false,
    };
    guests::build(&request, workspace, &cache, console)?;
    command::run_visible(&mut workspace.cargo(
        &["build"],
        Profile::Release,
        &["--bin", "sandgate"],
    ))?;

    let scratch = tempfile::tempdir().context("making a folder for the service")?;
    let service = Service::start(workspace, scratch.path())?;
    let seconds = if quick { 2 } else { 10 };
    let load = Load {
        generator,
        url: format!("http://{}/v1/execute", service.address),
        bodies: scratch.path().join("bodies"),
        seconds,
    };
    let mut closed = table("connections | requests a second | p50 | p99 | p99.9", 5);
    let mut open = table("requests a second | p50 | p99 | p99.9 | answered", 5);
    for mix in &MIXES {
        load.write_bodies(mix)?;
        let mut most = 0.0_f64;
        for connections in CONNECTIONS {
            let seen = load.closed(connections)?;
            most = most.max(seen.per_second);
            let _ = writeln!(
                closed,
                "| {} | {connections} | {:.0} | {} |",
                mix.name,
                seen.per_second,
                seen.times()
            );
            console.line(&format!(
                "{}, {connections} connections: {:.0}/s",
                mix.name, seen.per_second
            ));
        }
        for share in SHARES {
            let rate = most * f64::from(share) / 100.0;
            let seen = load.open(rate)?;
            let _ = writeln!(
                open,
                "| {} | {rate:.0} ({share} %) | {} | {:.1} % |",
                mix.name,
                seen.times(),
                seen.answered * 100.0
            );
        }
    }
    console.line(&format!(
        "\n## Closed load\n\n{closed}\n## Open load\n\nAt a share of the most that the closed load \
         reached, timed from when each request was due.\n\n{open}"
    ));
    Ok(ExitCode::SUCCESS)
}

fn table(columns: &str, count: usize) -> String {
    format!("| snippets | {columns} |\n|---|{}\n", "--:|".repeat(count))
}

/// A running service, killed on drop.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(workspace: &Workspace, folder: &Path) -> Result<Self> {
        // Free now; nobody else on this machine is likely to take it in the next milliseconds.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(workspace.program(Profile::Release, "sandgate"))
            .args(["serve", "--listen", &address, "--guests"])
            .arg(workspace.guests())
            .arg("--data-dir")
            .arg(folder.join("data"))
            .env("SANDGATE_LOG_FILTER", "warn")
            // The load is the sandbox's; a local Lambda would take its share of the CPU.
            .env("SANDGATE_LOCAL_CLOUD_ENABLED", "never")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("starting the service")?;
        let service = Self { child, address };
        let started = Instant::now();
        while !run::answers(&service.address) {
            if started.elapsed() > START_LIMIT {
                bail!("the service does not answer on {}", service.address);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Load {
    generator: PathBuf,
    url: String,
    bodies: PathBuf,
    seconds: u32,
}

/// What the load generator saw. Times in seconds.
struct Seen {
    per_second: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    /// The share of requests that were answered with a success, from 0 to 1.
    answered: f64,
}

impl Seen {
    fn times(&self) -> String {
        let ms = |seconds: f64| format!("{:.2} ms", seconds * 1e3);
        format!("{} | {} | {}", ms(self.p50), ms(self.p99), ms(self.p999))
    }
}

impl Load {
    /// A hundred requests, one a line, of which the generator takes any. What is not to be a hit
    /// goes past the cache.
    fn write_bodies(&self, mix: &Mix) -> Result<()> {
        let mut lines = String::new();
        for n in 0..100 {
            let (language, code) = mix.snippets[n as usize % mix.snippets.len()];
            let cache = if n < mix.hits { "auto" } else { "off" };
            let body = json!({"language": language, "code": code, "cache": cache});
            let _ = writeln!(lines, "{body}");
        }
        fs::write(&self.bodies, lines).context("writing the requests")
    }

    fn closed(&self, connections: u32) -> Result<Seen> {
        self.run(&["-c", &connections.to_string()])
    }

    fn open(&self, rate: f64) -> Result<Seen> {
        let rate = format!("{:.0}", rate.max(1.0));
        self.run(&["-c", "256", "-q", &rate, "--latency-correction"])
    }

    fn run(&self, how: &[&str]) -> Result<Seen> {
        let mut command = Command::new(&self.generator);
        command
            .args(["--no-tui", "--output-format", "json", "--method", "POST"])
            .args(["-H", "content-type: application/json", "-z"])
            .arg(format!("{}s", self.seconds))
            .args(how)
            .arg("-Z")
            .arg(&self.bodies)
            .arg(&self.url);
        let report: Value = serde_json::from_str(&command::output_of(&mut command)?)
            .context("reading the load generator's report")?;
        let number = |path: &str| {
            report
                .pointer(path)
                .and_then(Value::as_f64)
                .with_context(|| format!("the load generator's report has no {path}"))
        };
        let statuses = report["statusCodeDistribution"].as_object();
        let all: u64 = statuses
            .iter()
            .flat_map(|found| found.values())
            .filter_map(Value::as_u64)
            .sum();
        let good = report["statusCodeDistribution"]["200"]
            .as_u64()
            .unwrap_or(0);
        if all == 0 {
            bail!("the service answered nothing: {report}");
        }
        Ok(Seen {
            per_second: number("/summary/requestsPerSec")? * good as f64 / all as f64,
            p50: number("/latencyPercentiles/p50")?,
            p99: number("/latencyPercentiles/p99")?,
            p999: number("/latencyPercentiles/p99.9")?,
            answered: number("/summary/successRate")? * good as f64 / all as f64,
        })
    }
}
