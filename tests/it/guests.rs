//! The guests' own cases, run in the sandbox.
