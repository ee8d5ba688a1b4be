//! What a module is called when it is imported, and what its package is called in the registry.
//!
//! The two differ: `cv2` comes from `opencv-python`, `yaml` from `PyYAML`. What a runtime has is
//! known from its catalogue, which names the package of every module; a [`RuntimeIndex`] answers
//! questions about it in nanoseconds. For packages that no catalogue has there is a small table of
//! well-known ones, so that a message can name what is missing as its users do.

mod known;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use sandgate_core::{Language, PackageInfo, Runtime};

/// A runtime's catalogue, for looking names up.
#[derive(Clone, Debug)]
pub struct RuntimeIndex {
    language: Language,
    /// The place in `packages` of every module's package; none for the language's own library.
    modules: HashMap<Box<str>, Option<usize>>,
    /// Modules of which at least one submodule is listed: those that are not listed do not exist.
    parents: HashSet<Box<str>>,
    packages: Box<[PackageInfo]>,
    by_name: HashMap<Box<str>, usize>,
}

/// Where a module comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider<'a> {
    /// It belongs to the language.
    Language,
    /// It is part of a package.
    Package(&'a PackageInfo),
}

impl RuntimeIndex {
    /// The index of `runtime`. Takes about as long as its catalogue took to read: once for each
    /// runtime is enough.
    pub fn new(runtime: &Runtime) -> Self {
        let language = runtime.language.runs_as();
        let packages: Box<[PackageInfo]> = runtime.packages.clone().into();
        let by_name: HashMap<Box<str>, usize> = packages
            .iter()
            .enumerate()
            .map(|(at, package)| (normalised(language, &package.name).into(), at))
            .collect();
        let mut modules = HashMap::with_capacity(runtime.modules.len());
        let mut parents: HashSet<Box<str>> = HashSet::new();
        for module in &runtime.modules {
            let package = module.package.as_deref();
            let at = package.map(|name| by_name.get(&*normalised(language, name)).copied());
            // A package that is named only here has no version: it counts as the language's own.
            modules.insert(Box::from(&*module.name), at.flatten());
            if let (Language::Python, Some((parent, _))) = (language, module.name.rsplit_once('.'))
                && !parents.contains(parent)
            {
                parents.insert(Box::from(parent));
            }
        }
        Self {
            language,
            modules,
            parents,
            packages,
            by_name,
        }
    }

    /// The runtime's language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether `module` can be imported, under the name it is imported by.
    ///
    /// Where the catalogue lists a Python package's submodules, only those exist; where it lists
    /// the package alone, every submodule of it is taken to exist.
    pub fn has_module(&self, module: &str) -> bool {
        self.entry(module).is_some()
    }

    /// Where `module` comes from, if it can be imported.
    pub fn provider(&self, module: &str) -> Option<Provider<'_>> {
        let package = self.entry(module)?;
        Some(package.map_or(Provider::Language, |at| {
            Provider::Package(&self.packages[at])
        }))
    }

    /// Whether `name` asks for something that is here: an installed package under any spelling, a
    /// package whose module another one provides (`opencv-python` for `opencv-python-headless`),
    /// or a module's own name.
    pub fn has_package(&self, name: &str) -> bool {
        self.package(name).is_some()
    }

    /// What stands for the package `name` here; see [`has_package`](Self::has_package).
    pub fn package(&self, name: &str) -> Option<Provider<'_>> {
        let wanted = normalised(self.language, name);
        if let Some(&at) = self.by_name.get(&*wanted) {
            return Some(Provider::Package(&self.packages[at]));
        }
        let mut modules = known::modules_of(self.language, &wanted);
        modules
            .find_map(|module| self.provider(module))
            .or_else(|| self.provider(name))
            .or_else(|| match self.language {
                // Types alone: nothing is needed when it runs.
                Language::JavaScript if name.starts_with("@types/") => Some(Provider::Language),
                Language::Python | Language::JavaScript | Language::TypeScript | Language::R => {
                    None
                }
            })
    }

    fn entry(&self, module: &str) -> Option<Option<usize>> {
        if let Some(&package) = self.modules.get(module) {
            return Some(package);
        }
        if self.language != Language::Python {
            return None;
        }
        let (mut parent, _) = module.rsplit_once('.')?;
        loop {
            if let Some(&package) = self.modules.get(parent) {
                return (!self.parents.contains(parent)).then_some(package);
            }
            (parent, _) = parent.rsplit_once('.')?;
        }
    }
}

/// The package that `module` most likely comes from, by its usual name: `opencv-python` for `cv2`.
/// Where nothing else is known it is the module's root.
pub fn package_of(language: Language, module: &str) -> &str {
    match language {
        Language::Python => {
            let found = known::package_of(module);
            found.unwrap_or_else(|| module.split('.').next().unwrap_or(module))
        }
        Language::JavaScript | Language::TypeScript => crate::analysis::javascript_root(module),
        Language::R => module,
    }
}

/// The name under which equal packages are equal. Python's registry takes `-`, `_` and `.`, and
/// upper and lower case, as the same (PEP 503); those of npm and R are exact.
pub fn normalised(language: Language, name: &str) -> Cow<'_, str> {
    match language {
        Language::Python => pep_503(name),
        Language::JavaScript | Language::TypeScript | Language::R => Cow::Borrowed(name),
    }
}

fn pep_503(name: &str) -> Cow<'_, str> {
    let separator = |byte: u8| matches!(byte, b'-' | b'_' | b'.');
    let bytes = name.as_bytes();
    let normal = bytes.iter().enumerate().all(|(at, &byte)| match byte {
        b'_' | b'.' => false,
        b'-' => at == 0 || !separator(bytes[at - 1]),
        _ => !byte.is_ascii_uppercase(),
    });
    if normal {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            if !out.ends_with('-') {
                out.push('-');
            }
        } else {
            out.push(c.to_ascii_lowercase());
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
