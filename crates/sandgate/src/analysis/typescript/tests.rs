use sandgate_core::Language;

use crate::analysis::analyse;
use crate::analysis::tests::files;

fn strip(code: &str) -> String {
    let analysis = analyse(Language::TypeScript, code, &[]);
    assert_eq!(
        (analysis.syntax_error, analysis.skipped),
        (None, None),
        "{code}"
    );
    let stripped = analysis.runnable.unwrap();
    let again = analyse(Language::JavaScript, &stripped, &[]);
    assert_eq!(again.syntax_error, None, "{stripped}");
    assert_eq!(stripped.lines().count(), code.lines().count(), "{stripped}");
    stripped
}

/// Without the spaces that the types left.
fn squeezed(code: &str) -> String {
    let stripped = strip(code);
    stripped.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn types_are_blanked_in_place() {
    assert_eq!(
        strip("const x: number = f<string>(y as any)!; // é: x\n"),
        "const x         = f        (y       ) ; // é: x\n"
    );
    for (typescript, javascript) in [
        ("let a: string | null", "let a ;"),
        (
            "function f<T extends A>(this: B, a?: T, ...r: T[]): a is C { return a }",
            "function f ( a , ...r ) { return a }",
        ),
        ("const f = <T,>(a: T): T => a", "const f = (a ) => a"),
        ("let x = <any>y", "let x = y"),
        ("const o = { a: 1 } satisfies T", "const o = { a: 1 } ;"),
        ("let d!: Date", "let d ;"),
        ("try {} catch (e: unknown) {}", "try {} catch (e ) {}"),
        (
            "for (const x of y as number[]) f(x!)",
            "for (const x of y ) f(x )",
        ),
        ("new Map<string, Array<number>>()", "new Map ()"),
        (
            "abstract class A<T> extends B<T> implements C, D { private readonly x?: T = 1; abstract y(): void; static z: T; declare w: T }",
            "class A extends B { x = 1; ; static z ; ; }",
        ),
        (
            "class A { [key: string]: any; public async *f?(): any {} }",
            "class A { ; ; async *f () {} }",
        ),
        (
            "function f(a: string): void\nfunction f(a: number): void\nfunction f(a: any) {}",
            "; ; function f(a ) {}",
        ),
    ] {
        assert_eq!(squeezed(typescript), javascript, "{typescript}");
    }
}

#[test]
fn statements_of_types_are_dropped() {
    for code in [
        "type A = { b: string }",
        "interface A { b(): void }",
        "export interface A {}",
        "export type { A } from './a'",
        "import type { A } from './a'",
        "import { type A } from './a'",
        "import { A } from './a'; let x: A",
        "declare const x: number",
        "declare module 'x' { export const y: number }",
        "declare global { interface Window {} }",
        "export declare function f(): void",
        "namespace N { export type A = 1 }",
        "declare enum E { A }",
    ] {
        let left = squeezed(code);
        let left = left.replace("let x", "");
        assert!(left.chars().all(|c| c == ';' || c == ' '), "{code}: {left}");
    }
}

#[test]
fn imports_are_kept_where_a_value_is_used() {
    assert_eq!(
        squeezed("import D, { A, b } from 'x'; b(); let y: D"),
        "import { b } from 'x'; b(); let y ;"
    );
    assert_eq!(
        squeezed("import * as z from 'zod'; z.string()"),
        "import * as z from 'zod'; z.string()"
    );
    assert_eq!(squeezed("import 'side'"), "import 'side'");
    assert_eq!(
        squeezed("import { A } from 'x'; export { A }"),
        "import { A } from 'x'; export { A }"
    );
    assert_eq!(
        squeezed("import fs = require('fs'); fs.x"),
        "const fs = require('fs'); fs.x"
    );
}

#[test]
fn the_next_line_does_not_go_on() {
    assert_eq!(strip("x as any\n(y)"), "x      ;\n(y)");
    assert_eq!(strip("foo\ntype X = 1\n(bar)"), "foo\n;         \n(bar)");
    assert_eq!(
        strip("class A {\n a: number\n ['b'] = 1\n}"),
        "class A {\n a       ;\n ['b'] = 1\n}"
    );
    assert_eq!(strip("let f = (a): {\n} => 1"), "let f = (a    \n) => 1");
}

#[test]
fn enums_are_rewritten_in_their_lines() {
    let code = "enum A {\n  B,\n  C = 5,\n  'd-e',\n  F = B | C, // last\n}\nconsole.log(A.B)\n";
    let out = strip(code);
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = out.lines().map(squeeze).collect();
    assert!(lines[0].starts_with("var A = "), "{out}");
    assert!(
        lines[1].contains("const B = $member(\"B\", $value + 1);"),
        "{out}"
    );
    assert!(lines[2].contains("const C = $member(\"C\", 5);"), "{out}");
    assert!(lines[3].contains("$member(\"d-e\", $value + 1);"), "{out}");
    assert!(
        lines[4].contains("const F = $member(\"F\", B | C);"),
        "{out}"
    );
    assert!(lines[5].contains("return A; })(A || {});"), "{out}");
    assert_eq!(lines[6], "console.log(A.B)");
    strip("export const enum E { default, A = 'x' }");
}

#[test]
fn namespaces_and_parameter_properties() {
    let out = squeezed(
        "namespace A.B { export const x = 1; function y() {} export function z(): void {} }",
    );
    assert_eq!(
        out,
        "var A = ((A) => { var B = A.B = ((B) => { const x = B.x = 1; function y() {} \
         function z() {} B.z = z; return B; })(A.B || {}); return A; })(A || {});"
    );
    assert_eq!(
        squeezed("class A { constructor(private a: string, readonly b = 1) { f() } }"),
        "class A { constructor( a , b = 1) { this.a = a; this.b = b; f() } }"
    );
    assert_eq!(
        squeezed("class A extends B { constructor(public a: string) { super(a); f() } }"),
        "class A extends B { constructor( a ) { super(a);; this.a = a; f() } }"
    );
}

#[test]
fn a_syntax_error_is_raised_where_it_is() {
    let analysis = analyse(
        Language::TypeScript,
        "let x: number = 1\n\n  const = 2\n",
        &[],
    );
    assert_eq!(analysis.syntax_error, Some(3));
    let runnable = analysis.runnable.unwrap();
    let line = runnable.lines().nth(2).unwrap();
    assert!(
        line.trim_start().starts_with("throw new SyntaxError(\""),
        "{runnable}"
    );
}

#[test]
fn files_are_stripped_too() {
    let files = files([
        (
            "lib/a.ts",
            "import { b } from './b'; export const a: number = b",
        ),
        ("lib/b.ts", "export const b: number = 1"),
        ("other.ts", "let x: number"),
    ]);
    let analysis = analyse(
        Language::TypeScript,
        "import { a } from './lib/a.js'; f(a)",
        &files,
    );
    let paths: Vec<_> = analysis
        .runnable_files
        .iter()
        .map(|file| &*file.path)
        .collect();
    assert_eq!(paths, ["lib/a.js", "lib/a.ts", "lib/b.js", "lib/b.ts"]);
    assert_eq!(
        analysis.runnable_files[2].code,
        "export const b         = 1"
    );
}
