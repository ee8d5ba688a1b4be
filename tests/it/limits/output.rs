//! What is printed, and results.

use sandgate_core::{OutputStream, Status};

use super::{LANGUAGES, either};
use crate::harness::{Report, Snippet, in_both_modes};

#[test]
fn output_is_cut_to_the_byte() {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            for stream in [OutputStream::Stdout, OutputStream::Stderr] {
                let (python, javascript) = match stream {
                    OutputStream::Stdout => ("sys.stdout", "process.stdout"),
                    OutputStream::Stderr => ("sys.stderr", "process.stderr"),
                };
                let printing = |bytes: usize| {
                    either(
                        language,
                        &format!("import sys; n = {python}.write('x' * {bytes})"),
                        &format!("{javascript}.write('x'.repeat({bytes})); undefined"),
                    )
                    .limits(|limits| limits.output_bytes = 100_000)
                };
                let report = printing(100_000).on(&*executor).await;
                report.assert_status(Status::Ok);
                assert_eq!(report.outcome.truncated, Default::default());

                for bytes in [100_001, 500_000] {
                    let report = printing(bytes).on(&*executor).await;
                    report.assert_status(Status::OutputLimit);
                    let (kept, cut, other) = match stream {
                        OutputStream::Stdout => (
                            &report.outcome.stdout,
                            report.outcome.truncated.stdout,
                            report.outcome.truncated.stderr,
                        ),
                        OutputStream::Stderr => (
                            &report.outcome.stderr,
                            report.outcome.truncated.stderr,
                            report.outcome.truncated.stdout,
                        ),
                    };
                    assert_eq!(kept.len(), 100_000, "{}", report.summary());
                    assert!(cut && !other, "{}", report.summary());
                }
            }
        }
    });
}

#[test]
fn output_keeps_its_order_and_its_bytes() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "import os, sys\nprint('a', end=''); sys.stdout.buffer.write(bytes(range(256))); os.write(1, b'c'); print('d' * 100000)",
        )
        .on(&*executor)
        .await;
        report.assert_status(Status::Ok);
        let mut expected = b"a".to_vec();
        expected.extend(0..=255_u8);
        expected.push(b'c');
        expected.extend([b'd'; 100_000]);
        expected.push(b'\n');
        assert!(report.outcome.stdout == expected, "{}", report.summary());
    });
}

#[test]
fn output_is_streamed_while_the_snippet_runs() {
    in_both_modes(async |mode, executor| {
        for language in LANGUAGES {
            // It prints no more and does not end by itself: what comes, comes while it runs.
            let snippet = either(
                language,
                "import time; print('now'); time.sleep(100)",
                "console.log('now'); setTimeout(() => {}, 100_000)",
            )
            .limits(|limits| limits.timeout_ms = 60_000);
            let (report, _) = snippet.cancelled_when_it_prints(&*executor).await;
            report.assert_status(Status::Cancelled);
            assert_eq!(report.stdout(), "now\n", "{mode:?}");
        }
    });
}

#[test]
fn output_is_whole_however_often_the_host_looks() {
    // The host takes what is printed whenever it looks, also in the middle of a print.
    in_both_modes(async |mode, executor| {
        for language in LANGUAGES {
            let report = either(
                language,
                "for i in range(5000): print(str(i).rjust(2000, '-'))",
                "for (let i = 0; i < 5000; i++) console.log(String(i).padStart(2000, '-'))",
            )
            .limits(|limits| {
                limits.fuel = 10_000_000_000;
                limits.timeout_ms = 20_000;
                limits.output_bytes = 16 << 20;
            })
            .on(&*executor)
            .await;
            report.assert_status(Status::Ok);
            let mut expected = 0..5_000;
            for line in report.stdout().lines() {
                let whole = expected.next().map(|i| format!("{i:->2000}"));
                assert_eq!(Some(line), whole.as_deref(), "{mode:?} {language}");
            }
            assert!(
                expected.is_empty(),
                "{mode:?} {language}: cut at {expected:?}"
            );
        }
    });
}

#[test]
fn results_over_the_limit_are_dropped() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python("for i in range(10): display('x' * 1000)\n'the last'")
            .limits(|limits| limits.result_bytes = 3_500)
            .on(&*executor)
            .await;
        report.assert_status(Status::Ok);
        assert!(report.outcome.truncated.results);
        let bytes: usize = report
            .outcome
            .results
            .iter()
            .flatten()
            .map(|(media_type, text)| media_type.len() + text.len())
            .sum();
        assert!(
            bytes <= 3_500 && report.outcome.results.len() >= 3,
            "{bytes}"
        );

        let report = Snippet::javascript("'x'.repeat(5000)")
            .limits(|limits| limits.result_bytes = 1_000)
            .on(&*executor)
            .await;
        report.assert_status(Status::Ok);
        assert!(report.outcome.truncated.results && report.outcome.results.is_empty());
    });
}

#[test]
fn results_come_in_order() {
    let texts = |report: &Report| -> Vec<String> {
        let results = report.outcome.results.iter();
        results.map(|r| r["text/plain"].clone()).collect()
    };
    in_both_modes(async |_, executor| {
        let report = Snippet::python("display(1)\ndisplay('two')\n[3]")
            .on(&*executor)
            .await;
        assert_eq!(
            texts(&report),
            ["1", "'two'", "[3]"],
            "{}",
            report.summary()
        );
        let report = Snippet::javascript("({ a: [1, 2] })").on(&*executor).await;
        assert_eq!(texts(&report), ["{ a: [ 1, 2 ] }"], "{}", report.summary());
        assert!(report.outcome.stdout.is_empty());
    });
}
