//! `cargo xtask test`: everything the tests need, the tests, and one summary of all of them.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::command;
use crate::console::{Console, elapsed};
use crate::guests;
use crate::lambda;
use crate::test_tools::TestTools;
use crate::workspace::{Profile, Workspace};

/// Builds guests and programs and runs all tests whose names contain one of the filters.
pub(crate) fn run(
    filters: &[String],
    workspace: &Workspace,
    console: &Console,
) -> Result<ExitCode> {
    let started = Instant::now();
    let cache = Cache::open()?;
    let guests = guests::Request::all(Profile::Dev);
    guests::build(&guests, workspace, &cache, console)?;
    let request = lambda::Request {
        profile: Profile::Dev,
        with_r: true,
    };
    lambda::build(request, workspace, &cache, console)?;
    let tools = TestTools::prepare(workspace, &cache, console)?;
    // Tests start the programs; `cargo test` builds only those of packages with tests of their own.
    command::run_visible(&mut workspace.cargo(&["build"], Profile::Dev, &["--bins"]))?;

    let mut command = workspace.cargo(
        &["test", "--no-fail-fast"],
        Profile::Dev,
        // Attacks are also run without the wall that they must fail at.
        &["--features", "sandgate-runner/lowered-walls", "--"],
    );
    tools.tell(&mut command).args(filters);
    // What the tests print goes through here: they cannot see for themselves.
    if io::stdout().is_terminal() {
        command.args(["--color", "always"]);
    }
    let (summary, success) = run_and_sum_up(&mut command, &mut io::stdout())?;
    console.line(&format!("\n{} in {}", summary.text(), elapsed(started)));
    for name in &summary.failed_names {
        console.line(&format!("  failed: {name}"));
    }
    if !success && summary.failed == 0 {
        console.line("cargo test failed before or between the tests: see above");
    }
    Ok(if success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs `cargo test` and passes on what it prints.
fn run_and_sum_up(command: &mut Command, shown: &mut dyn Write) -> Result<(Summary, bool)> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("running cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut summary = Summary::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        shown.write_all(&line)?;
        shown.write_all(b"\n")?;
        summary.read_line(&String::from_utf8_lossy(&line));
    }
    Ok((summary, child.wait()?.success()))
}

/// The results of all test programs together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    programs: usize,
    passed: usize,
    failed: usize,
    ignored: usize,
    failed_names: Vec<String>,
}

impl Summary {
    fn text(&self) -> String {
        let Self {
            programs,
            passed,
            failed,
            ignored,
            ..
        } = self;
        format!("{passed} tests passed, {failed} failed, {ignored} ignored, in {programs} programs")
    }

    fn read_line(&mut self, line: &str) {
        let line = without_colours(line);
        if let Some(result) = line.strip_prefix("test result: ") {
            self.programs += 1;
            for part in result.split([';', '.']) {
                let mut words = part.split_whitespace();
                let Some(count) = words.next().and_then(|word| word.parse::<usize>().ok()) else {
                    continue;
                };
                match words.next() {
                    Some("passed") => self.passed += count,
                    Some("failed") => self.failed += count,
                    Some("ignored") => self.ignored += count,
                    Some(_) | None => {}
                }
            }
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failed_names.push(name.to_owned());
        }
    }
}

/// The line without terminal escapes of the form `ESC [ … m`, and without trailing blanks.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // `ESC ( B` is what some terminals add to a reset.
        let rest = part
            .strip_prefix("(B")
            .or_else(|| part.split_once('m').map(|(_, rest)| rest));
        text.push_str(rest.unwrap_or_default());
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_add_up() {
        let mut summary = Summary::default();
        for line in [
            "running 3 tests",
            "test recipe::a_good_one ... ok",
            "test recipe::a_bad_one ... \u{1b}[31mFAILED\u{1b}(B\u{1b}[m",
            "test recipe::a_slow_one ... ignored",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; \
             finished in 0.12s",
            "test result: \u{1b}[32mok\u{1b}[0m. 20 passed; 0 failed; 0 ignored; 0 measured; \
             3 filtered out; finished in 1.50s",
        ] {
            summary.read_line(line);
        }
        let expected = Summary {
            programs: 2,
            passed: 21,
            failed: 1,
            ignored: 1,
            failed_names: vec!["recipe::a_bad_one".to_owned()],
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn a_failing_program_is_a_failure_and_its_output_is_passed_on() {
        let script = "echo 'test a ... FAILED'; \
                      echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored'; exit 101";
        let mut shown = Vec::new();
        let mut command = Command::new("sh");
        let (summary, success) = run_and_sum_up(command.args(["-c", script]), &mut shown).unwrap();
        assert!(!success);
        assert!(shown.starts_with(b"test a ... FAILED\ntest result"));
        assert_eq!(summary.failed_names, ["a"]);
    }
}
