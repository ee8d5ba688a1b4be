//! The guests' own cases, run in the sandbox.
//!
//! A case is a snippet in `wasm-runtimes/<guest>/tests/cases`, with what the language's reference
//! implementation (CPython, Node) does with it beside it: `.out` is its standard output, `.err`
//! its standard error, `.code` its exit code. Where one of the three is missing it must be empty,
//! or 0.

use std::path::{Path, PathBuf};

use sandgate_core::Language;

use crate::harness::{Snippet, in_both_modes};

struct Case {
    code: String,
    stdout: String,
    stderr: String,
    exit_code: u8,
    path: PathBuf,
}

impl Case {
    fn read(path: PathBuf) -> Self {
        let beside = |extension| std::fs::read_to_string(path.with_extension(extension));
        Self {
            code: std::fs::read_to_string(&path).unwrap(),
            stdout: beside("out").unwrap_or_default(),
            // The sandbox names every snippet as a script; the reference ran a file.
            stderr: beside("err")
                .unwrap_or_default()
                .replace("main.mjs", "main.js"),
            exit_code: beside("code").map_or(0, |code| code.trim().parse().unwrap()),
            path,
        }
    }

    /// The cases of `guest`, whose snippets have one of `extensions`.
    fn all(guest: &str, extensions: &[&str]) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("wasm-runtimes")
            .join(guest)
            .join("tests/cases");
        let mut paths: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                let extension = path.extension().and_then(|extension| extension.to_str());
                extension.is_some_and(|extension| extensions.contains(&extension))
            })
            .collect();
        paths.sort();
        assert!(!paths.is_empty(), "no cases in {}", folder.display());
        paths.into_iter().map(Self::read).collect()
    }
}

/// What differs between `expected` and `found`, from the first line that does.
fn difference(what: &str, expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let same = expected
        .lines()
        .zip(found.lines())
        .take_while(|(a, b)| a == b)
        .count();
    let from = |text: &str| {
        text.lines()
            .skip(same)
            .take(5)
            .collect::<Vec<_>>()
            .join("\n")
    };
    Some(format!(
        "{what} differs from line {}:\n--- expected\n{}\n--- found\n{}\n",
        same + 1,
        from(expected),
        from(found)
    ))
}

/// Runs `cases` and names every one that does something else than the reference.
fn run(language: Language, cases: &[Case]) {
    in_both_modes(async |mode, executor| {
        let mut wrong = Vec::new();
        for case in cases {
            let report = Snippet::new(language, &case.code).on(&*executor).await;
            let code = format!("{:?}", report.outcome.exit_code);
            let differences: Vec<_> = [
                difference("stdout", &case.stdout, &report.stdout()),
                difference("stderr", &case.stderr, &report.stderr()),
                difference("exit code", &format!("{:?}", Some(case.exit_code)), &code),
            ]
            .into_iter()
            .flatten()
            .collect();
            if !differences.is_empty() {
                wrong.push(format!("{}: {}", case.path.display(), differences.join("")));
            }
        }
        assert!(
            wrong.is_empty(),
            "{mode:?}: {} of {} cases are wrong\n{}",
            wrong.len(),
            cases.len(),
            wrong.join("\n")
        );
    });
}

#[test]
fn python_does_as_cpython_does() {
    run(Language::Python, &Case::all("python", &["py"]));
}

#[test]
fn javascript_does_as_node_does() {
    run(
        Language::JavaScript,
        &Case::all("javascript", &["js", "mjs"]),
    );
}
