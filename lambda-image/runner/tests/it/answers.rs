//! What comes of honest snippets.

use std::collections::BTreeMap;

use sandgate_core::{Limits, Status};

use crate::harness::{file, python, shared, shown, types};

#[test]
fn a_snippet_prints_and_its_last_value_is_a_result() {
    let environment = shared();
    let mut task = python("import sys\nprint(sys.stdin.read(), sys.argv, __name__)\n1 + 1");
    task.stdin = "in\u{fc}".into();
    task.args = vec!["a b".to_owned()];
    let outcome = environment.execute(task);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(outcome.exit_code, Some(0));
    assert_eq!(outcome.stdout, "inü ['main.py', 'a b'] __main__\n");
    assert_eq!(outcome.results[0]["text/plain"], "2");
    assert!(outcome.usage.wall_ms > 0.0);
}

#[test]
fn a_data_frame_is_text_and_html() {
    let outcome = shared().python(
        "import pandas as pd\n\
         pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}).groupby('b').sum()",
    );
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    let result = &outcome.results[0];
    assert_eq!(types(result), ["text/html", "text/plain"]);
    assert!(result["text/html"].contains("<table"), "{result:?}");
}

#[test]
fn open_figures_and_displayed_ones_are_images_once() {
    let outcome = shared().python(
        "import matplotlib.pyplot as plt\n\
         figure, axes = plt.subplots()\n\
         axes.plot([1, 2, 3])\n\
         display(figure)\n\
         plt.figure()\n\
         plt.bar([1, 2], [3, 4])\n\
         print(plt.get_fignums())",
    );
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(outcome.stdout, "[1, 2]\n");
    let images: Vec<&str> = outcome
        .results
        .iter()
        .map(|result| result["image/png"].as_str())
        .collect();
    assert_eq!(images.len(), 2);
    // The start of every PNG, in base64.
    assert!(images.iter().all(|image| image.starts_with("iVBORw0KGgo")));
    assert_ne!(images[0], images[1]);
}

#[test]
fn showing_displays_and_closes() {
    let outcome = shared().python(
        "import matplotlib.pyplot as plt\n\
         plt.plot([1, 2])\n\
         plt.show()\n\
         print(plt.get_fignums())",
    );
    assert_eq!(outcome.stdout, "[]\n", "{}", shown(&outcome));
    assert_eq!(outcome.results.len(), 1);
}

#[test]
fn an_error_shows_the_programs_own_lines() {
    let outcome = shared().python("def f(x):\n    return 1 / x\n\nprint('before')\nf(0)");
    assert_eq!(outcome.status, Status::Error, "{}", shown(&outcome));
    assert_eq!(outcome.exit_code, Some(1));
    assert_eq!(outcome.stdout, "before\n");
    let error = outcome.error.unwrap();
    assert_eq!(error.kind, "ZeroDivisionError");
    assert_eq!(error.message, "division by zero");
    assert_eq!(error.line, Some(2));
    let expected =
        "Traceback (most recent call last):\n  File \"main.py\", line 5, in <module>\n    f(0)\n";
    assert!(error.traceback.starts_with(expected), "{}", error.traceback);
    assert_eq!(outcome.stderr, error.traceback);
}

#[test]
fn a_syntax_error_has_its_line_and_an_exit_its_code() {
    let environment = shared();
    let outcome = environment.python("x = 1\ny = = 2");
    let error = outcome.error.as_ref().unwrap();
    assert_eq!((error.kind.as_str(), error.line), ("SyntaxError", Some(2)));

    let outcome =
        environment.python("import sys, atexit\natexit.register(print, 'bye')\nsys.exit(3)");
    assert_eq!(
        (outcome.status, outcome.exit_code),
        (Status::Error, Some(3))
    );
    assert_eq!(outcome.stdout, "bye\n");
    assert!(outcome.error.is_none(), "{}", shown(&outcome));
}

#[test]
fn files_go_in_and_new_and_changed_ones_come_out() {
    let mut task = python(
        "import os, helper\n\
         print(helper.name, open('in/data.csv').read(), os.getcwd() == os.environ['HOME'])\n\
         open('in/data.csv', 'a').write('more')\n\
         os.mkdir('out')\n\
         open('out/plot.png', 'wb').write(b'\\x89PNG')\n\
         open(os.path.join(os.environ['TMPDIR'], 'not returned'), 'w').write('x')",
    );
    task.files = vec![file("in/data.csv", "a,b"), file("helper.py", "name = 'h'")];
    let outcome = shared().execute(task);
    assert_eq!(outcome.stdout, "h a,b True\n", "{}", shown(&outcome));
    let files: BTreeMap<&str, (&[u8], &str)> = outcome
        .artifacts
        .iter()
        .map(|file| {
            (
                file.path.as_str(),
                (&*file.content, file.media_type.as_str()),
            )
        })
        .collect();
    let expected: BTreeMap<&str, (&[u8], &str)> = BTreeMap::from([
        ("in/data.csv", (&b"a,bmore"[..], "text/csv")),
        ("out/plot.png", (&b"\x89PNG"[..], "image/png")),
    ]);
    assert_eq!(files, expected);
    assert!(!outcome.truncated.artifacts);
}

