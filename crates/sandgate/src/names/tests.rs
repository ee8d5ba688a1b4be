use sandgate_core::{BackendKind, ModuleInfo};

use super::*;

fn runtime(language: Language, modules: &[(&str, Option<&str>)], packages: &[&str]) -> Runtime {
    Runtime {
        backend: BackendKind::Wasm,
        language,
        implementation: "I".into(),
        version: "1".into(),
        digest: "d".into(),
        modules: modules
            .iter()
            .map(|(name, package)| ModuleInfo {
                name: (*name).into(),
                package: package.map(Into::into),
            })
            .collect(),
        packages: packages
            .iter()
            .map(|name| PackageInfo {
                name: (*name).into(),
                version: "1.2".into(),
            })
            .collect(),
    }
}

fn python() -> RuntimeIndex {
    RuntimeIndex::new(&runtime(
        Language::Python,
        &[
            ("json", None),
            ("multiprocessing", None),
            ("multiprocessing.pool", None),
            ("cv2", Some("opencv-python-headless")),
            ("yaml", Some("PyYAML")),
            ("six", Some("six")),
            ("dateutil", Some("python_dateutil")),
            ("dateutil.parser", Some("python_dateutil")),
        ],
        &["PyYAML", "opencv-python-headless", "python-dateutil", "six"],
    ))
}

fn package(provider: Option<Provider<'_>>) -> Option<&str> {
    match provider? {
        Provider::Language => Some("-"),
        Provider::Package(package) => Some(&package.name),
    }
}

#[test]
fn modules_are_found_with_their_packages() {
    let index = python();
    assert_eq!(package(index.provider("json")), Some("-"));
    assert_eq!(package(index.provider("yaml")), Some("PyYAML"));
    assert_eq!(
        package(index.provider("dateutil.parser")),
        Some("python-dateutil")
    );
    assert_eq!(package(index.provider("numpy")), None);
    assert_eq!(package(index.provider("")), None);
}

#[test]
fn a_submodule_exists_unless_the_listed_ones_say_otherwise() {
    let index = python();
    assert!(index.has_module("six.moves.urllib"), "six is listed alone");
    assert!(index.has_module("multiprocessing.pool"));
    assert!(!index.has_module("multiprocessing.shared_memory"));
    assert!(!index.has_module("multiprocessing.shared_memory.deeper"));
}

#[test]
fn packages_meet_their_modules_under_any_spelling() {
    let index = python();
    for name in [
        "pyyaml",
        "PyYAML",
        "Python_DateUtil",
        "opencv-python",
        "cv2",
        "yaml",
        "json",
    ] {
        assert!(index.has_package(name), "{name}");
    }
    assert_eq!(
        package(index.package("opencv-python")),
        Some("opencv-python-headless")
    );
    for name in ["numpy", "opencv", ""] {
        assert!(!index.has_package(name), "{name}");
    }
}

#[test]
fn javascript_names_are_exact() {
    let index = RuntimeIndex::new(&runtime(
        Language::JavaScript,
        &[
            ("lodash", Some("lodash")),
            ("lodash/fp", Some("lodash")),
            ("node:fs", None),
        ],
        &["lodash"],
    ));
    assert!(index.has_module("lodash/fp") && index.has_module("node:fs"));
    assert!(!index.has_module("lodash/debounce") && !index.has_module("Lodash"));
    assert!(index.has_package("lodash") && index.has_package("@types/node"));
    assert!(!index.has_package("LODASH"));
}

#[test]
fn missing_modules_are_named_as_their_users_do() {
    let python = |module| package_of(Language::Python, module);
    assert_eq!(python("cv2"), "opencv-python");
    assert_eq!(python("sklearn.linear_model"), "scikit-learn");
    assert_eq!(python("google.cloud.storage.blob"), "google-cloud-storage");
    assert_eq!(python("polars.selectors"), "polars");
    assert_eq!(package_of(Language::JavaScript, "@scope/a/b"), "@scope/a");
    assert_eq!(package_of(Language::R, "dplyr"), "dplyr");
}

#[test]
fn normal_names_are_not_copied() {
    for (name, normal) in [
        ("a--b", "a-b"),
        ("A._-b", "a-b"),
        ("ruamel.yaml", "ruamel-yaml"),
        ("-x", "-x"),
    ] {
        assert_eq!(normalised(Language::Python, name), normal);
    }
    assert!(matches!(
        normalised(Language::Python, "scikit-learn"),
        Cow::Borrowed(_)
    ));
}
