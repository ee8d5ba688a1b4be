//! What counts as reproducible is so, and `seed` and `now` make everything so.

use std::time::Duration;

use sandgate_core::{Language, Outcome, Status};

use crate::harness::{Builder, Mode, Snippet, block_on, in_both_modes};

const PYTHON: Language = Language::Python;
const JAVASCRIPT: Language = Language::JavaScript;

/// What a snippet observes: neither, the clock, or entropy.
const NOTHING: (bool, bool) = (false, false);
const CLOCK: (bool, bool) = (true, false);
const ENTROPY: (bool, bool) = (false, true);

const OBSERVERS: [(Language, &str, (bool, bool)); 34] = [
    (PYTHON, "print(1 + 1)", NOTHING),
    (
        PYTHON,
        "import random, time, uuid, tempfile, secrets, datetime, json, re, asyncio, logging",
        NOTHING,
    ),
    (
        PYTHON,
        "import random; random.seed(1); print(random.random())",
        NOTHING,
    ),
    (
        PYTHON,
        "import random; print(random.Random(5).random())",
        NOTHING,
    ),
    (
        PYTHON,
        "print({'a', 'b', 'c'}, hash('x'), id(object()), object())",
        NOTHING,
    ),
    (
        PYTHON,
        "import datetime; print(datetime.datetime(2026, 1, 1))",
        NOTHING,
    ),
    (PYTHON, "def f(): 1 / 0\nf()", NOTHING),
    (
        PYTHON,
        "open('a', 'w').write('x'); import os; print(os.listdir())",
        NOTHING,
    ),
    (
        PYTHON,
        "import sys; print(sys.stdin.read(), sys.argv)",
        NOTHING,
    ),
    (
        PYTHON,
        "import xml.etree.ElementTree as tree; print(tree.fromstring('<a b=\"c\"/>').attrib)",
        NOTHING,
    ),
    (
        PYTHON,
        "import sqlite3\nfor name in (':memory:', 'a.db'):\n    base = sqlite3.connect(name)\n    base.execute('create table t(x)')\n    base.executemany('insert into t values (?)', [(1,), (2,)])\n    base.commit()\n    print(base.execute('select sum(x) from t').fetchone())",
        NOTHING,
    ),
    (PYTHON, "import time; time.time()", CLOCK),
    (PYTHON, "import time; time.monotonic()", CLOCK),
    (PYTHON, "import time; time.perf_counter_ns()", CLOCK),
    (PYTHON, "import time; time.localtime()", CLOCK),
    (PYTHON, "import datetime; datetime.datetime.now()", CLOCK),
    (PYTHON, "import datetime; datetime.date.today()", CLOCK),
    (PYTHON, "import random; random.random()", ENTROPY),
    (PYTHON, "import random; random.shuffle([1, 2])", ENTROPY),
    (
        PYTHON,
        "import sqlite3; sqlite3.connect(':memory:').execute('select random()').fetchone()",
        ENTROPY,
    ),
    (PYTHON, "import os; os.urandom(1)", ENTROPY),
    (PYTHON, "import uuid; uuid.uuid4()", ENTROPY),
    (PYTHON, "import secrets; secrets.token_bytes(1)", ENTROPY),
    (JAVASCRIPT, "console.log(1 + 1)", NOTHING),
    (
        JAVASCRIPT,
        "console.log(new Date(0), require('util').inspect({}), [3, 1].sort())",
        NOTHING,
    ),
    (
        JAVASCRIPT,
        "Promise.resolve(1).then(x => console.log(x))",
        NOTHING,
    ),
    (JAVASCRIPT, "throw new Error('x')", NOTHING),
    (JAVASCRIPT, "require('fs').writeFileSync('a', 'x')", NOTHING),
    (JAVASCRIPT, "Date.now()", CLOCK),
    (JAVASCRIPT, "new Date()", CLOCK),
    (JAVASCRIPT, "performance.now()", CLOCK),
    (JAVASCRIPT, "Math.random()", ENTROPY),
    (JAVASCRIPT, "crypto.randomUUID()", ENTROPY),
    (
        JAVASCRIPT,
        "crypto.getRandomValues(new Uint8Array(1))",
        ENTROPY,
    ),
];

