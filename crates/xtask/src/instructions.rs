//! `cargo xtask instructions`: how many instructions the router's parts take, beside what they took
//! when that was last written down.

use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::command;
use crate::console::Console;
use crate::system;
use crate::workspace::{Profile, Workspace};

/// What is counted, and the function within which it is: `benches/instructions.rs`.
const BENCHMARK: &str = "instructions";
const COUNTED: &str = "*counted_instructions*";
/// Tables with random seeds, and work done now and then, differ from round to round.
const ROUNDS: u64 = 50;

/// The packages that are counted, and how they are compiled for it: as for a release. All others
/// are taken as the tests have them, optimised as well, so that CI compiles nothing large again.
const PACKAGES: &[&str] = &["sandgate", "sandgate-core", "sandgate-workspace"];
const SETTINGS: &[&str] = &[
    "opt-level=3",
    // Otherwise what is inlined depends on where the compiler divides the crate.
    "codegen-units=1",
    "debug=false",
    "debug-assertions=false",
    "overflow-checks=false",
];

const BASELINE: &str = "benches/instructions.json";
/// The same code differs by less than 1 % from run to run.
const NOTABLE_PERCENT: f64 = 2.0;

/// Counts, and compares with the baseline or, with `save`, makes what it counted the baseline.
pub(crate) fn run(save: bool, workspace: &Workspace, console: &Console) -> Result<ExitCode> {
    system::require_tools(["valgrind"], console)?;
    let program = console.task("instructions: build", || build(workspace))?;
    let now = console.task("instructions: count", || Counts::take(&program))?;
    let file = workspace.path(BASELINE);
    if save {
        fs::write(&file, now.to_text()?).with_context(|| format!("writing {file:?}"))?;
    }
    let before = if file.exists() {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {file:?}"))?;
        Counts::from_text(&text).with_context(|| format!("in {BASELINE}"))?
    } else {
        console.line(&format!(
            "there is no {BASELINE}: `cargo xtask instructions --save` makes it"
        ));
        Counts::default()
    };
    for line in report(&before, &now) {
        console.line(&line);
    }
    Ok(ExitCode::SUCCESS)
}

/// Compiles the benchmark; the program.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(
        &[
            "build",
            "--quiet",
            "--message-format",
            "json-render-diagnostics",
        ],
        Profile::Dev,
        &["--bench", BENCHMARK],
    );
    for package in PACKAGES {
        for setting in SETTINGS {
            cargo.args([
                "--config",
                &format!("profile.dev.package.{package}.{setting}"),
            ]);
        }
    }
    // It would divide the crates.
    cargo.env("CARGO_INCREMENTAL", "0");
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo build")?;
    if !output.status.success() {
        bail!("cargo build failed ({}): see above", output.status);
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .context("cargo build did not say where the benchmark is")
}

/// The benchmark's program, by cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == BENCHMARK)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Instructions by benchmark, and by what they were made and counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    architecture: String,
    compiler: String,
    valgrind: String,
    instructions: BTreeMap<String, u64>,
}

impl Counts {
    fn take(program: &Path) -> Result<Self> {
        let names = command::output_of(Command::new(program).arg("list"))?;
        let folder = tempfile::tempdir()?;
        let mut instructions = BTreeMap::new();
        for name in names.lines() {
            let count = count(program, name, &folder.path().join("counts"))
                .with_context(|| format!("counting {name}"))?;
            instructions.insert(name.to_owned(), count);
        }
        Ok(Self {
            architecture: ARCH.to_owned(),
            compiler: command::output_of(Command::new("rustc").arg("--version"))?,
            valgrind: command::output_of(Command::new("valgrind").arg("--version"))?,
            instructions,
        })
    }

    fn to_text(&self) -> Result<String> {
        let value = json!({
            "architecture": self.architecture,
            "compiler": self.compiler,
            "valgrind": self.valgrind,
            "instructions": self.instructions,
        });
        Ok(serde_json::to_string_pretty(&value)? + "\n")
    }

    fn from_text(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let field = |name: &str| {
            let text = value[name].as_str().map(str::to_owned);
            text.with_context(|| format!("`{name}` must be a string"))
        };
        let instructions = value["instructions"]
            .as_object()
            .context("`instructions` must be an object")?
            .iter()
            .map(|(name, count)| Some((name.clone(), count.as_u64()?)))
            .collect::<Option<_>>()
            .context("`instructions` must hold whole numbers")?;
        Ok(Self {
            architecture: field("architecture")?,
            compiler: field("compiler")?,
            valgrind: field("valgrind")?,
            instructions,
        })
    }
}

/// The instructions of one round of a benchmark.
fn count(program: &Path, name: &str, file: &Path) -> Result<u64> {
    let valgrind = system::find("valgrind").context("valgrind is missing")?;
    let mut command = Command::new(valgrind);
    command
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["count", name, &ROUNDS.to_string()])
        // What is in the environment moves the stack.
        .env_clear();
    command::output_of(&mut command)?;
    let text = fs::read_to_string(file).context("reading what callgrind wrote")?;
    match summary(&text) {
        Some(0) | None => bail!("callgrind did not meet the function that is to be counted"),
        Some(instructions) => Ok(instructions / ROUNDS),
    }
}

