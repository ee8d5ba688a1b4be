//! Which of the request's files an import means.

use std::collections::HashMap;

use super::{Import, SourceFile};

/// The request's files, by what an import may call them.
#[derive(Debug)]
pub(super) struct Files<'a> {
    by_path: HashMap<&'a str, usize>,
    /// Python modules and packages at the top of a folder, and the first such folder.
    folders: HashMap<&'a str, &'a str>,
}

impl<'a> Files<'a> {
    pub(super) fn new(files: &[SourceFile<'a>]) -> Self {
        let mut by_path = HashMap::with_capacity(files.len());
        let mut folders = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            by_path.insert(file.path, at);
            let module = file.path.strip_suffix(".py").unwrap_or_default();
            let module = module.strip_suffix("/__init__").unwrap_or(module);
            if let Some((folder, name)) = module.rsplit_once('/') {
                folders.entry(name).or_insert(folder);
            }
        }
        Self { by_path, folders }
    }

    /// What a Python import in the file `from` means; its `names` may be modules themselves. The
    /// work directory is where modules are looked for; with `search_path` any folder may be.
    pub(super) fn python(&self, from: &str, import: &Import, search_path: bool) -> Vec<usize> {
        let module = import.module.trim_start_matches('.');
        let dots = import.module.len() - module.len();
        let above = |path: &'_ str| path.rfind('/').unwrap_or(0);
        let mut base = "";
        if dots > 0 {
            base = from;
            for _ in 0..dots {
                base = &base[..above(base)];
            }
        }
        let found = self.python_below(base, module, &import.names);
        if found.is_empty() && dots == 0 && search_path {
            let root = module.split('.').next().unwrap_or(module);
            if let Some(folder) = self.folders.get(root) {
                return self.python_below(folder, module, &import.names);
            }
        }
        found
    }

    /// `module` below the folder `base`, with the packages on the way, and `names` in it.
    fn python_below(&self, base: &str, module: &str, names: &[String]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut path = base.to_owned();
        let mut add = |path: &str| {
            for file in [format!("{path}.py"), format!("{path}/__init__.py")] {
                found.extend(self.position(file.trim_start_matches('/')));
            }
        };
        for part in module.split('.').filter(|part| !part.is_empty()) {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
            add(&path);
        }
        for name in names {
            add(&format!("{path}/{name}"));
        }
        found
    }

    /// A relative JavaScript import, with the extension it may leave out.
    pub(super) fn javascript(&self, from: &str, module: &str) -> Vec<usize> {
        const EXTENSIONS: [&str; 9] = [
            "",
            ".js",
            ".mjs",
            ".cjs",
            ".json",
            ".ts",
            ".mts",
            "/index.js",
            "/index.ts",
        ];
        let Some(path) = joined(from, module) else {
            return Vec::new();
        };
        let mut paths = EXTENSIONS.iter();
        let exact = paths.find_map(|extension| self.position(&format!("{path}{extension}")));
        // TypeScript names the file that will be there once it is compiled.
        let compiled = || self.position(&format!("{}ts", path.strip_suffix("js")?));
        exact.or_else(compiled).into_iter().collect()
    }

    /// A file that R's `source` reads.
    pub(super) fn r(&self, module: &str) -> Vec<usize> {
        let path = module.strip_prefix("/work/").unwrap_or(module);
        let path = path.strip_prefix("./").unwrap_or(path);
        self.position(path).into_iter().collect()
    }

    fn position(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }
}

/// The path that `module` means in the file `from`; none if it is not a path below the work
/// directory.
fn joined(from: &str, module: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    let path = match module.strip_prefix("/work/") {
        Some(path) => {
            parts.clear();
            path
        }
        None if module.starts_with("./") || module.starts_with("../") => module,
        None => return None,
    };
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Place;

    fn files<'a>(paths: &[&'a str]) -> Vec<SourceFile<'a>> {
        let file = |path: &&'a str| SourceFile { path, content: b"" };
        paths.iter().map(file).collect()
    }

    fn python_paths(from: &str, module: &str, names: &[&str], search_path: bool) -> Vec<String> {
        let files = files(&[
            "helper.py",
            "pkg/__init__.py",
            "pkg/a.py",
            "pkg/sub/b.py",
            "lib/c.py",
        ]);
        let import = Import {
            module: module.into(),
            root: String::new(),
            names: names.iter().map(|name| (*name).into()).collect(),
            place: Place::Unconditional,
            dynamic: false,
            line: 1,
        };
        let found = Files::new(&files).python(from, &import, search_path);
        found.iter().map(|&at| files[at].path.to_owned()).collect()
    }

    #[test]
    fn python_modules() {
        assert_eq!(python_paths("", "helper", &["f"], false), ["helper.py"]);
        assert_eq!(
            python_paths("", "pkg.a", &[], false),
            ["pkg/__init__.py", "pkg/a.py"]
        );
        assert_eq!(
            python_paths("", "pkg", &["a"], false),
            ["pkg/__init__.py", "pkg/a.py"]
        );
        assert_eq!(
            python_paths("", "pkg.sub", &["b"], false),
            ["pkg/__init__.py", "pkg/sub/b.py"]
        );
        assert_eq!(python_paths("pkg/a.py", ".", &["a"], false), ["pkg/a.py"]);
        assert_eq!(
            python_paths("pkg/sub/b.py", "..a", &[], false),
            ["pkg/a.py"]
        );
        assert_eq!(python_paths("", ".helper", &[], false), ["helper.py"]);
        assert!(python_paths("", "c", &[], false).is_empty());
        assert_eq!(python_paths("", "c", &[], true), ["lib/c.py"]);
        assert!(python_paths("", "json", &["helper"], true).is_empty());
    }

    #[test]
    fn javascript_files() {
        let files = files(&["a.js", "lib/index.js", "lib/b.ts", "data.json"]);
        let path = |from, module| {
            let found = Files::new(&files).javascript(from, module);
            found.first().map(|&at| files[at].path)
        };
        assert_eq!(path("", "./a"), Some("a.js"));
        assert_eq!(path("", "./lib"), Some("lib/index.js"));
        assert_eq!(path("", "./lib/b.js"), Some("lib/b.ts"));
        assert_eq!(path("lib/b.ts", "../a.js"), Some("a.js"));
        assert_eq!(path("lib/b.ts", "./index.js"), Some("lib/index.js"));
        assert_eq!(path("", "/work/data.json"), Some("data.json"));
        assert_eq!(path("", "../a.js"), None);
        assert_eq!(path("", "a"), None);
    }
}
