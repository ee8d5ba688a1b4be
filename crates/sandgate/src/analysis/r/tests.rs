use crate::analysis::tests::{self, files};
use crate::analysis::{Analysis, analyse};
use sandgate_core::Language;

fn r(code: &str) -> Analysis {
    analyse(Language::R, code, &[])
}

fn imports(code: &str) -> Vec<String> {
    tests::imports(Language::R, code)
}

#[test]
fn every_form_of_import() {
    for code in [
        "library(dplyr)",
        "library(\"dplyr\")",
        "library('dplyr', quietly = TRUE)",
        "library(package = dplyr)",
        "require(dplyr)",
        "loadNamespace(\"dplyr\")",
        "attachNamespace('dplyr')",
        "suppressPackageStartupMessages(library(dplyr))",
        "suppressWarnings({ library(dplyr) })",
        "x <- dplyr::filter(df)",
        "dplyr:::internal",
        "df |> dplyr::filter(x > 1)",
        "pacman::p_load(dplyr)",
        "box::use(dplyr[filter, ...])",
        "base::library(dplyr)",
        "library(\"dplyr\", character.only = TRUE)",
        "p <- 'dplyr'; library(p, character.only = T)",
        "for (p in c('dplyr')) library(p, character.only = TRUE)",
        "pkgs <- c(\"dplyr\")\nlapply(pkgs, library, character.only = TRUE)",
        "invisible(sapply(c('dplyr'), require, character.only = TRUE))",
    ] {
        let imports = imports(code);
        let found = imports
            .iter()
            .filter(|import| *import == "dplyr Unconditional");
        assert_eq!(found.count(), 1, "{code}: {imports:?}");
    }
}

#[test]
fn places() {
    for (code, place) in [
        ("if (!require(a)) stop('x')", "Guarded"),
        (
            "if (suppressWarnings(require(a, quietly = TRUE))) 1",
            "Guarded",
        ),
        ("if (requireNamespace('a', quietly = TRUE)) 1", "Guarded"),
        ("requireNamespace('a')", "Guarded"),
        ("tryCatch(library(a), error = function(e) NULL)", "Guarded"),
        (
            "tryCatch({ library(a) }, error = \\(e) message('no'))",
            "Guarded",
        ),
        ("try(library(a), silent = TRUE)", "Guarded"),
        (
            "tryCatch(library(a), error = function(e) stop('install a'))",
            "Unconditional",
        ),
        (
            "tryCatch({ library(a); run() }, error = function(e) print(e))",
            "Unconditional",
        ),
        ("if (x) library(a)", "Conditional"),
        ("if (x) 1 else { library(a) }", "Conditional"),
        ("f <- function() library(a)", "Function"),
        ("f <- \\(x) a::b(x)", "Function"),
        ("local({ library(a) })", "Unconditional"),
        ("while (TRUE) { library(a); break }", "Unconditional"),
    ] {
        assert_eq!(imports(code), [format!("a {place}")], "{code}");
    }
}

#[test]
fn strings_and_comments_are_not_code() {
    let code = "# library(a)\nx <- \"library(b)\"; y <- r\"(c::d)\"; library <- 1; z$library; f(e = 'g::h')";
    assert!(imports(code).is_empty());
}

#[test]
fn installers_are_declarations() {
    for (code, packages) in [
        ("install.packages('a')", &["a"][..]),
        ("install.packages(c(\"a\", 'b'), repos = 'x')", &["a", "b"]),
        ("if (!require(c)) install.packages(\"c\")", &["c"]),
        ("new <- c('a', 'b'); install.packages(new)", &["a", "b"]),
        (
            "remotes::install_github('tidyverse/dplyr@main')",
            &["dplyr"],
        ),
        ("BiocManager::install('limma')", &["limma"]),
        ("pak::pak('a')", &["a"]),
        ("pacman::p_load(a, 'b')", &["a", "b"]),
        ("obj$install('a')", &[]),
        ("install.packages(x)", &[]),
    ] {
        let declared = r(code).declared;
        let names: Vec<_> = declared.iter().map(|d| &*d.package).collect();
        assert_eq!(names, packages, "{code}");
    }
}

#[test]
fn unknown_names_and_errors() {
    assert!(r("library(x, character.only = TRUE)").hints.unknown_imports);
    assert!(
        r("lapply(f(), library, character.only = TRUE)")
            .hints
            .unknown_imports
    );
    let analysis = r("library(a)\nx <- (1 +\n\nlibrary(b)\n}}\nlibrary(c)");
    assert!(analysis.syntax_error.is_some());
    assert_eq!(analysis.imports[0].module, "a");
    assert_eq!(r("x <- 1\n").syntax_error, None);
    assert_eq!(r("x <- 1\ny <- )\n").syntax_error, Some(2));
}

#[test]
fn what_else_it_does() {
    assert!(r("system('ls')").hints.subprocess);
    assert!(r("library(parallel); mclapply(x, f)").hints.multiprocessing);
    assert!(r("download.file(u, 'x')").hints.sockets);
    assert_eq!(r("print(1)").hints, Default::default());
}

#[test]
fn files_are_not_packages() {
    let files = files([("R/helper.R", "library(zoo)")]);
    let analysis = analyse(
        Language::R,
        "source('R/helper.R'); source(\"gone.R\")",
        &files,
    );
    assert_eq!(analysis.imports[0].module, "zoo");
    assert_eq!(analysis.imports.len(), 1);
    assert_eq!(analysis.local, ["R/helper.R"]);
}
