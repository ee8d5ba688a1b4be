use super::*;
use crate::analysis::tests::{self, files, hints};
use crate::analysis::{Analysis, analyse};
use sandgate_core::Language;

fn python(code: &str) -> Analysis {
    analyse(Language::Python, code, &[])
}

fn imports(code: &str) -> Vec<String> {
    tests::imports(Language::Python, code)
}

#[test]
fn every_form_of_import() {
    let analysis = python(
        "import os, os.path as p\nfrom a.b import c, d as e\nfrom f import *\n\
         import importlib; importlib.import_module('g.h')\n__import__(\"i\")\n",
    );
    let found: Vec<_> = analysis
        .imports
        .iter()
        .map(|i| (i.line, &*i.module, &*i.root, i.names.join(" "), i.dynamic))
        .collect();
    let none = String::new;
    assert_eq!(
        found,
        [
            (1, "os", "os", none(), false),
            (1, "os.path", "os", none(), false),
            (2, "a.b", "a", "c d".into(), false),
            (3, "f", "f", none(), false),
            (4, "importlib", "importlib", none(), false),
            (4, "g.h", "g", none(), true),
            (5, "i", "i", none(), true),
        ]
    );
}

#[test]
fn strings_and_comments_are_not_code() {
    let code = "'''\nimport a\n'''\n# import b\nx = \"import c\"\nf'import d {x}'\n";
    assert!(imports(code).is_empty());
}

#[test]
fn the_program_itself_is_no_module_to_look_for() {
    let code =
        "import __main__\nfrom __main__ import f\nimportlib.import_module('__main__')\nimport a";
    assert_eq!(imports(code), ["a Unconditional"]);
}

#[test]
fn guards() {
    for (handler, place) in [
        ("except ImportError: numpy = None", "Guarded"),
        ("except ModuleNotFoundError as e: pass", "Guarded"),
        ("except (OSError, ImportError): pass", "Guarded"),
        ("except: pass", "Guarded"),
        ("except Exception: HAVE = False", "Guarded"),
        ("except ValueError: pass", "Unconditional"),
        (
            "except ImportError: raise SystemExit('install numpy')",
            "Unconditional",
        ),
        (
            "except ImportError:\n print('no')\n sys.exit(1)",
            "Unconditional",
        ),
        (
            "except ImportError: os.system('pip install numpy')",
            "Unconditional",
        ),
        ("except ImportError:\n  !pip install numpy", "Unconditional"),
        ("finally: pass", "Unconditional"),
    ] {
        let found = imports(&format!("try:\n import numpy\n{handler}\n"));
        assert_eq!(found, [format!("numpy {place}")], "{handler}");
    }
}

#[test]
fn a_program_in_a_broad_try_needs_its_imports() {
    let code =
        "try:\n import pandas as pd\n print(pd.DataFrame())\nexcept Exception as e:\n print(e)";
    assert_eq!(imports(code), ["pandas Unconditional"]);
}

#[test]
fn fallbacks() {
    let code = "try:\n import tomllib\nexcept ImportError:\n import tomli as tomllib\n\
                else:\n import extra\nfinally:\n import last\n";
    assert_eq!(
        imports(code),
        [
            "tomllib Guarded",
            "tomli Fallback",
            "extra Guarded",
            "last Unconditional"
        ]
    );
}

#[test]
fn conditions() {
    for (code, places) in [
        (
            "if TYPE_CHECKING:\n import a\nelse:\n import b",
            ["TypeChecking", "Unconditional"],
        ),
        (
            "if not typing.TYPE_CHECKING:\n import a\nelse:\n import b",
            ["Unconditional", "TypeChecking"],
        ),
        (
            "if __name__ == '__main__':\n import a\n import b",
            ["Unconditional"; 2],
        ),
        ("if x:\n import a\nelif y:\n import b", ["Conditional"; 2]),
        (
            "if sys.version_info >= (3, 11):\n import a\nelse:\n import b",
            ["Unconditional", "TypeChecking"],
        ),
        (
            "if sys.version_info >= (3, 99):\n import a\nelse:\n import b",
            ["Conditional"; 2],
        ),
        ("if find_spec('a'):\n import b", ["Guarded"; 2]),
        (
            "def f():\n import a\nasync def g(x=1):\n import b",
            ["Function"; 2],
        ),
        (
            "class A:\n import a\n def f(self):\n  import b",
            ["Unconditional", "Function"],
        ),
        (
            "for x in y:\n import a\nwhile x:\n import b",
            ["Unconditional"; 2],
        ),
        (
            "match x:\n case 1:\n  import a\n case _:\n  import b",
            ["Conditional"; 2],
        ),
        (
            "with suppress(ImportError):\n import a\n import b",
            ["Guarded"; 2],
        ),
        (
            "def f():\n try:\n  import a\n except ImportError:\n  import b",
            ["Guarded", "Fallback"],
        ),
        (
            "f = lambda: __import__('a')\nx = [__import__('b') for _ in y]",
            ["Function", "Unconditional"],
        ),
    ] {
        let found = imports(code);
        let expected: Vec<String> = ["a", "b"]
            .iter()
            .zip(places)
            .map(|(module, place)| format!("{module} {place}"))
            .collect();
        assert_eq!(found, expected, "{code}");
    }
}

