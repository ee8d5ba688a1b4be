//! `cargo xtask bench`: the goals, single parts, and the report, with all that they need.

mod peers;

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::command;
use crate::console::{Console, elapsed};
use crate::guests::{self, Built};
use crate::lambda;
use crate::service;
use crate::system;
use crate::workspace::{Profile, Workspace};

/// The load generator, and the compiler of the native QuickJS.
const TOOLS: &[&str] = &["wrk", "cc"];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The project's goals, and what is reached.
    Goals,
    /// Single parts, by criterion.
    Parts,
    /// Snippets in the sandbox, on Lambda and elsewhere: `sandgate bench`.
    Report,
}

impl Part {
    /// As they are named on the command line. The report is last: it shows what the goals came to.
    pub(crate) const NAMES: [(&'static str, Self); 3] = [
        ("goals", Self::Goals),
        ("parts", Self::Parts),
        ("report", Self::Report),
    ];
}

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// In their order; the goals and the report where none is named.
    pub(crate) parts: Vec<Part>,
    /// A first look.
    pub(crate) quick: bool,
    /// For the one part that is named.
    pub(crate) arguments: Vec<OsString>,
}

impl Request {
    /// From names of parts.
    pub(crate) fn new(names: &[String], quick: bool, arguments: Vec<OsString>) -> Result<Self> {
        let known = |name: &String| Part::NAMES.iter().find(|(known, _)| known == name);
        let mut parts = Vec::new();
        for name in names {
            let (_, part) = known(name).with_context(|| {
                format!("there is no part {name:?}; there are goals, parts and report")
            })?;
            parts.push(*part);
        }
        if !arguments.is_empty() && parts.len() != 1 {
            bail!(
                "arguments are for one part: name it, as in `cargo xtask bench report -- --only hello`"
            );
        }
        if parts.is_empty() {
            parts = vec![Part::Goals, Part::Report];
        }
        parts.sort_unstable();
        parts.dedup();
        Ok(Self {
            parts,
            quick,
            arguments,
        })
    }

    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

/// Builds all that is measured, and measures it.
pub(crate) fn run(request: &Request, workspace: &Workspace, console: &Console) -> Result<ExitCode> {
    let started = Instant::now();
    let cache = Cache::open()?;
    let guests = guests::Request {
        all_steps: true,
        ..guests::Request::all(Profile::Release)
    };
    let built = guests::build(&guests, workspace, &cache, console)?;
    if request.has(Part::Report) {
        lambda::build_if_possible(workspace, &cache, console);
    }
    let program = service::build(workspace)?;
    let folder = workspace.path("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("creating {folder:?}"))?;
    let bench = Bench {
        request,
        workspace,
        cache: &cache,
        console,
        built: &built,
        program: &program,
        folder: &folder,
    };
    console.line(&format!("everything is built ({})", elapsed(started)));
    for part in &request.parts {
        match part {
            Part::Goals => bench.goals()?,
            Part::Parts => bench.parts()?,
            Part::Report => return bench.report(),
        }
    }
    Ok(ExitCode::SUCCESS)
}

struct Bench<'a> {
    request: &'a Request,
    workspace: &'a Workspace,
    cache: &'a Cache,
    console: &'a Console,
    built: &'a Built,
    program: &'a Path,
    folder: &'a Path,
}

impl Bench<'_> {
    /// Where the goals are written to, and read from by the report.
    fn goals_file(&self) -> PathBuf {
        self.folder.join("goals.json")
    }

