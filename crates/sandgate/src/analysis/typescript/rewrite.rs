//! What of TypeScript is more than types, rewritten within its own lines.

use oxc::ast::ast::{
    Declaration, Expression, Function, Statement, TSEnumDeclaration, TSEnumMember,
    TSEnumMemberName, TSModuleBlock, TSNamespaceDeclaration, TSNamespaceDeclarationBody,
    VariableDeclaration,
};
use oxc::ast_visit::Visit;
use oxc::span::GetSpan;

use super::{Stripper, is_erased};

/// Words that no variable can be called, though an enum's member can.
const RESERVED: [&str; 47] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "yield",
];

/// Whether a namespace has anything but types in it.
pub(super) fn runs(namespace: &TSNamespaceDeclaration<'_>) -> bool {
    let mut namespace = namespace;
    loop {
        if namespace.declare {
            return false;
        }
        match &namespace.body {
            TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => namespace = inner,
            TSNamespaceDeclarationBody::TSModuleBlock(block) => {
                return block.body.iter().any(statement_runs);
            }
        }
    }
}

fn statement_runs(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::TSTypeAliasDeclaration(_) | Statement::TSInterfaceDeclaration(_) => false,
        Statement::TSNamespaceDeclaration(inner) => runs(inner),
        Statement::ExportDeclaration(export) => !is_erased(&export.declaration),
        _ => true,
    }
}

