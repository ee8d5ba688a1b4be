//! What the tables of a recipe may hold: each reader of a field says what is wrong with it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::variable;

/// One table of the file: fields are taken out of it, and what is left at the end is unknown.
pub(super) struct Fields<'p> {
    /// Where it stands, for messages.
    pub(super) place: String,
    pub(super) table: Table,
    pub(super) problems: &'p mut Vec<String>,
}

impl Fields<'_> {
    pub(super) fn problem(&mut self, text: String) {
        self.problems.push(format!("{}: {text}", self.place));
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Option<String> {
        let value = self.table.remove(name)?;
        if let Value::String(text) = value {
            return Some(text);
        }
        self.problem(format!(
            "`{name}` must be a string, not {}",
            value.type_str()
        ));
        None
    }

    pub(super) fn text(&mut self, name: &str) -> String {
        if !self.table.contains_key(name) {
            self.problem(format!("`{name}` is missing"));
        }
        self.optional_text(name).unwrap_or_default()
    }

    /// A text that is passed to a client on its command line: it must not look like an option,
    /// an address or a path.
    pub(super) fn word(&mut self, name: &str) -> String {
        let word = self.text(name);
        self.check_word(name, &word);
        word
    }

    pub(super) fn check_word(&mut self, name: &str, word: &str) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "@/._+-~".contains(c);
        let safe = word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@')
            && word.chars().all(allowed)
            && !word.contains("..");
        if !word.is_empty() && !safe {
            self.problem(format!(
                "`{name}` has characters that no package has: {word:?}"
            ));
        }
    }

    pub(super) fn name(&mut self, name: &str, taken: &mut BTreeSet<String>) -> String {
        let text = self.text(name);
        self.place = format!("{} {text:?}", self.place);
        let valid = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
        if !valid && !text.is_empty() {
            self.problem(format!(
                "`{name}` must start with a lowercase letter and go on with letters, digits, - and _"
            ));
        }
        if !text.is_empty() && !taken.insert(variable(&text)) {
            self.problem(format!("`{name}` is taken by an earlier one"));
        }
        text
    }

    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.table.remove(name) else {
            return Vec::new();
        };
        let Value::Array(values) = value else {
            self.problem(format!(
                "`{name}` must be an array, not {}",
                value.type_str()
            ));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in values {
            if let Value::String(text) = value {
                texts.push(text);
            } else {
                self.problem(format!(
                    "`{name}` must hold strings, not {}",
                    value.type_str()
                ));
            }
        }
        texts
    }

    pub(super) fn tables(&mut self, name: &str) -> Vec<Table> {
        let Some(value) = self.table.remove(name) else {
            return Vec::new();
        };
        let wrong = format!("`{name}` must be written as [[{name}]]");
        let Value::Array(values) = value else {
            self.problem(wrong);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for value in values {
            if let Value::Table(table) = value {
                tables.push(table);
            } else {
                self.problem(wrong.clone());
            }
        }
        tables
    }

    pub(super) fn check_path(&mut self, folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = PathBuf::from(text);
        if text.is_empty() {
            return path;
        }
        if !is_plain(&path) {
            self.problem(format!(
                "`{name}`: {text:?} must be a plain path inside the guest's folder"
            ));
        } else if !folder.join(&path).exists() {
            self.problem(format!("`{name}`: {text:?} does not exist"));
        }
        path
    }

    pub(super) fn end(mut self) {
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for name in unknown {
            self.problem(format!("unknown field `{name}`"));
        }
    }
}

/// Whether a path has nothing but names in it, so that joining it stays inside.
pub(super) fn is_plain(path: &Path) -> bool {
    path.components()
        .all(|component| matches!(component, Component::Normal(_)))
}
