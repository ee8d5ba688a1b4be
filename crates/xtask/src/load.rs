//! `cargo xtask load`: the service under load, by a load generator on the same machine.
//!
//! Two kinds of load. Closed: so many connections, each with one request under way, which shows
//! what the service can do. Open: requests come at a fixed rate whether or not earlier ones are
//! answered, and each is timed from when it should have been sent, which shows what callers see
//! (no coordinated omission).

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cache::Cache;
use crate::cargo_tool::CargoTool;
use crate::console::Console;
use crate::guests;
use crate::service;
use crate::workspace::{Profile, Workspace};

const GENERATOR: CargoTool = CargoTool {
    name: "oha",
    version: "1.16.0",
    optimised: true,
};

/// Connections of the closed loads.
const CONNECTIONS: [u32; 5] = [1, 8, 64, 256, 1_000];

/// How many may wait in the service: more than there are connections.
const QUEUE: &str = "2048";

/// Shares of what the service can do, for the open loads, in per cent.
const SHARES: [u32; 3] = [25, 50, 80];

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

/// What to load, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// A first look.
    pub(crate) quick: bool,
    /// A service that runs already, as `http://host:port`; one is built and started without.
    pub(crate) url: Option<String>,
}

/// Loads the service; prints tables in Markdown, and keeps them in `target/bench`.
pub(crate) fn run(request: &Request, workspace: &Workspace, console: &Console) -> Result<ExitCode> {
    let cache = Cache::open()?;
    let generator = console.with_progress(|| GENERATOR.prepare(&cache, console))?;
    let scratch = tempfile::tempdir().context("making a folder for the service")?;
    let mut running = None;
    let base = match &request.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let guests = guests::Request::all(Profile::Release);
            guests::build(&guests, workspace, &cache, console)?;
            let program = service::build(workspace)?;
            let started = running.insert(Service::start(&program, workspace, scratch.path())?);
            format!("http://{}", started.address)
        }
    };
    let load = Load {
        generator,
        url: format!("{base}/v1/execute"),
        bodies: scratch.path().join("bodies"),
        seconds: if request.quick { 2 } else { 10 },
    };
    let loads = (MIXES.len() * (CONNECTIONS.len() + SHARES.len())) as u32;
    console.line(&format!(
        "{loads} loads of {} s each, some {} minutes",
        load.seconds,
        (loads * (load.seconds + 1)).div_ceil(60)
    ));
    let mut rows = Vec::new();
    for mix in &MIXES {
        load.mix(mix, console, &mut rows)?;
    }
    drop(running);
    let folder = workspace.path("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("creating {folder:?}"))?;
    let markdown = render(&rows);
    let json = Value::from_iter(rows.iter().map(Row::json));
    for (name, text) in [
        ("load.md", &markdown),
        ("load.json", &format!("{json:#}\n")),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing {path:?}"))?;
    }
    console.line(&markdown);
    console.line(&format!(
        "written to {0}/load.md and {0}/load.json",
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// How requests come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// So many connections, each with one request under way.
    Closed(u32),
    /// So many a second, whatever becomes of them: a share of the most in per cent, and the rate.
    Open(u32, f64),
}

/// A load, and what its callers saw.
#[derive(Debug)]
struct Row {
    snippets: &'static str,
    kind: Kind,
    seen: Seen,
}

impl Row {
    fn json(&self) -> Value {
        let seen = &self.seen;
        let (connections, share, offered) = match self.kind {
            Kind::Closed(connections) => (Some(connections), None, None),
            Kind::Open(share, rate) => (None, Some(share), Some(rate)),
        };
        json!({
            "snippets": self.snippets,
            "load": if connections.is_some() { "closed" } else { "open" },
            "connections": connections,
            "share_percent": share,
            "offered_per_second": offered,
            "per_second": seen.per_second,
            "p50_ms": seen.p50 * 1e3,
            "p99_ms": seen.p99 * 1e3,
            "p999_ms": seen.p999 * 1e3,
            "answered": seen.answered,
        })
    }
}

/// The tables in Markdown.
fn render(rows: &[Row]) -> String {
    let mut closed = table(
        "connections | requests a second | p50 | p99 | p99.9 | answered",
        6,
    );
    let mut open = closed.replace("connections | requests", "offered | requests");
    for row in rows {
        let (table, what) = match row.kind {
            Kind::Closed(connections) => (&mut closed, connections.to_string()),
            Kind::Open(share, rate) => (&mut open, format!("{rate:.0} ({share} %)")),
        };
        let seen = &row.seen;
        let _ = writeln!(
            table,
            "| {} | {what} | {:.0} | {} | {:.1} % |",
            row.snippets,
            seen.per_second,
            seen.times(),
            seen.answered * 100.0
        );
    }
    format!(
        "## Closed load\n\nSo many connections, each with one request under way. What is refused is \
         not counted as a request, but its time is in the percentiles.\n\n{closed}\n\
         ## Open load\n\nAt a share of the most that the closed load reached, timed from when each \
         request was due.\n\n{open}"
    )
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
    fn start(program: &Path, workspace: &Workspace, folder: &Path) -> Result<Self> {
        // Free now; nobody else on this machine is likely to take it in the next milliseconds.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(program)
            .args(["serve", "--listen", &address, "--guests"])
            .arg(workspace.guests())
            .arg("--data-dir")
            .arg(folder.join("data"))
            .env("SANDGATE_LOG_FILTER", "warn")
            // The load is the sandbox's; a local Lambda would take its share of the CPU.
            .env("SANDGATE_LOCAL_CLOUD_ENABLED", "never")
            // Room for every caller: what is to be seen is how long they wait. By default the
            // service refuses earlier, and they would come again at once.
            .env("SANDGATE_SANDBOX_QUEUE", QUEUE)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("starting the service")?;
        let service = Self { child, address };
        let started = Instant::now();
        while !service::answers(&service.address) {
            if started.elapsed() > service::START_LIMIT {
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
#[derive(Debug)]
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

    /// All loads of a mix.
    fn mix(&self, mix: &Mix, console: &Console, rows: &mut Vec<Row>) -> Result<()> {
        self.write_bodies(mix)?;
        // The first requests of a kind meet a service that has not run it yet.
        self.run(1, &["-c", "8"])?;
        let mut most = 0.0_f64;
        for connections in CONNECTIONS {
            let seen = self.run(self.seconds, &["-c", &connections.to_string()])?;
            most = most.max(seen.per_second);
            console.line(&format!(
                "{}, {connections} connections: {:.0}/s",
                mix.name, seen.per_second
            ));
            rows.push(Row {
                snippets: mix.name,
                kind: Kind::Closed(connections),
                seen,
            });
        }
        for share in SHARES {
            let rate = (most * f64::from(share) / 100.0).round().max(1.0);
            let offered = format!("{rate:.0}");
            let how = ["-c", "256", "-q", &offered, "--latency-correction"];
            let seen = self.run(self.seconds, &how)?;
            console.line(&format!(
                "{}, {offered}/s offered: p99 {:.1} ms",
                mix.name,
                seen.p99 * 1e3
            ));
            rows.push(Row {
                snippets: mix.name,
                kind: Kind::Open(share, rate),
                seen,
            });
        }
        Ok(())
    }

    /// Runs the load generator; it is ended where it does not end by itself.
    fn run(&self, seconds: u32, how: &[&str]) -> Result<Seen> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let mut child = Command::new(&self.generator)
            .args(["--no-tui", "--output-format", "json", "--method", "POST"])
            .args(["-H", "content-type: application/json", "-z"])
            .arg(format!("{seconds}s"))
            .args(how)
            .arg("-Z")
            .arg(&self.bodies)
            .arg(&self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the load generator")?;
        let stdout = child.stdout.take();
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.map(|mut stdout| stdout.read_to_string(&mut text));
            text
        });
        let limit = Duration::from_secs(seconds.into()) + PATIENCE;
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if started.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                bail!("the load generator still ran after {} s", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let text = output.join().unwrap_or_default();
        if !status.success() {
            bail!("the load generator ended with {status}");
        }
        Seen::read(&text)
    }
}

impl Seen {
    /// Reads what the load generator reports.
    fn read(text: &str) -> Result<Self> {
        let report: Value =
            serde_json::from_str(text).context("reading the load generator's report")?;
        let statuses = report["statusCodeDistribution"].as_object();
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let all: u64 = statuses
            .iter()
            .flat_map(|found| found.values())
            .map(count)
            .sum();
        let good = count(&report["statusCodeDistribution"]["200"]);
        if good == 0 {
            bail!("no request was answered with a success: {report}");
        }
        // What the end of the time cut off was no failure of the service's.
        let failed: u64 = report["errorDistribution"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(why, _)| !why.contains("deadline"))
            .map(|(_, times)| count(times))
            .sum();
        let number = |path: &str| {
            let found = report.pointer(path).and_then(Value::as_f64);
            found.with_context(|| format!("the load generator's report has no {path}"))
        };
        Ok(Self {
            per_second: good as f64 / number("/summary/total")?,
            p50: number("/latencyPercentiles/p50")?,
            p99: number("/latencyPercentiles/p99")?,
            p999: number("/latencyPercentiles/p99.9")?,
            answered: good as f64 / (all + failed) as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{
        "summary": {"total": 2.0, "requestsPerSec": 55.0, "successRate": 1.0},
        "latencyPercentiles": {"p50": 0.001, "p99": 0.01, "p99.9": 0.02},
        "statusCodeDistribution": {"200": 90, "503": 5},
        "errorDistribution": {"aborted due to deadline": 8, "connection refused": 5}
    }"#;

    #[test]
    fn only_successes_count_and_the_end_of_the_time_is_no_failure() {
        let seen = Seen::read(REPORT).unwrap();
        assert_eq!((seen.per_second, seen.answered), (45.0, 0.9));
        assert_eq!(seen.times(), "1.00 ms | 10.00 ms | 20.00 ms");
        let error = Seen::read(&REPORT.replace("\"200\"", "\"500\"")).unwrap_err();
        assert!(
            error.to_string().contains("no request was answered"),
            "{error}"
        );
        Seen::read("{}").unwrap_err();
    }

    #[test]
    fn a_share_of_the_requests_may_come_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let load = Load {
            generator: PathBuf::new(),
            url: String::new(),
            bodies: folder.path().join("bodies"),
            seconds: 1,
        };
        for mix in &MIXES {
            load.write_bodies(mix).unwrap();
            let text = fs::read_to_string(&load.bodies).unwrap();
            let bodies: Vec<Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let count = |field: &str, value: &str| {
                bodies.iter().filter(|body| body[field] == value).count()
            };
            assert_eq!(
                (bodies.len(), count("cache", "auto")),
                (100, mix.hits as usize)
            );
            let each = 100 / mix.snippets.len();
            for (language, _) in mix.snippets {
                assert_eq!(count("language", language), each, "{}", mix.name);
            }
        }
    }

    #[test]
    fn the_tables_have_a_row_for_each_load() {
        let row = |kind| Row {
            snippets: "a mix",
            kind,
            seen: Seen::read(REPORT).unwrap(),
        };
        let rows = [row(Kind::Closed(64)), row(Kind::Open(50, 1_000.0))];
        let text = render(&rows);
        assert!(text.contains("| a mix | 64 | 45 | 1.00 ms |"), "{text}");
        assert!(text.contains("| a mix | 1000 (50 %) | 45 |"), "{text}");
        assert_eq!(rows[1].json()["share_percent"], 50);
        assert_eq!(rows[0].json()["offered_per_second"], Value::Null);
    }
}
