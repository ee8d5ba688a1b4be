//! Files, the environment and flags, laid over the defaults.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

/// Something wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the value comes from: a file, a variable, a flag.
    pub source: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}

const PREFIX: &str = "SANDGATE_";
/// Names the file, and so cannot be in it.
pub(crate) const CONFIG_VARIABLE: &str = "SANDGATE_CONFIG";

/// Belongs to the tool that builds guests, and may be set where the service is started.
const CACHE_OF_BUILDS: &str = "SANDGATE_CACHE_DIR";

/// A table of values under construction, and where each value comes from.
#[derive(Debug)]
pub(crate) struct Layers {
    merged: Table,
    sources: BTreeMap<String, String>,
    pub(crate) problems: Vec<Problem>,
}

impl Layers {
    /// Starts with the defaults, which are the schema too.
    pub(crate) fn new(defaults: Table) -> Self {
        Self {
            merged: defaults,
            sources: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Where the value of `key` (dotted) comes from.
    pub(crate) fn source(&self, key: &str) -> String {
        let source = self.sources.get(key).map_or("default", String::as_str);
        format!("{source}: {key}")
    }

    pub(crate) fn merged(&self) -> &Table {
        &self.merged
    }

    pub(crate) fn into_table(self) -> Table {
        self.merged
    }

    fn problem(&mut self, source: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            source: source.into(),
            message: message.into(),
        });
    }

    /// Lays a file's text over what is there.
    pub(crate) fn file(&mut self, name: &str, text: &str) {
        match text.parse::<Table>() {
            Ok(table) => self.table(name, "", table),
            Err(error) => self.problem(name, error.to_string().trim_end().to_owned()),
        }
    }

    fn table(&mut self, name: &str, prefix: &str, table: Table) {
        for (key, value) in table {
            let path = format!("{prefix}{key}");
            match (find(&self.merged, &path), value) {
                (Some(Value::Table(_)), Value::Table(inner)) => {
                    self.table(name, &format!("{path}."), inner);
                }
                (Some(current), value) if same_type(current, &value) => {
                    self.set(&path, value, name);
                }
                (Some(Value::Float(_)), Value::Integer(whole)) => {
                    #[expect(clippy::cast_precision_loss, reason = "nobody writes such numbers")]
                    let value = Value::Float(whole as f64);
                    self.set(&path, value, name);
                }
                (Some(current), value) => {
                    let message = format!(
                        "{path} must be {}, not {}",
                        type_name(current),
                        type_name(&value)
                    );
                    self.problem(name, message);
                }
                (None, _) => {
                    let message = self.unknown(&path, prefix);
                    self.problem(name, message);
                }
            }
        }
    }

    fn unknown(&self, path: &str, prefix: &str) -> String {
        let table = match prefix.strip_suffix('.') {
            None => Some(&self.merged),
            Some(prefix) => find(&self.merged, prefix).and_then(Value::as_table),
        };
        let known: Vec<_> = table
            .into_iter()
            .flat_map(|table| table.keys().map(String::as_str))
            .collect();
        format!("{path} is not known here, known are {}", known.join(", "))
    }

    /// Lays the environment over what is there: `SANDGATE_HTTP_BODY_BYTES` is `http.body_bytes`.
    pub(crate) fn environment(&mut self, environment: &BTreeMap<String, String>) {
        let mut known = BTreeMap::new();
        for_each_leaf(&self.merged, &mut |path, _| {
            let variable = format!("{PREFIX}{}", path.replace('.', "_").to_uppercase());
            known.insert(variable, path.to_owned());
        });
        let sections: Vec<_> = self
            .merged
            .iter()
            .filter(|(_, value)| value.is_table())
            .map(|(section, _)| format!("{PREFIX}{}_", section.to_uppercase()))
            .collect();
        for (variable, text) in environment {
            // Other tools have variables of their own: only what begins like one of our sections
            // is taken for a misspelt setting.
            let ours = known.contains_key(variable)
                || sections.iter().any(|section| variable.starts_with(section));
            if !ours || variable == CACHE_OF_BUILDS {
                continue;
            }
            match known.get(variable) {
                Some(path) => self.text(variable, path, text),
                None => self.problem(
                    variable,
                    "stands for no setting; they are named SANDGATE_<SECTION>_<KEY>",
                ),
            }
        }
    }

    /// Lays one value over what is there, given as text.
    pub(crate) fn text(&mut self, source: &str, path: &str, text: &str) {
        let Some(current) = find(&self.merged, path) else {
            self.problem(source, format!("{path} is not known"));
            return;
        };
        let value = match current {
            Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
            Value::Float(_) => text.trim().parse().ok().map(Value::Float),
            Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
            Value::String(_) => Some(Value::String(text.to_owned())),
            Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
        };
        match value {
            Some(value) => self.set(path, value, source),
            None => {
                let message = format!("must be {}, not `{text}`", type_name(current));
                self.problem(source, message);
            }
        }
    }

    fn set(&mut self, path: &str, value: Value, source: &str) {
        if let Some(place) = find_mut(&mut self.merged, path) {
            *place = value;
            self.sources.insert(path.to_owned(), source.to_owned());
        }
    }
}

fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((first, rest)) => find(table.get(first)?.as_table()?, rest),
    }
}

fn find_mut<'a>(table: &'a mut Table, path: &str) -> Option<&'a mut Value> {
    match path.split_once('.') {
        None => table.get_mut(path),
        Some((first, rest)) => find_mut(table.get_mut(first)?.as_table_mut()?, rest),
    }
}

/// Calls `take` with every value that is not a table, and its dotted key.
pub(crate) fn for_each_leaf(table: &Table, take: &mut impl FnMut(&str, &Value)) {
    leaves(table, "", take);
}

fn leaves(table: &Table, prefix: &str, take: &mut impl FnMut(&str, &Value)) {
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        match value.as_table() {
            Some(inner) => leaves(inner, &format!("{path}."), take),
            None => take(&path, value),
        }
    }
}

/// Puts `value` in the place of the one at `path`, if there is one.
pub(crate) fn replace(table: &mut Table, path: &str, value: Value) {
    if let Some(place) = find_mut(table, path) {
        *place = value;
    }
}

fn same_type(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
