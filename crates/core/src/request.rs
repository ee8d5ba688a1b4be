//! What a caller asks for.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Language, RequestedLimits};

/// Which backend the caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The router decides.
    #[default]
    Auto,
    /// The wasm sandbox or nothing.
    Wasm,
    /// Lambda or nothing.
    Lambda,
}

/// What the cache may do for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    /// Answer from the cache if this was run before, keep the result if it is proven reproducible.
    #[default]
    Auto,
    /// Neither read nor write.
    Off,
    /// Run again, and replace what is kept.
    Refresh,
    /// Like `auto`, and keep the result even if it is not proven reproducible.
    Always,
}

/// When an execution's outputs count as safe, and so when the caller is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// On the local disk's spool: survives a killed process, delivered in the background.
    #[default]
    Spooled,
    /// In the store itself.
    Stored,
}

/// A file sent along with a request.
///
/// In JSON: `{"path": "data.csv", "content": "…", "encoding": "utf8"}`, where `encoding` is
/// `utf8` (default) or `base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Path below the work directory.
    pub path: String,
    /// The bytes.
    pub content: Bytes,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Utf8,
    Base64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: String,
    content: String,
    #[serde(default)]
    encoding: Encoding,
}

impl<'de> Deserialize<'de> for InputFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawFile::deserialize(deserializer)?;
        let content = match raw.encoding {
            Encoding::Utf8 => Bytes::from(raw.content),
            Encoding::Base64 => BASE64
                .decode(raw.content)
                .map(Bytes::from)
                .map_err(|error| {
                    serde::de::Error::custom(format!(
                        "content of file `{}` is not valid base64: {error}",
                        raw.path
                    ))
                })?,
        };
        Ok(Self {
            path: raw.path,
            content,
        })
    }
}

impl Serialize for InputFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (content, encoding) = match std::str::from_utf8(&self.content) {
            Ok(text) => (text.to_owned(), Encoding::Utf8),
            Err(_) => (BASE64.encode(&self.content), Encoding::Base64),
        };
        RawFile {
            path: self.path.clone(),
            content,
            encoding,
        }
        .serialize(serializer)
    }
}

/// One of the inputs of a batch. What is absent is as the request itself has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    /// Instead of [`ExecuteRequest::stdin`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Instead of [`ExecuteRequest::args`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Instead of [`ExecuteRequest::env`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Instead of [`ExecuteRequest::files`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<InputFile>>,
}

impl Input {
    /// An input that differs in its standard input only.
    pub fn stdin(stdin: impl Into<String>) -> Self {
        Self {
            stdin: Some(stdin.into()),
            ..Self::default()
        }
    }
}

/// A request to execute a snippet. Only `language` and `code` are required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecuteRequest {
    /// The snippet's language.
    pub language: Language,
    /// The snippet.
    pub code: String,
    /// Standard input.
    #[serde(default)]
    pub stdin: String,
    /// Arguments after the program's own name.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files placed in the work directory.
    #[serde(default)]
    pub files: Vec<InputFile>,
    /// Makes it a batch: the snippet is executed once for each of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Vec<Input>>,
    /// Packages, by their registry's name, that the snippet needs.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Where to run.
    #[serde(default)]
    pub backend: BackendChoice,
    /// Limits other than the defaults.
    #[serde(default)]
    pub limits: RequestedLimits,
    /// What the cache may do.
    #[serde(default)]
    pub cache: CacheMode,
    /// Fixes randomness.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Sets the clock: RFC 3339, for example `2026-01-31T12:00:00Z`. In the sandbox it then advances
    /// the same way every time; on Lambda it goes on as clocks do.
    #[serde(default)]
    pub now: Option<Timestamp>,
    /// When the outputs count as safe; absent takes the service's setting.
    #[serde(default)]
    pub durability: Option<Durability>,
}