#[test]
fn random_numbers_differ_unless_seeded() {
    let environment = shared();
    let code = "import random, numpy, uuid\n\
                print(random.random(), numpy.random.rand(), numpy.random.default_rng(5).random())";
    let draw = |seed| {
        let mut task = python(code);
        task.seed = seed;
        environment.execute(task).stdout
    };
    let free = draw(None);
    assert_ne!(free, draw(None));
    assert_eq!(draw(Some(7)), draw(Some(7)));
    assert_ne!(draw(Some(7)), draw(Some(u64::MAX)));
    // Both generators, not only one.
    let words = |text: &bytes::Bytes| -> Vec<String> {
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.split_whitespace().map(str::to_owned).collect()
    };
    let (a, b) = (words(&free), words(&draw(None)));
    assert!(a[0] != b[0] && a[1] != b[1] && a[2] == b[2], "{a:?} {b:?}");
}

#[test]
fn the_environment_is_the_tasks_and_little_else() {
    let mut task = python("import os\nprint(sorted(os.environ))\nprint(os.environ['GIVEN'])");
    task.env = BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]);
    let outcome = shared().execute(task);
    assert_eq!(
        outcome.stdout,
        "['GIVEN', 'HOME', 'JOBLIB_MULTIPROCESSING', 'LANG', 'MKL_NUM_THREADS', 'MPLBACKEND', 'MPLCONFIGDIR', \
         'NUMEXPR_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PATH', \
         'R_DATATABLE_NUM_THREADS', 'TMPDIR']\nyes\n",
        "{}",
        shown(&outcome)
    );
}

#[test]
fn what_the_sandbox_cannot_do_works_here() {
    let printed = shared().prints(
        "import asyncio, subprocess, threading, sys\n\
         from concurrent.futures import ThreadPoolExecutor\n\
         print(subprocess.run(['echo', 'sub'], capture_output=True, text=True).stdout, end='')\n\
         print(subprocess.run([sys.executable, '-c', 'import pandas; print(1)'], capture_output=True, text=True))\n\
         async def main():\n\
         \x20   process = await asyncio.create_subprocess_exec('echo', 'loop', stdout=-1)\n\
         \x20   print((await process.communicate())[0])\n\
         asyncio.run(main())\n\
         with ThreadPoolExecutor(4) as pool:\n\
         \x20   print(sum(pool.map(lambda x: x * x, range(10))))",
    );
    assert!(printed.starts_with("sub\n"), "{printed}");
    assert!(printed.contains("returncode=0, stdout='1\\n'"), "{printed}");
    assert!(printed.ends_with("b'loop\\n'\n285\n"), "{printed}");
}

#[test]
fn packages_that_use_many_processors_do() {
    let printed = shared().prints(
        "import os, warnings\n\
         warnings.simplefilter('ignore')\n\
         from sklearn.ensemble import RandomForestClassifier\n\
         from sklearn.datasets import make_classification\n\
         x, y = make_classification(200, random_state=0)\n\
         model = RandomForestClassifier(20, n_jobs=-1, random_state=0).fit(x, y)\n\
         print(model.score(x, y) > 0.9)\n\
         reader, writer = os.pipe()\n\
         if os.fork() == 0:\n\
         \x20   os.write(writer, b'child')\n\
         \x20   os._exit(0)\n\
         os.wait()\n\
         print(os.read(reader, 10))",
    );
    assert_eq!(printed, "True\nb'child'\n");
}

#[test]
fn results_over_the_limit_are_dropped() {
    let mut task = python("display('x' * 5000)\ndisplay('small')");
    task.limits = Limits {
        result_bytes: 1_000,
        ..task.limits
    };
    let outcome = shared().execute(task);
    assert!(outcome.truncated.results, "{}", shown(&outcome));
    assert_eq!(outcome.results.len(), 1);
    assert_eq!(outcome.results[0]["text/plain"], "'small'");
}
