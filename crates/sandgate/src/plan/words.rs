//! How things are called in reasons and hints.

use std::collections::HashSet;

use sandgate_core::BackendKind;

use super::facts::Found;

/// The backend, as reasons call it.
pub(crate) const fn name(kind: BackendKind) -> &'static str {
    match kind {
        BackendKind::Wasm => "the wasm sandbox",
        BackendKind::Lambda => "the Lambda image",
    }
}

/// What is said of a backend that may have what is needed.
pub(crate) fn unknown(kind: BackendKind) -> String {
    format!("{} has not said yet what it has", name(kind))
}

/// So many names are listed; a snippet can have thousands.
const MOST: usize = 6;

/// `a`, `a and b`, `a, b and c`; `a, b, … and 3 more`.
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= MOST => format!("{} and {last}", first.join(", ")),
        many => format!("{} and {} more", many[..MOST].join(", "), many.len() - MOST),
    }
}

/// The names that `imports` are looked up by, each once.
pub(crate) fn roots<'a>(imports: impl Iterator<Item = &'a Found<'a>>) -> Vec<&'a str> {
    // Code can have tens of thousands of imports.
    let mut seen = HashSet::new();
    imports
        .map(|found| found.import.root.as_str())
        .filter(|root| seen.insert(*root))
        .collect()
}

/// `package a`, `packages a and b`.
pub(crate) fn packages(names: &[&str]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("package{plural} {}", list(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_well_and_are_bounded() {
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a"; 9]), "a, a, a, a, a, a and 3 more");
        assert_eq!(packages(&["a"]), "package a");
        assert_eq!(packages(&["a", "b"]), "packages a and b");
    }
}
