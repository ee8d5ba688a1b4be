//! The embeddable router for untrusted snippets.
