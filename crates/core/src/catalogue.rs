//! What a backend has to offer in a language.

use serde::{Deserialize, Serialize};

use crate::{BackendKind, Language};

/// One importable module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleInfo {
    /// The name to import, dotted where the language does so.
    pub name: String,
    /// The package it comes from; none for the language's own library.
    pub package: Option<String>,
}

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageInfo {
    /// The name in the language's registry.
    pub name: String,
    /// The installed version.
    pub version: String,
}

/// A language on a backend, with its catalogue. Generated from the built guest or image itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// The backend.
    pub backend: BackendKind,
    /// The language.
    pub language: Language,
    /// The implementation, as in `CPython`.
    pub implementation: String,
    /// The version, as in `3.13.5`.
    pub version: String,
    /// Identifies the exact build: equal digests behave equally.
    pub digest: String,
    /// Every importable module, by name.
    pub modules: Vec<ModuleInfo>,
    /// Every installed package, by name.
    pub packages: Vec<PackageInfo>,
}

impl Runtime {
    /// A short name for people: `python-3.13.5`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.language, self.version)
    }

    /// Whether `module` can be imported.
    pub fn has_module(&self, module: &str) -> bool {
        self.modules
            .binary_search_by(|m| m.name.as_str().cmp(module))
            .is_ok()
    }
}
