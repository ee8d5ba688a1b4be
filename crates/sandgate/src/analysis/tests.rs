//! What no code may do to the process, in any language; and what the tests of the languages share.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const LANGUAGES: [Language; 4] = Language::ALL;

/// The modules that `code` imports with their places, as in `os Unconditional`.
pub(super) fn imports(language: Language, code: &str) -> Vec<String> {
    let analysis = analyse(language, code, &[]);
    assert_eq!(analysis.skipped, None);
    let imports = analysis.imports.iter();
    imports
        .map(|i| format!("{} {:?}", i.module, i.place))
        .collect()
}

/// No hints but those that are `set`.
pub(super) fn hints(set: fn(&mut Hints)) -> Hints {
    let mut hints = Hints::default();
    set(&mut hints);
    hints
}

/// Files of a request: their paths, and what is in them.
pub(super) fn files<'a, const N: usize>(files: [(&'a str, &'a str); N]) -> [SourceFile<'a>; N] {
    files.map(|(path, content)| SourceFile {
        path,
        content: content.as_bytes(),
    })
}

/// Analyses `code` in every language, on a stack as small as a runtime's threads have.
fn survives(what: &str, code: &str) {
    for language in LANGUAGES {
        let started = Instant::now();
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(2 << 20);
            let work = || analyse(language, code, &[]);
            thread.spawn_scoped(scope, work).unwrap().join().unwrap();
        });
        let took = started.elapsed();
        assert!(
            took < Duration::from_secs(20),
            "{what} in {language}: {took:?}"
        );
    }
}

/// What nests when it is repeated, and what closes it.
const NESTS: [(&str, &str); 51] = [
    ("a<", ">"),
    ("(a = ", ")"),
    ("async (a = ", ")"),
    ("(", ")"),
    ("[", "]"),
    ("{", "}"),
    ("f(", ")"),
    ("a[", "]"),
    ("{a:", "}"),
    ("(a, ", ")"),
    ("-", ""),
    ("- ", ""),
    ("!", ""),
    ("~", ""),
    ("+ ", ""),
    ("not ", ""),
    ("typeof ", ""),
    ("await ", ""),
    ("new ", ""),
    ("async ", ""),
    ("lambda: ", ""),
    ("lambda a, b: ", ""),
    ("a => ", ""),
    ("(a) => ", ""),
    ("(a = ", ") => 1"),
    ("a ? ", ""),
    ("a ? b : ", ""),
    ("a ? (b) : ", ""),
    ("a ? (b) => (", ") : c"),
    ("x if y else ", ""),
    ("`${", "}`"),
    ("f'{", "}'"),
    ("<a>", "</a>"),
    ("<a b={", "}/>"),
    ("<T>", ""),
    ("a.", "b"),
    ("a().", "b"),
    ("a?.", "b"),
    ("a + ", "b"),
    ("a ** ", "b"),
    ("a && ", "b"),
    ("a = ", "b"),
    ("a <- ", "b"),
    ("a %>% ", "b"),
    ("function(x) ", ""),
    ("\\(x) ", ""),
    ("if (a) ", ""),
    ("if a: ", ""),
    ("else ", ""),
    ("while (a) ", ""),
    ("a: ", ""),
];

#[test]
fn deep_nesting_is_survived() {
    for (open, close) in NESTS {
        // As deep as it may be for a parser to be let in, and far deeper.
        for times in [700, 3_000, 100_000] {
            let closed = format!("{}x{}", open.repeat(times), close.repeat(times));
            survives(&format!("{times} {open}"), &closed);
        }
        for times in [700, 4_000] {
            survives(&format!("{times} open {open}"), &open.repeat(times));
        }
    }
}

#[test]
fn deep_types_are_survived() {
    for open in [
        "Array<",
        "(a: ",
        "keyof ",
        "readonly ",
        "A extends B ? ",
        "{a: ",
        "[",
        "() => ",
        "infer ",
        "A | ",
        "A[",
        "typeof ",
        "asserts x is ",
        "new () => ",
    ] {
        for times in [1_000, 100_000] {
            survives(open, &format!("type X = {}", open.repeat(times)));
        }
    }
    survives("as", &format!("x{}", " as any".repeat(100_000)));
    survives("non-null", &format!("x{}", "!".repeat(100_000)));
    survives("decorators", &"@a ".repeat(100_000));
    survives(
        "namespaces",
        &format!("namespace {} {{}}", "a.".repeat(100_000)),
    );
}

