//! TypeScript without its types, as JavaScript.
//!
//! Types are blanked where they stand, so every token that runs keeps its line and column, and the
//! traceback of an error is right as it is. What is more than types (enums, namespaces, parameter
//! properties) is rewritten within its own lines. An import of which nothing is used but as a type
//! is left out, as the compiler of TypeScript does.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's enums: what is not named has no types"
)]

mod edits;
mod rewrite;

use std::collections::HashSet;

use oxc::ast::ast::{
    AccessorProperty, ArrowFunctionExpression, Class, Declaration, ExportAllDeclaration,
    ExportDeclaration, ExportDefaultDeclaration, ExportDefaultDeclarationKind,
    ExportFromDeclaration, ExportNamedDeclaration, FormalParameter, Function, IdentifierReference,
    ImportDeclaration, ImportDeclarationSpecifier, ImportOrExportKind, MethodDefinition, Program,
    PropertyDefinition, PropertyDefinitionType, Statement, TSAsExpression, TSClassImplements,
    TSEnumDeclaration, TSExportAssignment, TSExternalModuleDeclaration, TSGlobalDeclaration,
    TSImportEqualsDeclaration, TSIndexSignature, TSInterfaceDeclaration, TSModuleReference,
    TSNamespaceDeclaration, TSNamespaceExportDeclaration, TSNonNullExpression,
    TSSatisfiesExpression, TSThisParameter, TSTypeAliasDeclaration, TSTypeAnnotation,
    TSTypeAssertion, TSTypeParameterDeclaration, TSTypeParameterInstantiation, VariableDeclaration,
    VariableDeclarator,
};
use oxc::ast_visit::{Visit, walk};
use oxc::span::{GetSpan, Span};
use oxc::syntax::scope::ScopeFlags;

use self::edits::Edits;

/// What may stand before a class's element, or a parameter, and says nothing when it runs.
const MODIFIERS: [&str; 7] = [
    "public",
    "private",
    "protected",
    "readonly",
    "override",
    "abstract",
    "declare",
];

/// `program`, which was parsed from `code` without errors, as JavaScript.
pub(super) fn strip(program: &Program<'_>, code: &str) -> String {
    let mut stripper = Stripper {
        edits: Edits::new(code),
        used: HashSet::new(),
        imports: Vec::new(),
        derived: Vec::new(),
    };
    stripper.visit_program(program);
    stripper.drop_unused_imports();
    stripper.edits.finish()
}

/// JavaScript that raises the syntax error `message` at `line` and `column`, both counted from 1.
/// Nothing else of the code may run.
pub(super) fn syntax_error(message: &str, line: u32, column: usize) -> String {
    let lines = "\n".repeat(line.saturating_sub(1) as usize);
    let spaces = " ".repeat(column.saturating_sub(1));
    let message = serde_json::Value::from(message);
    format!("{lines}{spaces}throw new SyntaxError({message})\n")
}

/// Walks over the program and notes what has to go.
struct Stripper<'c> {
    edits: Edits<'c>,
    /// Names that are used as values.
    used: HashSet<String>,
    imports: Vec<Imported>,
    /// For each class around: whether it extends another.
    derived: Vec<bool>,
}

/// An import declaration with what it binds.
struct Imported {
    span: Span,
    names: Vec<(Span, String)>,
}

impl Stripper<'_> {
    fn drop_unused_imports(&mut self) {
        for Imported { span, names } in std::mem::take(&mut self.imports) {
            let unused = |(_, name): &&(Span, String)| !self.used.contains(name);
            if !names.is_empty() && names.iter().all(|name| unused(&name)) {
                self.edits.drop(span);
                continue;
            }
            for (span, _) in names.iter().filter(unused) {
                self.edits.blank_item(*span);
            }
        }
    }

    /// Blanks a mark (`?`, `!`) that follows what ends at `end`.
    fn mark(&mut self, end: u32, mark: char) {
        if let Some(after) = self.edits.next_is(end, mark) {
            self.edits.blank(after - 1, after);
        }
    }

    /// The modifiers of a class's element, and the marks after its key.
    fn element(&mut self, start: u32, key: Span, computed: bool, generator: bool, marks: &[char]) {
        let first = self.edits.blank_words(start, key.start, &MODIFIERS);
        if let (Some(first), true) = (first, computed || generator) {
            // `[` and `*` would go on with the element before.
            self.edits.over(first, ';');
        }
        let end = if computed {
            self.edits.next_is(key.end, ']').unwrap_or(key.end)
        } else {
            key.end
        };
        for mark in marks {
            self.mark(end, *mark);
        }
    }

    /// Ends a statement whose own end was blanked: the next line must not go on with it.
    fn end(&mut self, span: Span) {
        if self.edits.blanked_to(span.end) {
            self.edits.over(span.end - 1, ';');
        }
    }
}

