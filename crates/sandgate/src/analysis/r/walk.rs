//! A walk over R's syntax tree that needs no more stack for deep code than for flat.

use tree_sitter::{Node, Tree};

use crate::analysis::Place;

/// Deepest nesting that is walked into.
const MAX_DEPTH: usize = 5_000;
/// Most nodes that are looked at to see whether a handler gives up.
const MAX_HANDLER: usize = 200;

/// What surrounds a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    /// Where it stands.
    pub(super) place: Place,
    /// Whether its value is asked for, as a condition is.
    pub(super) asked: bool,
}

/// Calls `see` for every named node, in the order of the code.
pub(super) fn each<'t>(tree: &'t Tree, code: &str, mut see: impl FnMut(Node<'t>, Around)) {
    let mut cursor = tree.walk();
    // What surrounds the children of each node on the way down.
    let mut within = vec![Around {
        place: Place::Unconditional,
        asked: false,
    }];
    loop {
        let node = cursor.node();
        let mut around = within.last().copied().unwrap_or(Around {
            place: Place::Unconditional,
            asked: false,
        });
        match cursor.field_name() {
            Some("consequence" | "alternative") => {
                around.place = around.place.then(Place::Conditional);
                around.asked = false;
            }
            Some("condition") => around.asked = true,
            Some(_) | None => {}
        }
        if node.is_named() {
            see(node, around);
        }
        if within.len() < MAX_DEPTH && cursor.goto_first_child() {
            within.push(inside(node, code, around));
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
            within.pop();
        }
    }
}

/// What surrounds the children of `node`, which stands in `around`.
fn inside(node: Node<'_>, code: &str, mut around: Around) -> Around {
    match node.kind() {
        "function_definition" => {
            around.place = around.place.then(Place::Function);
            around.asked = false;
        }
        // They hand the value on.
        "unary_operator" | "parenthesized_expression" | "arguments" | "argument" => {}
        "binary_operator" => around.asked = true,
        "call" => {
            let Some(call) = Call::of(node, code) else {
                around.asked = false;
                return around;
            };
            match call.function {
                "suppressWarnings"
                | "suppressMessages"
                | "suppressPackageStartupMessages"
                | "invisible"
                | "isTRUE" => {}
                "try" | "tryCatch" => {
                    around.asked = false;
                    if guards_import(&call, code) {
                        around.place = around.place.then(Place::Guarded);
                    }
                }
                _ => around.asked = false,
            }
        }
        _ => around.asked = false,
    }
    around
}

/// Whether `try` or `tryCatch` is there for an import: loading is all that it tries, and no handler
/// gives up.
fn guards_import(call: &Call<'_, '_>, code: &str) -> bool {
    let Some(tried) = call.argument("expr", 0) else {
        return false;
    };
    let loads = |node: Node<'_>| {
        let call = Call::of(node, code);
        call.is_some_and(|call| {
            LOADERS.contains(&call.function) || call.function.starts_with("suppress")
        })
    };
    let only_loads = match tried.kind() {
        "braced_expression" => {
            let mut cursor = tried.walk();
            let mut all = tried.named_children(&mut cursor).take(MAX_HANDLER);
            all.all(|node| loads(node) || matches!(node.kind(), "true" | "comment"))
        }
        _ => loads(tried),
    };
    let mut handlers = call.arguments.iter().filter(|(_, node)| *node != tried);
    only_loads && !handlers.any(|(_, handler)| gives_up(*handler, code))
}

/// Functions that load the package they are given.
pub(super) const LOADERS: [&str; 4] = ["library", "require", "requireNamespace", "loadNamespace"];

fn gives_up(handler: Node<'_>, code: &str) -> bool {
    let mut cursor = handler.walk();
    for _ in 0..MAX_HANDLER {
        let call = Call::of(cursor.node(), code);
        if call
            .is_some_and(|call| matches!(call.function, "stop" | "quit" | "q" | "install.packages"))
        {
            return true;
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
        }
    }
    false
}

/// Where the first error begins in a tree that has one.
pub(super) fn first_error(tree: &Tree) -> usize {
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            return node.start_byte();
        }
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return 0;
            }
        }
    }
}

/// A call.
#[derive(Debug)]
pub(super) struct Call<'a, 't> {
    /// The function's name.
    pub(super) function: &'a str,
    /// The package it is named with.
    pub(super) package: Option<&'a str>,
    /// Names (empty where there is none) and values.
    pub(super) arguments: Vec<(&'a str, Node<'t>)>,
}

impl<'a, 't> Call<'a, 't> {
    /// The call that `node` is, if its function is named.
    pub(super) fn of(node: Node<'t>, code: &'a str) -> Option<Self> {
        if node.kind() != "call" {
            return None;
        }
        let function = node.child_by_field_name("function")?;
        let (package, function) = match function.kind() {
            "namespace_operator" => (
                name(function.child_by_field_name("lhs")?, code),
                name(function.child_by_field_name("rhs")?, code)?,
            ),
            _ => (None, name(function, code)?),
        };
        let list = node.child_by_field_name("arguments")?;
        let mut cursor = list.walk();
        let arguments = list.named_children(&mut cursor).filter_map(|argument| {
            let value = argument.child_by_field_name("value")?;
            let called = argument.child_by_field_name("name");
            Some((
                called.and_then(|node| name(node, code)).unwrap_or_default(),
                value,
            ))
        });
        Some(Self {
            function,
            package,
            arguments: arguments.collect(),
        })
    }

    /// The argument called `name`, or that at `position` of those without a name.
    pub(super) fn argument(&self, name: &str, position: usize) -> Option<Node<'t>> {
        let named = self.arguments.iter().find(|(called, _)| *called == name);
        let found = named.or_else(|| {
            let mut unnamed = self
                .arguments
                .iter()
                .filter(|(called, _)| called.is_empty());
            unnamed.nth(position)
        });
        found.map(|(_, value)| *value)
    }

    /// Whether the argument `name` is `TRUE`.
    pub(super) fn is_true(&self, name: &str, code: &str) -> bool {
        let named = self.arguments.iter().find(|(called, _)| *called == name);
        named.is_some_and(|(_, value)| value.kind() == "true" || text(*value, code) == "T")
    }
}

/// What an identifier or a string says.
pub(super) fn name<'a>(node: Node<'_>, code: &'a str) -> Option<&'a str> {
    match node.kind() {
        "identifier" => Some(text(node, code).trim_matches('`')),
        "string" => {
            let content = node.child_by_field_name("content");
            Some(content.map_or("", |content| text(content, code)))
        }
        _ => None,
    }
}

fn text<'a>(node: Node<'_>, code: &'a str) -> &'a str {
    code.get(node.byte_range()).unwrap_or_default()
}
