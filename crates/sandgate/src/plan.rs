//! Where a request runs, and why there.

use std::fmt;
use std::sync::Arc;

use sandgate_core::{BackendChoice, BackendKind, ExecuteRequest, Executor, Language, Runtime};

use crate::{BuildError, Error};

/// What would happen to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it would run.
    pub backend: BackendKind,
    /// On which runtime of that backend, as in `python-3.13.5`.
    pub runtime: String,
    /// Why there, in one sentence.
    pub reason: String,
    /// The other backends, and why not there, in the order they were looked at.
    pub alternatives: Vec<Alternative>,
}

/// A backend a request does not run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The backend.
    pub backend: BackendKind,
    /// Whether it could run the request as well.
    pub possible: bool,
    /// Why not there, or what it offers.
    pub reason: String,
}

/// What of a request decides where it runs.
#[derive(Debug)]
pub(crate) struct Wanted {
    language: Language,
    backend: BackendChoice,
    packages: Vec<String>,
}

impl Wanted {
    /// Takes it out of `request`, which keeps what a task needs.
    pub(crate) fn take(request: &mut ExecuteRequest) -> Self {
        Self {
            language: request.language,
            backend: request.backend,
            packages: std::mem::take(&mut request.packages),
        }
    }

    pub(crate) fn of(request: &ExecuteRequest) -> Self {
        Self {
            language: request.language,
            backend: request.backend,
            packages: request.packages.clone(),
        }
    }
}

/// The configured backends, in the order they are preferred.
#[derive(Debug, Default)]
pub(crate) struct Backends {
    all: Vec<Backend>,
}

#[derive(Debug)]
struct Backend {
    kind: BackendKind,
    executor: Arc<dyn Executor>,
    runtimes: Arc<[Arc<Runtime>]>,
}

/// The backend that was chosen.
#[derive(Debug)]
pub(crate) struct Chosen<'a> {
    pub(crate) executor: &'a Arc<dyn Executor>,
    pub(crate) runtime: &'a Arc<Runtime>,
    pub(crate) reason: String,
}

/// The preferred backend comes first: the sandbox answers in under a millisecond.
const PREFERENCE: [BackendKind; 2] = [BackendKind::Wasm, BackendKind::Lambda];

impl Backends {
    pub(crate) fn new(executors: Vec<Arc<dyn Executor>>) -> Result<Self, BuildError> {
        let mut all: Vec<Backend> = Vec::with_capacity(executors.len());
        for executor in executors {
            let kind = executor.backend();
            if all.iter().any(|backend| backend.kind == kind) {
                return Err(BuildError::TwoExecutors(kind));
            }
            all.push(Backend {
                kind,
                runtimes: executor.runtimes(),
                executor,
            });
        }
        if all.is_empty() {
            return Err(BuildError::NoExecutor);
        }
        all.sort_by_key(|backend| PREFERENCE.iter().position(|kind| *kind == backend.kind));
        Ok(Self { all })
    }

    pub(crate) fn runtimes(&self) -> impl Iterator<Item = &Arc<Runtime>> {
        self.all.iter().flat_map(|backend| backend.runtimes.iter())
    }

    pub(crate) fn executors(&self) -> impl Iterator<Item = &Arc<dyn Executor>> {
        self.all.iter().map(|backend| &backend.executor)
    }

    /// The backend for `wanted`: the first that can.
    pub(crate) fn choose(&self, wanted: &Wanted) -> Result<Chosen<'_>, Error> {
        for backend in &self.all {
            if let Ok(runtime) = self.suits(backend.kind, wanted) {
                return Ok(Chosen {
                    executor: &backend.executor,
                    runtime,
                    reason: reason(backend.kind, wanted),
                });
            }
        }
        let why_not: Vec<String> = PREFERENCE
            .into_iter()
            .filter_map(|kind| self.suits(kind, wanted).err())
            .map(|unsuited| unsuited.to_string())
            .collect();
        Err(Error::NoBackend {
            reason: why_not.join("; "),
        })
    }

    /// The same decision with everything it looked at.
    pub(crate) fn plan(&self, wanted: &Wanted) -> Result<Plan, Error> {
        let chosen = self.choose(wanted)?;
        let backend = chosen.executor.backend();
        let alternatives = PREFERENCE
            .into_iter()
            .filter(|kind| *kind != backend)
            .map(|kind| match self.suits(kind, wanted) {
                Ok(_) => Alternative {
                    backend: kind,
                    possible: true,
                    reason: reason(kind, wanted),
                },
                Err(unsuited) => Alternative {
                    backend: kind,
                    possible: false,
                    reason: unsuited.to_string(),
                },
            })
            .collect();
        Ok(Plan {
            backend,
            runtime: chosen.runtime.name(),
            reason: chosen.reason,
            alternatives,
        })
    }

    fn suits(&self, kind: BackendKind, wanted: &Wanted) -> Result<&Arc<Runtime>, Unsuited> {
        let asked_for = match wanted.backend {
            BackendChoice::Auto => kind,
            BackendChoice::Wasm => BackendKind::Wasm,
            BackendChoice::Lambda => BackendKind::Lambda,
        };
        if asked_for != kind {
            return Err(Unsuited::NotAskedFor {
                kind,
                asked: asked_for,
            });
        }
        let Some(backend) = self.all.iter().find(|backend| backend.kind == kind) else {
            return Err(Unsuited::NotConfigured(kind));
        };
        let Some(runtime) = backend
            .runtimes
            .iter()
            .find(|runtime| runtime.language == wanted.language)
        else {
            return Err(Unsuited::NoRuntime(kind, wanted.language));
        };
        let missing: Vec<String> = wanted
            .packages
            .iter()
            .filter(|name| !has_package(runtime, name))
            .cloned()
            .collect();
        if missing.is_empty() {
            Ok(runtime)
        } else {
            Err(Unsuited::NoPackages {
                kind,
                language: wanted.language,
                missing,
            })
        }
    }
}

