//! The build-time tool that turns a guest module into a snapshot and its manifest.
#![expect(
    clippy::print_stderr,
    reason = "a command line tool says on stderr what it did"
)]

use std::process::ExitCode;

use sandgate_sandbox::snapshot::{SnapshotOptions, snapshot};

const USAGE: &str =
    "usage: sandgate-snapshot --module IN.wasm --root DIR --out DIR --language LANGUAGE";

fn options(mut args: impl Iterator<Item = String>) -> Result<SnapshotOptions, String> {
    let (mut module, mut root, mut out, mut language) = (None, None, None, None);
    while let Some(flag) = args.next() {
        let slot = match flag.as_str() {
            "--module" => &mut module,
            "--root" => &mut root,
            "--out" => &mut out,
            "--language" => &mut language,
            _ => return Err(format!("unknown argument `{flag}`\n{USAGE}")),
        };
        *slot = Some(
            args.next()
                .ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?,
        );
    }
    let required =
        |value: Option<String>, flag| value.ok_or_else(|| format!("{flag} is missing\n{USAGE}"));
    Ok(SnapshotOptions {
        module: required(module, "--module")?.into(),
        root: required(root, "--root")?.into(),
        out: required(out, "--out")?.into(),
        language: required(language, "--language")?
            .parse()
            .map_err(|error| format!("{error}"))?,
    })
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(64);
        }
    };
    match snapshot(&options) {
        Ok(report) => {
            if !report.stderr.is_empty() {
                eprintln!("{}", report.stderr.trim_end());
            }
            if report.drew_entropy {
                eprintln!(
                    "warning: the guest drew entropy while it started: a generator may be frozen in the snapshot"
                );
            }
            eprintln!(
                "{}: {} KiB, memory {} KiB, {} modules",
                report.wasm.display(),
                report.wasm_bytes >> 10,
                report.memory_bytes >> 10,
                report.modules
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("no snapshot of {}: {error}", options.module.display());
            ExitCode::FAILURE
        }
    }
}