#[test]
fn deep_blocks_are_survived() {
    let indented = |keyword: &str, depth: usize| -> String {
        let lines = (0..depth).map(|n| format!("{}{keyword}\n", " ".repeat(n)));
        lines.collect()
    };
    for keyword in [
        "if a:",
        "def f():",
        "class A:",
        "try:",
        "with a:",
        "match a:",
        "for a in b:",
    ] {
        survives(keyword, &indented(keyword, 1_200));
    }
    let elifs = format!("if a:\n pass\n{}", "elif a:\n pass\n".repeat(50_000));
    survives("elif", &elifs);
    survives("else if", &"if (a) {} else ".repeat(50_000));
    survives("blocks", &"{".repeat(1_000_000));
    survives("functions", &"function f() {".repeat(60_000));
    survives("r functions", &"f <- function(x) {".repeat(50_000));
    survives(
        "match patterns",
        &format!("match a:\n case {}", "[".repeat(100_000)),
    );
    survives("try", &"try { ".repeat(100_000));
    survives("tryCatch", &"tryCatch(".repeat(100_000));
    survives("require", &"if (require(x)) {".repeat(50_000));
}

#[test]
fn odd_bytes_are_survived() {
    let odd = [
        "\0".repeat(1_000),
        "\u{feff}import os\n".to_owned(),
        "import os\r\nimport sys\r\n".to_owned(),
        "import os\rimport sys\r".to_owned(),
        "\u{2028}\u{2029}\u{85}\u{a0}".repeat(100),
        "é漢🦀\u{202e}".repeat(1_000),
        "\\".repeat(100_000),
        "\"".repeat(100_001),
        "'''".repeat(100_001),
        "`".repeat(100_001),
        "#".repeat(1_000_000),
        "/*".repeat(100_000),
        "/".repeat(100_000),
        "%".repeat(100_000),
        "%%bash\n".repeat(50_000),
        "!pip install a\n".repeat(50_000),
        "import a\n".repeat(100_000),
        "library(a)\n".repeat(90_000),
        "require('a');".repeat(70_000),
        "\n".repeat(1_000_000),
        "1".repeat(1_000_000),
        "0x".to_owned() + &"f".repeat(100_000),
        "r\"---(".repeat(50_000),
        "a".repeat(1_000_000),
        "[".repeat(1 << 20),
        "x".repeat((1 << 20) + 1),
    ];
    for code in odd {
        survives(
            &format!("{:?}", code.chars().take(10).collect::<String>()),
            &code,
        );
    }
}

#[test]
fn code_that_is_too_large_is_not_parsed() {
    let analysis = analyse(Language::Python, &"x\n".repeat(1 << 20), &[]);
    assert_eq!(analysis.skipped, Some(Skipped::TooLarge));
    let deep = format!(
        "import os\nx = {}1{}",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    for language in [Language::Python, Language::JavaScript, Language::TypeScript] {
        assert_eq!(
            analyse(language, &deep, &[]).skipped,
            Some(Skipped::TooDeep)
        );
    }
}

#[test]
fn long_code_that_is_flat_is_parsed() {
    let rows = "    {'name': 'a', 'values': [1, 2, 3], 'nested': {'x': -1.5}},\n".repeat(10_000);
    let code = format!("import pandas as pd\nrows = [\n{rows}]\nimport numpy\n");
    let analysis = analyse(Language::Python, &code, &[]);
    assert_eq!(analysis.skipped, None);
    assert_eq!(analysis.imports.len(), 2);
}

/// Pieces that make code which looks real, and breaks in many ways.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "import ",
        "from ",
        "os",
        ".",
        "path",
        " as x",
        "\n",
        "\n    ",
        "try:\n",
        "except ImportError:\n",
        "if TYPE_CHECKING:\n",
        "def f():\n",
        "library(",
        "dplyr",
        ")",
        "(",
        "require",
        "'",
        "\"",
        "`",
        "pkg::fun",
        "<- ",
        "c(",
        ",",
        "%",
        "!",
        "%%bash\n",
        "pip install ",
        "numpy",
        "{",
        "}",
        "[",
        "]",
        "=> ",
        "await ",
        "import(",
        "export * from ",
        "/* ",
        "*/",
        "// ",
        "# ",
        "f'{",
        "${",
        "x",
        "1",
        " = ",
        ":",
        ";",
        "lambda ",
        "type ",
        "enum A {",
        "<T>",
        "/",
        "\\",
        "é",
        "\0",
        "\r\n",
        "# /// script\n",
        "# dependencies = ['a']\n",
        "# ///\n",
        "function(x) ",
        "if (",
        "else ",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Real code with characters taken out, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let real = prop::sample::select(vec![PYTHON, JAVASCRIPT, R]);
    let change = (any::<prop::sample::Index>(), 0..3_u8, any::<char>());
    (real, prop::collection::vec(change, 1..12)).prop_map(|(code, changes)| {
        let mut chars: Vec<char> = code.chars().collect();
        for (at, how, c) in changes {
            let at = at.index(chars.len());
            match how {
                0 => {
                    chars.remove(at);
                }
                1 => chars.insert(at, chars[at]),
                _ => chars[at] = c,
            }
        }
        chars.into_iter().collect()
    })
}

