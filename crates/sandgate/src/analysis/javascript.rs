//! JavaScript and TypeScript: imports with their places.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's enums: what is not named says nothing of imports"
)]

use std::collections::HashSet;

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    Argument, ArrowFunctionExpression, AwaitExpression, BindingPattern, CallExpression,
    ConditionalExpression, ExportAllDeclaration, ExportFromDeclaration, Expression, Function,
    IdentifierReference, IfStatement, ImportDeclaration, ImportDeclarationSpecifier,
    ImportExpression, ImportOrExportKind, LogicalExpression, NewExpression, Statement, SwitchCase,
    TSImportEqualsDeclaration, TSModuleReference, TryStatement, VariableDeclarator,
};
use oxc::ast_visit::{Visit, walk};
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::{ParseOptions, Parser, ParserReturn};
use oxc::span::{SourceType, Span};
use oxc::syntax::scope::ScopeFlags;
use sandgate_core::Language;

use super::{Form, Found, Import, Lines, Place, Raw, Skipped, guard, typescript};

pub(super) fn parse(language: Language, code: &str) -> Result<Found, Skipped> {
    let levels = guard::levels(code);
    if levels > guard::MAX_LEVELS {
        return Err(Skipped::TooDeep);
    }
    if guard::is_slow(code, levels) {
        return Err(Skipped::TooSlow);
    }
    guard::run(guard::stack(levels), || read(language, code)).ok_or(Skipped::TooDeep)
}

fn read(language: Language, code: &str) -> Found {
    let allocator = Allocator::default();
    if language == Language::TypeScript {
        let parsed = parsed(&allocator, code, SourceType::ts());
        let mut found = found(&parsed, code);
        found.runnable = Some(match parsed.diagnostics.errors().next() {
            None => typescript::strip(&parsed.program, code),
            Some(error) => {
                let at = offset(error);
                let line = code.get(..at).unwrap_or(code).rsplit(['\n', '\r']).next();
                let column = line.map_or(0, |line| line.chars().count()) + 1;
                typescript::syntax_error(&error.message, found.syntax_error.unwrap_or(1), column)
            }
        });
        return found;
    }
    let javascript = parsed(&allocator, code, SourceType::unambiguous());
    if javascript.diagnostics.has_errors() {
        let typescript = parsed(&allocator, code, SourceType::ts());
        if !typescript.diagnostics.has_errors() {
            let mut found = found(&typescript, code);
            found.form = Form::TypeScript;
            found.syntax_error = first_error(&javascript, code);
            return found;
        }
    }
    found(&javascript, code)
}

fn parsed<'a>(allocator: &'a Allocator, code: &'a str, kind: SourceType) -> ParserReturn<'a> {
    let options = ParseOptions {
        // Whether a `return` may stand there is for the language to say.
        allow_return_outside_function: true,
        ..ParseOptions::default()
    };
    Parser::new(allocator, code, kind)
        .with_options(options)
        .parse()
}

fn found(parsed: &ParserReturn<'_>, code: &str) -> Found {
    let mut reader = Reader {
        lines: Lines::of(code),
        place: Place::Unconditional,
        requires: HashSet::new(),
        found: Found::default(),
    };
    if parsed.module_record.has_module_syntax {
        reader.found.form = Form::Module;
    }
    reader.found.syntax_error = first_error(parsed, code);
    reader.visit_program(&parsed.program);
    reader.found
}

fn first_error(parsed: &ParserReturn<'_>, code: &str) -> Option<u32> {
    let error = parsed.diagnostics.errors().next()?;
    Some(Lines::of(code).line(offset(error)))
}

/// Where an error is.
fn offset(error: &OxcDiagnostic) -> usize {
    let label = error.labels.first();
    label.map_or(0, |label| label.offset() as usize)
}

/// Walks over the parsed code.
struct Reader {
    lines: Lines,
    /// Where the walk is.
    place: Place,
    /// What `createRequire` gave, by name.
    requires: HashSet<String>,
    found: Found,
}

