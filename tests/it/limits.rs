//! Every limit ends in its own way, exactly, and keeps what was printed before. What stays within the
//! limits reaches the snippet, and comes back whole.

use sandgate_core::Language;

use crate::harness::Snippet;

mod calls;
mod files;
mod memory;
mod output;
mod time;

const LANGUAGES: [Language; 2] = [Language::Python, Language::JavaScript];

/// The same program in the language at hand.
fn either(language: Language, python: &str, javascript: &str) -> Snippet {
    let code = match language {
        Language::Python => python,
        Language::JavaScript => javascript,
        Language::TypeScript | Language::R => unreachable!("no guest runs {language}"),
    };
    Snippet::new(language, code)
}