enum Unsuited {
    NotAskedFor {
        kind: BackendKind,
        asked: BackendKind,
    },
    NotConfigured(BackendKind),
    NoRuntime(BackendKind, Language),
    NoPackages {
        kind: BackendKind,
        language: Language,
        missing: Vec<String>,
    },
}

impl fmt::Display for Unsuited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAskedFor { kind, asked } => write!(
                f,
                "{} is not tried, the request asks for {}",
                name(*kind),
                name(*asked)
            ),
            Self::NotConfigured(kind) => write!(f, "{} is not configured", name(*kind)),
            Self::NoRuntime(kind, language) => {
                write!(f, "{} has no {language} runtime", name(*kind))
            }
            Self::NoPackages {
                kind,
                language,
                missing,
            } => {
                let most = 8;
                write!(
                    f,
                    "the {language} runtime of {} lacks the package{} {}",
                    name(*kind),
                    if missing.len() == 1 { "" } else { "s" },
                    missing[..missing.len().min(most)].join(", ")
                )?;
                match missing.len().checked_sub(most) {
                    None | Some(0) => Ok(()),
                    Some(more) => write!(f, " and {more} more"),
                }
            }
        }
    }
}

fn name(kind: BackendKind) -> &'static str {
    match kind {
        BackendKind::Wasm => "the wasm sandbox",
        BackendKind::Lambda => "the Lambda backend",
    }
}

fn reason(kind: BackendKind, wanted: &Wanted) -> String {
    let (place, language) = (name(kind), wanted.language);
    match (wanted.packages.as_slice(), wanted.backend) {
        ([], BackendChoice::Auto) => format!("the {language} runtime of {place} runs it"),
        ([], BackendChoice::Wasm | BackendChoice::Lambda) => {
            format!("the request asks for {place}, which has a {language} runtime")
        }
        ([one], _) => format!("the {language} runtime of {place} has the package {one}"),
        (many, _) => format!(
            "the {language} runtime of {place} has all {} packages it names",
            many.len()
        ),
    }
}

/// Whether `runtime` has a package of this name. Python's registry treats `-`, `_` and `.`, and
/// upper and lower case, as the same; npm's names are exact.
fn has_package(runtime: &Runtime, name: &str) -> bool {
    match runtime.language {
        Language::Python => {
            let wanted = normalised(name);
            runtime
                .packages
                .iter()
                .any(|package| normalised(&package.name) == wanted)
        }
        Language::JavaScript | Language::TypeScript | Language::R => {
            runtime.packages.iter().any(|package| package.name == name)
        }
    }
}

fn normalised(name: &str) -> String {
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
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestExecutor;

    fn backends() -> Backends {
        Backends::new(vec![Arc::new(TestExecutor::default())]).unwrap()
    }

    fn plan(change: impl FnOnce(&mut ExecuteRequest)) -> Result<Plan, String> {
        let mut request = ExecuteRequest::python("1");
        change(&mut request);
        backends()
            .plan(&Wanted::take(&mut request))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_sandbox_runs_what_it_has() {
        let plan = plan(|_| ()).unwrap();
        assert_eq!(plan.backend, BackendKind::Wasm);
        assert_eq!(
            plan.reason,
            "the python runtime of the wasm sandbox runs it"
        );
        assert_eq!(
            plan.alternatives,
            [Alternative {
                backend: BackendKind::Lambda,
                possible: false,
                reason: "the Lambda backend is not configured".into()
            }]
        );
    }

    #[test]
    fn packages_are_found_under_any_spelling() {
        let plan = plan(|r| r.packages = vec!["python_DateUtil".into()]).unwrap();
        assert!(plan.reason.contains("has the package"), "{}", plan.reason);
    }

    #[test]
    fn what_nobody_has_is_refused_with_each_reason() {
        assert_eq!(
            plan(|r| r.language = Language::R).unwrap_err(),
            "no backend can run this: the wasm sandbox has no r runtime; \
             the Lambda backend is not configured"
        );
        assert_eq!(
            plan(|r| r.backend = BackendChoice::Lambda).unwrap_err(),
            "no backend can run this: the wasm sandbox is not tried, the request asks for the \
             Lambda backend; the Lambda backend is not configured"
        );
        assert_eq!(
            plan(|r| r.packages = vec!["numpy".into()]).unwrap_err(),
            "no backend can run this: the python runtime of the wasm sandbox lacks the package \
             numpy; the Lambda backend is not configured"
        );
    }

    #[test]
    fn one_executor_for_each_backend() {
        let executor: Arc<dyn Executor> = Arc::new(TestExecutor::default());
        assert!(matches!(
            Backends::new(vec![Arc::clone(&executor), executor]),
            Err(BuildError::TwoExecutors(BackendKind::Wasm))
        ));
        assert!(matches!(
            Backends::new(Vec::new()),
            Err(BuildError::NoExecutor)
        ));
    }
}
