//! How deep Python code can nest, more exactly than by counting words.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::Mode;
use ruff_python_parser::lexer::lex;

/// What is open within one bracket, or outside of any.
#[derive(Default)]
struct Open {
    /// Operators since the last comma: each may be the child of the one before.
    operators: usize,
    /// Keywords: `lambda a, b: lambda c, d: …` nests across commas.
    keywords: usize,
}

impl Open {
    fn levels(&self) -> usize {
        self.operators + self.keywords
    }
}

/// An upper bound for how many levels deep the parser recurses over `code`, and the tree it builds
/// is nested.
///
/// It counts what the parser's own lexer gives, for either grammar. Where the parser recovers from an error it may see
/// more line ends than the lexer alone, and so nest less than is counted here.
pub(super) fn of(code: &str) -> usize {
    in_mode(code, Mode::Module).max(in_mode(code, Mode::Ipython))
}

fn in_mode(code: &str, mode: Mode) -> usize {
    let mut lexer = lex(code, mode);
    let mut open = vec![Open::default()];
    let mut indents = 0_usize;
    // Of everything in `open`.
    let mut levels = 0_usize;
    let mut deepest = 0_usize;
    loop {
        let token = lexer.next_token();
        let Some(inner) = open.last_mut() else {
            return deepest;
        };
        match token {
            TokenKind::EndOfFile => return deepest,
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                inner.operators += 1;
                levels += 1;
                open.push(Open::default());
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if open.len() > 1 {
                    levels -= open.pop().map_or(0, |closed| closed.levels());
                }
            }
            TokenKind::Comma => {
                levels -= inner.operators;
                inner.operators = 0;
            }
            TokenKind::Newline => {
                open.clear();
                open.push(Open::default());
                levels = 0;
            }
            TokenKind::Indent => indents += 1,
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::None
            | TokenKind::True
            | TokenKind::False => {}
            other if other.is_keyword() => {
                inner.keywords += 1;
                levels += 1;
            }
            _ => {
                inner.operators += 1;
                levels += 1;
            }
        }
        deepest = deepest.max(levels + indents);
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn data_is_flat_and_chains_are_not() {
        let rows = "    {'a': [1, -2, (3, None)], 'b': f'{x!r}'},\n".repeat(10_000);
        assert!(of(&format!("rows = [\n{rows}]\n")) < 20);
        assert!(of(&"x = f(a + 1)\n".repeat(10_000)) < 10);
        for deep in [
            "(".repeat(1_000),
            "f'{".repeat(1_000),
            "-".repeat(1_000),
            "lambda a, b: ".repeat(1_000),
            "a.".repeat(1_000),
            "not ".repeat(1_000),
            "x if y else ".repeat(1_000),
            "async ".repeat(1_000),
            "f(a, ".repeat(1_000),
            "if a: ".repeat(1_000),
            (0..1_000).map(|n| " ".repeat(n) + "if a:\n").collect(),
        ] {
            assert!(of(&deep) >= 1_000, "{}", &deep[..20]);
        }
    }
}
