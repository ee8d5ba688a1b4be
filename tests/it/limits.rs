//! Every limit ends in its own way, exactly, and keeps what was printed before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_core::{CancellationToken, ErrorKind, Language, Limits, OutputStream, Status};

use crate::harness::{Builder, Mode, Snippet, Stalls, block_on, in_both_modes};

const LANGUAGES: [Language; 2] = [Language::Python, Language::JavaScript];

/// The same program in the language at hand.
fn either(language: Language, python: &str, javascript: &str) -> Snippet {
    let code = match language {
        Language::Python => python,
        Language::JavaScript => javascript,
        Language::TypeScript | Language::R => unreachable!("no guest runs {language}"),
    };
    Snippet::new(language, code)
}

#[test]
fn time_spent_waiting() {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            let report = either(
                language,
                "import time; print('before'); time.sleep(100)",
                "console.log('before'); setTimeout(() => {}, 100_000)",
            )
            .limits(|limits| limits.timeout_ms = 1_000)
            .on(&*executor)
            .await;
            report.assert_status(Status::Timeout);
            assert_eq!(report.stdout(), "before\n");
            assert!(
                report.outcome.usage.wall_ms >= 1_000.0,
                "{}",
                report.summary()
            );
        }
    });
}

#[test]
fn time_spent_working() {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            let report = either(
                language,
                "print('before')\nwhile True: pass",
                "console.log('before'); for (;;);",
            )
            .limits(|limits| {
                limits.timeout_ms = 1_000;
                limits.fuel = Limits::MAXIMUM.fuel;
            })
            .on(&*executor)
            .await;
            report.assert_status(Status::Timeout);
            assert_eq!(report.stdout(), "before\n");
            assert!(
                report.outcome.usage.wall_ms >= 1_000.0,
                "{}",
                report.summary()
            );
        }
    });
}

#[test]
fn the_deadline_is_kept_within_a_tenth() {
    // What keeps an interpreter, or the host for it, from looking at the time. How late each ends
    // is what `Report::check` holds every execution to.
    let busy = [
        (Language::Python, "import time; time.sleep(100)"),
        (
            Language::Python,
            "import re; re.match('(a+)+$', 'a' * 40 + 'b')",
        ),
        (Language::Python, "x = 10 ** 100_000\nwhile True: x * x"),
        (Language::Python, "while True: bytes(20 << 20)"),
        (
            Language::Python,
            "while True: open('a', 'wb').write(bytes(1 << 20))",
        ),
        (Language::JavaScript, "/(a+)+$/.test('a'.repeat(40) + 'b')"),
        (
            Language::JavaScript,
            "for (;;) new Uint8Array(20 << 20).fill(1)",
        ),
        (
            Language::JavaScript,
            "for (;;) [...Array(1e5).keys()].sort((a, b) => b - a)",
        ),
    ];
    in_both_modes(async |_, executor| {
        for (language, code) in busy {
            Snippet::new(language, code)
                .limits(|limits| {
                    // Well before the most fuel there is runs out, on any machine.
                    limits.timeout_ms = 1_000;
                    limits.fuel = u64::MAX;
                })
                .on(&*executor)
                .await
                .assert_status(Status::Timeout);
        }
    });
}

#[test]
fn fuel_is_the_same_every_time_and_everywhere() {
    let programs = [
        either(
            Language::Python,
            "print(sum(i * i for i in range(10000)))",
            "",
        ),
        either(
            Language::Python,
            "import json, re; print(json.dumps({'a': [1] * 100}), re.findall('a+', 'aabaaa'))",
            "",
        ),
        either(Language::Python, "raise ValueError('x')", ""),
        either(
            Language::JavaScript,
            "",
            "let n = 0; for (let i = 0; i < 1e5; i++) n += i; console.log(n)",
        ),
        either(
            Language::JavaScript,
            "",
            "console.log(JSON.stringify({ a: [1, 2] }), 'aab'.match(/a+/))",
        ),
    ];
    block_on(async {
        let mut executors = Vec::new();
        for mode in Mode::BOTH {
            executors.push(Builder::new(mode).start().await);
        }
        for program in programs {
            let mut fuel = Vec::new();
            for executor in &executors {
                for _ in 0..3 {
                    fuel.push(program.clone().on(&**executor).await.outcome.usage.fuel);
                }
            }
            assert!(fuel[0] > 10_000, "{fuel:?}");
            assert!(
                fuel.iter().all(|used| *used == fuel[0]),
                "{program:?}: {fuel:?}"
            );
        }
    });
}