#[test]
fn observations_are_reported() {
    in_both_modes(async |mode, executor| {
        for (language, code, (clock, entropy)) in OBSERVERS {
            let report = Snippet::new(language, code).on(&*executor).await;
            let observed = report.outcome.observed;
            assert_eq!(
                (observed.clock, observed.entropy),
                (clock, entropy),
                "{mode:?}: {code}: {}",
                report.summary()
            );
        }
    });
}

/// Snippets that look at whatever might differ from run to run.
const SUSPECTS: [(Language, &str); 56] = [
    (PYTHON, "print(id(object()), object(), lambda: 0)"),
    (
        PYTHON,
        "print({'a', 'b', 'c', 'd', 1.5, None, (1,)}, hash('x'), hash(b'y'), hash(1.5), hash(None))",
    ),
    (
        PYTHON,
        "import os; open('a', 'w').close(); s = os.stat('a'); print(s)",
    ),
    (
        PYTHON,
        "import os; print(os.stat('/work'), os.stat('/tmp'), os.stat('/'))",
    ),
    (
        PYTHON,
        "import os; print(os.fstat(0), os.fstat(1), os.isatty(0))",
    ),
    (
        PYTHON,
        "import os; [open(n, 'w').close() for n in 'zyxabc']; print(os.listdir(), [e.inode() for e in os.scandir()])",
    ),
    (
        PYTHON,
        "import os; print(os.getpid(), os.getcwd(), dict(os.environ))",
    ),
    (
        PYTHON,
        "import time; print(time.process_time(), time.thread_time() if hasattr(time, 'thread_time') else 0)",
    ),
    (
        PYTHON,
        "import time; print(time.time_ns(), time.monotonic_ns(), time.perf_counter())",
    ),
    (
        PYTHON,
        "import time; print(time.get_clock_info('monotonic'), time.tzname, time.timezone)",
    ),
    (
        PYTHON,
        "import time; a = time.monotonic(); sum(range(10**5)); print(time.monotonic() - a)",
    ),
    (
        PYTHON,
        "import time; a = time.time(); time.sleep(0.01); print(time.time() - a)",
    ),
    (
        PYTHON,
        "import datetime; print(datetime.datetime.now(), datetime.datetime.now(datetime.timezone.utc))",
    ),
    (
        PYTHON,
        "import random; print(random.random(), random.gauss(0, 1), random.sample(range(100), 5))",
    ),
    (
        PYTHON,
        "import random; print(random.SystemRandom().random(), random.Random().random())",
    ),
    (PYTHON, "import uuid; print(uuid.uuid4())"),
    (PYTHON, "import uuid; print(uuid.uuid1())"),
    (PYTHON, "import uuid; print(uuid.getnode())"),
    (
        PYTHON,
        "import tempfile; print(tempfile.mktemp(), tempfile.mkdtemp())",
    ),
    (
        PYTHON,
        "import secrets; print(secrets.token_urlsafe(), secrets.choice('abc'))",
    ),
    (
        PYTHON,
        "import sqlite3; c = sqlite3.connect(':memory:'); print(c.execute('select random(), hex(randomblob(4)), current_timestamp').fetchone())",
    ),
    (
        PYTHON,
        "import sqlite3; c = sqlite3.connect('/work/a.db'); c.execute('create table t(x)'); c.commit(); c.close(); print(len(open('/work/a.db', 'rb').read()))",
    ),
    (PYTHON, "import gzip; print(gzip.compress(b'x'))"),
    (
        PYTHON,
        "import zipfile; z = zipfile.ZipFile('a.zip', 'w'); z.writestr('x', 'y'); z.close()",
    ),
    (
        PYTHON,
        "import tarfile; open('x', 'w').close(); t = tarfile.open('a.tar', 'w'); t.add('x'); t.close()",
    ),
    (
        PYTHON,
        "import logging; logging.basicConfig(format='%(asctime)s %(process)d %(thread)d %(message)s'); logging.warning('x')",
    ),
    (
        PYTHON,
        "import email.utils; print(email.utils.make_msgid(domain='x'), email.utils.formatdate())",
    ),
    (
        PYTHON,
        "import threading; print(threading.get_ident(), threading.current_thread())",
    ),
    (
        PYTHON,
        "import asyncio\nasync def f(): print(asyncio.get_running_loop().time())\nasyncio.run(f())",
    ),
    (
        PYTHON,
        "import sys, gc; print(sys.getsizeof([]), gc.get_count(), len(gc.get_objects()), sys.getallocatedblocks())",
    ),
    (
        PYTHON,
        "import sys; print(sys.getrefcount(None), sys.getrefcount(object))",
    ),
    (
        PYTHON,
        "import platform, sys; print(platform.platform(), sys.version, sys.flags)",
    ),
    (
        PYTHON,
        "import locale; print(locale.getlocale(), locale.getencoding())",
    ),
    (
        PYTHON,
        "import timeit; print(timeit.timeit('1', number=10))",
    ),
    (PYTHON, "import cProfile; cProfile.run('sum(range(100))')"),
    (
        PYTHON,
        "import sympy; x = sympy.symbols('x'); print(sympy.factor(x**4 - 1), sympy.Dummy())",
    ),
    (
        PYTHON,
        "import networkx as nx; print(nx.gnp_random_graph(5, 0.5).edges)",
    ),
    (PYTHON, "1 / 0"),
    (JAVASCRIPT, "console.log(Date.now(), new Date(), Date())"),
    (
        JAVASCRIPT,
        "console.log(performance.now(), performance.timeOrigin)",
    ),
    (JAVASCRIPT, "console.log(Math.random(), Math.random())"),
    (
        JAVASCRIPT,
        "console.log(crypto.randomUUID(), crypto.getRandomValues(new Uint8Array(4)))",
    ),
    (
        JAVASCRIPT,
        "console.log(process.hrtime(), process.uptime())",
    ),
    (
        JAVASCRIPT,
        "console.log(process.pid, process.platform, process.version, process.argv, process.cwd())",
    ),
    (
        JAVASCRIPT,
        "console.log(process.memoryUsage && process.memoryUsage())",
    ),
    (
        JAVASCRIPT,
        "console.log(process.cpuUsage && process.cpuUsage())",
    ),
    (
        JAVASCRIPT,
        "console.time('x'); for (let i = 0; i < 1e5; i++); console.timeEnd('x')",
    ),
    (
        JAVASCRIPT,
        "const fs = require('fs'); fs.writeFileSync('a', 'x'); console.log(fs.statSync('a'), fs.readdirSync('.'))",
    ),
    (JAVASCRIPT, "console.log(require('fs').statSync('/work'))"),
    (
        JAVASCRIPT,
        "for (const d of [5, 1, 3, 1, 0]) setTimeout(() => console.log(d), d)",
    ),
    (
        JAVASCRIPT,
        "const a = Date.now(); setTimeout(() => console.log(Date.now() - a), 7)",
    ),
    (
        JAVASCRIPT,
        "console.log(new Date(2026, 0, 1).toString(), new Date(0).getTimezoneOffset())",
    ),
    (
        JAVASCRIPT,
        "console.log([3, 1, 2].sort(() => Math.random() - 0.5))",
    ),
    (
        JAVASCRIPT,
        "console.log(new Error('x').stack, Symbol('x'), new WeakRef({}))",
    ),
    (
        JAVASCRIPT,
        "console.log(Object.keys(globalThis), require('os'))",
    ),
    (JAVASCRIPT, "null.x"),
];

