//! `sandgate bench`.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::{DataDir, sandgate};
use crate::processes::Process;

/// A folder of snippets, and where the report of them goes.
struct Folder {
    data: DataDir,
}

impl Folder {
    fn with(snippets: &[(&str, &str)]) -> Self {
        let folder = Self {
            data: DataDir::new(),
        };
        std::fs::create_dir(folder.path("snippets")).unwrap();
        for (name, code) in snippets {
            std::fs::write(folder.path("snippets").join(name), code).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = sandgate();
        command
            .arg("bench")
            .arg(self.path("snippets"))
            .arg("--data-dir")
            .arg(self.data.path())
            .arg("--output")
            .arg(self.path("report"))
            .args(["--no-lambda", "--max-callers", "1"])
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    fn report(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("report").join(name)).unwrap()
    }

    fn figures(&self) -> Value {
        serde_json::from_str(&self.report("report.json")).unwrap()
    }
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How often the snippet `name` was timed on `path`.
fn count(figures: &Value, name: &str, path: &str) -> u64 {
    let snippets = figures["snippets"].as_array().unwrap();
    let snippet = snippets.iter().find(|snippet| snippet["name"] == name);
    let measured = snippet.unwrap()["measured"].as_array().unwrap();
    let path = measured.iter().find(|measured| measured["path"] == path);
    path.map_or(0, |path| path["latency"]["count"].as_u64().unwrap())
}

#[test]
fn snippets_are_measured_and_reported() {
    let folder = Folder::with(&[
        ("one.py", "print(1 + 1)"),
        ("two.js", "console.log(1 + 1)"),
        ("three.py", "raise ValueError('three')"),
    ]);
    let output = folder.command(&["--quick"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let figures = folder.figures();
    assert_eq!(figures["stopped"], false);
    for name in ["one.py", "two.js"] {
        for path in ["wasm_fresh", "wasm_cached"] {
            assert!(count(&figures, name, path) > 0, "{name} {path}: {figures}");
        }
    }
    // One that fails is not measured, and says why.
    assert_eq!(count(&figures, "three.py", "wasm_fresh"), 0);
    let printed = String::from_utf8_lossy(&output.stdout);
    let (markdown, page) = (folder.report("report.md"), folder.report("report.html"));
    assert!(printed.contains(&markdown), "{printed}");
    for text in [&markdown, &page] {
        assert!(text.contains("one.py") && text.contains("ValueError: three"));
    }
    assert!(page.contains("<svg"), "no chart");

    // The same figures, written again and compared with themselves.
    let json = folder.path("report").join("report.json");
    let again = sandgate()
        .arg("bench")
        .arg("--from")
        .arg(&json)
        .arg("--compare")
        .arg(&json)
        .arg("--output")
        .arg(folder.path("report"))
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", words(&again));
    assert_eq!(folder.figures(), figures);
    assert!(folder.report("compare.md").contains("one.py"));
}

#[test]
fn what_was_measured_is_kept_when_it_is_interrupted() {
    let folder = Folder::with(&[("one.py", "print(1 + 1)"), ("two.js", "console.log(1)")]);
    let command = folder.command(&["--rounds", "1000000"]);
    let mut bench = { command }
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Much more than it takes to start a worker: by then it has been measuring for a while.
    const TICKS: u64 = 100;
    let start = Instant::now();
    let process = Process(bench.id());
    while process.children().into_iter().all(|w| w.ticks() < TICKS) {
        assert!(
            start.elapsed() < Duration::from_secs(120) && bench.try_wait().unwrap().is_none(),
            "it does not begin"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    process.send(Signal::INT);
    let output = bench.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", words(&output));
    assert!(words(&output).contains("is kept"), "{}", words(&output));
    let figures = folder.figures();
    assert_eq!(figures["stopped"], true);
    for name in ["one.py", "two.js"] {
        let count = count(&figures, name, "wasm_fresh");
        assert!((1..1_000_000).contains(&count), "{name}: {count} runs");
    }
    assert!(folder.report("report.md").contains("not complete"));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let nothing = Folder::with(&[("notes.txt", "no snippet")]);
    let output = nothing.command(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", words(&output));
    assert!(words(&output).contains("snippets"), "{}", words(&output));
    assert!(!nothing.path("report").exists());

    let some = Folder::with(&[("one.py", "print(1)")]);
    for wrong in [
        &["--only", "absent"][..],
        &["--rounds", "0"],
        &["--compare", "/absent/report.json"],
    ] {
        let output = some.command(wrong).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(64),
            "{wrong:?}: {}",
            words(&output)
        );
        assert!(
            words(&output).contains(wrong[1]) || words(&output).contains(wrong[0]),
            "{wrong:?}: {}",
            words(&output)
        );
        assert!(!some.path("report").exists(), "{wrong:?}");
    }
}
