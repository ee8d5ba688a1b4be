//! What an executor is asked to run.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Limits;

/// A language that sandgate knows by name. Which backend can run it is the catalogue's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// CPython 3.
    #[serde(alias = "py", alias = "python3")]
    Python,
    /// ECMAScript, scripts and modules.
    #[serde(alias = "js", alias = "node")]
    JavaScript,
    /// TypeScript. Its types are taken out before it runs, as JavaScript.
    #[serde(alias = "ts")]
    TypeScript,
    /// R.
    #[serde(alias = "R")]
    R,
}

impl Language {
    /// Every known language.
    pub const ALL: [Self; 4] = [Self::Python, Self::JavaScript, Self::TypeScript, Self::R];

    /// The name used on the wire, in file names and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::R => "r",
        }
    }

    /// The language that a backend runs it as: TypeScript becomes JavaScript.
    pub const fn runs_as(self) -> Self {
        match self {
            Self::TypeScript => Self::JavaScript,
            Self::Python | Self::JavaScript | Self::R => self,
        }
    }

    /// The language a file extension (without the dot) stands for.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension {
            "py" => Some(Self::Python),
            "js" | "mjs" | "cjs" => Some(Self::JavaScript),
            "ts" | "mts" | "cts" => Some(Self::TypeScript),
            "r" | "R" => Some(Self::R),
            _ => None,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of parsing a [`Language`] from an unknown name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown language `{0}`, known are python, javascript, typescript and r")]
pub struct UnknownLanguage(pub String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.to_ascii_lowercase().as_str() {
            "python" | "python3" | "py" => Ok(Self::Python),
            "javascript" | "js" | "node" => Ok(Self::JavaScript),
            "typescript" | "ts" => Ok(Self::TypeScript),
            "r" => Ok(Self::R),
            _ => Err(UnknownLanguage(name.to_owned())),
        }
    }
}

/// Where a snippet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// The wasm sandbox on this machine.
    Wasm,
    /// The container-image function on AWS Lambda.
    Lambda,
}

impl BackendKind {
    /// The name used on the wire and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Lambda => "lambda",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One file placed in the work directory before the snippet starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFile {
    /// Relative path with `/` separators, already checked by
    /// [`check_relative_path`](crate::check_relative_path).
    pub path: String,
    /// The file's bytes.
    #[serde(with = "crate::blob")]
    pub content: Bytes,
}

/// A validated unit of work: the code, its whole input, and the limits granted to it.
///
/// Its serialised form is what a sandbox worker and the Lambda runner receive, so every field is
/// always present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The snippet's language.
    pub language: Language,
    /// The snippet.
    pub code: String,
    /// What the snippet reads from its standard input.
    #[serde(with = "crate::blob")]
    pub stdin: Bytes,
    /// Arguments after the program's own name.
    pub args: Vec<String>,
    /// The whole environment of the snippet. Nothing of the host's is added.
    pub env: BTreeMap<String, String>,
    /// Files placed in the work directory.
    pub files: Vec<TaskFile>,
    /// The limits in force.
    pub limits: Limits,
    /// Makes randomness a function of this value instead of the host's entropy.
    pub seed: Option<u64>,
    /// Makes the clock start here instead of following the host's. In the sandbox it advances
    /// deterministically; on Lambda it goes on as clocks do.
    pub now: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_names_round_trip() {
        for language in Language::ALL {
            assert_eq!(language.as_str().parse(), Ok(language));
            let json = serde_json::to_string(&language).unwrap();
            assert_eq!(json, format!("\"{language}\""));
            assert_eq!(serde_json::from_str::<Language>(&json).unwrap(), language);
        }
    }

    #[test]
    fn unknown_language_names_what_is_known() {
        let message = "cobol".parse::<Language>().unwrap_err().to_string();
        assert!(
            message.contains("cobol") && message.contains("python"),
            "{message}"
        );
    }
}