/// Everything of an outcome that may not differ: all but times.
fn content(mut outcome: Outcome) -> Outcome {
    outcome.usage.wall_ms = 0.0;
    outcome.usage.queue_ms = 0.0;
    outcome
}

/// The outcomes of `snippet`, twice in each mode, in executors made for this test.
async fn four_times(
    snippet: Snippet,
    executors: &[std::sync::Arc<sandgate_sandbox::SandboxExecutor>],
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for executor in executors {
        for _ in 0..2 {
            outcomes.push(content(snippet.clone().on(&**executor).await.outcome));
        }
    }
    outcomes
}

async fn own_executors() -> [std::sync::Arc<sandgate_sandbox::SandboxExecutor>; 2] {
    [
        Builder::new(Mode::InProcess).start().await,
        Builder::new(Mode::Workers).start().await,
    ]
}

#[test]
fn what_counts_as_reproducible_is_reproducible() {
    block_on(async {
        let executors = own_executors().await;
        for (language, code) in SUSPECTS {
            let outcomes = four_times(Snippet::new(language, code), &executors).await;
            if outcomes[0].is_reproducible() {
                for outcome in &outcomes[1..] {
                    assert_eq!(outcome, &outcomes[0], "{code}");
                }
            }
        }
    });
}

#[test]
fn seed_and_now_make_everything_reproducible() {
    block_on(async {
        let executors = own_executors().await;
        for (language, code) in SUSPECTS {
            let snippet = Snippet::new(language, code)
                .seed(42)
                .now("2026-01-31T12:00:00Z");
            let outcomes = four_times(snippet, &executors).await;
            assert!(
                outcomes[0].status.is_complete() && outcomes[0].is_reproducible(),
                "{code}: {:?}",
                outcomes[0]
            );
            for outcome in &outcomes[1..] {
                assert_eq!(outcome, &outcomes[0], "{code}");
            }
        }
    });
}

