//! Which module an error says is missing.

use sandgate_core::{GuestError, Language};

/// The module that was not found, if that is what `error` is about.
pub(super) fn module(language: Language, error: &GuestError) -> Option<&str> {
    let message = error.message.as_str();
    match language {
        Language::Python => {
            (error.kind == "ModuleNotFoundError").then_some(())?;
            // No module named 'a.b'; 'a' is not a package
            quoted(message.strip_prefix("No module named ")?)
        }
        Language::JavaScript | Language::TypeScript => {
            let from = message.find("Cannot find module ")?;
            quoted(&message[from + "Cannot find module ".len()..])
        }
        // there is no package called ‘x’
        Language::R => {
            let from = message.find("there is no package called ")?;
            quoted(&message[from + "there is no package called ".len()..])
        }
    }
}

/// What is in the quotation marks that `text` begins with.
fn quoted(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    let end = match chars.next()? {
        '\u{2018}' => '\u{2019}',
        quote @ ('\'' | '"') => quote,
        _ => return None,
    };
    let rest = chars.as_str();
    Some(&rest[..rest.find(end)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_languages_words_are_understood() {
        let find = |language, kind: &str, message: &str| {
            let error = GuestError {
                kind: kind.to_owned(),
                message: message.to_owned(),
                traceback: String::new(),
                line: None,
            };
            module(language, &error).map(str::to_owned)
        };
        let python = |message| find(Language::Python, "ModuleNotFoundError", message);
        assert_eq!(python("No module named 'pandas'").unwrap(), "pandas");
        assert_eq!(
            python("No module named 'a.b'; 'a' is not a package").unwrap(),
            "a.b"
        );
        assert_eq!(python("No module named pandas"), None);
        let other = find(Language::Python, "ImportError", "No module named 'x'");
        assert_eq!(other, None);
        for message in [
            "Cannot find module 'x/y'",
            "Error: Cannot find module \"x/y\"",
        ] {
            let found = find(Language::JavaScript, "Error", message);
            assert_eq!(found.unwrap(), "x/y");
        }
        let r = "there is no package called \u{2018}ggplot2\u{2019}";
        assert_eq!(find(Language::R, "Error", r).unwrap(), "ggplot2");
        assert_eq!(
            find(Language::R, "Error", "there is no package called "),
            None
        );
    }
}
