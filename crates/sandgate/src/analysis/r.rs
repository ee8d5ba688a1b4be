//! R: packages that are attached, loaded or named, and those it would install.

mod walk;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use self::walk::{Around, Call};
use super::{Declared, DeclaredBy, Found, Import, Lines, Place, Raw, Skipped, guard};

/// Recovery from errors can take the parser long. Ordinary code takes microseconds.
const MAX_TIME: Duration = Duration::from_millis(200);
/// Stack for one byte of the code. The most that any was seen to take is 16 bytes.
const STACK_PER_BYTE: usize = 64;
/// Most strings that are remembered of one variable, and most variables.
const MAX_STRINGS: usize = 64;
const MAX_VARIABLES: usize = 256;

pub(super) fn parse(code: &str) -> Result<Found, Skipped> {
    // The parser recurses only where it recovers from errors, with little for each byte of the
    // code; the walk does not.
    guard::run(code.len() * STACK_PER_BYTE, || read(code)).ok_or(Skipped::TooDeep)?
}

fn read(code: &str) -> Result<Found, Skipped> {
    let tree = tree(code).ok_or(Skipped::TooSlow)?;
    let root = tree.root_node();
    let mut reader = Reader {
        code,
        lines: Lines::of(code),
        found: Found::default(),
        strings: HashMap::new(),
    };
    if root.has_error() {
        let first = walk::first_error(&tree);
        reader.found.syntax_error = Some(reader.lines.line(first));
    }
    walk::each(&tree, code, |node, around| reader.node(node, around));
    Ok(reader.found)
}

fn tree(code: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_r::LANGUAGE.into()).ok()?;
    let started = Instant::now();
    let mut in_time = |_: &_| match started.elapsed() < MAX_TIME {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let bytes = code.as_bytes();
    let mut chunk = |at: usize, _| bytes.get(at..).unwrap_or_default();
    let options = ParseOptions::new().progress_callback(&mut in_time);
    parser.parse_with_options(&mut chunk, None, Some(options))
}