#[test]
fn unknown_names_are_a_hint() {
    for code in [
        "importlib.import_module(name)",
        "__import__(f'{x}')",
        "exec(code)",
        "exec('import a')",
    ] {
        let analysis = python(code);
        assert!(analysis.hints.unknown_imports, "{code}");
        assert!(analysis.imports.is_empty(), "{code}");
    }
    assert!(
        !python("eval('1+1'); eval(x); exec('x = 1')")
            .hints
            .unknown_imports
    );
}

#[test]
fn notebook_lines_are_blanked_in_place() {
    let code = "%matplotlib inline\nimport os\nif x:\n    !pip install -q 'pandas>2' scipy\nfiles = !ls\n?print\ny = %env HOME\n";
    let analysis = python(code);
    assert_eq!(analysis.syntax_error, None);
    assert_eq!(
        analysis.runnable.as_deref(),
        Some(
            "pass              \nimport os\nif x:\n    pass                            \nfiles = [] \npass  \ny = None     \n"
        )
    );
    let lines: Vec<u32> = analysis.magics.iter().map(|magic| magic.line).collect();
    assert_eq!(lines, [1, 4, 5, 6, 7]);
    assert_eq!(analysis.magics[1].text, "!pip install -q 'pandas>2' scipy");
    let declared: Vec<_> = analysis
        .declared
        .iter()
        .map(|d| (&*d.package, d.by, d.line))
        .collect();
    assert_eq!(
        declared,
        [
            ("pandas", DeclaredBy::Magic, 4),
            ("scipy", DeclaredBy::Magic, 4)
        ]
    );
    assert_eq!(python("x = 10\nx %= 3\nprint(x\n  % 2)").runnable, None);
}

#[test]
fn cells_of_other_languages_are_blanked() {
    let analysis = python("%%bash\npip install rich\necho import a\n# %%\nimport b\n");
    assert_eq!(imports("%%bash\nimport a\n"), Vec::<String>::new());
    assert_eq!(analysis.imports.len(), 1);
    assert_eq!(analysis.declared[0].package, "rich");
    assert_eq!(
        analysis.runnable.as_deref(),
        Some("      \n                \n             \n# %%\nimport b\n")
    );
    assert_eq!(imports("%%time\nimport b\n"), ["b Unconditional"]);
    let within = "x = '''\n%%bash\n'''\nimport b\n";
    assert_eq!(python(within).runnable, None, "a string is not a cell");
}

#[test]
fn installers_are_declarations() {
    for code in [
        "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'rich'])",
        "subprocess.run('pip install rich', shell=True)",
        "os.system(\"pip install -U rich\")",
        "pip.main(['install', 'rich'])",
        "# /// script\n# dependencies = [\"rich\"]\n# ///\n",
        "%pip install rich",
        "!python -m pip install rich",
    ] {
        let declared = python(code).declared;
        assert_eq!(declared.len(), 1, "{code}");
        assert_eq!(declared[0].package, "rich", "{code}");
    }
    assert!(
        python("subprocess.run(['ls', 'install'])")
            .declared
            .is_empty()
    );
}

#[test]
fn what_else_it_does() {
    for (code, expected) in [
        (
            "import threading\nthreading.Thread(target=f)",
            hints(|h| h.threads = true),
        ),
        ("import threading\nlock = threading.Lock()", hints(|_| ())),
        (
            "from concurrent.futures import ThreadPoolExecutor",
            hints(|h| h.threads = true),
        ),
        (
            "from concurrent.futures import ProcessPoolExecutor",
            hints(|h| h.multiprocessing = true),
        ),
        (
            "from multiprocessing import Pool",
            hints(|h| h.multiprocessing = true),
        ),
        ("import subprocess", hints(|h| h.subprocess = true)),
        ("import os\nos.system('ls')", hints(|h| h.subprocess = true)),
        ("import os\nos.getcwd()", hints(|_| ())),
        ("import socket", hints(|h| h.sockets = true)),
        ("import urllib.request", hints(|h| h.sockets = true)),
        ("from urllib.parse import quote", hints(|_| ())),
        ("import requests", hints(|h| h.sockets = true)),
        ("import asyncio", hints(|h| h.asyncio = true)),
        ("async def f(): pass", hints(|h| h.asyncio = true)),
    ] {
        assert_eq!(python(code).hints, expected, "{code}");
    }
}

#[test]
fn a_syntax_error_does_not_stop_it() {
    let analysis = python("import a\nx = = 1\nimport b\ndef f(:\n    import c\n");
    assert_eq!(analysis.syntax_error, Some(2));
    let modules: Vec<_> = analysis.imports.iter().map(|i| &*i.module).collect();
    assert_eq!(modules, ["a", "b", "c"]);
}

#[test]
fn files_are_not_packages() {
    let files = files([
        ("helper.py", "import numpy\nfrom pkg import part"),
        (
            "pkg/part.py",
            "from . import other\nfrom .other import x\nimport scipy",
        ),
        ("pkg/other.py", "import numpy"),
        ("unused.py", "import torch"),
    ]);
    let code = "try:\n  import helper\nexcept ImportError:\n  helper = None\nimport json\nfrom . import nothing";
    let analysis = analyse(Language::Python, code, &files);
    let found: Vec<_> = analysis
        .imports
        .iter()
        .map(|i| (&*i.module, i.place))
        .collect();
    assert_eq!(
        found,
        [
            ("json", Place::Unconditional),
            ("numpy", Place::Guarded),
            ("scipy", Place::Guarded)
        ]
    );
    assert_eq!(analysis.local, ["helper.py", "pkg/part.py", "pkg/other.py"]);
}