#[test]
fn fuel_to_the_unit() {
    in_both_modes(async |mode, executor| {
        for language in LANGUAGES {
            let program = either(
                language,
                "print('before')\nfor i in range(20000): pass",
                "console.log('before'); for (let i = 0; i < 1e5; i++);",
            );
            let needed = program.clone().on(&*executor).await.outcome.usage.fuel;
            let with = async |fuel: u64| {
                program
                    .clone()
                    .limits(|limits| limits.fuel = fuel)
                    .on(&*executor)
                    .await
            };
            with(needed).await.assert_status(Status::Ok);
            for less in [needed - 1, needed - needed / 10] {
                let report = with(less).await;
                report.assert_status(Status::FuelExhausted);
                assert_eq!(
                    report.stdout(),
                    "before\n",
                    "{mode:?}: {}",
                    report.summary()
                );
            }
            // So little that nothing of the snippet runs is still an outcome.
            with(1).await.assert_status(Status::FuelExhausted);
        }
    });
}

#[test]
fn memory_counts_beyond_the_interpreter() {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            let filling = |mib: usize| {
                either(
                    language,
                    &format!("print('before')\nx = bytearray({mib} << 20)"),
                    &format!("console.log('before'); const x = new Uint8Array({mib} << 20)"),
                )
                .limits(|limits| limits.memory_mb = 64)
            };
            let report = filling(56).on(&*executor).await;
            report.assert_status(Status::Ok);
            let peak = report.outcome.usage.peak_memory_bytes >> 20;
            // Some of it is what the snapshot has to spare.
            assert!((50..=64).contains(&peak), "{}", report.summary());

            let report = filling(72).on(&*executor).await;
            report.assert_status(Status::OutOfMemory);
            assert_eq!(report.stdout(), "before\n");

            // A small program fits into what the snapshot has to spare.
            either(language, "print('small')", "console.log('small')")
                .limits(|limits| limits.memory_mb = 1)
                .on(&*executor)
                .await
                .assert_prints("small\n");
        }
    });
}

#[test]
fn memory_error_that_is_handled_is_the_snippets_business() {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            either(
                language,
                "try:\n    x = bytearray(300 << 20)\nexcept MemoryError:\n    print('handled')",
                "try { new Uint8Array(300 << 20); } catch { console.log('handled'); }",
            )
            .on(&*executor)
            .await
            .assert_prints("handled\n");
        }
    });
}

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
    in_both_modes(async |_, executor| {
        let report = Snippet::python("display(1)\ndisplay('two')\n[3]")
            .on(&*executor)
            .await;
        let texts: Vec<_> = report
            .outcome
            .results
            .iter()
            .map(|r| r["text/plain"].as_str())
            .collect();
        assert_eq!(texts, ["1", "'two'", "[3]"], "{}", report.summary());
        let report = Snippet::javascript("({ a: [1, 2] })").on(&*executor).await;
        let texts: Vec<_> = report
            .outcome
            .results
            .iter()
            .map(|r| r["text/plain"].as_str())
            .collect();
        assert_eq!(texts, ["{ a: [ 1, 2 ] }"], "{}", report.summary());
        assert!(report.outcome.stdout.is_empty());
    });
}

#[test]
fn bytes_of_files() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "with open('/work/fits', 'wb') as f: f.write(bytes(900_000))\n\
             print('fits')\n\
             with open('/tmp/more', 'wb') as f: f.write(bytes(200_000))",
        )
        .limits(|limits| limits.file_bytes = 1_000_000)
        .on(&*executor)
        .await;
        report.assert_status(Status::Error);
        assert_eq!(report.stdout(), "fits\n");
        assert_eq!(report.error_kind(), "OSError", "{}", report.summary());
        // What fitted is returned all the same.
        assert_eq!(report.outcome.artifacts[0].path, "fits");
        assert_eq!(report.outcome.artifacts[0].content.len(), 900_000);

        // Room that is freed can be used again.
        Snippet::python(
            "import os\nfor i in range(20):\n    open('a', 'wb').write(bytes(900_000)); os.remove('a')\nprint('reused')",
        )
        .limits(|limits| limits.file_bytes = 1_000_000)
        .on(&*executor)
        .await
        .assert_prints("reused\n");

        // The caller's own files count.
        let report = Snippet::python("open('/work/b', 'wb').write(bytes(200_000))")
            .file("a", vec![0_u8; 900_000])
            .limits(|limits| limits.file_bytes = 1_000_000)
            .on(&*executor)
            .await;
        report.assert_status(Status::Error);
    });
}