impl Reader {
    /// Walks with `walk` over what stands at `place`.
    fn at(&mut self, place: Place, walk: impl FnOnce(&mut Self)) {
        let outer = self.place;
        self.place = outer.then(place);
        walk(self);
        self.place = outer;
    }

    fn import(
        &mut self,
        module: &str,
        names: Vec<String>,
        place: Place,
        dynamic: bool,
        span: Span,
    ) {
        if module.is_empty() {
            return;
        }
        let relative = module.starts_with(['.', '/']);
        let root = root(module);
        if !relative {
            self.hint_of_module(root);
        }
        let import = Import {
            module: module.to_owned(),
            root: root.to_owned(),
            names,
            place: self.place.then(place),
            dynamic,
            line: self.lines.line(span.start as usize),
        };
        self.found.parts.import(Raw { import, relative });
    }

    /// A call that imports what its first argument says.
    fn call_with_module(&mut self, argument: Option<&Expression<'_>>, place: Place, span: Span) {
        match argument.map(text) {
            Some(Some(module)) => {
                let module = module.to_owned();
                self.import(&module, Vec::new(), place, true, span);
            }
            Some(None) => self.found.parts.hints.unknown_imports = true,
            None => {}
        }
    }

    fn hint_of_module(&mut self, root: &str) {
        let hints = &mut self.found.parts.hints;
        match root {
            "worker_threads" => hints.threads = true,
            "cluster" => hints.multiprocessing = true,
            "child_process" | "execa" | "shelljs" => hints.subprocess = true,
            "net" | "http" | "https" | "http2" | "tls" | "dgram" | "dns" | "axios"
            | "node-fetch" | "undici" | "ws" | "got" | "express" | "koa" | "fastify"
            | "socket.io" | "superagent" => hints.sockets = true,
            _ => {}
        }
    }

