//! What a snippet needs, read from its code by a real parser.
//!
//! [`analyse`] never fails and never ends the process, whatever the code is. Code that is too
//! large or nested too deeply for a parser is not analysed, and [`Analysis::skipped`] says so; code
//! with a syntax error is analysed as far as it can be.

mod guard;
mod javascript;
mod local;
mod magics;
mod python;
mod r;
mod requirements;
mod typescript;

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use sandgate_core::{InputFile, Language, Task, TaskFile};
use serde::Serialize;

pub(crate) use javascript::root as javascript_root;

/// Most bytes that are parsed: of the code, and of the files it imports.
const MAX_BYTES: usize = 1 << 20;
/// Most files of a request that are parsed because the code imports them.
const MAX_FILES: usize = 32;
/// Most imports, and most declared packages, that are kept: more than any honest snippet has.
const MAX_IMPORTS: usize = 4_096;
const MAX_DECLARED: usize = 256;

/// What the analysis found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Analysis {
    /// Every import of something that is not a file of the request, in the order of the code; then
    /// those of the files it imports. A module that is imported in the same way again is left out.
    pub imports: Vec<Import>,
    /// The paths of the request's files that the code imports, directly or not.
    pub local: Vec<String>,
    /// Packages that the code wants installed, or says that it needs.
    pub declared: Vec<Declared>,
    /// What else it seems to do.
    pub hints: Hints,
    /// Lines that only a notebook understands. They are not part of [`runnable`](Self::runnable).
    pub magics: Vec<Magic>,
    /// The line of the first syntax error, counted from 1.
    pub syntax_error: Option<u32>,
    /// What kind of source it is.
    pub form: Form,
    /// Why the code was not analysed; then everything else is empty.
    pub skipped: Option<Skipped>,
    /// The code to run, where it is not the code as sent: notebook lines are blanked, TypeScript
    /// has become JavaScript, and no line has moved.
    pub runnable: Option<String>,
    /// Files to put in place of, or beside, those of the request: the JavaScript of its TypeScript.
    pub runnable_files: Vec<RunnableFile>,
}

/// A file as it is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnableFile {
    /// Its path below the work directory.
    pub path: String,
    /// What is in it.
    pub code: String,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The full name as written: `os.path`, `lodash/fp`, `@scope/name/part`, `node:fs`, `dplyr`.
    pub module: String,
    /// The part that is looked up first: `os`, `lodash`, `@scope/name`, `fs`, `dplyr`.
    pub root: String,
    /// The names taken from it (`from module import names`). In Python each may be a submodule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Where it stands.
    pub place: Place,
    /// Whether it is a call with the name as a string, as in `importlib.import_module("x")`.
    pub dynamic: bool,
    /// Its line in the code, or in the file that has it, counted from 1.
    pub line: u32,
}

/// Where an import stands, and so whether the snippet needs it.
///
/// Of several at once the first of this order counts, except that [`Unconditional`] is what
/// remains.
///
/// [`Unconditional`]: Self::Unconditional
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It runs whenever the snippet does. That includes `if __name__ == "__main__":`.
    Unconditional,
    /// Under `if TYPE_CHECKING:`, or a type-only import: it never runs.
    TypeChecking,
    /// In the handler of a guarded import: it runs only where that import failed.
    Fallback,
    /// Where a failure is handled, as by `try … except ImportError`: the snippet works without it.
    Guarded,
    /// In a function, which may or may not be called.
    Function,
    /// Under another condition.
    Conditional,
}

/// A package that the code asks for by its registry's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// The name as written, without version and extras.
    pub package: String,
    /// How it is asked for.
    pub by: DeclaredBy,
    /// The line, counted from 1.
    pub line: u32,
}

/// How a package is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredBy {
    /// `%pip install x`, `!pip install x`.
    Magic,
    /// A call that would install it: `install.packages("x")`, `os.system("pip install x")`.
    Call,
    /// Inline script metadata (`# /// script`).
    Metadata,
}

/// A line that only a notebook understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Magic {
    /// The line, counted from 1.
    pub line: u32,
    /// What is written there, at most 200 characters.
    pub text: String,
}

/// What else a snippet seems to do. Each is a guess by names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Hints {
    /// Threads.
    pub threads: bool,
    /// Processes of the same language: `multiprocessing`, `cluster`, `parallel`.
    pub multiprocessing: bool,
    /// Other programs.
    pub subprocess: bool,
    /// The network.
    pub sockets: bool,
    /// An event loop: `asyncio`, `async` functions.
    pub asyncio: bool,
    /// Imports whose names are known only when it runs.
    pub unknown_imports: bool,
}

