//! R: the same as Python, in its own ways. Needs `cargo xtask lambda --with-r`.

use sandgate_core::{Language, Outcome, Status, Task};

use crate::harness::{SECRET, file, shared, shown, task, types};

fn r(code: &str) -> Task {
    task(Language::R, code)
}

fn run(code: &str) -> Outcome {
    shared().execute(r(code))
}

#[test]
fn a_snippet_prints_and_its_last_value_is_a_result() {
    let mut task = r("x <- readLines(stdin(), n = 1)\n\
         print(x)\n\
         c(x, commandArgs(TRUE), Sys.getenv('GIVEN'), readLines(stdin()))\n\
         invisible(5)\n\
         1 + 1");
    task.stdin = "ü\nsecond\n".into();
    task.args = vec!["a b".to_owned()];
    task.env.insert("GIVEN".to_owned(), "yes".to_owned());
    let outcome = shared().execute(task);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(
        outcome.stdout,
        "[1] \"ü\"\n[1] \"ü\"      \"a b\"    \"yes\"    \"second\"\n"
    );
    assert_eq!(outcome.results.len(), 1);
    assert_eq!(outcome.results[0]["text/plain"], "[1] 2");
}

#[test]
fn a_data_frame_is_text_and_html() {
    let outcome = run("library(dplyr)\n\
         mtcars |> group_by(cyl) |> summarise(n = n(), name = '<b>')");
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    let result = &outcome.results[0];
    assert_eq!(types(result), ["text/html", "text/plain"]);
    assert!(
        result["text/html"].contains("<td>&lt;b&gt;</td>"),
        "{result:?}"
    );
    assert!(result["text/plain"].contains("A tibble: 3"), "{result:?}");
}

#[test]
fn plots_are_images_in_their_order() {
    let outcome = run("plot(1:10)\n\
         hist(c(1, 2, 2, 3))\n\
         library(ggplot2)\n\
         ggplot(mtcars, aes(wt, mpg)) + geom_point()");
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(
        outcome.results.len(),
        3,
        "{:?}",
        outcome.results.iter().map(types).collect::<Vec<_>>()
    );
    for result in &outcome.results {
        assert_eq!(types(result), ["image/png"]);
        assert!(result["image/png"].starts_with("iVBORw0KGgo"));
    }
}

#[test]
fn a_device_of_the_programs_own_is_a_file() {
    let mut task = r("png('out.png')\nplot(read.csv('in.csv'))\ninvisible(dev.off())");
    task.files = vec![file("in.csv", "a,b\n1,2\n3,4\n")];
    let outcome = shared().execute(task);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(outcome.artifacts.len(), 1);
    assert_eq!(outcome.artifacts[0].path, "out.png");
    assert_eq!(outcome.artifacts[0].media_type, "image/png");
    assert!(outcome.results.is_empty());
}

#[test]
fn an_error_is_printed_as_r_does_and_has_its_line() {
    let outcome = run(
        "f <- function(x) {\n  y <- x\n  stop('boom')\n}\ncat('before\\n')\nf(1)\ncat('after\\n')",
    );
    assert_eq!(
        (outcome.status, outcome.exit_code),
        (Status::Error, Some(1))
    );
    assert_eq!(outcome.stdout, "before\n");
    assert_eq!(
        outcome.stderr,
        "Error in f(1) : boom\n",
        "{}",
        shown(&outcome)
    );
    let error = outcome.error.unwrap();
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("simpleError", "boom")
    );
    assert_eq!(error.line, Some(3));
}

