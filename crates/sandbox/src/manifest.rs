//! The manifest beside a guest's wasm file (ABI.md).

use std::path::Path;

use sandgate_core::{BackendKind, Language, ModuleInfo, PackageInfo, Runtime};
use serde::{Deserialize, Serialize};

use crate::SandboxError;

/// The version of the guest ABI that this crate speaks.
pub(crate) const ABI_VERSION: u32 = 1;

/// A manifest is generated; one larger than this is not one of ours.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;

/// `<language>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) abi: u32,
    pub(crate) language: Language,
    pub(crate) version: String,
    pub(crate) implementation: String,
    pub(crate) wasm: String,
    pub(crate) blake3: String,
    pub(crate) stdio: u32,
    pub(crate) modules: Vec<ModuleInfo>,
    pub(crate) packages: Vec<PackageInfo>,
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, SandboxError> {
        let io = |source| SandboxError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let bad = |reason: String| SandboxError::Manifest {
            path: path.to_owned(),
            reason,
        };
        if std::fs::metadata(path).map_err(io)?.len() > MAX_MANIFEST_BYTES {
            return Err(bad(format!("larger than {MAX_MANIFEST_BYTES} bytes")));
        }
        let text = std::fs::read(path).map_err(io)?;
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
        manifest.check().map_err(bad)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.abi != ABI_VERSION {
            return Err(format!(
                "it speaks version {} of the guest ABI, this sandbox version {ABI_VERSION}",
                self.abi
            ));
        }
        if self.wasm.contains('/') || self.wasm.is_empty() || self.wasm == ".." {
            return Err(format!(
                "`wasm` must be a file beside it, not `{}`",
                self.wasm
            ));
        }
        if self.blake3.len() != 64 || !self.blake3.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("`blake3` must be 64 hex digits".to_owned());
        }
        Ok(())
    }

    /// The catalogue, as the router sees it.
    pub(crate) fn into_runtime(self) -> Runtime {
        let mut runtime = Runtime {
            backend: BackendKind::Wasm,
            language: self.language,
            implementation: self.implementation,
            version: self.version,
            digest: self.blake3,
            modules: self.modules,
            packages: self.packages,
        };
        // `Runtime::has_module` searches by halves.
        runtime.modules.sort_by(|a, b| a.name.cmp(&b.name));
        runtime.modules.dedup_by(|a, b| a.name == b.name);
        runtime.packages.sort_by(|a, b| a.name.cmp(&b.name));
        runtime
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(json: &serde_json::Value) -> Result<Manifest, SandboxError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python.json");
        std::fs::write(&path, json.to_string()).unwrap();
        Manifest::read(&path)
    }

    fn good() -> serde_json::Value {
        serde_json::json!({
            "abi": 1, "language": "python", "version": "3.13.5", "implementation": "CPython",
            "wasm": "python.wasm", "blake3": "0".repeat(64), "stdio": 1024,
            "modules": [{"name": "yaml", "package": "PyYAML"}, {"name": "json", "package": null}],
            "packages": [{"name": "PyYAML", "version": "6.0.3"}],
        })
    }

    #[test]
    fn runtime_finds_its_modules() {
        let runtime = manifest(&good()).unwrap().into_runtime();
        assert_eq!(runtime.name(), "python-3.13.5");
        assert!(runtime.has_module("json") && runtime.has_module("yaml"));
        assert!(!runtime.has_module("numpy"));
    }

    #[test]
    fn unusable_manifests_say_what_is_wrong() {
        for (field, value, expected) in [
            ("abi", serde_json::json!(2), "version 2"),
            ("wasm", serde_json::json!("../python.wasm"), "beside it"),
            ("blake3", serde_json::json!("abc"), "64 hex digits"),
            ("language", serde_json::json!("cobol"), "cobol"),
            ("extra", serde_json::json!(1), "extra"),
        ] {
            let mut json = good();
            json[field] = value;
            let message = manifest(&json).unwrap_err().to_string();
            assert!(message.contains(expected), "{field}: {message}");
        }
    }
}
