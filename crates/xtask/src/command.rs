//! Running commands: into a log file, or in sight.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How much of a log is shown when its command fails.
const TAIL_LINES: usize = 40;

/// Runs a command with its output appended to a log file. The error ends with the log's tail.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let mut file = File::options().create(true).append(true).open(log)?;
    let start = file.seek(SeekFrom::End(0))?;
    let shown = describe(command);
    writeln!(file, "$ {shown}")?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = command
        .status()
        .with_context(|| format!("running {shown}"))?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read(log)?;
    let text = String::from_utf8_lossy(text.get(start as usize..).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    bail!(
        "{shown} failed ({status})\n{}\nthe whole log is in {}",
        tail.join("\n"),
        log.display()
    )
}

/// Runs a command that prints to this process's own outputs.
pub(crate) fn run_visible(command: &mut Command) -> Result<()> {
    let shown = describe(command);
    let status = command
        .status()
        .with_context(|| format!("running {shown}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{shown} failed ({status})")
    }
}

/// Runs a command and returns what it printed, without the last newline.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let shown = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("running {shown}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} failed ({})\n{}", output.status, stderr.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// Whether a command exists and ends well; nothing of it is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|word| word.to_string_lossy()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_tail_of_its_own_output_and_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        run_logged(Command::new("sh").args(["-c", "echo earlier"]), &log).unwrap();
        let script = "for i in $(seq 100); do echo line $i; done; echo at fault >&2; exit 3";
        let error = run_logged(Command::new("sh").args(["-c", script]), &log).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("exit status: 3") && text.contains("at fault"),
            "{text}"
        );
        assert!(
            text.contains("line 100") && !text.contains("line 50\n"),
            "{text}"
        );
        assert!(!text.contains("earlier"), "{text}");
        assert!(text.contains(&*log.to_string_lossy()), "{text}");
        assert!(
            fs::read_to_string(&log)
                .unwrap()
                .contains("earlier\n$ sh -c")
        );
    }

    #[test]
    fn output_of_a_failing_command_is_an_error_with_its_words() {
        let error = output_of(Command::new("sh").args(["-c", "echo why >&2; exit 1"])).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
        assert_eq!(
            output_of(Command::new("echo").arg("two words")).unwrap(),
            "two words"
        );
    }
}