const PYTHON: &str = "\
%matplotlib inline
!pip install -q seaborn
import sys, os.path as p
from collections import (Counter,
    OrderedDict as OD)
try:
    import numpy as np
except (ImportError, ValueError):
    np = None
def f(x: 'int' = 1, *args, **kw) -> str:
    import pandas as pd
    return f\"{x!r:>{10}} {pd.DataFrame({'a': [1]})}\"
class A(metaclass=type):
    async def g(self):
        async with x as y: await y
match f():
    case {'a': [1, *rest]} if rest: pass
    case _: print(lambda: (yield))
";
const JAVASCRIPT: &str = "\
import _, { map as m } from 'lodash/fp';
import type { A } from './types';
export * from \"zod\";
const { readFile } = require('node:fs/promises');
async function main(x = /a[/]b/g, { y } = {}) {
  try { require('sharp') } catch { }
  const mod = await import(`dayjs`);
  return `${x}${y?.z ?? <number>1} ${`nested ${mod}`}`;
}
label: for (const [k, v] of Object.entries({ a: 1 })) { if (k) continue label; else break; }
main().then((r) => console.log(r));
";
const R: &str = "\
library(dplyr); suppressPackageStartupMessages(library(\"tidyr\"))
if (!requireNamespace('ggplot2', quietly = TRUE)) install.packages(c('ggplot2', \"scales\"))
df <- data.frame(x = 1:10) |> dplyr::mutate(y = x^2, `odd name` = r\"(raw)\")
for (p in c('a', 'b')) library(p, character.only = TRUE)
f <- function(x, ...) { tryCatch(stop('x'), error = \\(e) NULL); x[[1]]$y@z }
df %>% filter(y > 5 & !is.na(x)) %>% { print(.) }
";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_text_is_survived(code in ".{0,300}") {
        for language in LANGUAGES {
            let once = analyse(language, &code, &[]);
            prop_assert_eq!(once, analyse(language, &code, &[]));
        }
    }

    #[test]
    fn nearly_code_is_survived(code in prop_oneof![pieces(), mutated()]) {
        for language in LANGUAGES {
            let once = analyse(language, &code, &[]);
            for import in &once.imports {
                prop_assert!(!import.module.is_empty() && !import.root.is_empty());
                prop_assert!(import.line as usize <= code.lines().count().max(1) + 1);
            }
            // No line has moved in what is run. An error of TypeScript alone is raised instead.
            let raised = language == Language::TypeScript && once.syntax_error.is_some();
            if let (Some(runnable), false) = (&once.runnable, raised) {
                let ends = |text: &str| text.matches('\n').count();
                prop_assert_eq!(ends(runnable), ends(&code));
            }
            prop_assert_eq!(once, analyse(language, &code, &[]));
        }
    }

    #[test]
    fn files_are_survived(main in pieces(), helper in pieces(), path in "[a-z./]{0,12}") {
        for language in LANGUAGES {
            let files = [
                SourceFile { path: &path, content: helper.as_bytes() },
                SourceFile { path: "x.py", content: helper.as_bytes() },
                SourceFile { path: "os/__init__.py", content: b"\xff" },
            ];
            prop_assert_eq!(analyse(language, &main, &files), analyse(language, &main, &files));
        }
    }
}