impl Stripper<'_> {
    /// `constructor(private x = 1) {` becomes `constructor(x = 1) { this.x = x;`, after the call of
    /// `super` where there has to be one.
    pub(super) fn parameter_properties(&mut self, constructor: &Function<'_>) {
        let mut set = String::new();
        for parameter in &constructor.params.items {
            let property =
                parameter.accessibility.is_some() || parameter.readonly || parameter.r#override;
            if let (true, Some(name)) = (property, parameter.pattern.get_binding_identifier()) {
                set.push_str(&format!(" this.{0} = {0};", name.name));
            }
        }
        let Some(body) = constructor.body.as_ref().filter(|_| !set.is_empty()) else {
            return;
        };
        let mut statements = body.statements.iter();
        let call = statements.find(|statement| match statement {
            Statement::ExpressionStatement(one) => one.expression.is_super_call_expression(),
            _ => false,
        });
        match call {
            Some(call) if self.derived.last() == Some(&true) => {
                self.edits.insert(call.span().end, format!(";{set}"));
            }
            _ => self.edits.insert(body.span.start + 1, set),
        }
    }

    /// `enum A { B, C = 2 }` becomes a function that fills `A`, with a constant for every member
    /// that others may name.
    pub(super) fn rewrite_enum(&mut self, it: &TSEnumDeclaration<'_>) {
        let name = it.id.name.as_str();
        let body = it.body.span;
        self.edits.blank(it.span.start, body.start + 1);
        self.edits.insert(
            it.span.start,
            format!(
                "var {name} = (({name}) => {{ let $value = -1; const $member = (name, value) => \
                 {{ $value = value; if (typeof value === 'number') {name}[value] = name; \
                 return {name}[name] = value; }};"
            ),
        );
        for member in &it.body.members {
            self.member(name, member);
        }
        self.edits.blank(body.end - 1, body.end);
        self.edits
            .insert(body.end, format!("return {name}; }})({name} || {{}});"));
    }

    fn member(&mut self, of: &str, it: &TSEnumMember<'_>) {
        let (key, bound) = match &it.id {
            TSEnumMemberName::Identifier(name) => (name.name.to_string(), true),
            TSEnumMemberName::String(name) | TSEnumMemberName::ComputedString(name) => {
                (name.value.to_string(), false)
            }
            TSEnumMemberName::ComputedTemplateString(name) => {
                let text = name.single_quasi();
                (text.map(|text| text.to_string()).unwrap_or_default(), false)
            }
        };
        let word = key.as_str();
        let constant = bound && word != of && !word.starts_with('$') && !RESERVED.contains(&word);
        let start = if constant {
            format!("const {key} = ")
        } else {
            String::new()
        };
        let quoted = serde_json::Value::from(word);
        self.edits
            .insert(it.span.start, format!("{start}$member({quoted}, "));
        match &it.initializer {
            Some(value) => {
                self.edits.blank(it.span.start, value.span().start);
                self.visit_expression(value);
                self.edits.insert(value.span().end, ");");
            }
            None => {
                self.edits.blank(it.span.start, it.span.end);
                self.edits.insert(it.span.start, "$value + 1);");
            }
        }
        if let Some(after) = self.edits.next_is(it.span.end, ',') {
            self.edits.blank(after - 1, after);
        }
    }

    /// `namespace A { export const b = 1 }` becomes a function that fills `A`.
    pub(super) fn rewrite_namespace(&mut self, it: &TSNamespaceDeclaration<'_>) {
        let mut name = it.id.name.to_string();
        let mut open = format!("var {name} = (({name}) => {{");
        let mut close = format!("return {name}; }})({name} || {{}});");
        let mut namespace = it;
        let block = loop {
            match &namespace.body {
                TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
                    namespace = inner;
                    let part = inner.id.name.as_str();
                    open.push_str(&format!(" var {part} = {name}.{part} = (({part}) => {{"));
                    close = format!("return {part}; }})({name}.{part} || {{}}); {close}");
                    name = part.to_owned();
                }
                TSNamespaceDeclarationBody::TSModuleBlock(block) => break block,
            }
        };
        self.edits.blank(it.span.start, block.span.start + 1);
        self.edits.insert(it.span.start, open);
        self.namespace_body(&name, block);
        self.edits.blank(block.span.end - 1, block.span.end);
        self.edits.insert(block.span.end, close);
    }

    fn namespace_body(&mut self, name: &str, block: &TSModuleBlock<'_>) {
        for statement in &block.body {
            let Statement::ExportDeclaration(export) = statement else {
                self.visit_statement(statement);
                continue;
            };
            if is_erased(&export.declaration) {
                self.edits.drop(export.span);
                continue;
            }
            self.edits.blank(export.span.start, export.span.start + 6);
            self.visit_declaration(&export.declaration);
            let end = export.span.end;
            match &export.declaration {
                Declaration::VariableDeclaration(variables) => {
                    self.exported_variables(name, variables, end);
                }
                Declaration::FunctionDeclaration(one) => self.exported(name, one.id.as_ref(), end),
                Declaration::ClassDeclaration(one) => self.exported(name, one.id.as_ref(), end),
                Declaration::TSEnumDeclaration(one) => self.exported(name, Some(&one.id), end),
                Declaration::TSNamespaceDeclaration(one) => {
                    self.exported(name, Some(&one.id), end);
                }
                _ => {}
            }
        }
    }

    fn exported(&mut self, to: &str, id: Option<&oxc::ast::ast::BindingIdentifier<'_>>, end: u32) {
        if let Some(id) = id {
            self.edits.insert(end, format!(" {to}.{0} = {0};", id.name));
        }
    }

    fn exported_variables(&mut self, to: &str, variables: &VariableDeclaration<'_>, end: u32) {
        let mut set = String::new();
        for variable in &variables.declarations {
            let id = variable.id.get_binding_identifier();
            let start = variable.init.as_ref().map(Expression::span);
            match (id, start) {
                (Some(id), Some(value)) => {
                    self.edits
                        .insert(value.start, format!("{to}.{} = ", id.name));
                }
                (Some(_), None) => {}
                (None, _) => {
                    for id in variable.id.get_binding_identifiers() {
                        set.push_str(&format!(" {to}.{0} = {0};", id.name));
                    }
                }
            }
        }
        if !set.is_empty() {
            self.edits.insert(end, format!(";{set}"));
        }
    }
}
