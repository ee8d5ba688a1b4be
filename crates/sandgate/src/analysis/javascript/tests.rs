use super::*;
use crate::analysis::tests::{files, hints, imports};
use crate::analysis::{Analysis, analyse};

fn javascript(code: &str) -> Analysis {
    analyse(Language::JavaScript, code, &[])
}

#[test]
fn every_form_of_import() {
    let analysis = javascript(
        "import a from 'a';\nimport * as b from \"b/part\";\nimport { c, d as e } from '@s/c/x';\n\
         import 'side';\nexport * from 'f';\nexport { g } from 'g';\n\
         const h = await import('h');\nconst i = await import(`i`);",
    );
    assert_eq!(analysis.form, Form::Module);
    let found: Vec<_> = analysis
        .imports
        .iter()
        .map(|i| (i.line, &*i.module, &*i.root, i.dynamic))
        .collect();
    assert_eq!(
        found,
        [
            (1, "a", "a", false),
            (2, "b/part", "b", false),
            (3, "@s/c/x", "@s/c", false),
            (4, "side", "side", false),
            (5, "f", "f", false),
            (6, "g", "g", false),
            (7, "h", "h", true),
            (8, "i", "i", true),
        ]
    );
    assert_eq!(analysis.imports[2].names, ["c", "d"]);
}

#[test]
fn require_in_its_forms() {
    let code = "const a = require('a');\nconst { b } = require(\"node:b/c\");\nrequire('c').d();\n\
        const load = createRequire(import.meta.url); load('d');\nmodule.require('e');\n\
        const q = require.resolve('f');\nfoo.require('no');";
    assert_eq!(
        imports(Language::JavaScript, code),
        [
            "a Unconditional",
            "node:b/c Unconditional",
            "c Unconditional",
            "d Unconditional",
            "e Unconditional",
            "f Guarded"
        ]
    );
    let script = javascript("const fs = require('fs')");
    assert_eq!(script.form, Form::Script);
    assert!(script.imports[0].dynamic);
}

#[test]
fn places() {
    for (code, place) in [
        ("try { require('a') } catch {}", "Guarded"),
        (
            "let a; try { a = require('a').b } catch (e) { a = null }",
            "Guarded",
        ),
        (
            "try { require('a') } catch (e) { throw e }",
            "Unconditional",
        ),
        (
            "try { require('a') } catch { process.exit(1) }",
            "Unconditional",
        ),
        (
            "try { const a = require('a'); a.run() } catch (e) { console.log(e) }",
            "Unconditional",
        ),
        ("try { } catch { require('a') }", "Fallback"),
        ("import('a').catch(() => null)", "Guarded"),
        ("import('a').then(m => m.x)", "Unconditional"),
        ("function f() { require('a') }", "Function"),
        ("const f = () => import('a')", "Function"),
        ("(async () => { await import('a') })()", "Unconditional"),
        ("(function () { require('a') })()", "Unconditional"),
        ("(() => { require('a') }).call(this)", "Function"),
        ("class A { f() { require('a') } }", "Function"),
        ("class A { static x = require('a') }", "Unconditional"),
        ("if (x) require('a')", "Conditional"),
        ("x && require('a')", "Conditional"),
        ("x ? require('a') : 1", "Conditional"),
        ("switch (x) { case 1: require('a') }", "Conditional"),
    ] {
        let found = imports(Language::JavaScript, code);
        assert_eq!(found, [format!("a {place}")], "{code}");
    }
}

#[test]
fn types_are_not_needed() {
    let code = "import type { A } from 'a';\nimport { type B } from 'b';\nimport { type C, c } from 'c';\n\
        export type { D } from 'd';\nimport e = require('e');\nlet x: import('f').F;\nimport type g from 'g';";
    assert_eq!(
        imports(Language::TypeScript, code),
        [
            "a TypeChecking",
            "b TypeChecking",
            "c Unconditional",
            "d TypeChecking",
            "e Unconditional",
            "g TypeChecking"
        ]
    );
}

#[test]
fn strings_comments_and_expressions_are_not_imports() {
    let code = "// import 'a'\n/* require('b') */ const x = \"import 'c'\"; `require('d')`; /import('e')/;\
        x.import('f'); require; ({ require: 1 });";
    assert!(imports(Language::JavaScript, code).is_empty());
}

#[test]
fn unknown_names_are_a_hint() {
    for code in ["require(name)", "import(`./${x}`)", "import(a + 'b')"] {
        assert!(javascript(code).hints.unknown_imports, "{code}");
    }
}

#[test]
fn typescript_sent_as_javascript_is_told() {
    let analysis = javascript("import { z } from 'zod';\nconst x: number = 1;\nenum A { B }\n");
    assert_eq!(analysis.form, Form::TypeScript);
    assert_eq!(analysis.syntax_error, Some(2));
    assert_eq!(analysis.imports.len(), 1);
    let broken = javascript("const x = 1;\nconst = ;\n");
    assert_eq!((broken.form, broken.syntax_error), (Form::Script, Some(2)));
}

#[test]
fn what_else_it_does() {
    for (code, expected) in [
        ("require('worker_threads')", hints(|h| h.threads = true)),
        ("new Worker('x')", hints(|h| h.threads = true)),
        ("import 'node:cluster'", hints(|h| h.multiprocessing = true)),
        (
            "import { exec } from 'node:child_process'",
            hints(|h| h.subprocess = true),
        ),
        ("fetch('x')", hints(|h| h.sockets = true)),
        ("import http from 'http'", hints(|h| h.sockets = true)),
        ("async function f() {}", hints(|h| h.asyncio = true)),
        ("console.log(1)", hints(|_| ())),
    ] {
        assert_eq!(javascript(code).hints, expected, "{code}");
    }
}

#[test]
fn files_are_not_packages() {
    let files = files([
        ("lib/a.js", "import { b } from './b.js'; import 'lodash'"),
        ("lib/b.ts", "import 'zod'; export const b: number = 1"),
        ("data.json", "{\"a\": 1}"),
    ]);
    let code =
        "import a from './lib/a.js';\nconst data = require('./data.json');\nimport './gone.js'";
    let analysis = analyse(Language::JavaScript, code, &files);
    let modules: Vec<_> = analysis.imports.iter().map(|i| &*i.module).collect();
    assert_eq!(modules, ["lodash", "zod"]);
    assert_eq!(analysis.local, ["lib/a.js", "data.json", "lib/b.ts"]);
}

#[test]
fn roots() {
    for (module, name) in [
        ("lodash", "lodash"),
        ("lodash/fp", "lodash"),
        ("@scope/name", "@scope/name"),
        ("@scope/name/a/b", "@scope/name"),
        ("node:fs/promises", "fs"),
        ("fs/promises", "fs"),
        ("npm:lodash@4.17/fp", "lodash"),
        ("npm:@scope/name@1", "@scope/name"),
        ("https://esm.sh/lodash@4", "https://esm.sh/lodash@4"),
        ("@", "@"),
        ("", ""),
    ] {
        assert_eq!(root(module), name, "{module}");
    }
}