#[test]
fn seed_alone_leaves_the_clock_real() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python("import random, time; random.random(); time.time()")
            .seed(1)
            .on(&*executor)
            .await;
        assert!(report.outcome.observed.clock && !report.outcome.observed.entropy);
        let report = Snippet::javascript("Math.random(); Date.now()")
            .now("2026-01-01T00:00:00Z")
            .on(&*executor)
            .await;
        assert!(!report.outcome.observed.clock && report.outcome.observed.entropy);
    });
}

#[test]
fn the_clock_starts_at_now() {
    let now = "2001-02-03T04:05:06Z";
    in_both_modes(async |_, executor| {
        let report = Snippet::python(
            "import datetime; print(datetime.datetime.now(datetime.timezone.utc).isoformat()[:19])",
        )
        .now(now)
        .on(&*executor)
        .await;
        report.assert_prints("2001-02-03T04:05:06\n");
        let report = Snippet::javascript("console.log(new Date().toISOString().slice(0, 19))")
            .now(now)
            .on(&*executor)
            .await;
        report.assert_prints("2001-02-03T04:05:06\n");
        // Before the epoch, and far after it.
        for now in [
            "1969-12-31T23:59:59Z",
            "1900-01-01T00:00:00Z",
            "9999-12-30T00:00:00Z",
        ] {
            let report =
                Snippet::javascript("console.log(new Date().toISOString().slice(0, 19) + 'Z')")
                    .now(now)
                    .on(&*executor)
                    .await;
            assert!(
                report.outcome.status == Status::Ok,
                "{now}: {}",
                report.summary()
            );
        }
    });
}

#[test]
fn time_passes_under_now_as_the_snippet_waits() {
    in_both_modes(async |mode, executor| {
        let sleeps = [
            (
                PYTHON,
                "import time; a = time.time(); b = time.monotonic(); time.sleep(3600)\n\
                 print(3600 <= time.time() - a < 3601, 3600 <= time.monotonic() - b < 3601)",
                "True True\n",
            ),
            (
                PYTHON,
                "import asyncio, time\na = time.time(); asyncio.run(asyncio.sleep(86400)); print(86400 <= time.time() - a < 86401)",
                "True\n",
            ),
            (
                JAVASCRIPT,
                "const a = Date.now(); setTimeout(() => { const d = Date.now() - a; console.log(d >= 3600e3 && d < 3601e3) }, 3600e3)",
                "true\n",
            ),
        ];
        for (language, code, stdout) in sleeps {
            let report = Snippet::new(language, code)
                .seed(1)
                .now("2026-01-31T12:00:00Z")
                .on(&*executor)
                .await;
            report.assert_prints(stdout);
            assert!(
                report.running() < Duration::from_secs(30),
                "{mode:?}: it really waited: {}",
                report.summary()
            );
        }
    });
}

#[test]
fn real_sleep_takes_real_time() {
    in_both_modes(async |_, executor| {
        let report = Snippet::python("import time; time.sleep(0.2)")
            .on(&*executor)
            .await;
        report.assert_status(Status::Ok);
        assert!(
            report.running() >= Duration::from_millis(200),
            "{}",
            report.summary()
        );
    });
}