/// Collects what the nodes say.
struct Reader<'a> {
    code: &'a str,
    lines: Lines,
    found: Found,
    /// Variables that were set to strings: `packages <- c("dplyr", "tidyr")`.
    strings: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Reader<'a> {
    fn node(&mut self, node: Node<'_>, around: Around) {
        match node.kind() {
            "namespace_operator" => self.namespace(node, around.place),
            "call" => {
                if let Some(call) = Call::of(node, self.code) {
                    self.call(&call, around, self.line(node));
                }
            }
            "binary_operator" => self.assignment(node),
            "for_statement" => self.loop_variable(node),
            _ => {}
        }
    }

    fn line(&self, node: Node<'_>) -> u32 {
        self.lines.line(node.start_byte())
    }

    fn import(
        &mut self,
        package: &str,
        names: Vec<String>,
        place: Place,
        dynamic: bool,
        line: u32,
    ) {
        let package = package.trim();
        if package.is_empty() {
            return;
        }
        let hints = &mut self.found.parts.hints;
        match package {
            "parallel" | "doParallel" | "future" | "furrr" | "snow" | "foreach" => {
                hints.multiprocessing = true;
            }
            "processx" | "callr" | "sys" => hints.subprocess = true,
            "httr" | "httr2" | "curl" | "RCurl" | "rvest" | "plumber" | "httpuv" => {
                hints.sockets = true;
            }
            "promises" | "later" => hints.asyncio = true,
            _ => {}
        }
        let import = Import {
            module: package.to_owned(),
            root: package.to_owned(),
            names,
            place,
            dynamic,
            line,
        };
        let relative = false;
        self.found.parts.import(Raw { import, relative });
    }

    fn declare(&mut self, package: &str, line: u32) {
        self.found.parts.declare(Declared {
            package: package.to_owned(),
            by: DeclaredBy::Call,
            line,
        });
    }

    /// `pkg::name`.
    fn namespace(&mut self, node: Node<'_>, place: Place) {
        let side = |field| {
            let node = node.child_by_field_name(field)?;
            walk::name(node, self.code)
        };
        if let Some(package) = side("lhs") {
            let names = side("rhs").map(str::to_owned).into_iter().collect();
            let line = self.line(node);
            self.import(package, names, place, false, line);
        }
    }

    fn call(&mut self, call: &Call<'a, '_>, around: Around, line: u32) {
        let place = around.place;
        match (call.package, call.function) {
            (Some("box"), "use") => self.box_use(call, place, line),
            (_, "library" | "require" | "use") => {
                let place = match call.function {
                    // It says whether the package is there, and does not stop.
                    "require" if around.asked => place.then(Place::Guarded),
                    _ => place,
                };
                self.attach(call, place, line);
            }
            (_, "requireNamespace") => {
                self.load(
                    call.argument("package", 0),
                    place.then(Place::Guarded),
                    line,
                );
            }
            (_, "loadNamespace" | "attachNamespace" | "getNamespace") => {
                self.load(call.argument("package", 0), place, line);
            }
            (_, "p_load") => self.install_and_load(call, place, line),
            (_, "lapply" | "sapply" | "vapply" | "walk" | "map") => {
                let function = call.argument("FUN", 1).or_else(|| call.argument(".f", 1));
                let function = function.and_then(|node| walk::name(node, self.code));
                if function.is_some_and(|name| walk::LOADERS.contains(&name)) {
                    self.load(call.argument("X", 0), place, line);
                }
            }
            (_, "source" | "sys.source") => self.source(call, place, line),
            (
                Some("renv" | "BiocManager" | "pak" | "remotes" | "devtools"),
                "install" | "pak" | "pkg_install",
            )
            | (
                _,
                "install.packages" | "install_github" | "install_cran" | "install_version"
                | "install_bioc" | "pkg_install",
            ) => self.install(call, line),
            (_, "system" | "system2" | "shell" | "pipe") => {
                self.found.parts.hints.subprocess = true;
            }
            (_, "download.file" | "url" | "socketConnection" | "read_html") => {
                self.found.parts.hints.sockets = true;
            }
            (_, "mclapply" | "mcmapply" | "makeCluster" | "parLapply") => {
                self.found.parts.hints.multiprocessing = true;
            }
            _ => {}
        }
    }

    /// `library(dplyr)`, `library("dplyr")`, `library(name, character.only = TRUE)`.
    fn attach(&mut self, call: &Call<'a, '_>, place: Place, line: u32) {
        let package = call.argument("package", 0);
        if call.is_true("character.only", self.code) {
            self.load(package, place, line);
        } else if let Some(package) = package.and_then(|node| walk::name(node, self.code)) {
            self.import(package, Vec::new(), place, false, line);
        }
    }

    /// `pacman::p_load(dplyr, char = c("tidyr"))`.
    fn install_and_load(&mut self, call: &Call<'a, '_>, place: Place, line: u32) {
        for &(name, node) in &call.arguments {
            let packages = match name {
                "" => walk::name(node, self.code).map(|package| vec![package]),
                "char" => self.values(node),
                _ => None,
            };
            for package in packages.unwrap_or_default() {
                self.import(package, Vec::new(), place, false, line);
                self.declare(package, line);
            }
        }
    }

    fn install(&mut self, call: &Call<'a, '_>, line: u32) {
        let packages = call.argument("pkgs", 0);
        for package in packages
            .and_then(|node| self.values(node))
            .unwrap_or_default()
        {
            // `owner/name@ref` of a repository.
            let name = package.rsplit('/').next().unwrap_or(package);
            let name = name.split(['@', '#']).next().unwrap_or(name);
            self.declare(name, line);
        }
    }

    fn source(&mut self, call: &Call<'a, '_>, place: Place, line: u32) {
        let file = call.argument("file", 0);
        for path in file.and_then(|file| self.values(file)).unwrap_or_default() {
            let import = Import {
                module: path.to_owned(),
                root: path.to_owned(),
                names: Vec::new(),
                place,
                dynamic: true,
                line,
            };
            let relative = true;
            self.found.parts.import(Raw { import, relative });
        }
    }

    /// Loads packages given as strings, or as variables that hold some.
    fn load(&mut self, packages: Option<Node<'_>>, place: Place, line: u32) {
        let Some(packages) = packages else {
            return;
        };
        match self.values(packages) {
            Some(packages) => {
                for package in packages {
                    self.import(package, Vec::new(), place, true, line);
                }
            }
            None => self.found.parts.hints.unknown_imports = true,
        }
    }

    /// The strings that `node` is known to hold.
    fn values(&self, node: Node<'_>) -> Option<Vec<&'a str>> {
        match node.kind() {
            "string" => Some(vec![walk::name(node, self.code)?]),
            "identifier" => self.strings.get(walk::name(node, self.code)?).cloned(),
            "call" => {
                let call = Call::of(node, self.code)?;
                if call.function != "c" && call.function != "list" {
                    return None;
                }
                let strings = call
                    .arguments
                    .iter()
                    .filter(|(_, node)| node.kind() == "string");
                Some(
                    strings
                        .filter_map(|(_, node)| walk::name(*node, self.code))
                        .collect(),
                )
            }
            _ => None,
        }
    }

    fn assignment(&mut self, node: Node<'_>) {
        let operator = node.child_by_field_name("operator");
        let (target, value) = match operator.map(|operator| operator.kind()) {
            Some("<-" | "=" | "<<-") => ("lhs", "rhs"),
            Some("->" | "->>") => ("rhs", "lhs"),
            _ => return,
        };
        self.remember(node, target, value);
    }

    fn loop_variable(&mut self, node: Node<'_>) {
        self.remember(node, "variable", "sequence");
    }

    fn remember(&mut self, node: Node<'_>, target: &str, value: &str) {
        let target = node.child_by_field_name(target);
        let value = node.child_by_field_name(value);
        let (Some(target), Some(value)) = (target, value) else {
            return;
        };
        if target.kind() != "identifier" || self.strings.len() == MAX_VARIABLES {
            return;
        }
        if let (Some(name), Some(mut strings)) = (walk::name(target, self.code), self.values(value))
        {
            strings.truncate(MAX_STRINGS);
            self.strings.insert(name, strings);
        }
    }

    /// `box::use(dplyr, purrr[map], ./module)`.
    fn box_use(&mut self, call: &Call<'a, '_>, place: Place, line: u32) {
        for &(_, mut node) in &call.arguments {
            while matches!(node.kind(), "subset" | "call") {
                match node.child_by_field_name("function") {
                    Some(inner) => node = inner,
                    None => break,
                }
            }
            // `./module` and `a/b` are paths, of files and of modules in packages.
            if node.kind() == "identifier"
                && let Some(package) = walk::name(node, self.code)
            {
                self.import(package, Vec::new(), place, false, line);
            }
        }
    }
}

#[cfg(test)]
mod tests;
