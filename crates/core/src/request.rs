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
    /// Fixes the clock: RFC 3339, for example `2026-01-31T12:00:00Z`.
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
