//! Python: imports with their places, notebook lines, installers.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's enums: what is not named says nothing of imports"
)]

mod depth;
mod hints;
mod places;

use std::cell::LazyCell;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, Arguments, Expr, ExprCall, IpyEscapeKind, PySourceType, Stmt, StmtIf, StmtImportFrom,
    StmtTry,
};
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::{Ranged, TextRange};

use self::hints::Names;
use self::places::{Guard, Test};
use super::{
    Declared, DeclaredBy, Form, Found, Import, Lines, Magic, Place, Raw, Skipped, guard, magics,
    requirements,
};

pub(super) fn parse(code: &str) -> Result<Found, Skipped> {
    let cells = magics::blank_cells(code);
    let source = cells.code.as_deref().unwrap_or(code);
    let mut levels = guard::levels(source);
    if levels > guard::MAX_LEVELS {
        levels = depth::of(source);
    }
    if levels > guard::MAX_LEVELS {
        return Err(Skipped::TooDeep);
    }
    let stack = guard::stack(levels);
    let grammar = PySourceType::Python;
    let plain = guard::run(stack, || read(source, grammar)).ok_or(Skipped::TooDeep)?;
    let (mut found, mut lines_of_notebooks) = plain;
    if found.syntax_error.is_some() && source.contains(['%', '!', '?']) {
        // The grammar of notebooks has their lines, and is Python's in everything else. Its parser
        // panics at some that it does not expect.
        let grammar = PySourceType::Ipynb;
        if let Some(read) = guard::run(stack, || read(source, grammar)) {
            (found, lines_of_notebooks) = read;
        }
    }
    if cells.code.is_some() || !lines_of_notebooks.is_empty() {
        lines_of_notebooks.sort_unstable_by_key(|(range, _)| range.start());
        found.runnable = Some(magics::blank_lines(source, &lines_of_notebooks));
    }
    // Few snippets need them here: the walk has its own.
    let lines = LazyCell::new(|| Lines::of(code));
    for cell in cells.found {
        for package in &cell.packages {
            found.parts.declare(Declared {
                package: package.clone(),
                by: DeclaredBy::Magic,
                line: lines.line(cell.at),
            });
        }
        found.magics.push(magics::magic(&lines, code, cell.at));
    }
    found.magics.sort_by_key(|magic| magic.line);
    if let Some((packages, at)) = requirements::of_metadata(code) {
        let line = lines.line(at);
        let declared = packages.into_iter().map(|package| Declared {
            package,
            by: DeclaredBy::Metadata,
            line,
        });
        declared.for_each(|one| found.parts.declare(one));
    }
    Ok(found)
}

/// What is replaced, and by what.
type Replaced = Vec<(TextRange, &'static str)>;

fn read(source: &str, grammar: PySourceType) -> (Found, Replaced) {
    let parsed = parse_unchecked_source(source, grammar);
    let mut reader = Reader {
        source,
        lines: Lines::of(source),
        place: Place::Unconditional,
        found: Found::default(),
        lines_of_notebooks: Vec::new(),
        names: Names::default(),
    };
    let first = parsed.errors().first();
    reader.found.syntax_error = first.map(|error| reader.line(error.location));
    reader.found.form = Form::Script;
    reader.visit_body(&parsed.syntax().body);
    reader.found.parts.hints.add(reader.names.hints());
    (reader.found, reader.lines_of_notebooks)
}

/// Walks over the parsed code.
struct Reader<'s> {
    source: &'s str,
    lines: Lines,
    /// Where the walk is.
    place: Place,
    found: Found,
    /// What of the code is for notebooks, and what to put in its stead.
    lines_of_notebooks: Replaced,
    names: Names,
}

