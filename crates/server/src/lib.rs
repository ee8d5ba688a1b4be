//! The sandgate service.