    fn is_require(&self, callee: &Expression<'_>) -> bool {
        let name = callee
            .get_identifier_reference()
            .map(|name| name.name.as_str());
        name.is_some_and(|name| name == "require" || self.requires.contains(name))
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        let mut names = Vec::new();
        let mut all_types = import
            .specifiers
            .as_ref()
            .is_some_and(|all| !all.is_empty());
        for specifier in import.specifiers.iter().flatten() {
            match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(one) => {
                    names.push(one.imported.name().to_string());
                    all_types &= one.import_kind == ImportOrExportKind::Type;
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_)
                | ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => all_types = false,
            }
        }
        let place = types_only(all_types || import.import_kind == ImportOrExportKind::Type);
        self.import(&import.source.value, names, place, false, import.span);
    }

    fn visit_export_from_declaration(&mut self, export: &ExportFromDeclaration<'a>) {
        let place = types_only(export.export_kind == ImportOrExportKind::Type);
        self.import(&export.source.value, Vec::new(), place, false, export.span);
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'a>) {
        let place = types_only(export.export_kind == ImportOrExportKind::Type);
        self.import(&export.source.value, Vec::new(), place, false, export.span);
    }

    fn visit_ts_import_equals_declaration(&mut self, import: &TSImportEqualsDeclaration<'a>) {
        if let TSModuleReference::ExternalModuleReference(module) = &import.module_reference {
            let place = types_only(import.import_kind == ImportOrExportKind::Type);
            self.import(
                &module.expression.value,
                Vec::new(),
                place,
                false,
                import.span,
            );
        }
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        self.call_with_module(Some(&import.source), Place::Unconditional, import.span);
        walk::walk_import_expression(self, import);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        let argument = call.arguments.first().and_then(Argument::as_expression);
        if self.is_require(&call.callee) {
            self.call_with_module(argument, Place::Unconditional, call.span);
        } else if let Some(member) = call.callee.as_member_expression() {
            let of = member.object();
            match member.static_property_name() {
                // Says where a module is, or throws.
                Some("resolve") if self.is_require(of) => {
                    self.call_with_module(argument, Place::Guarded, call.span);
                }
                Some("require") if of.is_specific_id("module") => {
                    self.call_with_module(argument, Place::Unconditional, call.span);
                }
                // `import("x").catch(…)` goes on without it.
                Some("catch") if is_import(of) => {
                    self.at(Place::Guarded, |reader| {
                        walk::walk_call_expression(reader, call)
                    });
                    return;
                }
                _ => {}
            }
        }
        // A function that is called where it stands runs there.
        match call.callee.without_parentheses() {
            Expression::ArrowFunctionExpression(function) => {
                self.found.parts.hints.asyncio |= function.r#async;
                walk::walk_arrow_function_expression(self, function);
            }
            Expression::FunctionExpression(function) => {
                self.found.parts.hints.asyncio |= function.r#async;
                walk::walk_function(self, function, ScopeFlags::Function);
            }
            callee => self.visit_expression(callee),
        }
        self.visit_arguments(&call.arguments);
    }

    fn visit_variable_declarator(&mut self, variable: &VariableDeclarator<'a>) {
        if let (BindingPattern::BindingIdentifier(name), Some(Expression::CallExpression(call))) =
            (&variable.id, &variable.init)
        {
            let callee = call.callee.as_member_expression();
            let callee = callee.and_then(|member| member.static_property_name());
            if callee == Some("createRequire") || call.callee.is_specific_id("createRequire") {
                self.requires.insert(name.name.to_string());
            }
        }
        walk::walk_variable_declarator(self, variable);
    }

    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.found.parts.hints.asyncio |= function.r#async;
        self.at(Place::Function, |reader| {
            walk::walk_function(reader, function, flags)
        });
    }

    fn visit_arrow_function_expression(&mut self, function: &ArrowFunctionExpression<'a>) {
        self.found.parts.hints.asyncio |= function.r#async;
        self.at(Place::Function, |reader| {
            walk::walk_arrow_function_expression(reader, function);
        });
    }

    fn visit_try_statement(&mut self, attempt: &TryStatement<'a>) {
        let gives_up = attempt
            .handler
            .as_ref()
            .is_none_or(|handler| handler.body.body.iter().any(gives_up));
        let (inside, handling) = if !gives_up && attempt.block.body.iter().all(is_setup) {
            (Place::Guarded, Place::Fallback)
        } else {
            (Place::Unconditional, Place::Conditional)
        };
        self.at(inside, |reader| {
            reader.visit_block_statement(&attempt.block)
        });
        if let Some(handler) = &attempt.handler {
            self.at(handling, |reader| reader.visit_catch_clause(handler));
        }
        if let Some(last) = &attempt.finalizer {
            self.visit_block_statement(last);
        }
    }

    fn visit_if_statement(&mut self, condition: &IfStatement<'a>) {
        self.visit_expression(&condition.test);
        self.at(Place::Conditional, |reader| {
            reader.visit_statement(&condition.consequent);
            if let Some(otherwise) = &condition.alternate {
                reader.visit_statement(otherwise);
            }
        });
    }

    fn visit_conditional_expression(&mut self, condition: &ConditionalExpression<'a>) {
        self.visit_expression(&condition.test);
        self.at(Place::Conditional, |reader| {
            reader.visit_expression(&condition.consequent);
            reader.visit_expression(&condition.alternate);
        });
    }

    fn visit_logical_expression(&mut self, condition: &LogicalExpression<'a>) {
        self.visit_expression(&condition.left);
        self.at(Place::Conditional, |reader| {
            reader.visit_expression(&condition.right)
        });
    }

    fn visit_switch_case(&mut self, case: &SwitchCase<'a>) {
        self.at(Place::Conditional, |reader| {
            walk::walk_switch_case(reader, case)
        });
    }

    fn visit_await_expression(&mut self, expression: &AwaitExpression<'a>) {
        self.found.parts.hints.asyncio = true;
        walk::walk_await_expression(self, expression);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'a>) {
        let hints = &mut self.found.parts.hints;
        hints.threads |= new.callee.is_specific_id("Worker");
        walk::walk_new_expression(self, new);
    }

    fn visit_identifier_reference(&mut self, name: &IdentifierReference<'a>) {
        let network = ["fetch", "WebSocket", "XMLHttpRequest", "EventSource"];
        self.found.parts.hints.sockets |= network.contains(&name.name.as_str());
    }
}