impl Reader<'_> {
    fn line(&self, range: TextRange) -> u32 {
        self.lines.line(range.start().to_usize())
    }

    /// Walks with `walk` over what stands at `place`.
    fn at(&mut self, place: Place, walk: impl FnOnce(&mut Self)) {
        let outer = self.place;
        self.place = outer.then(place);
        walk(self);
        self.place = outer;
    }

    fn import(&mut self, module: &str, names: Vec<String>, dynamic: bool, range: TextRange) {
        let relative = module.starts_with('.');
        let root = module.split('.').find(|part| !part.is_empty());
        // An error left no name.
        if module.is_empty() || (root.is_none() && !relative) {
            return;
        }
        // The program itself, which no catalogue lists and every backend has.
        if module == "__main__" {
            return;
        }
        self.names.module(module);
        let import = Import {
            module: module.to_owned(),
            root: root.unwrap_or_default().to_owned(),
            names,
            place: self.place,
            dynamic,
            line: self.line(range),
        };
        self.found.parts.import(Raw { import, relative });
    }

    fn import_from(&mut self, statement: &StmtImportFrom) {
        let mut module = ".".repeat(statement.level.min(64) as usize);
        if let Some(name) = &statement.module {
            module.push_str(name);
        }
        let names = statement.names.iter().map(|alias| alias.name.to_string());
        let names: Vec<String> = names.filter(|name| name != "*").collect();
        for name in &names {
            self.names.used(name);
        }
        self.import(&module, names, false, statement.range);
    }

    fn condition(&mut self, statement: &StmtIf) {
        let StmtIf {
            test,
            body,
            elif_else_clauses,
            ..
        } = statement;
        self.visit_expr(test);
        let mut test = Test::of(test);
        self.at(test.place(), |reader| reader.visit_body(body));
        for clause in elif_else_clauses {
            let otherwise = test.otherwise();
            let place = match &clause.test {
                Some(own) => {
                    self.at(otherwise, |reader| reader.visit_expr(own));
                    test = Test::of(own);
                    otherwise.then(test.place())
                }
                None => otherwise,
            };
            self.at(place, |reader| reader.visit_body(&clause.body));
        }
    }

    fn attempt(&mut self, statement: &StmtTry) {
        let StmtTry {
            body,
            handlers,
            orelse,
            finalbody,
            ..
        } = statement;
        let (inside, handling) = match Guard::of(statement) {
            Guard::Import => (Place::Guarded, Place::Fallback),
            Guard::None => (Place::Unconditional, Place::Conditional),
        };
        self.at(inside, |reader| reader.visit_body(body));
        for handler in handlers {
            self.at(handling, |reader| reader.visit_except_handler(handler));
        }
        self.at(inside, |reader| reader.visit_body(orelse));
        self.visit_body(finalbody);
    }

    fn call(&mut self, call: &ExprCall) {
        let Some(function) = name_of(&call.func) else {
            return;
        };
        let attribute = call.func.as_attribute_expr();
        let owner = attribute.and_then(|attribute| name_of(&attribute.value));
        match (owner, function) {
            (_, "__import__" | "import_module") => {
                self.dynamic_import(call, self.place);
            }
            (_, "find_spec" | "find_loader") | (Some("pytest"), "importorskip") => {
                self.dynamic_import(call, Place::Guarded);
            }
            (Some("runpy"), "run_module") => self.dynamic_import(call, self.place),
            (None, "exec" | "eval") => {
                let unknown = match string(call.arguments.args.first()) {
                    Some(code) => code.contains("import"),
                    None => function == "exec",
                };
                self.found.parts.hints.unknown_imports |= unknown;
            }
            (Some("os"), "system" | "popen")
            | (_, "check_call" | "check_output" | "run" | "call" | "Popen" | "main") => {
                let by = DeclaredBy::Call;
                let packages = places::installed(call);
                self.declare(packages, by, call.range());
            }
            _ => {}
        }
    }

    fn dynamic_import(&mut self, call: &ExprCall, place: Place) {
        let Some(module) = argument(&call.arguments, "name") else {
            return;
        };
        match string(Some(module)) {
            Some(module) => {
                let module = module.to_owned();
                self.at(place, |reader| {
                    reader.import(&module, Vec::new(), true, call.range());
                });
            }
            None => self.found.parts.hints.unknown_imports = true,
        }
    }

    fn declare(&mut self, packages: Vec<String>, by: DeclaredBy, range: TextRange) {
        let line = self.line(range);
        let declared = packages
            .into_iter()
            .map(|package| Declared { package, by, line });
        declared.for_each(|one| self.found.parts.declare(one));
    }

    fn notebook_line(
        &mut self,
        range: TextRange,
        kind: IpyEscapeKind,
        text: &str,
        instead: &'static str,
    ) {
        let line = self.line(range);
        let shown = &self.source[range.start().to_usize()..range.end().to_usize()];
        self.found.magics.push(Magic {
            line,
            text: shown.chars().take(magics::MAX_TEXT).collect(),
        });
        if matches!(
            kind,
            IpyEscapeKind::Shell | IpyEscapeKind::ShCap | IpyEscapeKind::Magic
        ) {
            self.declare(requirements::of_command(text), DeclaredBy::Magic, range);
        }
        self.lines_of_notebooks.push((range, instead));
    }
}

