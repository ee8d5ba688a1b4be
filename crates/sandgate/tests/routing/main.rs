//! The routing test set: snippets, the backend each should run on, and why.
//!
//! A case says what a person would decide who knows what both backends have. The catalogues are
//! those of the guests and of the function's image as they were built; where no image was built
//! here, the list in `catalogues/` stands for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandgate::analysis::{SourceFile, analyse};
use sandgate::{
    BackendKind, BoxFuture, ErrorKind, ExecuteRequest, ExecutionContext, Executor, ExecutorError,
    InputFile, Language, Outcome, Router, Runtime, Task,
};
use serde::Deserialize;

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// A snippet and what is to become of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The backend.
    run: BackendKind,
    /// Why there.
    why: String,
    /// Every module it imports that is not a file of its own, in any order.
    imports: String,
    /// Packages that the code asks for.
    #[serde(default)]
    declared: String,
    /// Packages that the request names.
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Another language than its folder's.
    language: Option<Language>,
    code: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/routing")
}

fn built() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
}

/// The cases of the folder of `language`, with the file each is in.
fn cases(language: Language) -> Vec<(String, Case)> {
    let mut files: Vec<_> = std::fs::read_dir(folder().join(language.as_str()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let parsed: Cases =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
        cases.extend(parsed.case.into_iter().map(|case| (name.clone(), case)));
    }
    cases
}

/// What a guest's manifest says of itself, as a runtime.
fn guest(language: Language) -> Runtime {
    let path = built().join(format!("guests/{language}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| {
        let path = path.display();
        panic!("{path}: {error}; build the guests first: cargo xtask guests")
    });
    let mut manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let digest = manifest["blake3"].take();
    manifest["digest"] = digest;
    manifest["backend"] = "wasm".into();
    serde_json::from_value(manifest).unwrap()
}

fn image(language: Language) -> Runtime {
    let built = built().join(format!("lambda/catalogue/{language}.json"));
    let listed = folder().join(format!("catalogues/lambda-{language}.json"));
    let text = std::fs::read(&built).or_else(|_| std::fs::read(&listed));
    let mut runtime: Runtime = serde_json::from_slice(&text.unwrap()).unwrap();
    runtime
        .modules
        .sort_by(|one, other| one.name.cmp(&other.name));
    runtime
}

/// A backend that only says what it has.
#[derive(Debug)]
struct Catalogue {
    backend: BackendKind,
    runtimes: Arc<[Arc<Runtime>]>,
}

impl Executor for Catalogue {
    fn backend(&self) -> BackendKind {
        self.backend
    }

    fn runtimes(&self) -> Arc<[Arc<Runtime>]> {
        Arc::clone(&self.runtimes)
    }

    fn execute<'a>(
        &'a self,
        _: Arc<Task>,
        _: ExecutionContext,
    ) -> BoxFuture<'a, Result<Outcome, ExecutorError>> {
        let error = ExecutorError::new(ErrorKind::Internal, "nothing runs in this test");
        Box::pin(async { Err(error) })
    }
}

async fn router() -> Router {
    let catalogue = |backend, runtimes: Vec<Runtime>| {
        let runtimes = runtimes.into_iter().map(Arc::new).collect();
        Arc::new(Catalogue { backend, runtimes })
    };
    let guests = vec![guest(Language::Python), guest(Language::JavaScript)];
    let images = vec![image(Language::Python), image(Language::R)];
    Router::builder()
        .executor(catalogue(BackendKind::Wasm, guests))
        .executor(catalogue(BackendKind::Lambda, images))
        .build()
        .await
        .unwrap()
}

/// What is wrong with how `case` is analysed and planned.
async fn wrong(router: &Router, language: Language, case: &Case) -> Vec<String> {
    let words =
        |text: &str| -> BTreeSet<String> { text.split_whitespace().map(str::to_owned).collect() };
    let mut wrong = Vec::new();
    let mut request = ExecuteRequest::new(language, &*case.code);
    request.packages.clone_from(&case.packages);
    request.files = case
        .files
        .iter()
        .map(|(path, content)| InputFile {
            path: path.clone(),
            content: content.clone().into(),
        })
        .collect();
    let files: Vec<SourceFile<'_>> = request.files.iter().map(SourceFile::from).collect();
    let analysis = analyse(language, &case.code, &files);
    let imports: BTreeSet<_> = analysis.imports.into_iter().map(|i| i.module).collect();
    if imports != words(&case.imports) {
        wrong.push(format!("imports {imports:?}"));
    }
    let declared: BTreeSet<_> = analysis.declared.into_iter().map(|d| d.package).collect();
    if declared != words(&case.declared) {
        wrong.push(format!("declared {declared:?}"));
    }
    match router.plan(request).await {
        Ok(plan) if plan.backend == case.run => {}
        Ok(plan) => wrong.push(format!("{}: {}", plan.backend, plan.reason)),
        Err(error) => wrong.push(error.to_string()),
    }
    wrong
}

async fn check(language: Language) {
    let router = router().await;
    let mut report = String::new();
    for (file, case) in cases(language) {
        let wrong = wrong(&router, case.language.unwrap_or(language), &case).await;
        for what in wrong {
            report.push_str(&format!("{file}.toml, {:?}: {what}\n", case.why));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[tokio::test]
async fn python() {
    check(Language::Python).await;
}

#[tokio::test]
async fn javascript() {
    check(Language::JavaScript).await;
}

#[tokio::test]
async fn r() {
    check(Language::R).await;
}

#[test]
fn the_set_is_large_and_says_why() {
    let mut codes = BTreeSet::new();
    let mut count = 0;
    for language in [Language::Python, Language::JavaScript, Language::R] {
        for (file, case) in cases(language) {
            assert!(!case.why.is_empty(), "{file}");
            assert!(
                codes.insert(case.code),
                "{file}: {} is there twice",
                case.why
            );
            count += 1;
        }
    }
    assert!(count >= 300, "{count}");
}

/// The list that stands for an image is the image's.
#[test]
fn the_listed_catalogues_are_current() {
    for language in [Language::Python, Language::R] {
        let built = built().join(format!("lambda/catalogue/{language}.json"));
        let Ok(built) = std::fs::read(built) else {
            continue;
        };
        let listed = folder().join(format!("catalogues/lambda-{language}.json"));
        let packages = |json: &[u8]| -> BTreeSet<String> {
            let runtime: Runtime = serde_json::from_slice(json).unwrap();
            let packages = runtime.packages.into_iter();
            packages.map(|package| package.name).collect()
        };
        let listed = std::fs::read(listed).unwrap();
        assert_eq!(packages(&listed), packages(&built), "{language}");
    }
}
