//! Python: what is reported of an error, whatever the snippet did to the tools it is reported with.

use sandgate_core::Status;

use crate::harness::{Snippet, in_both_modes};

struct Case {
    code: &'static str,
    kind: &'static str,
    message: &'static str,
    line: u32,
    exit_code: u8,
}

const fn case(
    code: &'static str,
    (kind, message, line): (&'static str, &'static str, u32),
    exit_code: u8,
) -> Case {
    Case {
        code,
        kind,
        message,
        line,
        exit_code,
    }
}

const CASES: &[Case] = &[
    case(
        "def f():\n    raise KeyError('k')\nf()",
        ("KeyError", "'k'", 2),
        1,
    ),
    case("class E(Exception): pass\nraise E('x')", ("E", "x", 2), 1),
    case(
        "import struct\nstruct.pack('i', 'x')",
        ("struct.error", "required argument is not an integer", 2),
        1,
    ),
    case(
        "x = = 1",
        ("SyntaxError", "invalid syntax (main.py, line 1)", 1),
        1,
    ),
    case("raise KeyboardInterrupt", ("KeyboardInterrupt", "", 1), 130),
    case(
        "raise ValueError('\\u20ac \\U0001f600 \"\\\\\\n')",
        ("ValueError", "\u{20ac} \u{1f600} \"\\\n", 1),
        1,
    ),
    case(
        "import sys; del sys.excepthook\nraise ValueError('x')",
        ("ValueError", "x", 2),
        1,
    ),
    case(
        "import sys; sys.excepthook = lambda *a: sys.exit(3)\nraise ValueError('x')",
        ("ValueError", "x", 2),
        3,
    ),
    case(
        "import sys; sys.excepthook = lambda *a: sys.exit(0)\nraise ValueError('x')",
        ("ValueError", "x", 2),
        1,
    ),
    case(
        "import sys; sys.excepthook = lambda *a: 1 / 0\nraise ValueError('x')",
        ("ValueError", "x", 2),
        1,
    ),
    case(
        "import sys; sys.excepthook = 5\nraise ValueError('x')",
        ("ValueError", "x", 2),
        1,
    ),
    case(
        "import sys; sys.modules.clear()\n5 / 0",
        ("ZeroDivisionError", "division by zero", 2),
        1,
    ),
    case(
        "import builtins; builtins.__import__ = None\n5 / 0",
        ("ZeroDivisionError", "division by zero", 2),
        1,
    ),
    case(
        "import builtins; vars(builtins).clear()\n5 / 0",
        ("ZeroDivisionError", "division by zero", 2),
        1,
    ),
    case(
        "import traceback; vars(traceback).clear()\n5 / 0",
        ("ZeroDivisionError", "division by zero", 2),
        1,
    ),
    case(
        "import sys; vars(sys).clear()\n5 / 0",
        ("ZeroDivisionError", "division by zero", 2),
        1,
    ),
    case(
        "import sys; sys.setrecursionlimit(10)\n5 / 0",
        ("ZeroDivisionError", "division by zero", 2),
        1,
    ),
    case(
        "class E(Exception):\n    def __str__(self): 1 / 0\nraise E('x')",
        ("E", "<exception str() failed>", 3),
        1,
    ),
    case(
        "class E(Exception):\n    __str__ = None\nraise E('x')",
        ("E", "<exception str() failed>", 3),
        1,
    ),
    case(
        "open('main.py', 'w').write('not the source')\nopen('x')",
        (
            "FileNotFoundError",
            "[Errno 44] No such file or directory: 'x'",
            2,
        ),
        1,
    ),
];

#[test]
fn errors_are_reported_whatever_the_snippet_broke() {
    in_both_modes(async |mode, executor| {
        for case in CASES {
            let report = Snippet::python(case.code).on(&*executor).await;
            report.assert_status(Status::Error);
            let context = format!("{mode:?}: {}: {}", case.code, report.summary());
            let error = report.outcome.error.as_ref().unwrap();
            assert_eq!(error.kind, case.kind, "{context}");
            assert_eq!(error.message, case.message, "{context}");
            assert_eq!(error.line, Some(case.line), "{context}");
            assert_eq!(report.outcome.exit_code, Some(case.exit_code), "{context}");
            // The traceback names the line and ends with the error, who ever wrote it.
            let place = format!("File \"main.py\", line {}", case.line);
            assert!(
                error.traceback.contains(&place),
                "{context}: {}",
                error.traceback
            );
            let last = error.traceback.trim_end().lines().last().unwrap();
            let named = case.kind.rsplit('.').next().unwrap();
            assert!(
                last.contains(named) || case.message.contains('\n'),
                "{context}: {last}"
            );
        }
    });
}

#[test]
fn the_error_is_known_while_it_is_being_shown() {
    in_both_modes(async |mode, executor| {
        let report = Snippet::python(
            "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E('x')",
        )
        .on(&*executor)
        .await;
        report.assert_status(Status::FuelExhausted);
        let error = report.outcome.error.as_ref().unwrap();
        assert_eq!(
            (error.kind.as_str(), error.line),
            ("E", Some(4)),
            "{mode:?}"
        );
        assert!(
            error.traceback.contains("raise E('x')"),
            "{mode:?}: {}",
            error.traceback
        );
    });
}

#[test]
fn a_traceback_without_end_is_cut_in_the_middle() {
    // Poisoned, so that the guest's own traceback is what is reported.
    let code = "import sys, traceback\nvars(traceback).clear()\nsys.setrecursionlimit(900)\n\
                def f(n):\n    return f(n + 1)\nf(0)";
    in_both_modes(async |mode, executor| {
        let report = Snippet::python(code).on(&*executor).await;
        report.assert_status(Status::Error);
        let error = report.outcome.error.as_ref().unwrap();
        assert_eq!(error.kind, "RecursionError", "{mode:?}");
        assert!(
            error.traceback.contains("more calls]"),
            "{mode:?}: {}",
            error.traceback
        );
        assert!(
            error.traceback.len() < 10_000,
            "{mode:?}: {}",
            error.traceback.len()
        );
        assert_eq!(report.stderr(), error.traceback, "{mode:?}");
    });
}
