//! Setting up a router.

use std::sync::Arc;

use sandgate_core::{Durability, Executor, RequestRules};
use sandgate_sandbox::{SandboxConfig, SandboxExecutor};

use crate::BuildError;
use crate::cache::{CacheConfig, ResultCache};
use crate::outputs::{MemoryOutputs, ObjectStore, OutputStore};
use crate::plan::{Backends, Planner};
use crate::router::{Inner, Router};

/// Sets up a [`Router`]. At least one backend is needed; everything else has a default.
#[derive(Debug, Default)]
pub struct RouterBuilder {
    executors: Vec<Arc<dyn Executor>>,
    sandbox: Option<SandboxConfig>,
    outputs: Option<Arc<dyn OutputStore>>,
    cache: CacheConfig,
    cache_store: Option<Arc<dyn ObjectStore>>,
    rules: RequestRules,
    durability: Durability,
    url_base: String,
}

impl RouterBuilder {
    /// Runs snippets in the wasm sandbox, which is started by [`build`](Self::build).
    #[must_use]
    pub fn sandbox(mut self, config: SandboxConfig) -> Self {
        self.sandbox = Some(config);
        self
    }

    /// Adds a backend that is running already.
    #[must_use]
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executors.push(executor);
        self
    }

    /// Where outputs are kept. By default in memory, see [`MemoryOutputs`].
    #[must_use]
    pub fn outputs(mut self, outputs: Arc<dyn OutputStore>) -> Self {
        self.outputs = Some(outputs);
        self
    }

    /// How much is cached, and how long.
    #[must_use]
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.cache = cache;
        self
    }

    /// Keeps proven results in `store` as well, below `cache/`, so that they are found after a
    /// restart and by other routers on the same store. Looking there costs a round trip on every
    /// miss: it pays where snippets run for longer than that. Nothing is ever deleted from the
    /// store. Without it results are kept in memory alone.
    #[must_use]
    pub fn cache_store(mut self, store: Arc<dyn ObjectStore>) -> Self {
        self.cache_store = Some(store);
        self
    }

    /// Sizes and limits that requests are held to.
    #[must_use]
    pub fn rules(mut self, rules: RequestRules) -> Self {
        self.rules = rules;
        self
    }

    /// When outputs count as safe, for requests that do not say.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// What the `url` of an artifact begins with: `{base}/{id}/files/{path}`. Empty by default.
    #[must_use]
    pub fn url_base(mut self, base: impl Into<String>) -> Self {
        self.url_base = base.into();
        self
    }

    /// Starts the backends.
    ///
    /// # Errors
    /// When there is no backend, or one does not start.
    pub async fn build(self) -> Result<Router, BuildError> {
        let mut executors = self.executors;
        let sandbox = match self.sandbox {
            Some(config) => {
                let started = SandboxExecutor::new(config).await;
                let sandbox = started.map_err(|error| BuildError::Sandbox(Box::new(error)))?;
                let sandbox = Arc::new(sandbox);
                executors.push(Arc::clone(&sandbox) as _);
                Some(sandbox)
            }
            None => None,
        };
        Ok(Router::new(Inner {
            planner: Planner::new(Backends::new(executors)?),
            sandbox,
            rules: self.rules,
            cache: ResultCache::new(self.cache, self.cache_store),
            outputs: self
                .outputs
                .unwrap_or_else(|| Arc::new(MemoryOutputs::default())),
            durability: self.durability,
            url_base: self.url_base,
        }))
    }
}
