//! What surrounds an import: conditions, guards, and calls that would install it.

use ruff_python_ast::{
    CmpOp, ExceptHandler, ExceptHandlerExceptHandler, Expr, ExprCall, Number, Stmt, StmtTry,
    UnaryOp, WithItem,
};

use super::{name_of, string};
use crate::analysis::{Place, requirements};

/// The oldest Python that runs anything here, as in 3.11: conditions on older versions are decided.
const OLDEST_MINOR: u64 = 11;

/// What is known of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// It holds whenever the snippet runs.
    Always,
    /// It never does.
    Never,
    /// It asks whether a module is there.
    Available,
    /// Anything else.
    Unknown,
}

impl Test {
    pub(super) fn of(test: &Expr) -> Self {
        if let Some(not) = test.as_unary_op_expr()
            && not.op == UnaryOp::Not
        {
            return match Self::of(&not.operand) {
                Self::Always => Self::Never,
                Self::Never => Self::Always,
                Self::Available | Self::Unknown => Self::Unknown,
            };
        }
        if name_of(test) == Some("TYPE_CHECKING") {
            return Self::Never;
        }
        if let Some(literal) = test.as_boolean_literal_expr() {
            return if literal.value {
                Self::Always
            } else {
                Self::Never
            };
        }
        if finds_module(test) {
            return Self::Available;
        }
        let Some(compare) = test.as_compare_expr() else {
            return Self::Unknown;
        };
        let ([op], [right]) = (&*compare.ops, &*compare.comparators) else {
            return Self::Unknown;
        };
        let main = |one: &Expr, other: &Expr| {
            name_of(one) == Some("__name__") && string(Some(other)) == Some("__main__")
        };
        if *op == CmpOp::Eq && (main(&compare.left, right) || main(right, &compare.left)) {
            return Self::Always;
        }
        if finds_module(&compare.left) && right.is_none_literal_expr() {
            return match op {
                CmpOp::IsNot | CmpOp::NotEq => Self::Available,
                _ => Self::Unknown,
            };
        }
        if name_of(&compare.left) == Some("version_info") && is_old(right) {
            return match op {
                CmpOp::GtE | CmpOp::Gt => Self::Always,
                CmpOp::Lt | CmpOp::LtE => Self::Never,
                _ => Self::Unknown,
            };
        }
        Self::Unknown
    }

    /// Where the body stands.
    pub(super) fn place(self) -> Place {
        match self {
            Self::Always => Place::Unconditional,
            Self::Never => Place::TypeChecking,
            Self::Available => Place::Guarded,
            Self::Unknown => Place::Conditional,
        }
    }

    /// Where the other branches stand.
    pub(super) fn otherwise(self) -> Place {
        match self {
            Self::Always => Place::TypeChecking,
            Self::Never => Place::Unconditional,
            Self::Available => Place::Fallback,
            Self::Unknown => Place::Conditional,
        }
    }
}

fn finds_module(expression: &Expr) -> bool {
    let call = expression.as_call_expr();
    call.is_some_and(|call| name_of(&call.func) == Some("find_spec"))
}

/// Whether `version` is one that every runtime has passed, as in `(3, 8)`.
fn is_old(version: &Expr) -> bool {
    let Some(tuple) = version.as_tuple_expr() else {
        return false;
    };
    let number = |at: usize| match &tuple.elts.get(at)?.as_number_literal_expr()?.value {
        Number::Int(number) => number.as_u64(),
        Number::Float(_) | Number::Complex { .. } => None,
    };
    match (number(0), number(1)) {
        (Some(3), minor) => minor.unwrap_or(0) <= OLDEST_MINOR,
        (Some(major), _) => major < 3,
        (None, _) => false,
    }
}

/// Whether a `try` lets the snippet go on without what it imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// It does.
    Import,
    /// It is about something else, or its handler gives up or installs what is missing.
    None,
}