impl ExecuteRequest {
    /// A request for `code` in `language` with everything else at its default.
    pub fn new(language: Language, code: impl Into<String>) -> Self {
        Self {
            language,
            code: code.into(),
            stdin: String::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            files: Vec::new(),
            inputs: None,
            packages: Vec::new(),
            backend: BackendChoice::Auto,
            limits: RequestedLimits::default(),
            cache: CacheMode::Auto,
            seed: None,
            now: None,
            durability: None,
        }
    }

    /// A Python request.
    pub fn python(code: impl Into<String>) -> Self {
        Self::new(Language::Python, code)
    }

    /// A JavaScript request.
    pub fn javascript(code: impl Into<String>) -> Self {
        Self::new(Language::JavaScript, code)
    }

    /// The request for the input `index` of this batch, if there is one.
    pub fn with_input(&self, index: usize) -> Option<Self> {
        let input = self.inputs.as_ref()?.get(index)?;
        let or = |given: &Option<String>, own: &String| given.as_ref().unwrap_or(own).clone();
        Some(Self {
            language: self.language,
            code: self.code.clone(),
            stdin: or(&input.stdin, &self.stdin),
            args: input.args.as_ref().unwrap_or(&self.args).clone(),
            env: input.env.as_ref().unwrap_or(&self.env).clone(),
            files: input.files.as_ref().unwrap_or(&self.files).clone(),
            inputs: None,
            packages: self.packages.clone(),
            backend: self.backend,
            limits: self.limits,
            cache: self.cache,
            seed: self.seed,
            now: self.now,
            durability: self.durability,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimal_request_takes_defaults() {
        let parsed: ExecuteRequest =
            serde_json::from_str(r#"{"language":"python","code":"print(1)"}"#).unwrap();
        assert_eq!(parsed, ExecuteRequest::python("print(1)"));
    }

    #[test]
    fn unknown_field_is_refused_by_name() {
        let error =
            serde_json::from_str::<ExecuteRequest>(r#"{"language":"r","code":"","tiemout":1}"#)
                .unwrap_err();
        assert!(error.to_string().contains("tiemout"), "{error}");
    }

    #[test]
    fn files_carry_text_and_base64() {
        let json = r#"{"language":"python","code":"","files":[
            {"path":"a","content":"ü"},{"path":"b","content":"/wA=","encoding":"base64"}]}"#;
        let parsed: ExecuteRequest = serde_json::from_str(json).unwrap();
        assert_eq!(parsed.files[0].content, "ü".as_bytes());
        assert_eq!(parsed.files[1].content, &[0xff, 0x00][..]);
        let again: ExecuteRequest =
            serde_json::from_str(&serde_json::to_string(&parsed).unwrap()).unwrap();
        assert_eq!(again, parsed);
    }

    #[test]
    fn an_input_replaces_only_what_it_gives() {
        let json = r#"{"language":"python","code":"1","stdin":"own","args":["own"],
            "inputs":[{"stdin":""},{"args":[],"env":{"A":"1"}}]}"#;
        let batch: ExecuteRequest = serde_json::from_str(json).unwrap();
        let first = batch.with_input(0).unwrap();
        assert_eq!((first.stdin.as_str(), first.args.len()), ("", 1));
        let second = batch.with_input(1).unwrap();
        assert_eq!((second.stdin.as_str(), second.args.len()), ("own", 0));
        assert_eq!(second.env["A"], "1");
        assert_eq!(batch.with_input(2), None);
        assert_eq!(first.with_input(0), None);
        let unknown = r#"{"language":"python","code":"1","inputs":[{"code":"2"}]}"#;
        assert!(serde_json::from_str::<ExecuteRequest>(unknown).is_err());
    }

    #[test]
    fn broken_base64_names_the_file() {
        let json = r#"{"language":"python","code":"","files":[
            {"path":"pic.png","content":"!","encoding":"base64"}]}"#;
        let error = serde_json::from_str::<ExecuteRequest>(json)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("pic.png") && error.contains("base64"),
            "{error}"
        );
    }
}
