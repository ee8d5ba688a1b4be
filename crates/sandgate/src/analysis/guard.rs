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
/// Stack for one level. The most that a level was seen to take is in the test of this file.
const LEVEL_BYTES: usize = 6 * 1024;
/// Stack for what is not nested.
const BASE_BYTES: usize = 256 * 1024;

/// Runs `work`, which nests at most `levels` deep, where the stack is large enough for it. None if
/// it panicked.
pub(super) fn run<T>(levels: usize, work: impl FnOnce() -> T) -> Option<T> {
    let bytes = BASE_BYTES + levels.min(MAX_LEVELS) * LEVEL_BYTES;
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