impl Guard {
    pub(super) fn of(attempt: &StmtTry) -> Self {
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            let catches = match &handler.type_ {
                Some(class) => caught(class),
                None => Caught::Everything,
            };
            let guards = match catches {
                Caught::Import => true,
                // A whole program in `try … except Exception` does not work without its imports.
                Caught::Everything => attempt.body.iter().all(is_setup),
                Caught::Other => continue,
            };
            return match guards && !gives_up(handler) {
                true => Self::Import,
                false => Self::None,
            };
        }
        Self::None
    }
}

/// Which exceptions a handler is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Caught {
    Other,
    Everything,
    Import,
}

fn caught(class: &Expr) -> Caught {
    if let Some(classes) = class.as_tuple_expr() {
        let caught = classes
            .elts
            .iter()
            .map(|class| match class.is_tuple_expr() {
                true => Caught::Other,
                false => caught(class),
            });
        return caught.max().unwrap_or(Caught::Other);
    }
    match name_of(class) {
        Some("ImportError" | "ModuleNotFoundError") => Caught::Import,
        Some("Exception" | "BaseException") => Caught::Everything,
        Some(_) | None => Caught::Other,
    }
}

/// Whether a statement is what stands beside a guarded import: another, or a flag.
fn is_setup(statement: &Stmt) -> bool {
    let flag =
        |value: &Expr| value.is_literal_expr() || value.is_name_expr() || value.is_attribute_expr();
    let assigned = statement.as_assign_stmt();
    statement.is_import_stmt()
        || statement.is_import_from_stmt()
        || statement.is_pass_stmt()
        || assigned.is_some_and(|assign| flag(&assign.value))
        || dynamic_import(statement)
}

/// `importlib.import_module("x")`, alone or assigned.
fn dynamic_import(statement: &Stmt) -> bool {
    let call = call_of(statement);
    call.is_some_and(|call| {
        matches!(
            name_of(&call.func),
            Some("import_module" | "__import__" | "find_spec")
        )
    })
}

/// The call that a statement is, or assigns.
fn call_of(statement: &Stmt) -> Option<&ExprCall> {
    let value = statement.as_expr_stmt().map(|statement| &*statement.value);
    let value = value.or_else(|| Some(&*statement.as_assign_stmt()?.value));
    value?.as_call_expr()
}

fn gives_up(handler: &ExceptHandlerExceptHandler) -> bool {
    handler.body.iter().any(|statement| {
        statement.is_raise_stmt()
            || call_of(statement).is_some_and(|call| {
                matches!(name_of(&call.func), Some("exit" | "_exit" | "quit"))
                    || !installed(call).is_empty()
            })
            || statement
                .as_ipy_escape_command_stmt()
                .is_some_and(|command| !requirements::of_command(&command.value).is_empty())
    })
}

/// Whether a `with` goes on when an import fails: `contextlib.suppress(ImportError)`.
pub(super) fn suppresses(item: &WithItem) -> bool {
    let call = item.context_expr.as_call_expr();
    call.is_some_and(|call| {
        name_of(&call.func) == Some("suppress")
            && call
                .arguments
                .args
                .iter()
                .any(|class| caught(class) != Caught::Other)
    })
}

/// The packages that a call would install, by running an installer.
pub(super) fn installed(call: &ExprCall) -> Vec<String> {
    let Some(first) = call.arguments.args.first() else {
        return Vec::new();
    };
    if let Some(command) = string(Some(first)) {
        return requirements::of_command(command);
    }
    let Some(list) = first.as_list_expr() else {
        return Vec::new();
    };
    let words = list
        .elts
        .iter()
        .map(|word| string(Some(word)).unwrap_or("?"));
    match name_of(&call.func) {
        // `pip.main(["install", …])`
        Some("main") => {
            requirements::of_words(&["pip"].into_iter().chain(words).collect::<Vec<_>>())
        }
        Some(_) | None => requirements::of_words(&words.collect::<Vec<_>>()),
    }
}
