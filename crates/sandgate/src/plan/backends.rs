//! The configured backends, and what each has at the moment.

use std::sync::{Arc, PoisonError, RwLock};

use sandgate_core::{BackendKind, Executor, ExecutorError, Language, Limits, Runtime};

use crate::BuildError;
use crate::names::RuntimeIndex;

/// The preferred backend comes first: the sandbox answers in under a millisecond.
pub(crate) const PREFERENCE: [BackendKind; 2] = [BackendKind::Wasm, BackendKind::Lambda];

/// The configured backends, in the order they are preferred.
#[derive(Debug)]
pub(crate) struct Backends {
    all: Vec<Backend>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) kind: BackendKind,
    pub(crate) executor: Arc<dyn Executor>,
    /// The most it grants of each limit.
    pub(crate) maximum: Limits,
    known: RwLock<Known>,
}

/// What the executor offered when it was last asked, and what was made of that.
#[derive(Clone, Debug)]
struct Known {
    offered: Arc<[Arc<Runtime>]>,
    runtimes: Arc<[Arc<IndexedRuntime>]>,
}

/// A runtime whose modules and packages can be found by name.
#[derive(Debug)]
pub(crate) struct IndexedRuntime {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) index: RuntimeIndex,
    /// As in `python-3.13.5`.
    pub(crate) name: String,
}

impl Known {
    fn new(offered: Arc<[Arc<Runtime>]>) -> Self {
        let indexed = offered.iter().map(|runtime| {
            Arc::new(IndexedRuntime {
                index: RuntimeIndex::new(runtime),
                name: runtime.name(),
                runtime: Arc::clone(runtime),
            })
        });
        Self {
            runtimes: indexed.collect(),
            offered,
        }
    }
}

impl Backend {
    fn new(executor: Arc<dyn Executor>) -> Self {
        Self {
            kind: executor.backend(),
            maximum: executor.maximum(),
            known: RwLock::new(Known::new(executor.runtimes())),
            executor,
        }
    }

    /// What it has now. An executor hands out the same slice until something changes, so that
    /// looking is cheap.
    fn runtimes(&self) -> Arc<[Arc<IndexedRuntime>]> {
        let offered = self.executor.runtimes();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&known.offered, &offered) {
                return Arc::clone(&known.runtimes);
            }
        }
        let fresh = Known::new(offered);
        let runtimes = Arc::clone(&fresh.runtimes);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        runtimes
    }

    /// Its runtime for `language`, if it has one.
    pub(crate) fn runtime(&self, language: Language) -> Option<Arc<IndexedRuntime>> {
        let runtimes = self.runtimes();
        let mut found = runtimes.iter();
        let found = found.find(|indexed| indexed.runtime.language == language);
        found.cloned()
    }
}

impl Backend {
    /// Whether it has not said anything about what it has: it may have what is asked for.
    pub(crate) fn is_unknown(&self) -> bool {
        self.runtimes().is_empty()
    }
}

impl Backends {
    pub(crate) fn new(executors: Vec<Arc<dyn Executor>>) -> Result<Self, BuildError> {
        let mut all: Vec<Backend> = Vec::with_capacity(executors.len());
        for executor in executors {
            let kind = executor.backend();
            if all.iter().any(|backend| backend.kind == kind) {
                return Err(BuildError::TwoExecutors(kind));
            }
            all.push(Backend::new(executor));
        }
        if all.is_empty() {
            return Err(BuildError::NoExecutor);
        }
        all.sort_by_key(|backend| PREFERENCE.iter().position(|kind| *kind == backend.kind));
        Ok(Self { all })
    }

    pub(crate) fn get(&self, kind: BackendKind) -> Option<&Backend> {
        self.all.iter().find(|backend| backend.kind == kind)
    }

    pub(crate) fn runtimes(&self) -> Vec<Arc<Runtime>> {
        let runtimes = self.all.iter().map(Backend::runtimes);
        runtimes
            .flat_map(|indexed| {
                let runtimes = indexed.iter().map(|indexed| Arc::clone(&indexed.runtime));
                runtimes.collect::<Vec<_>>()
            })
            .collect()
    }

    /// Ends when every backend has said what it has, or one has failed to.
    pub(crate) async fn described(&self) -> Result<(), ExecutorError> {
        for backend in self.all.iter().filter(|backend| backend.is_unknown()) {
            backend.executor.described().await?;
        }
        Ok(())
    }

    pub(crate) fn executors(&self) -> impl Iterator<Item = &Arc<dyn Executor>> {
        self.all.iter().map(|backend| &backend.executor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestExecutor, runtime};

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

    #[test]
    fn what_an_executor_learns_later_is_known_at_once() {
        let executor = Arc::new(TestExecutor::lambda());
        let backends = Backends::new(vec![Arc::clone(&executor) as _]).unwrap();
        let backend = backends.get(BackendKind::Lambda).unwrap();
        let before = backend.runtime(Language::Python).unwrap();
        assert!(Arc::ptr_eq(
            &before,
            &backend.runtime(Language::Python).unwrap()
        ));
        executor.offer(Vec::new());
        assert!(backend.runtime(Language::Python).is_none());
        let python = runtime(BackendKind::Lambda, Language::Python, &[("scipy", None)]);
        executor.offer(vec![python]);
        let after = backend.runtime(Language::Python).unwrap();
        assert!(after.runtime.has_module("scipy"));
        assert_eq!(backends.runtimes().len(), 1);
    }
}