    fn goals(&self) -> Result<()> {
        system::require_tools(TOOLS.iter().copied(), self.console)?;
        let mut command =
            self.workspace
                .cargo(&["bench", "--bench", "goals"], Profile::Dev, &["--"]);
        if self.request.quick {
            command.arg("--quick");
        }
        command
            .args(&self.request.arguments)
            .env("SANDGATE_BENCH_GOALS", self.goals_file());
        let (workspace, cache, console) = (self.workspace, self.cache, self.console);
        let peers = [
            ("SANDGATE_BENCH_PYTHON", peers::native_python(self.built)),
            (
                "SANDGATE_BENCH_QUICKJS",
                peers::native_quickjs(workspace, cache, console),
            ),
            (
                "SANDGATE_BENCH_PYERYX",
                peers::python_packages(self.built, workspace, cache, console),
            ),
        ];
        for (variable, peer) in peers {
            match peer {
                Ok(program) => {
                    command.env(variable, program);
                }
                // The benchmarks say which comparisons they leave out.
                Err(error) => console.line(&format!("no {variable}: {error:#}")),
            }
        }
        command::run_visible(&mut command)
    }

    fn parts(&self) -> Result<()> {
        let benches = ["analysis", "router", "sandbox", "store"];
        let mut command = Vec::from(["bench"]);
        command.extend(benches.iter().flat_map(|bench| ["--bench", bench]));
        let mut command = self.workspace.cargo(&command, Profile::Dev, &["--"]);
        if self.request.quick {
            command.args(["--warm-up-time", "0.5", "--measurement-time", "1"]);
        }
        command::run_visible(command.args(&self.request.arguments))
    }

    /// Becomes `sandgate bench`: Ctrl+C reaches it directly, so that it can keep what was measured.
    fn report(&self) -> Result<ExitCode> {
        let (cache, console) = (self.cache, self.console);
        let mut command = Command::new(self.program);
        command
            .current_dir(self.workspace.root())
            .args(["bench", "--peers", "--guests"])
            .arg(self.workspace.guests())
            .arg("--data-dir")
            .arg(self.folder.join("data"));
        if !service::has_option(&self.request.arguments, "--output") {
            command.arg("--output").arg(self.folder.join("report"));
        }
        if self.request.has(Part::Goals) || self.goals_file().exists() {
            command.arg("--goals").arg(self.goals_file());
        }
        if self.request.quick {
            command.arg("--quick");
        }
        // Each peer that is missing is said in the report as well.
        if let Err(error) = system::require_tools(["bwrap"], console) {
            console.line(&format!("no bubblewrap: {error:#}"));
        }
        match peers::python_packages(self.built, self.workspace, cache, console) {
            Ok(python) => {
                command.arg("--peer-python").arg(python);
            }
            Err(error) => console.line(&format!("no pyeryx and pydantic-monty: {error:#}")),
        }
        match peers::node_modules(cache, console) {
            Ok(modules) => {
                command.arg("--peer-modules").arg(modules);
            }
            Err(error) => console.line(&format!("no Pyodide and quickjs-emscripten: {error:#}")),
        }
        match peers::path_with_node(cache, console) {
            Ok(path) => {
                command.env("PATH", path);
            }
            Err(error) => console.line(&format!("no node: {error:#}")),
        }
        command.args(&self.request.arguments);
        Err(command.exec()).context("starting sandgate bench")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(names: &[&str], arguments: &[&str]) -> Result<Request> {
        let names: Vec<_> = names.iter().copied().map(str::to_owned).collect();
        let arguments = arguments.iter().map(OsString::from).collect();
        Request::new(&names, false, arguments)
    }

    #[test]
    fn the_report_comes_last_and_without_a_name_all_but_the_single_parts() {
        let parts = |names: &[&str]| request(names, &[]).unwrap().parts;
        assert_eq!(parts(&[]), [Part::Goals, Part::Report]);
        assert_eq!(
            parts(&["report", "goals", "report"]),
            [Part::Goals, Part::Report]
        );
        assert_eq!(parts(&["parts"]), [Part::Parts]);
        let error = request(&["all"], &[]).unwrap_err().to_string();
        assert!(error.contains("goals, parts and report"), "{error}");
    }

    #[test]
    fn arguments_are_for_one_part() {
        request(&["report"], &["--only", "hello"]).unwrap();
        request(&[], &["--only"]).unwrap_err();
        request(&["goals", "report"], &["--only"]).unwrap_err();
    }
}
