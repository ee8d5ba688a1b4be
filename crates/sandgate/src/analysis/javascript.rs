//! JavaScript and TypeScript: imports with their places.

use sandgate_core::Language;

use super::{Found, Skipped};

pub(super) fn parse(_language: Language, _code: &str) -> Result<Found, Skipped> {
    Ok(Found::default())
}

/// The part of `module` that names the package: `lodash` of `lodash/fp`, `@scope/name` of
/// `@scope/name/part`, `fs` of `node:fs/promises`.
pub(crate) fn root(module: &str) -> &str {
    let mut name = module;
    for scheme in ["node:", "npm:", "jsr:"] {
        name = name.strip_prefix(scheme).unwrap_or(name);
    }
    if name.contains("://") || name.starts_with("data:") {
        return module;
    }
    let parts = if name.starts_with('@') { 2 } else { 1 };
    let end = name.match_indices('/').nth(parts - 1);
    let name = end.map_or(name, |(end, _)| &name[..end]);
    // `npm:lodash@4`.
    let version = name.rfind('@').filter(|&at| at > 0);
    version.map_or(name, |at| &name[..at])
}