/// The sum of a file of callgrind's.
fn summary(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("summary:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The table, and what there is to know about it.
fn report(before: &Counts, now: &Counts) -> Vec<String> {
    let comparable = before.architecture == now.architecture;
    let nothing = BTreeMap::new();
    let old = if comparable {
        &before.instructions
    } else {
        &nothing
    };
    let names: BTreeSet<&String> = old.keys().chain(now.instructions.keys()).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut lines = vec![format!(
        "\n{:width$}  {:>12}  {:>12}  {:>8}",
        "instructions", "baseline", "now", "change"
    )];
    let mut more = false;
    for name in names {
        let (was, is) = (old.get(name), now.instructions.get(name));
        let number = |count: Option<&u64>| count.map_or_else(|| "-".to_owned(), u64::to_string);
        let (change, mark) = match (was, is) {
            (Some(was), Some(is)) => {
                let percent = (*is as f64 / (*was).max(1) as f64 - 1.0) * 100.0;
                let mark = if percent > NOTABLE_PERCENT {
                    more = true;
                    "  MORE"
                } else if percent < -NOTABLE_PERCENT {
                    "  less"
                } else {
                    ""
                };
                (format!("{percent:+.1} %"), mark)
            }
            (None, _) => (String::new(), "  new"),
            (Some(_), None) => (String::new(), "  gone"),
        };
        let line = format!(
            "{name:width$}  {:>12}  {:>12}  {change:>8}{mark}",
            number(was),
            number(is)
        );
        lines.push(line.trim_end().to_owned());
    }
    if !before.architecture.is_empty() && !comparable {
        lines.push(format!(
            "the baseline is of {}, this is {}: nothing to compare with",
            before.architecture, now.architecture
        ));
    } else if comparable {
        for (was, is) in [
            (&before.compiler, &now.compiler),
            (&before.valgrind, &now.valgrind),
        ] {
            if was != is {
                lines.push(format!(
                    "the baseline is of {was}, this is {is}: differences may come from there"
                ));
            }
        }
        lines.push(if more {
            format!(
                "what is marked MORE takes over {NOTABLE_PERCENT} % more than the baseline; where \
                 that is meant, `cargo xtask instructions --save` writes it down"
            )
        } else {
            format!("nothing takes over {NOTABLE_PERCENT} % more than the baseline")
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: &[(&str, u64)]) -> Counts {
        Counts {
            architecture: "x86_64".to_owned(),
            compiler: "rustc 1".to_owned(),
            valgrind: "valgrind-3".to_owned(),
            instructions: instructions
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
        }
    }

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let written = counts(&[("key", 33_493), ("plan/new code", 1_489_322)]);
        assert_eq!(
            Counts::from_text(&written.to_text().unwrap()).unwrap(),
            written
        );
        let text = written.to_text().unwrap().replace("33493", "-1");
        let error = Counts::from_text(&text).unwrap_err();
        assert_eq!(error.to_string(), "`instructions` must hold whole numbers");
    }

    #[test]
    fn only_notable_changes_are_marked() {
        let before = counts(&[("a", 1_000), ("b", 1_000), ("c", 1_000), ("d", 5)]);
        let now = counts(&[("a", 1_019), ("b", 1_021), ("c", 900), ("e", 7)]);
        let lines = report(&before, &now);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = lines.iter().map(|line| words(line)).collect();
        assert_eq!(
            lines,
            [
                "instructions baseline now change",
                "a 1000 1019 +1.9 %",
                "b 1000 1021 +2.1 % MORE",
                "c 1000 900 -10.0 % less",
                "d 5 - gone",
                "e - 7 new",
                "what is marked MORE takes over 2 % more than the baseline; where that is meant, \
                 `cargo xtask instructions --save` writes it down",
            ]
        );
    }

    #[test]
    fn another_architecture_is_not_compared_and_another_compiler_is_named() {
        let before = counts(&[("a", 1_000)]);
        let mut now = counts(&[("a", 2_000)]);
        now.compiler = "rustc 2".to_owned();
        let lines = report(&before, &now).join("\n");
        assert!(lines.contains("MORE"), "{lines}");
        assert!(lines.contains("of rustc 1, this is rustc 2"), "{lines}");
        now.architecture = "aarch64".to_owned();
        let lines = report(&before, &now).join("\n");
        assert!(!lines.contains("MORE"), "{lines}");
        assert!(lines.contains("of x86_64, this is aarch64"), "{lines}");
    }

    #[test]
    fn the_sum_is_found_in_what_callgrind_writes() {
        let text = "version: 1\nevents: Ir\n\nfn=(1) main\n16 400\n\nsummary: 12345\n";
        assert_eq!(summary(text), Some(12_345));
        assert_eq!(summary("version: 1\n"), None);
    }

    #[test]
    fn the_program_is_found_in_cargo_s_messages() {
        let messages = r#"
            {"reason":"compiler-artifact","target":{"name":"sandgate"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"instructions"},"executable":"/t/i-1"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/i-1")));
        assert_eq!(executable(r#"{"reason":"build-finished"}"#), None);
    }
}
