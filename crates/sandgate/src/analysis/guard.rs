//! Keeps hostile code from ending the process through a parser.
//!
//! The parsers of Python and JavaScript recurse, and so do the destructors of what they build. So
//! before either runs, an upper bound is found for how deep that can go: no construct nests without
//! at least one token of its own. The work then runs on a stack large enough for that depth, which
//! for ordinary code is the caller's own. Only what is really nested touches the memory.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Deepest nesting that is parsed. CPython itself refuses more than 200 open brackets, and 100
/// levels of indentation; what may be longer are chains (`a + b + c`, `a.b().c()`).
pub(super) const MAX_LEVELS: usize = 16_384;
/// Stack for one level. The most that any was seen to take is 3,000 bytes.
const LEVEL_BYTES: usize = 6 * 1024;
/// Stack for what is not nested.
const BASE_BYTES: usize = 256 * 1024;

/// The stack, in bytes, that code which nests at most `levels` deep needs.
pub(super) fn stack(levels: usize) -> usize {
    levels.min(MAX_LEVELS) * LEVEL_BYTES
}

/// Runs `work` with `stack` bytes and a little more. None if it panicked.
pub(super) fn run<T>(stack: usize, work: impl FnOnce() -> T) -> Option<T> {
    let bytes = BASE_BYTES + stack;
    stacker::maybe_grow(bytes, bytes + BASE_BYTES, || {
        catch_unwind(AssertUnwindSafe(work)).ok()
    })
}

/// At least as many levels as any grammar could make of `code`: one for each word, and one for each
/// byte that is neither in a word, a quote, a comma, nor a space.
pub(super) fn levels(code: &str) -> usize {
    let mut levels = 0;
    let mut in_word = false;
    for byte in code.bytes() {
        let word = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let counts = !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'"' | b'\'');
        levels += usize::from(counts && !(word && in_word));
        in_word = word;
    }
    levels
}

/// Most work that the parser of JavaScript may be asked for, in words times groups.
const MAX_RETRIES: usize = 1_000_000;

/// Whether that parser may take too long over `code`, which has `levels` words. It reads what is in
/// parentheses as an arrow function's parameters, or as types, before it knows: with each that is
/// around it a word may be read once more.
pub(super) fn is_slow(code: &str, levels: usize) -> bool {
    const BEFORE_GROUPS: [&str; 16] = [
        "return",
        "typeof",
        "void",
        "delete",
        "await",
        "yield",
        "new",
        "in",
        "of",
        "instanceof",
        "case",
        "throw",
        "do",
        "else",
        "async",
        "default",
    ];
    let opens = code.match_indices(['(', '<']);
    let groups = opens.filter(|&(at, _)| {
        let before = code[..at].trim_end();
        let word = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let word = &before[word.len()..];
        code.as_bytes()[at] == b'<'
            || BEFORE_GROUPS.contains(&word)
            || (word.is_empty() && !before.ends_with([')', ']']))
    });
    levels * groups.count() > MAX_RETRIES
}
