//! Time and fuel.

use sandgate_core::{Language, Limits, Status};

use super::{LANGUAGES, either};
use crate::harness::{Builder, Mode, Snippet, block_on, in_both_modes};

/// Runs a program that prints `before` and then goes on for ever, and sees it end when its second is
/// up.
fn lasts_its_second(python: &str, javascript: &str, limits: fn(&mut Limits)) {
    in_both_modes(async |_, executor| {
        for language in LANGUAGES {
            let report = either(language, python, javascript)
                .limits(|limits| limits.timeout_ms = 1_000)
                .limits(limits)
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
fn time_spent_waiting() {
    lasts_its_second(
        "import time; print('before'); time.sleep(100)",
        "console.log('before'); setTimeout(() => {}, 100_000)",
        |_| {},
    );
}

#[test]
fn time_spent_working() {
    lasts_its_second(
        "print('before')\nwhile True: pass",
        "console.log('before'); for (;;);",
        |limits| limits.fuel = Limits::MAXIMUM.fuel,
    );
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
        Snippet::python("print(sum(i * i for i in range(10000)))"),
        Snippet::python(
            "import json, re; print(json.dumps({'a': [1] * 100}), re.findall('a+', 'aabaaa'))",
        ),
        Snippet::python("raise ValueError('x')"),
        Snippet::javascript("let n = 0; for (let i = 0; i < 1e5; i++) n += i; console.log(n)"),
        Snippet::javascript("console.log(JSON.stringify({ a: [1, 2] }), 'aab'.match(/a+/))"),
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
