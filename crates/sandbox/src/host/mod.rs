//! What a guest can reach: WASI preview 1 over in-memory files, and the `sandgate` imports.

pub(crate) mod memory;
pub(crate) mod stdio;