#[test]
fn syntax_errors_quits_and_caught_errors() {
    let outcome = run("x <- 1\ny <- = 2");
    let error = outcome.error.as_ref().unwrap();
    assert_eq!(
        (error.kind.as_str(), error.line),
        ("parseError", Some(2)),
        "{}",
        shown(&outcome)
    );

    let outcome = run(
        "plot(1)\ntryCatch(stop('x'), error = function(e) cat('caught\\n'))\nquit(status = 3)\ncat('not reached')",
    );
    assert_eq!(
        (outcome.status, outcome.exit_code),
        (Status::Error, Some(3))
    );
    assert_eq!(outcome.stdout, "caught\n", "{}", shown(&outcome));
    assert!(outcome.error.is_none());
    assert_eq!(outcome.results.len(), 1);

    let outcome = run("warning('careful')\nf <- function() warning('again')\nf()\nmessage('note')");
    assert_eq!(outcome.status, Status::Ok);
    assert_eq!(
        outcome.stderr,
        "Warning: careful\nWarning in f() : again\nnote\n",
        "{}",
        shown(&outcome)
    );
}

#[test]
fn random_numbers_differ_unless_seeded() {
    let draw = |seed| {
        let mut task = r("cat(runif(1), basename(tempfile()))");
        task.seed = seed;
        shared().execute(task).stdout
    };
    assert_ne!(draw(None), draw(None));
    let first = |text: &bytes::Bytes| {
        String::from_utf8_lossy(text)
            .split(' ')
            .next()
            .map(str::to_owned)
    };
    assert_eq!(first(&draw(Some(7))), first(&draw(Some(7))));
    assert_ne!(first(&draw(Some(7))), first(&draw(Some(8))));
}

#[test]
fn memory_time_and_output_have_limits() {
    let outcome = run("x <- numeric(2e9)");
    assert_eq!(outcome.status, Status::OutOfMemory, "{}", shown(&outcome));

    let mut task = r("cat('before\\n')\nrepeat {}");
    task.limits.timeout_ms = 6_000;
    let outcome = shared().execute(task);
    assert_eq!(outcome.status, Status::Timeout, "{}", shown(&outcome));
    assert_eq!(outcome.stdout, "before\n");

    let mut task = r("repeat cat('xxxxxxxxxxxxxxxx')");
    task.limits.output_bytes = 10_000;
    let outcome = shared().execute(task);
    assert_eq!(outcome.status, Status::OutputLimit, "{}", shown(&outcome));
    assert_eq!(outcome.stdout.len(), 10_000);

    let outcome = run("f <- function(n) f(n + 1)\nf(1)");
    assert_eq!(outcome.status, Status::Error, "{}", shown(&outcome));
    assert_eq!(run("1").status, Status::Ok);
}

#[test]
fn a_hostile_program_finds_the_same_walls() {
    let environment = shared();
    let code = format!(
        "print(Sys.getenv())\n\
         read <- function(path) tryCatch(readLines(path, warn = FALSE), error = function(e) 'no', warning = function(w) 'no')\n\
         for (pid in c('1', '{runner}')) print(read(paste0('/proc/', pid, '/environ')))\n\
         print(tryCatch(readLines(url('http://127.0.0.1:{port}/2018-06-01/runtime/invocation/next')), error = function(e) 'no', warning = function(w) 'no'))\n\
         print(tools::pskill({runner}, 9))\n\
         print(tryCatch(writeLines('x', '/tmp/left'), error = function(e) 'no', warning = function(w) 'no'))\n\
         print(system('echo sub', intern = TRUE))",
        runner = environment.pid(),
        port = environment.address.port()
    );
    let outcome = environment.execute(r(&code));
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    let printed = String::from_utf8(outcome.stdout.to_vec()).unwrap();
    assert!(
        !printed.contains(SECRET) && !printed.contains("AWS_"),
        "{printed}"
    );
    assert_eq!(printed.matches("\"no\"").count(), 4, "{printed}");
    assert!(printed.contains("FALSE"), "{printed}");

    let outcome = environment.execute(r(
        "evil <- 1\nprint <- function(...) NULL\nassign('T', FALSE, globalenv())",
    ));
    assert_eq!(outcome.status, Status::Ok);
    let outcome = environment.execute(r(
        "cat(exists('evil'), T, length(list.files('.')), length(list.files(tempdir())), length(ls()))",
    ));
    assert_eq!(outcome.stdout, "FALSE TRUE 0 1 0", "{}", shown(&outcome));
}