/// What kind of source it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A script; in JavaScript, one without `import` and `export`.
    #[default]
    Script,
    /// An ECMAScript module.
    Module,
    /// Sent as JavaScript, but only TypeScript's grammar accepts it.
    TypeScript,
}

/// Why code was not analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// It has more bytes than are parsed.
    TooLarge,
    /// It is nested more deeply than a parser can be trusted with.
    TooDeep,
    /// It took the parser too long.
    TooSlow,
}

/// A file of the request, as far as the analysis needs it.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Its path below the work directory.
    pub path: &'a str,
    /// Its bytes.
    pub content: &'a [u8],
}

impl<'a> From<&'a InputFile> for SourceFile<'a> {
    fn from(file: &'a InputFile) -> Self {
        Self {
            path: &file.path,
            content: &file.content,
        }
    }
}

/// Analyses `code` in `language`. The files it imports are analysed with it.
pub fn analyse(language: Language, code: &str, files: &[SourceFile<'_>]) -> Analysis {
    let found = match parse(language, code) {
        Ok(found) => found,
        Err(skipped) => {
            // It would fail as JavaScript, and say nothing of the reason.
            let message = "the TypeScript code is too large, or nested too deeply, to be compiled";
            let typescript = language == Language::TypeScript;
            return Analysis {
                skipped: Some(skipped),
                runnable: typescript.then(|| typescript::syntax_error(message, 1, 1)),
                ..Analysis::default()
            };
        }
    };
    let mut analysis = Analysis {
        magics: found.magics,
        syntax_error: found.syntax_error,
        form: found.form,
        runnable: found.runnable,
        ..Analysis::default()
    };
    let mut all = Joined::new(language, files);
    all.add("", Place::Unconditional, found.parts);
    let mut bytes = 0;
    while let Some((at, place)) = all.queue.pop_front() {
        let file = &files[at];
        analysis.local.push(file.path.to_owned());
        bytes += file.content.len();
        // What cannot be read here fails when it runs, as the language does.
        let found = std::str::from_utf8(file.content)
            .ok()
            .filter(|_| bytes <= MAX_BYTES)
            .and_then(|code| parse(language_of(language, file.path), code).ok());
        if let Some(found) = found {
            all.add(file.path, place, found.parts);
            if let (Some(code), Language::JavaScript) = (found.runnable, language.runs_as()) {
                analysis.add_javascript(file.path, code, files);
            }
        }
    }
    analysis.imports = all.imports;
    analysis.declared = all.declared;
    analysis.hints = all.hints;
    analysis
}

impl Analysis {
    /// Makes `task` one that a backend can run as it is.
    pub fn make_runnable(&self, task: &mut Task) {
        if let Some(code) = &self.runnable {
            task.code.clone_from(code);
        }
        task.language = task.language.runs_as();
        for RunnableFile { path, code } in &self.runnable_files {
            let content = Bytes::from(code.clone());
            match task.files.iter_mut().find(|file| file.path == *path) {
                Some(file) => file.content = content,
                None => task.files.push(TaskFile {
                    path: path.clone(),
                    content,
                }),
            }
        }
    }

    /// The TypeScript file at `path` is to run as `code`, under its own name and under that of the
    /// JavaScript it would be compiled to: an import may name either.
    fn add_javascript(&mut self, path: &str, code: String, files: &[SourceFile<'_>]) {
        let stem = path.strip_suffix("ts").unwrap_or(path);
        let compiled = format!("{stem}js");
        if files.iter().all(|file| file.path != compiled) {
            self.runnable_files.push(RunnableFile {
                path: compiled,
                code: code.clone(),
            });
        }
        self.runnable_files.push(RunnableFile {
            path: path.to_owned(),
            code,
        });
    }
}

/// What one source alone says.
#[derive(Debug, Default)]
struct Found {
    parts: Parts,
    magics: Vec<Magic>,
    syntax_error: Option<u32>,
    form: Form,
    runnable: Option<String>,
}

/// That of it which is joined with what other files say.
#[derive(Debug, Default)]
struct Parts {
    imports: Vec<Raw>,
    declared: Vec<Declared>,
    hints: Hints,
    /// Whether it changes where modules are looked for.
    search_path: bool,
}

impl Parts {
    fn import(&mut self, import: Raw) {
        if self.imports.len() < MAX_IMPORTS {
            self.imports.push(import);
        }
    }

    fn declare(&mut self, package: Declared) {
        if self.declared.len() < MAX_DECLARED {
            self.declared.push(package);
        }
    }
}

/// An import before it is known whether it is one of the request's files.
#[derive(Debug)]
struct Raw {
    import: Import,
    /// Whether it can only be a file.
    relative: bool,
}

fn parse(language: Language, code: &str) -> Result<Found, Skipped> {
    if code.len() > MAX_BYTES {
        return Err(Skipped::TooLarge);
    }
    match language {
        Language::Python => python::parse(code),
        Language::JavaScript | Language::TypeScript => javascript::parse(language, code),
        Language::R => r::parse(code),
    }
}

/// The language of a file that code in `language` imports.
fn language_of(language: Language, path: &str) -> Language {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match Language::from_extension(extension) {
        Some(own) if own.runs_as() == language.runs_as() => own,
        Some(_) | None => language,
    }
}

/// What the code and the files it imports say together.
struct Joined<'a> {
    language: Language,
    files: local::Files<'a>,
    imports: Vec<Import>,
    seen: HashSet<(String, Vec<String>, Place, bool)>,
    declared: Vec<Declared>,
    hints: Hints,
    /// Files that are still to be read, and where their import stands.
    queue: VecDeque<(usize, Place)>,
    queued: HashSet<usize>,
}

impl<'a> Joined<'a> {
    fn new(language: Language, files: &[SourceFile<'a>]) -> Self {
        Self {
            language,
            files: local::Files::new(files),
            imports: Vec::new(),
            seen: HashSet::new(),
            declared: Vec::new(),
            hints: Hints::default(),
            queue: VecDeque::new(),
            queued: HashSet::new(),
        }
    }

    /// Adds what the source at `path` says, which is imported at `place`.
    fn add(&mut self, path: &str, place: Place, parts: Parts) {
        let Parts {
            imports,
            declared,
            hints,
            search_path,
        } = parts;
        self.hints.add(hints);
        for one in declared {
            let new = self
                .declared
                .iter()
                .all(|other| other.package != one.package);
            if new && self.declared.len() < MAX_DECLARED {
                self.declared.push(one);
            }
        }
        for Raw {
            mut import,
            relative,
        } in imports
        {
            import.place = place.then(import.place);
            let local = self.resolve(path, &import, search_path);
            for &at in &local {
                if self.queued.len() < MAX_FILES && self.queued.insert(at) {
                    self.queue.push_back((at, import.place));
                }
            }
            if !local.is_empty() || relative || self.imports.len() == MAX_IMPORTS {
                continue;
            }
            let key = (
                import.module.clone(),
                import.names.clone(),
                import.place,
                import.dynamic,
            );
            if self.seen.insert(key) {
                self.imports.push(import);
            }
        }
    }

    /// The files that `import`, in the source at `from`, means.
    fn resolve(&self, from: &str, import: &Import, search_path: bool) -> Vec<usize> {
        match self.language {
            Language::Python => self.files.python(from, import, search_path),
            Language::JavaScript | Language::TypeScript => {
                self.files.javascript(from, &import.module)
            }
            Language::R => self.files.r(&import.module),
        }
    }
}

impl Place {
    /// The place of what stands at `inner` within something that stands here.
    #[must_use]
    fn then(self, inner: Self) -> Self {
        match (self, inner) {
            (Self::Unconditional, place) | (place, Self::Unconditional) => place,
            (one, other) => one.min(other),
        }
    }
}

impl Hints {
    fn add(&mut self, other: Self) {
        let Self {
            threads,
            multiprocessing,
            subprocess,
            sockets,
            asyncio,
            unknown_imports,
        } = other;
        self.threads |= threads;
        self.multiprocessing |= multiprocessing;
        self.subprocess |= subprocess;
        self.sockets |= sockets;
        self.asyncio |= asyncio;
        self.unknown_imports |= unknown_imports;
    }
}

/// Line numbers of offsets.
struct Lines(Vec<usize>);

impl Lines {
    fn of(code: &str) -> Self {
        let bytes = code.as_bytes();
        let ends = bytes.iter().enumerate().filter(|&(at, &byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        Self(ends.map(|(at, _)| at).collect())
    }

    /// The line of `offset`, counted from 1.
    fn line(&self, offset: usize) -> u32 {
        let before = self.0.partition_point(|&end| end < offset);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
