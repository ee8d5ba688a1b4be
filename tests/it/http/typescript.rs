//! TypeScript on the real guest: what runs is JavaScript, what is reported is the user's.

use super::*;

#[test]
fn what_is_more_than_types_runs() {
    let service = Service::start();
    let code = "\
enum Color { Red, Green = 5, Blue, Named = 'n', Both = Red | Green }
namespace Geometry { export const TAU = 6.28; export function c(r: number): number { return TAU * r } }
abstract class Shape { constructor(protected readonly name: string, public n = 2) {} abstract area(): number; }
class Square extends Shape {
  private side!: number;
  constructor(side: number) { super('square'); this.side = side }
  area(): number { return this.side ** 2 }
}
const s: Shape = new Square(3);
console.log(Color[0], Color.Blue, Color[6], Color.Named, Color.Both, Geometry.c(1));
console.log(s.area(), (s as any).name, s.n, first<number>([7, 8])!);
function first<T>(xs: T[]): T | undefined { return xs[0]; }
";
    let answer = service.execute(json!({"language": "typescript", "code": code}));
    assert_eq!(answer["status"], "ok", "{answer:#}");
    assert_eq!(
        answer["stdout"], "Red 6 Blue n 5 6.28\n9 square 2 7\n",
        "{answer:#}"
    );
}

#[test]
fn errors_name_the_users_lines() {
    let service = Service::start();
    let code = "interface A {\n  a: number;\n}\nenum E {\n  B,\n}\n\
        function fail(x: A): never {\n  throw new TypeError(`bad ${x.a}`);\n}\nfail({ a: E.B });\n";
    let answer = service.execute(json!({"language": "ts", "code": code}));
    assert_eq!(answer["error"]["type"], "TypeError", "{answer:#}");
    assert_eq!(answer["error"]["line"], 8);
    let traceback = answer["error"]["traceback"].as_str().unwrap();
    assert!(traceback.contains(":10:"), "{traceback}");

    let code = "console.log('before');\nlet x: number = 1;\n\n  const = 2;\n";
    let answer = service.execute(json!({"language": "typescript", "code": code}));
    assert_eq!(answer["status"], "error", "{answer:#}");
    assert_eq!(answer["error"]["type"], "SyntaxError");
    assert_eq!(answer["error"]["line"], 4);
    assert_eq!(answer["stdout"], "", "nothing of it may run");
}

#[test]
fn files_may_be_imported_under_either_name() {
    let service = Service::start();
    let files = json!([
        {"path": "lib/a.ts", "content": "import { b } from './b';\nexport const a: number = b + 1;"},
        {"path": "lib/b.ts", "content": "import type { T } from './types';\nexport const b: T = 1;"},
        {"path": "lib/types.ts", "content": "export type T = number;"},
    ]);
    for name in ["./lib/a", "./lib/a.js", "./lib/a.ts"] {
        let code = format!("import {{ a }} from '{name}';\nconsole.log(a as number);");
        let body = json!({"language": "typescript", "code": code, "files": files});
        let answer = service.execute(body);
        assert_eq!(answer["stdout"], "2\n", "{name}: {answer:#}");
    }
}

#[test]
fn notebook_lines_do_not_run() {
    let service = Service::start();
    let code = "%matplotlib inline\n!touch /work/x\nimport os\nprint(os.listdir('.'))\n1 / 0";
    let answer = service.execute(json!({"language": "python", "code": code}));
    assert_eq!(answer["stdout"], "[]\n", "{answer:#}");
    assert_eq!(answer["error"]["line"], 5);
}
