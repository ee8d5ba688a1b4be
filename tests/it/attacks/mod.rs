//! Attacks, named by what they do, each in both modes.
//!
//! After every attack: the status is the expected one, what was printed before it is kept, it
//! ended within its deadline (see [`crate::harness`]), and the next execution in the same place
//! is clean and right: it prints what it must, finds no files, and uses to the unit the fuel that
//! it uses in a place where nothing ran before.

use sandgate_core::{Executor, Language, Limits, Status};

use crate::harness::{Builder, Mode, Report, Snippet, block_on, in_both_modes};

/// Turns `name: code => expectation;` lines into tests.
macro_rules! attacks {
    ($language:ident; $($(#[$note:meta])* $name:ident: $code:expr => $expect:expr;)+) => {
        $($(#[$note])* #[test] fn $name() {
            crate::attacks::attack(sandgate_core::Language::$language, $code, $expect);
        })+
    };
}

mod javascript_blowups;
mod javascript_exits;
mod javascript_internals;
mod javascript_loops;
mod javascript_parsers;
mod javascript_recursion;
mod python_blowups;
mod python_chains;
mod python_exits;
mod python_floods;
mod python_internals;
mod python_parsers;
mod python_recursion;
mod python_reports;
mod python_waits;

/// How an attack has to end.
#[derive(Clone, Debug)]
pub struct Expect {
    statuses: Vec<Status>,
    /// Error types, one of which it must be where the status is `error`. Empty: any.
    kinds: Vec<&'static str>,
    /// What it prints after the line that every attack prints first, where it ends with the first
    /// of `statuses`.
    stdout: Option<&'static str>,
    /// Whether it gets as far as printing that line.
    starts: bool,
    limits: Limits,
}

/// What has not printed anything by then does not print.
const LONGEST_MS: u64 = 10_000;

/// Attacks are meant to run into limits: low ones save time. The deadline is none of them, however
/// slow the machine: what is to meet it says so.
const LIMITS: Limits = Limits {
    timeout_ms: 60_000,
    fuel: 2_000_000_000,
    memory_mb: 128,
    ..Limits::DEFAULT
};

fn expect(statuses: &[Status]) -> Expect {
    Expect {
        statuses: statuses.to_vec(),
        kinds: Vec::new(),
        stdout: None,
        starts: true,
        limits: LIMITS,
    }
}

/// The language copes: it runs to its end and prints exactly `stdout`.
pub fn prints(stdout: &'static str) -> Expect {
    Expect {
        stdout: Some(stdout),
        ..expect(&[Status::Ok])
    }
}

/// The language's own error ends it, of one of the types in `kinds`, separated by `|`.
pub fn raises(kinds: &'static str) -> Expect {
    Expect {
        kinds: kinds.split('|').collect(),
        ..expect(&[Status::Error])
    }
}

/// It ends with the exit code 1 or another that is not 0, without the interpreter failing.
pub fn fails() -> Expect {
    expect(&[Status::Error])
}

/// Work without end or beyond reason.
pub fn burns_its_fuel() -> Expect {
    expect(&[Status::FuelExhausted])
}

/// Waiting or working past the deadline, which is set to a short time.
pub fn times_out() -> Expect {
    expect(&[Status::Timeout]).limits(|limits| {
        limits.timeout_ms = 1_000;
        limits.fuel = Limits::MAXIMUM.fuel;
    })
}

/// More memory than granted, which is little, with the fuel to fill it.
pub fn runs_out_of_memory() -> Expect {
    expect(&[Status::OutOfMemory]).limits(little_memory)
}

/// Little memory, with the fuel to fill it.
pub fn little_memory(limits: &mut Limits) {
    limits.memory_mb = 32;
    limits.fuel = 10_000_000_000;
}

/// A size that no memory could hold: the language refuses before it asks for any.
pub fn is_too_large() -> Expect {
    Expect {
        kinds: vec![
            "MemoryError",
            "OverflowError",
            "ValueError",
            "RangeError",
            "InternalError",
        ],
        ..expect(&[Status::Error, Status::OutOfMemory]).limits(little_memory)
    }
}

/// More output than granted.
pub fn floods() -> Expect {
    expect(&[Status::OutputLimit]).limits(|limits| limits.output_bytes = 64 << 10)
}

/// The interpreter is made to fail, or overflows its stack as it does natively, where that ends
/// the process. Here it costs this execution and nothing else.
pub fn may_break_the_interpreter() -> Expect {
    expect(&[
        Status::Ok,
        Status::Error,
        Status::Crashed,
        Status::FuelExhausted,
        Status::OutOfMemory,
    ])
}

impl Expect {
    /// Changes the limits.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Also allows `status`.
    pub fn or(mut self, status: Status) -> Self {
        self.statuses.push(status);
        self
    }

    /// It prints exactly `stdout` besides the first line.
    pub fn and_prints(mut self, stdout: &'static str) -> Self {
        self.stdout = Some(stdout);
        self
    }

    /// It is the snippet itself that is refused: nothing of it runs.
    pub fn before_the_first_line(mut self) -> Self {
        self.starts = false;
        self
    }

    fn check(&self, report: &Report, context: &str) {
        let status = report.outcome.status;
        assert!(
            self.statuses.contains(&status),
            "{context}: expected {:?}, got {}",
            self.statuses,
            report.summary()
        );
        if status == Status::Error && !self.kinds.is_empty() {
            // Python names the module as well: `struct.error`.
            let kind = report.error_kind().rsplit('.').next().unwrap_or("");
            assert!(
                self.kinds.contains(&kind),
                "{context}: expected {:?}, got {}",
                self.kinds,
                report.summary()
            );
        }
        // Whatever is said about an error, it is neither blank nor garbled.
        if let Some(error) = &report.outcome.error {
            assert!(
                !error.kind.is_empty() && !error.message.contains("report cannot be read"),
                "{context}: {}",
                report.summary()
            );
        }
        let stdout = report.stdout();
        let first_line = if self.starts { FIRST_LINE } else { "" };
        let Some(after) = stdout.strip_prefix(first_line) else {
            panic!(
                "{context}: what was printed before is lost: {}",
                report.summary()
            );
        };
        if let Some(expected) = self.stdout.filter(|_| status == self.statuses[0]) {
            assert_eq!(after, expected, "{context}: {}", report.summary());
        }
    }
}

/// Printed, and not flushed, before the attack.
const FIRST_LINE: &str = "printed before\n";

fn first_line(language: Language) -> &'static str {
    match language {
        Language::Python => "print('printed before')\n",
        Language::JavaScript => "console.log('printed before');\n",
        Language::TypeScript | Language::R => unreachable!("no guest runs {language}"),
    }
}

/// What must still work afterwards, and where traces of the attack would show.
fn probe(language: Language) -> (Snippet, &'static str) {
    match language {
        Language::Python => (
            Snippet::python(
                "import os, sys, json, re\n\
                 print(json.dumps([sum(range(10)), re.sub('a', 'b', 'cat'), os.listdir('/work'),\n\
                 os.listdir('/tmp'), os.getcwd(), sys.getrecursionlimit() <= 10**6]))",
            ),
            "[45, \"cbt\", [], [], \"/work\", true]\n",
        ),
        Language::JavaScript => (
            Snippet::javascript(
                "const fs = require('node:fs');\n\
                 console.log(JSON.stringify([[1, 2, 3].map(x => x * 2), 'cat'.replace(/a/, 'b'),\n\
                 fs.readdirSync('/work'), fs.readdirSync('/tmp')]));",
            ),
            "[[2,4,6],\"cbt\",[],[]]\n",
        ),
        Language::TypeScript | Language::R => unreachable!("no guest runs {language}"),
    }
}

/// The fuel that the probe needs where nothing ran before it.
fn pristine_fuel(language: Language) -> u64 {
    use std::sync::LazyLock;
    static FUEL: LazyLock<[u64; 2]> = LazyLock::new(|| {
        // On a thread of its own: tests are already inside the runtime.
        std::thread::spawn(|| {
            block_on(async {
                let executor = Builder::new(Mode::InProcess).start().await;
                let mut fuel = [0; 2];
                for language in [Language::Python, Language::JavaScript] {
                    let (snippet, stdout) = probe(language);
                    let report = snippet.on(&*executor).await;
                    report.assert_prints(stdout);
                    fuel[language as usize] = report.outcome.usage.fuel;
                }
                fuel
            })
        })
        .join()
        .unwrap()
    });
    FUEL[language as usize]
}

/// Runs one attack in both modes and checks everything about it.
pub fn attack(language: Language, code: impl AsRef<str>, expect: Expect) {
    let code = format!("{}{}", first_line(language), dedent(code.as_ref()));
    let pristine = pristine_fuel(language);
    in_both_modes(async |mode, executor| {
        let mut limits = expect.limits;
        let report = loop {
            let report = Snippet::new(language, code.clone())
                .limits(|own| *own = limits)
                .on(&*executor)
                .await;
            // On a busy machine a short deadline may pass before the first print.
            let too_early = report.outcome.status == Status::Timeout
                && expect.starts
                && report.outcome.stdout.is_empty();
            if !too_early || limits.timeout_ms > LONGEST_MS {
                break report;
            }
            limits.timeout_ms *= 4;
        };
        if std::env::var_os("SANDGATE_SHOW_ATTACKS").is_some() {
            println!("{mode:?}: {}", report.summary());
        }
        expect.check(&report, &format!("{mode:?}"));
        assert_clean(&*executor, language, pristine).await;
    });
}

/// Asserts that nothing of what ran before is left.
async fn assert_clean(executor: &impl Executor, language: Language, pristine: u64) {
    let (snippet, stdout) = probe(language);
    let report = snippet.on(executor).await;
    report.assert_prints(stdout);
    assert_eq!(
        report.outcome.usage.fuel,
        pristine,
        "the next execution does not take the way it takes in a fresh place: {}",
        report.summary()
    );
}

/// Removes the indentation that a raw string has from standing in Rust code.
fn dedent(code: &str) -> String {
    let code = code.strip_prefix('\n').unwrap_or(code);
    let indent = code
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    code.lines()
        .map(|line| format!("{}\n", line.get(indent..).unwrap_or("")))
        .collect()
}
