//! How an execution begins, what is refused, and how the caller ends it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{CancellationToken, ErrorKind, Language, Limits, Status};
use tokio::task::JoinSet;

use crate::harness::{Builder, Mode, Snippet, Stalls, block_on, in_both_modes};

#[test]
fn input_reaches_the_snippet() {
    in_both_modes(async |_, executor| {
        Snippet::python("import sys, os; print(input(), sys.stdin.read(), sys.argv[1:], os.environ['NAME'], open('data/in.txt').read())")
            .stdin("first\nrest")
            .args(&["a b", "ü", ""])
            .env("NAME", "v=1")
            .file("data/in.txt", "content")
            .on(&*executor)
            .await
            .assert_prints("first rest ['a b', 'ü', ''] v=1 content\n");
        Snippet::javascript("console.log(require('fs').readFileSync(0, 'utf8'), process.argv.slice(2), process.env.NAME, require('fs').readFileSync('data/in.txt', 'utf8'))")
            .stdin("all of it")
            .args(&["a b", "ü", ""])
            .env("NAME", "v=1")
            .file("data/in.txt", "content")
            .on(&*executor)
            .await
            .assert_prints("all of it [ 'a b', 'ü', '' ] v=1 content\n");
    });
}

#[test]
fn a_language_without_a_guest_is_unsupported() {
    in_both_modes(async |_, executor| {
        let error = Snippet::new(Language::R, "print(1)")
            .started(&*executor)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
    });
}

#[test]
fn more_than_the_queue_holds_is_refused() {
    block_on(async {
        for mode in Mode::BOTH {
            let executor = Builder::new(mode).queue(2).start().await;
            // Runs until all others have been told, however long that takes.
            let cancel = CancellationToken::new();
            let first = tokio::spawn({
                let (executor, cancel) = (Arc::clone(&executor), cancel.clone());
                let snippet = Snippet::python("import time; time.sleep(1000)");
                let snippet = snippet.limits(|limits| limits.timeout_ms = 100_000);
                async move { snippet.cancelled_by(&*executor, cancel).await }
            });
            while executor.status().running == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let mut others = JoinSet::new();
            for _ in 0..9 {
                let executor = Arc::clone(&executor);
                others.spawn(async move {
                    let snippet = Snippet::python("print('ran')");
                    snippet.started(&*executor).await
                });
            }
            for _ in 0..7 {
                let error = others.join_next().await.unwrap().unwrap().unwrap_err();
                assert_eq!(error.kind, ErrorKind::Overloaded, "{mode:?}: {error}");
                assert!(error.retry_after.is_some(), "{mode:?}: {error}");
            }
            assert_eq!(executor.status().waiting, 2, "{mode:?}");
            cancel.cancel();
            let first = first.await.unwrap().unwrap();
            first.assert_status(Status::Cancelled);
            for other in others.join_all().await {
                other.unwrap().assert_prints("ran\n");
            }
            Snippet::python("print('again')")
                .on(&*executor)
                .await
                .assert_prints("again\n");
        }
    });
}

#[test]
fn cancelled_before_its_turn() {
    in_both_modes(async |_, executor| {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let report = Snippet::python("print('never')")
            .cancelled_by(&*executor, cancel)
            .await
            .unwrap();
        report.assert_status(Status::Cancelled);
        assert!(report.outcome.stdout.is_empty());
    });
}

#[test]
fn cancelled_at_work_and_at_rest() {
    in_both_modes(async |mode, executor| {
        for (language, code) in [
            (Language::Python, "print('before')\nwhile True: pass"),
            (
                Language::Python,
                "import time; print('before'); time.sleep(100)",
            ),
            (Language::JavaScript, "console.log('before'); for (;;);"),
            (
                Language::JavaScript,
                "console.log('before'); setTimeout(() => {}, 1e9)",
            ),
        ] {
            let snippet = Snippet::new(language, code).limits(|limits| {
                limits.timeout_ms = 30_000;
                limits.fuel = Limits::MAXIMUM.fuel;
            });
            let start = Instant::now();
            let (report, late) = snippet.cancelled_when_it_prints(&*executor).await;
            report.assert_status(Status::Cancelled);
            assert_eq!(
                report.stdout(),
                "before\n",
                "{mode:?}: {}",
                report.summary()
            );
            let soon = Duration::from_millis(300) + Stalls::since(start);
            assert!(late < soon, "{mode:?}: {late:?}");
        }
    });
}

#[test]
fn dropping_the_future_frees_the_place() {
    in_both_modes(async |mode, executor| {
        for code in ["while True: pass", "import time; time.sleep(100)"] {
            let snippet = Snippet::python(code).limits(|limits| {
                limits.timeout_ms = 30_000;
                limits.fuel = Limits::MAXIMUM.fuel;
            });
            let dropped = tokio::time::timeout(Duration::from_millis(300), snippet.on(&*executor));
            assert!(dropped.await.is_err());
            let start = Instant::now();
            Snippet::python("print('next')")
                .on(&*executor)
                .await
                .assert_prints("next\n");
            let took = start.elapsed();
            let soon = Duration::from_millis(500) + Stalls::since(start);
            assert!(took < soon, "{mode:?}: the place was free after {took:?}");
        }
    });
}