#[test]
fn number_of_files() {
    in_both_modes(async |_, executor| {
        for (language, python, javascript) in [
            (
                Language::Python,
                "for i in range(1000):\n    open(f'/work/{i}', 'w').close()\n    print(i)",
                "",
            ),
            (
                Language::JavaScript,
                "",
                "for (let i = 0; i < 1000; i++) { require('fs').writeFileSync('/work/' + i, ''); console.log(i); }",
            ),
        ] {
            let report = either(language, python, javascript)
                .limits(|limits| limits.files = 50)
                .on(&*executor)
                .await;
            report.assert_status(Status::Error);
            let made = report.stdout().lines().count();
            assert!((45..=50).contains(&made), "{made}: {}", report.summary());
            assert_eq!(report.outcome.artifacts.len(), made);
        }
    });
}

#[test]
fn artifacts_are_what_is_new_or_changed() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "import os\n\
             open('changed', 'a').write('!')\n\
             open('sub/new.csv', 'w').write('a,b')\n\
             os.rename('renamed', 'elsewhere')\n\
             os.remove('removed')\n\
             open('/tmp/private', 'w').write('x')\n\
             print(open('kept').read(), sorted(os.listdir('.')))",
        )
        .file("kept", "as it was")
        .file("changed", "text")
        .file("sub/old", "x")
        .file("renamed", "y")
        .file("removed", "z")
        .on(&*executor)
        .await;
        report.assert_prints("as it was ['changed', 'elsewhere', 'kept', 'sub']\n");
        let artifacts: Vec<_> = report
            .outcome
            .artifacts
            .iter()
            .map(|a| (a.path.as_str(), &*a.content, a.media_type.as_str()))
            .collect();
        assert_eq!(artifacts.len(), 3, "{artifacts:?}");
        assert_eq!((artifacts[0].0, artifacts[0].1), ("changed", &b"text!"[..]));
        assert_eq!((artifacts[1].0, artifacts[1].1), ("elsewhere", &b"y"[..]));
        assert_eq!(artifacts[2], ("sub/new.csv", &b"a,b"[..], "text/csv"));
        assert_eq!(
            report.outcome.artifacts[2].sha256,
            "1eb7c54d52831bbfe8942af0b1c56b7409523a59ed6ca99c1174fef7eb32c1b5"
        );
    });
}

#[test]
fn artifacts_of_an_execution_that_was_cut_short() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python("open('a', 'w').write('x')\nwhile True: pass")
            .limits(|limits| limits.fuel = 100_000_000)
            .on(&*executor)
            .await;
        report.assert_status(Status::FuelExhausted);
        assert_eq!(report.outcome.artifacts.len(), 1, "{}", report.summary());
    });
}

#[test]
fn a_name_that_cannot_be_returned_is_reported() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "open('/work/back\\\\slash', 'w').close(); open('/work/good', 'w').close()",
        )
        .on(&*executor)
        .await;
        report.assert_status(Status::Ok);
        assert!(report.outcome.truncated.artifacts, "{}", report.summary());
        assert_eq!(report.outcome.artifacts.len(), 1);
    });
}

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
fn cancelled_at_work_and_at_rest() {
    in_both_modes(async |mode, executor| {
        for (language, python, javascript) in [
            (Language::Python, "print('before')\nwhile True: pass", ""),
            (
                Language::Python,
                "import time; print('before'); time.sleep(100)",
                "",
            ),
            (Language::JavaScript, "", "console.log('before'); for (;;);"),
            (
                Language::JavaScript,
                "",
                "console.log('before'); setTimeout(() => {}, 1e9)",
            ),
        ] {
            let snippet = either(language, python, javascript).limits(|limits| {
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
fn more_than_the_queue_holds_is_refused() {
    block_on(async {
        for mode in Mode::BOTH {
            let executor = Builder::new(mode).queue(2).start().await;
            let sleeping = || {
                let executor = Arc::clone(&executor);
                tokio::spawn(async move {
                    Snippet::python("import time; time.sleep(1); print('slept')")
                        .started(&*executor)
                        .await
                })
            };
            let mut refused = 0;
            let mut ran = 0;
            let all: Vec<_> = (0..10).map(|_| sleeping()).collect();
            for execution in all {
                match execution.await.unwrap() {
                    Ok(report) => {
                        report.assert_prints("slept\n");
                        ran += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.kind, ErrorKind::Overloaded, "{mode:?}: {error}");
                        assert!(error.retry_after.is_some(), "{mode:?}: {error}");
                        refused += 1;
                    }
                }
            }
            assert_eq!((ran, refused), (3, 7), "{mode:?}");
            Snippet::python("print('again')")
                .on(&*executor)
                .await
                .assert_prints("again\n");
        }
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
fn a_grant_beyond_the_maximum_is_cut_to_it() {
    in_both_modes(async |_, executor| {
        // The executor's own wall: no task, however it came about, gets more than the pool has.
        let report = Snippet::python("x = bytearray(1100 << 20)")
            .limits(|limits| limits.memory_mb = u32::MAX)
            .on(&*executor)
            .await;
        report.assert_status(Status::OutOfMemory);
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