fn types_only(types: bool) -> Place {
    if types {
        Place::TypeChecking
    } else {
        Place::Unconditional
    }
}

/// The text of a string literal, or of a template without placeholders.
fn text<'e>(expression: &'e Expression<'_>) -> Option<&'e str> {
    match expression.without_parentheses() {
        Expression::StringLiteral(string) => Some(string.value.as_str()),
        Expression::TemplateLiteral(template) => Some(template.single_quasi()?.as_str()),
        _ => None,
    }
}

fn is_import(expression: &Expression<'_>) -> bool {
    matches!(
        expression.without_parentheses(),
        Expression::ImportExpression(_)
    )
}

/// Whether a statement is what stands in a guard around an import: `x = require("x")`.
fn is_setup(statement: &Statement<'_>) -> bool {
    let imports = |value: &Expression<'_>| {
        let mut value = value.without_parentheses();
        if let Expression::AwaitExpression(wait) = value {
            value = wait.argument.without_parentheses();
        }
        while let Some(member) = value.as_member_expression() {
            value = member.object().without_parentheses();
        }
        is_import(value)
            || value.is_literal()
            || matches!(value, Expression::CallExpression(call)
                if call.callee.is_specific_id("require") || text_of_resolve(call))
    };
    match statement {
        Statement::VariableDeclaration(variables) => {
            let mut all = variables.declarations.iter();
            all.all(|variable| variable.init.as_ref().is_none_or(imports))
        }
        Statement::ExpressionStatement(statement) => match &statement.expression {
            Expression::AssignmentExpression(assigned) => imports(&assigned.right),
            value => imports(value),
        },
        Statement::ReturnStatement(statement) => statement.argument.as_ref().is_some_and(imports),
        _ => false,
    }
}

/// Whether a call is `require.resolve(…)`.
fn text_of_resolve(call: &CallExpression<'_>) -> bool {
    let member = call.callee.as_member_expression();
    member.is_some_and(|member| {
        member.object().is_specific_id("require")
            && member.static_property_name() == Some("resolve")
    })
}

/// Whether a handler's statement ends the snippet.
fn gives_up(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::ThrowStatement(_) => true,
        Statement::ExpressionStatement(statement) => {
            let Expression::CallExpression(call) = &statement.expression else {
                return false;
            };
            let member = call.callee.as_member_expression();
            member.is_some_and(|member| {
                member.object().is_specific_id("process")
                    && member.static_property_name() == Some("exit")
            })
        }
        _ => false,
    }
}

/// The part of `module` that names the package: `lodash` of `lodash/fp`, `@scope/name` of
/// `@scope/name/part`, `fs` of `node:fs/promises`.
pub(crate) fn root(module: &str) -> &str {
    let mut name = module;
    for scheme in ["node:", "npm:", "jsr:"] {
        name = name.strip_prefix(scheme).unwrap_or(name);
    }
    if name.contains("://") || name.starts_with("data:") {
        return module;
    }
    let parts = if name.starts_with('@') { 2 } else { 1 };
    let end = name.match_indices('/').nth(parts - 1);
    let name = end.map_or(name, |(end, _)| &name[..end]);
    // `npm:lodash@4`.
    let version = name.rfind('@').filter(|&at| at > 0);
    version.map_or(name, |at| &name[..at])
}

#[cfg(test)]
mod tests;
