//! Nothing of one execution is seen by another, and nothing of the host by any.

use std::fmt::Write as _;

use sandgate_core::{Language, Status};

use crate::harness::{Snippet, in_both_modes};

/// Runs `plant`, then `look` in the same place, which must print `expected`.
fn planted(language: Language, plant: &str, look: &str, expected: &str) {
    in_both_modes(async |mode, executor| {
        let report = Snippet::new(language, plant).on(&*executor).await;
        report.assert_status(Status::Ok);
        let report = Snippet::new(language, look).on(&*executor).await;
        report.assert_status(Status::Ok);
        assert_eq!(report.stdout(), expected, "{mode:?}: {}", report.summary());
    });
}

macro_rules! planted {
    ($language:ident; $($name:ident: $plant:expr, then $look:expr, prints $expected:expr;)+) => {
        $(#[test] fn $name() { planted(Language::$language, $plant, $look, $expected); })+
    };
}

mod python {
    use super::*;

    planted! { Python;
        builtins: "import builtins; builtins.planted = 1; builtins.len = None",
            then "import builtins; print(hasattr(builtins, 'planted'), len([1]))", prints "False 1\n";
        modules: "import sys, types; sys.modules['planted'] = types.ModuleType('planted'); sys.path.append('/x'); sys.modules.pop('json')",
            then "import sys; print('planted' in sys.modules, '/x' in sys.path, 'json' in sys.modules)", prints "False False True\n";
        module_attributes: "import json, os; json.planted = 1; json.loads = None; os.sep = 'x'",
            then "import json, os; print(hasattr(json, 'planted'), json.loads('1'), os.sep)", prints "False 1 /\n";
        class_attributes: "import collections; collections.ChainMap.planted = 1; collections.ChainMap.keys = None",
            then "import collections; print(hasattr(collections.ChainMap, 'planted'), list(collections.ChainMap({'a': 1}).keys()))", prints "False ['a']\n";
        globals: "planted = 1; import __main__; __main__.also = 2",
            then "print('planted' in globals(), 'also' in globals())", prints "False False\n";
        interpreter_settings: "import sys, gc, locale, warnings; sys.setrecursionlimit(77); gc.disable(); sys.set_int_max_str_digits(0); sys.settrace(lambda *a: None); sys.excepthook = None; warnings.simplefilter('error')",
            then "import sys, gc; print(sys.getrecursionlimit() > 77, gc.isenabled(), sys.get_int_max_str_digits(), sys.gettrace(), sys.excepthook is None)", prints "True True 4300 None False\n";
        decimal_context: "import decimal; decimal.getcontext().prec = 3",
            then "import decimal; print(decimal.getcontext().prec)", prints "28\n";
        regular_expression_cache: "import re; re.compile('planted(a)(b)')",
            then "import re; print([key for key in re._cache if 'planted' in str(key)])", prints "[]\n";
        interned_texts_and_caches: "import sys, functools; sys.intern('plan' + 'ted'); import fnmatch; fnmatch.fnmatch('a', 'planted')",
            then "import fnmatch; print(fnmatch._compile_pattern.cache_info().currsize)", prints "0\n";
        exit_handlers: "import atexit; atexit.register(print, 'from before')", then "print('only this')", prints "only this\n";
        environment_and_folder: "import os; os.environ['PLANTED'] = '1'; os.mkdir('/work/d'); os.chdir('/work/d')",
            then "import os; print(os.environ.get('PLANTED'), os.getcwd())", prints "None /work\n";
        files: "open('/work/planted', 'w').write('x'); open('/tmp/planted', 'w').write('x')",
            then "import os; print(os.listdir('/work'), os.listdir('/tmp'))", prints "[] []\n";
        open_files: "import os; keep = [os.open('/work/planted', os.O_CREAT | os.O_RDWR) for _ in range(20)]",
            then "import os; print(os.open('/work/mine', os.O_CREAT | os.O_RDWR) < 10)", prints "True\n";
        buffered_output: "import sys; sys.stdout.write('left over'); sys.stderr.write('left over')",
            then "print('mine')", prints "mine\n";
        databases: "import sqlite3; sqlite3.connect('/tmp/planted.db').execute('create table t(x)')",
            then "import sqlite3; print(sqlite3.connect('/tmp/planted.db').execute('select count(*) from sqlite_master').fetchone())", prints "(0,)\n";
        monkey_patched_interpreter_types: "import gc; gc.get_referents(dict.__dict__)[0]['planted'] = lambda self: 1",
            then "print(hasattr({}, 'planted'))", prints "False\n";
        small_integers_and_constants: "import gc; gc.get_referents(bool.__dict__)[0]['__repr__'] = lambda self: 'planted'",
            then "print(True, 5 + 0)", prints "True 5\n";
    }
}

mod javascript {
    use super::*;

    planted! { JavaScript;
        globals: "globalThis.planted = 1; var also = 2; Object.prototype.third = 3",
            then "console.log(typeof planted, typeof also, ({}).third)", prints "undefined undefined undefined\n";
        built_ins: "Array.prototype.map = null; JSON.stringify = () => 'planted'; Math.max = () => 'planted'",
            then "console.log([1].map(x => x + 1), JSON.stringify({}), Math.max(1, 2))", prints "[ 2 ] {} 2\n";
        console: "console.log = () => {}; process.stdout.write = () => {}", then "console.log('works')", prints "works\n";
        modules: "require('util').planted = 1; require('fs').readFileSync = null",
            then "console.log(require('util').planted, typeof require('fs').readFileSync)", prints "undefined function\n";
        symbols: "Symbol.for('planted').description; globalThis[Symbol.for('planted')] = 1",
            then "console.log(globalThis[Symbol.for('planted')])", prints "undefined\n";
        environment_and_folder: "process.env.PLANTED = '1'; process.chdir && (require('fs').mkdirSync('/work/d'), process.chdir('/work/d'))",
            then "console.log(process.env.PLANTED, process.cwd())", prints "undefined /work\n";
        files: "const fs = require('fs'); fs.writeFileSync('/work/planted', 'x'); fs.writeFileSync('/tmp/planted', 'x')",
            then "const fs = require('fs'); console.log(fs.readdirSync('/work'), fs.readdirSync('/tmp'))", prints "[] []\n";
        timers: "setTimeout(() => {}, 0); queueMicrotask(() => {}); process.exitCode = 0",
            then "setTimeout(() => console.log('mine'), 1); console.log(process.exitCode)", prints "undefined\nmine\n";
        exit_handlers: "process.on('exit', () => console.log('from before'))", then "console.log('only this')", prints "only this\n";
        fresh_memory: "globalThis.keep = new Uint8Array(64 << 20).fill(0x5a)",
            then "const a = new Uint8Array(64 << 20), b = Buffer.allocUnsafe(1 << 20); let n = 0; for (let i = 0; i < a.length; i += 4096) n += a[i]; for (let i = 0; i < b.length; i += 64) n += b[i]; console.log(n)", prints "0\n";
    }
}

/// Python code that reads the whole memory of its instance, as `memory`, up to the end of an
/// allocation made last.
///
/// CPython does not check the index of `LOAD_CONST`: one that leads out of the code's constants
/// and into a `bytes` finds there the address of a forged `bytearray` that starts at zero.
const WHOLE_MEMORY: &str = r#"
import opcode, struct

def forge(size):
    fake = struct.pack('<IIIIIII', 1 << 20, id(bytearray), size, size, 0, 0, 0)
    cell = struct.pack('<I', id(fake) + 16)
    constants = (None,)
    index = ((id(cell) + 16 - id(constants) - 12) % 2**32) // 4
    code = [opcode.opmap['RESUME'], 0]
    for shift in (24, 16, 8):
        code += [opcode.opmap['EXTENDED_ARG'], index >> shift & 255]
    code += [opcode.opmap['LOAD_CONST'], index & 255, opcode.opmap['RETURN_VALUE'], 0]
    def f(): pass
    f.__code__ = f.__code__.replace(co_code=bytes(code), co_consts=constants)
    return f(), fake, cell

last = bytearray(32 << 20)
memory, *keep = forge(2**31 - 1)
start, = struct.unpack_from('<I', memory, id(last) + 20)
memory, *keep2 = forge(start + len(last))
"#;

/// Marks memory so that a copy of the mark in the source is none of its repetitions.
const MARK: &str =
    "mark = bytes(b ^ 0x55 for b in b'\\x11\\x90\\x3a\\x77\\xfe\\x08\\x62\\x4d') * 8\n";

#[test]
fn memory_of_an_execution_before() {
    in_both_modes(async |mode, executor| {
        let count = |plant: &str| {
            let mut code = String::from(MARK);
            writeln!(code, "{plant}{WHOLE_MEMORY}print(memory.count(mark))").unwrap();
            Snippet::python(code).limits(|limits| limits.fuel *= 4)
        };
        let number = |text: String| text.trim().parse::<u64>().unwrap();

        // The method works: an execution finds what it planted itself.
        let planted = count("planted = mark * (64 << 14)\n").on(&*executor).await;
        planted.assert_status(Status::Ok);
        assert!(number(planted.stdout()) >= 1 << 20, "{}", planted.summary());

        // The next finds no more of it than the mark it looks for, and copies of that.
        let found = count("").on(&*executor).await;
        found.assert_status(Status::Ok);
        let clean = number(found.stdout());
        assert!(clean < 10, "{mode:?}: {}", found.summary());

        // Nor does it find what JavaScript planted in the same place.
        let other = "const mark = [0x44, 0xc5, 0x6f, 0x22, 0xab, 0x5d, 0x37, 0x18];\n\
            globalThis.keep = new Uint8Array(64 << 20);\n\
            for (let i = 0; i < 8; i++) keep[i] = mark[i];\n\
            for (let n = 8; n < keep.length; n *= 2) keep.copyWithin(n, 0, n);";
        let report = Snippet::javascript(other).on(&*executor).await;
        report.assert_status(Status::Ok);
        let found = count("").on(&*executor).await;
        found.assert_status(Status::Ok);
        assert_eq!(
            number(found.stdout()),
            clean,
            "{mode:?}: {}",
            found.summary()
        );
    });
}

#[test]
fn memory_of_an_execution_that_was_cut_short() {
    in_both_modes(async |mode, executor| {
        let plant = format!("{MARK}planted = mark * (64 << 14)\nwhile True: pass");
        let report = Snippet::python(plant)
            .limits(|limits| limits.timeout_ms = 500)
            .on(&*executor)
            .await;
        assert!(!report.outcome.status.is_complete(), "{}", report.summary());
        let look = format!("{MARK}{WHOLE_MEMORY}print(memory.count(mark) < 10)");
        let report = Snippet::python(look)
            .limits(|limits| limits.fuel *= 4)
            .on(&*executor)
            .await;
        assert_eq!(report.stdout(), "True\n", "{mode:?}: {}", report.summary());
    });
}

#[test]
fn randomness_is_new_in_every_execution() {
    let sources = [
        (Language::Python, "import random; print(random.random())"),
        (
            Language::Python,
            "import random; print(random.Random().random())",
        ),
        (
            Language::Python,
            "import random; print(random.getrandbits(64))",
        ),
        (
            Language::Python,
            "import random; x = list(range(1000)); random.shuffle(x); print(x)",
        ),
        (Language::Python, "import uuid; print(uuid.uuid4())"),
        (Language::Python, "import os; print(os.urandom(8))"),
        (
            Language::Python,
            "import secrets; print(secrets.token_hex())",
        ),
        (
            Language::Python,
            "import tempfile; print(tempfile.mkstemp()[1])",
        ),
        (
            Language::Python,
            "import tempfile; print(tempfile.mkdtemp())",
        ),
        (
            Language::Python,
            "import sqlite3; print(sqlite3.connect(':memory:').execute('select random(), hex(randomblob(8))').fetchone())",
        ),
        (Language::JavaScript, "console.log(Math.random())"),
        (Language::JavaScript, "console.log(crypto.randomUUID())"),
        (
            Language::JavaScript,
            "console.log(crypto.getRandomValues(new Uint8Array(16)))",
        ),
    ];
    in_both_modes(async |mode, executor| {
        for (language, code) in sources {
            let run = async |seed: Option<u64>| {
                let snippet = Snippet::new(language, code);
                let snippet = match seed {
                    Some(seed) => snippet.seed(seed),
                    None => snippet,
                };
                let report = snippet.on(&*executor).await;
                report.assert_status(Status::Ok);
                report.stdout()
            };
            let context = format!("{mode:?}: {code}");
            assert_ne!(run(None).await, run(None).await, "{context}");
            assert_eq!(run(Some(7)).await, run(Some(7)).await, "{context}");
            assert_ne!(run(Some(7)).await, run(Some(8)).await, "{context}");
            assert_ne!(run(Some(0)).await, run(None).await, "{context}");
        }
    });
}

/// Ways to the host's files, relative to where a snippet starts.
const HOST_PATHS: [&str; 18] = [
    "/etc/passwd",
    "/etc/hostname",
    "/proc/self/environ",
    "/proc/self/maps",
    "/proc/1/cmdline",
    "/sys/kernel",
    "/dev/mem",
    "/dev/random",
    "/root",
    "/home",
    "/usr/bin/env",
    "../etc/passwd",
    "../../../../../../etc/passwd",
    "/work/../../etc/passwd",
    "/tmp/../etc/../etc/passwd",
    "//etc/passwd",
    "/./etc/./passwd",
    "/work/x/../../../etc/passwd",
];

#[test]
fn no_host_file_in_python() {
    in_both_modes(async |_, executor| {
        let code = "import json, os, sys\n\
             for path in json.load(sys.stdin):\n    \
                 for way in (open, os.listdir, os.stat, os.readlink):\n        \
                     try:\n            \
                         way(path); print('reached', path, way)\n        \
                     except OSError: pass\n\
             print(sorted(os.listdir('/')))";
        let report = Snippet::python(code)
            .stdin(serde_json::to_string(&HOST_PATHS).unwrap())
            .on(&*executor)
            .await;
        report.assert_prints("['dev', 'tmp', 'work']\n");
    });
}

#[test]
fn no_host_file_in_javascript() {
    in_both_modes(async |_, executor| {
        let code = "const fs = require('fs');\n\
             for (const path of JSON.parse(fs.readFileSync(0, 'utf8')))\n\
                 for (const way of ['readFileSync', 'readdirSync', 'statSync', 'openSync'])\n\
                     try { fs[way](path); console.log('reached', path, way); } catch {}\n\
             console.log(fs.readdirSync('/').sort());";
        let report = Snippet::javascript(code)
            .stdin(serde_json::to_string(&HOST_PATHS).unwrap())
            .on(&*executor)
            .await;
        report.assert_prints("[ 'dev', 'tmp', 'work' ]\n");
    });
}

#[test]
fn no_host_file_through_links() {
    in_both_modes(async |_, executor| {
        let code = "import os\n\
             for target in ('/etc/passwd', '../../../etc/passwd', '/', '..', '/proc/self/root/etc/passwd'):\n    \
                 for make in (os.symlink, os.link):\n        \
                     try:\n            \
                         make(target, 'way')\n        \
                     except OSError: continue\n        \
                     try:\n            \
                         print('reached', open('way/etc/passwd' if target in '/..' else 'way').read())\n        \
                     except OSError: pass\n        \
                     os.remove('way')\n\
             print('ended')";
        Snippet::python(code)
            .on(&*executor)
            .await
            .assert_prints("ended\n");
    });
}

#[test]
fn no_host_file_among_the_artifacts_of_links() {
    in_both_modes(async |_, executor| {
        let code = "import os\n\
             for i, target in enumerate(('/etc/passwd', '../../etc/passwd', '/tmp/secret')):\n    \
                 try: os.symlink(target, f'/work/link{i}')\n    \
                 except OSError: pass\n\
             open('/work/real', 'w').write('x')";
        let report = Snippet::python(code).on(&*executor).await;
        report.assert_status(Status::Ok);
        let paths: Vec<_> = report.outcome.artifacts.iter().map(|a| &a.path).collect();
        assert_eq!(paths, ["real"]);
    });
}

#[test]
fn no_host_environment() {
    // This process has an environment, so there is something to leak.
    assert!(std::env::var_os("PATH").is_some());
    in_both_modes(async |_, executor| {
        // The guests' own, the same on every host.
        let own = "{\"HOME\": \"/work\", \"LANG\": \"C.UTF-8\"}";
        Snippet::python("import json, os; print(json.dumps(dict(os.environ)))")
            .on(&*executor)
            .await
            .assert_prints(&format!("{own}\n"));
        let report = Snippet::javascript("console.log(Object.keys(process.env).sort().join())")
            .on(&*executor)
            .await;
        assert!(
            ["\n", "HOME\n", "HOME,LANG\n"].contains(&report.stdout().as_str()),
            "{}",
            report.summary()
        );
        Snippet::python("import os; print(os.environ['GIVEN'], os.getenv('PATH'))")
            .env("GIVEN", "yes")
            .on(&*executor)
            .await
            .assert_prints("yes None\n");
    });
}

#[test]
fn no_host_identity() {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    in_both_modes(async |mode, executor| {
        let code = "import os, platform, socket, sys\n\
             def show(f):\n    \
                 try: print(f())\n    \
                 except Exception as e: print(type(e).__name__)\n\
             for f in (lambda: os.uname(), platform.node, platform.platform, platform.release, lambda: os.getpid(), lambda: os.getppid(),\n\
                       lambda: os.cpu_count(), lambda: os.getloadavg(), lambda: os.getlogin(), os.getcwd, lambda: sys.argv, lambda: sys.executable,\n\
                       lambda: sys.path, lambda: sys.prefix, lambda: __file__, lambda: os.path.expanduser('~'),\n\
                       lambda: socket.gethostname()):\n    show(f)";
        let report = Snippet::python(code).on(&*executor).await;
        report.assert_status(Status::Ok);
        let shown = report.stdout();
        let pid = std::process::id().to_string();
        for secret in [host.trim(), kernel.trim(), env!("CARGO_MANIFEST_DIR"), &pid] {
            assert!(
                !shown.lines().any(|line| line.contains(secret)),
                "{mode:?}: {secret} in {shown}"
            );
        }
    });
}

#[test]
fn no_more_of_the_clock_than_wasi_gives() {
    in_both_modes(async |_, executor| {
        let code = "import time\n\
             for name in ('clock_settime', 'clock_getres'):\n    \
                 if name == 'clock_settime' and hasattr(time, name):\n        \
                     try: time.clock_settime(time.CLOCK_REALTIME, 0)\n        \
                     except OSError: pass\n\
             print(abs(time.time() - float(input())) < 60)";
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Snippet::python(code)
            .stdin(now.as_secs_f64().to_string())
            .on(&*executor)
            .await
            .assert_prints("True\n");
    });
}
