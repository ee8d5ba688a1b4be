//! What hostile snippets try.
