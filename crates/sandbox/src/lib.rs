//! Runs snippets in fresh, limited wasm instances, in worker processes or in this one.
