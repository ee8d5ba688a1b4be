//! What the backends have, by the catalogues that are generated while they are built.

use std::collections::BTreeSet;
use std::path::Path;

use sandgate_core::{Language, Runtime};
use serde_json::Value;

fn runtime(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{path:?}: {error}: `cargo xtask test` makes it"));
    serde_json::from_str(&text).unwrap()
}

fn packages(runtime: &Value) -> BTreeSet<String> {
    runtime["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap().to_lowercase())
        .map(|name| name.replace(['_', '.'], "-"))
        .collect()
}

/// A snippet that outgrows the sandbox runs again on Lambda, and must find there what it had here.
#[test]
fn the_image_has_every_package_of_the_sandbox() {
    let (sandbox, image) = (
        packages(&runtime("target/guests/python.json")),
        packages(&runtime("target/lambda/catalogue/python.json")),
    );
    let missing: Vec<_> = sandbox.difference(&image).collect();
    assert!(
        missing.is_empty(),
        "lambda-image/requirements.in lacks {missing:?}"
    );
}

#[test]
fn the_image_says_what_it_is() {
    let runtime: Runtime =
        serde_json::from_value(runtime("target/lambda/catalogue/python.json")).unwrap();
    assert_eq!(runtime.language, Language::Python);
    for module in [
        "numpy",
        "pandas",
        "matplotlib.pyplot",
        "sklearn.linear_model",
        "PIL",
        "json",
    ] {
        assert!(runtime.has_module(module), "{module}");
    }
    assert!(!runtime.digest.is_empty());
}