impl<'a> Visitor<'a> for Reader<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for Alias { name, range, .. } in &import.names {
                    self.import(name, Vec::new(), false, *range);
                }
            }
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.visit_decorator(decorator);
                }
                self.visit_parameters(&function.parameters);
                self.names.hints.asyncio |= function.is_async;
                self.at(Place::Function, |reader| reader.visit_body(&function.body));
            }
            Stmt::If(condition) => self.condition(condition),
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::With(with) => {
                for item in &with.items {
                    self.visit_with_item(item);
                }
                let place = match with.items.iter().any(places::suppresses) {
                    true => Place::Guarded,
                    false => Place::Unconditional,
                };
                self.at(place, |reader| reader.visit_body(&with.body));
            }
            Stmt::IpyEscapeCommand(command) => {
                self.notebook_line(command.range, command.kind, &command.value, "pass");
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_match_case(&mut self, case: &'a ruff_python_ast::MatchCase) {
        self.at(Place::Conditional, |reader| {
            visitor::walk_match_case(reader, case);
        });
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => self.call(call),
            Expr::Name(name) => self.names.used(&name.id),
            Expr::Attribute(attribute) => {
                self.names.used(&attribute.attr);
                let of_sys = name_of(&attribute.value) == Some("sys");
                self.found.parts.search_path |= of_sys && attribute.attr.as_str() == "path";
            }
            Expr::IpyEscapeCommand(command) => {
                let instead = match command.kind {
                    IpyEscapeKind::Shell | IpyEscapeKind::ShCap => "[]",
                    IpyEscapeKind::Help
                    | IpyEscapeKind::Help2
                    | IpyEscapeKind::Magic
                    | IpyEscapeKind::Magic2
                    | IpyEscapeKind::Quote
                    | IpyEscapeKind::Quote2
                    | IpyEscapeKind::Paren => "None",
                };
                self.notebook_line(command.range, command.kind, &command.value, instead);
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.visit_parameters(parameters);
                }
                self.at(Place::Function, |reader| reader.visit_expr(&lambda.body));
                return;
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

/// The name that `expression` is, or its last part.
fn name_of(expression: &Expr) -> Option<&str> {
    let name = expression.as_name_expr().map(|name| name.id.as_str());
    name.or_else(|| Some(expression.as_attribute_expr()?.attr.as_str()))
}

/// The text of a string literal.
fn string(expression: Option<&Expr>) -> Option<&str> {
    Some(expression?.as_string_literal_expr()?.value.to_str())
}

/// The first positional argument, or the one called `keyword`.
fn argument<'a>(arguments: &'a Arguments, keyword: &str) -> Option<&'a Expr> {
    let named = || Some(&arguments.find_keyword(keyword)?.value);
    arguments.args.first().or_else(named)
}

#[cfg(test)]
mod tests;