/// Where what follows decorators begins.
fn after_decorators(start: u32, decorators: &[oxc::ast::ast::Decorator<'_>]) -> u32 {
    decorators
        .last()
        .map_or(start, |last| last.span.end.max(start))
}

/// Whether nothing of a declaration is left when it runs.
fn is_erased(declaration: &Declaration<'_>) -> bool {
    match declaration {
        Declaration::VariableDeclaration(variables) => variables.declare,
        Declaration::FunctionDeclaration(function) => function.body.is_none(),
        Declaration::ClassDeclaration(class) => class.declare,
        Declaration::TSEnumDeclaration(one) => one.declare,
        Declaration::TSNamespaceDeclaration(one) => !rewrite::runs(one),
        Declaration::TSImportEqualsDeclaration(one) => one.import_kind == ImportOrExportKind::Type,
        Declaration::TSTypeAliasDeclaration(_)
        | Declaration::TSInterfaceDeclaration(_)
        | Declaration::TSExternalModuleDeclaration(_)
        | Declaration::TSGlobalDeclaration(_) => true,
    }
}

impl<'a> Visit<'a> for Stripper<'_> {
    fn visit_identifier_reference(&mut self, name: &IdentifierReference<'a>) {
        if !self.used.contains(name.name.as_str()) {
            self.used.insert(name.name.to_string());
        }
    }

    // Types.

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.edits.blank(it.span.start, it.span.end);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.edits.blank(it.span.start, it.span.end);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.edits.blank(it.span.start, it.span.end);
    }

    fn visit_ts_this_parameter(&mut self, it: &TSThisParameter<'a>) {
        self.edits.blank_item(it.span);
    }

    fn visit_ts_class_implements(&mut self, _: &TSClassImplements<'a>) {}

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.edits.blank(it.expression.span().end, it.span.end);
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        self.edits.blank(it.span.start, it.expression.span().start);
        self.visit_expression(&it.expression);
    }

    // Statements that are only types.

    fn visit_ts_type_alias_declaration(&mut self, it: &TSTypeAliasDeclaration<'a>) {
        self.edits.drop(it.span);
    }

    fn visit_ts_interface_declaration(&mut self, it: &TSInterfaceDeclaration<'a>) {
        self.edits.drop(it.span);
    }

    fn visit_ts_external_module_declaration(&mut self, it: &TSExternalModuleDeclaration<'a>) {
        self.edits.drop(it.span);
    }

    fn visit_ts_global_declaration(&mut self, it: &TSGlobalDeclaration<'a>) {
        self.edits.drop(it.span);
    }

    fn visit_ts_namespace_export_declaration(&mut self, it: &TSNamespaceExportDeclaration<'a>) {
        self.edits.drop(it.span);
    }

    fn visit_ts_index_signature(&mut self, it: &TSIndexSignature<'a>) {
        self.edits.drop(it.span);
    }

    fn visit_variable_declaration(&mut self, it: &VariableDeclaration<'a>) {
        if it.declare {
            self.edits.drop(it.span);
        } else {
            walk::walk_variable_declaration(self, it);
        }
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if it.definite {
            self.mark(it.id.span().end, '!');
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_statement(&mut self, it: &Statement<'a>) {
        walk::walk_statement(self, it);
        match it {
            Statement::ExpressionStatement(_)
            | Statement::VariableDeclaration(_)
            | Statement::ReturnStatement(_)
            | Statement::ThrowStatement(_)
            | Statement::ExportDeclaration(_)
            | Statement::ExportDefaultDeclaration(_) => self.end(it.span()),
            _ => {}
        }
    }

    // Functions.

    fn visit_function(&mut self, it: &Function<'a>, flags: ScopeFlags) {
        if it.body.is_none() {
            self.edits.drop(it.span);
        } else {
            walk::walk_function(self, it, flags);
        }
    }

    fn visit_arrow_function_expression(&mut self, it: &ArrowFunctionExpression<'a>) {
        walk::walk_arrow_function_expression(self, it);
        if let Some(returns) = &it.return_type {
            let Span { start, end, .. } = returns.span;
            // No line may end between the parameters and the arrow.
            if self.edits.text(start, end).contains(['\n', '\r']) {
                self.edits.blank(it.params.span.end - 1, it.params.span.end);
                self.edits.over(end - 1, ')');
            }
        }
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        let pattern = it.pattern.span();
        let start = after_decorators(it.span.start, &it.decorators);
        self.edits.blank_words(start, pattern.start, &MODIFIERS);
        if it.optional {
            self.mark(pattern.end, '?');
        }
        walk::walk_formal_parameter(self, it);
    }

    // Classes.

    fn visit_class(&mut self, it: &Class<'a>) {
        if it.declare {
            self.edits.drop(it.span);
            return;
        }
        let start = after_decorators(it.span.start, &it.decorators);
        let name = it
            .id
            .as_ref()
            .map_or(it.body.span.start, |id| id.span.start);
        if it.r#abstract {
            self.edits.blank_words(start, name, &["abstract"]);
        }
        if let (Some(first), Some(last)) = (it.implements.first(), it.implements.last()) {
            let before = self.edits.text(start, first.span.start);
            if let Some(at) = before.rfind("implements") {
                let at = start + u32::try_from(at).unwrap_or_default();
                self.edits.blank(at, last.span.end);
            }
        }
        self.derived.push(it.heritage.is_some());
        walk::walk_class(self, it);
        self.derived.pop();
    }

    fn visit_method_definition(&mut self, it: &MethodDefinition<'a>) {
        if it.value.body.is_none() {
            self.edits.drop(it.span);
            return;
        }
        let start = after_decorators(it.span.start, &it.decorators);
        let marks: &[char] = if it.optional { &['?'] } else { &[] };
        self.element(start, it.key.span(), it.computed, it.value.generator, marks);
        walk::walk_method_definition(self, it);
        if it.kind.is_constructor() {
            self.parameter_properties(&it.value);
        }
    }

    fn visit_property_definition(&mut self, it: &PropertyDefinition<'a>) {
        if it.declare || it.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition {
            self.edits.drop(it.span);
            return;
        }
        let start = after_decorators(it.span.start, &it.decorators);
        let marks: &[char] = match (it.optional, it.definite) {
            (true, _) => &['?'],
            (_, true) => &['!'],
            _ => &[],
        };
        self.element(start, it.key.span(), it.computed, false, marks);
        walk::walk_property_definition(self, it);
        self.end(it.span);
    }

    fn visit_accessor_property(&mut self, it: &AccessorProperty<'a>) {
        let start = after_decorators(it.span.start, &it.decorators);
        let marks: &[char] = if it.definite { &['!'] } else { &[] };
        self.element(start, it.key.span(), it.computed, false, marks);
        walk::walk_accessor_property(self, it);
        self.end(it.span);
    }

    // Imports and exports.

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        if it.import_kind == ImportOrExportKind::Type {
            self.edits.drop(it.span);
            return;
        }
        let mut names = Vec::new();
        for specifier in it.specifiers.iter().flatten() {
            let name = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(one)
                    if one.import_kind == ImportOrExportKind::Type =>
                {
                    // Never used: no value has this name.
                    String::new()
                }
                one => one.local().name.to_string(),
            };
            names.push((specifier.span(), name));
        }
        let span = it.span;
        self.imports.push(Imported { span, names });
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        if is_erased(&it.declaration) {
            self.edits.drop(it.span);
        } else {
            walk::walk_export_declaration(self, it);
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        let erased = match &it.declaration {
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => true,
            ExportDefaultDeclarationKind::FunctionDeclaration(one) => one.body.is_none(),
            _ => false,
        };
        if erased {
            self.edits.drop(it.span);
        } else {
            walk::walk_export_default_declaration(self, it);
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            self.edits.drop(it.span);
            return;
        }
        for one in &it.specifiers {
            if one.export_kind == ImportOrExportKind::Type {
                self.edits.blank_item(one.span);
            } else {
                self.visit_module_export_name(&one.local);
            }
        }
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            self.edits.drop(it.span);
            return;
        }
        for one in &it.specifiers {
            if one.export_kind == ImportOrExportKind::Type {
                self.edits.blank_item(one.span);
            }
        }
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Type {
            self.edits.drop(it.span);
        }
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        if it.import_kind == ImportOrExportKind::Type {
            self.edits.drop(it.span);
            return;
        }
        // `import fs = require("fs")`, `import A = N.A`.
        let keyword = it.span.start;
        self.edits.blank(keyword, keyword + 6);
        self.edits.insert(keyword, "const");
        match &it.module_reference {
            TSModuleReference::ExternalModuleReference(_) => {}
            TSModuleReference::IdentifierReference(name) => self.visit_identifier_reference(name),
            TSModuleReference::QualifiedName(name) => self.visit_ts_qualified_name(name),
        }
    }

    fn visit_ts_export_assignment(&mut self, it: &TSExportAssignment<'a>) {
        self.edits.blank(it.span.start, it.expression.span().start);
        self.edits.insert(it.span.start, "module.exports = ");
        self.visit_expression(&it.expression);
    }

    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        if it.declare {
            self.edits.drop(it.span);
        } else {
            self.rewrite_enum(it);
        }
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        if rewrite::runs(it) {
            self.rewrite_namespace(it);
        } else {
            self.edits.drop(it.span);
        }
    }
}

#[cfg(test)]
mod tests;
